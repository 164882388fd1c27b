"""Doubts settled in a real browser, group by group, with a thumb or with keys; the second pass; what was changed."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from benchmarks._box import RunningBox as Box
from benchmarks._box import run_classbox
from tests.browser.doubts import make_doubts


@pytest.fixture(scope="module")
def doubtful_class(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six pupils: four wrote 92 and one 97 with something beside it, one marked two bubbles, two gave reasons."""
    out = tmp_path_factory.mktemp("doubts") / "made"
    make_doubts(out)
    return out


@pytest.fixture
def box(start_box: Callable[..., Box], doubtful_class: Path) -> Box:
    return start_box(doubtful_class)


def slide_all(box: Box, page: Page) -> None:
    box.slide(1, 2, 3, 4, 5, 6)
    page.goto(box.url)
    expect(page.locator(".handed-in .big")).to_have_text(re.compile("6 / 6"))


def to_group(page: Page, box: Box, reads: str) -> None:
    """Open the group of a reading, wherever it stands in the order."""
    page.goto(box.url + "review")
    if page.locator(".group h1 .reads").count() == 0 or page.locator(".group h1 .reads").inner_text() != reads:
        page.locator(".others a", has_text=reads).click()
    expect(page.locator(".group h1 .reads")).to_have_text(reads)


def counts(box: Box) -> dict[str, int]:
    found: dict[str, int] = json.loads(run_classbox("status", "--json", "--config", box.config))
    return found


def test_a_group_is_confirmed_with_one_tap_and_taken_back_with_another(
    box: Box, page: Page, shot: Callable[..., None]
) -> None:
    slide_all(box, page)
    to_group(page, box, "92")
    expect(page.locator(".one")).to_have_count(4)
    for crop in page.locator(".one img").all():
        expect(crop).to_have_js_property("complete", value=True)
        assert crop.evaluate("image => image.naturalWidth") > 50
    shot(page, "review-group")
    page.get_by_role("button", name="It says 92").click()
    expect(page.locator(".progress .done")).to_contain_text("4 read as 92")
    expect(page.locator(".progress .left")).to_have_text("3 groups left, 4 answers")
    assert counts(box)["review"] == 4
    page.locator(".progress").get_by_role("button", name="Undo").click()
    expect(page.locator(".progress .left")).to_have_text("4 groups left, 8 answers")
    assert counts(box)["review"] == 8


def test_one_is_lifted_out_another_dragged_out_and_a_third_typed(box: Box, page: Page) -> None:
    slide_all(box, page)
    to_group(page, box, "92")
    first, second, third = (page.locator(".one").nth(n) for n in range(3))
    first.locator("img").click()
    expect(page.locator("[data-count]")).to_have_text("3")
    second.drag_to(page.locator(".progress"))
    expect(page.locator("[data-count]")).to_have_text("2")
    third.locator("input[name^='text:']").fill("94")
    expect(page.locator("[data-count]")).to_have_text("1")
    page.get_by_role("button", name="It says 92").click()
    expect(page.locator(".progress .done")).to_contain_text("2 answers")
    to_group(page, box, "92")
    expect(page.locator(".one")).to_have_count(2)


def test_a_candidate_is_one_tap_and_two_marks_have_all_their_letters(box: Box, page: Page) -> None:
    slide_all(box, page)
    to_group(page, box, "AB")
    expect(page.locator(".says-it")).to_have_text(["A", "B", "C", "D"])
    page.get_by_role("button", name="B", exact=True).click()
    expect(page.locator(".progress .done")).to_contain_text("Item 3: 1 read as B")
    page.goto(box.url + "sheets/5")
    expect(page.locator("#item-2 .item-score")).to_contain_text("✓")


def test_open_items_are_rated_with_half_points_a_stamp_and_a_comment(box: Box, page: Page) -> None:
    slide_all(box, page)
    page.goto(box.url + "review")
    page.locator(".others a", has_text="how many points?").click()
    crops = page.locator(".one")
    expect(crops).to_have_count(2)
    crops.nth(0).locator(".points label", has_text=re.compile(r"^2\.5$")).click()
    crops.nth(0).locator("select").select_option("excellent")
    crops.nth(0).locator("input[name^='comment']").fill("clear and short")
    crops.nth(1).locator(".points label", has_text=re.compile(r"^3$")).click()
    page.get_by_role("button", name="Keep the points").click()
    expect(page.locator(".progress .left")).to_have_text("3 groups left, 6 answers")
    page.goto(box.url + "sheets/1")
    row = page.locator("#item-3")
    expect(row).to_contain_text("2.5")
    expect(row).to_contain_text("excellent")
    expect(row).to_contain_text("clear and short")


