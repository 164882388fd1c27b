"""What the gate leaves at a request for the page that answers it."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from gateway.access.deeds import Thing
from gateway.access.person import Person

PERSON: Final = web.RequestKey("person", Person)
"""Whoever is signed in, or the program whose key it is; not there for anybody else."""
THING: Final = web.RequestKey("thing", Thing)
"""What the address is of."""
NOTED: Final = web.RequestKey("noted", bool)
"""Set by a page that writes its line of the audit itself."""
