"""What is said of a pupil's absence at the school: it counts here at once and goes down in the same transaction."""

from __future__ import annotations

import secrets
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.clock import unix_ms
from gateway.keys import Vault
from gateway.store.absences import ToldAbsence, keep_absences, words_on
from gateway.store.archived import refuse_archived
from gateway.store.dialect import lock_school
from gateway.store.months import known_months
from gateway.store.rollups import touch_classes
from gateway.store.schools import school_key, seats_of
from homework.absences import Absence, before, standing, word_after
from homework.errors import ClassboxError
from homework.merging import winner
from sync.absences import absence_record, word_of
from sync.clock import ClockQuality, ClockReading

_ID_BYTES = 16


class Whose(NamedTuple):
    """Of which sheet something is said: a pupil's (by pseudonym) of an assignment."""

    assignment: str
    pupil: bytes


class SaidSinceError(ClassboxError):
    """Somebody has said something else of the pupil since."""


async def say_absent(
    connection: AsyncConnection,
    vault: Vault,
    school: str,
    whose: Whose,
    absence: Absence | None,
    *,
    who: str,
    clock: ClockReading,
) -> bytes | None:
    """Say that a pupil's sheet is not to come, or (None) that it is; `who` says it, and `clock` is the gateway's.

    Returns the id of the word, or None where that stands already. What was known here it replaces; with what a box says
    at the same time `homework.absences` decides. Raises `ClassboxError` for a school or a pupil that is not here, and
    for homework that was archived.
    """
    if not await lock_school(connection, school):
        raise _no_school(school)
    if not await known_months(connection, school, [whose.assignment]):
        await refuse_archived(connection, school, whose.assignment)
    if not (await seats_of(connection, school, ({whose.pupil}, ()))).class_of:
        raise ClassboxError("This pupil is on no class list.", remedy="Bring in the newest class list.")
    words = [word_of(record) for record in await words_on(connection, school, *whose)]
    if standing(words) is absence:
        return None
    word = word_after(
        words,
        absence,
        name=secrets.token_bytes(_ID_BYTES),
        synced=clock.quality is ClockQuality.SYNCED,
        wall_ms=clock.wall_ms,
    )
    key = await school_key(connection, vault, school)
    record = absence_record(
        word, assignment=whose.assignment, pseudonym=whose.pupil, who=who, clock=clock, school_key=key
    )
    told = ToldAbsence(record, "", unix_ms())
    taken = await keep_absences(connection, school, [told])
    if taken.beyond:
        raise ClassboxError("Too much was said of this pupil's absence.", remedy="Nothing more is taken in of it.")
    await touch_classes(connection, {school: taken.places})
    return word.id


async def take_absence_back(
    connection: AsyncConnection,
    vault: Vault,
    school: str,
    whose: Whose,
    name: bytes,
    *,
    who: str,
    clock: ClockReading,
) -> bytes | None:
    """Let what the word `name` said of the pupil be as it was before; returns the id of the word that does so.

    None where it is so already. Raises `SaidSinceError` where another word counts by now: that would be lost.
    """
    if not await lock_school(connection, school):
        raise _no_school(school)
    words = [word_of(record) for record in await words_on(connection, school, *whose)]
    counts = winner(words)
    if counts is None or counts.id != name:
        raise SaidSinceError("Somebody has said something else of this pupil since.", remedy="Look at it again.")
    return await say_absent(connection, vault, school, whose, before(words, name), who=who, clock=clock)


def _no_school(school: str) -> ClassboxError:
    return ClassboxError(
        "There is no school {school} here.", remedy="Add it with `classgate school add {school}`.", school=school
    )
