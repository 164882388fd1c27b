"""The class by seat on the live page: who is missing, excused, exempt or late, by one tap; tests; old browsers."""

import re
import signal
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

from benchmarks._box import RunningBox, run_classbox
from benchmarks._red_pen import RedPen
from homework.assignment import parse_assignment
from homework.layout import layout_from_json
from homework.roster import roster_to_csv
from models.simulation.classroom import made_up_roster
from models.simulation.paper import PrintedPages, written_page
from models.simulation.pupil import Habits, fill_class
from sync.clock import ClockQuality, ClockReading

Shot = Callable[[Page, str], None]
ITEMS = '[[item]]\nkind = "number"\nprompt = "23 × 4 ="\nanswer = "92"\n' * 3


def made_class(out: Path, *, head: str = "", pupils: int = 3, pages: int = 1) -> Path:
    """Printed personal sheets of a class, filled in: scans/NN.jpg are the pages in their order."""
    items = ITEMS if pages == 1 else ITEMS * 12
    text = f'[assignment]\nid = "seats"\ntitle = "第三单元"\ngrade = 3\npupil_id = "printed"\n{head}\n{items}'
    (out / "made.toml").write_text(text, encoding="utf-8")
    roster = made_up_roster(pupils)
    (out / "roster.csv").write_text(roster_to_csv(roster), encoding="utf-8")
    run_classbox("print", out / "made.toml", "--roster", out / "roster.csv", "-o", out / "sheets")
    assignment = parse_assignment((out / "sheets" / "assignment.toml").read_text(encoding="utf-8"))
    layout = layout_from_json((out / "sheets" / "layout.json").read_bytes())
    assert len(layout.pages) == pages
    paper = PrintedPages((out / "sheets" / "worksheets.pdf").read_bytes(), dpi=150)
    (out / "scans").mkdir()
    filled = fill_class(assignment, layout, roster, class_name="3-1", seed=1, habits=Habits.tidy())
    for number, page in enumerate(filled, start=1):
        scan = written_page(paper.page(number), page.strokes, paper.px_per_mm)
        cv2.imwrite(str(out / "scans" / f"{number:02}.jpg"), scan)
        # The first pupil's paper, photocopied, with this pupil's ink on it.
        copied = written_page(paper.page(page.page), page.strokes, paper.px_per_mm)
        cv2.imwrite(str(out / "scans" / f"{100 + number}.jpg"), copied)
    paper.close()
    return out


def seat(page: Page, number: int) -> Locator:
    return page.locator(f'[data-focus="seat-{number}"]')


def in_state(page: Page, number: int, state: str) -> None:
    item = page.locator(f'.seats li:has([data-focus="seat-{number}"])')
    expect(item).to_have_class(re.compile(rf"\b{state}\b"))


def test_a_tap_on_an_empty_seat_goes_from_missing_to_excused_to_exempt_and_back(
    box: RunningBox, page: Page, shot: Shot
) -> None:
    other = page.context.new_page()
    page.goto(box.url)
    other.goto(box.url)
    box.slide(1, 2)
    expect(page.locator(".handed-in .big")).to_have_text("2 / 6")
    seat(page, 4).click()
    in_state(page, 4, "excused")
    in_state(other, 4, "excused")
    expect(page.locator(".handed-in .big")).to_have_text("2 / 5")
    expect(page.locator(".missing b")).to_have_text(re.compile(r"03 05 06\s*"))
    expect(page.locator(".away")).to_contain_text(re.compile(r"excused 1:\s*04"))
    shot(page, "live-excused")
    seat(page, 4).click()
    in_state(page, 4, "exempt")
    expect(page.locator(".away")).to_contain_text(re.compile(r"exempt 1:\s*04"))
    seat(page, 4).click()
    in_state(page, 4, "missing")
    expect(page.locator(".handed-in .big")).to_have_text("2 / 6")
    expect(page.locator(".away")).to_have_count(0)


