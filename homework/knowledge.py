"""What is mastered: right answers by knowledge point (知识点), and how much can be said from so few. Pure.

The model is the beta-binomial one: before any answer every share of right answers is as likely as any other (the weak
prior Beta(1, 1)); after c of n the share is distributed as Beta(1 + c, 1 + n - c). Source: A. Gelman et al., "Bayesian
Data Analysis", 3rd ed., 2013, section 2.1. With whole numbers its distribution function is a sum of binomial terms
(NIST Digital Library of Mathematical Functions, 8.17.5), so that nothing is approximated.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from enum import StrEnum
from fractions import Fraction
from functools import lru_cache
from typing import TypeVar

import msgspec

from homework.assignment import Item
from homework.results import ItemResult, VerdictKind
from homework.statistics import ClassFigures, Interval, item_states

K = TypeVar("K")
WEAK_BELOW = 0.6
"""The line below which an item is taught again."""
MASTERED_FROM = 0.8
CERTAIN = 0.8
"""How probable it has to be that the share lies beyond a line, before that is said."""
LEAST_ANSWERS = 4
"""Fewer say nothing of a pupil, whatever they are."""


class Level(StrEnum):
    """掌握, 形成中, 薄弱, 题数不够."""

    MASTERED = "mastered"
    FORMING = "forming"
    WEAK = "weak"
    TOO_FEW = "too-few"


class Mastery(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What `correct` of `n` answers say: the expected share, its 80 % interval, and the word for it."""

    correct: int
    n: int
    mean: float
    interval: Interval
    level: Level


class Count(msgspec.Struct, frozen=True, gc=False):
    """Right answers, and answers that are decided."""

    correct: int = 0
    n: int = 0

    def __add__(self, other: Count) -> Count:
        """Both together."""
        return Count(self.correct + other.correct, self.n + other.n)

    @property
    def rate(self) -> Fraction | None:
        """The share that is right, exactly; None of nothing."""
        return Fraction(self.correct, self.n) if self.n else None


@lru_cache(maxsize=16_384)
def mastery(correct: int, n: int) -> Mastery:
    """What can be said of somebody with `correct` of `n` answers right (0 <= correct <= n)."""
    weak = share_below(WEAK_BELOW, correct, n)
    mastered = 1 - share_below(MASTERED_FROM, correct, n)
    if n < LEAST_ANSWERS:
        level = Level.TOO_FEW
    elif weak >= CERTAIN:
        level = Level.WEAK
    else:
        level = Level.MASTERED if mastered >= CERTAIN else Level.FORMING
    tail = (1 - CERTAIN) / 2
    return Mastery(
        correct=correct,
        n=n,
        mean=(correct + 1) / (n + 2),
        interval=Interval(_quantile(tail, correct, n), _quantile(1 - tail, correct, n)),
        level=level,
    )


def share_below(line: float, correct: int, n: int) -> float:
    """The probability that somebody with `correct` of `n` right has a share below `line` (0 < line < 1)."""
    trials = n + 1
    yes, no, ways = math.log(line), math.log1p(-line), _ways(trials)
    # A binomial probability each, through logarithms: the coefficient of 1,000 trials is no float.
    terms = [math.exp(ways[k] + k * yes + (trials - k) * no) for k in range(trials + 1)]
    # The shorter tail is summed: of 1,000 answers the other would be 1 less a rounding error.
    above, below = sum(terms[correct + 1 :]), sum(terms[: correct + 1])
    return above if above <= below else 1 - below


def of_sheet(items: Iterable[Item], results: Iterable[ItemResult]) -> dict[str, Count]:
    """The counts of one pupil's sheet by knowledge point (`of_states`)."""
    states = item_states(results)
    return of_states((item.knowledge, states.get(item.id)) for item in items)


def of_states(items: Iterable[tuple[tuple[str, ...], VerdictKind | None]]) -> dict[str, Count]:
    """The counts of items, each with its knowledge points and its state, by point. One with two points counts for both.

    What waits for a look and what was left alone is no answer.
    """
    sums: dict[str, list[int]] = {}
    for points, state in items:
        if state is None or state is VerdictKind.REVIEW:
            continue
        for point in dict.fromkeys(points):
            count = sums.setdefault(point, [0, 0])
            count[0] += state is VerdictKind.CORRECT
            count[1] += 1
    return {point: Count(*count) for point, count in sums.items()}


def of_class(items: Iterable[Item], figures: ClassFigures) -> dict[str, Count]:
    """The counts of a class by knowledge point."""
    counts = {item.item: Count(item.correct, item.n) for item in figures.items}
    return _by_point((item, counts.get(item.id, Count())) for item in items)


def together(counts: Iterable[Mapping[str, Count]]) -> dict[str, Count]:
    """Counts of several sheets or classes, added up."""
    total: dict[str, Count] = {}
    for some in counts:
        for point, count in some.items():
            total[point] = total.get(point, Count()) + count
    return total


def weakest_first(points: Mapping[K, Mastery]) -> list[K]:
    """The points by what is expected of them, the weakest first; those of which too little is known last."""
    return sorted(points, key=lambda name: (points[name].level is Level.TOO_FEW, points[name].mean))


def _by_point(counted: Iterable[tuple[Item, Count]]) -> dict[str, Count]:
    return together({point: count} for item, count in counted if count.n for point in dict.fromkeys(item.knowledge))


@lru_cache(maxsize=256)
def _ways(trials: int) -> tuple[float, ...]:
    """The logarithm of the number of ways to choose k of them, for every k."""
    return tuple(math.lgamma(trials + 1) - math.lgamma(k + 1) - math.lgamma(trials - k + 1) for k in range(trials + 1))


def _quantile(probability: float, correct: int, n: int) -> float:
    """By halving, thirty times: to 1e-9, far finer than anything that is shown.

    Newton's method knows first where it ends, to 1e-12: only what lies nearer than that has to be asked.
    """
    near = _newton(probability, correct, n)
    low, high = 0.0, 1.0
    for _ in range(30):
        middle = (low + high) / 2
        far = near is not None and abs(middle - near) > _SURE
        if middle < near if far and near is not None else share_below(middle, correct, n) < probability:
            low = middle
        else:
            high = middle
    return (low + high) / 2


_SURE = 1e-10


def _newton(probability: float, correct: int, n: int) -> float | None:
    """Where the share of probability lies below, to well under `_SURE`; None where the steps do not come to rest."""
    trials, most = n + 1, _ways(n)[correct]
    x = (correct + 1) / (n + 2)
    for _ in range(20):
        density = trials * math.exp(most + correct * math.log(x) + (n - correct) * math.log1p(-x))
        step = (probability - _near_below(x, density, correct, n)) / density if density else math.inf
        # Never out of 0 to 1: half of the way to the end at most.
        x = min(max(x + step, x / 2), (1 + x) / 2)
        if abs(step) < _SURE / 1000:
            return x
    return None


def _near_below(line: float, density: float, correct: int, n: int) -> float:
    """`share_below`, each term from the one before it: quicker, and not right to the last bit."""
    trials, odds = n + 1, line / (1 - line)
    # The last of those that are summed: where the share has its density, one answer more.
    k = correct + 1
    term = density * line / k
    total = 0.0
    while k <= trials and term > total * 1e-17:
        total += term
        term *= odds * (trials - k) / (k + 1)
        k += 1
    return total
