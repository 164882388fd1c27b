"""Worksheets: what is printed stands where the layout says, and the laws of every layout."""

import functools
from itertools import combinations
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pypdfium2
import pytest
import zxingcpp
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from homework.assignment import Assignment, parse_assignment
from homework.errors import BadFileError, ClassboxError, UsageError
from homework.layout import Box, Page, SheetLayout, layout_from_json, layout_to_json
from homework.page_code import PageCode, parse_page_code
from homework.roster import Pupil, Roster
from homework.sheets import SheetSet, make_sheets
from homework.sheets.paper import PAGE_MM
from homework.sheets.printing import font_folders
from homework.sheets.words import ENGLISH

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
DPI = 200
PX_PER_MM = DPI / 25.4
ROSTER = Roster(tuple(Pupil("三年级1班", seat, f"学生{seat:02d}", f"S{seat:03d}") for seat in range(1, 5)))


def example(name: str = "g3-mul-2x1", **changes: object) -> Assignment:
    assignment = parse_assignment((EXAMPLES / f"{name}.toml").read_text(encoding="utf-8"))
    return msgspec.structs.replace(assignment, **changes)


@functools.cache
def fonts() -> tuple[Path, ...]:
    """Folders with a Chinese typeface, so that not every font of the machine is read for every sheet."""
    return font_folders()


def made_for(assignment: Assignment, **wishes: object) -> SheetSet:
    return make_sheets(assignment, **{"fonts": fonts(), **wishes})


@functools.cache
def printed(name: str = "g3-mul-2x1", **changes: object) -> SheetSet:
    assignment = example(name, **changes)
    return made_for(assignment, roster=ROSTER if assignment.pupil_id == "printed" else None)


def pictures(pdf: bytes, dpi: float = DPI) -> list[np.ndarray]:
    document = pypdfium2.PdfDocument(pdf)
    return [page.render(scale=dpi / 72, grayscale=True).to_numpy().squeeze() for page in document]


def first_copy(made: SheetSet) -> list[tuple[Page, np.ndarray]]:
    return list(zip(made.layout.pages, pictures(made.worksheets_pdf), strict=False))


def cut(picture: np.ndarray, box: Box, grow_mm: float = 0) -> np.ndarray:
    x, y, width, height = box
    x0, y0 = round((x - grow_mm) * PX_PER_MM), round((y - grow_mm) * PX_PER_MM)
    x1, y1 = round((x + width + grow_mm) * PX_PER_MM), round((y + height + grow_mm) * PX_PER_MM)
    return picture[max(y0, 0) : y1, max(x0, 0) : x1]


def overlap(a: Box, b: Box) -> bool:
    tiny = 0.01  # the layout is rounded to hundredths
    return (
        a[0] < b[0] + b[2] - tiny
        and b[0] < a[0] + a[2] - tiny
        and a[1] < b[1] + b[3] - tiny
        and b[1] < a[1] + a[3] - tiny
    )


def inside(inner: Box, outer: Box) -> bool:
    return (
        outer[0] <= inner[0]
        and outer[1] <= inner[1]
        and inner[0] + inner[2] <= outer[0] + outer[2]
        and inner[1] + inner[3] <= outer[1] + outer[3]
    )


def marker_boxes(layout: SheetLayout, quiet_mm: float) -> list[Box]:
    return [
        (
            marker.corners_mm[0][0] - quiet_mm,
            marker.corners_mm[0][1] - quiet_mm,
            marker.corners_mm[2][0] - marker.corners_mm[0][0] + 2 * quiet_mm,
            marker.corners_mm[2][1] - marker.corners_mm[0][1] + 2 * quiet_mm,
        )
        for marker in layout.pages[0].markers
    ]


