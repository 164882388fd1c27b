"""Asks for many rows by their keys, of several schools at once, in words that stay the same however many there are.

To put a statement into words costs more than to run it, and each waits once for the database. So keys go into a
statement as the rows of a table to join: arrays on PostgreSQL, one JSON text on SQLite, which knows no arrays.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, Final, Literal

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Select,
    String,
    Table,
    and_,
    bindparam,
    column,
    func,
    literal_column,
    select,
    true,
)
from sqlalchemy.types import UserDefinedType

Kind = Literal["TEXT", "BYTEA", "INTEGER"]
"""What a column of keys holds, in PostgreSQL's words."""
FROM_HEX: Final = "classbox_from_hex"
"""SQLite's bytes of a hexadecimal text: a function of `gateway.store.engine`, since its own came with 3.41."""


class Arrays(UserDefinedType[Sequence[Any]]):
    """An array as the driver takes it, value by value, without anything in between."""

    cache_ok = True
    render_bind_cast = True  # `unnest` has to know of what the array is

    def __init__(self, of: str) -> None:
        self.of = of

    def get_col_spec(self, **_: object) -> str:
        """Of PostgreSQL."""
        return f"{self.of}[]"


class Asked:
    """Keys to be asked for. `name` tells them from others in the same statement; the columns are those of the keys."""

    def __init__(self, name: str, **columns: Kind) -> None:
        self._name, self._columns = name, columns

    def _rows(self, dialect: str) -> FromClause:
        """The keys as a table."""
        if dialect == "sqlite":
            each = func.json_each(bindparam(self._name, type_=String)).table_valued("value")
            values = [func.json_extract(column("value", String), f"$[{place}]") for place in range(len(self._columns))]
            found = [
                (getattr(func, FROM_HEX)(value) if kind == "BYTEA" else value).label(name)
                for value, (name, kind) in zip(values, self._columns.items(), strict=True)
            ]
            return select(*found).select_from(each).subquery(self._name)
        arrays = [bindparam(f"{self._name}_{name}", type_=Arrays(kind)) for name, kind in self._columns.items()]
        return func.unnest(*arrays).table_valued(*self._columns).render_derived(name=self._name)

    def matching(self, dialect: str, table: Table, *also: ColumnElement[bool], **columns: str) -> Select[Any]:
        """All columns of those rows of a table that have one of the keys, and are so `also`.

        Columns of the table are named as those of the keys, or as `columns` say. Each key is looked for by an index:
        plans that PostgreSQL made when there was little, and keeps, would read a full table from end to end
        (`gateway.store.dialect.lock_schools` does the rest).
        """
        asked = self._rows(dialect)
        same = [table.c[columns.get(name, name)] == asked.c[name] for name in self._columns]
        if dialect == "sqlite":
            return select(table).select_from(asked.join(table, and_(*same))).where(*also)
        found = select(table).where(*same, *also).offset(literal_column("0")).correlate(asked).lateral("found")
        return select(found).select_from(asked.join(found, true()))

    def values(self, dialect: str, keys: Iterable[tuple[Any, ...]]) -> dict[str, Any]:
        """The parameters of a statement made by `matching`: their values in the order of the columns."""
        if dialect == "sqlite":
            return {self._name: json.dumps([[_in_json(value) for value in key] for key in keys])}
        lists: list[list[Any]] = [list(values) for values in zip(*keys, strict=True)] or [[] for _ in self._columns]
        return {f"{self._name}_{name}": values for name, values in zip(self._columns, lists, strict=True)}


def _in_json(value: str | int | bytes) -> str | int:
    return value.hex() if isinstance(value, bytes) else value
