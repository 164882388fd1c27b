"""Who was erased at a school: pseudonyms alone, so that what comes of them later is known and not kept."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable
from functools import cache
from typing import Any, Final, NamedTuple

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.asking import Asked
from gateway.store.dialect import batched
from gateway.store.pages import PageRow
from gateway.store.tables.past import erased_pupils
from gateway.store.tables.people import grants
from gateway.store.tables.schools import pupils
from gateway.store.tables.sheets import RowState, absences, page_records
from gateway.store.tables.summaries import comments
from homework.roster import Pupil
from sync.pseudonym import pseudonym

BLANK: Final[dict[str, Any]] = {
    **dict.fromkeys(("duplicate_of", "assignment", "class_name", "pupil", "seat", "settled", "sent")),
    **dict.fromkeys(("score_hundredths", "max_score_hundredths")),
    "sheet": "",
    "page": 0,
    "attempt": 0,
    "pending": 0,
    "items": b"",
    "problems": "",
    "clock": b"",
    "state": int(RowState.ERASED),
}
"""What an erased record says. Its name in its lane, its digest, revision and capture stay (D9)."""
_SCHOOLS = Asked("schools_named", school_id="TEXT")


def is_blank(page: PageRow) -> bool:
    """Whether nothing is left of what a record said."""
    rest = (page.assignment, page.class_name, page.pupil, page.seat, page.sent, page.score_hundredths)
    return not any(value is not None for value in rest) and not (page.items or page.clock or page.settled)


class Erased(NamedTuple):
    """A pupil who was erased: since when, and where they sat, as `place_digest` says it."""

    pseudonym: bytes
    erased_ms: int
    place: bytes | None


class ErasedPupils(NamedTuple):
    """Who was erased at one school."""

    pupils: tuple[Erased, ...]

    @property
    def pseudonyms(self) -> frozenset[bytes]:
        """Of all of them."""
        return frozenset(one.pseudonym for one in self.pupils)

    def sat_at(self, class_name: str, seat: int) -> Erased | None:
        """The one who sat there, as far as that is kept."""
        return next((one for one in self.pupils if one.place == place_digest(one.pseudonym, class_name, seat)), None)


def place_digest(pseudonym: bytes, class_name: str, seat: int) -> bytes:
    """Names a seat to whoever has it and compares. There are few seats: it hides none from who tries them all."""
    return hashlib.blake2b(f"{class_name}\0{seat}".encode(), key=pseudonym, digest_size=16).digest()


async def erased_at(connection: AsyncConnection, school: str) -> ErasedPupils:
    """Who was erased at a school."""
    return (await erased_at_all(connection, [school])).get(school, ErasedPupils(()))


async def erased_at_all(connection: AsyncConnection, schools: Iterable[str]) -> dict[str, ErasedPupils]:
    """Who was erased at some schools; those at which nobody was are left out."""
    found: dict[str, list[Erased]] = defaultdict(list)
    dialect = connection.dialect.name
    for row in await connection.execute(_erased(dialect), _SCHOOLS.values(dialect, [(name,) for name in schools])):
        place = None if row.place is None else bytes(row.place)
        found[row.school_id].append(Erased(bytes(row.pseudonym), row.erased_ms, place))
    return {school: ErasedPupils(tuple(pupils)) for school, pupils in found.items()}


@cache
def _erased(dialect: str) -> Select[Any]:
    return _SCHOOLS.matching(dialect, erased_pupils)


async def not_erased(
    connection: AsyncConnection, key: bytes, school: str, listed: Iterable[Pupil]
) -> tuple[Pupil, ...]:
    """Those of a class list who were not erased; `key` is the school's."""
    erased = (await erased_at(connection, school)).pseudonyms
    if not erased:
        return tuple(listed)
    return tuple(pupil for pupil in listed if pseudonym(key, pupil.pupil_id) not in erased)


async def erased_captures(connection: AsyncConnection, school: str, captures: Collection[bytes]) -> set[bytes]:
    """Those of these captures of which something was erased."""
    found: set[bytes] = set()
    for some in batched(sorted(captures)):
        query = select(page_records.c.capture).where(
            page_records.c.school_id == school,
            page_records.c.capture.in_(some),
            page_records.c.state == int(RowState.ERASED),
        )
        found |= {bytes(capture) for capture in (await connection.execute(query)).scalars()}
    return found


async def left_of_erased(connection: AsyncConnection, school: str) -> list[str]:
    """In words what is still there of pupils who were erased, of which nothing should be."""
    erased = await erased_at(connection, school)
    found: list[str] = []
    for table, column in _whose():
        for some in batched(sorted(erased.pseudonyms)):
            query = select(func.count()).select_from(table).where(table.c.school_id == school, column.in_(some))
            if count := (await connection.execute(query)).scalar_one():
                found.append(f"{count} rows of {table.name} are of a pupil who was erased")
    return found


def _whose() -> Iterable[tuple[Any, Any]]:
    return (
        (page_records, page_records.c.pupil),
        (absences, absences.c.pupil),
        (pupils, pupils.c.pseudonym),
        (comments, comments.c.pupil),
        (grants, grants.c.pupil),
    )
