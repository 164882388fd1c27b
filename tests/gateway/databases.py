"""The databases that a gateway stores in. A file of tests that says `ON_BOTH = True` runs on each."""

import pytest

SQLITE, POSTGRESQL = "sqlite", "postgresql"
on_postgresql = pytest.mark.parametrize("database", [POSTGRESQL], indirect=True)


def store_lines(url: str | None) -> str:
    """What `gateway.toml` says of a database."""
    return "" if url is None else f'[store]\nurl = "{url}"\n'
