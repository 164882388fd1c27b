"""What reports read: pages that count, the documents that name their fields, and what there is to report on."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import NamedTuple

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.pages import PageRow, pages_where
from gateway.store.schema import RowState, class_rollups, documents, page_records
from homework.assignment import Assignment, parse_assignment
from homework.errors import BadFileError
from homework.layout import SheetLayout, layout_from_json


class ReportLine(NamedTuple):
    """A report that there is: pages that count, and when the latest came."""

    school: str
    class_name: str
    assignment: str
    pages: int
    pending: int


async def report_lines(connection: AsyncConnection, school: str) -> list[ReportLine]:
    """Every class and assignment of a school with a sheet that counts."""
    query = (
        select(class_rollups)
        .where(class_rollups.c.school_id == school, class_rollups.c.attempt == 1, class_rollups.c.pages > 0)
        .order_by(class_rollups.c.class_name, class_rollups.c.assignment)
    )
    found = await connection.execute(query)
    return [ReportLine(school, r.class_name, r.assignment, r.pages, r.pending) for r in found]


async def latest_arrivals(connection: AsyncConnection, school: str) -> dict[tuple[str, str], int]:
    """When the latest counting page of each (class, assignment) came, in milliseconds."""
    query = (
        select(page_records.c.class_name, page_records.c.assignment, func.max(page_records.c.received_ms))
        .where(page_records.c.school_id == school, page_records.c.assignment.is_not(None), text("state = 0"))
        .group_by(page_records.c.class_name, page_records.c.assignment)
    )
    return {(name or "", assignment): when for name, assignment, when in await connection.execute(query)}


async def class_pages(
    connection: AsyncConnection, school: str, class_name: str, assignment: str, *, attempt: int = 1
) -> list[tuple[PageRow, RowState]]:
    """All rows of one class's assignment and attempt, in the order of arrival, with what each counts for."""
    query = (
        select(page_records)
        .where(
            page_records.c.school_id == school,
            page_records.c.assignment == assignment,
            page_records.c.class_name == class_name
            if class_name
            else func.coalesce(page_records.c.class_name, "") == "",
            page_records.c.attempt == attempt,
        )
        .order_by(page_records.c.received_ms, page_records.c.box_id, page_records.c.epoch, page_records.c.seq)
    )
    return await pages_where(connection, query)


async def assignments_named(connection: AsyncConnection, school: str, names: Collection[str]) -> dict[str, Assignment]:
    """The assignments that have come, in their latest version; unreadable ones are left out."""
    found: dict[str, Assignment] = {}
    for name, body in await _latest(connection, school, "assignment", names):
        parsed = _assignment(body)
        if parsed is not None:
            found[name] = parsed
    return found


async def layouts_named(connection: AsyncConnection, school: str, sheets: Collection[str]) -> dict[str, SheetLayout]:
    """The layouts that have come, in their latest version; unreadable ones are left out."""
    found: dict[str, SheetLayout] = {}
    for name, body in await _latest(connection, school, "layout", sheets):
        parsed = _layout(body)
        if parsed is not None:
            found[name] = parsed
    return found


async def _latest(
    connection: AsyncConnection, school: str, kind: str, names: Collection[str]
) -> Sequence[tuple[str, bytes]]:
    query = (
        select(documents.c.document_id, documents.c.body)
        .where(documents.c.school_id == school, documents.c.kind == kind, documents.c.document_id.in_(sorted(names)))
        .order_by(documents.c.received_ms, documents.c.digest)
    )
    return [(row.document_id, bytes(row.body)) for row in await connection.execute(query)]


@lru_cache(maxsize=256)
def _assignment(body: bytes) -> Assignment | None:
    try:
        return parse_assignment(body.decode())
    except (BadFileError, UnicodeDecodeError):
        return None


@lru_cache(maxsize=256)
def _layout(body: bytes) -> SheetLayout | None:
    try:
        return layout_from_json(body)
    except BadFileError:
        return None
