"""The S-P table of a class: pupils and items sorted into a matrix, and whose answers do not fit into it. Pure.

Source: T. Sato, "The construction and interpretation of S-P tables", Meiji Tosho, Tokyo 1975; in English D. L. Harnisch
and R. L. Linn, "Analysis of item response patterns: questionable test data and dissimilar curriculum practices",
Journal of Educational Measurement 18 (1981), 133-146, which also gives the modified index.

What waits for a look, and what was left alone in B and C items, is no answer: its cell is empty. Where cells are empty
shares stand in for the counts of the sources; in a full matrix both are the same.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import StatisticsError, correlation

import msgspec

from homework.assignment import Item
from homework.results import VerdictKind
from homework.statistics import PupilResult, item_states

CAUTION = 0.5
"""Sato's line: from here on a pattern deserves a look."""
LEAST_ANSWERS = 10
"""Of fewer answers one slip decides what the index says: nothing is flagged."""
LEAST_FOR_CORRELATION = 20
"""Pupils below which an item's correlation with the rest is noise."""

Row = tuple[bool | None, ...]


class Fit(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """How the answers of one pupil, or those to one item, fit the order of the others.

    `correct` of `n` answers. `caution` is Sato's index: 0 for a perfect pattern (all that is easy right, all that is
    hard wrong), about 1 for chance, more where it is the other way round. `modified` is Harnisch and Linn's, in 0..1.
    Both are None where there is nothing to compare: all right, none right, or all alike.
    """

    name: str
    correct: int
    n: int
    caution: float | None
    modified: float | None

    @property
    def notable(self) -> bool:
        """Whether a person should look: a strange pattern, and enough answers to say so."""
        return self.caution is not None and self.caution >= CAUTION and self.n >= LEAST_ANSWERS


class SPChart(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The matrix: pupils from the best down, items from the easiest to the right; who is equal keeps the given order.

    `cells[p][i]` is whether pupil p has item i right, None where there is no answer. `s_line[p]`: right of so many
    items pupil p's step of the S curve stands, `p_line[i]`: below so many pupils item i's step of the P curve.
    """

    pupils: tuple[Fit, ...]
    items: tuple[Fit, ...]
    cells: tuple[Row, ...]
    s_line: tuple[int, ...]
    p_line: tuple[int, ...]


def sp_chart(results: Sequence[PupilResult], items: Sequence[Item]) -> SPChart:
    """The chart of who handed in (`results`) and has an answer, over the `items` that have one.

    Items that stand in results alone (their assignment is not at hand) follow those of the assignment.
    """
    states = {result.pupil: item_states(result.items) for result in results}
    names = list(dict.fromkeys([*(item.id for item in items), *(name for own in states.values() for name in own)]))
    rows = {pupil: tuple(_right(own.get(name)) for name in names) for pupil, own in states.items()}
    rows = {pupil: row for pupil, row in rows.items() if _n(row)}
    columns = {name: tuple(row[place] for row in rows.values()) for place, name in enumerate(names)}
    columns = {name: column for name, column in columns.items() if _n(column)}
    kept = [place for place, name in enumerate(names) if name in columns]
    rows = {pupil: tuple(row[place] for place in kept) for pupil, row in rows.items()}
    item_shares, items_whole = _shares(columns)
    pupil_shares, pupils_whole = _shares(rows)
    by_item = sorted(columns, key=lambda name: -item_shares[name])
    by_pupil = sorted(rows, key=lambda name: -pupil_shares[name])
    across = {name: place for place, name in enumerate(columns)}
    return SPChart(
        pupils=tuple(_fit(name, rows[name], list(item_shares.values())) for name in by_pupil),
        items=tuple(_fit(name, columns[name], list(pupil_shares.values())) for name in by_item),
        cells=tuple(tuple(rows[pupil][across[item]] for item in by_item) for pupil in by_pupil),
        s_line=tuple(_rounded(pupil_shares[pupil] * len(columns), pupils_whole) for pupil in by_pupil),
        p_line=tuple(_rounded(item_shares[item] * len(rows), items_whole) for item in by_item),
    )


def item_rest(chart: SPChart, item: str) -> float | None:
    """The point-biserial correlation of an item with the share of the other items that a pupil has right.

    None with fewer than `LEAST_FOR_CORRELATION` pupils, and where one of the two is the same for all of them. The
    item itself is not in the rest (J. P. Guilford, "Psychometric methods", 2nd ed., 1954, chapter 15).
    """
    place = next((place for place, fit in enumerate(chart.items) if fit.name == item), None)
    if place is None:
        return None
    pairs = []
    for row in chart.cells:
        own, n = row[place], _n(row)
        if own is not None and n > 1:
            pairs.append((float(own), (row.count(True) - own) / (n - 1)))
    if len(pairs) < LEAST_FOR_CORRELATION:
        return None
    try:
        return correlation([own for own, _ in pairs], [rest for _, rest in pairs])
    except StatisticsError:  # no variance
        return None


def _right(state: VerdictKind | None) -> bool | None:
    """None for what is not decided."""
    return None if state in (None, VerdictKind.REVIEW) else state is VerdictKind.CORRECT


def _n(cells: Row) -> int:
    return len(cells) - cells.count(None)


def _shares(lines: Mapping[str, Row]) -> tuple[dict[str, int], int]:
    """How much of each line is right, exactly: in whole numbers, of a whole that every line's share is a part of."""
    whole = math.lcm(*(_n(cells) for cells in lines.values()))
    return {name: cells.count(True) * (whole // _n(cells)) for name, cells in lines.items()}, whole


def _rounded(parts: int, whole: int) -> int:
    """`parts` / `whole` to the next whole number, a half to the even one."""
    down, rest = divmod(parts, whole)
    return down + (2 * rest > whole or (2 * rest == whole and down % 2 == 1))


def _fit(name: str, cells: Row, shares: Sequence[int]) -> Fit:
    """`shares` says of each cell how much of the class (or of the sheet) is right there, in parts of one whole."""
    there = [(share, cell) for share, cell in zip(shares, cells, strict=True) if cell is not None]
    n, right = len(there), cells.count(True)
    observed = sum(share for share, cell in there if cell)
    ordered = sorted((share for share, _ in there), reverse=True)
    best, worst = sum(ordered[:right]), sum(ordered[n - right :])
    by_chance = right * sum(ordered)  # times n, as what it is compared with
    return Fit(
        name=name,
        correct=right,
        n=n,
        caution=(best - observed) * n / (n * best - by_chance) if n * best > by_chance else None,
        modified=(best - observed) / (best - worst) if best > worst else None,
    )
