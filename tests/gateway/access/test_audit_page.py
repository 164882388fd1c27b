"""What was done at a school, as its head and the administrator read it."""

import re
from collections.abc import AsyncIterator

import pytest

from gateway.access.access import Access
from gateway.access.deeds import Deed, Thing
from gateway.access.program_keys import keys_of
from gateway.reports.periods import day_at
from gateway.store.audit_lines import write_line
from gateway.store.store import Store
from gateway.web.audit_words import COUNTED, DONE, deed_words
from tests.gateway.access.conftest import Clock
from tests.gateway.access.test_people_pages import PEOPLE, REPORTS, SUBSTITUTE
from tests.gateway.access.town import ASSIGNMENT, CLASS, OTHER, OWN, Town, town
from ui.language import translator


@pytest.fixture
async def there(store: Store, access: Access) -> AsyncIterator[Town]:
    async with town(store, access) as running:
        yield running


async def text_of(there: Town, who: str, path: str) -> str:
    answer = await there.ask(who, path)
    return await answer.text()


async def test_a_head_reads_what_was_done_at_the_own_school_and_names_only_there(there: Town) -> None:
    await there.status("whole", REPORTS)
    await there.status("chinese", REPORTS)
    await there.status("head", f"{PEOPLE}/invite", "POST", data=SUBSTITUTE)
    page = await text_of(there, "head", "/audit")
    for word in ("Name of whole (whole)", "拒绝", "赵老师 (zhao)", "班级报告"):
        assert word in page
    assert await there.status("head", f"/audit?school={OTHER}") == 403
    assert await there.status("whole", "/audit") == 403
    wide = await text_of(there, "admin", "/audit")
    assert "班级报告" not in wide, "what was done at a school stands there"
    assert "Name of whole (whole)" in await text_of(there, "admin", f"/audit?school={OWN}")


async def test_lines_are_words_and_name_pupils_homework_and_programs(there: Town) -> None:
    """No code of ours, no beginning of a pseudonym, no id of a worksheet."""
    pupil = there.pupil().hex()
    for path in (f"/schools/{OWN}/pupils/{pupil}", REPORTS, f"{REPORTS}.csv"):
        assert await there.status("whole", path) == 200
    await there.status("whole", f"/schools/{OWN}/pupils/{pupil}/comment", "POST", data={"comment": "好"})
    await there.status("head", f"{PEOPLE}/invite", "POST", data=SUBSTITUTE)
    await there.status("head", f"/schools/{OWN}/keys", "POST", data={"title": "看板", "see-class": "1", "days": "9"})
    async with there.store.reading() as connection:
        (key,) = await keys_of(connection, OWN)
    there.access.audit.note(key.id, Deed.SEE_CLASS, Thing(OWN, CLASS, ASSIGNMENT.id))
    page = await text_of(there, "head", "/audit")
    for words in (
        "3-1 学生01",
        ASSIGNMENT.title,
        "导出班级报告（表格）",
        "写老师的话",
        "邀请：老师",
        "新建程序密钥",
        "程序 看板",
    ):
        assert words in page, words
    for code in (pupil[:8], ".csv", ASSIGNMENT.id, "invite", "manage-", "see-class", str(key.id)):
        assert code not in re.sub(r'(href|value)="[^"]*"', "", page.partition("<tbody>")[2]), code
    english = await (await there.ask("head", "/audit", headers={"Accept-Language": "en"})).text()
    assert "Class report taken along as a table" in english
    assert "#1" in await text_of(there, "strong", f"/audit?school={OWN}"), "an administrator reads no child's name"


async def test_a_mark_that_was_turned_names_the_item_and_the_pupil_to_those_who_may_know(there: Town) -> None:
    marks = [f"{REPORTS}/items/{ASSIGNMENT.items[2].id}/marks"] * 2
    for path, mark in zip(marks, ("2:1:no", "2:1:yes"), strict=True):
        assert await there.status("whole", path, "POST", data={"mark": mark}) == 303
    head, other = await text_of(there, "head", "/audit"), await text_of(there, "strong", f"/audit?school={OWN}")
    for page, whose in ((head, "3-1 学生02"), (other, "#2")):
        assert f"题号 {ASSIGNMENT.items[2].id}" in page
        assert whose in page
    assert "学生02" not in other


