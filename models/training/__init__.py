"""How the recognisers are made: `python -m models.training --data DIR --out models --seed 1`."""
