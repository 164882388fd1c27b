"""What programs bring in is what a person would on a page: looked at, refused with a remedy, or kept as a whole."""

from __future__ import annotations

import contextlib
import io
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import msgspec
import pytest
from openpyxl import Workbook

from gateway.store.class_lists import whole_roster
from gateway.store.homework import homework_of
from homework.assignment import assignment_to_toml, parse_assignment
from homework.roster import Roster, roster_to_csv
from homework.statistics import PupilFigures
from tests.gateway.api.conftest import ASSIGNMENT, CLASS, OTHER, OWN, Office

pytestmark = pytest.mark.asyncio(loop_scope="module")  # one gateway for all
ROSTERS, HOMEWORK = f"/api/1/schools/{OWN}/rosters", f"/api/1/schools/{OWN}/assignments"
CORRECTIONS = f"/api/1/schools/{OWN}/corrections"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


async def sent(office: Office, key: str, path: str, body: bytes, kind: str, **params: str) -> tuple[int, Any]:
    headers = {"Content-Type": kind}
    response = await office.ask(key, path, "POST", data=body, headers=headers, params=params)
    return response.status, await response.json()


async def roster(office: Office, school: str = OWN) -> Roster:
    async with office.store.reading() as connection:
        return await whole_roster(connection, office.store.vault, school)


async def test_a_list_is_looked_at_kept_and_read_back(office: Office) -> None:
    key, before = await office.key("edit-roster"), await roster(office)
    table = "class,seat,name,pupil_id\r\n4-1,1,王小明,W1\r\n4-1,2,李雷,L1\r\n".encode()
    status, looked = await sent(office, key, ROSTERS, b"\xef\xbb\xbf" + table, "text/csv", keep="no")
    assert (status, looked["kept"]) == (200, False)
    assert await roster(office) == before
    status, kept = await sent(office, key, ROSTERS, table.decode().encode("gb18030"), "text/csv")
    assert (status, kept["kept"]) == (200, True)
    (told,) = kept["classes"]
    assert (told["class"], told["is_new"], told["new"]) == ("4-1", True, 2)
    assert kept["classes"] == looked["classes"]
    response = await office.ask(key, ROSTERS)
    assert (await response.read()).decode("utf-8-sig") == roster_to_csv(await roster(office))
    assert "王小明" in await response.text()


async def test_a_workbook_is_taken_with_the_class_that_it_does_not_say(office: Office) -> None:
    key = await office.key("edit-roster")
    book, out = Workbook(), io.BytesIO()
    for row in (("座号", "姓名"), (1, "韩梅梅"), (2, "=1+1")):
        book.active.append(row)
    book.save(out)
    status, answer = await sent(office, key, ROSTERS, out.getvalue(), XLSX, **{"class": "4-2"})
    assert status == 400, answer
    book.active.delete_rows(3)
    out = io.BytesIO()
    book.save(out)
    status, answer = await sent(office, key, ROSTERS, out.getvalue(), XLSX, **{"class": "4-2"})
    assert (status, answer["classes"][0]["new"]) == (200, 1)


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"PK\x03\x04 no zip", "application/zip", 400),
        (b"\x00\x01\x02", "text/csv", 400),
        (b"", "text/csv", 400),
        (b"class,seat,name\r\n4-1,1,=cmd|' /C calc'!A0\r\n", "text/csv", 400),
        (b"class,seat,name\r\n4-1,one,A\r\n", "text/csv", 400),
        (b"class,seat,name\r\n4-1,1,A\r\n", "application/json", 415),
        (b"x" * (16 * 1024**2 + 1), "text/csv", 413),
    ],
    ids=["no zip", "no text", "nothing", "a formula", "no seat", "another kind", "too large"],
)
async def test_a_list_that_cannot_be_is_refused_whole(office: Office, body: bytes, kind: str, status: int) -> None:
    before = await roster(office)
    found, problem = await sent(office, await writer(office), ROSTERS, body, kind)
    assert (found, bool(problem["remedy"])) == (status, True)
    assert await roster(office) == before


async def test_a_body_that_does_not_say_how_large_it_is_is_cut_off_all_the_same(office: Office) -> None:
    told = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal told
        for _ in range(400):
            told += 1
            yield b"x" * 64 * 1024

    headers = {"Content-Type": "text/csv"}
    with contextlib.suppress(aiohttp.ClientError):  # the line may end before all of it was sent
        response = await office.ask(await writer(office), ROSTERS, "POST", data=endless(), headers=headers)
        assert response.status == 413
    assert told < 400


async def writer(office: Office) -> str:
    """A key that brings everything in, made once."""
    if not office.writer:
        office.writer = await office.key("edit-roster", "assign", "correct")
    return office.writer


