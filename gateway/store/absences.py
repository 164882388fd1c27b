"""What people said of pupils' absence (请假, 免做), on boxes and at the school, in the order in which it came.

Nothing is taken out; which word counts is worked out from all that there are (`homework.absences`). Each of them goes
down to every box of the school, for any box takes any class, also back to the one that it came from: so all sides know
its place, and say the same.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from functools import cache
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Select, bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.archived import archived_work
from gateway.store.corrections import believed
from gateway.store.dialect import add_or_ignore, among, batched
from gateway.store.down_log import New, append_all
from gateway.store.months import known_months
from gateway.store.schools import seats_of
from gateway.store.tables.sheets import absences
from homework.absences import Absence, standing
from sync.absences import word_of
from sync.records import AbsenceRecord, decode_record, encode_record

MOST_WORDS = 100
"""On one pupil and assignment. Whoever says more is no teacher; each further word would cost every box and report."""


class ToldAbsence(NamedTuple):
    """A word, the box that it came from ("" for the school itself), and when."""

    record: AbsenceRecord
    origin: str
    received_ms: int


class Taken(NamedTuple):
    """What became of words: the (assignment, class) pairs whose reports have changed, as far as the class list knows
    the pupils (of others a word waits for it); and the ids of those that count for nothing: too many, or too late.
    """

    places: frozenset[tuple[str, str]]
    beyond: frozenset[bytes]


async def keep_absences(connection: AsyncConnection, school: str, told: Sequence[ToldAbsence]) -> Taken:
    """Keep words in the order given, each once, and let those that were not here go down. The school is locked.

    Of one pupil and assignment `MOST_WORDS` are kept. A box may tell back a word of the school's own (it has its
    order): the database was put back from a copy without it. What is here is not taken again, nor is a word on a
    worksheet that was archived.
    """
    archived = await _archived(connection, school, {one.record.assignment for one in told})
    known = await _known(connection, school, {one.record.id for one in told})
    last = await connection.execute(select(func.max(absences.c.order_no)).where(absences.c.school_id == school))
    order: int = last.scalar_one() or 0
    counts = await _counts(connection, school, {one.record.pseudonym for one in told})
    new: list[ToldAbsence] = []
    beyond: set[bytes] = set()
    for record, origin, received_ms in told:
        if record.id in known:
            continue
        known.add(record.id)
        whose = record.assignment, record.pseudonym
        if record.assignment in archived:
            beyond |= {record.id} if record.order is None else set()
            continue
        if counts[whose] >= MOST_WORDS:
            beyond.add(record.id)
            continue
        counts[whose] += 1
        order += 1
        clock = believed(record.clock, received_ms)
        placed = msgspec.structs.replace(record, clock=clock, order=order, origin=origin)
        new.append(ToldAbsence(placed, origin, received_ms))
    if not new:
        return Taken(frozenset(), frozenset(beyond))
    rows = [
        {
            "school_id": school,
            "assignment": one.record.assignment,
            "pupil": one.record.pseudonym,
            "absence_id": one.record.id,
            "order_no": one.record.order,
            "origin": one.origin,
            "body": encode_record(one.record),
            "received_ms": one.received_ms,
        }
        for one in new
    ]
    await connection.execute(add_or_ignore(connection, absences), rows)
    await append_all(
        connection, school, [New("absence", one.record.id.hex(), encode_record(one.record)) for one in new]
    )
    seats = await seats_of(connection, school, ({one.record.pseudonym for one in new}, ()))
    places = frozenset(
        (one.record.assignment, seats.class_of[one.record.pseudonym])
        for one in new
        if one.record.pseudonym in seats.class_of
    )
    return Taken(places, frozenset(beyond))


async def words_on(connection: AsyncConnection, school: str, assignment: str, pupil: bytes) -> list[AbsenceRecord]:
    """Everything that was said of a pupil and an assignment, in the school's order."""
    given = {"school": school, "assignment": assignment, "pupil": pupil}
    return _records(await connection.execute(_ON, given))


