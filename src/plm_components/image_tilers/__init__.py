"""One file, one component: image tilers."""
