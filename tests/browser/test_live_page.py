"""The live page in a real browser, while real sheets come in."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import cv2
import pytest
from playwright.sync_api import Page, expect

from benchmarks._box import RunningBox as Box


def test_sheets_show_themselves_as_they_come(box: Box, page: Page) -> None:
    page.goto(box.url)
    expect(page.get_by_text("Lay the first sheet under the camera")).to_be_visible()
    box.slide(1)
    expect(page.locator(".person h1")).to_contain_text("No. 1")
    expect(page.locator(".handed-in .big")).to_have_text("1 / 6")
    expect(page.locator(".missing b")).to_have_text(re.compile(r"02 03 04 05 06\s*"))
    assert page.locator(".sheet use.mark").count() == 5
    assert page.evaluate("document.querySelector('.sheet image').getBoundingClientRect().height") > 500
    box.slide(2, 3, 4, 5, 6)
    expect(page.get_by_text("everybody has handed in")).to_be_visible()
    expect(page.locator(".seats li.done, .seats li.review")).to_have_count(6)


def test_marks_lie_on_the_fields_that_they_judge(box: Box, page: Page) -> None:
    box.slide(1)
    page.goto(box.url)
    expect(page.locator(".sheet use.mark")).to_have_count(5)
    sheet = page.locator(".sheet svg").bounding_box()
    assert sheet is not None
    for mark in page.locator(".sheet use.mark").all():
        found = mark.bounding_box()
        assert found is not None
        assert sheet["x"] <= found["x"]
        assert found["x"] + found["width"] <= sheet["x"] + sheet["width"]
        assert found["width"] > 8


def test_two_tabs_show_the_same(box: Box, page: Page) -> None:
    other = page.context.new_page()
    page.goto(box.url)
    other.goto(box.url)
    box.slide(1, 2)
    for tab in (page, other):
        expect(tab.locator(".handed-in .big")).to_have_text("2 / 6")
    page.get_by_role("button", name="Undo the last sheet").click()
    for tab in (page, other):
        expect(tab.locator(".handed-in .big")).to_have_text("1 / 6")
        expect(tab.get_by_text("Taken back: it counts nowhere.")).to_be_visible()
    page.get_by_role("button", name="Let it count again").click()
    expect(other.locator(".handed-in .big")).to_have_text("2 / 6")


def test_a_page_that_lost_the_box_catches_up_by_itself(box: Box, page: Page) -> None:
    page.goto(box.url)
    box.stop()
    expect(page.locator("#offline")).to_be_visible()
    box.slide(1, 2, 3)
    box.start()
    expect(page.locator(".handed-in .big")).to_have_text("3 / 6")
    expect(page.locator("#offline")).to_be_hidden()


def test_a_tap_gives_it_a_voice_and_each_outcome_its_own(box: Box, page: Page) -> None:
    page.goto(box.url)
    box.slide(1)
    expect(page.locator(".handed-in .big")).to_have_text("1 / 6")
    assert page.evaluate("document.body.dataset.lastSound") is None
    page.locator("main").click(position={"x": 5, "y": 5})
    expect(page.locator("#sound")).to_have_attribute("aria-pressed", "true")
    box.slide(2)
    expect(page.locator("body")).to_have_attribute("data-last-sound", re.compile("graded|ask"))
    page.locator("#sound").click()
    expect(page.locator("#sound")).to_have_attribute("aria-pressed", "false")


def test_the_language_is_chosen_once_and_the_stream_speaks_it(box: Box, page: Page) -> None:
    page.goto(box.url)
    page.get_by_role("link", name="中文").click()
    expect(page.get_by_text("把第一张作业放到镜头下")).to_be_visible()
    box.slide(1)
    expect(page.locator(".person h1")).to_contain_text("1号")
    expect(page.locator(".handed-in")).to_contain_text("未交 5：")


def test_on_a_phone_the_sheet_comes_first_and_nothing_is_cut_off(box: Box, page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    box.slide(1)
    page.goto(box.url)
    expect(page.locator(".person h1")).to_contain_text("No. 1")
    sheet, words = page.locator("#sheet").bounding_box(), page.locator("#side").bounding_box()
    assert sheet is not None
    assert words is not None
    assert sheet["y"] + sheet["height"] <= words["y"]
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for target in page.locator("button:visible, a.button:visible").all():
        found = target.bounding_box()
        assert found is not None
        assert found["height"] >= 44


@pytest.fixture(scope="module")
def numbered_class(make_scans: Callable[..., Path]) -> Path:
    """Six pupils who write their seat numbers; the number on the second sheet is rubbed out."""
    out = make_scans("--pupils", "6", "--pupil-id", "digits")
    layout = json.loads((out / "sheets" / "layout.json").read_text(encoding="utf-8"))
    scan = cv2.imread(str(out / "scans" / "02.jpg"))
    for x, y, width, height in layout["pages"][0]["pupil"]["boxes_mm"]:
        x0, y0, x1, y1 = (round(v * 150 / 25.4) for v in (x + 0.6, y + 0.6, x + width - 0.6, y + height - 0.6))
        scan[y0:y1, x0:x1] = 243
    cv2.imwrite(str(out / "scans" / "02.jpg"), scan)
    return out


def all_loaded(page: Page, selector: str) -> int:
    """How many pictures there are; each has come."""
    for picture in page.locator(selector).all():
        picture.scroll_into_view_if_needed()
        page.wait_for_function("image => image.complete && image.naturalWidth > 0", arg=picture.element_handle())
    return page.locator(selector).count()


def test_a_sheet_without_a_number_is_named_with_one_tap_by_its_written_name(
    page: Page, start_box: Callable[..., Box], numbered_class: Path
) -> None:
    box = start_box(numbered_class)
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(box.url)
    box.slide(1, 3, 4, 5, 6)
    expect(page.locator(".handed-in .big")).to_have_text("5 / 6")
    box.slide(2)
    expect(page.get_by_role("heading", name="Whose sheet is this?")).to_be_visible()
    assert all_loaded(page, ".written img") == 2
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.goto(box.url + "review")
    assert all_loaded(page, ".written img") == 2
    page.goto(box.url)
    likely = page.locator(".likely button")
    expect(likely).to_have_text(["No. 2 学生02"])
    likely.click()
    expect(page.locator(".person h1")).to_contain_text("No. 2")
    expect(page.get_by_text("everybody has handed in")).to_be_visible()
    page.goto(box.url + "?screen=class")
    expect(page.locator(".written, .likely, .choose")).to_have_count(0)


def test_a_sheet_that_counts_can_still_be_given_to_somebody_else(
    page: Page, start_box: Callable[..., Box], numbered_class: Path
) -> None:
    box = start_box(numbered_class)
    box.slide(4)
    page.goto(box.url)
    expect(page.locator(".person h1")).to_contain_text("No. 4")
    page.goto(box.url + "sheets/1")
    page.get_by_text("It is somebody else's").click()
    page.locator(".not-right select").select_option("S005")
    page.get_by_role("button", name="It is this pupil's").click()
    expect(page.locator(".person h1")).to_contain_text("No. 5")
