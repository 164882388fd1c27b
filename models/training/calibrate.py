"""Honest probabilities and thresholds, from writers whom the networks never saw."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import msgspec
import numpy as np

from models.evaluation.figures import Case, Outcome, outcomes
from models.manifest import Head
from models.recognisers import Kind, Look, dotted

SILENT_GOAL = 1e-3
"""Wrong readings above the threshold, of all answers."""

AFFORDABLE = 0.03
"""So much review is always worth it: within it the strictest threshold is taken, against what no set here holds."""

MOST_REVIEW = 0.2
"""A goal that asks for more than this is not worth its questions: who is asked so much may as well read it herself."""

WORTH = 45
"""So many questions are worth one silent error, where the goal is out of reach.

The goal weighs them 30 to 1 (3 in 100 asked against 1 in 1,000 silent); half as much again, since a question costs a
second and a wrong cross a pupil's trust.
"""

STRANGERS_GOAL = 0.1
"""Marks that are no answer, read above the threshold, of those drawn: far more often here than in a pupil's box."""

_TEMPERATURES = np.geomspace(0.5, 2.5, 13)
_ENOUGH = 4000  # cases to choose a temperature by
_THRESHOLDS = np.round(np.concatenate([np.arange(0.7, 0.95, 0.01), np.arange(0.95, 0.9991, 0.001)]), 4)

Answers = Sequence[Look | None]


def with_points(head: Head, cases: Sequence[Case], looks: Answers) -> Head:
    """The head with how often the ink of texts shows a point, by the signs that they hold.

    Seen once more and missed once more than counted (Laplace), so that nothing is impossible.
    """
    seen: dict[str, list[bool]] = defaultdict(list)
    for case, look in zip(cases, looks, strict=True):
        if case.text is not None and look is not None:
            seen[dotted(case.text)].append(look.points > 0)
    pointed = {signs: round((sum(some) + 1) / (len(some) + 2), 4) for signs, some in sorted(seen.items())}
    return msgspec.structs.replace(head, pointed=pointed)


def with_temperature(kind: Kind, head: Head, cases: Sequence[Case], looks: Answers) -> Head:
    """The head with the temperature whose confidences are likeliest."""
    tried = [msgspec.structs.replace(head, temperature=round(float(t), 4)) for t in _TEMPERATURES]
    losses = [_log_loss(outcomes(kind, one, cases[:_ENOUGH], looks[:_ENOUGH])) for one in tried]
    return tried[int(np.argmin(losses))]


def with_threshold(kind: Kind, head: Head, cases: Sequence[Case], looks: Answers) -> Head:
    """The head with the highest threshold that meets the goals on these cases within the affordable review.

    Where none does, the lowest that meets them at all; where that would ask more than `MOST_REVIEW`, the one whose
    silent errors and questions weigh least.
    """
    results = outcomes(kind, head, cases, looks)
    answers = [one for one in results if not one.stranger]
    strangers = [one for one in results if one.stranger]
    weights: dict[float, float] = {}
    good: dict[float, float] = {}
    for threshold in _THRESHOLDS:
        silent = sum(not one.right and one.confidence >= threshold for one in answers) / max(len(answers), 1)
        review = sum(one.confidence < threshold for one in answers) / max(len(answers), 1)
        taken = sum(one.confidence >= threshold for one in strangers) / max(len(strangers), 1)
        if taken > STRANGERS_GOAL:
            continue
        weights[float(threshold)] = WORTH * silent + review
        if silent <= SILENT_GOAL and review <= MOST_REVIEW:
            good[float(threshold)] = review
    if good:
        affordable = [threshold for threshold, review in good.items() if review <= AFFORDABLE]
        return msgspec.structs.replace(head, threshold=max(affordable, default=min(good)))
    chosen = min(weights, key=lambda one: weights[one], default=float(_THRESHOLDS[-1]))
    return msgspec.structs.replace(head, threshold=chosen)


def _log_loss(results: Sequence[Outcome]) -> float:
    # Strangers are far more among these cases than in a pupil's boxes; they weigh accordingly less.
    weight = np.array([0.1 if one.stranger else 1.0 for one in results])
    sure = np.clip([one.confidence for one in results], 1e-4, 1 - 1e-4)
    right = np.array([one.right for one in results])
    return float(-np.average(np.where(right, np.log(sure), np.log(1 - sure)), weights=weight))
