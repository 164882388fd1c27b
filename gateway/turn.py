"""Which of several gateways on one database hears the boxes.

What is right does not rest on it: two that take in the same at once are kept apart by the database. A gateway that was
frozen and wakes up believing that it is its turn does no harm.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import time
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from gateway.store.leases import give_lease_back, take_lease
from gateway.store.store import Store
from sync.errors import StoreTrouble

_log = logging.getLogger(__name__)
_NAME = "boxes"


class _Turn:
    """A turn that is taken and lost by `_set`."""

    def __init__(self) -> None:
        self._mine, self._over = asyncio.Event(), asyncio.Event()

    async def mine(self) -> None:
        """Return once it is this gateway's turn."""
        await self._mine.wait()

    async def over(self) -> None:
        """Return once it is no longer."""
        await self._over.wait()

    def _set(self, *, mine: bool) -> None:
        now, before = (self._mine, self._over) if mine else (self._over, self._mine)
        before.clear()
        now.set()


class LockedTurn(_Turn):
    """The turn of who holds the lock on a file: of programs on one machine. Its holder's death frees it at once."""

    def __init__(self, folder: Path, *, look_s: float = 1.0) -> None:
        """The file `turn` in that folder; nothing happens before `run`."""
        super().__init__()
        self._path, self._look_s = folder / "turn", look_s

    async def run(self) -> None:
        """Wait for the lock, then hold it until cancelled."""
        with self._path.open("ab") as file:
            while not self._locked(file):  # noqa: ASYNC110 - a file's lock has no events
                await asyncio.sleep(self._look_s)
            self._set(mine=True)
            await asyncio.Event().wait()

    def _locked(self, file: BinaryIO) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


class LeasedTurn(_Turn):
    """The `sync.gateway_link.Turn` of a store. It is taken over at most `lasts_s` + `renew_s` after a sudden death."""

    def __init__(self, store: Store, *, lasts_s: float = 6.0, renew_s: float = 2.0) -> None:
        """Nothing happens before `run`."""
        super().__init__()
        self._store, self._lasts_s, self._renew_s = store, lasts_s, renew_s

    async def run(self) -> None:
        """Take the turn whenever it is free and keep it, until cancelled; then give it back."""
        until_s = 0.0
        try:
            while True:
                asked_s = time.monotonic()
                try:
                    async with self._store.writing() as connection:
                        mine = await take_lease(
                            connection, _NAME, self._store.name, lasts_ms=round(self._lasts_s * 1000)
                        )
                except StoreTrouble as trouble:
                    _log.info("whose turn it is cannot be told: %s", trouble)
                    mine = time.monotonic() < until_s  # nobody else can have taken it
                else:
                    until_s = asked_s + self._lasts_s if mine else 0.0
                self._set(mine=mine)
                await asyncio.sleep(self._renew_s)
        finally:
            if self._mine.is_set():
                self._set(mine=False)
                with suppress(StoreTrouble):
                    async with self._store.writing() as connection:
                        await give_lease_back(connection, _NAME, self._store.name)
