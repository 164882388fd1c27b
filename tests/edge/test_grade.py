"""`classbox grade`: files in, verdicts out; a bad file costs itself alone."""

import json
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from edge.cli import main
from edge.frames import Capture, Image
from edge.pipeline import Books, grade_capture
from homework.assignment import assignment_to_toml
from homework.layout import layout_to_json
from homework.results import PageStatus, VerdictKind
from homework.roster import parse_roster
from models.recognisers import Recognisers

Printer = Callable[..., Any]
Photograph = Callable[..., Capture]


KEYS = [
    "source", "page_of_source", "status", "problems", "sheet", "assignment", "page", "class", "seat", "pupil",
    "score", "max_score", "pending", "items", "elapsed_ms",
]  # fmt: skip
ROSTER = "class,seat,name,pupil_id\n3-1,7,学生07,S007\n3-1,8,学生08,S008\n"


@pytest.fixture(autouse=True)
def nothing_was_loaded(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data")))
    monkeypatch.setenv("CLASSBOX_LANG", "en")


@pytest.fixture(scope="module")
def sheet(print_worksheet: Printer):
    sheet = print_worksheet(seed=21)
    sheet.seat("07")
    for item, text in {"1": "92", "2": "45", "4": "8……1", "7": "√", "8": "C", "9": "<"}.items():
        sheet.write(item, text)
    sheet.mark("5", "B")
    sheet.mark("6", "A")
    sheet.mark("6", "C")
    return sheet


@pytest.fixture(scope="module")
def photo(sheet: Any, photograph: Photograph):
    return photograph(sheet.paper(), size_px=(2592, 1944), turn_deg=91).image


@pytest.fixture
def folder(tmp_path: Path, sheet: Any, photo: Image):
    """A folder as a teacher has it: what was printed, the class list, and one photo."""
    (tmp_path / "layout.json").write_text(layout_to_json(sheet.layout), encoding="utf-8")
    (tmp_path / "assignment.toml").write_text(assignment_to_toml(sheet.assignment), encoding="utf-8")
    (tmp_path / "roster.csv").write_text(ROSTER, encoding="utf-8")
    cv2.imwrite(str(tmp_path / "a.jpg"), photo)
    return tmp_path


def run(*words: Any):
    return CliRunner().invoke(main, ["grade", *map(str, words)])


def pages(result: Any):
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_a_photo_becomes_the_contracts_object(folder: Path, sheet: Any):
    result = run(folder / "a.jpg", "--json")
    assert result.exit_code == 0, result.output
    [page] = pages(result)
    assert list(page) == KEYS
    assert (page["status"], page["sheet"], page["assignment"], page["page"]) == (
        "graded", sheet.layout.sheet, "page-tests", 1,
    )  # fmt: skip
    items = {(item["item"], item["blank"]): item for item in page["items"]}
    assert len(items) == len(sheet.layout.pages[0].fields)
    assert (items["5", 1]["reading"], items["5", 1]["verdict"], items["5", 1]["score"]) == ("B", "correct", 1)
    assert (items["6", 1]["reading"], items["6", 1]["verdict"]) == ("AC", "correct")
    assert (items["10", 1]["reading"], items["10", 1]["verdict"], items["10", 1]["score"]) == ("", "blank", 0)
    assert page["pending"] == sum(item["verdict"] == "review" for item in page["items"])
    assert page["score"] == sum(item["score"] or 0 for item in page["items"])
    assert page["max_score"] == 10
    # Items that are not asked about are what was written; 45 is wrong and stays wrong.
    written = {"1": "92", "2": "45", "4": "8……1", "7": "√", "8": "C", "9": "<"}
    for item, text in written.items():
        if items[item, 1]["verdict"] != "review":
            assert items[item, 1]["reading"] == text
    assert items["2", 1]["verdict"] in {"wrong", "review"}


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_page_in_doubt_comes_in_its_place_under_the_name_that_the_stack_makes_clear(
    folder: Path, print_worksheet: Printer, photograph: Photograph, jobs: int
):
    lone = print_worksheet(seed=22)
    lone.write_at("8", lone.layout.pages[0].pupil.boxes_mm[0])  # one digit in the first of two cells: never sure
    doubtful = photograph(lone.paper(), size_px=(2592, 1944), turn_deg=91)
    books = Books(lambda _: lone.layout, lambda _: lone.assignment, roster=parse_roster(ROSTER.encode()))
    by_itself = grade_capture(doubtful, books, Recognisers.load())
    assert by_itself.record is not None
    assert by_itself.record.who.pupil is None
    (folder / "a.jpg").unlink()
    cv2.imwrite(str(folder / "a.png"), doubtful.image)
    clear = print_worksheet(seed=24)
    clear.seat("07")
    cv2.imwrite(str(folder / "b.png"), photograph(clear.paper(), size_px=(2592, 1944), turn_deg=91).image)
    result = run(folder, "--json", "--jobs", jobs)
    assert result.exit_code == 0, result.output
    found = [(Path(page["source"]).name, page["class"], page["seat"], page["pupil"]) for page in pages(result)]
    assert found == [("a.png", "3-1", 8, "S008"), ("b.png", "3-1", 7, "S007")]


def test_quads_lie_on_the_fields_of_the_upright_picture(folder: Path, photo: Image):
    """A sideways JPEG with an EXIF note is turned before anything is measured."""
    sideways = cv2.rotate(photo, cv2.ROTATE_90_COUNTERCLOCKWISE)
    jpeg = cv2.imencode(".jpg", sideways)[1].tobytes()
    note = (
        b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00\x00\x00\x00\x00"
    )
    (folder / "b.jpg").write_bytes(jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(note) + 2) + note + jpeg[2:])
    plain, turned = pages(run(folder, "--json"))
    for one, other in zip(plain["items"], turned["items"], strict=True):
        assert np.allclose(one["quad_px"], other["quad_px"], atol=2)
    quad = np.array(next(item for item in plain["items"] if item["item"] == "1")["quad_px"])
    width, height = np.linalg.norm(quad[1] - quad[0]), np.linalg.norm(quad[3] - quad[0])
    assert width / height == pytest.approx(24 / 10, rel=0.08)
    assert quad[1][1] > quad[0][1] + 50  # the page is turned by 91°: to its right is down


