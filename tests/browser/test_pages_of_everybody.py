"""Every page of the gateway as the one for whom it is made meets it: signed in, on a desk and on a phone."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

from tests.browser.chromium import CHROMIUM, OPTIONS
from tests.browser.lived_in import LivedIn, lived_in
from tests.browser.test_gateway_pages import OPENED

pytestmark = pytest.mark.asyncio(loop_scope="module")

ANSWERS = {"refused": 403, "nowhere": 404, "link-over": 404}
"""What pages answer with that are not shown with a plain 200."""
ELSEWHERE = {
    *(
        "start-teacher",
        "start-district",
        "start-parent",
        "week",
        "class",
        "report",
        "more",
        "screen",
        "pupil",
        "school",
    ),
    *("school-knowledge", "school-load", "school-adoption", "district", "district-knowledge", "district-load"),
    *("district-adoption", "district-freshness", "nowhere"),
}
"""Pages that `test_gateway_pages` looks at, or parts of such; `make test-long` looks at them here, too."""
ONLY_FAULTS = {"resultTypes": ["violations"]}
BEHIND_BARE = """() => [...document.querySelectorAll("main p, main li, main td, main label, main a")]
    .filter(e => e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).overflow === "visible" && e.clientWidth
        && getComputedStyle(e).display !== "inline").map(e => e.outerHTML.slice(0, 120)).slice(0, 2)"""
"""What runs out of its own box: text over a border, a button over the edge of a card."""


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LivedIn]:
    async with lived_in(tmp_path_factory.mktemp("lived-in"), homeworks=4, size=12) as found:
        yield found


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as play:
        started = await play.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        yield started
        await started.close()


async def browse(browser: Browser, site: LivedIn, who: str, *, phone: bool = False, locale: str = "zh-CN") -> Page:
    """A page of somebody's own browser."""
    context: BrowserContext = await browser.new_context(
        viewport={"width": 360, "height": 800} if phone else {"width": 1280, "height": 900},
        locale=locale,
        color_scheme="dark" if phone else "light",
    )
    if who:
        await context.add_cookies([site.cookie(who)])  # type: ignore[list-item]
    return await context.new_page()


@pytest.mark.parametrize(
    ("phone", "locale", "whole"),
    [
        (False, "zh-CN", False),
        (True, "en", False),
        pytest.param(False, "en", True, marks=pytest.mark.long),
        pytest.param(True, "zh-CN", True, marks=pytest.mark.long),
    ],
)
async def test_no_page_has_a_serious_fault_or_sticks_out(
    site: LivedIn, browser: Browser, *, phone: bool, locale: str, whole: bool
) -> None:
    """Axe takes most of the time: of every two pages it looks at one on the desk and at the other on the phone."""
    pages: dict[str, Page] = {}
    said: list[str] = []
    found: list[object] = []
    names = [name for name in site.addresses if whole or name not in ELSEWHERE]
    for place, name in enumerate(names):
        who, path = site.addresses[name]
        if who not in pages:
            pages[who] = await browse(browser, site, who, phone=phone, locale=locale)
            pages[who].on("console", lambda m: said.append(m.text) if m.type in ("error", "warning") else None)
            pages[who].on("pageerror", lambda error: said.append(str(error)))
        page = pages[who]
        answer = await page.goto(site.url + path)
        assert answer is not None
        assert answer.status == ANSWERS.get(name, 200), name
        opened = await page.evaluate(OPENED)
        if opened != {"hacked": False, "wide": min(0, opened["wide"]), "small": []}:
            found.append((name, opened))
        if out := await page.evaluate(BEHIND_BARE):
            found.append((name, out))
        if not whole and place % 2 != phone:
            continue
        faults = (await Axe().run(page, options=ONLY_FAULTS)).response["violations"]
        broken = [fault for fault in faults if fault["impact"] in ("serious", "critical")]
        found += [(name, fault["id"], [node["html"][:100] for node in fault["nodes"][:2]]) for fault in broken]
    for page in pages.values():
        await page.context.close()
    assert not found, found
    assert [words for words in said if "403" not in words and "404" not in words] == []


