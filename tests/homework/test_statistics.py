from fractions import Fraction
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homework.answers import AnswerRule
from homework.assignment import Assignment, Item, Layer
from homework.grading import grade_page
from homework.layout import Field
from homework.results import Doubt, PageRecord, Reading, VerdictKind, WhoWroteIt
from homework.roster import Pupil
from homework.statistics import (
    ClassFigures,
    ItemFigures,
    PupilResult,
    Thresholds,
    class_figures,
    class_results,
    pupil_result,
    wilson_interval,
)

KEYS = ("92", "56", "7")


def make(item_id: str, *accepted: str, layer: Layer = "A", any_order: bool = False) -> Item:
    rule = AnswerRule(kind="number", accepted=tuple((a,) for a in accepted), any_order=any_order)
    return Item(id=item_id, kind="number", prompt="", rule=rule, blanks=len(accepted), layer=layer)


ASSIGNMENT = Assignment(id="hw", title="口算", items=tuple(make(str(n), key) for n, key in enumerate(KEYS, start=1)))


def page(
    texts: dict[tuple[str, int], str | None], assignment: Assignment | None = ASSIGNMENT, number: int = 1
) -> PageRecord:
    """A graded page; a text of "?" stands for a reading in doubt."""
    fields = [
        (Field(item, blank, "number"), Reading(text, 0.99, Doubt.UNSURE if text == "?" else None))
        for (item, blank), text in texts.items()
    ]
    return grade_page(assignment, "S", number, fields, WhoWroteIt())


def sheet(*texts: str | None) -> PageRecord:
    return page({(str(n), 1): text for n, text in enumerate(texts, start=1)})


def result(pupil: str, *pages: PageRecord) -> PupilResult:
    return pupil_result(pupil, f"学生{pupil}", int(pupil), pages)


def only_item(figures: ClassFigures, item: str = "1") -> ItemFigures:
    return next(i for i in figures.items if i.item == item)


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_the_wilson_interval_agrees_with_newcombes_published_values(
    successes: int, n: int, low: float, high: float
) -> None:
    # R. G. Newcombe, Statistics in Medicine 17 (1998), 857-872, table I, method 3.
    interval = wilson_interval(successes, n)
    assert interval is not None
    assert (round(interval.low, 4), round(interval.high, 4)) == (low, high)


