"""Where the school draws its lines: what a person may type, and what is kept."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homework.grades import GradeScale
from homework.report_settings import (
    FIELDS,
    ReportSettings,
    SettingsError,
    as_form,
    settings_from_form,
    settings_from_json,
    settings_to_json,
)
from homework.statistics import Thresholds

USUAL = as_form(ReportSettings())


@st.composite
def settings(draw: st.DrawFn) -> ReportSettings:
    low, passing, excellent = sorted(draw(st.lists(st.integers(0, 100), min_size=3, max_size=3)))
    cuts = sorted(draw(st.sets(st.integers(0, 100), min_size=3, max_size=3)))
    lines = Thresholds(low=low, passing=passing, excellent=excellent, reteach=draw(st.integers(1, 99)))
    scale = GradeScale(passing=cuts[0], good=cuts[1], excellent=cuts[2])
    return ReportSettings(thresholds=lines, marks=draw(st.sampled_from(["points", "grades"])), scale=scale)


@given(settings())
def test_what_is_kept_comes_back_from_form_and_file(wanted: ReportSettings) -> None:
    assert settings_from_form(as_form(wanted)) == wanted
    assert settings_from_json(settings_to_json(wanted)) == wanted


@given(st.dictionaries(st.sampled_from([*FIELDS, "marks", "x"]), st.text(max_size=6)))
def test_whatever_is_typed_is_taken_whole_or_refused_with_a_word_for_each_field(form: dict[str, str]) -> None:
    found, problems = None, {}
    try:
        found = settings_from_form(form)
    except SettingsError as error:
        problems = error.problems
    assert (found is None) == bool(problems)
    assert set(problems) <= {*FIELDS, "marks"}
    assert all(problem.message and problem.remedy for problem in problems.values())


@pytest.mark.parametrize("typed", ["", "abc", "-1", "101", "60.5", "6 0", "１２３", "٦٠", "1e2", "999999999999", "NaN"])
def test_what_is_no_percentage_is_refused_at_its_field(typed: str) -> None:
    with pytest.raises(SettingsError) as refused:
        settings_from_form({**USUAL, "passing": typed})
    assert set(refused.value.problems) == {"passing"}


@pytest.mark.parametrize("typed", [" 65 ", "65%", "６５", "６５％"])
def test_a_percentage_may_be_typed_in_full_width_and_with_its_sign(typed: str) -> None:
    assert settings_from_form({**USUAL, "passing": typed}).thresholds.passing == 65


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"low": "61"}, "low"),
        ({"passing": "91"}, "passing"),
        ({"grade_passing": "75"}, "grade_passing"),
        ({"grade_good": "90"}, "grade_good"),
        ({"reteach": "0"}, "reteach"),
        ({"reteach": "100"}, "reteach"),
        ({"marks": "stars"}, "marks"),
    ],
)
def test_lines_that_cross_are_refused_at_the_lower_one(changed: dict[str, str], field: str) -> None:
    with pytest.raises(SettingsError) as refused:
        settings_from_form({**USUAL, **changed})
    assert field in refused.value.problems


@pytest.mark.parametrize(
    "kept",
    [
        None,
        "",
        "{",
        "[]",
        '{"marks":"stars"}',
        '{"thresholds":{"passing":"60"}}',
        '{"thresholds":{"passing":95}}',
        '{"scale":{"good":10}}',
        '{"of_a_newer_version":1}',
    ],
)
def test_what_was_kept_and_cannot_be_used_gives_the_usual_settings(kept: str | None) -> None:
    assert settings_from_json(kept) == ReportSettings()


def test_a_refusal_survives_the_way_between_processes() -> None:
    with pytest.raises(SettingsError) as refused:
        settings_from_form({**USUAL, "low": "x"})
    assert set(pickle.loads(pickle.dumps(refused.value)).problems) == {"low"}
