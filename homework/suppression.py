"""Which figures of small groups are not shown, so that nobody reads one child out of a table. Pure.

A figure of fewer than ten pupils goes (primary suppression). So does another beside it, where the total that is shown
would give it away by subtraction (secondary suppression). Source: A. Hundepool et al., "Statistical Disclosure
Control", Wiley 2012, chapter 4.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

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


def _gives_away(total: Path, parts: list[Path], gone: set[Path], sizes: Mapping[Path, int], least: int) -> bool:
    """Whether the parts that are hidden are too few to hide each other, or to hide their total."""
    away = [path for path in parts if path in gone]
    if len(away) == len(parts):
        return False
    return sum(sizes[path] for path in away) < least if away else total in gone
