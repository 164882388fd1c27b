"""Keeps the summaries of classes, and what schools and districts are told from them, up to date.

What hangs on class lists, worksheets, settings and due times cannot be counted up as sheets arrive. So a class's
summary is made anew from its pages, by the same function as its report, once it has been quiet for some seconds.
Several gateways on one database share the schools (`gateway.reports.shares`): one at a time works at a school, and
whoever comes to a school after another looks first what is still to be done. Nothing rests on being told: what was
missed is found by comparing versions (`gateway.reports.sweep`).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import date, tzinfo
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import bindparam, select, tuple_
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.clock import unix_ms
from gateway.ingest import Changed
from gateway.reports.aggregates import Touched, aggregate, count_days, freshness, uncounted_days
from gateway.reports.past_absences import excused_then
from gateway.reports.periods import day_at, day_number
from gateway.reports.shares import LASTS_S, NotOurTurn, Shares
from gateway.reports.shelf import Shelf
from gateway.reports.summaries import Place, Summary, summarise
from gateway.reports.sweep import ROSTER_COUNTS_FOR, Versions, changed_schools, out_of_date, overdue
from gateway.store.dialect import add_or_replace, batched, lock_school
from gateway.store.parsed import forms_of, keep_forms, texts_to_pack
from gateway.store.store import Store
from gateway.store.tables.summaries import class_summaries
from sync.errors import StoreTrouble

_log = logging.getLogger(__name__)
_AGAIN_S = LASTS_S / 3
"""How soon a school that is another's is tried again."""
_AT_ONCE = 20
"""Classes in one transaction."""
CLOSED_AFTER_MS = 3_600_000
"""So long after it was due a class's homework is called finished, whoever is missing."""
NEWS_FOR_MS = 2 * 86_400_000
"""What was over longer ago is finished without a word: a gateway that learns of old homework has no news."""


class Finished(NamedTuple):
    """A class's homework of which all is in, or that was due an hour ago. It is said once."""

    place: Place
    at_ms: int
    summary: Summary


OnFinished = Callable[[AsyncConnection, Sequence[Finished]], Awaitable[None]]
"""Is called in the transaction that says so, so that what it writes is there exactly when that is."""


class _Waiting(NamedTuple):
    """Since when a class waits for a look, and when it changed last (`time.monotonic`)."""

    first_s: float
    last_s: float


async def _nothing(connection: AsyncConnection, finished: Sequence[Finished]) -> None:
    """Nobody wants to know."""


