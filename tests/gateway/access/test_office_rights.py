"""Who may what on the pages of a school's office, where one address is about more than one class or subject."""

import msgspec
import pytest
from sqlalchemy import select

from gateway.access.access import Access
from gateway.rosters import Wish
from gateway.store.class_lists import keep_classes, whole_roster
from gateway.store.dialect import lock_school
from gateway.store.schools import add_school
from gateway.store.store import Store
from gateway.store.tables.people import audit
from homework.roster import Pupil, Roster
from tests.gateway.access.town import ASSIGNMENT, CLASS, OTHER_CLASS, OWN, Town, town

LISTS, HOMEWORK = f"/schools/{OWN}/rosters", f"/schools/{OWN}/homework"


async def pupils(store: Store) -> Roster:
    async with store.reading() as connection:
        return await whole_roster(connection, store.vault, OWN)


async def text(there: Town, who: str, path: str, method: str = "GET", **more: object) -> tuple[int, str]:
    answer = await there.ask(who, path, method, headers={"Accept-Language": "en"}, **more)
    return answer.status, await answer.text()


async def test_a_list_that_reaches_into_another_teachers_class_is_refused_whole(store: Store, access: Access) -> None:
    async with town(store, access) as there:
        before = await pupils(store)
        _status, page = await text(there, "whole", LISTS)
        assert (f">{CLASS}<" in page, f">{OTHER_CLASS}<" in page) == (True, False)

        stolen = before.of_class(OTHER_CLASS)[0]
        for rows in (f"{OTHER_CLASS}\t1\t新来\n", f"{CLASS}\t50\t{stolen.name}\t{stolen.pupil_id}\n"):
            sent = {"list": "班级\t座号\t姓名\t学号\n" + rows}
            status, page = await text(there, "whole", LISTS, "POST", data=sent)
            assert (status, f"classes that are not yours: {OTHER_CLASS}." in page) == (400, True)
            assert stolen.name not in page.split("</textarea>")[1]

        forged = Wish((Pupil(OTHER_CLASS, 1, "新来", "N"),)).looked_at(before)
        body = {"body": msgspec.json.encode(forged).decode()}
        assert (await text(there, "whole", LISTS + "/keep", "POST", data=body))[0] == 400
        assert await pupils(store) == before
        assert await there.status("head", LISTS + "/keep", "POST", data=body) == 303
        assert [p.name for p in (await pupils(store)).of_class(OTHER_CLASS)] == ["新来"]


async def test_the_start_page_leads_to_what_each_may(store: Store, access: Access) -> None:
    async with town(store, access) as there:
        ways = {"head": ("rosters", "homework"), "maths": ("homework",), "strong": ("boxes", "held"), "parent": ()}
        for who, pages in ways.items():
            _status, page = await text(there, who, "/")
            found = [name for name in ("rosters", "homework", "boxes", "held") if f"/schools/{OWN}/{name}" in page]
            assert found == list(pages), who
        assert "no-2" not in (await text(there, "head", "/"))[1]


async def test_in_a_district_everybody_still_finds_the_own_school(store: Store, access: Access) -> None:
    async with town(store, access) as there:
        async with store.writing() as connection:
            for number in range(3, 9):
                await add_school(connection, store.vault, f"no-{number}")
        ways = {"head": ("rosters", "homework"), "maths": ("homework",), "strong": (), "parent": ()}
        for who, pages in ways.items():
            _status, page = await text(there, who, "/")
            found = [name for name in ("rosters", "homework", "boxes", "held") if f"/schools/{OWN}/{name}" in page]
            assert found == list(pages), who
        assert f'href="/?school={OWN}"' in (await text(there, "strong", "/"))[1]
        _status, page = await text(there, "strong", f"/?school={OWN}")
        assert (f"/schools/{OWN}/boxes" in page, "no-3" in page) == (True, False)


async def test_a_class_is_edited_and_taken_away_by_whoever_has_the_whole_of_it(store: Store, access: Access) -> None:
    async with town(store, access) as there:
        own, other = f"{LISTS}/classes/{CLASS}", f"{LISTS}/classes/{OTHER_CLASS}"
        for who, status in {"whole": 200, "head": 200, "maths": 403, "substitute": 403, "strong": 403}.items():
            assert await there.status(who, own) == status, who
        assert await there.status("whole", other) == 403
        assert await there.status("whole", own + "/list.csv") == 200
        assert await there.status("whole", other + "/list.csv") == 403
        assert await there.status("maths", own + "/list.csv") == 404  # she may take results away, not the list
        assert "学生" not in (await text(there, "maths", LISTS + "/list.csv"))[1]
        assert OTHER_CLASS not in (await text(there, "whole", LISTS + "/list.csv"))[1]


async def test_earlier_lists_of_other_classes_are_nobody_elses(store: Store, access: Access) -> None:
    async with town(store, access) as there:
        async with store.writing() as connection:
            await lock_school(connection, OWN)
            await keep_classes(connection, store.vault, OWN, {OTHER_CLASS: ()}, person=1)
        assert "Earlier lists" in (await text(there, "head", LISTS))[1]
        assert "Earlier lists" not in (await text(there, "whole", LISTS))[1]
        assert (await text(there, "whole", LISTS + "/past/1", "POST"))[0] == 400
        assert await there.status("head", LISTS + "/past/1", "POST") == 200


async def test_homework_is_seen_and_made_in_ones_own_subject(store: Store, access: Access) -> None:
    async with town(store, access) as there:
        assert ASSIGNMENT.title in (await text(there, "maths", HOMEWORK))[1]
        assert ASSIGNMENT.title not in (await text(there, "chinese", HOMEWORK))[1]
        assert await there.status("chinese", f"{HOMEWORK}/{ASSIGNMENT.id}") == 403
        assert ASSIGNMENT.title not in (await text(there, "chinese", f"{HOMEWORK}/new?like={ASSIGNMENT.id}"))[1]
        sums = {"title": "x", "prompt-1": "1+1=", "kind-1": "number", "answer-1": "2", "do": "keep", "subject": "math"}
        status, page = await text(there, "chinese", HOMEWORK + "/new", "POST", data=sums)
        assert (status, "This subject is not yours." in page) == (400, True)
        assert '<option value="chinese"' in page


async def test_what_was_changed_is_written_down_without_names(store: Store, access: Access) -> None:
    async with town(store, access) as there:
        known = await pupils(store)
        wish = Wish((*known.of_class(CLASS)[:-1], Pupil(CLASS, 60, "新来的", "N"))).looked_at(known)
        body = {"body": msgspec.json.encode(wish).decode()}
        assert await there.status("whole", LISTS + "/keep", "POST", data=body) == 303
        await access.audit.flush()
        async with store.reading() as connection:
            lines = (await connection.execute(select(audit).where(audit.c.deed == "edit-roster"))).all()
        assert [line.person_id for line in lines] == [there.ids["whole"]]
        assert "新来的" not in repr(lines)


@pytest.mark.parametrize("page", ["boxes", "held"])
async def test_boxes_and_their_records_are_an_admins_with_a_second_factor(
    store: Store, access: Access, page: str
) -> None:
    async with town(store, access) as there:
        address = f"/schools/{OWN}/{page}"
        assert await there.status("strong", address) == 200
        assert await there.status("admin", address, headers={"Sec-Fetch-Mode": "navigate"}) == 303
        assert await there.status("head", address) == 403