def test_with_keys_alone_everything_is_settled(box: Box, page: Page) -> None:
    slide_all(box, page)
    page.goto(box.url + "review")
    left = page.locator(".progress .left")
    for groups in (4, 3, 2):
        expect(left).to_contain_text(f"{groups} groups left")
        expect(page.locator(".one").first).to_be_focused()
        page.keyboard.press("Enter")
    expect(page.locator(".group")).to_have_attribute("data-question", "points")
    page.keyboard.press("u")
    expect(left).to_contain_text("2 groups left")
    page.keyboard.press("Space")
    page.keyboard.press("9")
    page.keyboard.type("3")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    expect(page.locator(".progress .done")).to_contain_text("✓")
    while page.locator(".group").get_attribute("data-question") != "points":
        before = left.inner_text()
        page.keyboard.press("Enter")
        expect(left).not_to_have_text(before)
    for key in ("2", ".", "ArrowRight", "3", "Enter"):
        page.keyboard.press(key)
    expect(page.get_by_text("Everything was read. Nothing waits for you.")).to_be_visible()
    assert counts(box)["review"] == 0


def test_what_another_tab_answers_vanishes_and_sheets_still_come_in(box: Box, page: Page) -> None:
    box.slide(1, 2, 3)
    page.goto(box.url)
    expect(page.locator(".handed-in .big")).to_have_text(re.compile("3 / 6"))
    to_group(page, box, "92")
    expect(page.locator(".one")).to_have_count(3)
    page.locator(".one").nth(1).locator("img").click()
    box.slide(4)
    expect(page.locator(".one")).to_have_count(4)
    expect(page.locator("[data-count]")).to_have_text("3")
    other = page.context.new_page()
    to_group(other, box, "92")
    other.get_by_role("button", name="It says 92").click()
    expect(other.locator(".progress .done")).to_contain_text("4 read as 92")
    expect(page.locator(".group")).to_have_attribute("data-question", "points")


def test_an_answer_to_what_was_answered_elsewhere_overwrites_nothing(box: Box, page: Page) -> None:
    slide_all(box, page)
    to_group(page, box, "97")
    stale = page.evaluate("new URLSearchParams(new FormData(document.querySelector('form.group'))).toString()")
    page.locator(".one input[name^='text:']").fill("91")
    page.get_by_role("button", name="It says 97").click()
    expect(page.locator(".progress .done")).to_contain_text("read as 91")
    answer = page.request.post(
        box.url + "review",
        data=stale + "&do=say",
        headers={"Content-Type": "application/x-www-form-urlencoded", "Accept-Language": "en"},
    )
    assert "1 were answered elsewhere meanwhile" in answer.text()


def test_a_tap_on_a_mark_turns_it_in_all_tabs_and_the_undo_is_beside_it(
    box: Box, page: Page, shot: Callable[..., None]
) -> None:
    slide_all(box, page)
    live = page.context.new_page()
    live.goto(box.url)
    page.goto(box.url + "sheets/6")
    for sign, kind in (("✗", "wrong"), ("✓", "correct"), ("✗", "wrong")):
        page.locator("[data-tap][data-place='1']").click()
        expect(page.locator("#item-1 .item-score")).to_contain_text(sign)
        expect(live.locator("[data-tap][data-place='1'] use")).to_have_class(re.compile(kind))
    expect(page.locator(".toast")).to_contain_text("Item 2: ✓ → ✗")
    shot(page, "second-pass")
    page.locator(".toast button").click()
    expect(page.locator("#item-1 .item-score")).to_contain_text("✓")
    page.locator("[data-tap][data-place='0']").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#item-0 .item-score")).to_contain_text("✓")
    live.locator("[data-tap][data-place='0']").click()
    expect(live.locator("[data-tap][data-place='0'] use")).to_have_class(re.compile("wrong"))


