"""One file a command of `classgate`."""
