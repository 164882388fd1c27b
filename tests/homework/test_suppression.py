from fractions import Fraction
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homework.suppression import LEAST, Path, hidden, hidden_columns

sizes = st.one_of(st.integers(0, 14), st.integers(0, 60))
flat = st.dictionaries(st.sampled_from("abcdefgh").map(lambda name: (name,)), sizes, max_size=8)
deep = st.dictionaries(
    st.tuples(st.sampled_from("abc"), st.sampled_from("xyz"), st.sampled_from("12")), sizes, max_size=18
)
tables = st.one_of(flat, deep)


def nodes(pupils: dict[Path, int]) -> dict[Path, int]:
    """Every figure, the totals too, and of how many pupils it is."""
    found: dict[Path, int] = {}
    for path, n in pupils.items():
        for depth in range(len(path) + 1):
            found[path[:depth]] = found.get(path[:depth], 0) + n
    return {path: n for path, n in found.items() if n}


def can_be_worked_out(pupils: dict[Path, int], gone: frozenset[Path]) -> list[Path]:
    """The hidden figures that follow from those shown: the unknowns that linear algebra fixes."""
    every = nodes(pupils)
    unknown = sorted(path for path in every if path in gone)
    rows = []
    for total in every:
        parts = [path for path in every if len(path) == len(total) + 1 and path[: len(total)] == total]
        if parts:
            rows.append([Fraction((path in parts) - (path == total)) for path in unknown])
    pivots: list[tuple[int, list[Fraction]]] = []
    for column in range(len(unknown)):
        pivot = next((row for row in rows if row[column]), None)
        if pivot is None:
            continue
        rows.remove(pivot)
        pivot = [x / pivot[column] for x in pivot]
        rows = [[x - row[column] * y for x, y in zip(row, pivot, strict=True)] for row in rows]
        pivots = [(c, [x - row[column] * y for x, y in zip(row, pivot, strict=True)]) for c, row in pivots]
        pivots.append((column, pivot))
    return [unknown[column] for column, row in pivots if sum(x != 0 for x in row) == 1]


def remainder(path: Path, pupils: dict[Path, int], gone: frozenset[Path]) -> int:
    """Of how many pupils the part of a figure is that is left when all that is shown below it is taken away."""
    every = nodes(pupils)
    parts = [other for other in every if len(other) == len(path) + 1 and other[: len(path)] == path]
    if not parts:
        return every.get(path, 0)
    return sum(remainder(part, pupils, gone) for part in parts if part in gone)


@given(tables)
def test_no_figure_of_a_few_pupils_is_shown(pupils: dict[Path, int]) -> None:
    gone = hidden(pupils)
    assert all(n >= LEAST for path, n in nodes(pupils).items() if path not in gone)


@given(tables)
def test_no_hidden_figure_follows_from_those_that_are_shown(pupils: dict[Path, int]) -> None:
    assert can_be_worked_out(pupils, hidden(pupils)) == []


@given(tables)
def test_what_subtraction_leaves_of_a_total_is_never_of_a_few_pupils(pupils: dict[Path, int]) -> None:
    gone = hidden(pupils)
    for path in nodes(pupils).keys() - gone:
        left = remainder(path, pupils, gone)
        assert left == 0 or left >= LEAST


@given(tables)
def test_where_nobody_is_few_everything_is_shown(pupils: dict[Path, int]) -> None:
    assert hidden({path: n and n + LEAST for path, n in pupils.items()}) == frozenset()


def test_nine_pupils_are_hidden_and_ten_are_not() -> None:
    assert hidden({("a",): 9, ("b",): 40, ("c",): 50}) == {("a",), ("b",)}
    assert hidden({("a",): 10, ("b",): 40, ("c",): 50}) == frozenset()


def test_two_small_ones_hide_each_other_only_when_they_are_ten_together() -> None:
    assert hidden({("a",): 5, ("b",): 5, ("c",): 50}) == {("a",), ("b",)}
    assert hidden({("a",): 4, ("b",): 5, ("c",): 50, ("d",): 60}) == {("a",), ("b",), ("c",)}