def test_seats_are_tapped_by_keyboard_and_the_focus_stays(box: RunningBox, page: Page) -> None:
    page.goto(box.url)
    seat(page, 3).focus()
    page.keyboard.press("Enter")
    in_state(page, 3, "excused")
    assert page.evaluate("document.activeElement.getAttribute('data-focus')") == "seat-3"
    page.keyboard.press("Space")
    in_state(page, 3, "exempt")


def test_a_second_tap_in_another_tab_does_no_more_than_the_first(box: RunningBox, page: Page) -> None:
    page.goto(box.url)
    with page.context.new_page() as late:
        late.route("**/events*", lambda route: route.abort())
        late.goto(box.url)
        seat(page, 5).click()
        in_state(page, 5, "excused")
        seat(late, 5).click()
    time.sleep(0.5)
    in_state(page, 5, "excused")


def test_a_full_seat_shows_its_sheet_and_an_excused_pupil_s_sheet_is_late(box: RunningBox, page: Page) -> None:
    page.goto(box.url)
    seat(page, 2).click()
    in_state(page, 2, "excused")
    box.slide(2)
    expect(page.locator(".seats .is-late")).to_have_text("late")
    expect(page.locator(".away")).to_contain_text(re.compile(r"handed in late 1:\s*02"))
    box.slide(1)
    expect(page.locator(".person h1")).to_contain_text("No. 1")
    expect(page.locator(".handed-in .big")).to_have_text("2 / 6")
    seat(page, 2).click()
    expect(page).to_have_url(re.compile(r"/sheets/1$"))
    expect(page.locator(".person h1")).to_contain_text("No. 2")


def test_seats_work_without_a_script(box: RunningBox, open_page: Callable[..., Page]) -> None:
    page = open_page(script=False)
    page.goto(box.url)
    page.locator('[data-focus="seat-6"]').click()
    in_state(page, 6, "excused")
    expect(page.locator("noscript")).to_have_count(1)
    box.slide(1)
    expect(page.locator(".handed-in .big")).to_have_text("1 / 5")


def test_a_sheet_that_comes_after_the_pile_is_late_and_a_pile_that_is_slid_late_is_not(
    page: Page, start_box: Callable[..., RunningBox], tmp_path: Path
) -> None:
    box = start_box(made_class(tmp_path, head="due = 2026-01-05T08:00:00+08:00"))
    page.goto(box.url)
    box.slide(1, 2)
    expect(page.locator(".handed-in .big")).to_have_text("2 / 3")
    expect(page.locator(".away, .is-late, .person h1 .badge")).to_have_count(0)
    box.stop()
    # These two came on the day before it was due.
    clock = ClockReading(monotonic_ms=1, wall_ms=1_767_500_000_000, boot=bytes(16), quality=ClockQuality.SYNCED)
    with sqlite3.connect(box.data / "ledger.sqlite") as ledger:
        ledger.execute("UPDATE capture SET clock = ?", (msgspec.msgpack.encode(clock),))
    ledger.close()
    box.start()
    page.goto(box.url)
    box.slide(3)
    expect(page.locator(".away")).to_contain_text(re.compile(r"handed in late 1:\s*03"))
    expect(page.locator(".person h1 .badge")).to_have_text("late")


def test_it_is_told_which_pages_of_a_sheet_are_missing(
    page: Page, start_box: Callable[..., RunningBox], tmp_path: Path, shot: Shot
) -> None:
    box = start_box(made_class(tmp_path, pages=2))
    page.goto(box.url)
    box.slide(1, 3, 4, 6)
    expect(page.locator(".part-pages")).to_contain_text("01 without page 2")
    expect(page.locator(".part-pages")).to_contain_text("03 without page 1")
    expect(page.locator(".part-pages")).not_to_contain_text("02")
    shot(page, "live-missing-pages")


