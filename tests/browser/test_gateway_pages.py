"""The gateway's pages in a real browser: from the district to an answer by clicking, on a desk and on a phone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio
from aiohttp import web
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, async_playwright, expect

from gateway.config import load_config
from gateway.reports.worker import SummaryWorker
from gateway.simulated_school import make_school
from gateway.store.rosters import bring_in
from gateway.store.store import open_store
from gateway.web.changes import Changes
from gateway.web.found import class_address, pupil_address, school_address
from gateway.web.rooms import Status, report_address
from gateway.web.site import make_site
from homework.assignment import parse_assignment
from homework.roster import Pupil, Roster
from sync.lanes import Lane
from sync.pseudonym import pseudonym
from tests.browser.chromium import CHROMIUM, OPTIONS

pytestmark = pytest.mark.asyncio(loop_scope="module")

CLASS_NAME = "三年级/2班"
EVIL = '<img src=x onerror="window.hacked=1">محمد'
ASSIGNMENT = parse_assignment(
    (Path(__file__).resolve().parents[2] / "examples" / "g3-mul-2x1.toml").read_text(encoding="utf-8")
)
OPENED = """() => {
    document.querySelectorAll("main details").forEach(details => { details.open = true; });
    const targets = "main a.button, main button, main summary, .doors a, a.line, .plain a";
    const low = e => e.getClientRects().length && e.getBoundingClientRect().height < 43.5;
    return {
        hacked: window.hacked !== undefined,
        wide: document.documentElement.scrollWidth - window.innerWidth,
        small: [...document.querySelectorAll(targets)].filter(low).map(e => e.outerHTML.slice(0, 80)).slice(0, 2),
    };
}"""
"""Opens all that can be opened, and says how the page then is."""


@dataclass
class Site:
    url: str
    pupil: str

    @property
    def pages(self) -> tuple[str, ...]:
        report = report_address("no-1", CLASS_NAME, ASSIGNMENT.id)
        school = school_address("no-1")
        return (
            "/", "/week", "/district", school,
            class_address("no-1", CLASS_NAME), report, f"{report}/more", f"{report}/items/1", f"{report}/screen",
            f"{report}/absences",
            self.pupil, f"{school}/classes/nobody",
        )  # fmt: skip


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """A class of twenty with a long foreign name in it, and corrections of some."""
    folder = tmp_path_factory.mktemp("gateway")
    file = folder / "gateway.toml"
    file.write_text('data = "data"\n')
    items = tuple(msgspec.structs.replace(item, knowledge=("两位数乘一位数",)) for item in ASSIGNMENT.items)
    async with open_store(load_config(file)) as store:
        school = await make_school(
            store, msgspec.structs.replace(ASSIGNMENT, items=items), class_name=CLASS_NAME, size=20
        )
        pupils = school.pupils.roster.pupils
        async with store.writing() as connection:
            named = Roster((Pupil(CLASS_NAME, 1, EVIL[:50], pupils[0].pupil_id), *pupils[1:]))
            await bring_in(connection, store.vault, "no-1", named)
        sheets = [
            *(school.pupils.result(pupil) for pupil in pupils[:18]),
            *(school.pupils.result(pupil, attempt=2) for pupil in pupils[:3]),
        ]
        documents = school.box.envelope(Lane.DOCUMENTS, school.pupils.documents())
        await school.ingest.take([documents, school.box.envelope(Lane.RESULTS, sheets)])
        await SummaryWorker(store).catch_up()
        made = make_site(store, Changes(), lambda: Status(broker_connected=True, counts={}))
        runner = web.AppRunner(made, handler_cancellation=True, shutdown_timeout=2)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        pupil = pupil_address("no-1", pseudonym(school.school_key, pupils[0].pupil_id))
        try:
            yield Site(f"http://127.0.0.1:{runner.addresses[0][1]}", pupil)
        finally:
            await runner.cleanup()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as play:
        started = await play.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        yield started
        await started.close()


async def look(browser: Browser, *, phone: bool, locale: str) -> tuple[Page, list[str]]:
    """A page, and what its browser complains of."""
    context = await browser.new_context(
        viewport={"width": 320, "height": 800} if phone else {"width": 1366, "height": 900},
        locale=locale,
        color_scheme="dark" if phone else "light",
    )
    page = await context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    return page, said


@pytest.mark.parametrize(("phone", "locale"), [(False, "zh-CN"), (True, "en")])
async def test_no_page_has_a_serious_fault_sticks_out_or_runs_what_it_shows(
    site: Site, browser: Browser, *, phone: bool, locale: str
) -> None:
    page, said = await look(browser, phone=phone, locale=locale)
    found: list[object] = []
    for address in site.pages:
        answer = await page.goto(site.url + address)
        assert answer is not None
        assert answer.status == (404 if address.endswith("nobody") else 200), address
        opened = await page.evaluate(OPENED)
        broken = [v for v in (await Axe().run(page)).response["violations"] if v["impact"] in ("serious", "critical")]
        found += [(address, fault["id"], [node["html"][:100] for node in fault["nodes"][:2]]) for fault in broken]
        if opened != {"hacked": False, "wide": min(0, opened["wide"]), "small": []}:
            found.append((address, opened))
    await page.context.close()
    assert not found, found
    assert [words for words in said if "404" not in words] == []


async def test_from_the_district_to_who_wrote_what_it_is_a_click_each(site: Site, browser: Browser) -> None:
    page, said = await look(browser, phone=False, locale="zh-CN")
    await page.goto(f"{site.url}/district")
    await page.locator(".schools a").click()
    await expect(page.locator("h1")).to_contain_text("到没到齐还不知道")  # its boxes have told no count
    await page.locator(".doors a", has_text=CLASS_NAME).click()
    await page.locator(".homework .line").click()
    await expect(page.locator("h1")).to_contain_text("20 人，交 18")
    await page.locator("#item-3 > summary").click()
    await page.locator("#item-3").get_by_role("link", name="谁写了什么").click()
    await expect(page.locator(".answers tbody tr")).to_have_count(18)
    await page.locator(".answers a").nth(1).click()
    await expect(page.locator("h1")).to_have_text("学生02")
    await page.context.close()
    assert said == []


async def test_a_teacher_changes_the_proposed_comment(site: Site, browser: Browser) -> None:
    page, said = await look(browser, phone=True, locale="zh-CN")
    await page.goto(site.url + site.pupil)
    await expect(page.get_by_text("这是建议，还没有保存")).to_be_visible()
    await page.locator("textarea").fill("书写工整，继续加油。")
    await page.get_by_role("button", name="保存").click()
    await expect(page.locator("textarea")).to_have_value("书写工整，继续加油。")
    await expect(page.get_by_text("已保存")).to_be_visible()
    await page.context.close()
    assert said == []


async def test_the_columns_of_the_workbook_are_chosen_in_the_page(site: Site, browser: Browser) -> None:
    page, said = await look(browser, phone=False, locale="zh-CN")
    await page.goto(site.url + report_address("no-1", CLASS_NAME, ASSIGNMENT.id))
    await page.get_by_text("Excel 表格").click()
    await page.get_by_label("姓名").uncheck()
    async with page.expect_download() as started:
        await page.get_by_role("button", name="下载").click()
    download = await started.value
    assert download.suggested_filename.endswith(".xlsx")
    assert "column=name" not in download.url
    assert "column=seat" in download.url
    await page.context.close()
    assert said == []
