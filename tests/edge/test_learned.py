"""A workbook's page is learned from one picture, found again by its print, and read; another page of the book never."""

import json
from functools import cache
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest
import zxingcpp

from edge.commands.learn import command as learn
from edge.facing import facing_pages
from edge.frames import Capture, Image
from edge.learning.fields_file import parse_fields
from edge.learning.flatten import flat_page
from edge.learning.learn import layout_of, learn_pages
from edge.learning.propose import propose_fields
from edge.pipeline import Books, GradedPage, grade_capture
from edge.references import read_unmarked_sheet, unmarked_sheet
from edge.registration.geometry import corners_of, to_px
from edge.registration.register import register
from edge.registration.unmarked_sheet import UnmarkedSheet
from homework.errors import BadFileError
from homework.layout import Box, PupilField, SheetLayout, layout_from_json
from homework.results import Doubt, PageStatus, VerdictKind
from homework.roster import Pupil, Roster
from models.recognisers import Recognisers
from models.simulation.paper import written_page
from models.simulation.pupil import FilledPage, Habits, fill_pupil
from models.simulation.workbook import WorkbookPage, workbook_page

PAPER = np.linspace(26, 243, 256).astype(np.uint8)


@cache
def page(number: int) -> WorkbookPage:
    return workbook_page(number)


@cache
def learned(number: int) -> UnmarkedSheet:
    """The page with the places that a careful person drew, and its picture as a scanner has it."""
    flat = flat_page(np.asarray(cv2.LUT(page(number).image, PAPER), np.uint8), paper="16K")
    grown = msgspec.structs.replace(page(number).layout, page_mm=flat.page_mm, reference="blank.png")
    return unmarked_sheet(grown, bytes(cv2.imencode(".png", flat.image)[1]))


def filled(number: int, seat: int = 5) -> tuple[FilledPage, Image]:
    one = page(number)
    pupil = Pupil("3-1", seat, "x", f"p{seat}")
    done = fill_pupil(one.assignment, one.layout, pupil, seed=2, habits=Habits.tidy())[0]
    return done, written_page(one.image.copy(), done.strokes, one.px_per_mm)


def graded(capture: Capture, *known: UnmarkedSheet, number: int) -> GradedPage:
    key = page(number).assignment
    books = Books(lambda _: None, lambda wanted: key if wanted == key.id else None, unmarked=lambda: known)
    return grade_capture(capture, books, Recognisers.load())


def overlap(one: Box, other: Box) -> float:
    w = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    h = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    shared = max(w, 0) * max(h, 0)
    return shared / (one[2] * one[3] + other[2] * other[3] - shared)


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"turn_deg": 90},
        {"turn_deg": 200, "tilt": 0.3, "fill": 0.75, "size_px": (3000, 2250)},
        {"falloff": 0.6},
        {"brightness": 0.4, "noise": 10},
        {"blur_px": 3.0},
    ],
    ids=["flat", "turned", "tilted", "uneven-light", "dark", "blurred"],
)
def test_a_filled_page_is_found_by_its_print_to_half_a_millimetre(how: dict, photograph: object) -> None:
    _, paper = filled(3)
    capture = photograph(paper, **how)  # type: ignore[operator]
    found = register(capture, lambda _: None, (learned(2), learned(3), learned(7)))
    assert not found.refused, found.problems
    assert found.layout is not None
    assert found.layout.sheet == page(3).layout.sheet
    assert found.code is None
    assert found.page is not None
    assert sum(shift is None for shift in found.shifts_mm) <= 1
    # Both pictures of the same page lead to the same places: those of the drawn paper.
    whole = photograph(page(3).image, **how)  # type: ignore[operator]
    empty = register(whole, lambda _: None, (learned(3),))
    for field in found.page.fields:
        assert found.mm_to_px is not None
        assert empty.mm_to_px is not None
        corners = corners_of(field.hull_mm())
        off_px = np.linalg.norm(to_px(found.mm_to_px, corners) - to_px(empty.mm_to_px, corners), axis=1)
        assert off_px.max() / found.px_per_mm < 0.25


@pytest.mark.parametrize("blur_px", [0.0, 1.5, 2.5, 4.0])
def test_another_page_of_the_same_book_is_never_graded(blur_px: float, photograph: object) -> None:
    _, paper = filled(4)
    known = tuple(learned(n) for n in (1, 2, 3, 5, 6))
    found = register(photograph(paper, blur_px=blur_px), lambda _: None, known)  # type: ignore[operator]
    assert found.refused
    assert found.problems[-1].code in {"unknown-page", "blurred", "not-a-sheet"}


