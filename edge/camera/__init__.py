"""Sources of pages: cameras over the desk, folders, videos, the simulated classroom."""
