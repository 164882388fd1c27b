"""Sheets in seat order on the live page: the number is called, skipped, undone, jumped to, and survives kill -9."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from playwright.sync_api import Page, expect

from benchmarks._box import RunningBox, run_classbox
from homework.assignment import parse_assignment
from homework.layout import layout_from_json
from homework.roster import roster_to_csv
from models.simulation.classroom import made_up_roster
from models.simulation.paper import PrintedPages, written_page
from models.simulation.pupil import Habits, fill_class

Shot = Callable[[Page, str], None]


@pytest.fixture(scope="module")
def made(make_scans: Callable[..., Path]) -> Path:
    return make_scans("--pupils", "6", "--pupil-id", "order")


@pytest.fixture(scope="module")
def two_sided(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As `made`, with three pupils and two pages each: scans/01.jpg is the first one's front, 02.jpg the back."""
    out = tmp_path_factory.mktemp("two-sided")
    items = [f'[[item]]\nkind = "number"\nprompt = "{n} + {n} ="\nanswer = "{2 * n}"' for n in range(1, 41)]
    head = '[assignment]\nid = "two-sided"\ntitle = "口算 40 题"\ngrade = 3\npupil_id = "order"\n'
    (out / "two.toml").write_text(head + "\n".join(items) + "\n", encoding="utf-8")
    roster = made_up_roster(3)
    (out / "roster.csv").write_text(roster_to_csv(roster), encoding="utf-8")
    run_classbox("print", out / "two.toml", "--roster", out / "roster.csv", "-o", out / "sheets")
    assignment = parse_assignment((out / "sheets" / "assignment.toml").read_text(encoding="utf-8"))
    layout = layout_from_json((out / "sheets" / "layout.json").read_bytes())
    assert len(layout.pages) == 2
    paper = PrintedPages((out / "sheets" / "worksheets.pdf").read_bytes(), dpi=150)
    (out / "scans").mkdir()
    filled = fill_class(assignment, layout, roster, class_name="3-1", seed=1, habits=Habits.tidy())
    for number, page in enumerate(filled, start=1):
        sheet = written_page(paper.page(page.page), page.strokes, paper.px_per_mm)
        cv2.imwrite(str(out / "scans" / f"{number:02}.jpg"), sheet)
    paper.close()
    return out


@pytest.fixture
def box(start_box: Callable[..., RunningBox], made: Path) -> RunningBox:
    """A box with a worksheet that names nobody and a class of six; `slide` gives it the n-th pupil's sheet."""
    return start_box(made)


def called(page: Page, number: str) -> None:
    expect(page.locator(".calling-seat")).to_have_text(number)


@pytest.mark.timeout(200)
def test_a_stack_is_called_through_with_an_absent_pupil_an_undo_and_a_late_one(
    box: RunningBox, open_page: Callable[..., Page], shot: Shot
) -> None:
    page = open_page()
    page.goto(box.url)
    called(page, "01")
    expect(page.locator(".calling-name")).to_contain_text("学生01")
    shot(page, "call-first")
    box.slide(1)
    called(page, "02")
    expect(page.locator(".person h1")).to_contain_text("No. 1")
    page.keyboard.press("ArrowRight")
    called(page, "03")
    expect(page.get_by_text("Absent: 02")).to_be_visible()
    box.slide(3)
    called(page, "04")
    shot(page, "call-middle")
    page.keyboard.press("ArrowLeft")
    called(page, "03")
    expect(page.get_by_text("Taken back: it counts nowhere.")).to_be_visible()
    page.get_by_role("button", name="No. 2 is here").click()
    called(page, "02")
    box.slide(2)
    called(page, "03")
    page.keyboard.press("5")
    expect(page.locator("input[data-digits]")).to_have_value("5")
    page.keyboard.press("Enter")
    called(page, "05")
    box.slide(5)
    called(page, "06")
    box.slide(6)
    expect(page.get_by_text("Everybody was called")).to_be_visible()
    expect(page.locator(".missing b")).to_have_text("03 04 ")
    page.get_by_role("button", name="Call those who are missing").click()
    called(page, "03")
    expect(page.locator(".handed-in .big")).to_have_text("4 / 6")


