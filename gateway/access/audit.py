"""What was done by whom: looks at children's results, words that changed them, files that left the house, people.

No line holds a name. Pages read in a transaction that must not write, so lines wait in a short queue: they are written
within a second, and before the first byte of a file that is taken away.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Collection
from typing import NamedTuple

from sqlalchemy import insert, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access.deeds import Thing
from gateway.access.people import new_id
from gateway.store.audit_lines import detail_said
from gateway.store.store import Store
from gateway.store.tables.people import audit, office_audit
from gateway.store.tables.schools import schools
from homework.errors import one_line
from sync.errors import StoreTrouble

_log = logging.getLogger(__name__)
FLUSHED_EVERY_S = 0.5
_AGAIN_AFTER_MS = 10 * 60_000
"""A page that is looked at again and again (it is fetched anew with each sheet) is one look in this time."""
_MOST_WAITING = 20_000
_MOST_REMEMBERED = 20_000


class Line(NamedTuple):
    """Something that was done. `school` None: of no one school. `person` 0: whoever sits at this machine."""

    at_ms: int
    id: int
    school: str | None
    person: int
    deed: str
    thing: str
    detail: str


class Audit:
    """The queue of lines. Lives in one event loop; `run` writes what waits."""

    def __init__(self, store: Store, *, now_ms: Callable[[], int]) -> None:
        self._store, self._now_ms = store, now_ms
        self._waiting: list[Line] = []
        self._writing = asyncio.Lock()
        self._flushing: asyncio.Future[None] | None = None  # kept, so that nobody collects it
        self._looked: OrderedDict[tuple[object, ...], int] = OrderedDict()

    def note(self, person: int, deed: str, thing: Thing, detail: str = "") -> None:
        """Let a line be written. `deed` is a `Deed` or a word such as `sign-in`; `detail` holds no name."""
        school = thing.school if isinstance(thing.school, str) else None
        written = one_line(written_thing(thing), limit=255)
        line = Line(self._now_ms(), new_id(), school, person, deed, written, detail_said(detail, person))
        if len(self._waiting) >= _MOST_WAITING:  # the database has been away for long: nothing was shown meanwhile
            _log.error("the audit is full; a line is lost")
            return
        self._waiting.append(line)

    def note_look(self, person: int, deed: str, thing: Thing, detail: str = "") -> None:
        """As `note`, but a look that goes on is written once."""
        key, now_ms = (person, deed, thing, detail), self._now_ms()
        looked_ms = self._looked.pop(key, None)
        if looked_ms is None or now_ms - looked_ms >= _AGAIN_AFTER_MS:
            self.note(person, deed, thing, detail)
            looked_ms = now_ms
        self._looked[key] = looked_ms
        while len(self._looked) > _MOST_REMEMBERED:
            self._looked.popitem(last=False)

    async def flush(self) -> None:
        """Write what waits. Raises `StoreTrouble`; then it waits on.

        Whoever is called off meanwhile (a browser that has gone) leaves it to end by itself: cut off in the middle of a
        commit, it would not know which lines are written, and write them again.
        """
        self._flushing = asyncio.ensure_future(self._flush())
        await asyncio.shield(self._flushing)

    async def _flush(self) -> None:
        async with self._writing:
            some = self._waiting[:]
            if not some:
                return
            async with self._store.writing() as connection:
                await _write(connection, some)
            del self._waiting[: len(some)]

    async def run(self) -> None:
        """Write what waits, twice a second, until cancelled; then once more."""
        try:
            while True:
                await asyncio.sleep(FLUSHED_EVERY_S)
                await self._try()
        finally:
            await self._try()

    async def _try(self) -> None:
        try:
            await self.flush()
        except StoreTrouble as trouble:
            _log.info("the audit waits: %s", trouble)


def written_thing(thing: Thing, *, seat: int | None = None, item: str | None = None) -> str:
    """What a thing is called in the audit: class, assignment, pupil by pseudonym, account by number.

    `seat` stands for a pupil whose pseudonym nobody knows.
    """
    parts = (
        *(("class", thing.class_name if isinstance(thing.class_name, str) else None), ("assignment", thing.assignment)),
        *(("pupil", thing.pupil.hex() if thing.pupil is not None else None), ("person", thing.person)),
        *(("seat", seat), ("item", item)),
    )
    return " ".join(f"{name}={value}" for name, value in parts if value is not None)


class Wanted(NamedTuple):
    """Which lines: of these people, from a moment on and before another (Unix ms). None: no matter which."""

    people: Collection[int] | None = None
    from_ms: int | None = None
    until_ms: int | None = None


async def lines(
    connection: AsyncConnection,
    school: str | None,
    wanted: Wanted = Wanted(),  # noqa: B008 - a value that nobody changes
    *,
    before: tuple[int, int] | None = None,
    limit: int = 100,
) -> list[Line]:
    """Lines of a school, or with None of no one school, newest first; those before a line's time and number."""
    table = office_audit if school is None else audit
    query = select(table).order_by(table.c.at_ms.desc(), table.c.audit_id.desc()).limit(limit)
    if school is not None:
        query = query.where(audit.c.school_id == school)
    if wanted.people is not None:
        query = query.where(table.c.person_id.in_(wanted.people))
    if wanted.from_ms is not None:
        query = query.where(table.c.at_ms >= wanted.from_ms)
    if wanted.until_ms is not None:
        query = query.where(table.c.at_ms < wanted.until_ms)
    if before is not None:
        query = query.where(tuple_(table.c.at_ms, table.c.audit_id) < before)
    found = await connection.execute(query)
    return [Line(row.at_ms, row.audit_id, school, row.person_id, row.deed, row.thing, row.detail) for row in found]


async def _write(connection: AsyncConnection, some: list[Line]) -> None:
    known = set(await connection.scalars(select(schools.c.school_id)))
    of_schools, of_none = [], []
    for line in some:
        row = {
            "at_ms": line.at_ms,
            "audit_id": line.id,
            "person_id": line.person,
            "deed": line.deed,
            "thing": line.thing,
            "detail": line.detail,
        }
        if line.school in known:
            of_schools.append(row | {"school_id": line.school})
        else:  # somebody asked for a school that there is not
            thing = row["thing"] if line.school is None else f"school={one_line(line.school, limit=64)} {row['thing']}"
            of_none.append(row | {"thing": one_line(thing, limit=255)})
    if of_schools:
        await connection.execute(insert(audit), of_schools)
    if of_none:
        await connection.execute(insert(office_audit), of_none)