def test_a_total_of_a_few_is_hidden_with_all_its_parts() -> None:
    assert hidden({("a",): 4, ("b",): 5}) == {(), ("a",), ("b",)}


def test_a_school_that_hides_another_hides_one_of_its_classes_too() -> None:
    gone = hidden({("small", "1"): 6, ("mid", "1"): 30, ("mid", "2"): 35, ("big", "1"): 45, ("big", "2"): 45})
    assert gone == {("small",), ("small", "1"), ("mid",), ("mid", "1")}


def test_nobody_hides_nothing() -> None:
    assert hidden({}) == frozenset()
    assert hidden({("a",): 0, ("b",): 20}) == frozenset()


@pytest.mark.parametrize("least", [1, 2, 10])
def test_the_least_number_can_be_another(least: int) -> None:
    gone = hidden({("a",): least - 1, ("b",): least, ("c",): 100}, least=least)
    assert (("a",) in gone) is (least > 1)


# --- rows and columns: grades and days ------------------------------------------------------------------------

CLASSES = ("1-1", "1-2", "2-1", "2-2", "3-1")
"""The first figure of each is its grade: the row."""
class_sizes = st.fixed_dictionaries({name: st.sampled_from((4, 6, 8, 9, 11, 20)) for name in CLASSES})
class_days = st.dictionaries(st.tuples(st.sampled_from(CLASSES), st.integers(1, 5)), st.just(1), min_size=1)


@given(class_sizes, class_days)
def test_grades_and_days_together_give_no_figure_of_a_few_pupils(
    of_class: dict[str, int], had: dict[tuple[str, int], int]
) -> None:
    """Every sum of what is shown: of the classes' days that stand in it are none, or ten pupils and more."""
    given_to = {name for name, _ in had}
    by_grade: dict[Path, int] = {}
    for name in given_to:
        by_grade[name[0],] = by_grade.get((name[0],), 0) + of_class[name]
    gone = hidden(by_grade)
    if () in gone:
        return
    merged = {grade: "" if (grade,) in gone else grade for (grade,) in by_grade}
    cells: dict[tuple[str, int], int] = {}
    for name, day in had:
        place = merged[name[0]], day
        cells[place] = cells.get(place, 0) + of_class[name]
    days_gone = hidden_columns(cells)
    shown = [[int(day == column) for _, day in had] for column in {day for _, day in had} - days_gone]
    shown += [[int(merged[name[0]] == row) for name, _ in had] for row in {row for row, _ in cells}]
    for sums in product((-1, 0, 1), repeat=len(shown)):
        total = [sum(s * one for s, one in zip(sums, column, strict=True)) for column in zip(*shown, strict=True)]
        of = {name for (name, _), n in zip(had, total, strict=True) if n}
        assert not of or sum(of_class[name] for name in of) >= LEAST


def test_a_day_of_a_class_of_nine_takes_another_with_it() -> None:
    days = {("3", 1): 29, ("3", 2): 9, ("3", 3): 20, ("3", 4): 29}
    assert hidden_columns(days) == {2, 3}
    assert hidden_columns({place: n for place, n in days.items() if n > 9}) == frozenset()


def test_a_grades_sheets_less_its_other_days_are_no_way_to_its_small_day() -> None:
    """On day 2 a class of nine has homework, and with it the other grade; on the others the whole grade alone."""
    days = {("3", 1): 29, ("3", 2): 9, ("4", 2): 30, ("3", 3): 29}
    assert hidden_columns(days) == {1, 2}


def test_a_small_cell_between_what_large_ones_join_is_no_reason_to_hide() -> None:
    assert hidden_columns({("3", 1): 29, ("3", 2): 9, ("4", 2): 30, ("4", 1): 30}) == frozenset()
    assert hidden_columns({("3", 1): 9, ("3", 2): 8, ("4", 1): 30, ("4", 2): 30}) == frozenset()


def test_where_every_cell_is_of_ten_no_day_is_hidden() -> None:
    assert hidden_columns({("3", 1): 10, ("3", 2): 40, ("4", 7): 12, ("5", 3): 0}) == frozenset()
    assert hidden_columns({}) == frozenset()