@pytest.mark.parametrize("shadow", [0.6, 0.4])
def test_every_field_under_the_edge_of_a_shadow_is_proven(shadow: float, photograph: object) -> None:
    capture = photograph(filled(3)[1])  # type: ignore[operator]
    height, width = capture.image.shape[:2]
    y, x = np.mgrid[0:height, 0:width]
    light = np.where(x + 0.4 * y > 0.7 * width, shadow, 1.0)
    image = np.asarray(capture.image * (light[..., None] if capture.image.ndim == 3 else light), np.uint8)
    found = register(Capture(image, "shadow"), lambda _: None, (learned(2), learned(3), learned(7)))
    assert not found.refused
    assert None not in found.shifts_mm


def test_a_page_that_was_not_learned_waits_for_its_layout(photograph: object) -> None:
    _, paper = filled(4)
    sent_back = graded(photograph(paper), learned(3), number=3)  # type: ignore[operator]
    assert sent_back.status is PageStatus.UNKNOWN_SHEET


def test_one_printed_number_that_differs_is_never_read_as_certain(photograph: object) -> None:
    """The publisher's next edition: the page is the same but for one exercise."""
    _, paper = filled(3)
    hull = page(3).layout.pages[0].fields[0].hull_mm()
    x, y = round((hull[0] - 13) * 10), round(hull[1] * 10)
    other = page(5).image
    paper[y : y + 90, x : x + 75] = cv2.LUT(other[y : y + 90, x : x + 75], PAPER)
    found = graded(photograph(paper), learned(3), number=3)  # type: ignore[operator]
    assert found.record is not None
    assert found.record.items[0].verdict.kind is VerdictKind.REVIEW


def test_answers_are_read_and_print_is_not(photograph: object) -> None:
    done, paper = filled(3)
    found = graded(photograph(paper, size_px=(4000, 3000)), learned(3), number=3)  # type: ignore[operator]
    assert found.record is not None
    said = [(item.reading.text, item.reading.doubt) for item in found.record.items]
    sure = [(text, truth.text) for (text, doubt), truth in zip(said, done.truth.fields, strict=True) if doubt is None]
    assert all(text == truth for text, truth in sure)
    assert len(sure) >= 0.7 * len(said)


def test_the_foot_of_a_2_on_the_printed_rule_is_read_or_asked_and_never_a_7(photograph: object) -> None:
    """Print is taken out of the crop, and what lies along it would go with it."""
    said = []
    for lower_mm in (-0.6, -0.3, -0.1, 0.1, 0.3):
        paper = np.asarray(cv2.LUT(page(3).image, PAPER), np.uint8).copy()
        on_rules = [field for field in page(3).layout.pages[0].fields if field.item in {"17", "19"}]
        for field in on_rules:
            x, y, _, height = field.hull_mm()
            two = [(0, 1.2), (0.7, 0.2), (1.8, 0), (2.7, 0.8), (2.6, 2), (1.5, 3.6), (0, 5.4), (1.4, 5.4), (3.1, 5.4)]
            one = [(4.8, 0.2), (4.6, 4.6)]
            for stroke in (two, one):
                at = np.add(stroke, (x + 4, y + height - 5.4 + lower_mm))
                cv2.polylines(paper, [np.round(at * 10).astype(np.int32)], False, (60, 50, 50), 5, cv2.LINE_AA)
        found = graded(photograph(paper, size_px=(3000, 2250)), learned(3), number=3)  # type: ignore[operator]
        assert found.record is not None
        said += [item.reading for item in found.record.items if item.item in {"17", "19"}]
    assert all(one.text == "21" for one in said if one.doubt is None), said
    assert any(one.text == "21" for one in said), "the foot is still there"
    assert Doubt.INK_BESIDE not in {one.doubt for one in said[:2]}, "these stand clear of the rule"


def test_an_empty_page_is_blank_all_over(photograph: object) -> None:
    paper = np.asarray(cv2.LUT(page(3).image, PAPER), np.uint8)
    found = graded(photograph(paper, size_px=(3000, 2250)), learned(3), number=3)  # type: ignore[operator]
    assert found.record is not None
    assert {item.verdict.kind for item in found.record.items} == {VerdictKind.BLANK}


