"""The figures of a class, an item and a pupil, from graded pages. Pure functions over plain structs.

A class is small: counts come first, proportions carry their interval, and what hangs in review is left out of every
denominator instead of being guessed. So are B and C items that a pupil left alone.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from fractions import Fraction
from functools import lru_cache
from typing import Literal

import msgspec

from homework.answers import normalise
from homework.assignment import Item
from homework.grading import is_unattempted
from homework.layout import FieldKind
from homework.results import ItemResult, PageRecord, VerdictKind
from homework.roster import Pupil

SubmissionStatus = Literal["handed-in", "late", "missing", "excused", "exempt"]
"""已交, 补交, 未交, 请假, 免做. Only the first two have a sheet; only `missing` is to be chased."""

Z_95 = 1.959963984540054
"""The 97.5 % point of the normal distribution: a two-sided interval of 95 %."""


class Thresholds(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Where the school draws its lines, in percent of what the pupil's own sheet could earn.

    优秀率 from `excellent`, 合格率 from `passing`, 低分率 below `low`; an item answered rightly by less than
    `reteach` of the pupils is flagged; `band_edges` are the lower ends of the score bands, descending.
    """

    excellent: int = 90
    passing: int = 60
    low: int = 40
    reteach: int = 60
    band_edges: tuple[int, ...] = (90, 80, 70, 60, 0)


