"""One file, one component: projectors."""
