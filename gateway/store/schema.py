"""The one schema, for SQLite and PostgreSQL. Every key leads with `school_id`, so that tables shard by school."""

from __future__ import annotations

from gateway.store.tables import past, people, programs, schools, sheets, summaries
from gateway.store.tables.head import metadata

ROOMS = (schools, sheets, people, summaries, programs, past)
"""Where its tables are described: `metadata` has them all once these are read."""

__all__ = ["ROOMS", "metadata"]
