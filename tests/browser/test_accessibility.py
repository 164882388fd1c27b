"""No serious finding of axe-core on any page of the box; no script that browsers of classroom panels cannot read."""

from pathlib import Path

import esprima
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from benchmarks._box import RunningBox

ROOT = Path(__file__).resolve().parents[2]
PAGES = (
    "",
    "?screen=class",
    "review",
    "audit",
    "sheets/1",
    "sheets/2",
    "summary",
    "account",
    "settings",
    "classes",
    "classes/one?class=3-1",
    "homework",
    "homework/new",
    "start",
    "hello",
    "again",
    "slips",
    "overprint",
    "self-service",
    "self",
    "upload",
    "learned",
    "technician",
    "technician/copy",
    "people",
    "login",
    "nowhere",
)
SERIOUS = ("serious", "critical")
SCRIPTS = sorted(
    script for part in ("edge/web", "gateway/web", "ui") for script in (ROOT / part / "static").glob("*.js")
)


@pytest.mark.parametrize(
    ("locale", "phone", "dark"),
    [
        ("zh-CN", False, False),
        ("en", True, True),
        pytest.param("en", True, False, marks=pytest.mark.long),
        pytest.param("zh-CN", False, True, marks=pytest.mark.long),
    ],
)
def test_every_page_is_accessible(box: RunningBox, browser: Browser, *, locale: str, phone: bool, dark: bool) -> None:
    box.slide(1, 2, 3)
    context = browser.new_context(
        viewport={"width": 390, "height": 844} if phone else {"width": 1366, "height": 900},
        locale=locale,
        color_scheme="dark" if dark else "light",
    )
    page = context.new_page()
    page.goto(box.url)
    expect(page.locator(".handed-in .big")).to_have_text("3 / 6")
    found, missing = [], []
    for address in PAGES:
        answer = page.goto(box.url + address)
        if answer is not None and answer.status == 404:
            missing.append(address)
        for violation in Axe().run(page).response["violations"]:
            if violation["impact"] in SERIOUS:
                nodes = [node["html"][:120] for node in violation["nodes"][:3]]
                found.append((address, violation["id"], violation["help"], nodes))
    context.close()
    assert found == []
    assert missing == ["nowhere"]


def test_a_page_with_a_fault_would_be_found(box: RunningBox, page: Page) -> None:
    page.goto(box.url)
    page.evaluate("document.querySelector('main').insertAdjacentHTML('beforeend', '<img src=/ui/classbox.svg>')")
    assert "image-alt" in {violation["id"] for violation in Axe().run(page).response["violations"]}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts_are_written_for_the_browsers_of_classroom_panels(script: Path) -> None:
    """Chromium of 2018 on Android 7: nothing of the language that came after 2017."""
    esprima.parseScript(script.read_text(encoding="utf-8"))


@pytest.mark.parametrize("newer", ["a?.b", "a ?? b", "try { a() } catch { b() }", "a ||= b", "class A { #b }"])
def test_what_came_later_would_be_refused(newer: str) -> None:
    with pytest.raises(esprima.Error):
        esprima.parseScript(newer)
