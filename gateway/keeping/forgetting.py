"""Erases one pupil: at the school at once, on its boxes as soon as each of them is there.

What stays is the pseudonym, so that what is still on its way is known when it comes (`gateway.arrivals`), and of each
record its name in its lane, its digest and its capture, on which receipts for the others rest (D9).
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final, NamedTuple

import msgspec
from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.held import let_lanes_go_on
from gateway.keys import Vault
from gateway.store.audit_lines import write_line
from gateway.store.dialect import add_or_replace, batched, lock_school
from gateway.store.documents import publish_classes
from gateway.store.down_log import append, standing_body
from gateway.store.erased import erased_at, place_digest
from gateway.store.erasing import erase_absences, erase_kept_records, erase_rows, rows_of_pupil
from gateway.store.lanes import LaneName
from gateway.store.past_lists import forget_in_past
from gateway.store.rollups import touch_classes, touch_school
from gateway.store.schools import class_pupils, school_key
from gateway.store.tables.past import erased_pupils
from gateway.store.tables.people import (
    grants,
    known_devices,
    links,
    offices,
    people,
    recovery_codes,
    sessions,
    sign_ons,
)
from gateway.store.tables.schools import documents, down_log, pupils
from gateway.store.tables.sheets import page_records, tallies
from gateway.store.tables.summaries import comments
from homework.errors import ClassboxError, UsageError
from sync.down_bodies import Erasure, erasure_body, read_erasure
from sync.lanes import Lane
from sync.records import Tally, decode_record, encode_record

DEED: Final = "forget"
READMITTED: Final = "readmit"
_PSEUDONYM = re.compile(r"(?:[0-9a-fA-F]{2}){8,16}")
_SEAT = re.compile(r"(.+?)\s*[#:\s]\s*(\d{1,3})")


class Forgotten(NamedTuple):
    """What was taken away, and the (assignment, class) pairs whose reports have changed."""

    pseudonym: bytes
    pages: int
    crops: int
    corrections: int
    accounts: int
    touched: frozenset[tuple[str, str]]


async def pupil_called(connection: AsyncConnection, vault: Vault, school: str, text: str) -> bytes:
    """The pseudonym of a pupil: it itself in hexadecimal, or class and seat as `3-1#7`. Raises `ClassboxError`."""
    await school_key(connection, vault, school)  # there is such a school
    asked = text.strip()
    if seat := _SEAT.fullmatch(asked):
        where = (
            pupils.c.school_id == school,
            pupils.c.class_name == seat[1],
            pupils.c.seat == int(seat[2]),
        )
        found = (await connection.execute(select(pupils.c.pseudonym).where(*where))).scalars().all()
        if len(found) == 1:
            return bytes(found[0])
    if _PSEUDONYM.fullmatch(asked):
        alias = bytes.fromhex(asked)
        if await _is_known(connection, school, alias):
            return alias
    raise ClassboxError(
        "There is no pupil {name} at {school}.",
        remedy="Name class and seat as 3-1#7, or the pseudonym that stands in the address of the pupil's page.",
        name=asked[:80],
        school=school,
    )


async def forget(
    connection: AsyncConnection, vault: Vault, school: str, alias: bytes, *, now_ms: int, person: int = 0
) -> Forgotten:
    """Erase a pupil of a school, in the caller's transaction; once more does no harm. `person` 0: on the terminal.

    Raises `ClassboxError` when there is no such school.
    """
    if not await lock_school(connection, school):
        await school_key(connection, vault, school)  # says so
    place = await _leave_the_list(connection, vault, school, alias)
    rows = await rows_of_pupil(connection, school, alias)
    captures = {page.booked.capture for page, _ in rows.values()}
    gone = await erase_rows(connection, school, rows)
    held = await erase_kept_records(connection, school, alias, captures, now_ms=now_ms)
    lanes = {LaneName(school, row.box_id, bytes(row.epoch), Lane(row.lane)) for row in held}
    await let_lanes_go_on(connection, lanes)
    seats = {(page.class_name, page.seat) for page, _ in rows.values() if page.class_name and page.seat is not None}
    told = await _leave_tallies(connection, school, seats | ({place} if place is not None else set()))
    away = await erase_absences(connection, school, alias)
    told |= {(assignment, place[0]) for assignment in away if place is not None}
    await touch_classes(connection, {school: told - gone.touched})
    await connection.execute(delete(comments).where(comments.c.school_id == school, comments.c.pupil == alias))
    accounts = await _end_accounts(connection, school, alias)
    await forget_in_past(connection, vault, school, {alias})
    sealed_lists = documents.c.school_id == school, documents.c.kind == "roster-sealed"
    await connection.execute(delete(documents).where(*sealed_lists))
    row = {
        "school_id": school,
        "pseudonym": alias,
        "erased_ms": now_ms,
        "place": None if place is None else place_digest(alias, *place),
    }
    kept = ("erased_ms", "place") if place is not None else ("erased_ms",)
    await connection.execute(add_or_replace(connection, erased_pupils, only=kept), row)
    # Of a second erasure the papers are nobody's here any more; boxes that have not heard of the first need them.
    before = await standing_body(connection, school, "erasure", alias.hex())
    papers = captures | (set() if before is None else set(read_erasure(before).captures))
    body = erasure_body(Erasure(alias, now_ms, tuple(sorted(papers))))
    await append(connection, school, "erasure", alias.hex(), body)
    await write_line(
        connection,
        school,
        deed=DEED,
        person=person,
        thing=f"pupil={alias.hex()}",
        detail=f"pages={gone.pages}",
        at_ms=now_ms,
    )
    return Forgotten(alias, gone.pages, gone.crops, gone.corrections, accounts, gone.touched | told)


async def readmit(connection: AsyncConnection, school: str, alias: bytes, *, now_ms: int, person: int = 0) -> None:
    """Let a pupil who was erased be taken into a class list again; what was erased does not come back.

    Raises `UsageError` for somebody who was not erased.
    """
    await lock_school(connection, school)
    mine = erased_pupils.c.school_id == school, erased_pupils.c.pseudonym == alias
    if (await connection.execute(delete(erased_pupils).where(*mine))).rowcount != 1:
        raise UsageError("Nobody of that pseudonym was erased here.", remedy="Bring the class list in as usual.")
    told = down_log.c.school_id == school, down_log.c.kind == "erasure", down_log.c.key == alias.hex()
    await connection.execute(update(down_log).where(*told).values(packed=None))
    await write_line(connection, school, deed=READMITTED, person=person, thing=f"pupil={alias.hex()}", at_ms=now_ms)


async def _is_known(connection: AsyncConnection, school: str, alias: bytes) -> bool:
    if alias in (await erased_at(connection, school)).pseudonyms:
        return True
    for table, column in (
        (pupils, pupils.c.pseudonym),
        (page_records, page_records.c.pupil),
        (comments, comments.c.pupil),
        (grants, grants.c.pupil),
    ):
        query = select(column).where(table.c.school_id == school, column == alias).limit(1)
        if (await connection.execute(query)).first() is not None:
            return True
    return False


async def _leave_the_list(
    connection: AsyncConnection, vault: Vault, school: str, alias: bytes
) -> tuple[str, int] | None:
    """Take a pupil out of the class list, here and on the boxes; where they sat."""
    mine = pupils.c.school_id == school, pupils.c.pseudonym == alias
    row = (await connection.execute(select(pupils.c.class_name, pupils.c.seat).where(*mine))).first()
    if row is None:
        return None
    await connection.execute(delete(pupils).where(*mine))
    left = tuple(known.pupil for known in await class_pupils(connection, vault, school, row.class_name))
    await publish_classes(connection, vault, school, {row.class_name: left})
    await touch_school(connection, school, "roster")
    return row.class_name, row.seat


async def _leave_tallies(
    connection: AsyncConnection, school: str, seats: Collection[tuple[str, int]]
) -> frozenset[tuple[str, str]]:
    """Take seats out of what boxes said that they have of these classes; whose reports that changes."""
    changed: set[tuple[str, str]] = set()
    for class_name in sorted({name for name, _ in seats}):
        query = select(tallies).where(tallies.c.school_id == school, tallies.c.class_name == class_name)
        for row in list(await connection.execute(query)):
            tally = decode_record(bytes(row.body))
            assert isinstance(tally, Tally)
            places = tuple(place for place in tally.places if (class_name, place[0]) not in seats)
            if places == tally.places:
                continue
            slid = max(0, tally.slid - len(tally.places) + len(places))
            here = (
                tallies.c.school_id == school,
                tallies.c.assignment == row.assignment,
                tallies.c.class_name == class_name,
                tallies.c.box_id == row.box_id,
            )
            body = encode_record(msgspec.structs.replace(tally, places=places, slid=slid))
            await connection.execute(update(tallies).where(*here).values(body=body))
            changed.add((row.assignment, class_name))
    return frozenset(changed)


async def _end_accounts(connection: AsyncConnection, school: str, alias: bytes) -> int:
    """End what a pupil and the family may, and take away the accounts that may nothing else; how many."""
    mine = grants.c.school_id == school, grants.c.pupil == alias
    persons = set((await connection.execute(select(grants.c.person_id).where(*mine))).scalars())
    await connection.execute(delete(grants).where(*mine))
    for table in (grants, offices):
        for some in batched(sorted(persons)):
            others = select(table.c.person_id).where(table.c.person_id.in_(some)).distinct()
            persons -= set((await connection.execute(others)).scalars())
    for some in batched(sorted(persons)):
        for table in (sessions, known_devices, links, recovery_codes, sign_ons, people):
            await connection.execute(delete(table).where(table.c.person_id.in_(some)))
    return len(persons)
