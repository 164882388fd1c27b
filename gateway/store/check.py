"""`classgate db check`: computes from the rows what counts and what it sums to, and compares with what is stored."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import TypeVar

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.booking import BookedRow, RowName, decide
from gateway.store.corrections import all_corrections, put_over
from gateway.store.pages import PageRow, count_page, pages_where
from gateway.store.rollups import Totals
from gateway.store.schema import RowState, class_rollups, field_rollups, page_records
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
    found = await connection.execute(select(field_rollups).where(field_rollups.c.school_id == school))
    fields = {
        (r.assignment, r.class_name, r.attempt, r.sheet, r.page, r.position): (
            r.correct,
            r.wrong,
            r.blank,
            r.review,
            r.read,
        )
        for r in found
    }
    for fault in _unequal("field", fields, {place: tuple(counts) for place, counts in totals.fields.items()}):
        yield fault


def _unequal(
    what: str, stored: Mapping[_Place, tuple[int, ...]], right: Mapping[_Place, tuple[int, ...]]
) -> Iterator[str]:
    for place in sorted(stored.keys() | right.keys(), key=str):
        # A rollup that went back to zero may stay or be missing: both say the same.
        nothing = (0,) * len(stored.get(place) or right[place])
        if stored.get(place, nothing) != right.get(place, nothing):
            yield f"the {what} rollup {place} says {stored.get(place)}, the pages say {right.get(place)}"