def check_laws(assignment: Assignment, layout: SheetLayout) -> None:
    """No two places overlap or leave the page, none touches marker or code, and nothing is lost or doubled."""
    assert layout_from_json(layout_to_json(layout)) == layout
    assert [page.page for page in layout.pages] == list(range(1, len(layout.pages) + 1))
    wanted = [(item.id, blank) for item in assignment.items for blank in range(1, item.blanks + 1)]
    assert [(field.item, field.blank) for page in layout.pages for field in page.fields] == wanted
    paper: Box = (0, 0, *layout.page_mm)
    for page in layout.pages:
        assert page.code is not None
        assert page.pupil is not None
        x, y, width, height = page.code.box_mm
        module = width / 21
        fixed = [*marker_boxes(layout, 1.6), (x - 4 * module, y - 4 * module, width + 8 * module, height + 8 * module)]
        pupil = [*page.pupil.boxes_mm, *(b.box_mm for column in page.pupil.columns for b in column)]
        if page.pupil.name_mm is not None:
            pupil.append(page.pupil.name_mm)
        hulls = [field.hull_mm() for field in page.fields]
        scores = [field.score_box_mm for field in page.fields if field.score_box_mm is not None]
        places = [*fixed, *pupil, *hulls, *scores]
        for place in places[len(fixed) :]:
            assert inside(place, paper)
        for one, other in combinations(places, 2):
            assert not overlap(one, other), (one, other)
        for one, other in combinations([f.around_mm for f in page.fields if f.around_mm], 2):
            assert not overlap(one, other)
        for field in page.fields:
            assert (field.box_mm is None) == (field.kind in ("choice", "choices"))
            assert field.around_mm is not None
            assert inside(field.hull_mm(), field.around_mm)
            assert inside(field.around_mm, paper)
            for other in (
                *fixed[:4],
                *pupil,
                *scores,
                *(h for h in hulls if h is not field.hull_mm() and h != field.hull_mm()),
            ):
                assert not overlap(field.around_mm, other)


TEXTS = st.text("一二三四五买苹果元，。（）()abc012345+-×÷=/ ", min_size=1, max_size=60).filter(str.strip)
SHORT = st.text("一二三个元米0123456789/", min_size=1, max_size=12)


@st.composite
def toml_items(draw: st.DrawFn) -> str:
    kind = draw(st.sampled_from(["choice", "choices", "judge", "letter", "number", "compare", "open", "text"]))
    blanks = draw(st.integers(1, 3))
    place = draw(st.sampled_from(["", " ____", " ( ) 元", " ○ 30", "____ 和 ____"]))
    key = {
        "choice": "B", "choices": "AC", "judge": "√", "letter": "C",
        "number": draw(st.sampled_from(["92", "-3", "3/4", "1 3/4", "75%", "7……3", "123456"])),
        "compare": ">", "open": "略", "text": "长方形",
    }[kind]  # fmt: skip
    lines = [
        "[[item]]",
        f'kind = "{kind}"',
        f"prompt = {msgspec.json.encode(draw(TEXTS) + place).decode()}",
        f'answer = "{key}"' if blanks == 1 else f"answer = {msgspec.json.encode([key] * blanks).decode()}",
        f"blanks = {blanks}",
        f'layer = "{draw(st.sampled_from("ABC"))}"',
        f"points = {draw(st.sampled_from([1, 2, 0.5, 8]))}",
    ]
    if draw(st.booleans()):
        lines.append(f"section = {msgspec.json.encode(draw(SHORT)).decode()}")
    if draw(st.booleans()):
        lines.append(f"label = {msgspec.json.encode(draw(SHORT)).decode()}")
    if kind in ("choice", "choices"):
        options = draw(st.lists(TEXTS, min_size=3, max_size=6))
        lines.append(f"options = {msgspec.json.encode(options).decode()}")
    return "\n".join(lines)


@st.composite
def assignments(draw: st.DrawFn) -> Assignment:
    head = [
        "[assignment]",
        f"title = {msgspec.json.encode(draw(TEXTS)).decode()}",
        f'paper = "{draw(st.sampled_from(list(PAGE_MM)))}"',
        f'pupil_id = "{draw(st.sampled_from(["digits", "bubbles", "printed", "order"]))}"',
        f"correction_space = {str(draw(st.booleans())).lower()}",
    ]
    if draw(st.booleans()):
        head.append(f"grade = {draw(st.integers(1, 9))}")
    if draw(st.booleans()):
        head.append(f"columns = {draw(st.integers(1, 2))}")
    items = draw(st.lists(toml_items(), min_size=1, max_size=12))
    return parse_assignment("\n".join([*head, *items]))


# Shrinking would set a sheet thousands of times; the failing assignment is small enough as it is.
@settings(
    max_examples=25, deadline=None, phases=[Phase.reuse, Phase.generate], suppress_health_check=[HealthCheck.too_slow]
)
@given(assignments())
def test_no_two_places_of_any_worksheet_overlap_or_leave_the_page(assignment: Assignment) -> None:
    check_laws(assignment, made_for(assignment, roster=ROSTER).layout)


