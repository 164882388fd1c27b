"""Class lists on the school's pages: nothing is kept before it was looked at, and nothing is lost."""

import io
from collections.abc import AsyncIterator

import pytest
from openpyxl import Workbook
from sqlalchemy import select

from gateway.store.class_lists import whole_roster
from gateway.store.dialect import lock_school
from gateway.store.past_lists import MOST_KEPT, all_past, forget_in_past, remember
from gateway.store.schools import add_school, school_key
from gateway.store.store import Store
from gateway.store.tables.schools import down_log, past_lists
from homework.roster import Pupil, Roster
from sync.pseudonym import pseudonym
from tests.gateway.office import Office, hidden, open_office, said
from tests.homework.oneroster_zips import small_school, zipped

HEADER = "班级\t座号\t姓名\n"
LISTS = "/schools/no-1/rosters"
FIRST = "3-1\t1\t王小明\n3-1\t2\t李华\n3-2\t1\t张伟\n"


@pytest.fixture
async def school(store: Store) -> Store:
    async with store.writing() as connection:
        await add_school(connection, store.vault, "no-1")
    return store


@pytest.fixture
async def office(school: Store) -> AsyncIterator[Office]:
    async with open_office(school) as opened:
        yield opened


async def pupils(store: Store) -> Roster:
    async with store.reading() as connection:
        return await whole_roster(connection, store.vault, "no-1")


async def keep(office: Office, text: str, **fields: str) -> str:
    page = await office.post(LISTS, {"list": text, **fields})
    return await office.post(LISTS + "/keep", {"body": hidden(page, "body")})


async def test_a_list_is_looked_at_kept_and_goes_to_the_boxes(office: Office, school: Store) -> None:
    assert "Bring in the first class lists" in await office.get(LISTS)
    page = await office.post(LISTS, {"list": FIRST})
    assert "3 new" in said(page)
    assert "Nothing is kept yet." in said(page)
    assert (await pupils(school)).pupils == ()
    page = await office.post(LISTS + "/keep", {"body": hidden(page, "body")})
    assert "3-1, 3-2: the list is kept. The boxes get it" in said(page)
    assert [(p.class_name, p.seat, p.name) for p in (await pupils(school)).pupils] == [
        ("3-1", 1, "王小明"),
        ("3-1", 2, "李华"),
        ("3-2", 1, "张伟"),
    ]
    async with school.reading() as connection:
        assert set(await connection.scalars(select(down_log.c.key))) == {"3-1", "3-2"}


async def test_the_preview_says_who_is_new_gone_moved_and_renamed(office: Office, school: Store) -> None:
    await keep(office, FIRST)
    ids = {p.name: p.pupil_id for p in (await pupils(school)).pupils}
    page = said(
        await office.post(LISTS, {"list": f"班级\t座号\t姓名\t学号\n3-1\t2\t王小明\t{ids['王小明']}\n3-1\t3\t赵六\t\n"})
    )
    assert "1 new, 1 gone, 1 on another seat or from another class" in page
    assert "No longer in the list: 02 李华" in page
    page = said(
        await office.post(LISTS, {"list": f"班级\t座号\t姓名\t学号\n3-1\t1\t王晓明\t{ids['王小明']}\n3-1\t2\t李华\t\n"})
    )
    assert "1 renamed" in page
    page = said(
        await office.post(LISTS, {"list": f"班级\t座号\t姓名\t学号\n3-2\t5\t王小明\t{ids['王小明']}\n3-2\t1\t张伟\t\n"})
    )
    assert "3-1 1 pupil, 1 to another class" in page
    assert "Nothing would change." in said(await office.post(LISTS, {"list": FIRST}))


async def test_that_most_of_a_class_would_leave_is_asked_about(office: Office) -> None:
    await keep(office, HEADER + "".join(f"3-1\t{n}\t生{n}\n" for n in range(1, 11)))
    alarm = "Most of this class would leave it."
    assert alarm in await office.post(LISTS, {"list": "3-1\t1\t别人\n3-1\t2\t另人\n"})
    assert alarm not in await office.post(LISTS, {"list": HEADER + "".join(f"3-1\t{n}\t生{n}\n" for n in range(1, 9))})


