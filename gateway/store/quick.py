"""Reads with statements that were run before, straight through the driver of PostgreSQL.

A page runs some ten statements that were built once. To run one, SQLAlchemy's layers take three times the processor
that asyncpg takes, a third of all that a page costs besides (docs/benchmarks.md#reports). So of a statement that comes
again its words and the order of its parameters are kept, and asyncpg is asked itself, in the same transaction. Rows and
results are SQLAlchemy's own, so that nobody who reads has to know.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from weakref import WeakKeyDictionary

import asyncpg
from sqlalchemy import BigInteger, Boolean, Integer, LargeBinary, Select, SmallInteger, String
from sqlalchemy.engine import Dialect, IteratorResult
from sqlalchemy.engine.result import SimpleResultMetaData
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import TypeEngine

from gateway.store.asking import Arrays

_AS_THEY_ARE: Final = (String, Integer, BigInteger, SmallInteger, Boolean, LargeBinary, Arrays)
"""What the driver gives and takes as SQLAlchemy does: text, numbers and bytes."""


class _Ready(NamedTuple):
    """A statement's words, the names of its parameters in their order with what stands in the statement itself, and
    its columns.
    """

    words: str
    names: tuple[str, ...]
    fixed: Mapping[str, Any]
    columns: SimpleResultMetaData


class QuickReads(AsyncConnection):
    """A connection in a transaction that only reads. What it cannot do quickly it does as any other."""

    __slots__ = ("_driver",)

    def __init__(self, connection: AsyncConnection) -> None:
        """`connection` is one to PostgreSQL; it is closed by whoever opened it."""
        super().__init__(connection.engine, connection.sync_connection)
        self._driver: asyncpg.Connection[asyncpg.Record] | None = None

    async def execute(self, statement: Any, parameters: Any = None, **options: Any) -> Any:
        """As any connection does."""
        ready = None
        if self._driver is not None and not options and isinstance(statement, Select):
            ready = _ready_one(statement, self.dialect)
        if ready is None or self._driver is None:
            result = await super().execute(statement, parameters, **options)
            self._driver = self._begun()
            return result
        given = parameters or {}
        try:
            values = [given[name] if name in given else ready.fixed[name] for name in ready.names]
            rows = await self._driver.fetch(ready.words, *values)
        except asyncpg.PostgresError as error:
            raise DBAPIError(ready.words, parameters, error) from error
        except (KeyError, asyncpg.InterfaceError, OSError):
            return await super().execute(statement, parameters)  # it says what is wrong, and lets go of a dead line
        return IteratorResult(ready.columns, iter(rows))

    def _begun(self) -> asyncpg.Connection[asyncpg.Record] | None:
        """The driver's own connection: the statement before this one has begun the transaction."""
        assert self.sync_connection is not None
        return self.sync_connection.connection.driver_connection


_seen: WeakKeyDictionary[Select[Any], _Ready | None] = WeakKeyDictionary()
_once: WeakKeyDictionary[Select[Any], None] = WeakKeyDictionary()
"""Most statements that are built when they are needed never come again."""


def _ready_one(statement: Select[Any], dialect: Dialect) -> _Ready | None:
    """What is needed to run a statement; None when it has not come before, or the driver alone cannot run it."""
    try:
        return _seen[statement]
    except KeyError:
        if statement not in _once:
            _once[statement] = None
            return None
    _seen[statement] = ready = _made_ready(statement, dialect)
    return ready


def _made_ready(statement: Select[Any], dialect: Dialect) -> _Ready | None:
    compiled = statement.compile(dialect=dialect)
    words = str(compiled)
    binds = {name: bind for bind, name in compiled.bind_names.items()}
    types = [*(column.type for column in statement.selected_columns), *(bind.type for bind in binds.values())]
    if "POSTCOMPILE" in words or not all(map(_is_as_it_is, types)):
        return None
    fixed = {name: bind.value for name, bind in binds.items() if not bind.required}
    return _Ready(
        words,
        tuple(compiled.positiontup or ()),
        fixed,
        SimpleResultMetaData([column.key or "" for column in statement.selected_columns]),
    )


def _is_as_it_is(kind: TypeEngine[Any]) -> bool:
    return isinstance(kind, _AS_THEY_ARE)
