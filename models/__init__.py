"""Recognisers of handwriting: int8 models, their manifest and runtime; training, evaluation, simulation."""
