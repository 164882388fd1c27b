"""Runs a `classbox` or `classgate` command that ends with SIGKILL when it comes to a named point for the n-th time.

Nothing in the program knows of it: file events come from Python's audit hooks, SQL statements from a connection
class, everything else from functions that are wrapped by name before the program starts.
"""

from __future__ import annotations

import importlib
import inspect
import os
import re
import signal
import sqlite3
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, Final, Literal

When = Literal["before", "after"]


@dataclass(frozen=True)
class Call:
    """A call of a function, `module:name` or `module:class.name`."""

    target: str
    when: When


@dataclass(frozen=True)
class Sql:
    """A statement that matches."""

    pattern: str
    when: When


@dataclass(frozen=True)
class Fsync:
    """An fsync of a file whose path matches."""

    pattern: str
    when: When


@dataclass(frozen=True)
class Audit:
    """Just before Python does what an audit event announces, with arguments that match (PEP 578)."""

    event: str
    pattern: str


@dataclass(frozen=True)
class Commit:
    """A commit through the driver's method, as SQLAlchemy does it."""

    when: When


Trigger = Call | Sql | Fsync | Audit | Commit

_FILE = "INSERT INTO capture"
SHEET_POINTS: Final[dict[str, Trigger]] = {
    "sheet: taken from the source": Call("edge.worker:Worker._take", "before"),
    "sheet: graded, nothing kept": Call("edge.pictures:Pictures.keep", "before"),
    "picture: about to be opened": Audit("open", r"/pictures/../\.[0-9a-f]{16}'"),
    "picture: written, not synced": Fsync(r"/pictures/../\.", "before"),
    "picture: synced, not named": Fsync(r"/pictures/../\.", "after"),
    "picture: about to be renamed": Audit("os.rename", r"/pictures/"),
    "picture: named, folder not synced": Fsync(r"/pictures/..$", "before"),
    "picture: folder synced": Fsync(r"/pictures/..$", "after"),
    "picture: kept, ledger not begun": Call("edge.pictures:Pictures.keep", "after"),
    "ledger: before the transaction": Call("edge.ledger:Ledger.file", "before"),
    "ledger: begun": Sql(r"^BEGIN IMMEDIATE", "after"),
    "ledger: capture added": Sql(rf"^{_FILE}", "after"),
    "ledger: before the page": Sql(r"^INSERT INTO page", "before"),
    "ledger: page added": Sql(r"^INSERT INTO page", "after"),
    "ledger: record numbered": Sql(r"^UPDATE outbox_lanes SET last_seq = last_seq \+ 1", "after"),
    "ledger: record added": Sql(r"^INSERT INTO outbox_records", "after"),
    "ledger: chain moved": Sql(r"^UPDATE outbox_lanes SET chain", "after"),
    "ledger: booking added": Sql(r"^INSERT INTO booking", "after"),
    "ledger: before the commit": Sql(r"^COMMIT", "before"),
    "ledger: committed": Sql(r"^COMMIT", "after"),
    "ledger: filed": Call("edge.ledger:Ledger.file", "after"),
    "stack: before it is cleared up": Call("edge.ledger:Ledger.clear_up", "before"),
    "stack: cleared up": Call("edge.ledger:Ledger.clear_up", "after"),
    "page: about to be told": Call("edge.app:Box._on_page", "before"),
    "page: drawn": Call("edge.web.sheet_pictures:LastSheets.put", "after"),
    "page: told": Call("edge.app:Box._on_page", "after"),
}
START_POINTS: Final[dict[str, Trigger]] = {
    "start: ledger open, not checked": Call("edge.database:Database._check", "before"),
    "start: checked": Call("edge.database:Database._check", "after"),
    "start: schema looked at": Call("edge.database:Database._migrate", "after"),
    "clean-up: begun": Call("edge.pictures:Pictures.clean", "before"),
    "clean-up: before a file goes": Audit("os.remove", r"/pictures/"),
    "clean-up: done": Call("edge.pictures:Pictures.clean", "after"),
    "start: worker begins": Call("edge.worker:Worker.start", "before"),
    "start: documents queued": Call("edge.upstream:queue_documents", "after"),
}
MIGRATION_POINTS: Final[dict[str, Trigger]] = {
    "migration: a table is made": Sql(r"^\s*CREATE TABLE (deed|head|picture_gone)", "after"),
    "migration: heads are filled": Sql(r"^\s*INSERT INTO head SELECT", "after"),
    "migration: a version is set": Sql(r"^PRAGMA user_version = ", "after"),
    "migration: before the commit": Sql(r"^COMMIT", "before"),
    "migration: committed": Sql(r"^COMMIT", "after"),
}
RETENTION_POINTS: Final[dict[str, Trigger]] = {
    "retention: the school was looked at": Call("edge.ledger_pictures:LedgerPictures.look_at_school", "after"),
    "retention: a picture is said to be gone": Sql(r"^INSERT OR IGNORE INTO picture_gone", "after"),
    "retention: said, no file removed": Call("edge.pictures:Pictures.remove", "before"),
    "retention: before a file goes": Audit("os.remove", r"/pictures/"),
    "retention: all are gone": Call("edge.pictures:Pictures.remove", "after"),
}
BACKUP_POINTS: Final[dict[str, Trigger]] = {
    "backup: begun": Call("edge.backup:_copy_database", "before"),
    "backup: ledger copied": Call("edge.backup:_copy_database", "after"),
    "backup: a picture is read": Call("edge.pictures:Pictures.keep", "before"),
    "backup: a picture is copied": Call("edge.pictures:Pictures.keep", "after"),
    "backup: before the ledger is named": Audit("os.rename", r"ledger\.sqlite\.new"),
    "backup: before its list": Audit("os.rename", r"/\.backup\.json\."),
}
OUTBOX_POINTS: Final[dict[str, Trigger]] = {
    "outbox: begun": Sql(r"^BEGIN IMMEDIATE", "after"),
    "outbox: record numbered": Sql(r"^UPDATE outbox_lanes SET last_seq = last_seq \+ 1", "after"),
    "outbox: record added": Sql(r"^INSERT INTO outbox_records", "after"),
    "outbox: chain moved": Sql(r"^UPDATE outbox_lanes SET chain", "after"),
    "outbox: before the commit": Sql(r"^COMMIT", "before"),
    "outbox: committed": Sql(r"^COMMIT", "after"),
    "envelope: chosen, not packed": Call("sync.box_session:BoxSession.encoded", "before"),
    "box: about to publish": Call("sync.connection:Connection.publish", "before"),
    "box: the broker has it": Call("sync.connection:Connection.publish", "after"),
    "receipt: came": Call("sync.box_session:BoxSession.receive", "before"),
    "receipt: proof moved, not committed": Sql(r"^UPDATE outbox_lanes SET proven", "after"),
    "receipt: taken in": Call("sync.box_session:BoxSession.receive", "after"),
}
GATEWAY_POINTS: Final[dict[str, Trigger]] = {
    "batch: came": Call("sync.gateway_session:GatewaySession.handle", "before"),
    "batch: opened, nothing begun": Call("gateway.ingest:StoreIngest.take", "before"),
    "batch: school locked": Call("gateway.ingest:lock_school", "after"),
    "batch: before the records": Call("gateway.ingest:take_in", "before"),
    "batch: records taken in": Call("gateway.ingest:take_in", "after"),
    "batch: before the lanes": Call("gateway.ingest:save_lanes", "before"),
    "batch: lanes saved": Call("gateway.ingest:save_lanes", "after"),
    "database: before a commit": Commit("before"),
    "database: committed": Commit("after"),
    "batch: committed, no receipt made": Call("gateway.ingest:StoreIngest.take", "after"),
    "receipts: made, not published": Call("sync.gateway_session:GatewaySession.handle", "after"),
    "gateway: about to publish": Call("sync.connection:Connection.publish", "before"),
    "gateway: the broker has it": Call("sync.connection:Connection.publish", "after"),
    "hello: before the answer": Call("gateway.ingest:StoreIngest.standing", "before"),
    "hello: answered, not published": Call("gateway.ingest:StoreIngest.standing", "after"),
    "generation: before the file": Call("gateway.store.generation:GenerationFile.write", "before"),
    "generation: file written, database not": Call("gateway.store.generation:GenerationFile.write", "after"),
}
POINTS: Final = {
    **SHEET_POINTS,
    **START_POINTS,
    **MIGRATION_POINTS,
    **RETENTION_POINTS,
    **BACKUP_POINTS,
    **OUTBOX_POINTS,
    **GATEWAY_POINTS,
}


