"""The gateway's database: schema, what ingest writes, what reports read."""
