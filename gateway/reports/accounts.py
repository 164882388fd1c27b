"""Where every sheet of a class is: what boxes say they have, beside what has come. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from gateway.store.pages import PageRow
from gateway.store.tables.sheets import RowState
from gateway.store.tallies import Told

_HERE = (RowState.CURRENT, RowState.SECOND)


class BoxAccount(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What one box has of a class and a homework, in pages, as it said at `told_ms` (the gateway's clock)."""

    box: str
    told_ms: int
    expected: int | None
    slid: int
    counted: int
    here: int
    """Of `counted`, those that have come."""
    under_way: tuple[tuple[int, int], ...]
    """Seat and page of the others."""
    corrections: int
    twice: int
    asked: int
    not_graded: int
    withdrawn: int


def box_accounts(
    told: Iterable[Told], rows: Sequence[tuple[PageRow, RowState]], seats: Mapping[bytes, int]
) -> tuple[BoxAccount, ...]:
    """One account a box. `rows` are the class's pages of the first attempt; `seats` says where pupils sit."""
    accounts = []
    for name, tally, received_ms in told:
        came = {
            (row.seat if row.seat is not None else seats.get(row.pupil or b""), row.page)
            for row, state in rows
            if row.booked.name.box == name.box and state in _HERE
        }
        under_way = tuple(place for place in tally.places if place not in came)
        accounts.append(
            BoxAccount(
                box=name.box,
                told_ms=received_ms,
                expected=tally.expected,
                slid=tally.slid,
                counted=len(tally.places),
                here=len(tally.places) - len(under_way),
                under_way=under_way,
                corrections=tally.corrections,
                twice=tally.twice,
                asked=tally.asked,
                not_graded=tally.not_graded,
                withdrawn=tally.withdrawn,
            )
        )
    return tuple(accounts)