class SummaryWorker:
    """Told what has changed (`tell`), works it off in `run`. `quiet_s` is how long a class has to be quiet before.

    A class that never is, is looked at `longest_s` after its first change. After some classes of a school others wait
    `gather_s` (None: twice `quiet_s`) for one another, because a transaction costs as much as a summary in it. Every
    `sweep_s` all is compared, every `look_s` it is looked for homework that was due, and no sooner again through a
    school that has something new. `zone` is where the schools are (None: where this machine is).
    """

    def __init__(
        self,
        store: Store,
        *,
        on_finished: OnFinished = _nothing,
        zone: tzinfo | None = None,
        quiet_s: float = 5.0,
        longest_s: float = 60.0,
        gather_s: float | None = None,
        look_s: float = 60.0,
        sweep_s: float = 600.0,
        now_ms: Callable[[], int] = unix_ms,
    ) -> None:
        """Nothing happens before `run` or `catch_up`."""
        self._store = store
        self._on_finished = on_finished
        self._zone = zone
        self._quiet_s, self._longest_s, self._look_s, self._sweep_s = quiet_s, longest_s, look_s, sweep_s
        self._gather_s = 2 * quiet_s if gather_s is None else gather_s
        self._now_ms = now_ms
        self._waiting: dict[Place, _Waiting] = {}
        self._schools: set[str] = set()
        self._shares = Shares(store.name)
        self._theirs_until_s: dict[str, float] = {}
        self._known: dict[str, Versions] = {}
        self._school_looked_s: dict[str, float] = {}
        self._worked_s: dict[str, float] = {}
        self._looked_s = self._swept_s = float("-inf")
        self._news = asyncio.Event()
        self._hurries = False
        self.made = 0
        """Summaries that were made so far."""

    def tell(self, changed: Iterable[Changed] | None) -> None:
        """Something has changed: of a class, of all of a school, or (None) anything anywhere."""
        now_s = time.monotonic()
        if changed is None:
            self._swept_s = float("-inf")
        for one in changed or ():
            if one.assignment is None or one.class_name is None:
                self._schools.add(one.school)
            else:
                place = Place(one.school, one.class_name, one.assignment)
                first_s = self._waiting[place].first_s if place in self._waiting else now_s
                self._waiting[place] = _Waiting(first_s, now_s)
        self._news.set()

    async def run(self) -> None:
        """Work until cancelled."""
        try:
            while True:
                try:
                    await self._turn()
                except StoreTrouble as trouble:
                    _log.info("summaries have to wait: %s", trouble)
                    self._forget()
                    await asyncio.sleep(self._quiet_s)
                await self._rest()
        finally:
            with suppress(StoreTrouble):
                async with self._store.writing() as connection:
                    await self._shares.give_back(connection)

    async def catch_up(self) -> int:
        """Compare everything and work it off, without waiting. Returns how many summaries were made.

        Schools at which another gateway is at work are left to it; `theirs` says which.
        """
        before = self.made
        self._forget()
        self._hurries = True
        await self._turn()
        self._hurries = False
        return self.made - before

    @property
    def theirs(self) -> frozenset[str]:
        """The schools at which another gateway was at work when this one last came to them."""
        return frozenset(self._theirs_until_s)

    async def _turn(self) -> None:
        """Do what there is to do now."""
        await self._look()
        now_s = time.monotonic()
        schools = {school for school in self._schools if self._due_s(school) <= now_s}
        schools |= {place.school for place in self._waiting if self._ripe_s(place) <= now_s}
        for school in self._shares.in_order(schools):
            try:
                await self._work_at(school)
            except NotOurTurn:
                self._leave(school)

    async def _work_at(self, school: str) -> None:
        """Do what there is to do at one school. Raises `NotOurTurn` when another gateway works there."""
        was_anothers = False
        if not self._shares.has(school):
            async with self._store.writing() as connection:
                was_anothers = await self._shares.take(connection, school)
        self._theirs_until_s.pop(school, None)
        now_s = time.monotonic()
        if was_anothers or (school in self._schools and self._due_s(school) <= now_s):
            await self._look_through(school, was_anothers=was_anothers)
        ripe = sorted(place for place in self._waiting if place.school == school and self._ripe_s(place) <= now_s)
        if ripe:
            self._worked_s[school] = now_s
        for start in range(0, len(ripe), _AT_ONCE):  # of a class one after another: they share its list
            began_s = time.monotonic()
            await self._keep(school, ripe[start : start + _AT_ONCE])
            await self._pause(began_s)

    def _leave(self, school: str) -> None:
        """Another gateway is there, and may die before it is done: this one comes back and looks."""
        self._theirs_until_s[school] = time.monotonic() + _AGAIN_S
        self._schools.add(school)
        self._known.pop(school, None)
        self._school_looked_s.pop(school, None)

    async def _pause(self, began_s: float) -> None:
        """After an update there may be a whole term to do: pages and sheets come first."""
        if not self._hurries:
            await asyncio.sleep(min(1.0, time.monotonic() - began_s))

    async def _rest(self) -> None:
        """Until there may be something to do."""
        now_s = time.monotonic()
        next_s = min(
            self._looked_s + self._look_s,
            self._swept_s + self._sweep_s,
            *map(self._ripe_s, self._waiting),
            *map(self._due_s, self._schools),
        )
        self._news.clear()
        if self._waiting or self._schools:  # what comes meanwhile is not ripe before
            # Not for every class by itself: hundreds may be waiting, and all are looked at each time.
            await asyncio.sleep(min(self._quiet_s, max(self._quiet_s / 10, next_s - now_s)))
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, next_s - now_s)):
                await self._news.wait()

    def _ripe_s(self, place: Place) -> float:
        waiting = self._waiting[place]
        ripe_s = min(waiting.last_s + self._quiet_s, waiting.first_s + self._longest_s)
        gathered_s = self._worked_s.get(place.school, float("-inf")) + self._gather_s
        return max(ripe_s, gathered_s, self._theirs_until_s.get(place.school, float("-inf")))

    def _due_s(self, school: str) -> float:
        """When a school of which something has changed may be looked through again.

        In the hour before lessons worksheets come all the time, and with them the sheets, of which is told class by
        class: a look through the term's summaries for each would be all that a gateway does.
        """
        due_s = self._school_looked_s.get(school, float("-inf")) + self._look_s
        return max(due_s, self._theirs_until_s.get(school, float("-inf")))

    def _forget(self) -> None:
        """All is compared next, so that nothing has to be remembered."""
        self._waiting.clear()
        self._schools.clear()
        self._theirs_until_s.clear()
        self._shares.forget()
        self._known.clear()
        self._school_looked_s.clear()
        self._worked_s.clear()
        self._looked_s = self._swept_s = float("-inf")

    async def _look(self) -> None:
        """Find what nobody said: homework that is over, and schools of which something has changed."""
        now_s = time.monotonic()
        if now_s - self._looked_s >= self._look_s:
            self._looked_s = now_s
            async with self._store.reading() as connection:
                self._at_once(await overdue(connection, self._now_ms() - CLOSED_AFTER_MS))
        if now_s - self._swept_s >= self._sweep_s:
            self._swept_s = now_s  # before the look: what is told meanwhile may be newer than what it sees
            async with self._store.reading() as connection:
                found = await changed_schools(connection, self._known)
            self._schools |= found
            for school in found:
                self._school_looked_s.pop(school, None)

    async def _look_through(self, school: str, *, was_anothers: bool) -> None:
        """Find a school's summaries that are older than what they are of. What another has done meanwhile is done."""
        now_s = time.monotonic()
        self._schools.discard(school)
        before = {place: waiting for place, waiting in self._waiting.items() if place.school == school}
        known = None if was_anothers else self._known.get(school)
        async with self._store.reading() as connection:
            found, versions = await out_of_date(connection, school, self._today(), known)
            if was_anothers:
                found += await overdue(connection, self._now_ms() - CLOSED_AFTER_MS, school)
        if was_anothers:
            for place in before.keys() - found:
                if self._waiting.get(place) == before[place]:  # else something has changed since the look
                    del self._waiting[place]
        self._at_once(found)
        if versions is not None:
            self._known[school] = versions
        self._school_looked_s[school] = now_s
        await self._pack(school)
        if known is None:
            await self._count(school)

    async def _pack(self, school: str) -> None:
        """Make the worksheets ready to be read that are not: those that came since, or after an update all."""
        while True:
            async with self._store.reading() as connection:
                texts = await texts_to_pack(connection, school)
            if not texts:
                return
            began_s = time.monotonic()
            forms = await forms_of(texts)
            async with self._store.writing() as connection:
                await self._shares.keep(connection, school)
                await lock_school(connection, school)
                await keep_forms(connection, school, forms)
            await self._pause(began_s)

    async def _count(self, school: str) -> None:
        """Count the pupils of the days that a gateway before this version summed up."""
        while True:
            async with self._store.reading() as connection:
                days = await uncounted_days(connection, school, most=_AT_ONCE)
            if not days:
                return
            began_s = time.monotonic()
            async with self._store.writing() as connection:
                await self._shares.keep(connection, school)
                await count_days(connection, school, days)
            await self._pause(began_s)

    def _at_once(self, places: Iterable[Place]) -> None:
        for place in places:
            self._waiting.setdefault(place, _Waiting(0.0, 0.0))

    def _today(self) -> date:
        return day_at(self._now_ms(), self._zone)

    async def _keep(self, school: str, places: Sequence[Place]) -> None:
        """Make the summaries of some classes of a school anew, and bring the sums over them up to date."""
        seen = {place: self._waiting.get(place) for place in places}
        async with self._store.reading() as connection:
            shelf = Shelf(connection, self._store.vault, school)
            await shelf.fetch([place.work for place in places])
            made = {place: summary for place in places if (summary := await self._summary(shelf, place))}
        async with self._store.writing() as connection:
            await self._shares.keep(connection, school)
            await self._write(connection, school, made)
        self.made += len(made)
        for place, waiting in seen.items():
            if self._waiting.get(place) == waiting:  # else it has changed meanwhile
                self._waiting.pop(place, None)

    async def _summary(self, shelf: Shelf, place: Place) -> Summary | None:
        try:
            return await summarise(shelf, place.work, zone=self._zone)
        except (SQLAlchemyError, StoreTrouble, OSError):
            raise
        except Exception:  # noqa: BLE001 - one class that cannot be told must not keep all others from it
            _log.exception("the summary of class %s, %s at %s failed", place.class_name, place.assignment, place.school)
            return None

    async def _write(self, connection: AsyncConnection, school: str, made: Mapping[Place, Summary]) -> None:
        now_ms, today = self._now_ms(), self._today()
        before = await _kept(connection, school, made)
        rows, finished, touched = [], [], Touched()
        for place, summary in made.items():
            old = before.get(place)
            now = summary
            if old is not None and _is_of_an_older_list(summary, old, today):
                excused = await excused_then(connection, self._store.vault, place, summary.day)
                now = _with_its_own_roster(summary, old, excused)
            finished_ms = None if old is None else old.finished_ms
            if finished_ms is None and _is_over(now, now_ms):
                finished_ms = now_ms
                if max(now.last_ms or 0, now.due_ms or 0) >= now_ms - NEWS_FOR_MS:
                    finished.append(Finished(place, now_ms, now))
            rows.append({**place._asdict(), **msgspec.structs.asdict(now), "finished_ms": finished_ms})
            if place.class_name:
                touched.add(place.class_name, now.day, now.subject)
                if old is not None:
                    touched.add(place.class_name, old.day, old.subject)
        for row in rows:
            row["school_id"] = row.pop("school")
        if rows:
            await connection.execute(add_or_replace(connection, class_summaries), rows)
            await aggregate(connection, school, touched)
            await freshness(connection, school, today)
        if finished:
            await self._on_finished(connection, finished)


