"""`classbox grade` on stacks in seat order, and on facing pages: real scans and photos through the command."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
import pytest
from click.testing import CliRunner, Result

from edge.cli import main
from edge.learning.flatten import flat_page
from edge.order_in_batch import parse_seats
from homework.errors import UsageError
from homework.layout import PupilField, layout_to_json
from homework.roster import Pupil
from models.simulation.paper import written_page
from models.simulation.pupil import Habits, fill_pupil
from models.simulation.workbook import workbook_page

ROOT = Path(__file__).resolve().parents[2]
PUPILS = 4


@pytest.fixture(autouse=True)
def nothing_was_loaded(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data")))
    monkeypatch.setenv("CLASSBOX_LANG", "en")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("ordered")
    words = [sys.executable, "-m", "benchmarks._scans", str(out), "--pupils", str(PUPILS), "--pupil-id", "order"]
    subprocess.run(words, check=True, cwd=ROOT, capture_output=True)
    return out


def grade(made: Path, *words: Any) -> Result:
    sheets = made / "sheets"
    named = ["--layout", sheets / "layout.json", "--assignment", sheets / "assignment.toml"]
    named += ["--roster", made / "roster.csv", "--json", "--jobs", "1"]
    return CliRunner().invoke(main, ["grade", *map(str, (*words, *named))])


def seats(done: Result) -> list[int | None]:
    return [json.loads(line)["seat"] for line in done.stdout.splitlines()]


def scans(made: Path, *numbers: int) -> list[Path]:
    return [made / "scans" / f"{number:02}.jpg" for number in numbers]


def test_the_nth_page_is_the_nth_seats(made: Path) -> None:
    done = grade(made, *scans(made, 1, 2, 3, 4), "--class", "3-1")
    assert done.exit_code == 0, done.output
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["seat"] for one in found] == [1, 2, 3, 4]
    assert all(one["pupil"] and one["class"] == "3-1" and one["problems"] == [] for one in found)


def test_absent_pupils_are_passed_over(made: Path) -> None:
    done = grade(made, *scans(made, 1, 4), "--class", "3-1", "--absent", "2,3")
    assert seats(done) == [1, 4]


def test_a_stack_that_does_not_come_out_even_names_nobody_and_says_why(made: Path) -> None:
    done = grade(made, *scans(made, 1, 2, 3), "--class", "3-1")
    assert seats(done) == [None, None, None]
    assert "3 pages came in seat order, and 4 pupils of class 3-1" in done.stderr
    assert "--absent 7,12" in done.stderr
    assert [json.loads(line)["problems"][0]["code"] for line in done.stdout.splitlines()] == ["who-unknown"] * 3


def test_the_same_sheet_twice_in_a_stack_names_nobody(made: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.jpg"
    cv2.imwrite(str(again), np.asarray(cv2.imread(str(scans(made, 2)[0]))), [cv2.IMWRITE_JPEG_QUALITY, 70])
    done = grade(made, *scans(made, 1, 2), again, *scans(made, 4), "--class", "3-1")
    assert seats(done) == [None] * 4
    assert "it looks like the sheet before it" in done.stderr


def test_a_page_that_cannot_be_opened_is_somebodys_all_the_same(made: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no picture")
    done = grade(made, *scans(made, 1), broken, *scans(made, 3, 4), "--class", "3-1")
    assert done.exit_code == 3
    assert seats(done) == [1, None, 3, 4]


def test_without_a_class_it_says_so(made: Path, tmp_path: Path) -> None:
    two = tmp_path / "roster.csv"
    two.write_text("class,seat,name\n3-1,1,a\n3-2,1,b\n", encoding="utf-8")
    layout = ("--layout", made / "sheets" / "layout.json", "--roster", two, "--json")
    done = CliRunner().invoke(main, ["grade", *map(str, (*scans(made, 1), *layout))])
    assert seats(done) == [None]
    assert "it is not known of which class" in done.stderr
    refused = CliRunner().invoke(main, ["grade", str(scans(made, 1)[0]), "--absent", "2"])
    assert refused.exit_code == 2
    assert "--class" in refused.output


def test_seats_are_written_singly_and_as_ranges() -> None:
    assert parse_seats("7,12, 20-22") == {7, 12, 20, 21, 22}
    for text in ("", "a", "7-", "9-3", "0", "7;8", "120"):
        with pytest.raises(UsageError):
            parse_seats(text)


@pytest.fixture(scope="module")
def spread(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos of an open workbook, filled in by two pupils, and the layout of its two pages in one sheet."""
    folder = tmp_path_factory.mktemp("spread")
    books = [workbook_page(3), workbook_page(4)]
    flat = [flat_page(book.image, paper="16K") for book in books]
    cv2.imwritemulti(str(folder / "blank.tiff"), [one.image for one in flat])
    sides = [
        msgspec.structs.replace(book.layout.pages[0], page=number, pupil=PupilField("order"))
        for number, book in enumerate(books, start=1)
    ]
    layout = msgspec.structs.replace(
        books[0].layout, page_mm=flat[0].page_mm, reference="blank.tiff", assignment=None, pages=tuple(sides)
    )
    (folder / "layout.json").write_text(layout_to_json(layout), encoding="utf-8")
    (folder / "roster.csv").write_text("class,seat,name,pupil_id\n3-1,1,a,S1\n3-1,2,b,S2\n", encoding="utf-8")
    for seat in (1, 2):
        pupil = Pupil("3-1", seat, "x", f"p{seat}")
        papers = []
        for book in books:
            done = fill_pupil(book.assignment, book.layout, pupil, seed=2, habits=Habits.tidy())[0]
            papers.append(written_page(book.image.copy(), done.strokes, book.px_per_mm))
        np.save(folder / f"{seat}.npy", np.hstack(papers))
    return folder


@pytest.mark.timeout(300)
def test_facing_pages_are_two_lines_of_one_picture_and_one_pupils(
    spread: Path, photograph: Callable[..., Any], tmp_path: Path
) -> None:
    for seat in (1, 2):
        photo = photograph(np.load(spread / f"{seat}.npy"), size_px=(4000, 3000), turn_deg=2)
        cv2.imwrite(str(spread / f"{seat}.jpg"), photo.image)
    words = [spread / "1.jpg", spread / "2.jpg", "--class", "3-1", "--json", "--annotate", tmp_path, "--jobs", "1"]
    words += ["--resume", tmp_path / "done"]
    done = CliRunner().invoke(main, ["grade", *map(str, words)])
    assert done.exit_code == 0, done.output
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(Path(one["source"]).name, one["page_of_source"], one["page"], one["seat"]) for one in found] == [
        ("1.jpg", 1, 1, 1),
        ("1.jpg", 1, 2, 1),
        ("2.jpg", 1, 1, 2),
        ("2.jpg", 1, 2, 2),
    ]
    left, right = found[0]["items"][0]["quad_px"][0][0], found[1]["items"][0]["quad_px"][0][0]
    assert left < 2000 < right, "in pixels of the one picture"
    drawn, photo = (np.asarray(cv2.imread(str(path))) for path in (tmp_path / "1.jpg", spread / "1.jpg"))
    changed = np.abs(drawn.astype(int) - photo.astype(int)).max(axis=2) > 80
    assert changed[:, :2000].sum() > 1000
    assert changed[:, 2000:].sum() > 1000
    again = CliRunner().invoke(main, ["grade", *map(str, words)])
    assert again.stdout == done.stdout, "from the list of finished pages, both of each picture"
