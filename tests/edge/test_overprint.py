"""✓ ✗ onto the sheets: the test page proves where a printer puts them, and what was printed is not taken for ink."""

from collections.abc import Callable

import cv2
import numpy as np
import pypdfium2
import pytest

from edge.attempts import Likeness, Look, likeness
from edge.frames import Image
from edge.overprint import measure
from edge.pipeline import Books, GradedPage, grade_capture
from edge.registration.register import register
from homework.errors import UsageError
from homework.layout import Page
from homework.results import Doubt, VerdictKind
from homework.roster import Pupil, Roster
from homework.sheets.overprint import (
    MARK_MM,
    Alignment,
    Ink,
    make_overprint,
    make_test_page,
    side_of,
    targets_mm,
)
from models.recognisers import Recognisers
from tests.edge.conftest import DPI, Photograph, Worksheet

ROSTER = Roster((Pupil("3-1", 7, "学生07", "S007"),))
A4 = (210.0, 297.0)
VERDICTS = [(item, 1, item not in ("2", "5")) for item in "123456789"] + [("10", 1, True), ("10", 2, False)]


def printed_onto(paper: Image, pdf: bytes, printer: Alignment | None = None) -> Image:
    """The paper after it went through a printer that puts things where `printer` says."""
    document = pypdfium2.PdfDocument(pdf)
    picture = document[0].render(scale=DPI / 72).to_numpy()[..., :3]
    document.close()
    height, width = paper.shape[:2]
    picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    if printer is not None:
        scale = DPI / 25.4
        matrix = np.array(
            [[printer.a, -printer.b, printer.dx * scale], [printer.b, printer.a, printer.dy * scale]], np.float64
        )
        picture = cv2.warpAffine(picture, matrix, (width, height), borderValue=(255, 255, 255))
    return np.asarray(cv2.multiply(paper, picture, scale=1 / 255), np.uint8)


def turned(dx: float, dy: float, degrees: float, scale: float = 1.0) -> Alignment:
    """A printer that shifts, turns about the page's middle and scales."""
    angle = np.deg2rad(degrees)
    a, b = scale * float(np.cos(angle)), scale * float(np.sin(angle))
    x, y = A4[0] / 2, A4[1] / 2
    return Alignment(a, b, x - a * x + b * y + dx, y - b * x - a * y + dy)


@pytest.fixture(scope="module")
def recogniser() -> Recognisers:
    cv2.setNumThreads(1)
    return Recognisers.load()


@pytest.fixture
def sheet(print_worksheet: Callable[..., Worksheet]) -> Worksheet:
    made = print_worksheet(seed=5)
    made.seat("07")
    for item, text in (("1", "92"), ("2", "46"), ("3", "3/4"), ("4", "8……1"), ("7", "√"), ("8", "C"), ("9", "<")):
        made.write(item, text)
    made.mark("5", "A")
    made.mark("6", "A")
    made.mark("6", "C")
    made.write("10", "2", blank=1)
    return made


def grade(
    sheet: Worksheet, paper: Image, photograph: Photograph, recogniser: Recognisers, **light: float
) -> GradedPage:
    books = Books(
        layout_of=lambda _: sheet.layout, assignment_of=lambda _: sheet.assignment, roster=ROSTER, class_name="3-1"
    )
    return grade_capture(photograph(paper, size_px=(2592, 1944), **light), books, recogniser)


# --- where marks stand -------------------------------------------------------------------------------------------


def test_every_mark_stands_outside_of_every_field_and_next_to_its_own(sheet: Worksheet) -> None:
    page: Page = sheet.layout.pages[0]
    side = side_of(page, sheet.layout.page_mm, VERDICTS, score="17")
    assert len(side.marks) == len(VERDICTS)
    for (item, blank, right), mark in zip(VERDICTS, side.marks, strict=True):
        assert mark.sign == ("right" if right else "wrong")
        half = MARK_MM / 2
        for field in page.fields:
            x, y, width, height = field.around_mm or field.hull_mm()
            apart = mark.x + half <= x or x + width <= mark.x - half
            apart = apart or mark.y + half <= y or y + height <= mark.y - half
            assert apart, (item, field.item)
        x, y, width, height = sheet.field(item, blank).hull_mm()
        away = np.hypot(max(x - mark.x, 0, mark.x - x - width), max(y - mark.y, 0, mark.y - y - height))
        assert away < 25, (item, away)
    for n, one in enumerate(side.marks):
        assert all(max(abs(one.x - o.x), abs(one.y - o.y)) >= MARK_MM - 0.5 for o in side.marks[:n])


