"""The class report in a real browser, while sheets arrive."""

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio
from aiohttp import web
from playwright.async_api import Browser, ConsoleMessage, Page, async_playwright, expect

from gateway.config import load_config
from gateway.ingest import StoreIngest
from gateway.simulated_school import SimulatedSchool, make_school
from gateway.store.rosters import bring_in
from gateway.store.store import open_store
from gateway.web.changes import Changes
from gateway.web.rooms import Status, report_address
from gateway.web.site import make_site
from homework.assignment import Assignment, parse_assignment
from homework.roster import Pupil, Roster
from sync.clock import ClockQuality, ClockReading
from sync.lanes import Lane
from sync.records import PageResult
from tests.browser.chromium import CHROMIUM, OPTIONS

pytestmark = pytest.mark.asyncio(loop_scope="module")  # one browser, and so one event loop, for all

ASSIGNMENT = parse_assignment(
    (Path(__file__).resolve().parents[2] / "examples" / "g3-mul-2x1.toml").read_text(encoding="utf-8")
)
CLASS_NAME = "三年级/2班"  # a slash and Chinese in an address
EVIL = "<img src=x onerror=\"document.title='hacked'\"><script>document.title='hacked'</script>"


@dataclass
class Site:
    """A served gateway and the school behind it."""

    url: str
    school: SimulatedSchool

    @property
    def report_url(self) -> str:
        return self.url + report_address(self.school.school, CLASS_NAME, self.school.pupils.assignment.id)


async def serve(folder: Path, assignment: Assignment) -> AsyncIterator[Site]:
    file = folder / "gateway.toml"
    file.write_text('data = "data"\n')
    async with open_store(load_config(file)) as store:
        school = await make_school(store, assignment, class_name=CLASS_NAME, size=45)
        changes = Changes()
        school.ingest = StoreIngest(store, on_change=changes.tell)
        site = make_site(store, changes, lambda: Status(broker_connected=True, counts={}))
        runner = web.AppRunner(site, handler_cancellation=True, shutdown_timeout=2)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port = runner.addresses[0][1]
        try:
            yield Site(f"http://127.0.0.1:{port}", school)
        finally:
            await runner.cleanup()


@pytest_asyncio.fixture(loop_scope="module")
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async for served in serve(tmp_path, ASSIGNMENT):
        yield served


@pytest_asyncio.fixture(loop_scope="module")
async def evil_site(tmp_path: Path) -> AsyncIterator[Site]:
    first = msgspec.structs.replace(ASSIGNMENT.items[0], prompt=EVIL, section=EVIL)
    assignment = msgspec.structs.replace(ASSIGNMENT, title=EVIL, items=(first, *ASSIGNMENT.items[1:]))
    async for served in serve(tmp_path, assignment):
        yield served


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as play:
        started = await play.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        yield started
        await started.close()


@pytest_asyncio.fixture(loop_scope="module")
async def page(browser: Browser) -> AsyncIterator[Page]:
    """A page in which any script error, and anything that the browser had to block, fails the test."""
    opened = await browser.new_page(viewport={"width": 1366, "height": 900}, locale="zh-CN")
    said: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            said.append(message.text)

    opened.on("console", note)
    opened.on("pageerror", lambda error: said.append(str(error)))
    yield opened
    await opened.close()
    assert said == []


async def give_out(site: Site) -> None:
    """The worksheet, of which no sheet has come yet."""
    school = site.school
    await school.ingest.take([school.box.envelope(Lane.DOCUMENTS, school.pupils.documents())])


async def send(site: Site, first: int, last: int, *, documents: bool = False) -> None:
    """The sheets of seats `first` to `last`."""
    school = site.school
    if documents:
        await give_out(site)
    pupils = school.pupils.roster.pupils[first - 1 : last]
    await school.ingest.take([school.box.envelope(Lane.RESULTS, [school.pupils.result(pupil) for pupil in pupils])])


