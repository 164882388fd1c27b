"""Who may see what on the box: its certificate, its people, their sessions, and the gate before every page."""
