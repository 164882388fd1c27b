"""Layouts made from pictures of empty pages: the page is flattened, and places to answer are proposed."""
