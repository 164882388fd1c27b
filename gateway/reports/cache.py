"""Figures that were made a moment ago are not made again: kept in memory, by what they are of and of which version.

Class reports have names in them: they stay in this process's memory, and what opens them for a page looks at the rules
first. Nothing here knows persons or languages.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, NamedTuple, TypeVar
from weakref import WeakValueDictionary

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.keys import Vault
from gateway.reports.class_report import SchoolReport, class_report
from gateway.reports.district_report import district_report
from gateway.reports.figures import DistrictFigures, SchoolFigures
from gateway.reports.periods import Term
from gateway.reports.school_report import ListSizes, school_report
from gateway.reports.summaries import Place
from gateway.store.archived import refuse_archived
from gateway.store.months import known_months
from gateway.store.reading import class_version
from homework.errors import ClassboxError

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class NoSuchHomeworkError(ClassboxError):
    """Neither a worksheet of that name nor any sheet of it ever came to the school."""


class _Entry(NamedTuple, Generic[V]):
    version: object
    made_s: float
    value: V


class Kept(Generic[K, V]):
    """At most `most` values, each for at most `lasts_s` and while its version is the same."""

    def __init__(self, *, most: int, lasts_s: float, now_s: Callable[[], float] = time.monotonic) -> None:
        self._most, self._lasts_s, self._now_s = most, lasts_s, now_s
        self._entries: OrderedDict[K, _Entry[V]] = OrderedDict()
        self._making: WeakValueDictionary[K, asyncio.Lock] = WeakValueDictionary()

    def forget(self) -> None:
        """Keep nothing of what was made so far."""
        self._entries.clear()

    async def of(self, key: K, version: object, make: Callable[[], Awaitable[V]]) -> V:
        """The value that is kept, or a new one. Who asks for the same at once waits for one that is being made."""
        lock = self._making.get(key)
        if lock is None:
            self._making[key] = lock = asyncio.Lock()
        async with lock:
            entry = self._entries.get(key)
            if entry is None or entry.version != version or self._now_s() - entry.made_s >= self._lasts_s:
                began_s = self._now_s()
                self._entries[key] = entry = _Entry(version, began_s, await make())
            self._entries.move_to_end(key)
            while len(self._entries) > self._most:
                self._entries.popitem(last=False)
            return entry.value


class ReportCache:
    """The reports as they are now, or were a moment ago.

    A class's is of the version that is there now (`gateway.store.reading.ReportVersion`); what time alone changes in it
    is at most `class_lasts_s` old. Those of schools and of the district follow some seconds after the sheets anyway.
    """

    def __init__(
        self, vault: Vault, *, class_lasts_s: float = 60.0, school_lasts_s: float = 15.0, district_lasts_s: float = 60.0
    ) -> None:
        self._vault = vault
        self._classes: Kept[Place, SchoolReport] = Kept(most=64, lasts_s=class_lasts_s)
        self._schools: Kept[tuple[str, Term], SchoolFigures | None] = Kept(most=200, lasts_s=school_lasts_s)
        self._districts: Kept[tuple[Term, str | None, int | None], DistrictFigures] = Kept(
            most=20, lasts_s=district_lasts_s
        )
        self._sizes = ListSizes()

    def forget(self) -> None:
        """Keep nothing of what was made so far: whoever looks next sees what there is now."""
        for kept in (self._classes, self._schools, self._districts):
            kept.forget()

    async def class_report(self, connection: AsyncConnection, place: Place) -> SchoolReport:
        """The report of a class: empty before its first sheet.

        Raises `ClassboxError` when there is no such school, `NoSuchHomeworkError`, `InArchiveError`.
        """
        # Read before the report, in the same snapshot: it is never called newer than it is.
        version = await class_version(connection, place.school, place.class_name, place.assignment)
        if version.rows == 0:
            await refuse_archived(connection, place.school, place.assignment)  # or a whole class would be missing
        report = await self._classes.of(
            place,
            version,
            lambda: class_report(connection, self._vault, place.school, place.class_name, place.assignment),
        )
        nothing_here = version.rows == 0 and report.assignment is None
        # Of any class: of what another one was given, this one has only not handed in yet.
        if nothing_here and not await known_months(connection, place.school, [place.assignment]):
            raise NoSuchHomeworkError(
                "No homework {assignment} has come to this school.",
                remedy="Check its name, or wait until the worksheet or a sheet of it has come.",
                assignment=place.assignment,
            )
        return report

    async def school_report(
        self, connection: AsyncConnection, school: str, term: Term, *, now_ms: int
    ) -> SchoolFigures | None:
        """The figures of a school; None for one that is not here."""
        return await self._schools.of(
            (school, term), None, lambda: school_report(connection, school, term, now_ms=now_ms)
        )

    async def district_report(
        self, connection: AsyncConnection, term: Term, subject: str | None, grade: int | None, *, now_ms: int
    ) -> DistrictFigures:
        """The figures of all schools."""

        async def make() -> DistrictFigures:
            sizes = await self._sizes.read(connection)
            return await district_report(connection, term, subject=subject, grade=grade, now_ms=now_ms, sizes=sizes)

        return await self._districts.of(
            (term, subject, grade),
            None,
            make,
        )
