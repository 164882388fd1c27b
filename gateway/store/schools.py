"""Schools, their boxes and their pupils. Keys lie sealed under the gateway's key, names under the school's."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cache, lru_cache
from typing import Any, NamedTuple

from sqlalchemy import Row, Select, bindparam, delete, func, insert, select, tuple_, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.clock import unix_ms
from gateway.keys import Vault
from gateway.store.asking import Asked
from gateway.store.dialect import add_or_replace, among, batched
from gateway.store.erased import not_erased
from gateway.store.rollups import touch_school
from gateway.store.tables.schools import boxes, pupils, schools
from homework.by_name import by_name
from homework.errors import ClassboxError, UsageError
from homework.roster import Pupil, Roster
from provisioning.keys import new_box_key, new_school_key
from sync.pseudonym import pseudonym
from sync.topics import checked_id

_BOXES = Asked("boxes_named", school_id="TEXT", box_id="TEXT")

LONGEST_TITLE = 128


class KnownPupil(NamedTuple):
    """A pupil of the gateway's own roster."""

    pseudonym: bytes
    pupil: Pupil


class KnownBox(NamedTuple):
    """A box as the gateway knows it. `heard_ms` is Unix time in milliseconds, None for one never heard."""

    school: str
    box: str
    heard_ms: int | None


class Seats(NamedTuple):
    """Who sits where, as far as ingest asked: classes of pseudonyms, and pseudonyms of (class, seat)."""

    class_of: Mapping[bytes, str]
    pupil_at: Mapping[tuple[str, int], bytes]


async def add_school(connection: AsyncConnection, vault: Vault, school: str, *, title: str = "") -> None:
    """Make a school with a fresh key; `title` is what people call it.

    Raises `ClassboxError` when it is there already or the id cannot be one.
    """
    try:
        await connection.execute(
            insert(schools),
            {
                "school_id": checked_id(school),
                "key_sealed": vault.seal(new_school_key(), purpose=f"school {school}"),
                "added_ms": unix_ms(),
                "title": title,
            },
        )
    except IntegrityError as error:
        raise ClassboxError(
            "The school {school} is here already.",
            remedy="Enrol its boxes with `classgate school enrol`.",
            school=school,
        ) from error


async def school_titles(connection: AsyncConnection) -> dict[str, str]:
    """What people call each school, by its id and in the order of what it is called; the id where nobody said."""
    return dict(_in_order(tuple([(name, title or name) for name, title in await connection.execute(_TITLES)])))


@lru_cache(maxsize=16)
def _in_order(titles: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(titles, key=lambda one: (by_name(one[1]), by_name(one[0]))))


_TITLES = select(schools.c.school_id, schools.c.title)


def checked_title(title: str) -> str:
    """What people call a school, as it is kept. Raises `UsageError`."""
    text = " ".join(title.split())
    if len(text) > LONGEST_TITLE or not text.isprintable():
        raise UsageError(
            "That cannot be a school's name.", remedy="Give one of at most {most} signs.", most=LONGEST_TITLE
        )
    return text


async def set_title(connection: AsyncConnection, vault: Vault, school: str, title: str) -> None:
    """Say what people call a school. Raises `ClassboxError` when there is none, `UsageError` for no such name."""
    await school_key(connection, vault, school)
    values = {"title": checked_title(title)}
    await connection.execute(update(schools).where(schools.c.school_id == school).values(values))


async def school_ids(connection: AsyncConnection) -> tuple[str, ...]:
    """All schools, by id."""
    return tuple((await connection.execute(_SCHOOLS)).scalars())


async def is_here(connection: AsyncConnection, school: str) -> bool:
    """Whether there is a school of that id."""
    return (await connection.execute(_HERE, {"school": school})).first() is not None


async def school_key(connection: AsyncConnection, vault: Vault, school: str) -> bytes:
    """The key under which a school's names are sealed and its pseudonyms made. Raises `ClassboxError`."""
    sealed = (await connection.execute(_KEY, {"school": school})).scalar_one_or_none()
    if sealed is None:
        raise ClassboxError(
            "There is no school {school} here.", remedy="Add it with `classgate school add {school}`.", school=school
        )
    return vault.open(sealed, purpose=f"school {school}")