def test_a_scan_is_graded_page_by_page_at_200_dpi(folder: Path, print_worksheet: Printer):
    from homework.sheets import make_sheets

    sheet = print_worksheet()
    (folder / "a.jpg").unlink()
    (folder / "scan.pdf").write_bytes(make_sheets(sheet.assignment, copies=2).worksheets_pdf)
    result = run(folder, "--json")
    found = pages(result)
    assert [page["page_of_source"] for page in found] == list(range(1, len(found) + 1))
    assert len(found) >= 2
    assert {page["status"] for page in found} == {"graded"}
    assert {item["verdict"] for page in found for item in page["items"]} == {"blank"}
    x, y, w, h = sheet.field("1").box_mm
    corner = np.array([x, y, x + w, y + h]) * 200 / 25.4
    quad = np.array(found[0]["items"][0]["quad_px"])
    assert np.allclose([*quad[0], *quad[2]], corner, atol=2.5)


def test_what_was_printed_is_not_taken_for_homework(folder: Path, sheet: Any):
    from homework.sheets import make_sheets

    made = make_sheets(sheet.assignment)
    (folder / "worksheets.pdf").write_bytes(made.worksheets_pdf)
    (folder / "answers.pdf").write_bytes(made.answers_pdf)
    assert [page["source"] for page in pages(run(folder, "--json"))] == [str(folder / "a.jpg")]


