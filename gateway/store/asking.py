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
    cast,
    column,
    func,
    literal_column,
    select,
    true,
)
from sqlalchemy.types import UserDefinedType

Kind = Literal["TEXT", "VARCHAR", "BYTEA", "INTEGER"]
"""What a column of keys holds, in PostgreSQL's words."""
FROM_HEX: Final = "classbox_from_hex"
"""SQLite's bytes of a hexadecimal text: a function of `gateway.store.engine`, since its own came with 3.41."""


class Arrays(UserDefinedType[Sequence[Any]]):
    """An array of PostgreSQL, as its driver takes it: a list."""

    cache_ok = True
    render_bind_cast = True  # `unnest` has to know of what the array is

    def __init__(self, of: Kind) -> None:
        self.of = of

    def get_col_spec(self, **_: object) -> str:
        """Of PostgreSQL."""
        return f"{self.of}[]"


def array_text(kind: Kind, values: Sequence[Any]) -> str:
    """An array as PostgreSQL reads it (its manual, 8.15.2). Texts have no zero bytes."""
    if kind == "INTEGER":
        return "{" + ",".join(map(str, values)) + "}"
    if not values:
        return "{}"
    if kind == "BYTEA":
        return '{"\\\\x' + '","\\\\x'.join(map(bytes.hex, values)) + '"}'
    joined = "".join(values)
    if '"' in joined or "\\" in joined:
        values = [value.replace("\\", "\\\\").replace('"', '\\"') for value in values]
    return '{"' + '","'.join(values) + '"}'


class Asked:
    """Keys to be asked for. `name` tells them from others in the same statement; the columns are those of the keys.

    The last column is the one in which most of them differ. For PostgreSQL the keys that differ in it alone are one
    row, with the last values as the text of an array: its driver takes a microsecond for each value of a list.
    """

    def __init__(self, name: str, **columns: Kind) -> None:
        self._name, self._columns = name, columns
        *self._shared, self._last = columns

    def matching(self, dialect: str, table: Table, *also: ColumnElement[bool], **columns: str) -> Select[Any]:
        """All columns of those rows of a table that have one of the keys, and are so `also`.

        Columns of the table are named as those of the keys, or as `columns` say. Each key is looked for by an index:
        plans that PostgreSQL made when there was little, and keeps, would read a full table from end to end
        (`gateway.store.dialect.lock_schools` does the rest).
        """
        found = {name: table.c[columns.get(name, name)] for name in self._columns}
        if dialect == "sqlite":
            asked = self._in_json()
            same = [column == asked.c[name] for name, column in found.items()]
            return select(table).select_from(asked.join(table, and_(*same))).where(*also)
        kinds = {name: self._columns[name] for name in self._shared} | {self._last: "TEXT"}
        arrays = [bindparam(f"{self._name}_{name}", type_=Arrays(kind)) for name, kind in kinds.items()]
        rows = func.unnest(*arrays).table_valued(*kinds).render_derived(name=self._name)
        last = func.unnest(cast(rows.c[self._last], Arrays(self._columns[self._last])))
        each = last.table_valued(self._last).render_derived(name=f"{self._name}_each")
        same = [found[name] == rows.c[name] for name in self._shared]
        same.append(found[self._last] == each.c[self._last])
        # OFFSET 0 keeps the planner from asking in any other way than one key after another.
        lateral = select(table).where(*same, *also).offset(literal_column("0")).correlate(rows, each).lateral("found")
        return select(lateral).select_from(rows.join(each, true()).join(lateral, true()))

    def values(self, dialect: str, keys: Iterable[tuple[Any, ...]]) -> dict[str, Any]:
        """The parameters of a statement made by `matching`: keys in the order of the columns."""
        if dialect == "sqlite":
            return {self._name: json.dumps([[_as_json(value) for value in key] for key in keys])}
        alike: dict[tuple[Any, ...], list[Any]] = {}
        for *shared, last in keys:
            alike.setdefault(tuple(shared), []).append(last)
        rows = [(*shared, array_text(self._columns[self._last], last)) for shared, last in alike.items()]
        columns = [*zip(*rows, strict=True)] or [()] * len(self._columns)
        return {f"{self._name}_{name}": [*values] for name, values in zip(self._columns, columns, strict=True)}

    def _in_json(self) -> FromClause:
        each = func.json_each(bindparam(self._name, type_=String)).table_valued("value")
        values = [func.json_extract(column("value", String), f"$[{place}]") for place in range(len(self._columns))]
        found = [
            (getattr(func, FROM_HEX)(value) if kind == "BYTEA" else value).label(name)
            for value, (name, kind) in zip(values, self._columns.items(), strict=True)
        ]
        return select(*found).select_from(each).subquery(self._name)


def _as_json(value: str | int | bytes) -> str | int:
    return value.hex() if isinstance(value, bytes) else value