async def test_a_teacher_lets_the_parents_see_a_test_and_takes_it_back(site: LivedIn, browser: Browser) -> None:
    teacher = await browse(browser, site, "teacher")
    parent = await browse(browser, site, "parent", phone=True)
    await parent.goto(site.url + site.addresses["pupil-parent"][1])
    test = parent.locator(".sheet", has_text="第三单元测验")
    await expect(test.locator(".badge").first).to_have_text("测验，未发布")
    await expect(test.locator(".signs i")).to_have_count(0)
    await teacher.goto(site.url + site.addresses["report-test"][1])
    await teacher.get_by_role("button", name="发布给家长和学生").click()
    await expect(teacher.get_by_text("学生和家长已经可以看到结果")).to_be_visible()
    await expect(teacher.locator(".release")).to_contain_text("王老师")
    await parent.reload()
    await expect(test.locator(".signs i").first).to_be_attached()
    await teacher.get_by_role("button", name="收回结果").click()
    await expect(teacher.get_by_role("button", name="发布给家长和学生")).to_be_visible()
    await parent.reload()
    await expect(test.locator(".signs i")).to_have_count(0)
    for page in (teacher, parent):
        await page.context.close()


async def test_a_parent_of_one_child_is_at_its_page_at_once(site: LivedIn, browser: Browser) -> None:
    page = await browse(browser, site, "parent", phone=True)
    await page.goto(site.url)
    await expect(page.locator("h1")).to_have_text("学生01")
    await expect(page.get_by_role("status")).to_have_count(0)
    await page.goto(site.url + "/?welcome")
    await expect(page.locator("h1")).to_have_text("学生01")
    await expect(page.get_by_role("status")).to_contain_text("密码已设好")
    await page.context.close()


async def test_what_is_shown_once_has_no_way_that_loses_it(site: LivedIn, browser: Browser) -> None:
    page = await browse(browser, site, "head")
    await page.goto(site.url + site.addresses["keys"][1])
    await expect(page.locator("a[hreflang]")).to_have_count(1)
    await page.get_by_label("给哪个程序用").fill("图书馆")
    await page.get_by_label("导出成绩").check()
    await page.get_by_role("button", name="生成密钥").click()
    await expect(page.get_by_text("classbox.no-1.")).to_be_visible()
    await expect(page.locator("a[hreflang]")).to_have_count(0)
    await page.context.close()


async def test_who_is_refused_need_not_type_it_anew_and_sees_where_that_was(site: LivedIn, browser: Browser) -> None:
    page = await browse(browser, site, "head")
    await page.goto(site.url + site.addresses["keys"][1])
    await page.get_by_label("给哪个程序用").fill("图书馆")
    await page.get_by_label("有效天数").fill("9")
    await page.get_by_role("button", name="生成密钥").click()
    await expect(page.get_by_role("alert")).to_be_visible()
    await expect(page.get_by_label("给哪个程序用")).to_have_value("图书馆")
    await expect(page.get_by_label("有效天数")).to_have_value("9")
    await page.get_by_label("程序的网址").fill("http://a.b")
    await page.get_by_role("button", name="添加").click()
    await expect(page.get_by_label("程序的网址")).to_have_value("http://a.b")
    await expect(page.locator(".office [aria-current]")).to_have_text("程序")
    await page.context.close()


async def test_on_a_phone_the_bar_is_short_and_figures_have_their_words(site: LivedIn, browser: Browser) -> None:
    teacher = await browse(browser, site, "teacher", phone=True)
    await teacher.goto(site.url + site.addresses["report"][1])
    bar = await teacher.locator(".bar").bounding_box()
    assert bar is not None
    assert bar["height"] < 120, "a long title takes one line, the rest another"
    await teacher.context.close()
    district = await browse(browser, site, "district", phone=True)
    await district.goto(site.url + site.addresses["district"][1])
    words = "e => getComputedStyle(e, '::before').content"
    assert "班级" in await district.locator(".schools td[data-label='班级']").first.evaluate(words)
    assert await district.locator(".load td").first.evaluate(words) != "none"
    for box in ("main", ".load-of"):
        assert await district.locator(box).first.evaluate("e => e.scrollWidth - e.clientWidth") <= 0, box
    await district.context.close()