@pytest.mark.parametrize("name", ["g3-mul-2x1", "g5-fractions", "g6-test-8k"])
def test_the_examples_obey_the_laws(name: str) -> None:
    check_laws(example(name), printed(name).layout)


def test_199_items_go_over_many_pages() -> None:
    items = "".join(f'[[item]]\nkind = "number"\nprompt = "{n} × 2 ="\nanswer = {2 * n}\n' for n in range(1, 200))
    assignment = parse_assignment('[assignment]\ntitle = "199 题"\n' + items)
    made = made_for(assignment)
    check_laws(assignment, made.layout)
    assert len(made.layout.pages) > 2
    assert len(pypdfium2.PdfDocument(made.worksheets_pdf)) == len(made.layout.pages)


@pytest.mark.parametrize("paper", list(PAGE_MM))
def test_corner_markers_are_printed_where_the_layout_says(paper: str) -> None:
    made = printed(paper=paper)
    detector = cv2.aruco.ArucoDetector(cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_4X4_50))
    detector.setDetectorParameters(_subpixel())
    for page, picture in first_copy(made):
        width, height = made.layout.page_mm
        assert abs(picture.shape[1] / PX_PER_MM - width) < 0.2
        assert abs(picture.shape[0] / PX_PER_MM - height) < 0.2
        corners, ids, _ = detector.detectMarkers(picture)
        assert sorted(ids.ravel()) == [0, 1, 2, 3]
        found = dict(zip(ids.ravel().tolist(), corners, strict=True))
        for marker in page.markers:
            # Pixel centres are half a pixel inside the pixel grid that mm are measured on.
            off = (found[marker.id][0] + 0.5) / PX_PER_MM - np.array(marker.corners_mm)
            assert np.abs(off).max() < 0.15


def _subpixel() -> cv2.aruco.DetectorParameters:
    parameters = cv2.aruco.DetectorParameters()
    parameters.cornerRefinementMethod = cv2.aruco.CORNER_REFINE_SUBPIX
    return parameters


