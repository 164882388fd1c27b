"""The sheets of a school that somebody may take out, one class's homework after another.

Each class is read in a transaction of its own, so that a slow line holds nothing in the database; what comes while the
export runs may be in it or not, each class as it is at one moment.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Column, ColumnElement, and_, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from gateway.access.deeds import Deed, Thing
from gateway.access.person import Person
from gateway.access.rules import may, names_for
from gateway.reports.graded import graded
from gateway.reports.periods import day_at, start_ms
from gateway.store.archived import archived_months_of
from gateway.store.pages import PageRow
from gateway.store.reading import assignments_named, class_pages, layouts_named
from gateway.store.schools import KnownPupil, pupils_named
from gateway.store.store import Store
from gateway.store.tables.sheets import RowState, class_rollups
from gateway.store.tables.summaries import class_summaries
from homework.assignment import Assignment
from homework.class_report import missing_pages
from homework.layout import SheetLayout
from homework.load import subject_of
from homework.statistics import PupilResult, pupil_result
from sync.pseudonym import PSEUDONYM_BYTES

_PLACES_AT_ONCE = 100
_FIRST, _LAST = date(1971, 1, 1), date(9000, 1, 1)


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be taken out: of one class (None: all), of homework whose latest sheet came in these days."""

    class_name: str | None = None
    first: date | None = None
    last: date | None = None


class Taker(NamedTuple):
    """Who takes it out, and when."""

    person: Person
    now_ms: int


class Sheet(NamedTuple):
    """What a pupil handed in of one piece of homework in one attempt, all pages together.

    `pupil` is None for a sheet whose pupil is only known by the seat. `known` is the pupil of the school's list, with
    the name only for who may read it. The score is None while a page is missing or was not judged.
    """

    pupil: bytes | None
    known: KnownPupil | None
    seat: int | None
    attempt: int
    pages: int
    result: PupilResult
    received_ms: int


class ClassSheets(NamedTuple):
    """The sheets of a class for one piece of homework, by attempt and pupil."""

    school: str
    class_name: str
    assignment: str
    document: Assignment | None
    subject: str | None
    sheets: tuple[Sheet, ...]

    @property
    def title(self) -> str:
        """What it is called; the id until the document has come."""
        return self.assignment if self.document is None else self.document.title


class _Place(NamedTuple):
    assignment: str
    class_name: str


async def class_sheets(store: Store, taker: Taker, school: str, wish: Wish) -> AsyncIterator[ClassSheets]:
    """Everything that may be taken out, by homework and class. Raises `StoreTrouble`."""
    after: _Place | None = None
    while True:
        async with store.reading() as connection:
            places = await _places(connection, school, wish, after)
            documents = await assignments_named(connection, school, {place.assignment for place in places})
        for place in places:
            document = documents.get(place.assignment)
            subject = None if document is None else subject_of(document.subject)
            thing = Thing(school, place.class_name, place.assignment, subject=subject)
            if may(taker.person, Deed.EXPORT, thing, taker.now_ms):
                async with store.reading() as connection:
                    sheets = await _sheets(connection, store, taker, school, place)
                yield ClassSheets(school, place.class_name, place.assignment, document, subject, sheets)
        if len(places) < _PLACES_AT_ONCE:
            return
        after = places[-1]


async def archived_of(connection: AsyncConnection, school: str, wish: Wish) -> tuple[list[int], bool]:
    """The archived months of a school if some of what is wished for is in them (else none), and whether all of it is.

    What was there is known from the summaries of classes, which stay.
    """
    months = (await archived_months_of(connection, [school])).get(school, [])
    if not months:
        return [], False
    columns = class_summaries.c
    gone = select(columns.assignment).where(columns.school_id == school, columns.rows_version == 0, *_in(columns, wish))
    if (await connection.execute(gone.limit(1))).first() is None:
        return [], False
    return months, not await _places(connection, school, wish, None)


async def _places(connection: AsyncConnection, school: str, wish: Wish, after: _Place | None) -> list[_Place]:
    """The next classes in the order of the key, which no sheet that comes meanwhile changes."""
    columns = class_rollups.c
    place = (columns.assignment, columns.class_name)
    query = select(*place).where(columns.school_id == school, columns.pages > 0, *_in(columns, wish)).distinct()
    if after is not None:
        later = or_(
            columns.assignment > after.assignment,
            and_(columns.assignment == after.assignment, columns.class_name > after.class_name),
        )
        query = query.where(later)
    return [_Place(*row) for row in await connection.execute(query.order_by(*place).limit(_PLACES_AT_ONCE))]


def _in(columns: ReadOnlyColumnCollection[str, Column[Any]], wish: Wish) -> list[ColumnElement[bool]]:
    """Whether a class's homework is wished for."""
    found: list[ColumnElement[bool]] = []
    if wish.class_name is not None:
        found.append(columns.class_name == wish.class_name)
    if wish.first is not None and wish.first > _FIRST:  # beyond these days nothing came, and moments cannot be told
        found.append(columns.last_ms >= start_ms(wish.first))
    if wish.last is not None and wish.last < _LAST:
        found.append(columns.last_ms < start_ms(max(wish.last, _FIRST) + timedelta(days=1)))
    return found


async def _sheets(
    connection: AsyncConnection, store: Store, taker: Taker, school: str, place: _Place
) -> tuple[Sheet, ...]:
    rows = await class_pages(connection, school, place.class_name, place.assignment, attempt=None)
    counting = [row for row, state in rows if state is RowState.CURRENT]
    layouts = await layouts_named(connection, school, {row.sheet for row in counting})
    known = await pupils_named(connection, store.vault, school, {alias for row in counting if (alias := _alias(row))})
    names = names_for(taker.person, school, taker.now_ms)
    by_alias = {one.pseudonym: one for one in names.open(known)}
    grouped: dict[tuple[int, bytes], list[PageRow]] = defaultdict(list)
    for row in counting:
        grouped[row.attempt, row.pupil or b""].append(row)
    found = [_sheet(some, layouts, by_alias.get(_alias(some[0]) or b"")) for _, some in sorted(grouped.items())]
    return tuple(found)


def _sheet(rows: Sequence[PageRow], layouts: dict[str, SheetLayout], known: KnownPupil | None) -> Sheet:
    first = rows[0]
    seat = known.pupil.seat if known is not None else first.seat
    alias = _alias(first)
    result = pupil_result(
        "" if alias is None else alias.hex(), "", seat, [graded(row, layouts.get(row.sheet)) for row in rows]
    )
    if missing_pages(((row.sheet, row.page) for row in rows), layouts):
        result = msgspec.structs.replace(result, score_hundredths=None)
    received_ms = max(row.booked.received_ms for row in rows)
    return Sheet(alias, known, seat, first.attempt, len(rows), result, received_ms)


def _alias(row: PageRow) -> bytes | None:
    """The pseudonym of a page's pupil; a page can also be booked to a seat."""
    return row.pupil if row.pupil is not None and len(row.pupil) == PSEUDONYM_BYTES else None


def received_day(sheet: Sheet) -> date:
    """The day on which its last page came, where the gateway stands."""
    return day_at(sheet.received_ms)