_KEY = select(schools.c.key_sealed).where(schools.c.school_id == bindparam("school"))
_HERE = select(schools.c.school_id).where(schools.c.school_id == bindparam("school"))
_SCHOOLS = select(schools.c.school_id).order_by(schools.c.school_id)
_KEY_BESIDE = _KEY.scalar_subquery().label("key_sealed")
"""To ask for it by itself costs as much as to ask for the names."""
_CLASS = (
    select(pupils, _KEY_BESIDE)
    .where(pupils.c.school_id == bindparam("school"), pupils.c.class_name == bindparam("class_name"))
    .order_by(pupils.c.seat)
)


async def enrol_box(connection: AsyncConnection, vault: Vault, school: str, box: str) -> bytes:
    """Give a box a fresh key (32 bytes) and return it; a key that it had before is void from now on."""
    key = new_box_key()
    row = {
        "school_id": school,
        "box_id": checked_id(box),
        "key_sealed": vault.seal(key, purpose=f"box {school}/{box}"),
        "added_ms": unix_ms(),
    }
    await connection.execute(add_or_replace(connection, boxes, only=("key_sealed",)), row)
    return key


async def box_key(connection: AsyncConnection, vault: Vault, school: str, box: str) -> bytes | None:
    """The key of an enrolled box, None for one that is not."""
    found = await connection.execute(
        select(boxes.c.key_sealed).where(boxes.c.school_id == school, boxes.c.box_id == box)
    )
    sealed = found.scalar_one_or_none()
    return None if sealed is None else vault.open(sealed, purpose=f"box {school}/{box}")


async def sealed_box_keys(
    connection: AsyncConnection, names: Collection[tuple[str, str]]
) -> dict[tuple[str, str], bytes]:
    """The keys of those boxes (school, box) that are enrolled, as they lie in the store."""
    dialect = connection.dialect.name
    found = await connection.execute(_boxes_named(dialect), _BOXES.values(dialect, sorted(names)))
    return {(row.school_id, row.box_id): bytes(row.key_sealed) for row in found}


@cache
def _boxes_named(dialect: str) -> Select[Any]:
    return _BOXES.matching(dialect, boxes)


async def void_box(connection: AsyncConnection, vault: Vault, school: str, box: str) -> None:
    """Take nothing more from a box until it is enrolled anew; what it sent before stays and counts.

    Its key is replaced by one that nobody is told. Raises `ClassboxError` when there is no such box.
    """
    if await box_key(connection, vault, school, box) is None:
        raise not_enrolled(school, box)
    await enrol_box(connection, vault, school, box)


async def all_boxes(connection: AsyncConnection) -> tuple[KnownBox, ...]:
    """Every box that was ever enrolled, by school and name."""
    columns = (boxes.c.school_id, boxes.c.box_id, boxes.c.heard_ms)
    found = await connection.execute(select(*columns).order_by(boxes.c.school_id, boxes.c.box_id))
    return tuple(KnownBox(*row) for row in found)


def not_enrolled(school: str, box: str) -> ClassboxError:
    """What is said of a box that nobody knows."""
    return ClassboxError(
        "The box {box} of school {school} is not enrolled here.",
        remedy="Enrol it with `classgate school enrol {school} {box} --broker URL`.",
        school=school,
        box=box,
    )