def test_other_ink_on_one_code_is_asked_and_nothing_is_lost_or_overwritten(
    page: Page, start_box: Callable[..., RunningBox], tmp_path: Path, shot: Shot
) -> None:
    """Somebody photocopied the first pupil's personal sheet: three hands on one code."""
    box = start_box(made_class(tmp_path))
    page.goto(box.url)
    box.slide(1)
    expect(page.locator(".person h1")).to_contain_text("No. 1")
    for number in (102, 103):
        box.slide(number)
        expect(page.get_by_role("heading", name="Whose sheet is this?")).to_be_visible()
        expect(page.locator(".person")).to_contain_text("It says No. 1, who has handed in another one.")
        expect(page.locator(".handed-in .big")).to_have_text(f"{number - 101} / 3")
        if number == 103:
            shot(page, "live-other-ink")
        page.locator(".person .choose select").select_option(f"S{number - 100:03}")
        page.get_by_role("button", name="It is this pupil's").click()
        expect(page.locator(".person h1")).to_contain_text(f"No. {number - 100}")
    expect(page.get_by_text("everybody has handed in")).to_be_visible()
    turned = cv2.rotate(cv2.imread(str(box.made / "scans" / "102.jpg")), cv2.ROTATE_180)
    cv2.imwrite(str(tmp_path / "again.jpg"), turned)
    box.slide_file(tmp_path / "again.jpg")
    expect(page.locator(".person")).to_contain_text("Whose sheet is this?")
    expect(page.locator(".handed-in .big")).to_have_text("3 / 3")


def test_a_test_shows_nothing_until_it_is_released(
    page: Page, start_box: Callable[..., RunningBox], tmp_path: Path, shot: Shot
) -> None:
    box = start_box(made_class(tmp_path, head='mode = "test"'))
    page.goto(box.url)
    page.locator("main").click(position={"x": 5, "y": 5})
    box.slide(1)
    expect(page.locator(".person h1")).to_contain_text("No. 1")
    expect(page.locator(".received")).to_contain_text("Received")
    expect(page.locator(".score, .tally, .mark, .sheet image, .differing")).to_have_count(0)
    expect(page.locator("body")).to_have_attribute("data-last-sound", "graded")
    shot(page, "live-test-held-back")
    page.goto(box.url + "sheets/1")
    expect(page.locator(".score, .tally, .mark")).to_have_count(0)
    page.goto(box.url)
    page.get_by_role("button", name="Show the results").click()
    expect(page.locator(".score")).to_be_visible()
    expect(page.locator(".mark")).to_have_count(3)
    box.stop()
    box.start()
    page.goto(box.url)
    expect(page.locator(".score")).to_be_visible()
    page.get_by_role("button", name="Hold the results back").click()
    expect(page.locator(".score, .mark")).to_have_count(0)


def five_pictures(box: RunningBox, tmp_path: Path) -> dict[str, Path]:
    """A picture for each outcome but `ask`: graded, the same again, no worksheet, and one that nobody loaded."""
    scans = box.made / "scans"
    turned = cv2.rotate(cv2.imread(str(scans / "01.jpg")), cv2.ROTATE_180)
    cv2.imwrite(str(tmp_path / "turned.jpg"), turned)
    cat = cv2.GaussianBlur(cv2.imread(str(scans / "01.jpg"))[500:900, 300:700], (0, 0), 25)
    cv2.imwrite(str(tmp_path / "cat.jpg"), cv2.resize(cat, (1200, 900)))
    other = tmp_path / "other"
    other.mkdir()
    made_class(other)
    return {
        "graded": scans / "01.jpg",
        "duplicate": tmp_path / "turned.jpg",
        "not-ours": tmp_path / "cat.jpg",
        "wrong": other / "scans" / "03.jpg",
        "ask": scans / "102.jpg",
    }


