"""A workbook's page on the box: its places are corrected, and the teacher's own sheet becomes the key."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from edge.learning.flatten import flat_page
from homework.layout import layout_to_json
from homework.roster import Pupil
from models.simulation.paper import written_page
from models.simulation.pupil import Habits, fill_pupil
from models.simulation.workbook import WorkbookPage, workbook_page

CLASSBOX = str(Path(sys.executable).parent / "classbox")
ENVIRONMENT = {"CLASSBOX_LANG": "en", "PATH": "/usr/bin:/bin", "HOME": "/nonexistent"}
WAIT_MS = 60_000
SHOTS = os.environ.get("CLASSBOX_SCREENSHOTS")


def shot(page: Page, name: str) -> None:
    if SHOTS:
        page.screenshot(path=f"{SHOTS}/{name}.png", full_page=True)


class Box:
    """A box that knows one learned page; `slide` puts sheets of pupils into its folder."""

    def __init__(self, folder: Path, book: WorkbookPage) -> None:
        self.book, self.scans, data = book, folder / "scans", folder / "data"
        self.scans.mkdir()
        flat = flat_page(book.image, paper="16K")
        layout = msgspec.structs.replace(book.layout, page_mm=flat.page_mm, reference="page3.png", assignment=None)
        (folder / "page3.json").write_text(layout_to_json(layout), encoding="utf-8")
        cv2.imwrite(str(folder / "page3.png"), flat.image)
        words = ["load", str(folder / "page3.json"), "--data", str(data)]
        subprocess.run([CLASSBOX, *words], check=True, capture_output=True, env=ENVIRONMENT)
        config = folder / "box.toml"
        config.write_text(f'data = "{data}"\n[web]\nlisten = "127.0.0.1:0"\n[camera]\nsource = "folder:{self.scans}"\n')
        self.process = subprocess.Popen(
            [CLASSBOX, "run", "--config", str(config)], stdout=subprocess.PIPE, text=True, env=ENVIRONMENT
        )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().split()[1]

    def slide(self, seat: int) -> None:
        book = self.book
        pupil = Pupil("3-1", seat, "x", f"p{seat}")
        done = fill_pupil(book.assignment, book.layout, pupil, seed=2, habits=Habits.tidy())[0]
        paper = written_page(book.image.copy(), done.strokes, book.px_per_mm)
        beside = self.scans.parent / f"{seat}.jpg"
        cv2.imwrite(str(beside), np.asarray(cv2.resize(paper, None, fx=0.8, fy=0.8, interpolation=cv2.INTER_AREA)))
        shutil.move(beside, self.scans)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        yield made
        made.close()


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    made = Box(tmp_path, workbook_page(3))
    yield made
    made.process.send_signal(signal.SIGTERM)
    made.process.wait(timeout=30)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1366, "height": 900}, locale="en")
    made = context.new_page()
    made.set_default_timeout(WAIT_MS)
    expect.set_options(timeout=WAIT_MS)
    complaints: list[str] = []
    made.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    made.on("pageerror", lambda error: complaints.append(str(error)))
    yield made
    context.close()
    assert [text for text in complaints if "INCOMPLETE" not in text and "400" not in text] == []


@pytest.mark.timeout(300)
def test_the_teachers_own_sheet_becomes_the_key_and_marks_those_that_waited(box: Box, page: Page) -> None:
    box.slide(5)
    page.goto(box.url)
    expect(page.get_by_role("link", name="This sheet is the key")).to_be_visible()
    box.slide(6)
    expect(page.get_by_role("link", name="Sheet before")).to_be_visible()
    page.get_by_role("link", name="This sheet is the key").click()
    expect(page.locator(".answers li")).to_have_count(22)
    shot(page, "key")
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    shot(page, "key-phone")
    page.set_viewport_size({"width": 1366, "height": 900})
    page.get_by_label("Name of this homework").fill("第3课")
    for item in box.book.assignment.items:
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
    page.locator(".answers li").nth(0).get_by_role("textbox").fill(box.book.assignment.items[0].rule.accepted[0][0])
    page.get_by_role("button", name="All answers are right").click()
    expect(page.get_by_text("第3课").first).to_be_visible()
    for _ in range(60):
        page.goto(f"{box.url}sheets/1")
        if page.get_by_text("/ 22").count():
            break
        page.wait_for_timeout(500)
    expect(page.locator(".sheet use.mark").first).to_be_visible()
    shot(page, "marked")


@pytest.mark.timeout(300)
def test_places_are_corrected_on_the_picture_of_the_page(box: Box, page: Page) -> None:
    page.goto(f"{box.url}learned")
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