def test_named_files_serve_pictures_anywhere(folder: Path, photo: Image, tmp_path_factory: pytest.TempPathFactory):
    elsewhere = tmp_path_factory.mktemp("photos") / "x.png"
    cv2.imwrite(str(elsewhere), photo)
    alone = run(elsewhere, "--json")
    assert (alone.exit_code, pages(alone)[0]["status"]) == (3, "unknown-sheet")
    assert pages(alone)[0]["sheet"] is not None
    without_key = run(elsewhere, "--layout", folder / "layout.json", "--json")
    assert without_key.exit_code == 0
    [page] = pages(without_key)
    assert page["score"] is None
    assert {item["verdict"] for item in page["items"]} <= {"read", "blank", "review"}
    words = ["--layout", folder / "layout.json", "--assignment", folder / "assignment.toml"]
    assert pages(run(elsewhere, *words, "--json"))[0]["max_score"] == 10


def test_a_sheet_of_another_assignment_is_sent_back(folder: Path, sheet: Any):
    other = assignment_to_toml(sheet.assignment).replace('"page-tests"', '"other"')
    (folder / "other.toml").write_text(other, encoding="utf-8")
    result = run(folder / "a.jpg", "--assignment", folder / "other.toml", "--json")
    assert (result.exit_code, pages(result)[0]["status"]) == (3, "wrong-assignment")