async def import_roster(connection: AsyncConnection, vault: Vault, school: str, roster: Roster) -> None:
    """Make the classes of a roster what it says; classes that it does not name stay as they are.

    Who was erased at the school is left out (`gateway.keeping.forgetting.readmit`).
    """
    key = await school_key(connection, vault, school)
    names = Vault(key)
    rows = []
    for pupil in await not_erased(connection, key, school, roster.pupils):
        alias = pseudonym(key, pupil.pupil_id)
        rows.append(
            {
                "school_id": school,
                "pseudonym": alias,
                "class_name": pupil.class_name,
                "seat": pupil.seat,
                "name_sealed": names.seal(pupil.name.encode(), purpose=f"name {alias.hex()}"),
                "pupil_id_sealed": names.seal(pupil.pupil_id.encode(), purpose=f"id {alias.hex()}"),
            }
        )
    await connection.execute(
        delete(pupils).where(pupils.c.school_id == school, pupils.c.class_name.in_(roster.classes()))
    )
    if rows:
        await connection.execute(add_or_replace(connection, pupils), rows)
    await touch_school(connection, school, "roster")


async def class_pupils(
    connection: AsyncConnection, vault: Vault, school: str, class_name: str
) -> tuple[KnownPupil, ...]:
    """The pupils of a class by seat, with their names opened."""
    found = list(await connection.execute(_CLASS, {"school": school, "class_name": class_name}))
    if not found:
        await school_key(connection, vault, school)  # there may be no such school
        return ()
    return _opened(vault, school, found)


async def pupils_named(
    connection: AsyncConnection, vault: Vault, school: str, aliases: Collection[bytes]
) -> tuple[KnownPupil, ...]:
    """The pupils of these pseudonyms, whatever their class; those not in the roster are left out."""
    query = _named(connection.dialect.name)
    found = [
        row
        for some in batched(sorted(aliases))
        for row in await connection.execute(query, {"school": school, "aliases": some})
    ]
    return _opened(vault, school, found) if found else ()


@cache
def _named(dialect: str) -> Select[Any]:
    named = among(dialect, pupils.c.pseudonym, "aliases")
    return select(pupils, _KEY_BESIDE).where(pupils.c.school_id == bindparam("school"), named)


def _opened(vault: Vault, school: str, rows: Sequence[Row[Any]]) -> tuple[KnownPupil, ...]:
    return opened_pupils(vault.open(rows[0].key_sealed, purpose=f"school {school}"), rows)


async def class_sizes(connection: AsyncConnection, school: str) -> dict[str, int]:
    """How many pupils each class of the roster has."""
    found = await connection.execute(_SIZES, {"school": school})
    return {name: int(n) for name, n in found}


_SIZES = (
    select(pupils.c.class_name, func.count())
    .where(pupils.c.school_id == bindparam("school"))
    .group_by(pupils.c.class_name)
)


async def seats_of(
    connection: AsyncConnection, school: str, asked: tuple[Collection[bytes], Collection[tuple[str, int]]]
) -> Seats:
    """Classes of pseudonyms and pseudonyms of seats, where the roster knows them."""
    aliases, places = asked
    class_of: dict[bytes, str] = {}
    pupil_at: dict[tuple[str, int], bytes] = {}
    seat = tuple_(pupils.c.class_name, pupils.c.seat)
    wanted = [pupils.c.pseudonym.in_(some) for some in batched(sorted(aliases))]
    wanted += [seat.in_(some) for some in batched(sorted(places))]
    for condition in wanted:
        for row in await connection.execute(select(pupils).where(pupils.c.school_id == school, condition)):
            class_of[bytes(row.pseudonym)] = row.class_name
            pupil_at[(row.class_name, row.seat)] = bytes(row.pseudonym)
    return Seats(class_of, pupil_at)


def opened_pupils(key: bytes, rows: Sequence[object]) -> tuple[KnownPupil, ...]:
    """Rows of `pupils` with their names opened, under the school's key."""
    names = Vault(key)

    def opened(row: object) -> KnownPupil:
        alias = bytes(row.pseudonym)  # type: ignore[attr-defined]
        name = names.open(row.name_sealed, purpose=f"name {alias.hex()}").decode()  # type: ignore[attr-defined]
        pupil_id = names.open(row.pupil_id_sealed, purpose=f"id {alias.hex()}").decode()  # type: ignore[attr-defined]
        return KnownPupil(alias, Pupil(row.class_name, row.seat, name, pupil_id))  # type: ignore[attr-defined]

    return tuple(opened(row) for row in rows)
