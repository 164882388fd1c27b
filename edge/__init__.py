"""The box in the classroom: camera, registration, reading, ledger, live page."""
