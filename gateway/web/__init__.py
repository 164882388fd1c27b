"""The gateway's pages: what there is, the class report, and the same as JSON."""
