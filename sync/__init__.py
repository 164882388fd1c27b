"""Records on the wire, receipts, and the links that carry them over MQTT."""
