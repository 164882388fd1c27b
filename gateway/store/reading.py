"""What reports read: pages that count, the documents that name their fields, and what there is to report on."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, func, literal, select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.dialect import batched
from gateway.store.months import known_months, month_of_assignment
from gateway.store.pages import PageRow, pages_where
from gateway.store.parsed import BODY, IS_PACKED, assignment_in
from gateway.store.tables.schools import documents, schools
from gateway.store.tables.sheets import RowState, class_rollups, page_records
from homework.assignment import Assignment
from homework.errors import BadFileError
from homework.layout import SheetLayout, layout_from_json


class ReportVersion(NamedTuple):
    """What a class report was made of: all four are the same again only while nothing in it has changed.

    `rows` counts changes of the class's pages, tallies and corrections; the others those of all of the school. With
    time alone a report changes too: homework falls due, and the clocks of boxes become known better.
    """

    rows: int
    roster: int
    settings: int
    documents: int


class Cursor(NamedTuple):
    """The place of a report in a list by when the latest page came: where the next part of the list begins."""

    last_ms: int
    assignment: str
    class_name: str


class ReportLine(NamedTuple):
    """A report that there is: pages that count, and when the first and the latest came (Unix milliseconds)."""

    school: str
    class_name: str
    assignment: str
    pages: int
    pending: int
    version: int
    first_ms: int
    last_ms: int

    @property
    def cursor(self) -> Cursor:
        """What asks for the lines after this one."""
        return Cursor(self.last_ms, self.assignment, self.class_name)


async def class_version(connection: AsyncConnection, school: str, class_name: str, assignment: str) -> ReportVersion:
    """Of what a class's report would be made now. All zero for a school that is not here."""
    rows = select(func.coalesce(func.sum(class_rollups.c.version), 0)).where(
        class_rollups.c.school_id == school,
        class_rollups.c.assignment == assignment,
        class_rollups.c.class_name == class_name,
    )
    columns = (schools.c.roster_version, schools.c.settings_version, schools.c.documents_version)
    found = (
        await connection.execute(
            select(rows.scalar_subquery().label("rows"), *columns).where(schools.c.school_id == school)
        )
    ).first()
    return ReportVersion(0, 0, 0, 0) if found is None else ReportVersion(int(found[0]), *found[1:])


async def report_lines(
    connection: AsyncConnection,
    school: str,
    classes: Collection[str] | None = None,
    *,
    before: Cursor | None = None,
    limit: int | None = None,
) -> list[ReportLine]:
    """The classes and assignments of a school with a first sheet that counts, the latest arrival first.

    Of `classes` only (None: of all), at most `limit` of them, those after the cursor of the last one that is known.
    """
    columns = class_rollups.c
    place = (columns.last_ms, columns.assignment, columns.class_name)
    query = (
        select(class_rollups)
        .where(columns.school_id == school, columns.attempt == 1, columns.pages > 0)
        .order_by(*(column.desc() for column in place))
        .limit(limit)
    )
    if classes is not None:
        query = query.where(columns.class_name.in_(sorted(classes)))
    if before is not None:
        # The first condition says nothing new, but it is what the index answers.
        query = query.where(columns.last_ms <= before.last_ms, tuple_(*place) < tuple_(*map(literal, before)))
    return [
        ReportLine(school, r.class_name, r.assignment, r.pages, r.pending, r.version, r.first_ms, r.last_ms)
        for r in await connection.execute(query)
    ]


async def month_of(connection: AsyncConnection, school: str, assignment: str) -> int | None:
    """The month in which all sheets of a school's assignment lie, such as 202612; None while none has come."""
    return (await known_months(connection, school, [assignment])).get(assignment)


async def class_pages(
    connection: AsyncConnection, school: str, class_name: str, assignment: str, *, attempt: int | None = 1
) -> list[tuple[PageRow, RowState]]:
    """All rows of one class's assignment and attempt, in the order of arrival, with what each counts for.

    With `attempt` None those of every attempt.
    """
    query = (
        select(page_records)
        .where(
            page_records.c.school_id == school,
            page_records.c.month == month_of_assignment(school, assignment),
            page_records.c.assignment == assignment,
            page_records.c.class_name == class_name
            if class_name
            else func.coalesce(page_records.c.class_name, "") == "",
        )
        .order_by(page_records.c.received_ms, page_records.c.box_id, page_records.c.epoch, page_records.c.seq)
    )
    if attempt is not None:
        query = query.where(page_records.c.attempt == attempt)
    return await pages_where(connection, query)


async def pupil_pages(connection: AsyncConnection, school: str, pupil: bytes, *, since_ms: int = 0) -> list[PageRow]:
    """The pages of a pupil that count, of every assignment and attempt, that came since then; in order of arrival."""
    query = (
        select(page_records)
        .where(
            page_records.c.school_id == school,
            page_records.c.pupil == pupil,
            page_records.c.received_ms >= since_ms,
            text("state = 0"),  # as a literal, so that the planner sees that the partial index answers it
        )
        .order_by(page_records.c.received_ms, page_records.c.box_id, page_records.c.epoch, page_records.c.seq)
    )
    return [page for page, _ in await pages_where(connection, query)]


async def assignments_named(connection: AsyncConnection, school: str, names: Collection[str]) -> dict[str, Assignment]:
    """The assignments that have come, in their latest version; unreadable ones are left out."""
    found: dict[str, Assignment] = {}
    damaged: set[str] = set()
    columns = (documents.c.document_id, BODY.label("body"), IS_PACKED.label("is_packed"))
    for some in batched(sorted(names)):
        for row in await connection.execute(_versions(columns, school, "assignment", some)):
            parsed = assignment_in(bytes(row.body), is_packed=bool(row.is_packed))
            if parsed is not None:
                found[row.document_id] = parsed
            elif row.is_packed:
                damaged.add(row.document_id)
    if damaged:
        texts = _versions((documents.c.document_id, documents.c.body), school, "assignment", sorted(damaged))
        for name, body in await connection.execute(texts):
            parsed = assignment_in(bytes(body), is_packed=False)
            if parsed is not None:
                found[name] = parsed
    return found


async def layouts_named(connection: AsyncConnection, school: str, sheets: Collection[str]) -> dict[str, SheetLayout]:
    """The layouts that have come, in their latest version; unreadable ones are left out."""
    found: dict[str, SheetLayout] = {}
    columns = (documents.c.document_id, documents.c.body)
    for some in batched(sorted(sheets)):
        for row in await connection.execute(_versions(columns, school, "layout", some)):
            parsed = _layout(bytes(row.body))
            if parsed is not None:
                found[row.document_id] = parsed
    return found


def assignment_of_layout(body: bytes) -> str | None:
    """The assignment whose pages a layout's sheets are; None for a layout of any, and for one that cannot be read."""
    layout = _layout(body)
    return None if layout is None else layout.assignment


def _versions(
    columns: Sequence[ColumnElement[Any]], school: str, kind: str, names: Sequence[str]
) -> Select[tuple[Any, ...]]:
    """Every version of these documents, the one that counts last."""
    return (
        select(*columns)
        .where(documents.c.school_id == school, documents.c.kind == kind, documents.c.document_id.in_(names))
        .order_by(documents.c.received_ms, documents.c.digest)
    )


@lru_cache(maxsize=512)
def _layout(body: bytes) -> SheetLayout | None:
    try:
        return layout_from_json(body)
    except BadFileError:
        return None