@pytest.mark.parametrize("pupil_id", ["digits", "bubbles"])
@pytest.mark.parametrize("name", ["g3-mul-2x1", "g5-fractions", "g6-test-8k"])
def test_every_field_is_white_inside_and_ruled_outside(name: str, pupil_id: str) -> None:
    made = printed(name, pupil_id=pupil_id)
    for page, picture in first_copy(made):
        assert page.pupil is not None
        seats = [(box, False) for box in page.pupil.boxes_mm]
        fields = [(f.box_mm, f.round) for f in page.fields if f.box_mm is not None]
        scores = [(f.score_box_mm, False) for f in page.fields if f.score_box_mm is not None]
        for box, is_round in [*seats, *fields, *scores]:
            frame = cut(picture, box, grow_mm=0.35)
            middle = [frame[frame.shape[0] // 2, :3], frame[frame.shape[0] // 2, -3:]]
            assert all(edge.min() < 128 for edge in middle)
            if not is_round:
                assert cut(picture, box, grow_mm=-0.2).min() > 200
        bubbles = [b.box_mm for f in page.fields for b in f.bubbles]
        for box in bubbles + [b.box_mm for column in page.pupil.columns for b in column]:
            assert min(box[2:]) >= 4.5
            ring = cut(picture, box)
            assert ring[ring.shape[0] // 2, :3].min() < 128
            assert cut(picture, box, grow_mm=-1.2).min() > 200


@pytest.mark.parametrize("name", ["g3-mul-2x1", "g5-fractions", "g6-test-8k"])
def test_nothing_is_printed_in_the_surroundings_of_a_field(name: str) -> None:
    made = printed(name)
    for page, picture in first_copy(made):
        for field in page.fields:
            assert field.around_mm is not None
            blank = picture.copy()
            cut(blank, field.hull_mm(), grow_mm=0.5)[:] = 255
            assert cut(blank, field.around_mm, grow_mm=-0.1).min() > 200, field


def test_frames_leave_room_for_a_childs_hand() -> None:
    for grade, least in ((2, 9.0), (5, 7.0)):
        layout = printed(grade=grade).layout
        for field in (f for page in layout.pages for f in page.fields if f.box_mm is not None):
            assert field.box_mm is not None
            assert field.box_mm[3] >= least
            assert field.kind != "compare" or (field.round and min(field.box_mm[2:]) >= 9)


def test_a_frame_does_not_tell_the_answer() -> None:
    assignment = example()
    sections = {item.id: item.section for item in assignment.items}
    sizes: dict[tuple[str | None, str], set[tuple[float, float]]] = {}
    for field in (f for page in printed().layout.pages for f in page.fields if f.box_mm is not None):
        assert field.box_mm is not None
        sizes.setdefault((sections[field.item], field.kind), set()).add(field.box_mm[2:])
    assert all(len(of_kind) == 1 for of_kind in sizes.values())


def test_stacked_fractions_get_taller_frames() -> None:
    heights = {f.box_mm[3] for f in printed("g5-fractions").layout.pages[0].fields[:4] if f.box_mm}
    assert min(heights) >= 12


@pytest.mark.parametrize("pupil_id", ["digits", "bubbles", "printed", "order"])
def test_every_page_says_which_it_is(pupil_id: str) -> None:
    made = printed(pupil_id=pupil_id)
    codes = [read_code(picture) for picture in pictures(made.worksheets_pdf)]
    pages = len(made.layout.pages)
    people = ROSTER.pupils if pupil_id == "printed" else (None,)
    assert codes == [
        PageCode(made.layout.sheet, page, person and person.class_name, person and person.pupil_id)
        for person in people
        for page in range(1, pages + 1)
    ]


def read_code(picture: np.ndarray) -> PageCode | None:
    (found,) = zxingcpp.read_barcodes(picture, formats=zxingcpp.BarcodeFormat.QRCode)
    return parse_page_code(found.text)


def test_markers_and_code_survive_a_poor_photocopy() -> None:
    rng = np.random.default_rng(7)
    made = printed("g5-fractions")
    picture = pictures(made.worksheets_pdf)[0].astype(np.float32)
    for _ in range(2):  # a copy of a copy, each blurred, uneven, speckled and made black and white
        picture = cv2.GaussianBlur(picture, (0, 0), 1.2)
        light = np.linspace(0.8, 1.05, picture.shape[1], dtype=np.float32)
        picture = picture * light + rng.normal(0, 20, picture.shape).astype(np.float32)
        picture = np.where(picture > 140, 255, 0).astype(np.float32)
        picture[rng.random(picture.shape) < 0.003] = 0
    copy = picture.astype(np.uint8)
    _, ids, _ = cv2.aruco.ArucoDetector(cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_4X4_50)).detectMarkers(copy)
    assert sorted(ids.ravel()) == [0, 1, 2, 3]
    assert read_code(copy) == PageCode(made.layout.sheet, 1, "三年级1班", "S001")


def test_the_layout_says_how_each_page_names_its_pupil() -> None:
    for pupil_id, cells, columns in (("digits", 2, 0), ("bubbles", 0, 2), ("printed", 0, 0), ("order", 0, 0)):
        for page in printed(pupil_id=pupil_id).layout.pages:
            assert page.pupil is not None
            assert (page.pupil.kind, len(page.pupil.boxes_mm), len(page.pupil.columns)) == (pupil_id, cells, columns)
            assert page.pupil.name_mm is not None
            if columns:
                assert [[b.label for b in column] for column in page.pupil.columns] == [list("0123456789")] * 2
            if cells:
                tens, units = page.pupil.boxes_mm
                assert tens[0] < units[0]


def test_each_copy_of_a_master_is_the_same_pages() -> None:
    made = made_for(example(), copies=3)
    first, second, third = pictures(made.worksheets_pdf, 60)
    assert np.array_equal(first, second)
    assert np.array_equal(second, third)


def test_duplex_starts_every_copy_on_a_front() -> None:
    made = made_for(example(pupil_id="printed"), roster=ROSTER, duplex=True)
    assert len(made.layout.pages) == 1
    pages = pictures(made.worksheets_pdf)
    assert len(pages) == 2 * len(ROSTER.pupils) - 1
    assert [page.min() for page in pages[1::2]] == [255] * (len(ROSTER.pupils) - 1)
    assert [code.pupil for code in map(read_code, pages[::2]) if code] == [p.pupil_id for p in ROSTER.pupils]


def test_the_sheet_id_names_the_layout_and_not_whom_it_is_for() -> None:
    once = made_for(example(pupil_id="printed"), roster=ROSTER).layout
    fewer = made_for(example(pupil_id="printed"), roster=Roster(ROSTER.pupils[:1])).layout
    changed = printed(minutes=21).layout
    assert once == fewer
    assert set(once.sheet) <= set("0123456789ABCDEFGHJKMNPQRSTVWXYZ")
    assert len(once.sheet) == 8
    assert len({once.sheet, changed.sheet, printed().layout.sheet}) == 3


def test_the_key_fills_what_the_worksheet_leaves_white() -> None:
    assignment, made = example(), printed()
    for page, blank, key in zip(
        made.layout.pages, pictures(made.worksheets_pdf), pictures(made.answers_pdf), strict=True
    ):
        for field in page.fields:
            item = assignment.item(field.item)
            assert item is not None
            if field.box_mm is not None:
                assert cut(blank, field.box_mm, -2.5).min() > 200
                assert cut(key, field.box_mm, -2.5).min() < 100
            marked = [b.label for b in field.bubbles if cut(key, b.box_mm, -1).max() < 100]
            assert marked == (list(item.rule.accepted[0][0]) if field.bubbles else [])
        # Outside the fields and the title the two are the same sheet.
        for field in page.fields:
            for picture in (blank, key):
                cut(picture, field.hull_mm(), 0.1)[:] = 255
        below = round(25 * PX_PER_MM)
        assert np.array_equal(blank[below:], key[below:])


def test_nothing_is_set_smaller_than_9_point() -> None:
    for name in ("g3-mul-2x1", "g5-fractions", "g6-test-8k"):
        document = pypdfium2.PdfDocument(printed(name).worksheets_pdf)
        for page in document:
            text = page.get_textpage()
            sizes = {
                round(pypdfium2.raw.FPDFText_GetFontSize(text, index), 1)
                for index in range(text.count_chars())
                if text.get_text_range(index, 1).strip()
            }
            assert sizes
            assert min(sizes) >= 9


def test_the_words_of_the_sheet_can_be_english() -> None:
    text = pypdfium2.PdfDocument(made_for(example(), words=ENGLISH).worksheets_pdf)[0].get_textpage().get_text_range()
    assert "Page 1 of 1" in text
    assert "班级" not in text


def test_personal_sheets_carry_names_in_roster_order() -> None:
    document = pypdfium2.PdfDocument(printed(pupil_id="printed").worksheets_pdf)
    for pupil, page in zip(ROSTER.pupils, document, strict=True):
        text = page.get_textpage().get_text_range()
        assert pupil.name in text.replace(" ", "")
        assert pupil.pupil_id not in text


def test_wrong_wishes_are_refused_with_a_remedy(tmp_path: Path) -> None:
    personal = example(pupil_id="printed")
    two = Roster((*ROSTER.pupils, Pupil("2班", 1, "学生99", "T001")))
    wishes = [
        lambda: made_for(personal),
        lambda: made_for(personal, roster=Roster(())),
        lambda: made_for(personal, roster=two),
        lambda: made_for(personal, roster=ROSTER, class_name="9班"),
        lambda: made_for(example(), roster=ROSTER, class_name="9班"),
        lambda: made_for(example(), copies=0),
        lambda: made_for(example(), copies=10**9),
    ]
    for wish in wishes:
        with pytest.raises(UsageError) as caught:
            wish()
        assert caught.value.remedy
    with pytest.raises(ClassboxError, match="apt install fonts-wqy-microhei"):
        made_for(example(), fonts=[tmp_path])


def test_an_item_too_long_for_a_page_is_named() -> None:
    long = msgspec.structs.replace(example().items[8], prompt="很长" * 3000)
    with pytest.raises(BadFileError, match="Item 9 does not fit"):
        made_for(example(items=(long,)))


def test_more_pages_than_a_code_can_say_are_refused() -> None:
    item = msgspec.structs.replace(example("g5-fractions").items[8], points_hundredths=5000)
    items = tuple(msgspec.structs.replace(item, id=str(number)) for number in range(1, 200))
    with pytest.raises(BadFileError, match="99 is the most"):
        made_for(example("g5-fractions", items=items, pupil_id="digits"))


def test_an_item_without_a_section_stands_under_the_heading_before_it() -> None:
    plain = example()
    first = {item.section: item.id for item in reversed(plain.items)}
    terse = msgspec.structs.replace(
        plain,
        items=tuple(
            item if first[item.section] == item.id else msgspec.structs.replace(item, section=None)
            for item in plain.items
        ),
    )
    assert make_sheets(terse, fonts=fonts()).layout.pages == make_sheets(plain, fonts=fonts()).layout.pages
