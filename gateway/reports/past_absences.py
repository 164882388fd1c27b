"""How many of a class needed not hand in old homework, by the class list of that time: today's names others."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.keys import Vault
from gateway.reports.periods import day_numbered, start_ms
from gateway.reports.summaries import Place
from gateway.store.absences import absences_of
from gateway.store.months import month_of_assignment
from gateway.store.past_lists import MOST_KEPT, PastList, all_past
from gateway.store.schools import class_pupils, school_key
from gateway.store.tables.sheets import RowState, page_records
from sync.pseudonym import pseudonym


async def excused_then(connection: AsyncConnection, vault: Vault, place: Place, day: int) -> int | None:
    """Who was excused or exempt and sent no sheet, of the list of the day (20261130); None: it is kept no longer."""
    away = (await absences_of(connection, place.school, [place.assignment])).get(place.assignment)
    if not away:
        return 0
    past = await all_past(connection, vault, place.school)
    at_ms = start_ms(day_numbered(day) + timedelta(days=1))
    if len(past) >= MOST_KEPT and past[-1].changed_ms > at_ms:
        return None
    listed = await _listed(connection, vault, place, past, at_ms)
    columns = page_records.c
    sheets = select(columns.pupil).where(
        columns.school_id == place.school,
        columns.month == month_of_assignment(place.school, place.assignment),
        columns.assignment == place.assignment,
        columns.attempt == 1,
        columns.state == int(RowState.CURRENT),
        columns.pupil.in_(sorted(listed & away.keys())),
    )
    return len((listed & away.keys()) - {bytes(pupil) for pupil in await connection.scalars(sheets)})


async def _listed(
    connection: AsyncConnection, vault: Vault, place: Place, past: list[PastList], at_ms: int
) -> set[bytes]:
    """The pseudonyms of the class as it was: before the first change since, or as it is."""
    since = [one for one in past if one.changed_ms > at_ms and place.class_name in one.classes]
    if not since:
        return {one.pseudonym for one in await class_pupils(connection, vault, place.school, place.class_name)}
    key = await school_key(connection, vault, place.school)
    first = min(since, key=lambda one: one.number)
    return {pseudonym(key, pupil.pupil_id) for pupil in first.classes[place.class_name]}
