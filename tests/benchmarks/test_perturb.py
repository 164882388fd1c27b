"""What `perturb` counts as read, asked, refused and silently wrong; and that its pictures show what they say."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks._perturbations import ROWS, Scene, photograph_and_map
from benchmarks.perturb import Outcome, row_of

PAGE_MM = (210.0, 297.0)
ONE, TWO = ("1", 1), ("2", 1)


def seen(**changes: object) -> Outcome:
    plain: dict[str, object] = {
        "refused": None, "asked": frozenset(), "wrong": frozenset(), "pupil": "S001", "fields": 20,
    }  # fmt: skip
    return Outcome(**{**plain, **changes})  # type: ignore[arg-type]


def counted(one: Outcome, clean: Outcome) -> str:
    row = row_of("row", [one], [clean], ["S001"])
    [name] = [name for name in ("read", "asked", "refused", "silently_wrong") if row[name]]
    return name


def test_a_page_is_counted_once_by_what_became_worse() -> None:
    clean = seen(asked=frozenset({ONE}), wrong=frozenset({(TWO, "7")}))
    assert counted(clean, clean) == "read"
    assert counted(seen(asked=frozenset({ONE, ("3", 1), ("4", 1)})), clean) == "read"
    assert counted(seen(asked=frozenset({("3", 1), ("4", 1), ("5", 1)})), clean) == "asked"
    assert counted(seen(pupil=None), clean) == "asked"
    assert counted(seen(refused="blurred", pupil=None, fields=0), clean) == "refused"


def test_what_was_misread_undisturbed_is_not_the_pictures_fault_and_anything_else_is() -> None:
    clean = seen(wrong=frozenset({(TWO, "7")}))
    assert counted(seen(wrong=frozenset({(TWO, "7")})), clean) == "read"
    assert counted(seen(wrong=frozenset({(TWO, "1")})), clean) == "silently_wrong"
    assert counted(seen(wrong=frozenset({(ONE, "7")})), clean) == "silently_wrong"


def test_a_page_booked_to_somebody_else_is_silently_wrong_even_undisturbed() -> None:
    other = seen(pupil="S002")
    assert counted(other, other) == "silently_wrong"


@pytest.mark.parametrize(("name", "scene"), [row for row in ROWS if row[0] != "640 px wide"], ids=str)
def test_the_map_of_a_picture_is_where_its_dots_are(name: str, scene: Scene) -> None:
    """A page with a black square in its middle: the picture is darkest where the map says the middle is."""
    paper = np.full((891, 630, 3), 243, np.uint8)  # 3 px/mm
    paper[430:461, 300:331] = 20
    scene = replace(scene, wide_px=300, glare=0.0, noise=0.0)
    picture, at_mm = photograph_and_map(paper, PAGE_MM, scene, np.random.default_rng(2), code_corner=1)
    assert picture.shape == (400, 300, 3)
    off = np.linalg.norm(at_mm - np.array([105.0, 148.5]), axis=2)
    there = np.unravel_index(int(off.argmin()), off.shape)
    assert off[there] < 1.0, name
    assert picture[there].mean() < 0.6 * picture[(off > 15) & (off < 25)].mean()