class PupilResult(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What one pupil handed in: the fields of all pages together. `pending` counts those in review."""

    pupil: str
    name: str
    seat: int | None
    status: SubmissionStatus
    items: tuple[ItemResult, ...] = ()
    score_hundredths: int | None = None
    max_score_hundredths: int | None = None
    pending: int = 0


class Interval(msgspec.Struct, frozen=True, gc=False):
    """A confidence interval of a proportion, both ends in 0..1."""

    low: float
    high: float


class WrongAnswer(msgspec.Struct, frozen=True, gc=False):
    """A wrong answer and who gave it (in the order of the results). `blank` is None where order is free."""

    blank: int | None
    text: str
    pupils: tuple[str, ...]

    @property
    def n(self) -> int:
        """How often it was given; with free order one pupil may give it twice."""
        return len(self.pupils)


class ItemFigures(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One item over the class.

    `n` = correct + wrong + blank is the denominator; `review` and `unattempted` (B or C, left alone) stand beside.
    An item of several blanks is correct when all are, blank when all are, in review when any is, else wrong.
    `interval` is Wilson's at 95 %, None when n is 0. `reteach` is the flag; `borderline`, that it is set and the
    interval reaches over its line, so that chance alone may have set it. Where no flag is, there is none to doubt.
    """

    item: str
    n: int
    correct: int
    wrong: int
    blank: int
    review: int
    unattempted: int
    interval: Interval | None
    reteach: bool
    borderline: bool
    common_wrong: tuple[WrongAnswer, ...]

    @property
    def rate(self) -> Fraction | None:
        """The share that is correct, exactly; None when n is 0."""
        return Fraction(self.correct, self.n) if self.n else None


class PupilFigures(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One pupil's line. `rate` (0..1) is the score out of the own maximum, None when missing or unsettled."""

    pupil: str
    name: str
    seat: int | None
    status: SubmissionStatus
    score_hundredths: int | None
    max_score_hundredths: int | None
    pending: int
    rate: float | None
    wrong_items: tuple[str, ...]
    blank_items: tuple[str, ...]


class Band(msgspec.Struct, frozen=True, gc=False):
    """Pupils from `low_percent` to below `high_percent` (the top band includes 100)."""

    low_percent: int
    high_percent: int
    pupils: tuple[str, ...]


class ClassFigures(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The class on one assignment.

    `expected` is everyone who should hand in (neither excused nor exempt). Scores, rates and bands are over the
    `settled` sheets: handed in, scored, nothing in review; `unsettled` says how many more there will be. The
    three `*_n` count settled pupils past the school's thresholds.
    """

    expected: int
    handed_in: int
    late: int
    missing: tuple[str, ...]
    excused: tuple[str, ...]
    exempt: tuple[str, ...]
    settled: int
    unsettled: int
    mean_hundredths: float | None
    highest_hundredths: int | None
    lowest_hundredths: int | None
    mean_rate: float | None
    excellent_n: int
    passing_n: int
    low_n: int
    bands: tuple[Band, ...]
    items: tuple[ItemFigures, ...]
    pupils: tuple[PupilFigures, ...]


def wilson_interval(successes: int, n: int, z: float = Z_95) -> Interval | None:
    """The score interval of a proportion; None when n is 0.

    (p + z²/2n ± z·√(p(1−p)/n + z²/4n²)) / (1 + z²/n). Source: E. B. Wilson, "Probable inference, the law of
    succession, and statistical inference", Journal of the American Statistical Association 22 (1927), 209-212.
    """
    if n == 0:
        return None
    p = successes / n
    middle = p + z * z / (2 * n)
    spread = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    # At 0 and n the ends are 0 and 1 exactly; the formula misses them by a rounding error.
    low = 0.0 if successes == 0 else (middle - spread) / scale
    high = 1.0 if successes == n else (middle + spread) / scale
    return Interval(low, high)


def pupil_result(
    pupil: str, name: str, seat: int | None, records: Iterable[PageRecord], *, late: bool = False
) -> PupilResult:
    """One pupil's pages for an assignment and attempt, put together; `missing` when there are none.

    The records are the current ones, one a page: which of two captures counts is decided before. A page that was
    read and not judged leaves the pupil without a score.
    """
    pages = sorted(records, key=lambda record: record.page)
    scores = [page.score_hundredths for page in pages]
    maxima = [page.max_score_hundredths for page in pages]
    known = bool(pages) and None not in scores and None not in maxima
    return PupilResult(
        pupil=pupil,
        name=name,
        seat=seat,
        status="missing" if not pages else "late" if late else "handed-in",
        items=tuple(result for page in pages for result in page.items),
        score_hundredths=sum(score or 0 for score in scores) if known else None,
        max_score_hundredths=sum(maximum or 0 for maximum in maxima) if known else None,
        pending=sum(page.pending for page in pages),
    )


def class_results(
    pupils: Sequence[Pupil],
    records: Mapping[str, Sequence[PageRecord]],
    *,
    late: Collection[str] = (),
    excused: Collection[str] = (),
    exempt: Collection[str] = (),
) -> tuple[PupilResult, ...]:
    """One result for each pupil of a class, in the order of `pupils`; `records` are keyed by pupil_id.

    A sheet that is there counts, also of one who was excused or exempt.
    """
    results = []
    for pupil in pupils:
        own = records.get(pupil.pupil_id, ())
        result = pupil_result(pupil.pupil_id, pupil.name, pupil.seat, own, late=pupil.pupil_id in late)
        if not own and pupil.pupil_id in exempt:
            result = msgspec.structs.replace(result, status="exempt")
        elif not own and pupil.pupil_id in excused:
            result = msgspec.structs.replace(result, status="excused")
        results.append(result)
    return tuple(results)


def class_figures(
    items: Sequence[Item],
    results: Sequence[PupilResult],
    thresholds: Thresholds | None = None,
    *,
    common_wrong: int = 5,
) -> ClassFigures:
    """All figures of a class on one assignment.

    `results` holds one entry for every pupil of the class, the missing included. `items` are the assignment's, in its
    order; items that stand in results alone (their assignment is not at hand) follow. `common_wrong` limits the
    wrong answers listed for an item.
    """
    lines = thresholds or Thresholds()
    answered = [_Answered(result) for result in results]
    pupils = tuple(_pupil_figures(one) for one in answered)
    there = [one for one in answered if one.result.status in ("handed-in", "late")]
    settled = [(p, p.score_hundredths, p.rate) for p in pupils if p.rate is not None and p.score_hundredths is not None]
    scores = [score for _, score, _ in settled]
    rates = [(score, p.max_score_hundredths or 1) for p, score, _ in settled]
    by_status = {
        status: tuple(r.pupil for r in results if r.status == status) for status in ("missing", "excused", "exempt")
    }
    return ClassFigures(
        expected=len(there) + len(by_status["missing"]),
        handed_in=len(there),
        late=sum(one.result.status == "late" for one in there),
        missing=by_status["missing"],
        excused=by_status["excused"],
        exempt=by_status["exempt"],
        settled=len(settled),
        unsettled=len(there) - len(settled),
        mean_hundredths=sum(scores) / len(scores) if scores else None,
        highest_hundredths=max(scores, default=None),
        lowest_hundredths=min(scores, default=None),
        mean_rate=_mean(rates),
        excellent_n=sum(score * 100 >= lines.excellent * most for score, most in rates),
        passing_n=sum(score * 100 >= lines.passing * most for score, most in rates),
        low_n=sum(score * 100 < lines.low * most for score, most in rates),
        bands=_bands([p for p, _, _ in settled], lines.band_edges),
        items=_all_items(items, there, lines, common_wrong),
        pupils=pupils,
    )


def item_state(results: Sequence[ItemResult]) -> VerdictKind | None:
    """The state of one pupil's item from its blanks: None when it counts nowhere (left alone, or not judged)."""
    if len(results) == 1:
        kind = results[0].verdict.kind
        return None if kind is VerdictKind.READ or is_unattempted(results[0]) else kind
    return state_of({result.verdict.kind for result in results if not is_unattempted(result)})


def state_of(kinds: AbstractSet[VerdictKind]) -> VerdictKind | None:
    """The state of an item of whose blanks, but for those that were left alone, this was said (`item_state`)."""
    if not kinds or VerdictKind.READ in kinds:
        return None
    if VerdictKind.REVIEW in kinds:
        return VerdictKind.REVIEW
    (first, *others) = kinds
    return VerdictKind.WRONG if others else first


def item_states(results: Iterable[ItemResult]) -> dict[str, VerdictKind | None]:
    """The state of each of one pupil's items (`item_state`), in the order in which they stand on the sheet."""
    return {item: item_state(blanks) for item, blanks in _by_item(results).items()}


def _by_item(results: Iterable[ItemResult]) -> dict[str, list[ItemResult]]:
    grouped: dict[str, list[ItemResult]] = {}
    for result in results:
        own = grouped.get(result.item)
        if own is None:
            grouped[result.item] = [result]
        else:
            own.append(result)
    return grouped


class _Answered:
    """A pupil's result, what he wrote of each item, and the states of those: looked at twice, made once."""

    def __init__(self, result: PupilResult) -> None:
        self.result = result
        self.blanks = _by_item(result.items)
        self.states: dict[str, VerdictKind | None] = {}
        for item, own in self.blanks.items():
            verdict = own[0].verdict
            if len(own) == 1 and verdict.kind in _PLAIN:  # nearly always, and a class has a thousand of them
                self.states[item] = verdict.kind
            else:
                self.states[item] = item_state(own)


_PLAIN = frozenset((VerdictKind.CORRECT, VerdictKind.WRONG, VerdictKind.REVIEW))
"""What an item of one blank is when its blank is."""


def _pupil_figures(answered: _Answered) -> PupilFigures:
    result, states = answered.result, answered.states
    score, most = result.score_hundredths, result.max_score_hundredths
    return PupilFigures(
        pupil=result.pupil,
        name=result.name,
        seat=result.seat,
        status=result.status,
        score_hundredths=score,
        max_score_hundredths=most,
        pending=result.pending,
        rate=score / most if score is not None and most and not result.pending else None,
        wrong_items=tuple([item for item, state in states.items() if state is VerdictKind.WRONG]),
        blank_items=tuple([item for item, state in states.items() if state is VerdictKind.BLANK]),
    )


def _mean(rates: Sequence[tuple[int, int]]) -> float | None:
    """The mean of exact rates, rounded once; nearly all sheets of a class can earn the same."""
    if not rates:
        return None
    sums: dict[int, int] = {}
    for score, most in rates:
        sums[most] = sums.get(most, 0) + score
    return float(sum(Fraction(score, most) for most, score in sums.items()) / len(rates))


def _bands(settled: Sequence[PupilFigures], edges: Sequence[int]) -> tuple[Band, ...]:
    scores = [(p.pupil, 100 * (p.score_hundredths or 0), p.max_score_hundredths or 0) for p in settled]
    bands = []
    high = 100
    for low in edges:
        top = high == 100
        inside = (p for p, score, most in scores if score >= low * most and (top or score < high * most))
        bands.append(Band(low, high, tuple(inside)))
        high = low
    return tuple(bands)


_Given = tuple[str, list[ItemResult], VerdictKind | None]
"""What one pupil wrote of an item: the pupil, the blanks, their state. A plain tuple, for a class has a thousand."""


def _all_items(
    items: Sequence[Item], answered: Sequence[_Answered], lines: Thresholds, common_wrong: int
) -> tuple[ItemFigures, ...]:
    free_order = {item.id: item.rule.any_order for item in items}
    answers: dict[str, list[_Given]] = {item.id: [] for item in items}
    for one in answered:
        pupil, states = one.result.pupil, one.states
        for item_id, blanks in one.blanks.items():
            given = (pupil, blanks, states[item_id])
            if item_id in answers:
                answers[item_id].append(given)
            else:
                answers[item_id] = [given]
    return tuple(
        _item_figures(item_id, given, free_order.get(item_id, False), lines, common_wrong)
        for item_id, given in answers.items()
    )


def _item_figures(
    item_id: str, given: Sequence[_Given], free_order: bool, lines: Thresholds, common_wrong: int
) -> ItemFigures:
    states = Counter([state for _, _, state in given])
    correct, wrong, blank = states[VerdictKind.CORRECT], states[VerdictKind.WRONG], states[VerdictKind.BLANK]
    n = correct + wrong + blank
    interval = wilson_interval(correct, n)
    reteach = n > 0 and correct * 100 < lines.reteach * n
    return ItemFigures(
        item=item_id,
        n=n,
        correct=correct,
        wrong=wrong,
        blank=blank,
        review=states[VerdictKind.REVIEW],
        unattempted=sum([all(map(is_unattempted, blanks)) for _, blanks, state in given if state is None]),
        interval=interval,
        reteach=reteach,
        borderline=reteach and interval is not None and lines.reteach < interval.high * 100,
        common_wrong=_wrong_answers(given, free_order)[:common_wrong] if common_wrong else (),
    )


@lru_cache(maxsize=8192)
def canonical(kind: str, text: str) -> str:
    """An answer as it is told: the same for all who meant the same. `kind` is that of its field.

    A class makes the same mistakes, and its report is made again with every sheet, so that it is remembered.
    """
    return normalise(msgspec.convert(kind, FieldKind), text)


def _wrong_answers(given: Sequence[_Given], free_order: bool) -> tuple[WrongAnswer, ...]:
    """Wrong answers by canonical text, the commonest first; those of equal count in the order they came."""
    groups: dict[tuple[int | None, str], list[str]] = {}
    for pupil, blanks, state in given:
        if state is not VerdictKind.WRONG and len(blanks) == 1:
            continue
        for result in blanks:
            if result.verdict.kind is VerdictKind.WRONG and result.reading.text:
                text = canonical(result.kind, result.reading.text)
                groups.setdefault((None if free_order else result.blank, text), []).append(pupil)
    found = (WrongAnswer(blank, text, tuple(pupils)) for (blank, text), pupils in groups.items())
    return tuple(sorted(found, key=lambda answer: -answer.n))
