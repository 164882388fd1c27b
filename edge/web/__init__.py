"""The live page that the teacher watches."""
