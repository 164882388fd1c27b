"""From a new box to a substitute's afternoon, in a real browser over TLS, from an address that is not loopback."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import zxingcpp
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from benchmarks._box import RunningBox as Box
from benchmarks._box import run_classbox
from edge.access.places import own_addresses

PIN = "502718"
ALSO_EXPECTED = ("403 (Forbidden)", "404 (Not Found)", "429 (Too Many Requests)")
"""Who may not come in is told so."""


@pytest.fixture
def locked(start_box: Callable[..., Box], scanned_class: Path) -> Box:
    """A new box that the whole school reaches; `code` is what its own terminal shows."""
    if not own_addresses():
        pytest.skip("this machine has only loopback addresses")
    box = start_box(scanned_class, host="0.0.0.0")
    assert box.url.startswith("https://")
    assert "127.0.0.1" not in box.url
    assert box.process.stdout is not None
    found = re.search(r"Set-up code: (\S+)", box.process.stdout.readline())
    assert found is not None
    box.code = found[1]  # type: ignore[attr-defined]
    return box


def set_up(page: Page, box: Box, name: str = "王老师") -> None:
    page.goto(box.url)
    page.get_by_label("Set-up code").fill(box.code)  # type: ignore[attr-defined]
    page.get_by_label("Your name").fill(name)
    page.get_by_label("PIN, at least six digits").fill(PIN)
    page.get_by_label("The same PIN again").fill(PIN)
    page.get_by_role("button", name="Set up").click()
    expect(page.get_by_text("Menu")).to_be_visible()


def add_teacher(box: Box, name: str) -> str:
    found = re.search(r"PIN: (\d{6})", run_classbox("teacher", "add", name, "--random", "--data", box.data))
    assert found is not None
    return found[1]


def read_code(page: Page) -> str:
    """What a phone reads from the QR code on the screen."""
    import cv2
    import numpy as np

    picture = cv2.imdecode(np.frombuffer(page.locator("img.qr").screenshot(), np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    return zxingcpp.read_barcodes(picture)[0].text


def test_a_new_box_is_set_up_with_the_code_on_its_own_screen(
    locked: Box, open_page: Callable[..., Page], shot: Callable[[Page, str], None]
) -> None:
    page = open_page(phone=True)
    page.goto(locked.url + "sheets/1")
    expect(page.get_by_role("heading", name="This box is new")).to_be_visible()
    shot(page, "setup-en-phone")
    page.get_by_label("Set-up code").fill("AAAA-AAAA")
    page.get_by_label("Your name").fill("王老师")
    for label in ("PIN, at least six digits", "The same PIN again"):
        page.get_by_label(label).fill("123456")
    page.get_by_role("button", name="Set up").click()
    expect(page.get_by_role("alert")).to_contain_text("guessed first")
    for label in ("PIN, at least six digits", "The same PIN again"):
        page.get_by_label(label).fill(PIN)
    page.get_by_role("button", name="Set up").click()
    expect(page.get_by_role("alert")).to_contain_text("set-up code is not right")
    shot(page, "setup-refused-en-phone")
    set_up(page, locked)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_teacher_signs_in_on_a_phone_and_out_again(
    locked: Box, open_page: Callable[..., Page], shot: Callable[[Page, str], None]
) -> None:
    pin = add_teacher(locked, "王老师")
    locked.slide(1)
    page = open_page(phone=True)
    page.goto(locked.url + "review")
    expect(page).to_have_url(re.compile(r"/login\?next=/review"))
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.get_by_label("PIN").fill(pin)
    page.keyboard.press("Enter")
    expect(page).to_have_url(locked.url + "review")
    page.goto(locked.url)
    expect(page.locator(".person h1")).to_contain_text("No. 1")
    page.get_by_text("Menu").click()
    shot(page, "menu-signed-in-phone")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.go_back()
    page.reload()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_an_open_page_leaves_for_the_sign_in_when_its_session_ends(locked: Box, open_page: Callable[..., Page]) -> None:
    pin = add_teacher(locked, "王老师")
    page = open_page()
    page.goto(locked.url)
    page.get_by_label("PIN").fill(pin)
    page.keyboard.press("Enter")
    expect(page.get_by_text("Menu")).to_be_visible()
    other = page.context.new_page()
    other.goto(locked.url + "people")
    other.get_by_role("button", name="Sign out").last.click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_whoever_guesses_waits_and_a_known_device_does_not(
    locked: Box, open_page: Callable[..., Page], shot: Callable[[Page, str], None]
) -> None:
    pin = add_teacher(locked, "王老师")
    known = open_page()
    known.goto(locked.url)
    known.get_by_label("PIN").fill(pin)
    known.keyboard.press("Enter")
    expect(known.get_by_text("Menu")).to_be_visible()
    known.goto(locked.url + "people")
    known.get_by_role("button", name="Sign out").last.click()
    guesser = open_page()
    guesser.goto(locked.url)
    for guess in range(5):
        guesser.get_by_label("PIN").fill(f"73019{guess}")
        guesser.keyboard.press("Enter")
        expect(guesser.get_by_role("alert")).to_contain_text("The PIN is not right")
    guesser.get_by_label("PIN").fill(pin)
    guesser.keyboard.press("Enter")
    expect(guesser.get_by_role("alert")).to_contain_text("Too many wrong tries")
    shot(guesser, "wait-en")
    known.get_by_label("PIN").fill(pin)
    known.keyboard.press("Enter")
    expect(known.get_by_text("Menu")).to_be_visible()


def test_access_is_lent_to_a_substitute_by_a_code_on_the_screen_and_taken_back(
    locked: Box, open_page: Callable[..., Page], shot: Callable[[Page, str], None]
) -> None:
    page = open_page()
    set_up(page, locked)
    page.goto(locked.url + "people")
    shot(page, "people-en")
    lend = page.locator("form", has=page.get_by_role("heading", name="A substitute for today"))
    lend.get_by_label("Name").fill("李代课")
    lend.get_by_role("button", name="Lend access").click()
    expect(page.locator(".pin")).to_have_text(re.compile(r"\d{3} \d{3}"))
    shot(page, "lent-en")
    link = read_code(page)
    assert link.startswith(locked.url + "in/")

    phone = open_page(phone=True)
    phone.goto(link)
    phone.goto(link)  # a messenger has looked first
    shot(phone, "link-phone")
    phone.get_by_role("button", name="Sign in").click()
    expect(phone.get_by_text("Menu")).to_be_visible()
    assert phone.goto(locked.url + "people").status == 403  # type: ignore[union-attr]
    second = open_page(phone=True)
    second.goto(link)
    expect(second.get_by_role("heading", name="This code is no longer good")).to_be_visible()
    phone.goto(locked.url)

    page.goto(locked.url + "people")
    page.get_by_text("Take access away").click()
    page.get_by_role("button", name="Yes, 李代课 no longer comes in").click()
    expect(page.get_by_text("李代课")).to_have_count(0)
    expect(phone.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_teacher_signs_in_and_lends_access_with_the_keyboard_alone(locked: Box, page: Page) -> None:
    pin = add_teacher(locked, "王老师")
    page.goto(locked.url + "people")
    expect(page.get_by_label("PIN")).to_be_focused()
    page.keyboard.type(pin)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Who has access to this box")).to_be_visible()
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.name === 'name'"):
            break
    page.keyboard.type("李代课")
    page.keyboard.press("Enter")
    expect(page.locator(".pin")).to_be_visible()


@pytest.mark.parametrize("locale", ["zh-CN", "en"])
def test_its_own_screen_says_where_it_is_and_how_to_know_it(
    locale: str, locked: Box, open_page: Callable[..., Page], shot: Callable[[Page, str], None]
) -> None:
    page = open_page(locale=locale)
    page.goto(locked.url + "hello")
    assert read_code(page) == locked.url
    shown = "".join(page.locator(".fingerprint").first.inner_text().split())
    assert shown in run_classbox("address", "--json", "--config", locked.config)
    shot(page, f"hello-{locale}")
    phone = open_page(locale=locale, phone=True, dark=True)
    phone.goto(locked.url + "hello")
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390
    shot(phone, f"hello-{locale}-phone-dark")
    set_up_page = open_page(locale=locale)
    set_up_page.goto(locked.url)
    shot(set_up_page, f"setup-{locale}")
    pin = add_teacher(locked, "王老师")
    phone.goto(locked.url + "people")
    shot(phone, f"login-{locale}-phone-dark")
    phone.get_by_label("PIN").fill(pin)
    phone.keyboard.press("Enter")
    expect(phone.locator(".people")).to_be_visible()
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390
    shot(phone, f"people-{locale}-phone-dark")
    phone.goto(locked.url + "technician")
    expect(phone.locator(".checks li")).to_have_count(11)
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390
    shot(phone, f"technician-{locale}-phone-dark")


def serious(page: Page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [one["id"] for one in found if one["impact"] in ("serious", "critical")]


def test_axe_finds_nothing_serious_on_the_ways_in(locked: Box, open_page: Callable[..., Page]) -> None:
    light, dark = open_page(), open_page(dark=True, phone=True)
    for page in (light, dark):
        page.goto(locked.url)
        expect(page.get_by_role("heading", name="This box is new")).to_be_visible()
        assert serious(page) == []
    pin = add_teacher(locked, "王老师")
    for page in (light, dark):
        for path in ("login", "in/x", "people"):
            page.goto(locked.url + path)
            assert serious(page) == [], path
        page.get_by_label("PIN").fill(pin)
        page.keyboard.press("Enter")
        page.get_by_role("button", name="New device").first.click()
        expect(page.locator("img.qr")).to_be_visible()
        page.get_by_text("Change my PIN").click()
        assert serious(page) == []
        page.goto(locked.url + "technician")
        assert serious(page) == []
