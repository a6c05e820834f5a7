"""One file, one component: video samplers."""
