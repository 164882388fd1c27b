"""`classgate db check`: computes from the rows what counts and what it sums to, and compares with what is stored."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeVar

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.booking import BookedRow, RowName, decide
from gateway.store.archived import going
from gateway.store.corrections import all_corrections, put_over
from gateway.store.erased import is_blank, left_of_erased
from gateway.store.pages import PageRow, count_page, pages_where
from gateway.store.rollups import Totals, unpack_counts
from gateway.store.schools import school_ids
from gateway.store.tables.sheets import RowState, capture_months, class_rollups, page_records, page_rollups

_Place = TypeVar("_Place", bound=tuple[object, ...])


class CheckResult(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What was looked at, and in words what does not agree.

    `waiting` are the summaries that are older than what they are of; where none were looked at, they are None.
    """

    schools: int
    pages: int
    counted: int
    faults: tuple[str, ...]
    summaries: int | None = None
    waiting: int | None = None


async def check(connection: AsyncConnection) -> CheckResult:
    """Check every school. Reads all page records, one month of one school at a time."""
    schools = await school_ids(connection)
    looked = [await check_school(connection, school) for school in schools]
    return CheckResult(
        schools=len(schools),
        pages=sum(one.pages for one in looked),
        counted=sum(one.counted for one in looked),
        faults=tuple(fault for one in looked for fault in one.faults),
    )


async def check_school(connection: AsyncConnection, school: str) -> CheckResult:
    """The same of one school."""
    pages = counted = 0
    faults: list[str] = []
    totals = Totals()
    linked = await _linked(connection, school)
    corrected = {one.record.capture for one in await all_corrections(connection, school)}
    months = select(page_records.c.month).where(page_records.c.school_id == school).distinct()
    gone = await going(connection, school)  # counts nowhere by now: `gateway.keeping.archiving` takes it away
    for month in sorted(set((await connection.execute(months)).scalars()) - gone):
        looked = await _look_at_month(connection, school, month, linked=linked, corrected=corrected, totals=totals)
        pages += looked.pages
        counted += looked.counted
        faults += looked.faults
    faults += [fault async for fault in _differences(connection, school, totals)]
    faults += await left_of_erased(connection, school)
    return CheckResult(schools=1, pages=pages, counted=counted, faults=tuple(f"{school}: {fault}" for fault in faults))


async def _linked(connection: AsyncConnection, school: str) -> list[tuple[int, BookedRow]]:
    """The rows of captures that may lie in several months, with those: what counts in one depends on the others."""
    several = select(capture_months.c.capture).where(capture_months.c.school_id == school)
    query = select(page_records).where(
        page_records.c.school_id == school,
        page_records.c.capture.in_(several),
        page_records.c.state != int(RowState.ERASED),
    )
    return [(page.month, page.booked) for page, _ in await pages_where(connection, query)]


class _Looked(NamedTuple):
    """What was found in one month of one school."""

    pages: int
    counted: int
    faults: list[str]


async def _look_at_month(
    connection: AsyncConnection,
    school: str,
    month: int,
    *,
    linked: Iterable[tuple[int, BookedRow]],
    corrected: Collection[bytes],
    totals: Totals,
) -> _Looked:
    under_words: dict[RowName, PageRow] = {}
    rows: list[BookedRow] = []
    stored: dict[RowName, RowState] = {}
    erased: list[PageRow] = []
    query = select(page_records).where(page_records.c.school_id == school, page_records.c.month == month)
    for page, state in await pages_where(connection, query):
        if state is RowState.ERASED:
            erased.append(page)
            continue
        rows.append(page.booked)
        if page.sent is not None or page.booked.capture in corrected:
            under_words[page.booked.name] = page
        stored[page.booked.name] = state
        if state is RowState.CURRENT:
            count_page(totals, page)
    right = decide([*rows, *(row for other, row in linked if other != month)])
    faults = [
        f"record {name.seq} of box {name.box} is {state.name}, should be {right[name].name}"
        for name, state in stored.items()
        if right[name] is not state
    ]
    newest = [name for name in stored if right[name] is not RowState.SUPERSEDED]
    faults += [
        f"record {name.seq} of box {name.box} does not say what its corrections make of it"
        for name in await put_over(connection, school, under_words, newest)
    ]
    faults += [
        f"record {page.booked.name.seq} of box {page.booked.name.box} was erased and still says something"
        for page in erased
        if not is_blank(page)
    ]
    return _Looked(len(rows) + len(erased), sum(state is RowState.CURRENT for state in stored.values()), faults)


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
    for fault in _unequal("page", pages, {tuple(name): _without_end(sums) for name, sums in totals.fields().items()}):
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
