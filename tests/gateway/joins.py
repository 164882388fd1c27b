"""Which tables a statement joins by something else than the school: on shards that would be rows of two machines."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Table
from sqlalchemy.sql import visitors
from sqlalchemy.sql.dml import Delete, Update
from sqlalchemy.sql.elements import BinaryExpression, BindParameter, BooleanClauseList, ColumnElement, TextClause
from sqlalchemy.sql.operators import and_, eq, in_op
from sqlalchemy.sql.selectable import Alias, FromClause, Join, Select, Subquery

from gateway.store.schema import metadata

KEY = "school_id"
WIDE = {
    *("gateway_identity", "leases", "people", "sessions", "known_devices", "links", "sign_ons", "recovery_codes"),
    *("wrong_tries", "offices", "office_audit", "office_tokens", "told"),
}
"""Tables of the gateways themselves and of the people of all schools: on Citus they are local or reference tables."""
SHARDED = {table.name for table in metadata.sorted_tables} - WIDE


def strangers(statement: Any) -> list[str]:
    """The tables of a statement that nothing ties to the school of its other tables; [] for one of a single table."""
    if isinstance(statement, TextClause):
        return [str(statement)] if " join " in str(statement).lower() else []
    groups = _Groups()
    for part in visitors.iterate(statement):
        if isinstance(part, Select):
            for element in part.get_final_froms():
                for one in _elements(element, groups):
                    groups.add(one)
                    if isinstance(one, Subquery):
                        groups.inside(one)
            _note(groups, part.whereclause)
        elif isinstance(part, Update | Delete):
            groups.add(part.table)
            _note(groups, part.whereclause)
    return groups.apart()


class _Groups:
    """Tables, aliases and subqueries, and the values of the school that tie them together."""

    def __init__(self) -> None:
        self._parent: dict[Any, Any] = {}
        self._names: dict[Any, str] = {}

    def add(self, element: FromClause) -> None:
        if _is_sharded(element):
            self._names[element] = str(getattr(element, "name", element))
            self._root(element)

    def inside(self, outer: Subquery) -> None:
        """What a subquery gives as the school is that of the table in it."""
        column = outer.c.get(KEY)
        for base in column.base_columns if column is not None else ():
            table = getattr(base, "table", None)
            if table is not None:
                self.tie(outer, table)

    def tie(self, one: Any, other: Any) -> None:
        self._parent[self._root(one)] = self._root(other)

    def apart(self) -> list[str]:
        roots = {self._root(element) for element in self._names}
        return sorted(self._names.values()) if len(roots) > 1 else []

    def _root(self, one: Any) -> Any:
        self._parent.setdefault(one, one)
        while self._parent[one] is not one:
            one = self._parent[one]
        return one


def _is_sharded(element: FromClause) -> bool:
    if isinstance(element, Table):
        return element.name in SHARDED
    return element.c.get(KEY) is not None if isinstance(element, Subquery) else _is_sharded_alias(element)


def _is_sharded_alias(element: FromClause) -> bool:
    return isinstance(element, Alias) and isinstance(element.element, Table) and element.element.name in SHARDED


def _elements(element: FromClause, groups: _Groups) -> Iterator[FromClause]:
    if isinstance(element, Join):
        _note(groups, element.onclause)
        yield from _elements(element.left, groups)
        yield from _elements(element.right, groups)
    else:
        yield element


def _note(groups: _Groups, condition: ColumnElement[Any] | None) -> None:
    """Of conditions that all have to hold, those that say that a school is that of another table, or a given one."""
    if isinstance(condition, BooleanClauseList) and condition.operator is and_:
        for part in condition.clauses:
            _note(groups, part)
    elif isinstance(condition, BinaryExpression) and condition.operator in (eq, in_op):
        sides = [_school_of(side) for side in (condition.left, condition.right)]
        if None not in sides:
            groups.tie(*sides)


def _school_of(side: Any) -> Any:
    if getattr(side, "key", None) == KEY and getattr(side, "table", None) is not None:
        return side.table
    if isinstance(side, BindParameter):
        return ("value", repr(side.value)) if side.value is not None else ("parameter", side.key)
    return None