class _Countdown:
    """Kills the process the n-th time that it is told of the point."""

    def __init__(self, number: int) -> None:
        self._left = number
        self._lock = threading.Lock()

    def __call__(self) -> None:
        with self._lock:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
                signal.pause()


def arm(trigger: Trigger, number: int) -> None:
    """Have this process killed the n-th time that it comes to a point."""
    told = _Countdown(number)
    match trigger:
        case Call(target, when):
            _wrap(target, when, told)
        case Sql(pattern, when):
            _watch_sql(re.compile(pattern), when, told)
        case Fsync(pattern, when):
            _watch_fsync(re.compile(pattern), when, told)
        case Commit(when):
            _watch_commits(when, told)
        case Audit(event, pattern):
            wanted = re.compile(pattern)
            sys.addaudithook(lambda seen, words: told() if seen == event and wanted.search(repr(words)) else None)


def _wrap(target: str, when: When, told: Callable[[], None]) -> None:
    module, _, name = target.partition(":")
    place: Any = importlib.import_module(module)
    *owners, last = name.split(".")
    for owner in owners:
        place = getattr(place, owner)
    wrapped = getattr(place, last)

    @wraps(wrapped)
    def watched(*words: Any, **more: Any) -> Any:
        if when == "before":
            told()
        result = wrapped(*words, **more)
        if when == "after":
            told()
        return result

    @wraps(wrapped)
    async def awaited(*words: Any, **more: Any) -> Any:
        if when == "before":
            told()
        result = await wrapped(*words, **more)
        if when == "after":
            told()
        return result

    setattr(place, last, awaited if inspect.iscoroutinefunction(wrapped) else watched)


