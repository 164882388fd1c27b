"""The class summary and its settings in a real browser, on a running box with scanned sheets."""

import csv
import io
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.request import urlopen

import numpy as np
import pypdfium2
import pypdfium2.raw as pdfium
import pytest
from openpyxl import load_workbook
from playwright.sync_api import Page, expect

from benchmarks._box import RunningBox
from homework.roster import parse_roster
from tests.forked import start_forked

PUPILS, SLID = 12, 10
LEAST_PT = 9.0
TARGETS = "main a.button, button, summary, input, select, .plain a, .groups a"
SMALL_TARGETS = """targets => [...document.querySelectorAll(targets)]
    .filter(e => e.offsetParent && e.type != "radio" && e.getBoundingClientRect().height < 43.5)
    .map(e => e.outerHTML.slice(0, 80))"""


@pytest.fixture(scope="module")
def made(make_scans: Callable[..., Path]) -> Path:
    return make_scans("--pupils", str(PUPILS), "--seed", "4")


def graded(running: RunningBox) -> RunningBox:
    """Lays ten of twelve sheets under a box, and waits until it has graded them."""
    running.slide(*range(1, SLID + 1))
    deadline = time.monotonic() + 60
    while f"12 pupils, {SLID} handed in" not in urlopen(f"{running.url}summary?language=en").read().decode():
        assert time.monotonic() < deadline, running.errors()
        time.sleep(0.3)
    return running


@pytest.fixture(scope="module")
def box(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBox]:
    """A box for those who only look at it."""
    running = RunningBox(tmp_path_factory.mktemp("summary"), made, starting=start_forked)
    yield graded(running)
    running.stop()


def fits(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


def test_a_teacher_finds_the_class_opens_an_item_by_keyboard_and_sees_what_was_written(
    box: RunningBox, page: Page, shot: Callable[[Page, str], None]
) -> None:
    page.goto(box.url)
    page.get_by_text("Menu", exact=True).click()
    page.get_by_role("link", name="Class summary").click()
    expect(page.locator("h1")).to_contain_text(f"12 pupils, {SLID} handed in, mean ")
    expect(page.locator(".missing .chips li")).to_have_text(["11 学生11", "12 学生12"])
    item = page.locator("details.item").filter(has=page.locator(".crop")).first
    assert page.locator("img[src*='/fields/']").count() == 0, "crops are fetched before anybody asks for them"
    item.locator("> summary").focus()
    page.keyboard.press("Enter")
    picture = item.locator(".crop img").first
    expect(picture).to_be_visible()
    page.wait_for_function("image => image.complete && image.naturalWidth > 50", arg=picture.element_handle())
    shot(page, "summary")
    item.locator(".crop").first.click()
    expect(page).to_have_url(re.compile(r"/sheets/\d+$"))


def test_the_text_for_the_parents_is_copied_without_any_permission(
    box: RunningBox, open_page: Callable[..., Page]
) -> None:
    page = open_page(locale="zh-CN")
    page.add_init_script("delete Navigator.prototype.clipboard")  # as on plain http
    page.goto(f"{box.url}summary")
    page.locator("#words").get_by_role("button", name="复制").first.click()
    expect(page.get_by_text("已复制。")).to_be_visible()
    text = page.locator("#report-text").input_value()
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<textarea id=\"paste\"></textarea>')")
    page.locator("#paste").focus()
    page.keyboard.press("Control+V")
    assert page.locator("#paste").input_value() == text
    assert "未交：11，12 号" in text
    assert not any(pupil.name in text for pupil in parse_roster((box.made / "roster.csv").read_bytes()).pupils)


def test_the_files_hold_the_class(box: RunningBox, page: Page) -> None:
    page.goto(f"{box.url}summary?language=zh-CN")
    as_csv, as_xlsx = page.get_by_role("link", name="CSV"), page.get_by_role("link", name="Excel 表格")
    answer = page.request.get(str(as_csv.evaluate("link => link.href")))
    assert answer.headers["content-disposition"].startswith("attachment")
    rows = list(csv.reader(io.StringIO(answer.body().decode("utf-8-sig"))))
    assert answer.body().startswith(b"\xef\xbb\xbf")
    assert [row[2] for row in rows[1:]] == ["已交"] * SLID + ["未交"] * 2
    with page.expect_download() as started:
        as_xlsx.click()
    assert started.value.suggested_filename == "3-1 第三单元 练习.xlsx"
    book = load_workbook(io.BytesIO(started.value.path().read_bytes()))
    assert [row[1] for row in book["每人情况"].iter_rows(min_row=2, values_only=True)] == [row[1] for row in rows[1:]]


