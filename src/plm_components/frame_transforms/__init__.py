"""One file, one component: frame transforms."""
