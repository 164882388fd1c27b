"""What stands in the bar of every page: who is signed in, and the ways that are open to them."""

from __future__ import annotations

from typing import NamedTuple

from gateway.access.deeds import SOME, Deed, Thing
from gateway.access.person import ANYBODY, Person
from gateway.access.rules import lacks_second_factor, may


class Way(NamedTuple):
    """A page in the menu, by the words of the message catalogue."""

    address: str
    words: str


class SignedView(NamedTuple):
    """Who is signed in, for the templates. `open`: nobody is, whoever sits at this machine sees everything."""

    name: str
    ways: tuple[Way, ...]
    open: bool


_SOMEWHERE = Thing(SOME, SOME, subject=SOME)
WAYS: tuple[tuple[Deed, Way], ...] = (
    (Deed.SEE_START, Way("/", "Start page")),
    (Deed.MANAGE_PEOPLE, Way("/people", "People")),
    (Deed.SEE_AUDIT, Way("/audit", "What was done")),
    (Deed.OWN_ACCOUNT, Way("/me", "My account")),
)
"""Each with the deed that opens it, to something."""


def signed_view(person: Person, now_ms: int) -> SignedView:
    """The bar of a page for that person."""

    def is_open(deed: Deed) -> bool:
        thing = _SOMEWHERE._replace(person=person.id)
        return may(person, deed, thing, now_ms) or lacks_second_factor(person, deed, thing, now_ms)

    return SignedView(person.name, tuple(way for deed, way in WAYS if is_open(deed)), person.id == ANYBODY)
