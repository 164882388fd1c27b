from fractions import Fraction
from statistics import correlation, covariance

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from homework.answers import AnswerRule
from homework.assignment import Item
from homework.results import Doubt, ItemResult, Reading, Verdict, VerdictKind
from homework.sp_chart import SPChart, item_rest, sp_chart
from homework.statistics import PupilResult

KINDS = {
    "1": Verdict(VerdictKind.CORRECT, 100),
    "0": Verdict(VerdictKind.WRONG, 0),
    "-": Verdict(VerdictKind.BLANK, 0),
    "?": Verdict(VerdictKind.REVIEW, None),
    ".": Verdict(VerdictKind.BLANK, None),  # a B or C item that was left alone
}


def items(n: int) -> list[Item]:
    rule = AnswerRule(kind="number", accepted=(("1",),))
    return [Item(id=f"q{place}", kind="number", prompt="", rule=rule) for place in range(1, n + 1)]


def result(pupil: str, row: str) -> PupilResult:
    answers = tuple(
        ItemResult(f"q{place}", 1, "number", Reading("1", 1.0, Doubt.UNSURE if sign == "?" else None), KINDS[sign])
        for place, sign in enumerate(row, start=1)
    )
    return PupilResult(pupil=pupil, name=pupil, seat=None, status="handed-in" if row else "missing", items=answers)


def chart(*rows: str) -> SPChart:
    return sp_chart(
        [result(f"p{n}", row) for n, row in enumerate(rows, start=1)], items(max(map(len, rows), default=0))
    )


def caution(chart: SPChart, name: str) -> float | None:
    return next(fit.caution for fit in (*chart.pupils, *chart.items) if fit.name == name)


matrices = st.integers(1, 8).flatmap(lambda n: st.lists(st.text("10", min_size=n, max_size=n), min_size=1, max_size=9))
with_holes = st.integers(1, 8).flatmap(
    lambda n: st.lists(st.text("10-?.", min_size=n, max_size=n), min_size=1, max_size=9)
)


def test_a_class_worked_by_hand() -> None:
    # Columns are right in 4, 3, 3, 1 of 5 (11 in all). p5 has the hardest item right and misses the easiest:
    # C = ((4 + 3) - (3 + 1)) / ((4 + 3) - 2 * 11 / 4) = 3 / 1.5 = 2; modified ((4 + 3) - 4) / ((4 + 3) - (3 + 1)) = 1.
    worked = chart("1110", "1110", "1100", "1000", "0011")
    assert [(fit.name, fit.correct) for fit in worked.pupils] == [
        ("p1", 3), ("p2", 3), ("p3", 2), ("p5", 2), ("p4", 1),
    ]  # fmt: skip
    assert [(fit.name, fit.correct) for fit in worked.items] == [("q1", 4), ("q2", 3), ("q3", 3), ("q4", 1)]
    assert worked.s_line == (3, 3, 2, 2, 1)
    assert worked.p_line == (4, 3, 3, 1)
    assert caution(worked, "p5") == pytest.approx(2.0)
    assert next(fit.modified for fit in worked.pupils if fit.name == "p5") == pytest.approx(1.0)
    assert [caution(worked, f"p{n}") for n in (1, 2, 3, 4)] == [0, 0, 0, 0]
    # q3 by hand: pupils have 3, 3, 2, 1, 2 right; those right are p1, p2, p5: 8 of at best 8; so it fits.
    assert caution(worked, "q3") == 0
    # q4: only p5 (2 right) where a perfect pattern has a pupil with 3: (3 - 2) / (3 - 11 / 5) = 1.25.
    assert caution(worked, "q4") == pytest.approx(1.25)


@given(matrices)
def test_the_caution_index_is_one_less_a_ratio_of_covariances(rows: list[str]) -> None:
    # The other form in which the literature writes it: R. R. Meijer and K. Sijtsma, "Methodology review: evaluating
    # person fit", Applied Psychological Measurement 25 (2001), 107-135, equation 6.
    found = chart(*rows)
    shares = [sum(row[place] == "1" for row in rows) for place in range(len(rows[0]))]
    for number, row in enumerate(rows, start=1):
        got = caution(found, f"p{number}")
        own = [int(sign) for sign in row]
        best = sorted(range(len(row)), key=lambda place: -shares[place])[: sum(own)]
        perfect = [int(place in best) for place in range(len(row))]
        if got is None:
            assert len(row) < 2 or covariance(perfect, shares) == pytest.approx(0)
        else:
            assert got == pytest.approx(1 - covariance(own, shares) / covariance(perfect, shares))


