"""Honest probabilities and thresholds, from writers whom the networks never saw."""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.evaluation.figures import Case, Outcome, outcomes
from models.manifest import Head
from models.recognisers import Kind

SILENT_GOAL: dict[Kind, float] = {"number": 3e-3}
"""Wrong readings above the threshold, of all answers; 1 in 1,000 where nothing is said.

Numbers do not reach that on these composites, half of whose errors above 0.95 are wrong cuts of UNIPEN when looked
at. The looser goal asks for half of these hard answers instead of two thirds.
"""

_STRICT = 1e-3
_TEMPERATURES = np.geomspace(0.5, 2.5, 9)
_ENOUGH = 2500  # cases to choose a temperature by
_THRESHOLDS = np.round(np.concatenate([np.arange(0.8, 0.95, 0.01), np.arange(0.95, 0.9991, 0.001)]), 4)


def calibrated(
    kind: Kind, head: Head, cases: list[Case], logits: list[NDArray[np.float32] | None], *, strangers_goal: float = 0.1
) -> Head:
    """The head with the temperature whose confidences are likeliest, and the lowest threshold that meets the goals.

    The goals: wrong readings above it at most `SILENT_GOAL` of all answers, and at most `strangers_goal` of the marks
    that are no answer. Where no threshold meets them, the highest is taken.
    """
    tried = [msgspec.structs.replace(head, temperature=float(t)) for t in _TEMPERATURES]
    losses = [_log_loss(outcomes(kind, one, cases[:_ENOUGH], logits[:_ENOUGH])) for one in tried]
    best = tried[int(np.argmin(losses))]
    best = msgspec.structs.replace(best, temperature=round(best.temperature, 4))
    silent_goal = SILENT_GOAL.get(kind, _STRICT)
    threshold = _threshold(outcomes(kind, best, cases, logits), silent_goal, strangers_goal)
    return msgspec.structs.replace(best, threshold=threshold)


def _log_loss(results: list[Outcome]) -> float:
    # Strangers are far more among these cases than in a pupil's boxes; they weigh accordingly less.
    weight = np.array([0.1 if one.stranger else 1.0 for one in results])
    sure = np.clip([one.confidence for one in results], 1e-4, 1 - 1e-4)
    right = np.array([one.right for one in results])
    return float(-np.average(np.where(right, np.log(sure), np.log(1 - sure)), weights=weight))


def _threshold(results: list[Outcome], silent_goal: float, strangers_goal: float) -> float:
    answers = [one for one in results if not one.stranger]
    strangers = [one for one in results if one.stranger]
    for threshold in _THRESHOLDS:
        silent = sum(1 for one in answers if not one.right and one.confidence >= threshold)
        taken = sum(1 for one in strangers if one.confidence >= threshold)
        if silent <= silent_goal * len(answers) and taken <= strangers_goal * len(strangers):
            return float(threshold)
    return float(_THRESHOLDS[-1])
