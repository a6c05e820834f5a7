"""One file, one component: vision encoders."""
