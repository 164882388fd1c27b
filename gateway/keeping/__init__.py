"""How long what is kept: erasing a pupil, the archive of months that are over, and what people take out of both."""
