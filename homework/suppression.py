"""Which figures of small groups are not shown, so that nobody reads one child out of a table. Pure.

A figure of fewer than ten pupils goes (primary suppression). So does another beside it, where the total that is shown
would give it away by subtraction (secondary suppression). Source: A. Hundepool et al., "Statistical Disclosure
Control", Wiley 2012, chapter 4.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping
from typing import TypeVar

LEAST = 10
"""Pupils that a figure has to be of."""

Path = tuple[str, ...]
"""Where a figure stands: (), the whole; ("no-1",), a school; ("no-1", "3-1"), a class of it."""


def hidden(pupils: Mapping[Path, int], *, least: int = LEAST) -> frozenset[Path]:
    """The figures that may not be shown, of the finest ones in `pupils` and of every total of theirs.

    `pupils` says for each of the finest figures of how many pupils it is; groups do not overlap, and a total is that
    of its parts. None of the keys is the beginning of another. What is left to show never gives, by adding and
    subtracting, a figure of fewer than `least` pupils. A figure of nobody says nothing and hides nothing.
    """
    if not any(0 < n < least for n in pupils.values()):  # nearly always
        return frozenset()
    sizes: dict[Path, int] = defaultdict(int)
    parts: dict[Path, list[Path]] = defaultdict(list)
    for path, n in sorted(pupils.items()):
        if n > 0:
            for depth in range(len(path) + 1):
                if depth and not sizes[path[:depth]]:
                    parts[path[: depth - 1]].append(path[:depth])
                sizes[path[:depth]] += n
    gone = {path for path, n in sizes.items() if 0 < n < least}
    for total in sorted(parts, key=len):  # from the whole down: what is hidden above has to be hidden below as well
        by_size = sorted(parts[total], key=lambda path: (sizes[path], path))
        while _gives_away(total, by_size, gone, sizes, least):
            gone.add(next(path for path in by_size if path not in gone))
    return frozenset(gone)


Row = TypeVar("Row", bound=Hashable)
Column = TypeVar("Column", int, str)


def hidden_columns(pupils: Mapping[tuple[Row, Column], int], *, least: int = LEAST) -> frozenset[Column]:
    """Of a table of whose rows and columns the totals are shown and no cell: the columns that may not be shown.

    `pupils` says for each cell of how many pupils it is; the pupils of two rows are others, those of two columns may be
    the same. That a row's own total may be shown was decided before. What is left to show never gives, by adding and
    subtracting, a sum of cells of fewer than `least` pupils, but for the totals of rows.

    Rows and columns are the knots of a graph, cells its lines: a sum that can be worked out is one over the lines that
    part some knots from the others, and a column that is hidden parts from nothing. So small cells may join only what
    large cells join already.
    """
    cells = {place: n for place, n in pupils.items() if n > 0}
    sizes: dict[Column, int] = defaultdict(int)
    for (_, column), n in cells.items():
        sizes[column] += n
    gone = {column for column, n in sizes.items() if n < least}
    tight, loose = _Parts(), _Parts()
    for (row, column), n in cells.items():
        loose.join((0, row), (1, column))
        if n >= least:
            tight.join((0, row), (1, column))
    near: dict[Hashable, dict[Hashable, list[Column]]] = defaultdict(lambda: defaultdict(list))
    for column in sizes:
        near[loose.of((1, column))][tight.of((1, column))].append(column)
    for parts in near.values():
        if len(parts) > 1:
            gone |= {min(columns, key=lambda column: (sizes[column], column)) for columns in parts.values()}
    return frozenset(gone)


class _Parts:
    """Knots that are joined, directly or by others."""

    def __init__(self) -> None:
        self._next: dict[Hashable, Hashable] = {}

    def of(self, knot: Hashable) -> Hashable:
        """The one knot that stands for all that are joined with this one."""
        while (above := self._next.get(knot, knot)) != knot:
            self._next[knot] = self._next.get(above, above)
            knot = above
        return knot

    def join(self, one: Hashable, other: Hashable) -> None:
        """Join two knots."""
        self._next[self.of(one)] = self.of(other)


def _gives_away(total: Path, parts: list[Path], gone: set[Path], sizes: Mapping[Path, int], least: int) -> bool:
    """Whether the parts that are hidden are too few to hide each other, or to hide their total."""
    away = [path for path in parts if path in gone]
    if len(away) == len(parts):
        return False
    return sum(sizes[path] for path in away) < least if away else total in gone
