"""One file, one component: tokenizers."""