def test_the_list_of_changes_says_who_and_what_and_takes_back(box: Box, page: Page, shot: Callable[..., None]) -> None:
    slide_all(box, page)
    to_group(page, box, "92")
    page.get_by_role("button", name="It says 92").click()
    expect(page.locator(".progress .done")).to_contain_text("✓")
    page.goto(box.url + "sheets/1")
    page.locator("#item-0").get_by_role("button", name="wrong").click()
    expect(page.locator(".last-said")).to_contain_text("Item 1: ✓ → ✗")
    page.goto(box.url + "audit")
    lines = page.locator(".changes li")
    expect(lines).to_have_count(2)
    expect(lines.nth(1)).to_contain_text("teacher")
    expect(lines.nth(1)).to_contain_text("No. 4")
    shot(page, "audit")
    lines.nth(1).get_by_role("button").click()
    expect(page.get_by_text("This cannot be undone any more: something of it was changed since.")).to_be_visible()
    page.goto(box.url + "audit?sheet=1")
    page.locator(".changes li").nth(0).get_by_role("button").click()
    page.locator(".changes li").nth(2).get_by_role("button").click()
    expect(page.locator(".changes li.undone")).to_have_count(2)
    assert counts(box)["review"] == 8


def test_a_changed_key_shows_on_the_page_within_two_seconds(box: Box, page: Page) -> None:
    slide_all(box, page)
    page.goto(box.url)
    expect(page.locator("[data-tap][data-place='1'] use")).to_have_class(re.compile("correct"))
    sheets = box.made / "sheets"
    toml = (sheets / "assignment.toml").read_text(encoding="utf-8")
    other = box.scans.parent / "other"
    other.mkdir()
    (other / "layout.json").write_bytes((sheets / "layout.json").read_bytes())
    for answer, kind in (("49", "wrong"), ("48", "correct")):
        (other / "assignment.toml").write_text(toml.replace('"48"', f'"{answer}"'), encoding="utf-8")
        run_classbox("load", other, "--data", box.data)
        start = time.monotonic()
        expect(page.locator("[data-tap][data-place='1'] use")).to_have_class(re.compile(kind))
        assert time.monotonic() - start < 2


def test_on_a_phone_in_chinese_nothing_is_cut_off_and_everything_can_be_hit(
    box: Box, open_page: Callable[..., Page], shot: Callable[..., None]
) -> None:
    phone = open_page(locale="zh-CN", phone=True)
    slide_all(box, phone)
    for address in ("review", "sheets/1?item=0", "audit"):
        phone.goto(box.url + address)
        assert phone.evaluate("document.documentElement.scrollWidth") <= 390, address
        for target in phone.locator("main button:visible:not(.visually-hidden)").all():
            found = target.bounding_box()
            assert found is not None
            assert found["height"] >= 44, (address, target.inner_text())
        shot(phone, f"phone-{address.split('/')[0]}")
    to_group(phone, box, "97")
    for key in ("9", "1"):
        phone.locator(".keys").get_by_role("button", name=key, exact=True).tap()
    expect(phone.locator(".one input[name^='text:']")).to_have_value("91")
    phone.locator(".answer .main").tap()
    expect(phone.locator(".progress .done")).to_contain_text("读作 91")


def test_without_scripts_every_answer_still_works(box: Box, page: Page) -> None:
    slide_all(box, page)
    context = page.context.browser.new_context(java_script_enabled=False, locale="en")  # type: ignore[union-attr]
    plain = context.new_page()
    to_group(plain, box, "92")
    plain.locator(".lift input").nth(0).uncheck(force=True)
    plain.get_by_role("button", name="It says 92").click()
    expect(plain.locator(".progress .done")).to_contain_text("3 read as 92")
    plain.get_by_role("button", name="Undo").click()
    expect(plain.locator(".progress .done")).to_contain_text("Undone:")
    plain.goto(box.url + "sheets/6")
    plain.locator("#item-1").get_by_role("button", name="wrong").click()
    expect(plain.locator("#item-1 .item-score")).to_contain_text("✗")
    plain.get_by_role("button", name="Undo this change").click()
    expect(plain.locator("#item-1 .item-score")).to_contain_text("✓")
    context.close()
