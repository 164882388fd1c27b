"""The gateway: receives, de-duplicates, stores, reports."""