@given(with_holes)
def test_indices_stay_in_their_range_and_lines_fall(rows: list[str]) -> None:
    found = chart(*rows)
    for fit in (*found.pupils, *found.items):
        assert 0 <= fit.correct <= fit.n
        assert fit.n > 0
        assert fit.caution is None or fit.caution >= 0
        assert fit.modified is None or 0 <= fit.modified <= 1
    assert list(found.s_line) == sorted(found.s_line, reverse=True)
    assert list(found.p_line) == sorted(found.p_line, reverse=True)
    assert all(0 <= step <= len(found.items) for step in found.s_line)
    assert len(found.cells) == len(found.pupils)
    assert all(len(row) == len(found.items) for row in found.cells)


@given(with_holes, st.randoms())
def test_the_order_in_which_pupils_come_changes_nobodys_index(rows: list[str], random: object) -> None:
    results = [result(f"p{n}", row) for n, row in enumerate(rows)]
    shuffled = list(results)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = sp_chart(results, items(len(rows[0]))), sp_chart(shuffled, items(len(rows[0])))
    assert {fit.name: fit for fit in one.pupils} == {fit.name: fit for fit in other.pupils}
    assert {fit.name: fit for fit in one.items} == {fit.name: fit for fit in other.items}


@given(st.integers(2, 8), st.lists(st.integers(0, 8), min_size=2, max_size=9))
def test_whoever_has_just_the_easiest_items_right_fits_perfectly(n: int, right: list[int]) -> None:
    rows = ["1" * min(k, n) + "0" * (n - min(k, n)) for k in right]
    for fit in (*chart(*rows).pupils, *chart(*rows).items):
        assert fit.caution in (None, 0.0)
        assert not fit.notable


def test_what_waits_or_was_left_alone_is_no_answer_and_a_blank_is_wrong() -> None:
    found = chart("11?.", "10-.", "1001")
    assert [(fit.name, fit.correct, fit.n) for fit in found.pupils] == [("p1", 2, 2), ("p3", 2, 4), ("p2", 1, 3)]
    assert [(fit.name, fit.correct, fit.n) for fit in found.items] == [
        ("q1", 3, 3), ("q4", 1, 1), ("q2", 1, 3), ("q3", 0, 2),
    ]  # fmt: skip
    assert found.cells == ((True, None, True, None), (True, True, False, False), (True, None, False, False))


def test_nobody_is_flagged_for_a_few_answers() -> None:
    few = chart("110", "110", "001")
    assert (caution(few, "p3") or 0) > 1
    assert not any(fit.notable for fit in (*few.pupils, *few.items))
    many = chart(*["1" * 9 + "0" * 3] * 10, "0" * 9 + "1" * 3)
    assert [fit.name for fit in many.pupils if fit.notable] == ["p11"]


@pytest.mark.parametrize("rows", [[], [""], ["???"], ["1"], ["111"], ["000", "000"], ["", "11"]])
def test_a_class_of_nobody_of_one_and_of_equals_has_no_index_and_does_not_fail(rows: list[str]) -> None:
    found = chart(*rows)
    assert all(fit.caution is None for fit in found.pupils)
    assert item_rest(found, "q1") is None


def test_the_correlation_of_an_item_with_the_rest_leaves_the_item_out() -> None:
    rows = ["1110"] * 8 + ["0100"] * 7 + ["1011"] * 3 + ["0000"] * 2
    found = chart(*rows)
    own = [int(row[0]) for row in rows]
    rest = [sum(map(int, row[1:])) / 3 for row in rows]
    assert item_rest(found, "q1") == pytest.approx(correlation(own, rest))
    assert item_rest(sp_chart([result(str(n), row) for n, row in enumerate(rows[:19])], items(4)), "q1") is None
    assert item_rest(found, "q9") is None


@given(st.lists(st.text("10?", min_size=4, max_size=4), min_size=20, max_size=40))
def test_a_correlation_is_one(rows: list[str]) -> None:
    found = item_rest(chart(*rows), "q2")
    assume(found is not None)
    assert found is not None
    assert -1.0000001 <= found <= 1.0000001


def test_items_of_an_assignment_that_is_not_at_hand_are_charted_under_their_own_names() -> None:
    found = sp_chart([result("p1", "10"), result("p2", "11")], [])
    assert [fit.name for fit in found.items] == ["q1", "q2"]
    assert Fraction(found.pupils[0].correct, found.pupils[0].n) == 1
