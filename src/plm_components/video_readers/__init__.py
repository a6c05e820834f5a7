"""One file, one component: video readers."""
