"""One file a question; each prints figures (`--json`)."""
