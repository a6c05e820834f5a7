"""One file, one component: decoders."""
