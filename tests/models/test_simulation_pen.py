"""A hand writes what it is asked to, where it is asked to, and never twice alike."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.simulation import glyphs
from models.simulation.ink import draw_strokes
from models.simulation.pen import Writer
from models.simulation.strokes import corners, resample, spline

BOX = (20.0, 30.0, 26.0, 11.0)
answers = st.one_of(
    st.integers(-9999, 9999).map(str),
    st.tuples(st.integers(1, 99), st.integers(1, 99)).map(lambda f: f"{f[0]}/{f[1]}"),
    st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(2, 9)).map(lambda f: f"{f[0]} {f[1]}/{f[2]}"),
    st.tuples(st.integers(0, 99), st.integers(1, 99)).map(lambda f: f"{f[0]}……{f[1]}"),
    st.decimals(0, 99, places=2).map(str),
    st.sampled_from(["75%", "√", "×", "<", ">", "=", *"ABCDEFGH"]),
)


def hull(strokes):
    points = np.concatenate([s.points_mm for s in strokes])
    return (*points.min(axis=0), *points.max(axis=0))


def drawn(strokes, *, px_per_mm=8.0, size=(500, 700), paper=250):
    page = np.full((*size, 3), paper, np.uint8)
    draw_strokes(page, strokes, px_per_mm)
    return page


@settings(max_examples=60, deadline=None)
@given(answers, st.integers(0, 500), st.tuples(st.floats(14, 40), st.floats(8, 18)))
def test_whatever_is_written_stays_about_its_box(text, seed, size):
    box = (20.0, 30.0, *size)
    x0, y0, x1, y1 = hull(Writer.random(seed).write(text, box, np.random.default_rng(seed)))
    spill = 0.22 * size[1]
    assert x0 > box[0] - spill
    assert x1 < box[0] + box[2] + spill
    assert y0 > box[1] - spill
    assert y1 < box[1] + box[3] + spill


@pytest.mark.parametrize("sign", [*"0123456789.-/%+=<>√×ABCDEFGH"])
def test_every_sign_of_an_answer_is_drawn(sign):
    assert Writer.random(3).write(sign, BOX, np.random.default_rng(0))


@pytest.mark.parametrize("digit", [*"0123456789"])
def test_a_digit_is_drawn_in_several_ways(digit):
    assert len(glyphs.variants(digit)) >= 3


def test_every_prototype_lies_in_its_square():
    for sign in "0123456789.-/%+=<>√×ABCDEFGH学生":
        for variant in glyphs.variants(sign):
            points = np.concatenate(variant.strokes)
            assert points.min() >= -0.05, sign
            assert points.max() <= 1.05, sign


def test_a_sign_that_nobody_drew_is_refused():
    with pytest.raises(ValueError, match="nobody drew"):
        Writer.random(3).write("9€", BOX, np.random.default_rng(0))


def test_a_writer_is_the_same_person_each_time():
    one, again = (Writer.random(12).write("375", BOX, np.random.default_rng(4)) for _ in range(2))
    assert all(np.array_equal(a.points_mm, b.points_mm) for a, b in zip(one, again, strict=True))


def test_no_two_signs_of_one_writer_are_alike():
    rng = np.random.default_rng(4)
    one, other = (Writer.random(12).write("8", BOX, rng)[0].points_mm for _ in range(2))
    a, b = (resample((p - p.min(axis=0)) / np.ptp(p[:, 1]), 0.1)[:15] for p in (one, other))
    assert 0.005 < np.abs(a - b).max() < 0.5


def test_writers_differ_in_their_manner():
    people = [Writer.random(seed) for seed in range(40)]
    assert len({w.pen.ink for w in people}) == 3
    assert np.ptp([w.size_mm for w in people]) > 2
    assert np.ptp([w.slant for w in people]) > 0.2


def test_a_fraction_is_stacked():
    strokes = Writer.random(8).write("1/4", BOX, np.random.default_rng(1))
    levels = sorted(float(s.points_mm[:, 1].mean()) for s in strokes)
    assert levels[0] < BOX[1] + 0.45 * BOX[3]
    assert levels[-1] > BOX[1] + 0.55 * BOX[3]


def test_six_dots_stand_between_quotient_and_remainder():
    strokes = Writer.random(8).write("7……1", BOX, np.random.default_rng(1))
    assert sum(np.ptp(s.points_mm, axis=0).max() < 1.0 for s in strokes) == 6


def test_faint_writing_is_paler():
    writer = Writer.random(8)
    plain, faint = (drawn(writer.write("48", BOX, np.random.default_rng(1), faint=f)) for f in (False, True))
    assert faint.min() > plain.min() + 40


def test_a_filled_bubble_is_mostly_dark_and_a_dotted_one_is_not():
    def share(style):
        strokes = Writer.random(8).mark_bubble((20, 20, 5, 3.6), np.random.default_rng(1), style=style)
        page = drawn(strokes, px_per_mm=10)
        return float((page[200:236, 200:250, 0] < 180).mean())

    assert share("fill") > 0.55
    assert share("dot") < 0.3


def test_crossing_out_goes_through_what_was_written():
    writer, rng = Writer.random(8), np.random.default_rng(1)
    for _ in range(8):
        written = writer.write("63", BOX, rng)
        x0, y0, x1, y1 = hull(written)
        a0, b0, a1, b1 = hull(writer.cross_out(written, rng))
        assert a0 < x0 + 0.25 * (x1 - x0)
        assert a1 > x1 - 0.25 * (x1 - x0)
        assert b0 < y1
        assert b1 > y0


def test_a_name_is_written_on_its_line():
    strokes = Writer.random(8).write_words("学生07", (20, 20, 60, 8), np.random.default_rng(1))
    x0, y0, x1, y1 = hull(strokes)
    assert 19 < x0 < x1 < 82
    assert 17 < y0 < y1 < 30


def test_a_character_that_nobody_drew_still_looks_like_one():
    strokes = Writer.random(8).write_words("李", (20, 20, 60, 8), np.random.default_rng(1))
    assert len(strokes) >= 3


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 200), st.integers(0, 255))
def test_ink_takes_light_away_and_never_gives_any(seed, paper):
    page = drawn(Writer.random(seed).write("58", BOX, np.random.default_rng(seed)), paper=paper)
    assert page.max() <= paper


def test_strokes_beyond_the_page_are_cut_off():
    strokes = Writer.random(8).write("58", (-4, -4, 20, 9), np.random.default_rng(1))
    assert drawn(strokes, size=(60, 60)).min() < 200


def test_a_curve_runs_through_its_points_and_turns_at_corners():
    control = np.array([[0, 0], [0.5, 0.2], [1, 0], [1, 0], [1, 1]], float)
    path = spline(control)
    for point in control:
        assert np.hypot(*(path - point).T).min() < 1e-9
    assert list(corners(control)) == [3]


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=2, max_size=9, unique=True))
def test_resampling_keeps_the_ends_and_the_spacing(points):
    path = np.array(points)
    even = resample(path, 0.05)
    assert np.allclose(even[[0, -1]], path[[0, -1]])
    assert np.hypot(*np.diff(even, axis=0).T).max() < 0.11
