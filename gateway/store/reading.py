"""What reports read: pages that count, the documents that name their fields, and what there is to report on."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache, lru_cache
from typing import Any, NamedTuple, Protocol, TypeVar

from sqlalchemy import BindParameter, Select, bindparam, func, select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.dialect import among, batched
from gateway.store.months import known_months
from gateway.store.pages import PageRow, pages_where
from gateway.store.parsed import BODY, IS_PACKED, Heading, Outline, assignment_in, heading_in, outline_in
from gateway.store.tables.schools import documents, schools
from gateway.store.tables.sheets import RowState, assignment_months, class_rollups, page_records
from homework.assignment import Assignment
from homework.errors import BadFileError
from homework.layout import SheetLayout, layout_from_json

Read_co = TypeVar("Read_co", covariant=True)


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
    given = {"school": school, "class_name": class_name, "assignment": assignment}
    found = (await connection.execute(_VERSION, given)).first()
    return ReportVersion(0, 0, 0, 0) if found is None else ReportVersion(int(found[0]), *found[1:])


# Statements that every look runs are built once: to build one, and the name under which its text is kept, costs more
# than to run it.
_SCHOOL: BindParameter[str] = bindparam("school")
_ASSIGNMENT: BindParameter[str] = bindparam("assignment")
_CLASS: BindParameter[str] = bindparam("class_name")
_VERSION = select(
    select(func.coalesce(func.sum(class_rollups.c.version), 0))
    .where(
        class_rollups.c.school_id == _SCHOOL,
        class_rollups.c.assignment == _ASSIGNMENT,
        class_rollups.c.class_name == _CLASS,
    )
    .scalar_subquery()
    .label("rows"),
    schools.c.roster_version,
    schools.c.settings_version,
    schools.c.documents_version,
).where(schools.c.school_id == _SCHOOL)


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
    given: dict[str, Any] = {"school": school}
    if classes is not None:
        given["classes"] = sorted(classes)
    if before is not None:
        given |= before._asdict()
    query = _report_lines(of_some=classes is not None, later=before is not None, limit=limit)
    return [
        ReportLine(school, class_name, assignment, pages, pending, version, first_ms, last_ms)
        for class_name, assignment, pages, pending, version, first_ms, last_ms in await connection.execute(query, given)
    ]


@lru_cache(maxsize=32)
def _report_lines(*, of_some: bool, later: bool, limit: int | None) -> Select[tuple[Any, ...]]:
    columns = class_rollups.c
    place = (columns.last_ms, columns.assignment, columns.class_name)
    query = (
        select(*(columns[name] for name in ReportLine._fields[1:]))
        .where(columns.school_id == _SCHOOL, columns.attempt == 1, columns.pages > 0)
        .order_by(*(column.desc() for column in place))
        .limit(limit)
    )
    if of_some:
        query = query.where(columns.class_name.in_(bindparam("classes", expanding=True)))
    if later:
        # The first condition says nothing new, but it is what the index answers.
        first = bindparam("last_ms", type_=columns.last_ms.type)
        rest = (bindparam(name, type_=columns[name].type) for name in ("assignment", "class_name"))
        query = query.where(columns.last_ms <= first, tuple_(*place) < tuple_(first, *rest))
    return query


async def month_of(connection: AsyncConnection, school: str, assignment: str) -> int | None:
    """The month in which all sheets of a school's assignment lie, such as 202612; None while none has come."""
    return (await known_months(connection, school, [assignment])).get(assignment)


async def class_pages(
    connection: AsyncConnection, school: str, class_name: str, assignment: str, *, attempt: int | None = 1
) -> list[tuple[PageRow, RowState]]:
    """All rows of one class's assignment and attempt, in the order of arrival, with what each counts for.

    With `attempt` None those of every attempt.
    """
    given: dict[str, Any] = {"school": school, "assignment": assignment, "class_name": class_name}
    if attempt is not None:
        given["attempt"] = attempt
    query = _class_pages(named=bool(class_name), every=attempt is None)
    return await pages_where(connection, query, given)


