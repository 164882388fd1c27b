"""A workbook's page on the box: its places are corrected, and the teacher's own sheet becomes the key."""

from collections.abc import Callable
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest
from playwright.sync_api import Page, expect

from benchmarks._box import RunningBox, run_classbox
from edge.learning.flatten import flat_page
from homework.layout import layout_to_json
from homework.roster import Pupil
from models.simulation.paper import written_page
from models.simulation.pupil import Habits, fill_pupil
from models.simulation.workbook import WorkbookPage, workbook_page

Shot = Callable[[Page, str], None]


class Workbook:
    """A box that knows one learned page, and the page to fill in."""

    def __init__(self, folder: Path, book: WorkbookPage, start_box: Callable[..., RunningBox]) -> None:
        self.book, self.folder = book, folder
        flat = flat_page(book.image, paper="16K")
        layout = msgspec.structs.replace(book.layout, page_mm=flat.page_mm, reference="page3.png", assignment=None)
        (folder / "page3.json").write_text(layout_to_json(layout), encoding="utf-8")
        cv2.imwrite(str(folder / "page3.png"), flat.image)
        self.box = start_box(folder, load=False)
        run_classbox("load", folder / "page3.json", "--data", self.box.data)
        self.url = self.box.url

    def slide(self, seat: int) -> None:
        book = self.book
        pupil = Pupil("3-1", seat, "x", f"p{seat}")
        done = fill_pupil(book.assignment, book.layout, pupil, seed=2, habits=Habits.tidy())[0]
        paper = written_page(book.image.copy(), done.strokes, book.px_per_mm)
        scan = self.folder / f"{seat}.jpg"
        cv2.imwrite(str(scan), np.asarray(cv2.resize(paper, None, fx=0.8, fy=0.8, interpolation=cv2.INTER_AREA)))
        self.box.slide_file(scan)


@pytest.fixture
def workbook(tmp_path: Path, start_box: Callable[..., RunningBox]) -> Workbook:
    return Workbook(tmp_path, workbook_page(3), start_box)


@pytest.mark.timeout(300)
def test_the_teachers_own_sheet_becomes_the_key_and_marks_those_that_waited(
    workbook: Workbook, page: Page, shot: Shot
) -> None:
    workbook.slide(5)
    page.goto(workbook.url)
    expect(page.get_by_role("link", name="This sheet is the key")).to_be_visible()
    workbook.slide(6)
    expect(page.get_by_role("link", name="Sheet before")).to_be_visible()
    page.get_by_role("link", name="This sheet is the key").click()
    expect(page.locator(".answers li")).to_have_count(22)
    shot(page, "key")
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    shot(page, "key-phone")
    page.set_viewport_size({"width": 1366, "height": 900})
    page.get_by_label("Name of this homework").fill("第3课")
    for item in workbook.book.assignment.items:
        answer = item.rule.accepted[0][0]
        field = page.locator(".answers li").nth(int(item.id) - 1)
        if field.get_by_role("radio").count():
            field.get_by_role("radio", name=answer, exact=True).check(force=True)
        else:
            field.get_by_role("textbox").fill("")
            if item.id != "1":
                field.get_by_role("textbox").fill(answer)
    page.get_by_role("button", name="All answers are right").click()
    expect(page.get_by_role("alert")).to_contain_text("Item 1 has no answer.")
    expect(page.get_by_label("Name of this homework")).to_have_value("第3课")
    page.locator(".answers li").nth(0).get_by_role("textbox").fill(
        workbook.book.assignment.items[0].rule.accepted[0][0]
    )
    page.get_by_role("button", name="All answers are right").click()
    expect(page.get_by_text("第3课").first).to_be_visible()
    for _ in range(60):
        page.goto(f"{workbook.url}sheets/1")
        if page.get_by_text("/ 22").count():
            break
        page.wait_for_timeout(500)
    expect(page.locator(".sheet use.mark").first).to_be_visible()
    shot(page, "marked")


@pytest.mark.timeout(300)
def test_places_are_corrected_on_the_picture_of_the_page(workbook: Workbook, page: Page, shot: Shot) -> None:
    page.goto(f"{workbook.url}learned")
    page.get_by_role("link", name="Page 1: 22 places").click()
    expect(page.locator(".places li")).to_have_count(22)
    page.locator("rect.place").nth(4).click()
    expect(page.locator(".places li.chosen input[name=item-5]")).to_be_visible()
    page.locator("input[name=item-5]").fill("5b")
    page.locator("input[name=remove-6]").check()
    picture = page.locator("#page").bounding_box()
    assert picture is not None
    x, y = picture["x"] + picture["width"] * 0.7, picture["y"] + picture["height"] * 0.05
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 90, y + 30, steps=4)
    page.mouse.up()
    expect(page.locator(".places li")).to_have_count(23)
    shot(page, "learned")
    page.get_by_role("button", name="Keep").click()
    expect(page.locator(".places li")).to_have_count(22)
    names = [field.input_value() for field in page.locator(".places input[name^=item-]").all()]
    assert "5b" in names
    assert "6" not in names
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    shot(page, "learned-phone")
