"""What the gate leaves at a request for the page that answers it."""

from __future__ import annotations

from typing import Final

from aiohttp import web

PERSON: Final = web.RequestKey("person", str)
"""The name of whoever is signed in; not there on an open box."""
