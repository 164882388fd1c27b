"""Find the page, flatten it, prove that it lies where its layout says, name it."""
