"""The checks, one file a kind; the roster imports them."""
