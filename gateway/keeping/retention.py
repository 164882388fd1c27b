"""What is old goes by itself, once a day: months into the archive and away, and what people and programs left behind.

Of several gateways on one database one does it (a lease). Nothing is lost when it is killed: each step is whole.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from sqlalchemy import delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.clock import unix_ms
from gateway.config import RetentionConfig
from gateway.keeping.archiving import archive_month, finish, first_kept, months_before
from gateway.keeping.clean_archives import clean_archives
from gateway.keeping.unarchiving import looked_at
from gateway.store.leases import give_lease_back, is_leased, take_lease
from gateway.store.schools import school_ids
from gateway.store.store import Store
from gateway.store.tables.past import erased_pupils
from gateway.store.tables.people import audit, known_devices, links, office_audit, sessions, wrong_tries
from gateway.store.tables.programs import hook_calls
from homework.errors import ClassboxError
from sync.errors import StoreTrouble

_log = logging.getLogger(__name__)
DAY_MS: Final = 86_400_000
LEAST_AUDIT_DAYS: Final = 180
"""The database itself refuses to let go of younger lines of the audit."""
_LINK_DAYS, _SESSION_DAYS, _DEVICE_DAYS, _CALL_DAYS, _PLACE_DAYS = 30, 90, 400, 90, 180
_NAME = "retention"
_LASTS_MS = 3_600_000
_FIRST_S, _EVERY_S = 300.0, 86_400.0
_AT_ONCE = 1_000


class Retention:
    """Does it daily, from some minutes after the start on, until cancelled."""

    def __init__(
        self,
        store: Store,
        config: RetentionConfig,
        *,
        now_ms: Callable[[], int] = unix_ms,
    ) -> None:
        self._store, self._config, self._now_ms = store, config, now_ms

    async def run(self) -> None:
        """Until cancelled."""
        await asyncio.sleep(_FIRST_S)
        while True:
            try:
                await self.once()
            except StoreTrouble as trouble:
                _log.info("what is old has to wait: %s", trouble)
            except Exception:  # noqa: BLE001 - another day it may go; the gateway goes on meanwhile
                _log.exception("what is old could not be taken away")
            await asyncio.sleep(_EVERY_S)

    async def once(self) -> bool:
        """Do it now; False while another gateway does. Raises `StoreTrouble`."""
        if not await self._mine():
            return False
        try:
            await finish(self._store, now_ms=self._now_ms())
            await clean_archives(self._store)
            if self._config.months is not None:
                await self._old_months(self._config.months)
            await forget_traces(self._store, now_ms=self._now_ms(), audit_months=self._config.audit_months)
        finally:
            with suppress(StoreTrouble):
                async with self._store.writing() as connection:
                    await give_lease_back(connection, _NAME, self._store.name)
        return True

    async def _old_months(self, months: int) -> None:
        folder = None if self._config.archive is None else Path(self._config.archive)
        async with self._store.reading() as connection:
            schools = await school_ids(connection)
        for school in schools:
            async with self._store.reading() as connection:
                old = await months_before(connection, school, first_kept(self._now_ms(), months))
            for month in old:
                if not await self._mine():
                    return
                async with self._store.reading() as connection:
                    if await is_leased(connection, looked_at(school, month)):
                        continue
                try:
                    await archive_month(self._store, school, month, folder, now_ms=self._now_ms())
                except ClassboxError as error:  # the others go all the same, and this one another day
                    _log.warning("%s: the month %d stays here: %s", school, month, error)

    async def _mine(self) -> bool:
        async with self._store.writing() as connection:
            return await take_lease(connection, _NAME, self._store.name, lasts_ms=_LASTS_MS)


async def forget_traces(store: Store, *, now_ms: int, audit_months: int | None) -> int:
    """Let go of sessions, links, devices, tries and calls that are over, and of old lines of the audit: how many."""

    def before(days: int) -> int:
        return now_ms - days * DAY_MS

    over = [
        delete(links).where(links.c.until_ms < before(_LINK_DAYS)),
        delete(sessions).where(
            or_(sessions.c.made_ms < before(_SESSION_DAYS), sessions.c.used_ms < before(_SESSION_DAYS))
        ),
        delete(known_devices).where(known_devices.c.used_ms < before(_DEVICE_DAYS)),
        delete(wrong_tries).where(wrong_tries.c.full_ms < now_ms),
    ]
    gone = 0
    async with store.writing() as connection:
        for statement in over:
            gone += (await connection.execute(statement)).rowcount
        for school in await school_ids(connection):
            tried = hook_calls.c.due_ms.is_(None), hook_calls.c.tried_ms < before(_CALL_DAYS)
            calls = delete(hook_calls).where(hook_calls.c.school_id == school, *tried)
            gone += (await connection.execute(calls)).rowcount
            late = erased_pupils.c.school_id == school, erased_pupils.c.erased_ms < before(_PLACE_DAYS)
            await connection.execute(update(erased_pupils).where(*late).values(place=None))
    return gone + await forget_audit(store, now_ms=now_ms, months=audit_months)


async def forget_audit(store: Store, *, now_ms: int, months: int | None) -> int:
    """Let go of lines of the audit that are older than so many months (None: of none); how many."""
    if months is None:
        return 0
    before_ms = now_ms - max(LEAST_AUDIT_DAYS + 1, months * 31) * DAY_MS
    async with store.reading() as connection:
        schools = await school_ids(connection)
    gone = 0
    for school in (*schools, None):
        more = True
        while more:
            async with store.writing() as connection:
                count, more = await _audit_piece(connection, school, before_ms)
            gone += count
    return gone


async def _audit_piece(connection: AsyncConnection, school: str | None, before_ms: int) -> tuple[int, bool]:
    """Let go of some of the oldest lines; how many, and whether there may be more."""
    table = office_audit if school is None else audit
    old = table.c.at_ms < before_ms
    mine = old if school is None else (audit.c.school_id == school) & old
    query = select(table.c.at_ms).where(mine).order_by(table.c.at_ms).limit(1).offset(_AT_ONCE - 1)
    last_ms = (await connection.execute(query)).scalar_one_or_none()
    going = mine if last_ms is None else mine & (table.c.at_ms <= last_ms)
    return (await connection.execute(delete(table).where(going))).rowcount, last_ms is not None