def test_bad_files_cost_themselves_alone(folder: Path, photo: Image):
    rng = np.random.default_rng(1)
    jpeg = (folder / "a.jpg").read_bytes()
    (folder / "b_empty.jpg").write_bytes(b"")
    (folder / "c_text.jpg").write_text("not a picture", encoding="utf-8")
    (folder / "d_cut.jpg").write_bytes(jpeg[: len(jpeg) // 3])
    cat = cv2.GaussianBlur(rng.integers(0, 255, (900, 1200, 3), dtype=np.uint8), (0, 0), 1.5)
    cv2.imwrite(str(folder / "e_cat.jpg"), cat)
    cv2.imwrite(str(folder / "f_white.png"), np.full((900, 1200, 3), 240, np.uint8))
    cv2.imwrite(str(folder / "g_half.jpg"), photo[: photo.shape[0] // 2])
    (folder / "h_broken.pdf").write_bytes(b"%PDF-1.7 nothing")
    (folder / "i_huge.png").write_bytes(png_header(60_000, 60_000))
    cv2.imwrite(str(folder / "j_sixteen.png"), (photo.astype(np.uint16) * 257))
    cv2.imwrite(str(folder / "k_grey.png"), cv2.cvtColor(photo, cv2.COLOR_BGR2GRAY))
    cv2.imwrite(str(folder / "l.webp"), photo, [cv2.IMWRITE_WEBP_QUALITY, 80])
    (folder / "m.avi").write_bytes(b"RIFF")
    result = run(folder, folder / "missing.jpg", "--json")
    assert result.exit_code == 3
    found = {page["source"].rpartition("/")[2]: page for page in pages(result)}
    assert {name: page["status"] for name, page in found.items()} == {
        "a.jpg": "graded",
        "b_empty.jpg": "unreadable",
        "c_text.jpg": "unreadable",
        "d_cut.jpg": "unreadable",
        "e_cat.jpg": "not-a-sheet",
        "f_white.png": "not-a-sheet",
        "g_half.jpg": "unreadable",
        "h_broken.pdf": "unreadable",
        "i_huge.png": "unreadable",
        "j_sixteen.png": "graded",
        "k_grey.png": "graded",
        "l.webp": "graded",
        "m.avi": "unreadable",
        "missing.jpg": "unreadable",
    }
    assert all(page["problems"] for page in found.values() if page["status"] != "graded")
    assert found["g_half.jpg"]["problems"][-1]["code"] == "half-sheet"
    assert "Traceback" not in result.output
    failed = [name for name, page in found.items() if page["problems"] and page["problems"][0]["code"] == "bad-file"]
    assert len(result.stderr.strip().splitlines()) == len(failed)


def png_header(width: int, height: int):
    """A PNG of that size, whose pixels would not fit into the memory, and never come."""
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))


def test_nothing_to_open_is_a_failure_and_no_path_is_wrong_use(tmp_path: Path):
    assert run(tmp_path / "none.jpg").exit_code == 1
    (tmp_path / "empty").mkdir()
    empty = run(tmp_path / "empty")
    assert empty.exit_code == 1
    assert "no pictures" in empty.stderr
    assert run().exit_code == 2


def test_a_bad_layout_beside_the_picture_is_said_once_in_one_line(folder: Path):
    (folder / "layout.json").write_text("{", encoding="utf-8")
    cv2.imwrite(str(folder / "b.jpg"), cv2.imread(str(folder / "a.jpg")))
    result = run(folder)
    assert result.exit_code == 3
    assert len(result.stderr.strip().splitlines()) == 1


def test_a_bad_file_that_was_named_ends_the_command(folder: Path):
    (folder / "roster.csv").write_text("who,are,you\n1,2,3\n", encoding="utf-8")
    result = run(folder / "a.jpg", "--roster", folder / "roster.csv")
    assert result.exit_code == 1
    assert len(result.stderr.strip().splitlines()) == 1


def test_a_line_for_people_names_score_and_marks(folder: Path):
    result = run(folder)
    [line] = result.stdout.splitlines()
    assert line.startswith(str(folder / "a.jpg"))
    assert "/10" in line
    assert "✓" in line


def test_annotated_pictures_show_every_verdict_and_leave_the_rest(folder: Path, photo: Image):
    marked = folder / "marked"
    assert run(folder, "--annotate", marked).exit_code == 0
    drawn = cv2.imread(str(marked / "a.jpg"))
    assert drawn.shape == photo.shape
    changed = np.abs(drawn.astype(int) - photo.astype(int)).max(axis=2) > 60
    assert 0.001 < changed.mean() < 0.05
    again = run(folder, "--annotate", marked, "--json")
    assert [page["source"] for page in pages(again)] == [str(folder / "a.jpg")]


def test_a_film_of_a_sheet_at_rest_is_one_page(folder: Path, photo: Image):
    (folder / "a.jpg").unlink()
    size = (1600, 1200)
    film = cv2.VideoWriter(str(folder / "film.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 25, size)
    desk = np.full((size[1], size[0], 3), (70, 95, 120), np.uint8)
    rng = np.random.default_rng(0)
    page = cv2.resize(photo, size, interpolation=cv2.INTER_AREA)
    for n in range(60):
        shift = min(max((n - 10) * 160 - size[0], -size[0]), 0)
        frame = cv2.warpAffine(page, np.float32([[1, 0, shift], [0, 1, 0]]), size, borderValue=(70, 95, 120))
        noisy = (desk if n < 10 else frame) + rng.normal(0, 2, desk.shape)
        film.write(np.clip(noisy, 0, 255).astype(np.uint8))
    film.release()
    found = pages(run(folder, "--json"))
    assert [(page["page_of_source"], page["status"]) for page in found] == [(1, "graded")]


def test_marks_are_drawn_for_every_kind_of_verdict(sheet: Any, photograph: Photograph):
    from edge.annotate import annotate

    books = Books(layout_of=lambda _: sheet.layout, assignment_of=lambda _: sheet.assignment)
    capture = photograph(sheet.paper(), grey=True)
    page = grade_capture(capture, books, Recognisers.load())
    assert page.status is PageStatus.GRADED
    assert page.record is not None
    drawn = annotate(capture.image, page)
    assert drawn.ndim == 3
    kinds = {item.verdict.kind for item in page.record.items}
    assert {VerdictKind.CORRECT, VerdictKind.BLANK} <= kinds
    for place in page.fields:
        x, y = np.array(place.quad_px)[1].round().astype(int)
        around = np.s_[max(y - 12, 0) : y + 40, max(x - 30, 0) : x + 30]
        colours = drawn[around].astype(int)
        assert np.ptp(colours, axis=2).max() > 20  # grey paper, coloured marks
