"""Who corrected what, when and from where, and what of it counts: every correction of a school, oldest first."""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.keys import Vault
from gateway.store.corrections import Kept, accounted_for, all_corrections
from gateway.store.dialect import batched
from gateway.store.pages import PageRow, pages_where
from gateway.store.schools import school_key
from gateway.store.tables.sheets import RowState, page_records
from homework.corrections import Place
from homework.merging import Correction, counting


class AuditLine(NamedTuple):
    """One correction. `page` is the newest revision of its sheet, None where that has not come.

    `counts`: no other stands in its place. `at_box`: the sheet's box accounts for it. `who` is "" where nobody said it,
    `origin` the box, "" for the school itself.
    """

    kept: Kept
    correction: Correction
    who: str
    counts: bool
    page: PageRow | None
    at_box: bool


async def audit(connection: AsyncConnection, vault: Vault, school: str) -> list[AuditLine]:
    """Every correction of a school, in its order. Raises `ClassboxError` when there is no such school."""
    key = await school_key(connection, vault, school)
    every = [(kept, kept.opened(key)) for kept in await all_corrections(connection, school)]
    fields: dict[tuple[bytes, Place], list[Correction]] = defaultdict(list)
    for kept, opened in every:
        fields[kept.record.capture, opened.correction.place].append(opened.correction)
    counts = {one.id for found in fields.values() for one in counting(found) if one is not None}
    pages = await _newest_pages(connection, school, {kept.record.capture for kept, _ in every})
    return [
        AuditLine(
            kept=kept,
            correction=opened.correction,
            who=opened.who,
            counts=kept.record.id in counts,
            page=(page := pages.get(kept.record.capture)),
            at_box=page is not None and accounted_for(page, opened.correction),
        )
        for kept, opened in every
    ]


async def _newest_pages(connection: AsyncConnection, school: str, captures: set[bytes]) -> dict[bytes, PageRow]:
    found: dict[bytes, PageRow] = {}
    for some in batched(sorted(captures)):
        query = select(page_records).where(
            page_records.c.school_id == school,
            page_records.c.capture.in_(some),
            page_records.c.state.not_in([int(RowState.SUPERSEDED), int(RowState.ERASED)]),
        )
        found |= {row.booked.capture: row for row, _ in await pages_where(connection, query)}
    return found