async def test_the_menu_closes_on_escape_and_when_something_else_is_clicked(site: LivedIn, browser: Browser) -> None:
    page = await browse(browser, site, "head")
    await page.goto(site.url + site.addresses["me"][1])
    menu = page.locator("details.menu")
    for close in (page.keyboard.press("Escape"), page.locator("h1").click()):
        await menu.locator("summary").click()
        await expect(menu.locator("nav")).to_be_visible()
        await close
        await expect(menu.locator("nav")).to_be_hidden()
    await page.context.close()


async def test_many_schools_are_narrowed_while_one_types(site: LivedIn, browser: Browser) -> None:
    page = await browse(browser, site, "district")
    await page.goto(site.url)
    shown = page.locator("#schools li:visible")
    await expect(shown).to_have_count(13)
    await page.get_by_role("searchbox").fill("中学")
    await expect(shown).to_have_count(2)
    await page.get_by_role("searchbox").fill("第三")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/schools/no-8")
    await page.context.close()


async def test_who_is_signed_in_is_not_told_to_sign_in(site: LivedIn, browser: Browser) -> None:
    page = await browse(browser, site, "parent")
    await page.goto(site.url + site.addresses["refused"][1])
    await expect(page.locator("main")).to_contain_text("您没有权限看这一页")
    await expect(page.locator("main")).not_to_contain_text("登录")
    await page.context.close()


async def test_on_paper_nothing_stands_that_only_opens_and_letters_can_be_read(site: LivedIn, browser: Browser) -> None:
    for who, name, folded in (("district", "district", ".table-of"), ("teacher", "pupil", ".all-points")):
        page = await browse(browser, site, who)
        await page.goto(site.url + site.addresses[name][1])
        await expect(page.locator(folded).first).to_be_visible()
        await page.emulate_media(media="print")
        await expect(page.locator(folded).first).to_be_hidden()
        await page.context.close()
    page = await browse(browser, site, "teacher")
    await page.goto(site.url + site.addresses["more"][1])
    await page.emulate_media(media="print")
    # Both curves of the S-P table lie on the edges between its cells: where one runs, no row is higher.
    heights = "rows => new Set(rows.map(row => row.getBoundingClientRect().height)).size"
    assert await page.locator(".sp tbody tr").evaluate_all(heights) == 1
    for table in (".sp tbody th", ".ranges td"):
        size = await page.locator(table).first.evaluate("e => parseFloat(getComputedStyle(e).fontSize)")
        assert size >= 12, "9 pt"
    await page.context.close()


async def test_a_printed_page_says_whose_it_is(site: LivedIn, browser: Browser) -> None:
    named = {"more": "三年级2班 · 第三单元", "item": "三年级2班 · 第三单元", "week": "一周", "district": "全区"}
    for name, words in named.items():
        who, path = site.addresses[name]
        page = await browse(browser, site, who)
        await page.goto(site.url + path)
        await page.emulate_media(media="print")
        await expect(page.locator(".bar")).to_be_hidden()
        await expect(page.locator("main").get_by_text(words).first).to_be_visible()
        await page.context.close()


async def test_what_was_written_stands_on_the_printed_page_too(site: LivedIn, browser: Browser) -> None:
    page = await browse(browser, site, "teacher")
    await page.goto(site.url + site.addresses["item"][1])
    await page.emulate_media(media="print")
    marks = page.locator(".answers .mark")
    assert await marks.count() > 0
    await expect(marks.first).to_be_visible()
    await page.context.close()