def test_every_outcome_has_a_sound_and_a_word_of_its_own(
    page: Page, start_box: Callable[..., RunningBox], tmp_path: Path
) -> None:
    (tmp_path / "own").mkdir()
    made = made_class(tmp_path / "own", head="due = 2036-01-05T08:00:00+08:00")
    player = tmp_path / "bin" / "aplay"
    player.parent.mkdir()
    player.write_text(f'#!/bin/sh\necho "$2" >> {tmp_path}/played.txt\n')
    player.chmod(0o755)
    box = start_box(made, more="[sound]\nspeaker = true\n", path=f"{player.parent}:/usr/bin:/bin")
    page.goto(box.url)
    page.locator("main").click(position={"x": 5, "y": 5})
    words = {
        "graded": "No. 1",
        "duplicate": "This sheet was here before. It counts once.",
        "not-ours": "This is no worksheet",
        "wrong": "This sheet was not graded",
        "ask": "Whose sheet is this?",
    }
    for tone, picture in five_pictures(box, tmp_path).items():
        box.slide_file(picture)
        expect(page.locator("body")).to_have_attribute("data-last-sound", tone)
        expect(page.locator(".person")).to_contain_text(words[tone])
    played = [Path(line).stem for line in (tmp_path / "played.txt").read_text().splitlines()]
    assert played == list(words)
    page.locator("#sound").click()
    page.reload()
    page.locator("main").click(position={"x": 5, "y": 5})
    expect(page.locator("#sound")).to_have_attribute("aria-pressed", "false")


def test_a_box_without_a_player_says_so_and_goes_on(
    page: Page, start_box: Callable[..., RunningBox], scanned_class: Path
) -> None:
    box = start_box(scanned_class, more="[sound]\nspeaker = true\n", path="/nonexistent")
    page.goto(box.url)
    box.slide(1, 2)
    expect(page.locator(".handed-in .big")).to_have_text("2 / 6")
    expect(page.get_by_role("alert")).to_have_count(1)
    expect(page.get_by_role("alert")).to_contain_text("alsa-utils")


def test_the_class_screen_says_only_how_many_and_next(box: RunningBox, page: Page, shot: Shot) -> None:
    teacher = page.context.new_page()
    teacher.goto(box.url)
    page.goto(box.url + "?screen=class")
    box.slide(1, 2)
    expect(page.locator(".next-count")).to_contain_text("2")
    seat(teacher, 4).click()
    expect(page.locator(".handed-in .big")).to_have_text("2 / 5")
    expect(page.locator(".handed-in .missing")).to_have_text("missing 3")
    expect(page.locator("main a, main button, main form, main img, main image, .score, .is-late")).to_have_count(0)
    whole = page.content()
    assert "学生" not in whole
    assert "excused" not in whole
    assert "on leave" not in whole
    shot(page, "live-class-screen")
    stream = page.evaluate(
        """async () => {
            const answer = await fetch("/state?screen=class&language=zh-CN");
            return await answer.text();
        }"""
    )
    assert "next-count" in stream
    for secret in ("学生", "S001", "picture.jpg", "score", "请假", "/sheets/", "review"):
        assert secret not in stream


OLD = """
delete window.EventSource; delete window.PointerEvent; delete Element.prototype.replaceChildren;
delete Element.prototype.append; delete Array.prototype.at; delete Array.prototype.flatMap;
delete Array.prototype.flat; delete Object.fromEntries; delete String.prototype.replaceAll;
delete String.prototype.matchAll; delete CSS.escape; delete HTMLFormElement.prototype.requestSubmit;
delete window.structuredClone; delete window.queueMicrotask;
delete window.URLSearchParams; delete window.AbortController; delete SubmitEvent.prototype.submitter;
delete window.ResizeObserver; delete window.IntersectionObserver; delete Promise.allSettled;
delete Promise.prototype.finally;
"""


def test_an_old_browser_asks_again_and_again_and_works(box: RunningBox, page: Page) -> None:
    page.add_init_script(OLD)
    page.goto(box.url)
    assert page.evaluate("[typeof EventSource, typeof CSS.escape]") == ["undefined", "undefined"]
    page.locator("main").click(position={"x": 5, "y": 5})
    box.slide(1)
    expect(page.locator(".person h1")).to_contain_text("No. 1")
    expect(page.locator("body")).to_have_attribute("data-last-sound", re.compile("graded|ask"))
    seat(page, 4).click()
    in_state(page, 4, "excused")
    page.get_by_role("button", name="Undo the last sheet").click()
    expect(page.locator(".handed-in .big")).to_have_text("0 / 5")
    box.stop()
    expect(page.locator("#offline")).to_be_visible()
    box.start()
    expect(page.locator("#offline")).to_be_hidden()


