"""Class lists as they were before each change: what was given in wrongly is put back from here.

Sealed under the school's key, as names are everywhere. The oldest go; who is forgotten at the school is forgotten here.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Mapping
from typing import NamedTuple

import msgspec
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.clock import unix_ms
from gateway.keys import Vault
from gateway.store.schools import school_key
from gateway.store.tables.schools import past_lists
from homework.roster import Pupil
from sync.pseudonym import pseudonym

MOST_KEPT = 40
Classes = Mapping[str, tuple[Pupil, ...]]


class PastList(NamedTuple):
    """The classes that a change touched, as they were before it. `person` 0: the terminal, or an open page."""

    number: int
    changed_ms: int
    person: int
    classes: Classes


async def remember(connection: AsyncConnection, vault: Vault, school: str, before: Classes, *, person: int) -> None:
    """Keep classes as they are before a change; one that is not there yet has no pupils. Under the school's lock."""
    newest = await connection.scalar(select(func.max(past_lists.c.list_no)).where(past_lists.c.school_id == school))
    number = (newest or 0) + 1
    row = {
        "school_id": school,
        "list_no": number,
        "changed_ms": unix_ms(),
        "person_id": person,
        "sealed": _sealed(await _names(connection, vault, school), number, before),
    }
    await connection.execute(insert(past_lists), row)
    old = (past_lists.c.school_id == school, past_lists.c.list_no <= number - MOST_KEPT)
    await connection.execute(delete(past_lists).where(*old))


async def all_past(connection: AsyncConnection, vault: Vault, school: str) -> list[PastList]:
    """What is kept of a school, the newest first."""
    names = await _names(connection, vault, school)
    query = select(past_lists).where(past_lists.c.school_id == school).order_by(past_lists.c.list_no.desc())
    return [
        PastList(row.list_no, row.changed_ms, row.person_id, _opened(names, row.list_no, row.sealed))
        for row in await connection.execute(query)
    ]


async def one_past(connection: AsyncConnection, vault: Vault, school: str, number: int) -> PastList | None:
    """One of them, None when it is not kept (any more)."""
    return next((past for past in await all_past(connection, vault, school) if past.number == number), None)


async def forget_in_past(connection: AsyncConnection, vault: Vault, school: str, aliases: Collection[bytes]) -> None:
    """Take pupils, by their pseudonyms, out of everything that is kept."""
    key, names = await school_key(connection, vault, school), await _names(connection, vault, school)
    for past in await all_past(connection, vault, school):
        left = {
            name: tuple(pupil for pupil in pupils if pseudonym(key, pupil.pupil_id) not in aliases)
            for name, pupils in past.classes.items()
        }
        if left != past.classes:
            here = (past_lists.c.school_id == school, past_lists.c.list_no == past.number)
            await connection.execute(update(past_lists).where(*here).values(sealed=_sealed(names, past.number, left)))


async def _names(connection: AsyncConnection, vault: Vault, school: str) -> Vault:
    return Vault(await school_key(connection, vault, school))


def _sealed(names: Vault, number: int, classes: Classes) -> bytes:
    return names.seal(zlib.compress(msgspec.json.encode(classes)), purpose=f"past list {number}")


def _opened(names: Vault, number: int, sealed: bytes) -> Classes:
    packed = names.open(bytes(sealed), purpose=f"past list {number}")
    return msgspec.json.decode(zlib.decompress(packed), type=dict[str, tuple[Pupil, ...]])
