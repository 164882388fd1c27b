"""Compares what is worked out ahead with what it is worked out from: summaries with reports, sums with summaries."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.keys import Vault
from gateway.reports.aggregates import Touched, aggregate
from gateway.reports.shelf import Shelf
from gateway.reports.summaries import Place, Summary, summarise
from gateway.store.schools import school_ids
from gateway.store.tables.summaries import class_summaries

_MOVES_WITH_TIME = {"late", "time_unknown", "limit_ms"}
"""A box that learns what time it is changes these, and no version says so."""


class SummaryCheck(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What was looked at, and in words what does not agree. `waiting` are older than what they are of: no fault."""

    summaries: int
    waiting: int
    faults: tuple[str, ...]


async def check_summaries(connection: AsyncConnection, vault: Vault) -> SummaryCheck:
    """Make every class's summary and every sum anew, one school at a time, and compare. Some 25 ms a summary."""
    looked = waiting = 0
    faults: list[str] = []
    for school in await school_ids(connection):
        touched = Touched()
        shelf = Shelf(connection, vault, school)
        for row in await _rows(connection, school):
            if not row.rows_version:  # its month was archived: what was told of it stays
                continue
            looked += 1
            place = Place(school, row.class_name, row.assignment)
            right = await summarise(shelf, place.work)
            if _versions(row) != _versions(right):
                waiting += 1
            else:
                faults += [f"{school}: the summary of {place.class_name}, {place.assignment} says {one}"
                           for one in _differences(row, right)]  # fmt: skip
            if place.class_name:
                touched.add(place.class_name, row.day, row.subject)
        wrong = await aggregate(connection, school, touched, look_only=True)
        faults += [f"{school}: the sum {one} is not that of its summaries" for one in wrong]
    return SummaryCheck(summaries=looked, waiting=waiting, faults=tuple(faults))


async def _rows(connection: AsyncConnection, school: str) -> list[Any]:
    columns = class_summaries.c
    query = select(class_summaries).where(columns.school_id == school).order_by(columns.class_name, columns.assignment)
    return list(await connection.execute(query))


def _versions(row: Any) -> tuple[int, int, int, bytes]:
    return row.rows_version, row.roster_version, row.settings_version, bytes(row.made_of)


def _differences(row: Any, right: Summary) -> list[str]:
    """The columns that differ. The counts are told, never the points: those names are long."""
    names = [field for field in Summary.__struct_fields__ if field not in _MOVES_WITH_TIME]
    return [f"another {name}" for name in names if _plain(getattr(row, name)) != _plain(getattr(right, name))]


def _plain(value: Any) -> Any:
    return bytes(value) if isinstance(value, memoryview) else value
