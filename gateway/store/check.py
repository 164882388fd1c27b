"""`classgate db check`: computes from the rows what counts and what it sums to, and compares with what is stored."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import TypeVar

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.booking import BookedRow, RowName, decide
from gateway.store.corrections import all_corrections, put_over
from gateway.store.pages import PageRow, count_page, pages_where
from gateway.store.rollups import Totals, unpack_counts
from gateway.store.schema import RowState, class_rollups, page_records, page_rollups
from gateway.store.schools import school_ids

_Place = TypeVar("_Place", bound=tuple[object, ...])


class CheckResult(msgspec.Struct, frozen=True, kw_only=True):
    """What was looked at, and in words what does not agree."""

    schools: int
    pages: int
    counted: int
    faults: tuple[str, ...]


async def check(connection: AsyncConnection) -> CheckResult:
    """Check every school. Reads all page records, one school at a time."""
    pages = counted = 0
    faults: list[str] = []
    schools = await school_ids(connection)
    for school in schools:
        rows: list[BookedRow] = []
        corrected = {one.record.capture for one in await all_corrections(connection, school)}
        under_words: dict[RowName, PageRow] = {}
        stored: dict[RowName, RowState] = {}
        totals = Totals()
        for page, state in await pages_where(
            connection, select(page_records).where(page_records.c.school_id == school)
        ):
            rows.append(page.booked)
            if page.sent is not None or page.booked.capture in corrected:
                under_words[page.booked.name] = page
            stored[page.booked.name] = state
            if state is RowState.CURRENT:
                count_page(totals, page)
        pages += len(rows)
        counted += sum(state is RowState.CURRENT for state in stored.values())
        right = decide(rows)
        faults += [
            f"{school}: record {name.seq} of box {name.box} is {state.name}, should be {right[name].name}"
            for name, state in stored.items()
            if right[name] is not state
        ]
        newest = [name for name, state in right.items() if state is not RowState.SUPERSEDED]
        faults += [
            f"{school}: record {name.seq} of box {name.box} does not say what its corrections make of it"
            for name in await put_over(connection, school, under_words, newest)
        ]
        faults += [f"{school}: {fault}" async for fault in _differences(connection, school, totals)]
    return CheckResult(schools=len(schools), pages=pages, counted=counted, faults=tuple(faults))


async def _differences(connection: AsyncConnection, school: str, totals: Totals) -> AsyncIterator[str]:
    found = await connection.execute(select(class_rollups).where(class_rollups.c.school_id == school))
    stored = {
        (r.assignment, r.class_name, r.attempt): (r.pages, r.score_hundredths, r.max_score_hundredths, r.pending)
        for r in found
    }
    right = {
        tuple(place): (sums.pages, sums.score_hundredths, sums.max_score_hundredths, sums.pending)
        for place, sums in totals.classes.items()
    }
    for fault in _unequal("class", stored, right):
        yield fault
    found = await connection.execute(select(page_rollups).where(page_rollups.c.school_id == school))
    pages = {
        (r.assignment, r.class_name, r.attempt, r.sheet, r.page): _without_end(unpack_counts(r.counts)) for r in found
    }
    for fault in _unequal("page", pages, {tuple(name): _without_end(sums) for name, sums in totals.pages.items()}):
        yield fault


def _without_end(counts: Sequence[int]) -> tuple[int, ...]:
    """Fields at the end of which nothing counts may stay or be missing: both say the same."""
    end = len(counts)
    while end and not counts[end - 1]:
        end -= 1
    return tuple(counts[:end])


def _unequal(
    what: str, stored: Mapping[_Place, tuple[int, ...]], right: Mapping[_Place, tuple[int, ...]]
) -> Iterator[str]:
    for place in sorted(stored.keys() | right.keys(), key=str):
        # A rollup that went back to zero may stay or be missing: both say the same.
        nothing = (0,) * len(stored.get(place, right.get(place, ())))
        if stored.get(place, nothing) != right.get(place, nothing):
            yield f"the {what} rollup {place} says {stored.get(place)}, the pages say {right.get(place)}"
