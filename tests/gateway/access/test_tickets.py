"""What a browser carries for us and must not read, change or make."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.access.tickets import LONGEST, Tickets
from gateway.keys import Vault


class Note(msgspec.Struct, frozen=True):
    text: str


class Number(msgspec.Struct, frozen=True):
    value: int


VAULT = Vault(b"k" * 32)


def tickets(now_s: float = 1000.0, vault: Vault = VAULT) -> Tickets:
    return Tickets(vault, now_s=lambda: now_s)


@given(st.text(max_size=200))
def test_what_goes_out_comes_back(text: str) -> None:
    ticket = tickets().make(Note(text), purpose="test", lasts_s=60)
    assert tickets().read(ticket, Note, purpose="test") == Note(text)


def test_a_ticket_tells_nothing() -> None:
    assert "wang" not in tickets().make(Note("wang"), purpose="test", lasts_s=60)


def test_a_ticket_ends() -> None:
    ticket = tickets().make(Note("x"), purpose="test", lasts_s=60)
    assert tickets(1059.9).read(ticket, Note, purpose="test") is not None
    assert tickets(1060.0).read(ticket, Note, purpose="test") is None


def test_a_ticket_is_good_for_what_it_was_made_for_and_by_whom() -> None:
    ticket = tickets().make(Note("x"), purpose="person 1", lasts_s=60)
    assert tickets().read(ticket, Note, purpose="person 2") is None
    assert tickets().read(ticket, Number, purpose="person 1") is None
    assert tickets(vault=Vault(b"l" * 32)).read(ticket, Note, purpose="person 1") is None


@pytest.mark.parametrize("place", range(0, 90, 7))
def test_a_ticket_that_was_changed_is_none(place: int) -> None:
    ticket = tickets().make(Note("a note"), purpose="test", lasts_s=60)
    place = min(place, len(ticket) - 2)  # the last letter has bits that mean nothing
    changed = ticket[:place] + ("A" if ticket[place] != "A" else "B") + ticket[place + 1 :]
    assert tickets().read(changed, Note, purpose="test") is None


@given(st.one_of(st.none(), st.text(), st.text("ABCDabcd0123-_=", max_size=200)))
def test_what_is_no_ticket_is_none(text: str | None) -> None:
    assert tickets().read(text, Note, purpose="test") is None


def test_what_is_far_too_long_is_not_looked_at() -> None:
    ticket = tickets().make(Note("x" * LONGEST), purpose="test", lasts_s=60)
    assert tickets().read(ticket, Note, purpose="test") is None