@cache
def _class_pages(*, named: bool, every: bool) -> Select[tuple[Any, ...]]:
    columns = page_records.c
    month = (
        select(assignment_months.c.month)
        .where(assignment_months.c.school_id == _SCHOOL, assignment_months.c.assignment == _ASSIGNMENT)
        .scalar_subquery()
    )
    query = (
        select(page_records)
        .where(
            columns.school_id == _SCHOOL,
            columns.month == month,
            columns.assignment == _ASSIGNMENT,
            columns.class_name == _CLASS if named else func.coalesce(columns.class_name, "") == _CLASS,
        )
        .order_by(columns.received_ms, columns.box_id, columns.epoch, columns.seq)
    )
    return query if every else query.where(columns.attempt == bindparam("attempt"))


async def pupil_pages(connection: AsyncConnection, school: str, pupil: bytes, *, since_ms: int = 0) -> list[PageRow]:
    """The pages of a pupil that count, of every assignment and attempt, that came since then; in order of arrival."""
    given = {"school": school, "pupil": pupil, "since_ms": since_ms}
    return [page for page, _ in await pages_where(connection, _PUPIL_PAGES, given)]


_PUPIL_PAGES = (
    select(page_records)
    .where(
        page_records.c.school_id == _SCHOOL,
        page_records.c.pupil == bindparam("pupil"),
        page_records.c.received_ms >= bindparam("since_ms"),
        text("state = 0"),  # as a literal, so that the planner sees that the partial index answers it
    )
    .order_by(page_records.c.received_ms, page_records.c.box_id, page_records.c.epoch, page_records.c.seq)
)


async def assignments_named(connection: AsyncConnection, school: str, names: Collection[str]) -> dict[str, Assignment]:
    """The assignments that have come, in their latest version; unreadable ones are left out."""
    return await _worksheets(connection, school, names, assignment_in)


async def outlines_named(connection: AsyncConnection, school: str, names: Collection[str]) -> dict[str, Outline]:
    """The same in short, for reports over many."""
    return await _worksheets(connection, school, names, outline_in)


async def headings_named(connection: AsyncConnection, school: str, names: Collection[str]) -> dict[str, Heading]:
    """What the assignments that have come are called, and their subjects."""
    return await _worksheets(connection, school, names, heading_in)


class _Reads(Protocol[Read_co]):
    def __call__(self, body: bytes, *, is_packed: bool) -> Read_co | None: ...


async def _worksheets(
    connection: AsyncConnection, school: str, names: Collection[str], read: _Reads[Read_co]
) -> dict[str, Read_co]:
    found: dict[str, Read_co] = {}
    damaged: set[str] = set()
    dialect = connection.dialect.name
    for some in batched(sorted(names)):
        given = {"school": school, "kind": "assignment", "names": some}
        for name, body, is_packed in await connection.execute(_versions(dialect, packed=True), given):
            parsed = read(bytes(body), is_packed=bool(is_packed))
            if parsed is not None:
                found[name] = parsed
            elif is_packed:
                damaged.add(name)
    if damaged:
        given = {"school": school, "kind": "assignment", "names": sorted(damaged)}
        for name, body in await connection.execute(_versions(dialect, packed=False), given):
            parsed = read(bytes(body), is_packed=False)
            if parsed is not None:
                found[name] = parsed
    return found


async def layouts_named(connection: AsyncConnection, school: str, sheets: Collection[str]) -> dict[str, SheetLayout]:
    """The layouts that have come, in their latest version; unreadable ones are left out."""
    found: dict[str, SheetLayout] = {}
    for some in batched(sorted(sheets)):
        given = {"school": school, "kind": "layout", "names": some}
        for name, body in await connection.execute(_versions(connection.dialect.name, packed=False), given):
            parsed = _layout(bytes(body))
            if parsed is not None:
                found[name] = parsed
    return found


def assignment_of_layout(body: bytes) -> str | None:
    """The assignment whose pages a layout's sheets are; None for a layout of any, and for one that cannot be read."""
    layout = _layout(body)
    return None if layout is None else layout.assignment


@cache
def _versions(dialect: str, *, packed: bool) -> Select[tuple[Any, ...]]:
    """Every version of some documents, the one that counts last."""
    columns = documents.c
    what = (BODY.label("body"), IS_PACKED.label("is_packed")) if packed else (columns.body,)
    return (
        select(columns.document_id, *what)
        .where(
            columns.school_id == _SCHOOL,
            columns.kind == bindparam("kind"),
            among(dialect, columns.document_id, "names", of="VARCHAR"),
        )
        .order_by(columns.received_ms, columns.digest)
    )


@lru_cache(maxsize=512)
def _layout(body: bytes) -> SheetLayout | None:
    try:
        return layout_from_json(body)
    except BadFileError:
        return None