async def test_a_list_of_before_is_put_back_and_that_too(office: Office, school: Store) -> None:
    await keep(office, FIRST)
    before = await pupils(school)
    await keep(office, "3-1\t1\t别人\n3-1\t2\t张伟\n4-1\t1\t新来\n")
    assert (await pupils(school)) != before
    page = await office.post(LISTS + "/past/2", {})
    assert "The lists as they were before" in page
    assert "1 new" not in page  # 王小明 and 李华 come back as who they were
    await office.post(LISTS + "/keep", {"body": hidden(page, "body")})
    assert await pupils(school) == before
    page = await office.post(LISTS + "/past/3", {})
    await office.post(LISTS + "/keep", {"body": hidden(page, "body")})
    assert {p.name for p in (await pupils(school)).pupils} == {"别人", "张伟", "新来"}
    await office.post(LISTS + "/past/99", {}, status=404)


async def test_what_is_kept_of_before_is_sealed_bounded_and_forgets_whom_it_must(school: Store) -> None:
    async with school.writing() as connection:
        await lock_school(connection, "no-1")
        for n in range(MOST_KEPT + 3):
            before = {"3-1": (Pupil("3-1", 1, "王小明", "A"), Pupil("3-1", 2, f"生{n}", f"B{n}"))}
            await remember(connection, school.vault, "no-1", before, person=7)
    async with school.reading() as connection:
        kept = list(await connection.scalars(select(past_lists.c.sealed)))
        key = await school_key(connection, school.vault, "no-1")
    assert len(kept) == MOST_KEPT
    assert not any("王小明".encode() in sealed for sealed in kept)
    async with school.writing() as connection:
        await forget_in_past(connection, school.vault, "no-1", {pseudonym(key, "A")})
    async with school.reading() as connection:
        past = await all_past(connection, school.vault, "no-1")
    assert len(past) == MOST_KEPT
    assert {p.name for one in past for members in one.classes.values() for p in members} == {
        f"生{n}" for n in range(3, MOST_KEPT + 3)
    }


async def test_what_was_looked_at_is_what_is_kept(office: Office, school: Store) -> None:
    """Somebody else changed the class between the look and the word."""
    await keep(office, FIRST)
    page = await office.post(LISTS, {"list": "3-1\t1\t王小明\n"})
    other = await office.post(LISTS, {"list": "3-2\t9\t张伟\n"})
    await keep(office, "3-1\t1\t王小明\n3-1\t2\t李华\n3-1\t3\t赵六\n")
    refused = await office.post(LISTS + "/keep", {"body": hidden(page, "body")}, status=400)
    assert "Somebody has changed these classes meanwhile." in refused
    assert len((await pupils(school)).of_class("3-1")) == 3
    await office.post(LISTS + "/keep", {"body": hidden(other, "body")})  # of another class: nobody did
    assert (await pupils(school)).of_class("3-2")[0].seat == 9


async def test_files_of_excel_and_of_the_register_come_in(office: Office, school: Store) -> None:
    book = Workbook()
    assert book.active is not None
    book.active.append(("座号", "姓名", "身份证号"))
    book.active.append((1, "王小明", "110101201501011234"))
    out = io.BytesIO()
    book.save(out)
    page = await office.post(LISTS, {"class": "3-1"}, file=("三1.xlsx", out.getvalue()))
    assert "national numbers was left out" in page
    assert "110101" not in page
    page = await office.post(LISTS, {}, file=("o.zip", zipped(small_school())))
    assert "Seats were counted in the order of the file in: 3-1, 3-2." in page
    assert "users.csv" not in said(page)  # nothing was left out there
    assert "classes.csv 5 its term is over" in said(page)
    await office.post(LISTS + "/keep", {"body": hidden(page, "body")})
    assert len((await pupils(school)).pupils) == 5


async def test_of_several_schools_in_a_file_one_is_chosen(office: Office) -> None:
    files = small_school()
    files["orgs.csv"] += "S2,,,第二小学,school,3102,D\r\n"
    files["classes.csv"] += "c91,,,3-1,03,K,C91,homeroom,,S2,T1,,,\r\n"
    page = await office.post(LISTS, {}, file=("o.zip", zipped(files)), status=400)
    assert '<option value="S2">第二小学 (3102)</option>' in page
    page = await office.post(LISTS, {"from_school": "S1"}, file=("o.zip", zipped(files)))
    assert "5 new" in page


