"""Sheets without our markers: where their layouts and pictures are found, and what a picture of none of them is."""

import shutil
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest

from edge.commands.load import command as load
from edge.documents import REFERENCES, Documents
from edge.frames import Capture, Image
from edge.nearby import open_shelves
from edge.references import read_unmarked_sheet
from edge.registration.register import register
from edge.registration.unmarked_sheet import UnmarkedSheet
from homework.errors import BadFileError
from homework.layout import Field, Page, Register, SheetLayout, layout_to_json


def layout_of(register: Register = "print", *, reference: str | None = "blank.png", pages: int = 1) -> SheetLayout:
    fields = (Field(item="1", blank=1, kind="number", box_mm=(60.0, 40.0, 20.0, 8.0)),)
    return SheetLayout(
        sheet="LEARNED1",
        assignment=None,
        page_mm=(210.0, 297.0),
        pages=tuple(Page(page=n, markers=(), fields=fields) for n in range(1, pages + 1)),
        register=register,
        reference=reference,
    )


def blank_page() -> Image:
    page = np.full((594, 420), 255, np.uint8)
    cv2.putText(page, "23 + 4 =", (40, 95), cv2.FONT_HERSHEY_SIMPLEX, 0.8, 0, 2)
    return page


def folder_with(path: Path, layout: SheetLayout, *pictures: Image, name: str = "layout.json") -> Path:
    path.mkdir(exist_ok=True)
    (path / name).write_text(layout_to_json(layout), encoding="utf-8")
    if len(pictures) == 1:
        cv2.imwrite(str(path / str(layout.reference)), pictures[0])
    elif pictures:
        cv2.imwritemulti(str(path / str(layout.reference)), list(pictures))
    return path


def test_a_layout_beside_the_pictures_brings_its_reference_picture(tmp_path: Path) -> None:
    folder_with(tmp_path, layout_of(), blank_page())
    shelves = open_shelves(layout=None, assignment=None, roster=None, class_name=None)
    (sheet,) = shelves.books(shelves.folder(tmp_path)).unmarked()
    assert sheet.layout == layout_of()
    assert np.array_equal(sheet.references[0], blank_page())


def test_a_named_layout_brings_the_picture_beside_it_and_hides_all_others(tmp_path: Path) -> None:
    named = folder_with(tmp_path / "named", layout_of(), blank_page(), name="page12.json")
    other = folder_with(tmp_path / "other", msgspec.structs.replace(layout_of(), sheet="OTHER"), blank_page())
    shelves = open_shelves(layout=named / "page12.json", assignment=None, roster=None, class_name=None)
    assert [one.layout.sheet for one in shelves.books(shelves.folder(other)).unmarked()] == ["LEARNED1"]


def test_our_own_sheets_are_none_of_them(tmp_path: Path) -> None:
    folder_with(tmp_path, layout_of("markers", reference=None))
    shelves = open_shelves(layout=None, assignment=None, roster=None, class_name=None)
    assert list(shelves.books(shelves.folder(tmp_path)).unmarked()) == []


def test_a_folder_without_the_picture_says_so_and_is_passed_over(tmp_path: Path) -> None:
    folder_with(tmp_path, layout_of())
    shelves = open_shelves(layout=None, assignment=None, roster=None, class_name=None)
    folder = shelves.folder(tmp_path)
    assert ["blank.png" in str(error) for error in folder.errors] == [True]
    assert list(shelves.books(folder).unmarked()) == []


def test_several_pages_have_their_pictures_in_one_file(tmp_path: Path) -> None:
    layout = layout_of(reference="blank.tif", pages=2)
    folder_with(tmp_path, layout, blank_page(), 255 - blank_page())
    sheet = read_unmarked_sheet(layout, tmp_path)
    assert [int(page.mean()) > 128 for page in sheet.references] == [True, False]


@pytest.mark.parametrize(
    ("layout", "picture"),
    [
        (layout_of(reference="../blank.png"), blank_page()),
        (layout_of(pages=2), blank_page()),
        (layout_of(), blank_page()[:420]),
        (layout_of(reference=None), blank_page()),
    ],
    ids=["outside", "one-of-two", "another-shape", "no-name"],
)
def test_a_picture_that_is_not_the_layouts_is_refused(tmp_path: Path, layout: SheetLayout, picture: Image) -> None:
    cv2.imwrite(str(tmp_path / "blank.png"), picture)
    with pytest.raises(BadFileError):
        read_unmarked_sheet(layout, tmp_path)


def test_a_layout_alone_is_loaded_with_its_picture(tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "learned", layout_of(), blank_page(), name="page12.json")
    load.main([str(folder / "page12.json"), "--data", str(tmp_path / "data")], standalone_mode=False)
    shutil.rmtree(folder)
    documents = Documents(tmp_path / "data")
    (sheet,) = documents.unmarked()
    assert sheet.layout.sheet == "LEARNED1"
    assert np.array_equal(sheet.references[0], blank_page())
    assert documents.unmarked()[0] is sheet, "pictures are opened once"


def test_a_loaded_picture_that_got_lost_hides_its_sheet_and_no_other(tmp_path: Path) -> None:
    documents = Documents(tmp_path)
    picture = bytes(cv2.imencode(".png", blank_page())[1])
    documents.put_layout(layout_of(), picture)
    documents.put_layout(msgspec.structs.replace(layout_of("page-edge", reference=None), sheet="CARD"))
    next((tmp_path / REFERENCES).iterdir()).unlink()
    assert [one.layout.sheet for one in documents.unmarked()] == ["CARD"]


def test_loading_a_sheet_without_its_picture_loads_nothing(tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "learned", layout_of(), name="page12.json")
    with pytest.raises(BadFileError):
        load.main([str(folder / "page12.json"), "--data", str(tmp_path / "data")], standalone_mode=False)
    assert Documents(tmp_path / "data").layouts() == ()


def test_an_empty_desk_is_no_sheet_whatever_is_known() -> None:
    desk = Capture(np.full((1200, 1600, 3), 120, np.uint8), "desk")
    page = register(desk, lambda _: None, (UnmarkedSheet(layout_of(), (blank_page(),)),))
    assert page.refused
    assert page.layout is None
