"""订正 in a real browser: corrected sheets, who still owes, slips as they are printed, pupils by themselves."""

import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pypdfium2
import pytest
from playwright.sync_api import Page, expect

from benchmarks._box import RunningBox as Box
from benchmarks._corrected import make_corrected
from benchmarks._scans import DPI

ScansAgain = tuple[Path, dict[int, int]]


@pytest.fixture(scope="module")
def corrected_class(make_scans: Callable[..., Path]) -> ScansAgain:
    """Twelve pupils who write their numbers; those with something wrong have corrected it, No. 2 one of two."""
    out = make_scans("--pupils", "12", "--pupil-id", "digits")
    done = make_corrected(out, keep_wrong={2})
    assert len(done) >= 5
    return out, done


@pytest.fixture
def box(start_box: Callable[..., Box], corrected_class: ScansAgain) -> Box:
    return start_box(corrected_class[0])


def slide_again(box: Box, number: int) -> None:
    box.slide_file(box.made / "scans" / f"{number:02d}-again.jpg")


def stamp(page: Page, seat: int) -> str:
    """What the list of corrections says of a pupil."""
    return page.locator(f"#seat-{seat} h2 .badge").inner_text().strip()


def test_a_corrected_sheet_is_attempt_2_and_the_list_says_who_owes(
    box: Box, page: Page, corrected_class: ScansAgain, shot: Callable[[Page, str], None]
) -> None:
    _, done = corrected_class
    page.goto(box.url)
    box.slide(*range(1, 13))
    expect(page.locator(".handed-in .big")).to_have_text("12 / 12", timeout=60_000)
    page.goto(box.url + "again")
    owing = {int(text.split()[0]) for text in page.locator(".again-owing a").all_inner_texts()}
    assert owing
    assert owing <= set(done)
    page.goto(box.url)
    for number in sorted(done):
        slide_again(box, number)
        expect(page.locator(".person h1")).to_contain_text(re.compile(rf"No\. {number} .*correction 1"))
    expect(page.locator(".handed-in .big")).to_have_text("12 / 12")
    page.goto(box.url + "again")
    shot(page, "again")
    expect(page.locator(".again-owing a")).to_have_count(1)
    expect(page.locator(".again-owing a")).to_contain_text("02")
    assert "still wrong" in stamp(page, 2)
    assert "corrected" in stamp(page, min(owing - {2}))
    text = page.locator("#owing-text").input_value()
    assert "学生02" in text
    assert text.count("学生") == 1

    # A person's ✓ on the one that is left: nobody owes any more, and what was wrong at first still counts as wrong.
    page.locator("#seat-2 .again-items li").filter(has=page.locator(".then.wrong + span + .then.wrong")).get_by_role(
        "button", name="right"
    ).click()
    expect(page.get_by_text("Nobody owes a correction.").first).to_be_visible()
    page.goto(box.url + "summary")
    expect(page.locator("#headline")).to_be_visible()


def test_the_same_sheet_again_is_a_duplicate_and_another_copy_is_asked_until_it_is_called_the_correction(
    box: Box, page: Page, corrected_class: ScansAgain
) -> None:
    made, done = corrected_class
    number = min(done)
    page.goto(box.url)
    box.slide(number)
    expect(page.locator(".person h1")).to_contain_text(f"No. {number}")
    copy = box.scans.parent / "photo-again.jpg"
    picture = cv2.imread(str(made / "scans" / f"{number:02d}.jpg"))
    cv2.imwrite(str(copy), np.clip(picture * 0.93, 0, 255).astype(np.uint8))
    box.slide_file(copy)
    expect(page.get_by_text("This sheet was here before. It counts once.")).to_be_visible()
    for revision in ("9" * 30, "-1", "x"):
        form = {"capture": "1", "revision": revision, "item": "1", "blank": "1", "verdict": "right"}
        with pytest.raises(urllib.error.HTTPError, match="400"):
            fetched(box.url + "again/verdict", form)
    # The stack is called corrections: no question is asked then.
    page.goto(box.url + "again")
    page.get_by_role("button", name="This stack is corrections").click()
    expect(page.get_by_role("button", name="This stack is corrections: on")).to_be_visible()
    page.goto(box.url)
    expect(page.get_by_text("This stack is corrections")).to_be_visible()
    page.get_by_role("button", name="End it").click()
    expect(page.get_by_text("This stack is corrections")).to_have_count(0)


