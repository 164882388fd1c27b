"""The class lists of a school as one: read whole, and made what a person says, class by class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.keys import Vault
from gateway.store.dialect import batched
from gateway.store.documents import publish_classes
from gateway.store.erased import not_erased
from gateway.store.past_lists import remember
from gateway.store.rosters import bring_in
from gateway.store.schools import opened_pupils, school_key
from gateway.store.tables.schools import pupils as pupils_table
from homework.roster import Pupil, Roster


class Kept(NamedTuple):
    """What came of it: so many sheets that were here before have found their pupil, so many classes go to the boxes.

    `left_out`: pupils of the lists who were erased at the school.
    """

    sheets: int
    documents: int
    left_out: int = 0


async def whole_roster(connection: AsyncConnection, vault: Vault, school: str) -> Roster:
    """Every pupil of a school, names opened, by class and seat. Raises `ClassboxError` when there is no such school."""
    key = await school_key(connection, vault, school)
    order = (pupils_table.c.class_name, pupils_table.c.seat)
    found = list(
        await connection.execute(select(pupils_table).where(pupils_table.c.school_id == school).order_by(*order))
    )
    return Roster(tuple(known.pupil for known in opened_pupils(key, found)))


async def keep_classes(
    connection: AsyncConnection, vault: Vault, school: str, classes: Mapping[str, tuple[Pupil, ...]], *, person: int
) -> Kept:
    """Make these classes what they say, here and on the boxes; one without pupils goes. Others stay.

    What they were before is kept (`gateway.store.past_lists`). The caller holds the school's lock.
    """
    key = await school_key(connection, vault, school)
    given = sum(map(len, classes.values()))
    classes = {name: await not_erased(connection, key, school, members) for name, members in classes.items()}
    before = (await whole_roster(connection, vault, school)).by_class()
    changed = {name: before.get(name, ()) for name, pupils in classes.items() if pupils != before.get(name, ())}
    if changed:
        await remember(connection, vault, school, changed, person=person)
    for some in batched([name for name, members in classes.items() if not members]):
        here = (pupils_table.c.school_id == school, pupils_table.c.class_name.in_(some))
        await connection.execute(delete(pupils_table).where(*here))
    everybody = Roster(tuple(pupil for members in classes.values() for pupil in members))
    found = await bring_in(connection, vault, school, everybody)
    documents = await publish_classes(connection, vault, school, classes)
    return Kept(found, documents, given - sum(map(len, classes.values())))
