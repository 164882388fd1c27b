"""等第: which grade a score is, at the cut-offs above all."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from homework.grades import Grade, GradeScale, grade_counts, grade_of
from homework.statistics import PupilFigures

ORDER = list(Grade)


@st.composite
def scales(draw: st.DrawFn) -> GradeScale:
    passing, good, excellent = sorted(draw(st.sets(st.integers(0, 100), min_size=3, max_size=3)))
    return GradeScale(excellent=excellent, good=good, passing=passing)


@given(scales(), st.integers(1, 20_000))
def test_a_cut_off_itself_belongs_to_the_better_grade_and_a_hundredth_less_does_not(
    scale: GradeScale, maximum: int
) -> None:
    for grade, cut in ((Grade.EXCELLENT, scale.excellent), (Grade.GOOD, scale.good), (Grade.PASSING, scale.passing)):
        lowest = -(-cut * maximum // 100)  # the smallest score that is not below the cut-off
        assert ORDER.index(grade_of(lowest, maximum, scale)) <= ORDER.index(grade)
        if lowest > 0:
            assert ORDER.index(grade_of(lowest - 1, maximum, scale)) > ORDER.index(grade)


@given(scales(), st.integers(1, 20_000), st.data())
def test_a_higher_score_never_has_a_lower_grade(scale: GradeScale, maximum: int, data: st.DataObject) -> None:
    low = data.draw(st.integers(0, maximum))
    high = data.draw(st.integers(low, maximum))
    better, worse = grade_of(high, maximum, scale), grade_of(low, maximum, scale)
    assert ORDER.index(better) <= ORDER.index(worse)


@given(scales(), st.integers(0, 2000), st.integers(1, 2000), st.integers(1, 50))
def test_a_grade_does_not_depend_on_the_unit_of_the_points(
    scale: GradeScale, score: int, top: int, factor: int
) -> None:
    assume(score <= top)
    assert grade_of(score, top, scale) is grade_of(score * factor, top * factor, scale)


@given(scales(), st.integers(1, 20_000))
def test_everything_right_is_excellent(scale: GradeScale, maximum: int) -> None:
    assert grade_of(maximum, maximum, scale) is Grade.EXCELLENT


def test_a_sheet_that_could_earn_nothing_has_no_grade() -> None:
    with pytest.raises(ValueError, match="no grade"):
        grade_of(0, 0, GradeScale())


def pupil(score: int | None, rate: float | None) -> PupilFigures:
    return PupilFigures(
        pupil="S",
        name="",
        seat=1,
        status="handed-in",
        score_hundredths=score,
        max_score_hundredths=2000,
        pending=0,
        rate=rate,
        wrong_items=(),
        blank_items=(),
    )


def test_the_grades_of_a_class_add_up_and_leave_out_whoever_is_not_settled() -> None:
    pupils = [
        pupil(1800, 0.9),
        pupil(1799, 0.8995),
        pupil(1500, 0.75),
        pupil(0, 0.0),
        pupil(1700, None),
        pupil(None, None),
    ]
    counts = grade_counts(pupils, GradeScale())
    assert list(counts.items()) == [
        (Grade.EXCELLENT, 1),
        (Grade.GOOD, 2),
        (Grade.PASSING, 0),
        (Grade.BELOW, 1),
    ]
