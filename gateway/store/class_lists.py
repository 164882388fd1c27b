"""The class lists of a school as one: read whole, and made what a person says, class by class."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.keys import Vault
from gateway.store.dialect import batched
from gateway.store.documents import publish_classes
from gateway.store.rosters import bring_in
from gateway.store.schema import pupils
from gateway.store.schools import opened_pupils, school_key
from homework.roster import Pupil, Roster


async def whole_roster(connection: AsyncConnection, vault: Vault, school: str) -> Roster:
    """Every pupil of a school, names opened, by class and seat. Raises `ClassboxError` when there is no such school."""
    key = await school_key(connection, vault, school)
    order = (pupils.c.class_name, pupils.c.seat)
    found = list(await connection.execute(select(pupils).where(pupils.c.school_id == school).order_by(*order)))
    return Roster(tuple(known.pupil for known in opened_pupils(key, found)))


async def keep_classes(
    connection: AsyncConnection, vault: Vault, school: str, classes: Mapping[str, tuple[Pupil, ...]]
) -> int:
    """Make these classes what they say, here and on the boxes; one without pupils goes. Others stay.

    The caller holds the school's lock. Returns how many sheets that came before have found their pupil.
    """
    for some in batched([name for name, members in classes.items() if not members]):
        here = (pupils.c.school_id == school, pupils.c.class_name.in_(some))
        await connection.execute(delete(pupils).where(*here))
    everybody = Roster(tuple(pupil for members in classes.values() for pupil in members))
    found = await bring_in(connection, vault, school, everybody)
    await publish_classes(connection, vault, school, classes)
    return found
