"""One file, one component: decoder blocks."""
