"""One file a command: its arguments and its output; the work is done beneath it."""