async def test_one_class_is_edited(office: Office, school: Store) -> None:
    await keep(office, FIRST)
    page = await office.get(LISTS + "/classes/3-1")
    one, two = (await pupils(school)).of_class("3-1")
    form = {"before": hidden(page, "before"), "pupil-1": one.pupil_id, "seat-1": "7", "name-1": "王晓明"}
    form |= {"pupil-2": two.pupil_id, "seat-2": "2", "name-2": "李华", "class-2": "3-2"}
    page = await office.post(LISTS + "/classes/3-1", form)
    assert "Kept." in page
    found = await pupils(school)
    assert found.of_class("3-1") == (Pupil("3-1", 7, "王晓明", one.pupil_id),)
    assert found.by_id(two.pupil_id) == Pupil("3-2", 2, "李华", two.pupil_id)
    refused = await office.post(LISTS + "/classes/3-1", form, status=400)
    assert "changed on another page" in refused
    page = await office.get(LISTS + "/classes/3-1")
    form = {"before": hidden(page, "before"), "pupil-1": one.pupil_id, "seat-1": "1", "name-1": "王", "class-1": "3-2"}
    assert "Seat 1 of class 3-2 is taken." in await office.post(LISTS + "/classes/3-1", form, status=400)
    form |= {"class-1": "3-1", "remove-1": "on"}
    assert "3-1" not in said(await office.post(LISTS + "/classes/3-1", form)).replace("before 3-1", "")[:60]
    assert (await pupils(school)).classes() == ("3-2",)
    await office.get(LISTS + "/classes/3-1", status=404)


async def test_the_lists_are_taken_away_as_files_that_come_in_again(office: Office, school: Store) -> None:
    await keep(office, FIRST)
    kept = await pupils(school)
    page = await office.post(LISTS, {}, file=("a.csv", await office.body(LISTS + "/list.csv")))
    assert "Nothing would change." in page
    assert (await office.body(LISTS + "/classes/3-2/list.csv")).decode("utf-8-sig").splitlines()[1:] == [
        f"3-2,1,张伟,{kept.of_class('3-2')[0].pupil_id}"
    ]


UNUSABLE = {
    "": "The list is empty.",
    "1\t王小明\n": "does not say which class",
    "3-1\t1\t王小明\n3-1\t1\t李华\n": "was taken on line",
    HEADER + "3-1\t1\t=HYPERLINK(1)\n3-1\t2\t李华\n": "begins with =",
    "class,seat,name\n": "no pupils",
    "3-1\t1\t王小明\t110101201501011234\n3-1\t2\t110101201501011235\n": "national",
    '3-1\t1\t"王小明\n': "cannot be told apart",
    HEADER + "3-1\t100\t王小明\n3-1\t2\t李华\n": "no number from 1 to 99",
}


async def test_what_cannot_be_used_is_said_and_the_text_stays(office: Office) -> None:
    for text, word in UNUSABLE.items():
        page = await office.post(LISTS, {"list": text}, status=400)
        assert word in said(page), text
        assert "110101" not in page
        assert ("李华" in said(page)) == ("李华" in text)


async def test_what_no_preview_made_is_refused(office: Office, school: Store) -> None:
    await keep(office, FIRST)
    for body in ("", "{}", "[]", "null", '{"pupils": 3}', '{"pupils": [], "emptied": ["=1"]}', "[" * 2000):
        await office.post(LISTS + "/keep", {"body": body}, status=400)
    assert len((await pupils(school)).pupils) == 3


async def test_a_forged_page_and_a_strangers_page_change_nothing(office: Office, school: Store) -> None:
    await keep(office, FIRST)
    page = await office.post(LISTS, {"list": "3-1\t1\t新来\n"})
    body = hidden(page, "body")
    forged = body.replace("新来", "=cmd|calc")
    assert forged != body
    await office.post(LISTS + "/keep", {"body": forged}, status=400)
    await office.post(LISTS + "/keep", {"body": body}, status=403, **{"Sec-Fetch-Site": "cross-site"})
    assert len((await pupils(school)).pupils) == 3


async def test_a_name_is_never_markup(office: Office) -> None:
    page = await office.post(LISTS, {"list": HEADER + "3-1\t1\t<script>x</script>\n<b>\t2\t'><img src=x>\n"})
    assert "<script>x" not in page
    assert "<img" not in page
    page = await office.post(LISTS + "/keep", {"body": hidden(page, "body")})
    assert "<b>" not in page
    assert "<script>x" not in await office.get(LISTS + "/classes/3-1")


async def test_a_school_that_is_not_there_has_no_lists(office: Office) -> None:
    assert "no school" in await office.get("/schools/no-9/rosters", status=400)
