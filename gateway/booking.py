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

from collections import defaultdict
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
    by_capture: dict[bytes, list[BookedRow]] = defaultdict(list)
    for row in rows:
        by_capture[row.capture].append(row)
    for capture, group in by_capture.items():
        best = min(group, key=lambda r: (-r.revision, r.arrival))
        latest[capture] = best
        states |= {row.name: RowState.SUPERSEDED for row in group if row is not best}
    slots: dict[Slot, list[BookedRow]] = defaultdict(list)
    for row in latest.values():
        if row.duplicate_of is not None and row.duplicate_of != row.capture and row.duplicate_of in latest:
            states[row.name] = RowState.DUPLICATE
        elif row.slot is None:
            states[row.name] = RowState.UNBOOKED
        else:
            slots[row.slot].append(row)
    for group in slots.values():
        first = min(group, key=lambda r: (r.duplicate_of is not None, r.arrival))
        for row in group:
            if row is first:
                states[row.name] = RowState.CURRENT
            else:
                states[row.name] = RowState.SECOND if row.duplicate_of is None else RowState.DUPLICATE
    return states
