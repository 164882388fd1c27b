"""Which of several records of one page counts. Pure.

A *slot* is what a report counts once: an assignment's page of one pupil's attempt, in one school. Every capture
that falls into it is kept; one counts:

1. Of the records of one capture (a box that got a new epoch sends them again, a regraded page has a greater
   revision) only that of the greatest revision is looked at, and of equal ones the first to arrive.
2. A capture that the box calls a duplicate counts nowhere while its original is here; before the original
   arrives it stands in, so that a sheet is never missing because its twin came first.
3. Of the captures left in a slot the first to arrive counts. The first score stands; what a later sheet of the
   same seat number means (a wrong number, two boxes) is for a person to say, not for the order of the network.

The outcome depends on the rows alone, so it can be computed again from the store: `classgate db check` does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from gateway.store.tables.sheets import RowState


class RowName(NamedTuple):
    """A page record's name within a school (its lane is always `results`)."""

    box: str
    epoch: bytes
    seq: int


class Slot(NamedTuple):
    """What is counted once. `pupil` is the pseudonym, or a key made of class and seat."""

    assignment: str
    pupil: bytes
    page: int
    attempt: int


class BookedRow(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What deciding needs to know of a page record. `slot` is None when pupil or assignment is unknown."""

    name: RowName
    capture: bytes
    revision: int
    duplicate_of: bytes | None
    slot: Slot | None
    received_ms: int

    @property
    def arrival(self) -> tuple[int, RowName]:
        """The order of arrival, with ties broken the same way every time."""
        return (self.received_ms, self.name)


def seat_key(class_name: str, seat: int) -> bytes:
    """The pupil's key while the gateway has no pseudonym: class and seat still name one."""
    return f"seat\0{class_name}\0{seat}".encode()


def decide(rows: Iterable[BookedRow]) -> Mapping[RowName, RowState]:
    """The state of every row, given all rows of the captures and slots concerned."""
    states: dict[RowName, RowState] = {}
    latest: dict[bytes, BookedRow] = {}
    for row in rows:
        other = latest.setdefault(row.capture, row)
        if other is not row:
            best, rest = (row, other) if _is_newer(row, other) else (other, row)
            latest[row.capture] = best
            states[rest.name] = RowState.SUPERSEDED
    first: dict[Slot, BookedRow] = {}
    for row in latest.values():
        if row.duplicate_of is not None and row.duplicate_of != row.capture and row.duplicate_of in latest:
            states[row.name] = RowState.DUPLICATE
        elif row.slot is None:
            states[row.name] = RowState.UNBOOKED
        else:
            states[row.name] = RowState.CURRENT
            other = first.setdefault(row.slot, row)
            if other is not row:
                counts, rest = (row, other) if _goes_before(row, other) else (other, row)
                first[row.slot] = counts
                states[rest.name] = RowState.SECOND if rest.duplicate_of is None else RowState.DUPLICATE
    return states


def _is_newer(one: BookedRow, other: BookedRow) -> bool:
    """Which of two records of a capture is looked at."""
    return (-one.revision, one.arrival) < (-other.revision, other.arrival)


def _goes_before(one: BookedRow, other: BookedRow) -> bool:
    """Which of two captures in a slot counts."""
    return (one.duplicate_of is not None, one.arrival) < (other.duplicate_of is not None, other.arrival)