@pytest.mark.timeout(200)
def test_a_number_of_nobody_says_so_and_changes_nothing(box: RunningBox, open_page: Callable[..., Page]) -> None:
    page = open_page()
    page.goto(box.url)
    called(page, "01")
    page.locator("input[data-digits]").fill("44")
    with page.expect_navigation():
        page.get_by_role("button", name="Go to number").click()
    expect(page.get_by_text("Nobody in class 3-1 sits at 44.")).to_be_visible()
    page.goto(box.url)
    called(page, "01")


@pytest.mark.timeout(200)
def test_a_killed_box_calls_the_right_number_again(box: RunningBox, open_page: Callable[..., Page], shot: Shot) -> None:
    """D-B6"""
    page = open_page(locale="zh-CN", phone=True)
    page.goto(box.url)
    box.slide(1)
    called(page, "02")
    page.get_by_role("button", name="没来，跳过").tap()
    called(page, "03")
    box.slide(3)
    called(page, "04")
    box.kill()
    expect(page.locator("#offline")).to_be_visible()
    box.slide(4)
    box.start()
    called(page, "05")
    expect(page.locator(".handed-in .big")).to_have_text("3 / 6")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    small = page.evaluate(
        "[...document.querySelectorAll('.calling button, .calling input')]"
        ".filter((e) => e.getBoundingClientRect().height < 44).length"
    )
    assert small == 0
    top = page.locator(".calling").bounding_box()
    assert top is not None
    assert top["y"] < 300, "the number stands above the sheet"
    shot(page, "call-phone-zh")


@pytest.mark.timeout(200)
def test_the_same_sheet_twice_is_asked_and_the_called_pupil_is_one_tap_away(
    box: RunningBox, open_page: Callable[..., Page], shot: Shot
) -> None:
    page = open_page(locale="zh-CN")
    page.goto(box.url)
    box.slide(1)
    called(page, "02")
    again = box.scans.parent / "again.jpg"
    scan = cv2.imread(str(box.made / "scans" / "01.jpg"))
    cv2.imwrite(str(again), np.asarray(scan), [cv2.IMWRITE_JPEG_QUALITY, 80])
    box.slide_file(again)
    expect(page.get_by_text("和前一张一样")).to_be_visible()
    called(page, "02")
    shot(page, "call-twice-zh")
    page.get_by_role("button", name="放了两次：撤回").click()
    expect(page.get_by_role("button", name="恢复")).to_be_visible()
    called(page, "02")
    page.get_by_role("button", name="恢复").click()
    page.get_by_role("button", name="2号 学生02").click()
    called(page, "03")


@pytest.mark.timeout(200)
def test_the_screen_for_the_class_shows_the_number_and_no_name(
    box: RunningBox, open_page: Callable[..., Page], shot: Shot
) -> None:
    page = open_page(locale="zh-CN")
    page.goto(f"{box.url}?screen=class")
    expect(page.locator(".next-count")).to_have_text("01")
    box.slide(1)
    expect(page.locator(".next-count")).to_have_text("02")
    assert "学生" not in page.locator("main").inner_text()
    assert page.locator(".calling").count() == 0
    shot(page, "call-class-zh")


@pytest.mark.timeout(200)
def test_two_sides_are_called_one_after_the_other_and_a_missing_back_shows(
    start_box: Callable[..., RunningBox], two_sided: Path, open_page: Callable[..., Page], shot: Shot
) -> None:
    box = start_box(two_sided)
    page = open_page(locale="zh-CN")
    page.goto(box.url)
    called(page, "01")
    expect(page.locator(".calling-name")).to_contain_text("第 1 页")
    box.slide(1)
    expect(page.locator(".calling-name")).to_contain_text("第 2 页")
    called(page, "01")
    expect(page.get_by_text("如果先放完所有正面：2号")).to_be_visible()
    shot(page, "call-two-sides-zh")
    box.slide(2)
    called(page, "02")
    box.slide(3)
    expect(page.locator(".calling-name")).to_contain_text("第 2 页")
    box.slide(5)
    expect(page.get_by_text("叫的不是这一页")).to_be_visible()
    called(page, "02")
    shot(page, "call-missing-back-zh")
    page.get_by_role("button", name="3号 学生03").click()
    called(page, "03")
    expect(page.locator(".calling-name")).to_contain_text("第 2 页")
    box.slide(6)
    expect(page.get_by_text("已全部叫完")).to_be_visible()
    expect(page.get_by_text("缺第 2 页")).to_be_visible()