def test_a_browser_that_cannot_even_ask_loads_the_page_anew(box: RunningBox, page: Page) -> None:
    page.add_init_script("delete window.EventSource; delete window.fetch;")
    page.goto(box.url)
    box.slide(1)
    expect(page.locator(".handed-in .big")).to_have_text("1 / 6")
    seat(page, 4).click()
    in_state(page, 4, "excused")


def test_a_line_that_dies_without_a_word_is_noticed(box: RunningBox, page: Page) -> None:
    page.goto(box.url)
    expect(page.locator(".handed-in .big")).to_have_text("0 / 6")
    box.process.send_signal(signal.SIGSTOP)
    try:
        expect(page.locator("#offline")).to_be_visible()
    finally:
        box.process.send_signal(signal.SIGCONT)
    box.slide(1)
    expect(page.locator(".handed-in .big")).to_have_text("1 / 6")
    expect(page.locator("#offline")).to_be_hidden()


def test_a_button_is_not_pulled_away_from_under_a_finger(box: RunningBox, page: Page) -> None:
    page.goto(box.url)
    box.slide(1)
    expect(page.locator(".handed-in .big")).to_have_text("1 / 6")
    where = seat(page, 5).bounding_box()
    assert where is not None
    page.mouse.move(where["x"] + 10, where["y"] + 10)
    page.mouse.down()
    box.slide(2)
    time.sleep(1.3)
    page.mouse.up()
    in_state(page, 5, "excused")
    expect(page.locator(".handed-in .big")).to_have_text("2 / 5")


@pytest.mark.parametrize("locale", ["zh-CN", "en"])
def test_on_a_phone_seats_are_large_enough_and_nothing_is_cut_off(
    box: RunningBox, open_page: Callable[..., Page], locale: str, shot: Shot
) -> None:
    page = open_page(locale=locale, phone=True)
    box.slide(1)
    page.goto(box.url)
    expect(page.locator(".handed-in .big")).to_have_text("1 / 6")
    seat(page, 4).tap()
    in_state(page, 4, "excused")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for target in page.locator(".seats .cell, main button:visible, main a.button:visible").all():
        found = target.bounding_box()
        assert found is not None
        assert found["height"] >= 44
        assert found["width"] >= 44
    shot(page, f"live-phone-{locale}")


def test_where_the_teacher_s_pen_and_the_box_differ_is_told_item_by_item(
    page: Page, start_box: Callable[..., RunningBox], tmp_path: Path, shot: Shot
) -> None:
    """She crossed a 92 out that is right (the working may be wrong): hers counts, and both are shown."""
    made = made_class(tmp_path)
    assignment = parse_assignment((made / "sheets" / "assignment.toml").read_text(encoding="utf-8"))
    layout = layout_from_json((made / "sheets" / "layout.json").read_bytes())
    filled = fill_class(assignment, layout, made_up_roster(3), class_name="3-1", seed=1, habits=Habits.tidy())[0]
    place = next(n for n, field in enumerate(filled.truth.fields) if field.text == "92")
    x, y, width, height = layout.pages[0].fields[place].box_mm
    rng = np.random.default_rng(5)
    cross = RedPen.random(rng, "red").cross((x + width + 3.0, y + height / 2), 8.0, rng)
    paper = PrintedPages((made / "sheets" / "worksheets.pdf").read_bytes(), dpi=150)
    scan = written_page(paper.page(1), [*filled.strokes, *cross], paper.px_per_mm)
    paper.close()
    cv2.imwrite(str(tmp_path / "crossed.jpg"), scan)
    box = start_box(made)
    page.goto(box.url)
    box.slide_file(tmp_path / "crossed.jpg")
    expect(page.locator(".differing li")).to_have_count(1)
    expect(page.locator(".differing li")).to_contain_text(f"{place + 1} your mark ✗ · the box ✓ (read 92)")
    expect(page.locator(".sheet .differs")).to_have_count(1)
    shot(page, "live-differing")
