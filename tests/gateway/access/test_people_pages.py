"""Letting people in, a substitute for a day, slips for a class, ending it; and reading what was done."""

import re
from collections.abc import AsyncIterator

import pypdfium2
import pytest

from gateway.access.access import Access
from gateway.access.person import Role
from gateway.store.schools import add_school
from gateway.store.stock import Begun
from gateway.store.store import Store
from gateway.web.start_view import next_steps
from tests.gateway.access.conftest import GOOD, Clock
from tests.gateway.access.town import CLASS, OTHER_CLASS, OWN, Town, granted, town
from ui.language import translator

PEOPLE = f"/schools/{OWN}/people"
REPORTS = f"/schools/{OWN}/classes/{CLASS}/assignments/g3-mul-2x1"
VISIT = {"Sec-Fetch-Mode": "navigate"}
SUBSTITUTE = {"name": "赵老师", "login": "zhao", "role": "substitute", "class_name": CLASS, "subject": "数学"}
NEW = {"password": "another fine sentence", "again": "another fine sentence"}


@pytest.fixture
async def there(store: Store, access: Access) -> AsyncIterator[Town]:
    async with town(store, access) as running:
        yield running


async def text_of(there: Town, who: str, path: str, method: str = "GET", **more: object) -> str:
    return await (await there.ask(who, path, method, **more)).text()  # type: ignore[arg-type]


async def comes_in(there: Town, page: str, who: str) -> None:
    """By the link that a page shows, with a browser of their own."""
    (link,) = re.findall(r"http://[^<]*(/(?:invite|reset)/[\w-]{43})", page)
    done = await there.ask(None, link, "POST", data=NEW)
    assert done.status == 303, await done.text()
    there.tokens[who] = done.cookies["classbox"].value


async def test_an_admin_without_a_second_factor_is_led_to_set_one_up(there: Town) -> None:
    for place in ("/people", PEOPLE):
        led = await there.ask("admin", place, headers=VISIT)
        assert led.headers["Location"] == "/me?second"
        assert await there.status("admin", place) == 403
        assert await there.status("strong", place) == 200
    home = await there.ask("admin", "/", headers=VISIT)
    assert home.headers.get("Location") == "/me?second" or "/me?second" in await home.text()


async def test_who_is_invited_is_at_the_own_classes_at_once_and_an_admin_at_the_second_step(there: Town) -> None:
    teacher = {"name": "赵老师", "login": "zhao", "role": "teacher", "class_name": CLASS, "subject": ""}
    admin = {"name": "林管理员", "login": "lin", "role": "admin"}
    for who, where, form, led in (("head", PEOPLE, teacher, "/?welcome"), ("strong", "/people", admin, "/me/code")):
        page = await text_of(there, who, f"{where}/invite", "POST", data=form)
        (link,) = re.findall(r"http://[^<]*(/invite/[\w-]{43})", page)
        done = await there.ask(None, link, "POST", data=NEW)
        assert done.headers["Location"] == led
        there.tokens[form["login"]] = done.cookies["classbox"].value
    welcome = await text_of(there, "zhao", "/?welcome")
    assert f"/classes/{CLASS}" in welcome
    assert "/me#second" in welcome
    assert "/me#second" not in await text_of(there, "zhao", "/")


async def test_a_teacher_is_what_is_offered_first_and_every_role_is_called_alike(there: Town) -> None:
    chinese = {"Accept-Language": "zh-CN"}
    page = await text_of(there, "head", PEOPLE, headers=chinese)
    assert re.findall(r'<option value="([a-z]+)"', page)[:2] == ["teacher", "substitute"]
    page = await text_of(there, "strong", "/people", headers=chinese)
    (words,) = set(re.findall(r'<option value="district">([^<]+)<', page))
    assert page.count(words) > 2, "in the list, too"
    assert "新密码" in await text_of(there, "head", "/me", headers=chinese)


async def test_many_schools_are_found_by_name_and_stand_in_its_order(there: Town) -> None:
    async with there.store.writing() as connection:
        for number in range(3, 20):
            await add_school(connection, there.store.vault, f"no-{number}", title=f"第{number}小学")
    for who, path in (("strong", "/people"), ("strong", "/"), ("district", "/")):
        page = await text_of(there, who, path)
        shown = re.findall(r"<li><a href=\"[^\"]*no-\d+[^\"]*\">([^<]*)</a>", page)
        assert shown == ["no-1", "no-2", *(f"第{number}小学" for number in range(3, 20))], (who, path)
        page = await text_of(there, who, path, params={"find": " 第1"})
        shown = re.findall(r"<li><a href=\"[^\"]*no-\d+[^\"]*\">([^<]*)</a>", page)
        assert shown == [f"第{number}小学" for number in range(10, 20)]
        assert 'id="schools-none" hidden' in page
        assert 'id="schools-none">' in await text_of(there, who, path, params={"find": "<script>"})


