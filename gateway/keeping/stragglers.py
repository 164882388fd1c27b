"""What comes when its month was archived: held, with the reason, and never counted anew.

That is pages, and what hangs on a page that went: pictures of its answers and corrections. Nothing here could show or
count them, and the gateway never says that they were taken in.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.archived import archived_work, in_archives, last_archived_ms
from gateway.store.tables.sheets import held_records
from sync.clock import ClockQuality
from sync.lanes import Lane
from sync.records import CorrectionRecord, CropRecord, PageResult, Record, decode_record

IN_ARCHIVE: Final = "it is in the archive of {month}"
OF_ARCHIVE: Final = "its worksheet was archived with {month}"
PAGE_IN_ARCHIVE: Final = "its page is in the archive of {month}"
_ANY: Final = re.compile(
    "|".join(f"(?:{reason.format(month='([0-9]{6})')})" for reason in (IN_ARCHIVE, OF_ARCHIVE, PAGE_IN_ARCHIVE))
)
MayBeLate = PageResult | CropRecord | CorrectionRecord
Straggler = tuple[str, bytes, type[Record]]
"""A school, a capture, and a kind of record."""


def month_of_reason(reason: str) -> int | None:
    """In which archive what is held for this reason belongs; None for another reason."""
    found = _ANY.search(reason)
    return None if found is None else int(next(filter(None, found.groups())))


async def stragglers(connection: AsyncConnection, records: Mapping[str, Iterable[Record]]) -> dict[Straggler, str]:
    """Why which of the records of schools cannot be taken in; what can is left out.

    Of pages that is what is in an archive, and sheets of what was archived; one that was surely slid after the school
    archived last is neither, for a worksheet may be used again. Of pictures and corrections it is what hangs on such a
    page, whenever it was made. The schools are locked.
    """
    late = {school: [one for one in some if isinstance(one, MayBeLate)] for school, some in records.items()}
    last_ms = await last_archived_ms(connection, [school for school, some in late.items() if some])
    found: dict[Straggler, str] = {}
    for school, archived_ms in last_ms.items():
        pages = [one for one in late[school] if isinstance(one, PageResult)]
        told = await _late_pages(connection, school, [one for one in pages if not _is_after(one, archived_ms)])
        beside = {one.capture for one in late[school] if not isinstance(one, PageResult)}
        months = {capture: month_of_reason(reason) for capture, reason in told.items()}
        months |= await in_archives(connection, school, beside - months.keys())
        if beside - months.keys():
            months |= await _late_before(connection, school)
        for capture, reason in told.items():
            found[school, capture, PageResult] = reason
        for capture in beside & months.keys():
            for kind in (CropRecord, CorrectionRecord):
                found[school, capture, kind] = PAGE_IN_ARCHIVE.format(month=months[capture])
    return found


def straggler(school: str, record: Record) -> Straggler | None:
    """What a record is looked up as among stragglers; None for what is never one."""
    return (school, record.capture, type(record)) if isinstance(record, MayBeLate) else None


async def _late_pages(connection: AsyncConnection, school: str, old: Sequence[PageResult]) -> dict[bytes, str]:
    if not old:
        return {}
    captures = {page.capture for page in old} | {page.duplicate_of for page in old if page.duplicate_of is not None}
    there = await in_archives(connection, school, captures)
    work = await archived_work(connection, school, {page.assignment for page in old if page.assignment is not None})
    found: dict[bytes, str] = {}
    for page in old:
        month = there.get(page.capture) or there.get(page.duplicate_of or b"")
        if month is not None:
            found[page.capture] = IN_ARCHIVE.format(month=month)
        elif page.assignment in work and page.clock.quality is ClockQuality.SYNCED:
            found[page.capture] = OF_ARCHIVE.format(month=work[page.assignment])
    return found


async def _late_before(connection: AsyncConnection, school: str) -> dict[bytes, int | None]:
    """The captures of pages that were held because their worksheet was archived: in no archive, and none comes in."""
    columns = held_records.c
    query = select(columns.payload, columns.reason).where(
        columns.school_id == school,
        columns.lane == int(Lane.RESULTS),
        columns.reason.like("%" + OF_ARCHIVE.partition("{")[0] + "%"),
        or_(columns.decision.is_(None), columns.decision == "refused"),
    )
    found: dict[bytes, int | None] = {}
    for row in await connection.execute(query):
        record = decode_record(bytes(row.payload))
        if isinstance(record, PageResult):
            found[record.capture] = month_of_reason(row.reason)
    return found


def _is_after(page: PageResult, archived_ms: int) -> bool:
    return page.clock.quality is ClockQuality.SYNCED and page.clock.wall_ms > archived_ms
