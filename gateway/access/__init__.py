"""Who may sign in at the school, what each may see and do, and what was done."""
