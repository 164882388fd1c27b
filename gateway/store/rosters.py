"""Brings a new roster in: who the pupils are, and whose the sheets are that came before it."""

from __future__ import annotations

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.booking import RowName
from gateway.keys import Vault
from gateway.store.adding import Owner, reassign
from gateway.store.dialect import lock_school
from gateway.store.pages import pages_where
from gateway.store.schools import import_roster, seats_of
from gateway.store.tables.sheets import NAMELESS, page_records
from homework.roster import Roster


async def bring_in(connection: AsyncConnection, vault: Vault, school: str, roster: Roster) -> int:
    """Import a roster and give sheets that were booked to a bare seat, or to no class, to their pupils.

    Returns how many sheets found their pupil.
    """
    await lock_school(connection, school)
    await import_roster(connection, vault, school, roster)
    nameless = select(page_records).where(
        page_records.c.school_id == school, text(f"({NAMELESS[connection.dialect.name]})")
    )
    rows = await pages_where(connection, nameless)
    pupils = {row.pupil for row, _ in rows if row.class_name is None and row.pupil is not None}
    places = {(row.class_name, row.seat) for row, _ in rows if row.class_name is not None and row.seat is not None}
    seats = await seats_of(connection, school, (pupils, places))
    whose: dict[RowName, Owner] = {}
    for row, _ in rows:
        if row.class_name is None and row.pupil is not None and row.pupil in seats.class_of:
            whose[row.booked.name] = Owner(seats.class_of[row.pupil], row.pupil)
        elif row.class_name is not None and row.seat is not None and (row.class_name, row.seat) in seats.pupil_at:
            whose[row.booked.name] = Owner(row.class_name, seats.pupil_at[(row.class_name, row.seat)])
    await reassign(connection, school, [(row, state) for row, state in rows if row.booked.name in whose], whose)
    return len(whose)