async def test_boxes_and_records_are_called_as_in_the_menu(there: Town) -> None:
    there.access.audit.note(there.ids["strong"], Deed.DECIDE_HELD, Thing(OWN), "of a newer version")
    there.access.audit.note(there.ids["strong"], Deed.MANAGE_BOXES, Thing(OWN), "of a newer version")
    page = await text_of(there, "head", "/audit")
    menu = [translator("zh-CN").gettext(words) for words in ("Boxes", "Held records")]
    assert menu == ["盒子", "待处理记录"]
    assert [word for word in menu if word not in page] == []


async def test_what_one_person_did_or_what_was_done_on_a_day_is_found(there: Town, clock: Clock) -> None:
    clock.pass_hours(-48)
    there.access.audit.note(there.ids["whole"], Deed.CORRECT, Thing(OWN, CLASS, "by-whole"))
    clock.pass_hours(48)
    there.access.audit.note(there.ids["maths"], Deed.CORRECT, Thing(OWN, CLASS, "by-maths"))
    later = day_at(clock()).isoformat()
    both = {"by-whole", "by-maths"}
    for query, found in {
        "person=whole": {"by-whole"},
        "person=Name of maths": {"by-maths"},
        f"person={there.ids['whole']}": {"by-whole"},
        f"day={later}": {"by-maths"},
        f"day={later}&person=whole": set(),
        "person=nobody&day=": set(),
        "person=head'; --": set(),
        f"person={'9' * 40}": set(),
        "day=2026-02-31": both,
        "day=0001-01-01": both,
        "day=9999-12-31": both,
        "person=&day=": both,
    }.items():
        page = await text_of(there, "head", f"/audit?{query}")
        assert {one for one in both if one in page} == found, query
    assert "这里没有叫这个名字的人" in await text_of(there, "head", "/audit?person=nobody")


async def test_every_room_that_is_written_down_has_words(there: Town) -> None:
    """A deed that nobody gave words would stand there as a code."""
    chinese, english = (translator(language).gettext for language in ("zh-CN", "en"))
    for room in there.rooms.rooms:
        if room.deed in (Deed.OPEN, Deed.SEE_START):
            continue
        words = deed_words(room.deed, "something new", chinese)
        assert words != room.deed, room
        assert words != deed_words(room.deed, "something new", english), f"{words} is not translated"
    for (deed, detail), words in DONE.items():
        assert deed_words(deed, detail, chinese) != words, f"{words} is not translated"
    for deed, words in COUNTED.items():
        assert chinese(words) != words, f"{words} is not translated"
        assert "{" not in deed_words(deed, "pages=3", chinese)


async def test_absences_erasures_and_archives_are_told_in_their_own_words(there: Town, clock: Clock) -> None:
    now_ms, pupil = clock.now_ms, Thing(OWN, CLASS, ASSIGNMENT.id, bytes(8))
    for detail in ("excused", "exempt", "back", "undo"):
        there.access.audit.note(there.ids["whole"], Deed.SAY_ABSENT, pupil, detail)
    async with there.store.writing() as connection:
        for deed, thing, detail in (
            ("forget", f"pupil={bytes(8).hex()}", "pages=17"),
            ("came-erased", "", "records=3"),
            ("archive", "month=202609", "rows=1234"),
        ):
            await write_line(connection, OWN, deed=deed, thing=thing, detail=detail, at_ms=now_ms)
    page = await text_of(there, "head", "/audit")
    for words in ("登记请假", "登记免做", "登记为应交", "撤回", "17 份", "3 份", "1234 份", "月份 202609"):
        assert words in page


async def test_old_lines_are_behind_a_link_and_a_broken_place_begins_at_the_newest(there: Town, clock: Clock) -> None:
    for n in range(120):
        clock.pass_ms(1)
        there.access.audit.note(there.ids["whole"], Deed.CORRECT, Thing(OWN, CLASS, f"n-{n:03d}"))
    page = await text_of(there, "head", "/audit")
    assert "n-119" in page
    assert "n-019" not in page
    (older,) = re.findall(r'href="(/audit\?[^"]*before=[^"]*)"', page)
    second = await text_of(there, "head", older.replace("&amp;", "&"))
    assert "n-019" in second
    assert "最新的" in second
    for broken in ("x", "1-", "-1", "9" * 30 + "-1", "1-" + "9" * 30):
        assert await there.status("head", f"/audit?before={broken}") == 200