def _is_over(summary: Summary, now_ms: int) -> bool:
    """Whether all is in, or an hour has gone by since it was due."""
    closed = summary.due_ms is not None and summary.due_ms + CLOSED_AFTER_MS <= now_ms
    return summary.all_in or (closed and summary.handed_in > 0)


def _is_of_an_older_list(summary: Summary, old: Any, today: date) -> bool:
    return bool(summary.roster_version != old.roster_version and summary.day < day_number(today - ROSTER_COUNTS_FOR))


def _with_its_own_roster(summary: Summary, old: Any, excused: int | None) -> Summary:
    """Of old homework the class list of its own time stays: today's says who sits there now. It says of which it is.

    Who is `excused` by that list may be told later, too; None: that is not known any more.
    """
    excused = old.excused if excused is None else excused
    return msgspec.structs.replace(
        summary,
        roster_version=old.roster_version,
        size=old.size,
        expected=max(old.expected + old.excused - excused, summary.handed_in),
        excused=excused,
    )


async def _kept(connection: AsyncConnection, school: str, places: Iterable[Place]) -> dict[Place, Any]:
    found: dict[Place, Any] = {}
    for some in batched(sorted(places)):
        given = {"school": school, "names": [(place.assignment, place.class_name) for place in some]}
        for row in await connection.execute(_KEPT, given):
            found[Place(school, row.class_name, row.assignment)] = row
    return found


_KEPT = select(class_summaries).where(
    class_summaries.c.school_id == bindparam("school"),
    tuple_(class_summaries.c.assignment, class_summaries.c.class_name).in_(bindparam("names", expanding=True)),
)
