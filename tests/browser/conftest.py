"""A browser, pages of it, and boxes to look at. `shot` keeps pictures where CLASSBOX_SCREENSHOTS names a folder."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from benchmarks._box import RunningBox
from tests.browser.chromium import CHROMIUM, OPTIONS
from tests.forked import start_forked

ROOT = Path(__file__).resolve().parents[2]
WAIT_MS = 30_000
EXPECTED = ("ERR_CONNECTION", "INCOMPLETE", "400 (Bad Request)", "ERR_FAILED")
"""What a browser complains of while a box is switched off, or when a form is refused with a word."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # For one module: while it lives, no test can have an event loop of its own.
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        yield opened
        opened.close()


@pytest.fixture
def open_page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Callable[..., Page]]:
    """Opens pages, each with cookies of its own: `locale`, `phone`, `dark`, `script`.

    A script that fails fails the test.
    """
    complaints: list[str] = []
    contexts: list[BrowserContext] = []

    def opened(*, locale: str = "en", phone: bool = False, dark: bool = False, script: bool = True) -> Page:
        context = browser.new_context(
            viewport={"width": 390, "height": 844} if phone else {"width": 1366, "height": 900},
            locale=locale,
            has_touch=phone,
            color_scheme="dark" if dark else "light",
            java_script_enabled=script,
            ignore_https_errors=True,
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(WAIT_MS)
        expect.set_options(timeout=WAIT_MS)
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        return page

    yield opened
    for context in contexts:
        context.close()
    expected = (*EXPECTED, *getattr(request.module, "ALSO_EXPECTED", ()))
    assert [text for text in complaints if not any(known in text for known in expected)] == []


@pytest.fixture
def page(open_page: Callable[..., Page]) -> Page:
    """A page in English on a desk."""
    return open_page()


@pytest.fixture
def start_box(tmp_path: Path) -> Iterator[Callable[..., RunningBox]]:
    """Starts boxes (see `RunningBox`) that are ended after the test."""
    started: list[RunningBox] = []

    def start(made: Path, **more: object) -> RunningBox:
        folder = tmp_path / f"box-{len(started)}"
        box = RunningBox(folder, made, starting=start_forked, **more)  # type: ignore[arg-type]
        started.append(box)
        return box

    yield start
    for box in started:
        box.stop()


@pytest.fixture
def box(start_box: Callable[..., RunningBox], scanned_class: Path) -> RunningBox:
    """A box with a class of six whose sheets carry their names."""
    return start_box(scanned_class)


@pytest.fixture(scope="session")
def make_scans(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Calls `benchmarks._scans` with options and returns the folder that it wrote."""

    def make(*words: str) -> Path:
        out = tmp_path_factory.mktemp("made")
        command = [sys.executable, "-m", "benchmarks._scans", str(out), *words]
        subprocess.run(command, check=True, cwd=ROOT, capture_output=True)
        return out

    return make


@pytest.fixture
def shot() -> Callable[[Page, str], None]:
    """Keeps a picture of a page under a name."""
    folder = os.environ.get("CLASSBOX_SCREENSHOTS")

    def keep(page: Page, name: str) -> None:
        if folder:
            page.screenshot(path=f"{folder}/{name}.png", full_page=True)

    return keep