def test_wrong_settings_are_told_at_the_field_and_grades_replace_points(
    start_box: Callable[..., RunningBox], made: Path, open_page: Callable[..., Page], shot: Callable[[Page, str], None]
) -> None:
    box = graded(start_box(made))
    page = open_page(locale="zh-CN", phone=True)
    page.goto(f"{box.url}settings")
    page.get_by_label("“良”从").fill("95")
    page.get_by_label("再讲线").fill("很低")
    page.get_by_role("button", name="保存").click()
    expect(page.locator("#grade_good-problem")).to_contain_text("请填小于 90 的数")
    expect(page.locator("#reteach-problem")).to_contain_text("请写 1 至 99 的整数")
    expect(page.get_by_label("再讲线")).to_have_value("很低")
    assert fits(page)
    shot(page, "settings-refused-phone")
    page.get_by_label("“良”从").fill("80")
    page.get_by_label("再讲线").fill("９９")
    page.get_by_label("等第：优、良、合格、待合格").check()
    page.get_by_role("button", name="保存").click()
    expect(page.get_by_role("status")).to_contain_text("已保存")
    page.get_by_role("status").get_by_role("link").click()
    expect(page.locator("h1")).to_contain_text(re.compile(r"优 \d+，良 \d+，合格 \d+，待合格 \d+"))
    expect(page.locator("h1")).not_to_contain_text("平均")
    assert not re.search(r"\d+ / \d+", page.locator("table.pupils").inner_text())
    assert page.locator(".line-mark").first.get_attribute("x1") == "99%"


def test_the_classroom_screen_shows_no_name_no_score_and_no_handwriting(box: RunningBox, page: Page) -> None:
    page.goto(f"{box.url}summary?screen=class&language=zh-CN")
    expect(page.locator("h1")).to_have_text(f"已交 {SLID} 份")
    expect(page.locator("details.item")).to_have_count(5)
    text = page.locator("body").inner_text()
    assert "学生" not in text
    assert "平均" not in text
    assert page.locator("img").count() == 0


def test_nothing_sticks_out_on_a_phone_or_a_desk_in_either_language(
    box: RunningBox, open_page: Callable[..., Page], shot: Callable[[Page, str], None]
) -> None:
    for phone in (True, False):
        for locale in ("zh-CN", "en"):
            page = open_page(locale=locale, phone=phone)
            for address in ("summary", "summary?screen=class", "settings"):
                page.goto(box.url + address)
                page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
                page.wait_for_load_state("networkidle")
                assert fits(page), (address, locale, phone)
                small = page.evaluate(SMALL_TARGETS, TARGETS)
                assert small == []
                shot(page, f"{address.replace('?screen=', '-')}-{locale}-{'phone' if phone else 'desk'}")


def test_it_prints_on_a4_in_black_and_white_and_nothing_is_too_small_to_read(
    box: RunningBox, open_page: Callable[..., Page]
) -> None:
    page = open_page(locale="zh-CN", dark=True)
    page.goto(f"{box.url}summary")
    printed = pypdfium2.PdfDocument(page.pdf(format="A4", print_background=False))
    assert 1 <= len(printed) <= 3
    text = ""
    for sheet in printed:
        assert sheet.get_size() == pytest.approx((595, 842), abs=2)
        words = sheet.get_textpage()
        text += words.get_text_range()
        sizes = [
            pdfium.FPDFText_GetFontSize(words.raw, n)
            for n in range(words.count_chars())
            if chr(pdfium.FPDFText_GetUnicode(words.raw, n)).strip()
        ]
        assert min(sizes) >= LEAST_PT - 0.01
        pixels = sheet.render(scale=1).to_numpy().astype(int)
        assert np.abs(pixels.max(axis=2) - pixels.min(axis=2)).max() <= 16, "something is printed in colour"
    assert "学生12" in text
    assert "每人情况" in text
    assert "复制文字" not in text


def test_where_every_sheet_is_names_what_is_missing(
    box: RunningBox, page: Page, open_page: Callable[..., Page], shot: Callable[[Page, str], None]
) -> None:
    page.goto(box.url + "summary")
    page.get_by_role("link", name="Where every sheet is").click()
    expect(page.locator(".account div").first).to_contain_text("12")
    expect(page.get_by_role("heading", name="Not handed in")).to_contain_text("2")
    expect(page.locator("main .chips li")).to_have_text(["11", "12"])
    expect(page.locator(".account")).to_contain_text(f"count in the report{SLID}")
    shot(page, "account-en-desk")
    phone = open_page(locale="zh-CN", phone=True)
    phone.goto(box.url + "account")
    expect(phone.get_by_role("heading", name="每份作业在哪里")).to_be_visible()
    assert fits(phone)
    shot(phone, "account-zh-phone")
