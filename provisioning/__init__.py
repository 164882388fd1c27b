"""Identity and set-up of boxes and gateways."""