@pytest.mark.parametrize("photo", [False, True], ids=["scan", "photo"])
def test_places_are_proposed_where_a_person_would_draw_them(photo: bool, photograph: object) -> None:
    paper = np.asarray(cv2.LUT(page(3).image, PAPER), np.uint8)
    if photo:
        how = {"size_px": (4000, 3000), "turn_deg": 4, "tilt": 0.15, "falloff": 0.3, "fill": 0.85}
        paper = photograph(paper, **how).image  # type: ignore[operator]
    flat = flat_page(paper, paper="16K")
    proposed = propose_fields(flat.image, flat.px_per_mm)
    truth = page(3).layout.pages[0].fields
    found = [max(proposed, key=lambda p: overlap(p.hull_mm(), one.hull_mm())) for one in truth]
    assert all(overlap(p.hull_mm(), one.hull_mm()) > 0.6 for p, one in zip(found, truth, strict=True))
    assert [p.kind for p in found] == [one.kind for one in truth]
    assert [int(p.item) for p in found] == sorted(int(p.item) for p in found), "numbered in reading order"
    assert len(proposed) == len(truth), "the = that ends “fill in >, < or =” asks for nothing"


def test_the_command_writes_a_layout_and_its_picture_that_grade_finds(tmp_path: Path) -> None:
    blank = tmp_path / "blank.png"
    cv2.imwrite(str(blank), page(3).image)
    out = tmp_path / "out" / "page3.json"
    learn.main([str(blank), "--paper", "16K", "-o", str(out)], standalone_mode=False)
    layout = layout_from_json(out.read_bytes())
    assert layout.register == "print"
    sheet = read_unmarked_sheet(layout, out.parent)
    capture = Capture(page(3).image, "again")
    assert not register(capture, lambda _: None, (sheet,)).refused


def test_fields_that_a_person_gives_stand_for_those_proposed(tmp_path: Path) -> None:
    blank, fields, out = tmp_path / "blank.png", tmp_path / "fields.json", tmp_path / "page3.json"
    cv2.imwrite(str(blank), page(3).image)
    given = [
        {"item": "a", "kind": "number", "box_mm": [36, 46, 24, 9]},
        {"item": "b", "kind": "judge", "quad_px": [[600, 1200], [720, 1200], [720, 1290], [600, 1290]]},
        {"item": "c", "kind": "choice", "bubbles": [{"label": "A", "box_mm": [40, 220, 4, 4]}]},
    ]
    fields.write_text(json.dumps(given), encoding="utf-8")
    learn.main([str(blank), "--paper", "16K", "--fields", str(fields), "-o", str(out)], standalone_mode=False)
    a, b, c = layout_from_json(out.read_bytes()).pages[0].fields
    assert (a.item, a.box_mm) == ("a", (36, 46, 24, 9))
    assert b.box_mm == pytest.approx((59.7, 120, 11.9, 9), abs=0.2)
    assert c.bubbles[0].label == "A"
    assert a.around_mm is not None


@pytest.mark.parametrize(
    "text",
    [
        "{",
        '[{"item": "1"}]',
        '[{"item": "1", "kind": "number"}]',
        '[{"item": "1", "kind": "number", "box_mm": [1, 2, 0, 4]}]',
        '[{"item": "1", "kind": "number", "box_mm": [1, 2, 3, 4], "page": 2}]',
        '[{"item": "1", "kind": "poem", "box_mm": [1, 2, 3, 4]}]',
        '[{"item": "1", "kind": "open", "box_mm": [1, 2, 3, 4]}, {"item": "1", "kind": "text", "box_mm": [9, 2, 3, 4]}]',  # noqa: E501
    ],
)
def test_fields_that_say_nothing_are_refused_with_a_remedy(text: str) -> None:
    with pytest.raises(BadFileError) as refused:
        parse_fields(text, {1: np.eye(3)})
    assert refused.value.remedy


def test_the_pages_of_one_sheet_are_learned_together_and_told_apart(photograph: object) -> None:
    both = learn_pages([page(3).image, page(4).image], paper="16K")
    layout: SheetLayout = layout_of(both, None, reference="both.tif")
    items = [field.item for side in layout.pages for field in side.fields]
    assert len(set(items)) == len(items), "items are numbered on from page to page"
    sheet = unmarked_sheet(layout, both.picture)
    for number, side in ((3, 1), (4, 2)):
        found = register(photograph(filled(number)[1]), lambda _: None, (sheet,))  # type: ignore[operator]
        assert not found.refused
        assert found.page is not None
        assert found.page.page == side