async def test_a_teacher_brings_in_no_other_class(office: Office) -> None:
    body, kind = "class,seat,name\n9-9,1,别人\n".encode(), {"Content-Type": "text/csv"}
    response = await office.client.post(
        ROSTERS, data=body, headers={"Cookie": f"classbox={office.cookies['teacher']}", **kind}
    )
    assert (response.status, response.content_type) == (403, "application/problem+json")
    assert "9-9" not in (await roster(office)).classes()
    listed = await (await office.visit("teacher", ROSTERS)).text()
    assert CLASS in listed
    assert "4-1" not in listed


async def test_homework_is_brought_in_for_the_boxes_and_read_back_as_its_file(office: Office) -> None:
    key = await writer(office)
    wanted = msgspec.structs.replace(ASSIGNMENT, id="from-a-program", title="从别的程序来")
    status, made = await sent(office, key, HOMEWORK, assignment_to_toml(wanted).encode(), "application/toml")
    assert (status, made["assignment"]) == (201, "from-a-program")
    async with office.store.reading() as connection:
        assert "from-a-program" in [one.assignment.id for one in await homework_of(connection, OWN)]
    response = await office.ask(key, f"{HOMEWORK}/from-a-program")
    assert parse_assignment(await response.text()) == wanted
    listed = await office.json(key, HOMEWORK, params={"limit": 1})
    assert [line["assignment"] for line in listed["assignments"]] == ["from-a-program"]
    after = await office.json(key, HOMEWORK, params={"limit": 1, "after": listed["next"]})
    assert [line["assignment"] for line in after["assignments"]] == [ASSIGNMENT.id]
    assert (await office.ask(key, f"{HOMEWORK}/nothing")).status == 404


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"[assignment", "application/toml", 400),
        (b"\xff\xfe", "application/toml", 400),
        (b"a = " + b"[" * 100_000, "application/toml", 400),
        (b"{}", "application/json", 415),
        (b"#" * (1024**2 + 1), "application/toml", 413),
    ],
    ids=["no toml", "no text", "deep", "another kind", "too large"],
)
async def test_homework_that_is_none_is_refused(office: Office, body: bytes, kind: str, status: int) -> None:
    found, problem = await sent(office, await writer(office), HOMEWORK, body, kind)
    assert (found, bool(problem["remedy"])) == (status, True)


async def test_a_correction_counts_at_once_and_can_be_taken_back(office: Office) -> None:
    key, school = await writer(office), office.schools[OWN]
    pupil = next(one for one in (await school.report(CLASS)).figures.pupils if one.wrong_items)
    item, seat = pupil.wrong_items[0], pupil.seat
    wish = {"assignment": ASSIGNMENT.id, "class": CLASS, "seat": seat, "item": item}
    done = await office.json(key, CORRECTIONS, "POST", json={**wish, "right": True})
    assert (done["changed"], done["before"]["verdict"], done["after"]["verdict"]) == (True, "wrong", "correct")
    assert item not in (await now(office, pupil.pupil)).wrong_items
    again = await office.json(key, CORRECTIONS, "POST", json={**wish, "right": True})
    assert not again["changed"]
    await office.json(key, CORRECTIONS, "POST", json={**wish, "undo": True})
    assert item in (await now(office, pupil.pupil)).wrong_items
    assert (await school.check()).faults == ()


async def now(office: Office, pupil: str) -> PupilFigures:
    report = await office.schools[OWN].report(CLASS)
    return next(one for one in report.figures.pupils if one.pupil == pupil)


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({}, 400),
        ({"right": True, "text": "5"}, 400),
        ({"undo": True, "comment": "x"}, 400),
        ({"right": True, "seat": 0}, 400),
        ({"right": True, "seat": 999}, 400),
        ({"right": True, "item": "nothing"}, 400),
        ({"right": True, "more": 1}, 400),
        ({"right": True, "assignment": "nothing"}, 400),
        ({"score": 1e300}, 400),
        ({"text": "x" * 201}, 400),
    ],
)
async def test_a_correction_that_says_nothing_or_too_much_is_refused(
    office: Office, change: dict[str, Any], status: int
) -> None:
    wish = {"assignment": ASSIGNMENT.id, "class": CLASS, "seat": 1, "item": "1", **change}
    response = await office.ask(await writer(office), CORRECTIONS, "POST", json=wish)
    assert (response.status, bool((await response.json())["remedy"])) == (status, True)


async def test_nobody_writes_with_a_key_for_reading_or_at_another_school(office: Office) -> None:
    for path in (ROSTERS, HOMEWORK, CORRECTIONS):
        assert (await office.ask(office.reader, path, "POST", data=b"")).status == 403, path
        assert (await office.ask(await writer(office), path.replace(OWN, OTHER), "POST", data=b"")).status == 403, path
    subject = {"assignment": ASSIGNMENT.id, "class": CLASS, "seat": 1, "item": "1", "right": True}
    assert (await office.visit("chinese", CORRECTIONS, "POST", json=subject)).status == 403