async def no_sideways_scrolling(page: Page) -> bool:
    return bool(await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


async def test_the_report_fills_while_sheets_arrive_and_keeps_open_what_is_open(site: Site, page: Page):
    await give_out(site)
    await page.goto(site.report_url)
    await expect(page.locator("h1")).to_have_text("45 人，还没有人交")
    await expect(page.locator("[data-state]")).to_have_attribute("data-state", "live")
    await send(site, 1, 20)
    await expect(page.locator("h1")).to_contain_text("45 人，交 20")
    await page.locator("#item-3 summary").click()
    await expect(page.locator("#item-3 .item-body")).to_be_visible()
    await page.evaluate("window.kept = document.querySelector('#item-3')")
    await send(site, 21, 44)
    await expect(page.locator("h1")).to_contain_text("45 人，交 44")
    await expect(page.locator("#item-3 .item-body")).to_be_visible()
    assert await page.evaluate("window.kept.isConnected"), "the page was rebuilt instead of changed"
    await expect(page.locator(".chips li")).to_have_text(["45 学生45"])
    await send(site, 45, 45)
    await expect(page.get_by_text("全班都交了。")).to_be_visible()


async def test_the_bars_say_what_the_figures_say(site: Site, page: Page):
    await send(site, 1, 45, documents=True)
    figures = (await site.school.report()).figures
    await page.goto(site.report_url)
    await expect(page.locator(".item")).to_have_count(len(figures.items))
    for place, item in enumerate(figures.items, 1):
        bar = page.locator(f"#item-{place}")
        await expect(bar.locator(".item-right")).to_contain_text(f"{item.correct}/{item.n} 人对")
        if item.correct:
            width = await bar.locator("rect.right").get_attribute("width")
            assert width is not None
            assert float(width.removesuffix("%")) == pytest.approx(100 * item.correct / item.n, abs=0.01)
        flags = 1 if item.reteach else 0
        await expect(bar.locator(".item-flag .badge")).to_have_count(flags)
    worst = max(range(len(figures.items)), key=lambda n: figures.items[n].wrong)
    await page.locator(f"#item-{worst + 1} summary").click()
    commonest = figures.items[worst].common_wrong[0]
    row = page.locator(f"#item-{worst + 1} .wrongs tbody tr").first
    await expect(row).to_contain_text(commonest.text)
    await expect(row).to_contain_text(f"{commonest.n} 人")


async def test_text_that_would_be_markup_is_shown_as_text(evil_site: Site, page: Page):
    school = evil_site.school
    named = [Pupil(CLASS_NAME, 1, EVIL[:31], "X1"), *school.pupils.roster.pupils[1:]]
    async with school.store.writing() as connection:
        await bring_in(connection, school.store.vault, school.school, Roster(tuple(named)))
    await send(evil_site, 2, 12, documents=True)
    await page.goto(evil_site.report_url)
    await expect(page.locator(".item-prompt").first).to_have_text(EVIL)
    await expect(page.locator(".chips li").first).to_have_text(f"01 {EVIL[:31]}")
    await page.goto(evil_site.url)
    await expect(page.locator(".line-title")).to_contain_text(EVIL)
    assert await page.locator("main img, main script").count() == 0
    assert "hacked" not in await page.title()


async def test_every_answer_forbids_inline_scripts_and_framing(site: Site, page: Page):
    for address in (site.url, site.report_url, f"{site.url}/health", f"{site.url}/nowhere"):
        answer = await page.request.get(address)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"


async def test_nothing_sticks_out_on_a_phone_or_a_desk(site: Site, page: Page):
    looks = [(width, language) for width in (390, 1366) for language in ("zh-CN", "en")]
    await give_out(site)
    for width, language in looks:
        await page.set_viewport_size({"width": width, "height": 844})
        await page.goto(f"{site.report_url}?language={language}")
        assert await no_sideways_scrolling(page)
    await send(site, 1, 41)
    for width, language in looks:
        await page.set_viewport_size({"width": width, "height": 844})
        await page.goto(f"{site.url}?language={language}")
        assert await no_sideways_scrolling(page)
        await page.locator(".line").click()
        words = "45 人，交 41" if language == "zh-CN" else "45 pupils, 41 handed in"
        await expect(page.locator("h1")).to_contain_text(words)
        for summary in await page.locator(".item summary").all():
            await summary.click()
        assert await no_sideways_scrolling(page)


async def test_the_start_page_says_what_to_do_next_and_then_shows_the_class(site: Site, page: Page):
    await page.goto(site.url)
    await expect(page.locator(".next li").last).to_contain_text("这里会自动出现")
    await expect(page.locator("[data-state]")).to_have_attribute("data-state", "live")
    await send(site, 1, 3, documents=True)
    await expect(page.locator(".line-sheets")).to_have_text("3 份，45 人")
    await expect(page.locator(".next")).to_have_count(0)


async def test_the_report_copies_as_text_and_downloads_as_a_table(site: Site, page: Page):
    await send(site, 1, 41, documents=True)
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await page.goto(site.report_url)
    await expect(page.locator("[data-state]")).to_have_attribute("data-state", "live")  # its script has run
    await page.get_by_role("button", name="复制文字").click()
    await expect(page.get_by_text("已复制。")).to_be_visible()
    copied = await page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith(f"{CLASS_NAME} · 第三单元 两位数乘一位数\n45 人，交 41")
    table = await page.request.get(await page.get_by_role("link", name="下载表格").evaluate("link => link.href"))
    assert (await table.body()).startswith("\ufeff座号,姓名,状态".encode())


async def test_a_website_that_calls_this_machine_by_its_own_name_reads_nothing(site: Site, page: Page):
    answer = await page.request.get(site.report_url, headers={"Host": "evil.example"})
    assert answer.status == 421
    assert "学生" not in await answer.text()


async def test_a_school_that_is_not_here_is_said_so_kindly(site: Site, page: Page):
    answer = await page.request.get(site.url + report_address("nobody", CLASS_NAME, "x"))
    assert answer.status == 404
    assert "没有这个页面。" in await answer.text()


def slid(school: SimulatedSchool, seat: int, boot: bytes, up_ms: int, wall_ms: int | None) -> PageResult:
    """A sheet of that seat, by a clock that a time server keeps, or that woke in 1970."""
    quality = ClockQuality.UNSET if wall_ms is None else ClockQuality.SYNCED
    clock = ClockReading(monotonic_ms=up_ms, wall_ms=wall_ms or up_ms, boot=boot * 16, quality=quality)
    return msgspec.structs.replace(school.pupils.result(school.pupils.roster.pupils[seat - 1]), clock=clock)


async def test_who_came_late_is_named_and_of_whom_nobody_can_tell_is_said_calmly(tmp_path: Path, page: Page):
    """D13: a sheet of a box that did not know the time makes nobody late."""
    hour = 3_600_000
    due_ms = round(time.time() * 1000) - 6 * hour
    due = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(due_ms / 1000))
    async for site in serve(tmp_path, msgspec.structs.replace(ASSIGNMENT, due=due)):
        school = site.school
        sheets = [
            *(slid(school, seat, b"a", hour, due_ms - hour) for seat in range(3, 41)),
            slid(school, 2, b"b", 5_000, None),
            slid(school, 1, b"c", 5_000, due_ms + hour),
        ]
        documents = school.box.envelope(Lane.DOCUMENTS, school.pupils.documents())
        await school.ingest.take([documents, school.box.envelope(Lane.RESULTS, sheets)])
        await page.goto(site.report_url)
        await expect(page.locator("p.late")).to_contain_text("补交： 01 学生01")
        await expect(page.locator("p.late span")).to_have_count(1)
        await expect(page.locator(".notice")).to_contain_text(["有 1 人的作业不知道是什么时候放的"])
        await expect(page.locator(".pupils tr", has_text="学生02").locator(".badge")).to_contain_text(["", "时间不详"])
        assert await no_sideways_scrolling(page)
