"""A teacher's first morning: an empty box, a class list pasted, homework typed, printed, filled in, slid and graded."""

from collections.abc import Callable
from pathlib import Path

import cv2
import pytest
from playwright.sync_api import Page, expect

from benchmarks._box import RunningBox
from edge.documents import Documents
from homework.answers import check_answer
from models.simulation.paper import PrintedPages, written_page
from models.simulation.pupil import FieldTruth, FilledPage, Habits, fill_class

Shot = Callable[[Page, str], None]
CLASS = "班级\t座号\t姓名\n" + "\n".join(f"3-1\t{seat}\t学生{seat:02}" for seat in range(1, 7))
LINES = """一、口算（每题 2 分）
23×4=    12×4=    30÷5=
17÷2=
二、判断
3 是奇数 (√)
三、选择
最大的是 ( C )  A. 3  B. 4  C. 5
四、比较
3 ○ 5
"""


def fill_in(pdf: bytes, box: RunningBox, folder: Path) -> list[FilledPage]:
    """The class fills in copies of the printed master and hands them to the scanner."""
    documents = Documents(box.data)
    (assignment,), (layout,) = documents.assignments(), documents.layouts()
    filled = fill_class(assignment, layout, documents.roster(), class_name="3-1", seed=5, habits=Habits.tidy())
    paper = PrintedPages(pdf, dpi=150)
    try:
        for page in filled:
            path = folder / f"seat-{page.pupil.seat:02}.jpg"
            cv2.imwrite(str(path), written_page(paper.page(page.page), page.strokes, paper.px_per_mm))
    finally:
        paper.close()
    return filled


def is_right(box: RunningBox, field: FieldTruth) -> bool:
    """Whether a pupil truly wrote what is right."""
    (assignment,) = Documents(box.data).assignments()
    item = assignment.item(field.item)
    assert item is not None
    assert field.text is not None
    return check_answer(item.rule, field.blank, field.text)


@pytest.mark.timeout(300)
def test_from_an_empty_box_to_a_graded_class(
    start_box: Callable[..., RunningBox], page: Page, shot: Shot, tmp_path: Path
) -> None:
    box = start_box(tmp_path, load=False)
    page.goto(box.url)
    page.get_by_role("link", name="Set up: class list, homework, print").click()
    expect(page.locator(".first-steps .done")).to_have_count(0)

    page.get_by_role("link", name="Paste the class list").click()
    page.get_by_label("The list", exact=True).fill(CLASS)
    page.get_by_role("button", name="Look at it").click()
    expect(page.locator("tbody tr")).to_have_count(6)
    shot(page, "first-class")
    page.get_by_role("button", name="Yes, keep the list").click()
    expect(page.get_by_role("status")).to_contain_text("3-1: the list is kept.")

    page.get_by_role("link", name="On to the homework").click()
    page.get_by_role("link", name="New homework").click()
    page.get_by_label("Name of this homework").fill("第三单元 口算")
    page.get_by_label("School grade").select_option("3")
    page.get_by_label("One question on each line").fill(LINES)
    page.get_by_role("button", name="Read these questions").click()
    expect(page.locator(".items > li")).to_have_count(7)
    assert [field.input_value() for field in page.locator("input[name^=answer-]").all()] == [
        *("92", "48", "6", "8……1", "√", "C", "<"),
    ]
    page.get_by_role("button", name="Preview").click()
    picture = page.get_by_role("img", name="Page 1 of the worksheet")
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.naturalWidth") > 600
    shot(page, "first-preview")
    page.get_by_role("button", name="Keep and print").click()
    expect(page.get_by_role("status")).to_contain_text("Its sheets are known from now on.")
    with page.expect_download() as download:
        page.get_by_role("button", name="Worksheets as PDF").click()
    assert download.value.suggested_filename == "第三单元 口算.pdf"
    pdf = download.value.path().read_bytes()
    shot(page, "first-print")

    filled = fill_in(pdf, box, tmp_path)
    for sheet in filled:
        box.slide_file(tmp_path / f"seat-{sheet.pupil.seat:02}.jpg")
    page.goto(box.url)
    expect(page.locator(".handed-in .big")).to_have_text("6 / 6")
    expect(page.locator("#title")).to_contain_text("3-1 · 第三单元 口算")
    ticked = []
    for number, sheet in enumerate(filled, 1):
        page.goto(f"{box.url}sheets/{number}")
        expect(page.get_by_text(sheet.pupil.name).first).to_be_visible()
        expect(page.locator(".sheet use.mark")).to_have_count(7)
        right = sum(is_right(box, field) for field in sheet.truth.fields)
        ticks, asked = page.locator(".sheet use.correct").count(), page.locator(".sheet use.review").count()
        assert ticks <= right <= ticks + asked
        if page.locator(".sheet use.mark").first.get_attribute("class") == "mark correct":
            ticked.append(number)

    # The key was wrong after all: another answer is typed, and what was ticked is crossed.
    page.goto(f"{box.url}homework")
    page.get_by_role("link", name="Change").click()
    page.locator("input[name=answer-1]").fill("93")
    page.get_by_role("button", name="Keep").click()
    expect(page.get_by_role("status")).to_contain_text("Sheets that were printed stay right")
    assert ticked
    for _ in range(60):
        page.goto(f"{box.url}sheets/{ticked[0]}")
        if page.locator(".sheet use.mark").first.get_attribute("class") == "mark wrong":
            break
        page.wait_for_timeout(500)
    expect(page.locator(".sheet use.mark").first).to_have_class("mark wrong")
    page.goto(f"{box.url}start")
    expect(page.locator(".first-steps .done")).to_have_count(3)


@pytest.mark.timeout(120)
def test_the_same_on_a_phone_in_chinese_without_sideways_scrolling_and_without_scripts(
    start_box: Callable[..., RunningBox], open_page: Callable[..., Page], shot: Shot, tmp_path: Path
) -> None:
    box = start_box(tmp_path, load=False)
    page = open_page(locale="zh-CN", phone=True)
    page.route("**/*.js*", lambda route: route.abort())

    def fits(name: str) -> None:
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, name
        shot(page, f"first-phone-{name}")

    page.goto(f"{box.url}classes")
    page.get_by_label("班级（名单里没有时填写）").fill("三年级1班")
    page.locator("textarea[name=list]").fill("王小明\n李华\n张三")
    page.get_by_role("button", name="看一看").click()
    expect(page.get_by_text("名单里没有座号，已按顺序编号。")).to_be_visible()
    fits("class")
    page.get_by_role("button", name="对，保存名单").click()
    page.get_by_role("link", name="修改").click()
    page.get_by_label("姓名").nth(3).fill("新同学甲")
    page.get_by_label("座号").nth(3).fill("4")
    page.get_by_role("button", name="保存").click()
    expect(page.locator(".pupils li")).to_have_count(7)
    fits("one")
    page.goto(f"{box.url}homework/new")
    page.get_by_label("作业名称").fill("口算")
    page.get_by_label("一行一题").fill("23×4=91\n长方形有 ____ 条边")
    page.get_by_role("button", name="识别题目").click()
    expect(page.get_by_text("算得 92，请核对")).to_be_visible()
    fits("questions")
    page.get_by_role("button", name="预览").click()
    expect(page.get_by_role("alert")).to_contain_text("第 2 题没有答案")
    page.locator("input[name=answer-1]").fill("92")
    page.locator("input[name=answer-2]").fill("4")
    page.get_by_role("button", name="保存并打印").click()
    expect(page.get_by_role("status")).to_contain_text("已保存")
    fits("print")
    page.goto(f"{box.url}start")
    fits("start")