def test_two_facing_pages_of_an_open_book_are_both_found_and_read(photograph: object) -> None:
    left, right = filled(3), filled(4)
    spread = np.concatenate([left[1], right[1]], axis=1)
    capture = photograph(spread, size_px=(4000, 3000), turn_deg=2)  # type: ignore[operator]
    known = (learned(1), learned(3), learned(4), learned(5))
    books = Books(lambda _: None, lambda _: None, unmarked=lambda: known)
    both = grade_capture(capture, books, Recognisers.load())
    assert both.problems[-1].code == "facing-pages"
    parts = facing_pages(both, books)
    pages = [grade_capture(part, books, Recognisers.load()) for part in parts]
    assert [one.status for one in pages] == [PageStatus.GRADED] * 2
    sheets = [one.record.sheet for one in pages if one.record is not None]
    assert sheets == [page(3).layout.sheet, page(4).layout.sheet]
    assert pages[0].fields[0].quad_px[0][0] < 2000 < pages[1].fields[0].quad_px[0][0], "in pixels of the one picture"


def test_a_picture_of_one_page_has_no_facing_page(photograph: object) -> None:
    books = Books(lambda _: None, lambda _: None, unmarked=lambda: (learned(3), learned(4)))
    one = grade_capture(photograph(filled(3)[1]), books, Recognisers.load())  # type: ignore[operator]
    assert one.status is PageStatus.GRADED
    assert facing_pages(one, books) == []


def with_sticker(paper: Image, text: str, *, x_mm: float, y_mm: float = 13, kind: str = "QRCode") -> Image:
    """The paper with a label of 14 mm stuck on it."""
    code = zxingcpp.write_barcode_to_image(zxingcpp.create_barcode(text, getattr(zxingcpp.BarcodeFormat, kind)))
    drawn = cv2.resize(np.asarray(code, np.uint8), (140, 140), interpolation=cv2.INTER_NEAREST)
    stuck = paper.copy()
    x, y = round(x_mm * 10), round(y_mm * 10)
    stuck[y : y + 140, x : x + 140] = cv2.cvtColor(drawn, cv2.COLOR_GRAY2BGR)
    return stuck


@pytest.mark.parametrize(
    ("text", "seat"), [("S012", 12), ("7", 7), ("9787107", None), ("88", None)], ids=["id", "seat", "isbn", "nobody"]
)
def test_a_name_sticker_says_whose_page_it_is(text: str, seat: int | None, photograph: object) -> None:
    roster = Roster(tuple(Pupil("3-1", n, f"学生{n}", f"S{n:03}") for n in range(1, 41)))
    paper = with_sticker(filled(3)[1], text, x_mm=150, y_mm=120)
    ordered = learned_in_order(3)
    books = Books(lambda _: None, lambda _: None, roster=roster, class_name="3-1", unmarked=lambda: (ordered,))
    found = grade_capture(photograph(paper, size_px=(3000, 2250), turn_deg=90), books, Recognisers.load())  # type: ignore[operator]
    assert found.record is not None
    assert found.record.who.seat == seat


def test_two_name_stickers_name_nobody(photograph: object) -> None:
    roster = Roster(tuple(Pupil("3-1", n, f"学生{n}", f"S{n:03}") for n in range(1, 41)))
    paper = with_sticker(with_sticker(filled(3)[1], "S012", x_mm=150, y_mm=120), "S013", x_mm=150, y_mm=150)
    ordered = learned_in_order(3)
    books = Books(lambda _: None, lambda _: None, roster=roster, class_name="3-1", unmarked=lambda: (ordered,))
    found = grade_capture(photograph(paper, size_px=(3000, 2250)), books, Recognisers.load())  # type: ignore[operator]
    assert found.record is not None
    assert found.record.who.pupil is None
    assert [problem.code for problem in found.problems] == ["who-unknown"]


def learned_in_order(number: int) -> UnmarkedSheet:
    """As `classbox learn` makes it: the pages are slid in the order of the seats."""
    known = learned(number)
    pages = tuple(msgspec.structs.replace(side, pupil=PupilField("order")) for side in known.layout.pages)
    return UnmarkedSheet(msgspec.structs.replace(known.layout, pages=pages), known.references)