def test_an_empty_side_is_an_empty_page_so_that_the_order_stays(sheet: Worksheet) -> None:
    side = side_of(sheet.layout.pages[0], A4, VERDICTS)
    document = pypdfium2.PdfDocument(make_overprint([side, None, side], A4))
    inks = [(page.render(scale=1, grayscale=True).to_numpy() < 250).sum() for page in document]
    assert [ink > 0 for ink in inks] == [True, False, True]
    assert document[0].get_size() == pytest.approx((595.28, 841.89), abs=0.1)


def test_aiming_is_the_way_back_from_landing() -> None:
    printer = turned(1.3, -2.1, 0.7, 1.004)
    assert printer.lands(*printer.aimed(50.0, 200.0)) == pytest.approx((50.0, 200.0), abs=1e-9)


# --- what was printed is not the pupil's ink ---------------------------------------------------------------------


@pytest.mark.parametrize("ink", ["colour", "black"])
@pytest.mark.parametrize("off", [(0.0, 0.0), (0.6, -0.6)])
def test_an_overprinted_sheet_is_read_as_before_and_is_the_same_sheet(
    sheet: Worksheet, photograph: Photograph, recogniser: Recognisers, ink: Ink, off: tuple[float, float]
) -> None:
    before = grade(sheet, sheet.paper(), photograph, recogniser)
    side = side_of(sheet.layout.pages[0], A4, VERDICTS, score="17")
    paper = printed_onto(sheet.paper(), make_overprint([side], A4, ink=ink), Alignment(dx=off[0], dy=off[1]))
    after = grade(sheet, paper, photograph, recogniser, seed=3, turn_deg=2.0, falloff=0.3)
    assert before.record is not None
    assert after.record is not None
    assert after.record.who.pupil == "S007"
    for one, other in zip(before.record.items, after.record.items, strict=True):
        assert other.reading.text == one.reading.text, one.item
        assert other.reading.doubt is not Doubt.INK_BESIDE, one.item
        # The box's own verdict stands: a tick of the overprint is green or black, and makes no wrong answer right.
        assert not (one.verdict.kind is VerdictKind.WRONG and other.verdict.kind is VerdictKind.CORRECT), one.item
    looks = [Look(page.record, page.ink, page.around) for page in (before, after) if page.record is not None]
    assert likeness(looks[0], looks[1]) is Likeness.SAME


# --- the test page -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "printer", [turned(0, 0, 0), turned(2.4, -1.7, 0), turned(-3.0, 2.0, 0.6), turned(1.0, 1.5, -0.4, 1.006)]
)
def test_a_printers_shift_turn_and_scale_are_measured_and_reckoned_with(
    sheet: Worksheet, photograph: Photograph, printer: Alignment
) -> None:
    def measured(used: Alignment, seed: int) -> tuple[Alignment, float, float]:
        paper = printed_onto(sheet.paper(), make_test_page(A4, alignment=used), printer)
        capture = photograph(paper, size_px=(2592, 1944), seed=seed, turn_deg=3.0, tilt=0.04, falloff=0.3)
        found = measure(register(capture, lambda _: sheet.layout), used)
        assert found.rings == 4
        return found.alignment, found.off_mm, found.residue_mm

    first, off, residue = measured(Alignment(), 1)
    for target in targets_mm(A4):
        assert np.hypot(*np.subtract(first.lands(*target), printer.lands(*target))) < 0.25
    assert residue < 0.25
    assert off == pytest.approx(
        np.mean([np.hypot(*np.subtract(printer.lands(*t), t)) for t in targets_mm(A4)]), abs=0.25
    )
    _, off_then, _ = measured(first, 2)
    assert off_then < 0.3, "printed again with the measured alignment, the rings lie where they should"


def test_a_sheet_without_rings_or_with_the_paper_turned_round_is_refused(
    sheet: Worksheet, photograph: Photograph
) -> None:
    upside_down = Alignment(-1.0, 0.0, A4[0], A4[1])
    turned_round = printed_onto(sheet.paper(), make_test_page(A4), upside_down)
    for paper in (sheet.paper(), turned_round):
        page = register(photograph(paper, size_px=(2592, 1944)), lambda _: sheet.layout)
        with pytest.raises(UsageError, match="rings"):
            measure(page, Alignment())
