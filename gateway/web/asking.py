"""Who is asking, for pages that show or change more than what their address names: each thing by the rules."""

from __future__ import annotations

from aiohttp import web

from gateway.access.deeds import Deed, Thing
from gateway.access.person import Person
from gateway.access.request_keys import PERSON
from gateway.access.rules import may
from gateway.clock import unix_ms


def person_of(request: web.Request) -> Person:
    """Who asks, as the gate found out."""
    person = request[PERSON]
    assert isinstance(person, Person)
    return person


def may_here(request: web.Request, deed: Deed, thing: Thing) -> bool:
    """Whether who asks may do that to that, now."""
    return may(person_of(request), deed, thing, unix_ms())


def is_welcomed(request: web.Request) -> bool:
    """Whether somebody came in for the first time, with a password of ours: the page then leads to the second step.

    Not who signs in elsewhere: there is no password of ours then, and no second step.
    """
    return "welcome" in request.query and not person_of(request).strong
