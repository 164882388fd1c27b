"""What the recognisers can do: `python -m models.evaluation --data DIR [--json]`."""
