"""Faults put back into programs as they run, each against one promise: the real runs must find out each.

`start_gateway(fault=…)` and the like hand the name to the process that is to have it.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final, NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from benchmarks._mutants import MUTANTS, Mutant
from gateway import intake
from gateway.arrivals import Arrived
from sync.outbox import Outbox
from sync.outbox_file import OutboxFile

_LATER_S = 0.5
_ANY = "real"


class RealMutant(NamedTuple):
    """A fault, the program that has it, and the rounds (kinds of `benchmarks._real`) that show it best."""

    mutant: Mutant
    program: str
    rounds: tuple[str, ...]


async def _take_in_later(connection: AsyncConnection, school: str, arrived: Sequence[Arrived]) -> frozenset[Any]:
    """The lanes' marks are committed and receipted at once, the records themselves half a second later."""
    engine = connection.engine

    async def later() -> None:
        await asyncio.sleep(_LATER_S)
        async with engine.connect() as own, own.begin():
            await _take_in(own, school, arrived)

    task = asyncio.create_task(later())
    _late.add(task)
    task.add_done_callback(_late.discard)
    return frozenset()


@contextmanager
def _open_and_hope(self: OutboxFile) -> Iterator[Outbox]:
    """Whoever keeps a sheet goes on as if it were kept, whatever the disk says."""
    with suppress(sqlite3.OperationalError), _open(self) as outbox:
        yield outbox


_take_in = intake.take_in
_open = OutboxFile.open
_late: set[asyncio.Task[None]] = set()
_receipt_first = Mutant("D2", _ANY, {"gateway.ingest.take_in": _take_in_later})
_hoping = Mutant("D1", _ANY, {"sync.outbox_file.OutboxFile.open": _open_and_hope})
REAL_MUTANTS: Final = {
    "receipt before the records": RealMutant(_receipt_first, "gateway", ("gateway killed",)),
    "say kept whatever the disk says": RealMutant(_hoping, "box", ("box's disk full",)),
    "forget on PUBACK": RealMutant(MUTANTS["forget on PUBACK"], "box", ("gateway killed", "put back")),
    "never ask afresh": RealMutant(MUTANTS["never ask afresh"], "box", ("put back",)),
    "accept any receipt": RealMutant(MUTANTS["accept any receipt"], "box", ("card put back", "cloned")),
}
