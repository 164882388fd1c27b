"""Field → crop → recogniser → Reading with a calibrated confidence."""