def _watch_sql(pattern: re.Pattern[str], when: When, told: Callable[[], None]) -> None:
    class Watched(sqlite3.Connection):
        def execute(self, text: str, *values: Any) -> sqlite3.Cursor:
            meant = pattern.search(text) is not None
            if meant and when == "before":
                told()
            result = super().execute(text, *values)
            if meant and when == "after":
                told()
            return result

    connect = sqlite3.connect
    sqlite3.connect = lambda *words, **more: connect(*words, **{"factory": Watched, **more})


def _watch_commits(when: When, told: Callable[[], None]) -> None:
    class Watched(sqlite3.Connection):
        def commit(self) -> None:
            if when == "before":
                told()
            super().commit()
            if when == "after":
                told()

    connect = sqlite3.connect
    sqlite3.connect = lambda *words, **more: connect(*words, **{"factory": Watched, **more})


def _watch_fsync(pattern: re.Pattern[str], when: When, told: Callable[[], None]) -> None:
    fsync = os.fsync

    def watched(handle: int) -> None:
        meant = pattern.search(str(Path(f"/proc/self/fd/{handle}").readlink())) is not None
        if meant and when == "before":
            told()
        fsync(handle)
        if meant and when == "after":
            told()

    os.fsync = watched  # type: ignore[assignment]


def main() -> None:
    """Arm the point and be `classgate` for one of its points, `classbox` for any other."""
    point, number, *words = sys.argv[1:]
    arm(POINTS[point], int(number))
    if point in GATEWAY_POINTS:
        from gateway.cli import main as program  # noqa: PLC0415 - after everything is watched
    else:
        from edge.cli import main as program  # noqa: PLC0415 - as above
    sys.argv = ["classgate" if point in GATEWAY_POINTS else "classbox", *words]
    program()


if __name__ == "__main__":
    main()