def test_slips_are_many_to_a_sheet_and_say_what_was_wrong(
    box: Box, page: Page, shot: Callable[[Page, str], None]
) -> None:
    page.goto(box.url)
    box.slide(*range(1, 13))
    expect(page.locator(".handed-in .big")).to_have_text("12 / 12", timeout=60_000)
    page.goto(box.url + "slips?language=en")
    shot(page, "slips")
    with urllib.request.urlopen(box.url + "slips.pdf?who=all&by=2026-12-02", timeout=30) as answer:
        assert answer.headers["Content-Type"] == "application/pdf"
        pdf = pypdfium2.PdfDocument(answer.read())
    text = "".join(side.get_textpage().get_text_range() for side in pdf)
    assert [int(seat) for seat in re.findall(r"(\d+) 号", text)] == list(range(1, 13))
    assert "全对" in text
    assert "12 月 2 日" in text
    picture = pdf[0].render(scale=2, grayscale=True).to_numpy()
    picture = picture.reshape(picture.shape[0], picture.shape[1])
    middle = picture[:, picture.shape[1] // 2 - 3 : picture.shape[1] // 2 + 3].min(axis=1)
    assert (middle < 200).mean() > 0.15, "a line to cut along runs down between the slips"


# --- pupils by themselves --------------------------------------------------------------------------------------


def test_a_pupil_sees_her_own_crosses_corrects_and_nothing_of_the_one_before_stays(
    box: Box, page: Page, corrected_class: ScansAgain, shot: Callable[[Page, str], None]
) -> None:
    _, done = corrected_class
    numbers = [number for number in sorted(done) if done[number] == 1 and number != 2][:2]
    page.goto(box.url + "self")
    expect(page.get_by_text("This page is closed")).to_be_visible()
    page.goto(box.url + "self-service")
    page.get_by_role("button", name="Open it and show the pupils' page").click()
    expect(page.get_by_text("Lay your sheet under the camera")).to_be_visible()
    shot(page, "self-waiting")

    box.slide(numbers[0])
    expect(page.locator(".self-mark")).not_to_have_count(0)
    shot(page, "self-wrong")
    assert "学生" not in page.locator("body").inner_text()
    assert page.locator(".self-score").count() == 0
    first_picture = page.locator(".self-sheet image").get_attribute("href") or ""
    with urllib.request.urlopen(box.url + first_picture.lstrip("/"), timeout=10) as answer:
        assert answer.headers["Cache-Control"] == "no-store"

    slide_again(box, numbers[0])
    expect(page.locator(".self-words")).to_contain_text("All corrected. Well done!")
    shot(page, "self-right")

    box.slide(numbers[1])
    expect(page.locator(".self-words.wrong, .self-words.review")).to_be_visible()
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(box.url + first_picture.lstrip("/"), timeout=10)
    expect(page.get_by_text("Lay your sheet under the camera")).to_be_visible(timeout=25_000)
    assert page.locator(".self-sheet").count() == 0

    page.goto(box.url + "self-service")
    page.go_back()
    expect(page.get_by_text("Lay your sheet under the camera")).to_be_visible()
    page.goto(box.url + "self-service")
    page.get_by_role("button", name="Close it").click()
    page.goto(box.url + "self")
    expect(page.get_by_text("This page is closed")).to_be_visible()
    page.goto(box.url + "again")
    assert "corrected" in stamp(page, numbers[0])


def test_on_a_phone_every_page_fits_and_speaks_chinese(
    box: Box, open_page: Callable[..., Page], shot: Callable[[Page, str], None]
) -> None:
    page = open_page(locale="zh-CN", phone=True)
    box.slide(1, 2, 3)
    page.goto(box.url)
    expect(page.locator(".handed-in .big")).to_have_text(re.compile("[23] / 12"))  # one number is hard to read
    for path, heading in (
        ("again", "订正"),
        ("slips", "给学生的小条"),
        ("self-service", "学生自助"),
        ("overprint", "把 ✓ ✗ 印到卷子上"),
        ("self", ""),
    ):
        page.goto(box.url + path)
        if heading:
            expect(page.get_by_role("heading", name=heading).first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path
        shot(page, f"phone-{path}")
        for target in page.locator("main button:visible, main a.button:visible").all():
            found = target.bounding_box()
            assert found is not None
            assert found["height"] >= 44


# --- onto the sheets -------------------------------------------------------------------------------------------


def printed_onto(scan: Path, pdf: bytes, shift_mm: tuple[float, float]) -> np.ndarray:
    """A scan of the paper after a printer that is off by so much has printed onto it."""
    paper = cv2.imread(str(scan))
    assert paper is not None
    page = pypdfium2.PdfDocument(pdf)[0].render(scale=DPI / 72).to_numpy()[..., :3]
    page = cv2.resize(page, paper.shape[1::-1], interpolation=cv2.INTER_AREA)
    move = np.array([[1, 0, shift_mm[0] * DPI / 25.4], [0, 1, shift_mm[1] * DPI / 25.4]], np.float64)
    page = cv2.warpAffine(page, move, paper.shape[1::-1], borderValue=(255, 255, 255))
    return np.asarray(cv2.multiply(paper, page, scale=1 / 255), np.uint8)


def fetched(url: str, form: dict[str, str] | None = None) -> bytes:
    body = urllib.parse.urlencode(form).encode() if form is not None else None
    with urllib.request.urlopen(url, body, timeout=30) as answer:
        assert answer.headers["Content-Type"] == "application/pdf"
        return bytes(answer.read())


def test_a_printer_is_measured_on_a_test_page_and_marks_are_printed_in_the_order_of_the_stack(
    box: Box, page: Page, corrected_class: ScansAgain, shot: Callable[[Page, str], None]
) -> None:
    _, done = corrected_class
    page.goto(box.url)
    box.slide(*range(1, 13))
    expect(page.locator(".handed-in .big")).to_have_text("12 / 12", timeout=60_000)
    shift = (1.8, -1.2)
    test = fetched(box.url + "overprint/test.pdf", {"assignment": "scans", "printer": "Office"})
    scan = box.scans.parent / "test-page.jpg"
    cv2.imwrite(str(scan), printed_onto(box.made / "scans" / "01.jpg", test, shift))
    box.slide_file(scan)
    expect(page.get_by_text("This sheet was here before. It counts once.")).to_be_visible()
    page.goto(box.url + "overprint")
    page.get_by_role("button", name="It lies under the camera: measure").click()
    expect(page.get_by_text(re.compile(r"printed 2\.[123] mm off"))).to_be_visible()
    page.locator("summary", has_text="The sheets of the stack").click()
    shot(page, "overprint")
    lines = page.locator(".stack-lines li")
    expect(lines).to_have_count(13)
    assert page.locator(".stack-lines input:checked").count() == 12

    kept = "&".join(
        f"sheet={value}"
        for value in page.locator(".stack-lines input:checked").evaluate_all("x => x.map(e => e.value)")
    )
    pdf = fetched(f"{box.url}overprint.pdf?assignment=scans&ticks=on&printer=Office&{kept}")
    document = pypdfium2.PdfDocument(pdf)
    assert len(document) == 12
    crosses = [side for side in range(12) if _red(document[side].render(scale=2).to_numpy()[..., :3])]
    seats = [int(re.findall(r"No\. (\d+)", text)[0]) for text in lines.all_inner_texts()[:12]]
    sure = {number for number in done if f"✗{done[number]}" in lines.nth(seats.index(number)).inner_text()}
    assert {seats[side] for side in crosses} >= sure
    assert sure
    reverse = pypdfium2.PdfDocument(
        fetched(f"{box.url}overprint.pdf?assignment=scans&order=reverse&ticks=on&printer=Office&{kept}")
    )
    assert [11 - side for side in range(12) if _red(reverse[side].render(scale=2).to_numpy()[..., :3])][::-1] == crosses

    # Printed by that printer, a sheet comes back and is known as the same one: nothing printed is taken for ink.
    side = seats.index(min(done))
    one = fetched(f"{box.url}overprint.pdf?assignment=scans&ticks=on&printer=Office&{kept.split('&')[side]}")
    back = box.scans.parent / "came-back.jpg"
    cv2.imwrite(str(back), printed_onto(box.made / "scans" / f"{min(done):02d}.jpg", one, shift))
    page.goto(box.url)
    box.slide_file(back)
    expect(page.get_by_text("This sheet was here before. It counts once.")).to_be_visible()


def _red(picture: np.ndarray) -> bool:
    """Whether there is red on a page (BGR)."""
    blue, _, red = (picture[..., n].astype(int) for n in range(3))
    return bool((red - blue > 90).sum() > 20)
