"""Pages that come when their month was archived: held, with the reason, and never counted anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.archived import archived_work, in_archives, last_archived_ms
from sync.clock import ClockQuality
from sync.records import PageResult

IN_ARCHIVE = "it is in the archive of {month}"
OF_ARCHIVE = "its worksheet was archived with {month}"


async def archived_pages(
    connection: AsyncConnection, pages: Mapping[str, Sequence[PageResult]]
) -> dict[tuple[str, bytes], str]:
    """By school and capture, why pages cannot be counted: what is in an archive, and sheets of what was archived.

    A sheet that was surely slid after the school archived last is neither: a worksheet may be used again. The schools
    are locked.
    """
    last_ms = await last_archived_ms(connection, pages.keys()) if any(pages.values()) else {}
    found: dict[tuple[str, bytes], str] = {}
    for school, archived_ms in last_ms.items():
        old = [page for page in pages[school] if not _is_after(page, archived_ms)]
        if not old:
            continue
        captures = {page.capture for page in old} | {page.duplicate_of for page in old if page.duplicate_of is not None}
        there = await in_archives(connection, school, captures)
        work = await archived_work(connection, school, {page.assignment for page in old if page.assignment is not None})
        for page in old:
            month = there.get(page.capture) or there.get(page.duplicate_of or b"")
            if month is not None:
                found[school, page.capture] = IN_ARCHIVE.format(month=month)
            elif page.assignment in work and page.clock.quality is ClockQuality.SYNCED:
                found[school, page.capture] = OF_ARCHIVE.format(month=work[page.assignment])
    return found


def _is_after(page: PageResult, archived_ms: int) -> bool:
    return page.clock.quality is ClockQuality.SYNCED and page.clock.wall_ms > archived_ms
