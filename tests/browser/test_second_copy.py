"""A technician leaves a stick in the box; later the box's card dies, and everything comes back from the stick."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from benchmarks._box import CLASSBOX, ENVIRONMENT, RunningBox


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    path = tmp_path / "media" / "SCHOOL-USB"
    path.mkdir(parents=True)
    return path


@pytest.fixture
def box_with_stick(start_box: Callable[..., RunningBox], scanned_class: Path, stick: Path) -> RunningBox:
    return start_box(scanned_class, more=f'[stick]\nroots = ["{stick.parent}"]\nmounted = false\n')


def test_a_box_whose_card_died_comes_back_from_the_stick_that_a_technician_chose(
    box_with_stick: RunningBox, stick: Path, page: Page, shot: Callable[[Page, str], None]
) -> None:
    box = box_with_stick
    box.slide(1, 2, 3)
    page.goto(box.url)
    expect(page.locator(".handed-in .big")).to_have_text("3 / 6")

    page.goto(box.url + "technician")
    page.get_by_role("link", name="Second copy on a stick").click()
    shot(page, "second-copy-choose-en-desk")
    page.get_by_role("button", name="Keep the second copy here SCHOOL-USB").click()
    key = page.locator(".key").inner_text()
    expect(page.get_by_text("The stick with the second copy is not in the box")).to_have_count(0)
    expect(page.get_by_role("listitem")).to_have_count(1)
    shot(page, "second-copy-key-en-desk")
    page.get_by_role("link", name="Done").click()
    expect(reloaded_until(page, "The stick has 3 of 3 sheets")).to_be_visible()
    shot(page, "second-copy-kept-en-desk")
    page.get_by_role("button", name="Show the key").click()
    expect(page.locator(".key")).to_have_text(key)

    box.kill()
    shutil.rmtree(box.data)
    subprocess.run(
        [CLASSBOX, "restore", str(stick / "classbox-copy"), "--data", str(box.data)],
        input=f"{key.lower()}\n",
        text=True,
        check=True,
        env={**ENVIRONMENT, "PATH": os.environ["PATH"]},
        capture_output=True,
    )
    box.start()
    page.goto(box.url)
    expect(page.locator(".handed-in .big")).to_have_text("3 / 6")
    page.goto(box.url + "sheets/1")
    expect(page.get_by_role("group", name="Sheet of No. 1: 5 right, 0 wrong, 0 to look at")).to_be_visible()


def test_a_stick_that_was_pulled_out_is_asked_for_on_a_phone_in_chinese(
    box_with_stick: RunningBox, stick: Path, open_page: Callable[..., Page], shot: Callable[[Page, str], None]
) -> None:
    page = open_page(locale="zh-CN", phone=True)
    page.goto(box_with_stick.url + "technician/copy")
    page.get_by_role("button", name="把第二份副本存到这里").click()
    expect(page.locator(".key")).to_be_visible()
    shot(page, "second-copy-key-zh-phone")
    shutil.rmtree(stick)

    page.goto(box_with_stick.url + "technician/copy")
    expect(reloaded_until(page, "不在盒子上")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    shot(page, "second-copy-pulled-zh-phone")


def reloaded_until(page: Page, text: str) -> Locator:
    """The words on the page, which is opened again until they stand there or half a minute has passed."""
    for _ in range(60):
        if page.get_by_text(text).count():
            break
        page.wait_for_timeout(500)
        page.goto(page.url)
    return page.get_by_text(text)