@given(st.integers(1, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_wilson_interval_holds_its_proportion_and_mirrors(pair: tuple[int, int]) -> None:
    successes, n = pair
    one, other = wilson_interval(successes, n), wilson_interval(n - successes, n)
    assert one is not None
    assert other is not None
    assert 0 <= one.low <= successes / n <= one.high <= 1
    assert one.low == pytest.approx(1 - other.high)


def test_no_pupils_have_no_interval() -> None:
    assert wilson_interval(0, 0) is None


def test_a_class_is_counted_into_handed_in_late_missing_excused_and_exempt() -> None:
    pupils = [Pupil("3-1", n, f"学生{n}", f"S{n}") for n in range(1, 7)]
    records = {f"S{n}": [sheet("92", "56", "7")] for n in (1, 2, 5)}
    results = class_results(pupils, records, late={"S2"}, excused={"S3", "S5"}, exempt={"S4"})
    figures = class_figures(ASSIGNMENT.items, results)
    assert [r.status for r in results] == ["handed-in", "late", "excused", "exempt", "handed-in", "missing"]
    assert (figures.expected, figures.handed_in, figures.late) == (4, 3, 1)
    assert (figures.missing, figures.excused, figures.exempt) == (("S6",), ("S3",), ("S4",))
    assert [p.seat for p in figures.pupils] == [1, 2, 3, 4, 5, 6]


def test_scores_are_summed_over_the_settled_sheets_alone() -> None:
    results = [
        result("1", sheet("92", "56", "7")),
        result("2", sheet("92", "56", "8")),
        result("3", sheet("1", "1", "1")),
        result("4", sheet("92", "?", "7")),
        result("5"),
    ]
    figures = class_figures(ASSIGNMENT.items, results)
    assert (figures.settled, figures.unsettled) == (3, 1)
    assert figures.mean_hundredths == pytest.approx(500 / 3)
    assert (figures.highest_hundredths, figures.lowest_hundredths) == (300, 0)
    assert figures.mean_rate == pytest.approx(5 / 9)
    assert (figures.excellent_n, figures.passing_n, figures.low_n) == (1, 2, 1)
    assert [p.rate for p in figures.pupils] == [1.0, pytest.approx(2 / 3), 0.0, None, None]
    assert figures.pupils[1].wrong_items == ("3",)


def test_a_class_without_a_sheet_has_no_mean_and_does_not_fail() -> None:
    figures = class_figures(ASSIGNMENT.items, [result("1")])
    assert (figures.mean_hundredths, figures.mean_rate, figures.highest_hundredths) == (None, None, None)
    assert [(i.item, i.n, i.interval, i.rate, i.reteach) for i in figures.items] == [
        (str(n), 0, None, None, False) for n in (1, 2, 3)
    ]
    assert class_figures([], []).expected == 0


def test_a_page_that_was_read_and_not_judged_counts_as_handed_in_and_nowhere_else() -> None:
    read_only = page({("1", 1): "92"}, assignment=None)
    figures = class_figures(ASSIGNMENT.items, [result("1", read_only)])
    assert (figures.handed_in, figures.settled, figures.unsettled) == (1, 0, 1)
    assert only_item(figures).n == 0


def test_the_pages_of_a_pupil_are_put_together_in_order() -> None:
    back, front = page({("3", 1): "7"}, number=2), page({("1", 1): "92", ("2", 1): "?"})
    joined = result("1", back, front)
    assert [i.item for i in joined.items] == ["1", "2", "3"]
    assert (joined.score_hundredths, joined.max_score_hundredths, joined.pending) == (200, 300, 1)


def scored(score: int, maximum: int = 100) -> PupilResult:
    return PupilResult(
        pupil=str(score), name="", seat=None, status="handed-in", score_hundredths=score, max_score_hundredths=maximum
    )


def test_the_lines_between_bands_belong_to_the_upper_band() -> None:
    figures = class_figures([], [scored(n) for n in (100, 90, 89, 60, 59, 40, 39, 0)])
    assert [(b.low_percent, b.high_percent, len(b.pupils)) for b in figures.bands] == [
        (90, 100, 2),
        (80, 90, 1),
        (70, 80, 0),
        (60, 70, 1),
        (0, 60, 4),
    ]
    assert (figures.excellent_n, figures.passing_n, figures.low_n) == (2, 4, 2)


def test_the_school_sets_its_own_lines() -> None:
    lines = Thresholds(excellent=80, passing=50, low=30, band_edges=(50, 0))
    figures = class_figures([], [scored(n) for n in (85, 80, 50, 30, 29)], lines)
    assert (figures.excellent_n, figures.passing_n, figures.low_n) == (2, 3, 1)
    assert [len(b.pupils) for b in figures.bands] == [3, 2]


def test_a_rate_on_the_line_is_not_lost_to_rounding() -> None:
    assert class_figures([], [scored(18, 30)]).passing_n == 1
    assert class_figures([], [scored(17_999, 30_000)]).passing_n == 0


@given(st.lists(st.integers(0, 100), max_size=60))
def test_every_settled_pupil_stands_in_exactly_one_band(scores: list[int]) -> None:
    figures = class_figures([], [scored(n) for n in scores])
    assert sum(len(b.pupils) for b in figures.bands) == figures.settled == len(scores)


def test_items_count_correct_wrong_blank_and_leave_review_out() -> None:
    results = [result(str(n), sheet(text, "56", "7")) for n, text in enumerate(["92", "93", "", "?", None, "92"], 1)]
    item = only_item(class_figures(ASSIGNMENT.items, results))
    assert (item.n, item.correct, item.wrong, item.blank, item.review, item.unattempted) == (4, 2, 1, 1, 2, 0)
    assert item.rate == Fraction(1, 2)


def test_an_optional_item_left_alone_stands_in_no_denominator() -> None:
    items = (make("1", "92"), make("2", "56", layer="B"))
    assignment = Assignment(id="hw", title="t", items=items)
    pages = [page({("1", 1): "92", ("2", 1): text}, assignment) for text in ("56", "", "")]
    figures = class_figures(items, [result(str(n), p) for n, p in enumerate(pages, 1)])
    item = only_item(figures, "2")
    assert (item.n, item.correct, item.blank, item.unattempted) == (1, 1, 0, 2)
    assert [p.rate for p in figures.pupils] == [1.0, 1.0, 1.0]
    assert figures.pupils[1].blank_items == ()


def test_an_item_of_several_blanks_is_right_only_when_all_are() -> None:
    items = (make("1", "3", "5"),)
    assignment = Assignment(id="hw", title="t", items=items)
    given_ = [("3", "5"), ("3", "4"), ("3", ""), ("", ""), ("3", "?"), ("1", "?")]
    pages = [page({("1", 1): a, ("1", 2): b}, assignment) for a, b in given_]
    item = only_item(class_figures(items, [result(str(n), p) for n, p in enumerate(pages, 1)]))
    assert (item.n, item.correct, item.wrong, item.blank, item.review) == (4, 1, 2, 1, 2)
    assert [(w.blank, w.text, w.pupils) for w in item.common_wrong] == [(2, "4", ("2",)), (1, "1", ("6",))]


def rate_of(correct: int, n: int) -> ItemFigures:
    sheets = [sheet("92" if i < correct else "1", "56", "7") for i in range(n)]
    return only_item(class_figures(ASSIGNMENT.items, [result(str(i), s) for i, s in enumerate(sheets, 1)]))


def test_an_item_below_sixty_percent_is_flagged_and_one_on_the_line_is_not() -> None:
    assert (rate_of(26, 45).reteach, rate_of(26, 45).borderline) == (True, True)
    assert (rate_of(27, 45).reteach, rate_of(27, 45).borderline) == (False, False)
    assert (rate_of(10, 45).reteach, rate_of(10, 45).borderline) == (True, False)
    assert (rate_of(40, 45).reteach, rate_of(40, 45).borderline) == (False, False)


def test_a_true_rate_of_65_percent_is_flagged_in_19_of_100_classes_and_then_called_borderline() -> None:
    flagged = [k for k in range(46) if rate_of(k, 45).reteach]
    chance = sum(comb(45, k) * 0.65**k * 0.35 ** (45 - k) for k in flagged)
    assert round(chance, 2) == 0.19
    assert all(rate_of(k, 45).borderline for k in flagged if k / 45 > 0.5)


def test_common_wrong_answers_are_grouped_by_what_they_say_with_who_gave_them() -> None:
    texts = ["94", "９４", "82", "094", "92", "", "?", "82", "1"]
    results = [result(str(n), sheet(text, "56", "7")) for n, text in enumerate(texts, 1)]
    item = only_item(class_figures(ASSIGNMENT.items, results, common_wrong=2))
    assert [(w.text, w.n, w.pupils) for w in item.common_wrong] == [("94", 3, ("1", "2", "4")), ("82", 2, ("3", "8"))]


def test_in_any_order_wrong_answers_are_grouped_across_the_blanks() -> None:
    items = (make("1", "3", "5", any_order=True),)
    assignment = Assignment(id="hw", title="t", items=items)
    pages = [page({("1", 1): a, ("1", 2): b}, assignment) for a, b in [("4", "3"), ("5", "4")]]
    item = only_item(class_figures(items, [result(str(n), p) for n, p in enumerate(pages, 1)]))
    assert [(w.blank, w.text, w.pupils) for w in item.common_wrong] == [(None, "4", ("1", "2"))]


def test_items_whose_assignment_is_not_at_hand_follow_those_that_are() -> None:
    figures = class_figures(ASSIGNMENT.items[1:], [result("1", sheet("92", "56", "7"))])
    assert [i.item for i in figures.items] == ["2", "3", "1"]
    assert only_item(figures).correct == 1


texts = st.sampled_from(["92", "56", "7", "1", "", "?", None])


@given(st.lists(st.tuples(texts, texts, texts), max_size=12))
def test_every_sheet_stands_in_each_item_exactly_once(sheets: list[tuple[str | None, str | None, str | None]]) -> None:
    results = [result(str(n), sheet(*row)) for n, row in enumerate(sheets, 1)]
    figures = class_figures(ASSIGNMENT.items, results)
    for item in figures.items:
        assert item.n == item.correct + item.wrong + item.blank
        assert item.n + item.review + item.unattempted == len(sheets)
        assert sum(w.n for w in item.common_wrong) <= item.wrong
    assert sum(p.pending for p in figures.pupils) == sum(i.review for i in figures.items)
    assert VerdictKind.READ not in {r.verdict.kind for one in results for r in one.items}
