"""Everything that is measured in one run: what is printed, and what the cards show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from models.evaluation.curves import REVIEWS, Bin, Trade, at_review, reliability, risk_coverage
from models.evaluation.figures import Outcome, Row


class Trades(msgspec.Struct, frozen=True):
    """What silent errors a kind would cost on a set at each rate of `REVIEWS`."""

    kind: str
    set: str
    at: tuple[Trade, ...]


class Reliability(msgspec.Struct, frozen=True):
    """Whether the confidences of a kind are honest on a set."""

    kind: str
    set: str
    bins: tuple[Bin, ...]


class Report(msgspec.Struct, frozen=True):
    """`rows` of single crops, `page_rows` of crops of whole pages, and for both what thresholds buy.

    `curves` are all trades by kind, of pages where there are some, else of the composites: for drawing.
    """

    rows: list[Row]
    page_rows: list[dict[str, Any]]
    trades: list[Trades]
    reliability: list[Reliability]
    curves: dict[str, list[Trade]]

    def printed(self) -> dict[str, Any]:
        """The figures without the curves' many points."""
        return {
            "rows": self.rows,
            "page_rows": self.page_rows,
            "trades": self.trades,
            "reliability": self.reliability,
        }


def report_of(
    rows: Sequence[Row], page_rows: Sequence[dict[str, Any]], sets: Mapping[str, Mapping[str, Sequence[Outcome]]]
) -> Report:
    """The report of rows, and of outcomes by the set's name and by kind; the last set is the one drawn."""
    curves: dict[str, list[Trade]] = {}
    trades, honest = [], []
    for name, kinds in sets.items():
        curves = {kind: risk_coverage(outcomes) for kind, outcomes in kinds.items()}
        for kind, curve in curves.items():
            at = [at_review(curve, review) for review in REVIEWS]
            trades.append(Trades(kind, name, tuple(one for one in at if one is not None)))
            honest.append(Reliability(kind, name, tuple(reliability(kinds[kind]))))
    return Report(list(rows), list(page_rows), trades, honest, curves)