async def test_who_teaches_where_nothing_has_come_reads_what_comes_next(there: Town) -> None:
    async with there.store.writing() as connection:
        await add_school(connection, there.store.vault, "no-9")
    await there.let_in(
        {
            "listed": (granted(Role.HEAD, "no-2"),),
            "bare": (granted(Role.HEAD, "no-9"),),
            "lent": (granted(Role.TEACHER, "no-9", "9-1", subject="math"),),
        }
    )
    for who, said, link in (
        ("listed", "Slide the first stack", ""),
        ("bare", "First bring in the class list", 'href="/schools/no-9/rosters"'),
        ("lent", "Slide the first stack", ""),
        ("head", "", ""),
    ):
        whole = await text_of(there, who, "/", headers={"Accept-Language": "en"})
        page = whole.partition("What to do next")[2].partition("</section>")[0]
        assert said in page
        assert (link in page, "<a " in page, bool(page)) == (True, bool(link), bool(said)), who


async def test_a_first_step_is_a_page_where_the_reader_may_open_it() -> None:
    begun, said = Begun(schools=True, pupils=False, sheets=False), translator("en").gettext
    lists, boxes, slide = next_steps(begun, "/lists", "/boxes", said)
    assert (lists.address, boxes.address, slide.address) == ("/lists", "/boxes", "")
    assert "classgate" not in lists.words + boxes.words
    assert ["classgate" in step.words for step in next_steps(begun, "", "", said)] == [True, True, False]


async def test_a_substitute_is_let_in_by_a_teacher_teaches_the_day_and_is_out_at_midnight(
    there: Town, clock: Clock
) -> None:
    assert (await there.ask("maths", "/people")).headers["Location"] == PEOPLE
    page = await text_of(there, "maths", f"{PEOPLE}/invite", "POST", data=SUBSTITUTE)
    await comes_in(there, page, "zhao")
    assert await there.status("zhao", REPORTS) == 200
    for closed in (f"{REPORTS}.csv", PEOPLE, f"/schools/{OWN}/classes/{OTHER_CLASS}/assignments/g3-mul-2x1"):
        assert await there.status("zhao", closed) == 403
    assert "代课" in await text_of(there, "zhao", "/me")
    for _ in range(16):
        clock.pass_hours(1)
        await there.status("zhao", "/me")
    assert await there.status("zhao", REPORTS) == 403


BEYOND = [
    ("maths", {"role": "teacher"}, 403),
    ("maths", {"subject": "语文"}, 403),
    ("maths", {"subject": ""}, 403),
    ("whole", {"class_name": OTHER_CLASS}, 403),
    ("whole", {"role": "head"}, 403),
    ("head", {"role": "admin"}, 403),
    ("head", {"role": "head"}, 403),
    ("head", {"role": "parent"}, 403),
    ("head", {"role": "emperor"}, 400),
    ("head", {"class_name": ""}, 400),
    ("head", {"login": "whole"}, 400),
    ("head", {"login": "<b>"}, 400),
    ("head", {"name": ""}, 400),
    ("substitute", {}, 403),
    ("parent", {}, 403),
    ("admin", {}, 403),
]


async def test_nobody_lets_anybody_in_beyond_the_own_place(there: Town) -> None:
    for who, change, status in BEYOND:
        form = {**SUBSTITUTE, **change}
        assert await there.status(who, f"{PEOPLE}/invite", "POST", data=form) == status, (who, change)
        more = {**form, "login": "nothing"}
        if status == 403:
            assert await there.status(who, f"{PEOPLE}/grant", "POST", data=more) == 403, (who, change)
    assert await there.status("head", f"{PEOPLE}/grant", "POST", data={**SUBSTITUTE, "login": "nobody"}) == 400
    assert await there.status("strong", "/people/invite", "POST", data={**SUBSTITUTE, "role": "district"}) == 200
    assert await there.status("head", "/people/invite", "POST", data={**SUBSTITUTE, "role": "district"}) == 403