async def absences_of(
    connection: AsyncConnection, school: str, assignments: Collection[str]
) -> dict[str, dict[bytes, Absence]]:
    """Who is excused from these assignments or exempt, by assignment and pseudonym; nobody else is named."""
    query = _of_assignments(connection.dialect.name)
    records: list[AbsenceRecord] = []
    for some in batched(sorted(assignments)):
        records += _records(await connection.execute(query, {"school": school, "assignments": some}))
    return _standing(records)


async def absences_of_pupil(connection: AsyncConnection, school: str, pupil: bytes) -> dict[str, Absence]:
    """The assignments from which a pupil is excused or exempt."""
    found = _standing(_records(await connection.execute(_OF_PUPIL, {"school": school, "pupil": pupil})))
    return {assignment: away for assignment, by_pupil in found.items() for away in by_pupil.values()}


_OF_SCHOOL = select(absences.c.body).where(absences.c.school_id == bindparam("school"))
_OF_PUPIL = _OF_SCHOOL.where(absences.c.pupil == bindparam("pupil"))
_ON = _OF_PUPIL.where(absences.c.assignment == bindparam("assignment")).order_by(absences.c.order_no)


@cache
def _of_assignments(dialect: str) -> Select[Any]:
    return _OF_SCHOOL.where(among(dialect, absences.c.assignment, "assignments", of="TEXT"))


@cache
def _how_many(dialect: str) -> Select[Any]:
    whose = absences.c.assignment, absences.c.pupil
    return (
        select(*whose, func.count().label("words"))
        .where(absences.c.school_id == bindparam("school"), among(dialect, absences.c.pupil, "pupils"))
        .group_by(*whose)
    )


@cache
def _here(dialect: str) -> Select[Any]:
    return select(absences.c.absence_id).where(
        absences.c.school_id == bindparam("school"), among(dialect, absences.c.absence_id, "names")
    )


def _records(rows: Iterable[Any]) -> list[AbsenceRecord]:
    found = []
    for row in rows:
        record = decode_record(bytes(row.body))
        assert isinstance(record, AbsenceRecord)
        found.append(record)
    return found


def _standing(records: Iterable[AbsenceRecord]) -> dict[str, dict[bytes, Absence]]:
    words: dict[tuple[str, bytes], list[AbsenceRecord]] = defaultdict(list)
    for record in records:
        words[record.assignment, record.pseudonym].append(record)
    found: dict[str, dict[bytes, Absence]] = defaultdict(dict)
    for (assignment, pupil), some in words.items():
        counts = standing(map(word_of, some))
        if counts is not None:
            found[assignment][pupil] = counts
    return dict(found)


async def _archived(connection: AsyncConnection, school: str, assignments: Collection[str]) -> Collection[str]:
    """Those of these worksheets that went into an archive and were not used again since."""
    gone = await archived_work(connection, school, assignments)
    return gone.keys() - (await known_months(connection, school, gone.keys())).keys() if gone else ()


async def _counts(connection: AsyncConnection, school: str, pupils: Collection[bytes]) -> Counter[tuple[str, bytes]]:
    """How many words there are on these pupils, by assignment."""
    found: Counter[tuple[str, bytes]] = Counter()
    query = _how_many(connection.dialect.name)
    for some in batched(sorted(pupils)):
        for row in await connection.execute(query, {"school": school, "pupils": some}):
            found[row.assignment, bytes(row.pupil)] = row.words
    return found


async def _known(connection: AsyncConnection, school: str, names: Collection[bytes]) -> set[bytes]:
    found: set[bytes] = set()
    for some in batched(sorted(names)):
        here = await connection.execute(_here(connection.dialect.name), {"school": school, "names": some})
        found |= {bytes(name) for name in here.scalars()}
    return found
