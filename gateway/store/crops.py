"""Pictures of fields that wait for a person's look, sealed as they came; opened for their own school's people alone."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, bindparam, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.keys import Vault
from gateway.store.dialect import add_or_replace, among, batched
from gateway.store.schools import school_key
from gateway.store.tables.sheets import RowState, crops, page_records
from sync.records import CropRecord, crop_place
from sync.sealing import open_sealed


class CropName(NamedTuple):
    """Which field's picture it is, within a school."""

    capture: bytes
    item: str
    blank: int


class KeptCrop(NamedTuple):
    """A crop that is here, and whose it is as far as the page's record has come."""

    name: CropName
    size: int
    received_ms: int
    assignment: str | None
    class_name: str | None
    seat: int | None


async def keep_crops(connection: AsyncConnection, school: str, came: Sequence[tuple[CropRecord, int]]) -> None:
    """Keep of each field the crop of the greatest revision, of equal ones the one that came last.

    `came` has crops and when they came. They may come out of their order, and before their page.
    """
    newest: dict[CropName, tuple[CropRecord, int]] = {}
    for crop, received_ms in came:
        key = CropName(crop.capture, crop.item, crop.blank)
        before = newest[key][0].revision if key in newest else await _revision(connection, school, key)
        if before is None or before <= crop.revision:
            newest[key] = (crop, received_ms)
    rows = [
        {
            "school_id": school,
            "capture": crop.capture,
            "item": crop.item,
            "blank": crop.blank,
            "revision": crop.revision,
            "sealed": crop.sealed,
            "received_ms": received_ms,
        }
        for _, (crop, received_ms) in sorted(newest.items(), key=lambda one: one[0])
    ]
    if rows:
        await connection.execute(add_or_replace(connection, crops), rows)


async def drop_crops_of_no_page(connection: AsyncConnection, school: str, captures: Collection[bytes]) -> None:
    """Let go of the crops of these captures of which no page is here: nobody can look at them any more."""
    page = select(page_records.c.seq).where(
        page_records.c.school_id == school, page_records.c.capture == crops.c.capture
    )
    for some in batched(sorted(captures)):
        mine = crops.c.school_id == school, crops.c.capture.in_(some)
        await connection.execute(delete(crops).where(*mine, ~page.exists()))


async def list_crops(connection: AsyncConnection, school: str) -> list[KeptCrop]:
    """The crops of a school, the oldest first."""
    pages = (
        select(page_records)
        .where(
            page_records.c.school_id == school,
            page_records.c.state.not_in([int(RowState.SUPERSEDED), int(RowState.ERASED)]),
        )
        .subquery()
    )
    found = await connection.execute(
        select(crops, pages.c.assignment, pages.c.class_name, pages.c.seat)
        .outerjoin(pages, (pages.c.school_id == crops.c.school_id) & (pages.c.capture == crops.c.capture))
        .where(crops.c.school_id == school)
        .order_by(crops.c.received_ms, crops.c.capture, crops.c.item, crops.c.blank)
    )
    return [KeptCrop(_name(r), len(r.sealed), r.received_ms, r.assignment, r.class_name, r.seat) for r in found]


async def open_crop(connection: AsyncConnection, vault: Vault, school: str, name: CropName) -> bytes | None:
    """The picture (WebP) of a field, None when there is none.

    Whoever asks has been found to be of this school. Raises `SealError` when it was sealed under another school's key
    or for another field, `ClassboxError` for a school that is not here.
    """
    found = await connection.execute(select(crops.c.sealed).where(*_is(school, name)))
    sealed = found.scalar_one_or_none()
    if sealed is None:
        return None
    return open_sealed(await school_key(connection, vault, school), bytes(sealed), crop_place(*name))


async def crops_of(connection: AsyncConnection, school: str, captures: Collection[bytes]) -> list[CropName]:
    """The names of the crops that there are of these pages."""
    found: list[CropName] = []
    for some in batched(sorted(captures)):
        rows = await connection.execute(_named(connection.dialect.name), {"school": school, "captures": some})
        found += [_name(row) for row in rows]
    return found


@cache
def _named(dialect: str) -> Select[tuple[Any, ...]]:
    columns = (crops.c.capture, crops.c.item, crops.c.blank)
    mine = crops.c.school_id == bindparam("school"), among(dialect, crops.c.capture, "captures")
    return select(*columns).where(*mine).order_by(*columns)


async def _revision(connection: AsyncConnection, school: str, name: CropName) -> int | None:
    revision: int | None = (await connection.execute(select(crops.c.revision).where(*_is(school, name)))).scalar()
    return revision


def _name(row: Any) -> CropName:
    return CropName(bytes(row.capture), row.item, row.blank)


def _is(school: str, name: CropName) -> tuple[ColumnElement[bool], ...]:
    columns = crops.c
    return (
        columns.school_id == school,
        columns.capture == name.capture,
        columns.item == name.item,
        columns.blank == name.blank,
    )