async def test_a_head_lets_a_teacher_in_and_ends_it_and_open_sessions_feel_it_at_once(there: Town) -> None:
    form = {**SUBSTITUTE, "role": "teacher", "subject": ""}
    await comes_in(there, await text_of(there, "head", f"{PEOPLE}/invite", "POST", data=form), "zhao")
    assert await there.status("zhao", f"{REPORTS}.csv") == 200
    more = {"login": "zhao", "role": "teacher", "class_name": OTHER_CLASS}
    assert await there.status("head", f"{PEOPLE}/grant", "POST", data=more) == 303
    assert await there.status("zhao", REPORTS.replace(CLASS, OTHER_CLASS)) == 200
    page = await text_of(there, "head", PEOPLE)
    row = page[page.index("赵老师") :]
    numbers = re.findall(r'name="grant" value="(\d+)"', row)[:2]
    for number in numbers:
        assert await there.status("head", f"{PEOPLE}/end", "POST", data={"grant": number}) == 303
    assert await there.status("zhao", REPORTS) == 403
    assert await there.status("whole", f"{PEOPLE}/end", "POST", data={"grant": numbers[0]}) == 404
    assert await there.status("head", f"{PEOPLE}/end", "POST", data={"grant": "1"}) == 404
    assert await there.status("head", f"{PEOPLE}/end", "POST", data={"grant": "x"}) == 400


async def test_nobody_gets_a_link_to_an_account_that_may_more_than_they_can_give(there: Town) -> None:
    def asked(who: str) -> dict[str, str]:
        return {"person": str(there.ids[who])}

    for giver, target, status in (
        *(("head", "whole", 200), ("head", "strong", 403), ("head", "district", 403), ("head", "head", 403)),
        *(("whole", "maths", 403), ("whole", "head", 403), ("whole", "parent", 200), ("maths", "parent", 403)),
        *(("strong", "head", 200), ("strong", "nothing", 200), ("head", "nothing", 403)),
    ):
        place = PEOPLE if giver != "strong" else "/people"
        assert await there.status(giver, f"{place}/link", "POST", data=asked(target)) == status, (giver, target)
        if status == 403:
            assert await there.status(giver, f"{place}/close", "POST", data=asked(target)) == 403, (giver, target)
    await comes_in(there, await text_of(there, "head", f"{PEOPLE}/link", "POST", data=asked("whole")), "anew")
    assert await there.status("anew", REPORTS) == 200
    assert await there.status("whole", REPORTS) == 401, "what was signed in before is out"


async def test_a_closed_account_is_out_at_once_and_can_be_let_in_again(there: Town) -> None:
    asked = {"person": str(there.ids["whole"])}
    assert await there.status("head", f"{PEOPLE}/close", "POST", data=asked) == 303
    assert await there.status("whole", REPORTS) == 401
    assert await there.status(None, "/login", "POST", data={"name": "whole", "password": GOOD}) == 403
    assert await there.status("head", f"{PEOPLE}/close", "POST", data={**asked, "undo": "1"}) == 303
    assert await there.status(None, "/login", "POST", data={"name": "whole", "password": GOOD}) == 303


async def test_names_that_are_markup_stay_text(there: Town) -> None:
    page = await text_of(
        there, "head", f"{PEOPLE}/invite", "POST", data={**SUBSTITUTE, "name": "<script>alert(1)</script>"}
    )
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page


# --- slips ----------------------------------------------------------------------------------------------------


def words_of(pdf: bytes) -> str:
    document = pypdfium2.PdfDocument(pdf)
    return "".join(page.get_textpage().get_text_bounded() for page in document)


async def test_a_class_gets_slips_each_good_for_one_child_and_once(there: Town) -> None:
    place = f"{PEOPLE}/classes/{CLASS}"
    for closed in ("maths", "parent", "substitute", "district"):
        assert await there.status(closed, f"{place}/slips", "POST", data={"role": "parent"}) == 403
    answer = await there.ask("whole", f"{place}/slips", "POST", data={"role": "pupil"})
    assert answer.headers["Content-Type"] == "application/pdf"
    text = "".join(words_of(await answer.read()).replace("\u200b", "").split())
    links = re.findall(r"/invite/([\w-]{43})", text)
    assert len(set(links)) == 12
    assert all(f"学生{seat:02d}" in text for seat in range(1, 13))
    done = await there.ask(None, f"/invite/{links[0]}", "POST", data=NEW)
    there.tokens["child"] = done.cookies["classbox"].value
    assert await there.status("child", REPORTS) == 403
    again = words_of(await (await there.ask("head", f"{place}/slips", "POST", data={"role": "pupil"})).read())
    assert again.replace("\u200b", "").count("http") == 11, "who has a password gets no slip"
    assert "（11 张）" in await text_of(there, "whole", place)


async def test_an_account_says_nothing_of_the_child(there: Town) -> None:
    place = f"{PEOPLE}/classes/{CLASS}"
    await there.status("whole", f"{place}/slips", "POST", data={"role": "parent"})
    assert "学生01" in await text_of(there, "whole", place)
    admins = await text_of(there, "strong", place)
    assert "学生01" not in admins
    assert "#1" in admins
