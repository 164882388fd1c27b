"""What tests let boxes and people say of pupils' absence."""

from __future__ import annotations

import secrets

from gateway.saying_absent import Whose, say_absent
from gateway.simulated_class import SimulatedBox
from gateway.simulated_school import SimulatedSchool
from homework.absences import Absence, AbsenceWord
from sync.absences import absence_record
from sync.clock import ClockQuality, ClockReading
from sync.lanes import Lane
from sync.pseudonym import pseudonym
from sync.records import AbsenceRecord

NOW = ClockReading(monotonic_ms=1, wall_ms=1_790_000_000_000, boot=bytes(16), quality=ClockQuality.SYNCED)
UNSET = ClockReading(monotonic_ms=1, wall_ms=5, boot=bytes(16), quality=ClockQuality.UNSET)


def alias(school: SimulatedSchool, seat: int) -> bytes:
    """The pseudonym of the pupil at a seat."""
    return pseudonym(school.school_key, school.pupils.roster.pupils[seat - 1].pupil_id)


def at_box(
    school: SimulatedSchool,
    seat: int,
    absence: Absence | None,
    *,
    clock: ClockReading = NOW,
    replaces: tuple[bytes, ...] = (),
    assignment: str | None = None,
) -> AbsenceRecord:
    """What a box says of the pupil at a seat."""
    word = AbsenceWord(
        id=secrets.token_bytes(16), absence=absence, replaces=replaces,
        synced=clock.quality is ClockQuality.SYNCED, wall_ms=clock.wall_ms,
    )  # fmt: skip
    return absence_record(
        word, assignment=assignment or school.pupils.assignment.id, pseudonym=alias(school, seat), who="王老师",
        clock=clock, school_key=school.school_key,
    )  # fmt: skip


async def come(school: SimulatedSchool, *records: AbsenceRecord, box: SimulatedBox | None = None) -> None:
    """Let words come in, from the school's box or another."""
    await school.ingest.take([(box or school.box).envelope(Lane.RESULTS, records)])


async def say(school: SimulatedSchool, seat: int, absence: Absence | None, clock: ClockReading = NOW) -> bytes | None:
    """Say it at the school."""
    async with school.store.writing() as connection:
        return await say_absent(
            connection, school.store.vault, school.school, Whose(school.pupils.assignment.id, alias(school, seat)),
            absence, who="校长", clock=clock,
        )  # fmt: skip
