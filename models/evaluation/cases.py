"""Development cases by kind: crops composed from the hands of writers set aside."""

from __future__ import annotations

from models.evaluation.figures import Case
from models.recognisers import KINDS, Kind
from models.training.answers import LINE_SYMBOLS
from models.training.hands import Hand
from models.training.marks import HEADS, SKIP
from models.training.sets import drawn_marks, written_answers


def cases_of(hands: list[Hand], n: int, seed: int, *, processes: int = 2) -> dict[Kind, list[Case]]:
    """About `n` answers, and `n` marks spread over the other kinds, each with strangers among them."""
    found: dict[Kind, list[Case]] = {kind: [] for kind in KINDS}
    for answer in written_answers(hands, n, seed, processes=processes):
        parts = [LINE_SYMBOLS[i] for i in answer.symbols]
        found["number"].append(Case(answer.crop, None if "" in parts else "".join(parts)))
    for mark in drawn_marks(hands, n, seed + 1, processes=processes):
        for (kind, symbols), target in zip(HEADS.items(), mark.targets, strict=True):
            if target != SKIP:
                found[_kind(kind)].append(Case(mark.crop, symbols[target] or None))
    return found


def _kind(name: str) -> Kind:
    return next(kind for kind in KINDS if kind == name)
