"""What a threshold buys, and whether confidences are honest: risk against coverage, and reliability."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import msgspec
import numpy as np

from models.evaluation.figures import Outcome, wilson

REVIEWS = (0.0, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.3, 0.5)
"""Review rates at which the silent errors are tabled."""

EDGES = (0.0, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.999, 1.0 + 1e-9)


class Trade(msgspec.Struct, frozen=True):
    """At a threshold: the share of answers for a person, and of silent errors, of all answers."""

    threshold: float
    review: float
    silent: float


class Bin(msgspec.Struct, frozen=True):
    """Answers of about one confidence: `said` is its mean, `right` the share that was right, bounded at 95 %."""

    low: float
    high: float
    n: int
    said: float
    right: float
    right_low: float
    right_high: float


def risk_coverage(outcomes: Sequence[Outcome]) -> list[Trade]:
    """Every trade that a threshold can make, from asking about nothing to asking about all; strangers are left out.

    Source: El-Yaniv and Wiener 2010, "On the Foundations of Noise-free Selective Classification". Their risk is of
    the answers that are taken; here errors are of all answers, as a teacher meets them.
    """
    answers = sorted((one for one in outcomes if not one.stranger), key=lambda one: one.confidence)
    n = len(answers)
    if n == 0:
        return []
    confidences = np.array([one.confidence for one in answers])
    wrong_above = np.concatenate([np.cumsum([not one.right for one in answers][::-1])[::-1], [0]])
    # A threshold cannot part equal confidences: each trade begins at the first of its equals.
    firsts = [0, *(np.flatnonzero(np.diff(confidences)) + 1).tolist(), n]
    thresholds = [*confidences, 1.0 + 1e-9]
    return [Trade(float(thresholds[k]), k / n, float(wrong_above[k] / n)) for k in firsts]


def at_review(trades: Sequence[Trade], review: float) -> Trade | None:
    """The trade that asks the most, but about no more than `review` of the answers."""
    return max((one for one in trades if one.review <= review + 1e-12), key=lambda one: one.review, default=None)


def reliability(outcomes: Sequence[Outcome]) -> list[Bin]:
    """How often answers of a confidence are right, by bins of confidence; empty bins and strangers are left out."""
    answers = [one for one in outcomes if not one.stranger]
    bins = []
    for low, high in pairwise(EDGES):
        some = [one for one in answers if low <= one.confidence < high]
        if some:
            right = sum(one.right for one in some)
            said = float(np.mean([one.confidence for one in some]))
            bounds = wilson(right, len(some))
            bins.append(Bin(low, min(high, 1.0), len(some), said, right / len(some), *bounds))
    return bins
