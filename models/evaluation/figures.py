"""Counting what readings are worth: forced choice, silent errors, review rate, with 95 % bounds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from models.manifest import Head
from models.preprocess import Image
from models.recognisers import Kind, Look, interpret


@dataclass(frozen=True)
class Case:
    """A crop and what stands in it; `text` is None for a mark that is no answer of the kind."""

    crop: Image
    text: str | None


@dataclass(frozen=True)
class Outcome:
    """What became of one case. `right` is false for every reading of a stranger."""

    confidence: float
    right: bool
    stranger: bool


class Row(msgspec.Struct, frozen=True):
    """The figures of one kind on one set. Rates are 0..1; `_low` and `_high` bound them at 95 %.

    `forced_choice`: right when every answer must be read. `silent`: wrong and above the threshold, of all answers.
    `review`: answers below the threshold. `strangers_taken`: marks that are no answer, read above the threshold.
    """

    kind: str
    set: str
    n: int
    forced_choice: float
    forced_choice_low: float
    forced_choice_high: float
    silent: float
    silent_low: float
    silent_high: float
    review: float
    review_low: float
    review_high: float
    strangers: int
    strangers_taken: float


def outcomes(kind: Kind, head: Head, cases: Sequence[Case], looks: Sequence[Look | None]) -> list[Outcome]:
    """One outcome a case."""
    results = []
    for case, look in zip(cases, looks, strict=True):
        recognition = interpret(kind, head, look)
        right = case.text is not None and recognition.text == case.text
        results.append(Outcome(recognition.confidence, right, case.text is None))
    return results


def row(kind: str, name: str, results: Sequence[Outcome], threshold: float) -> Row:
    """The figures of a set at a threshold."""
    answers = [one for one in results if not one.stranger]
    strangers = [one for one in results if one.stranger]
    n = len(answers)
    right = sum(one.right for one in answers)
    silent = sum(1 for one in answers if not one.right and one.confidence >= threshold)
    review = sum(1 for one in answers if one.confidence < threshold)
    taken = sum(1 for one in strangers if one.confidence >= threshold)
    return Row(
        kind, name, n,
        *_rate(right, n), *_rate(silent, n), *_rate(review, n),
        len(strangers), taken / len(strangers) if strangers else 0.0,
    )  # fmt: skip


@dataclass(frozen=True)
class Judged:
    """An answer as a pupil would see it judged. `same`: read as it was written; `asked`: a person looks.

    `right`: the key agrees with what was written; None when nobody knows. `ticked`: graded correct.
    """

    same: bool
    asked: bool
    right: bool | None
    ticked: bool


def judged_row(answers: Sequence[Judged]) -> dict[str, Any]:
    """Rates (0..1) with their 95 % bounds. `silent`: read otherwise than written, and nobody asked, of all answers.

    `false_tick`: graded correct, of those that are wrong; `false_cross`: graded wrong or blank, of those that are
    right; `false_ticks` and `false_crosses` count them.
    """
    wrong = [one for one in answers if one.right is False]
    right = [one for one in answers if one.right]
    ticks = sum(one.ticked for one in wrong)
    crosses = sum(not one.ticked and not one.asked for one in right)
    counts = {
        "forced_choice": (sum(one.same for one in answers), len(answers)),
        "silent": (sum(not one.same and not one.asked for one in answers), len(answers)),
        "review": (sum(one.asked for one in answers), len(answers)),
        "false_tick": (ticks, len(wrong)),
        "false_cross": (crosses, len(right)),
    }
    figures: dict[str, Any] = {"n": len(answers)}
    for name, (k, n) in counts.items():
        figures[name] = round(k / max(n, 1), 5)
        figures[f"{name}_95"] = [round(bound, 5) for bound in wilson(k, n)]
    return {**figures, "wrong": len(wrong), "false_ticks": ticks, "right": len(right), "false_crosses": crosses}


def wilson(k: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """The 95 % interval of a proportion k / n (Wilson 1927); (0, 1) when nothing was counted."""
    if n == 0:
        return (0.0, 1.0)
    p = k / n
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return (max(middle - half, 0.0), min(middle + half, 1.0))


def _rate(k: int, n: int) -> tuple[float, float, float]:
    low, high = wilson(k, n)
    return (k / n if n else 0.0, low, high)
