"""One file a command of `classbox`."""
