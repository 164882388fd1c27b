"""The interface for programs: what it answers, to whom, in parts, and again only when something has changed."""

from __future__ import annotations

import re

import msgspec
import pytest

from gateway.access.deeds import Deed
from gateway.api.interface import INTERFACE, document_of
from gateway.api.report_answer import ReportAnswer
from gateway.store.rosters import bring_in
from homework.roster import Pupil, Roster
from sync.lanes import Lane
from tests.gateway.api.conftest import ASSIGNMENT, CLASS, OTHER, OWN, REPORT, Office

pytestmark = pytest.mark.asyncio(loop_scope="module")  # one gateway for all


async def test_the_report_holds_what_its_description_says_and_nothing_else(office: Office) -> None:
    response = await office.ask(office.reader, REPORT)
    assert response.status == 200
    report = msgspec.json.decode(await response.read(), type=ReportAnswer)
    assert (report.school, report.class_name, report.assignment) == (OWN, CLASS, ASSIGNMENT.id)
    assert [pupil.name for pupil in report.pupils] == [f"学生{seat:02d}" for seat in range(1, 13)]


async def test_a_report_that_is_at_hand_is_not_sent_again_until_something_has_changed(office: Office) -> None:
    key, school = office.reader, office.schools[OWN]
    first = await office.ask(key, REPORT)
    tag = first.headers["ETag"]
    again = await office.ask(key, REPORT, headers={"If-None-Match": f'"other", {tag}'})
    assert (again.status, await again.read()) == (304, b"")
    assert again.headers["ETag"] == tag
    pupil = school.pupils.roster.pupils[0]
    await school.ingest.take([school.box.envelope(Lane.RESULTS, [school.pupils.result(pupil, attempt=2)])])
    changed = await office.ask(key, REPORT, headers={"If-None-Match": tag})
    assert changed.status == 200
    tag = changed.headers["ETag"]
    renamed = Roster((Pupil(CLASS, 1, "王小明", pupil.pupil_id), *school.pupils.roster.pupils[1:]))
    async with office.store.writing() as connection:
        await bring_in(connection, office.store.vault, OWN, renamed)
    named = await office.ask(key, REPORT, headers={"If-None-Match": tag})
    assert "王小明" in await named.text()
    async with office.store.writing() as connection:
        await bring_in(connection, office.store.vault, OWN, school.pupils.roster)


async def test_a_list_is_read_part_by_part_each_line_once(office: Office) -> None:
    key, school = office.reader, office.schools[OTHER]
    other_key = await office.key("see-class", school=OTHER)
    others = [
        school.pupils.result(pupil, capture=bytes([attempt, pupil.seat]) * 8, attempt=1)
        for attempt, pupil in enumerate(school.pupils.roster.pupils[:3])
    ]
    named = [msgspec.structs.replace(sheet, assignment=f"more-{n}") for n, sheet in enumerate(others)]
    await school.ingest.take([school.box.envelope(Lane.RESULTS, named)])
    whole = await office.json(other_key, "/api/1/schools?limit=200")
    assert (len(whole["lines"]), whole["next"]) == (4, None)
    found, address = [], f"/api/1/schools/{OTHER}/classes/{CLASS}/assignments?limit=1"
    while address:
        response = await office.ask(other_key, address)
        part = await response.json()
        assert len(part["lines"]) == 1
        found += part["lines"]
        address = str(response.links["next"]["url"].relative()) if part["next"] else ""  # type: ignore[union-attr]
        assert bool(address) is ("Link" in response.headers)
    assert found == whole["lines"]
    parts = [await office.json(other_key, "/api/1/schools?limit=3")]
    parts.append(await office.json(other_key, f"/api/1/schools?limit=3&after={parts[0]['next']}"))
    assert [line for part in parts for line in part["lines"]] == whole["lines"]
    mine = await office.json(key, "/api/1/schools?limit=200")
    assert {line["school"] for line in mine["lines"]} == {OWN}


async def test_a_teacher_of_one_subject_sees_no_line_of_another(office: Office) -> None:
    of_class = f"/api/1/schools/{OWN}/classes/{CLASS}/assignments"
    assert (await (await office.visit("teacher", of_class)).json())["lines"]
    assert (await (await office.visit("chinese", of_class)).json())["lines"] == []
    assert (await (await office.visit("chinese", "/api/1/schools")).json())["lines"] == []
    refused = await office.visit("chinese", REPORT)
    assert (refused.status, refused.content_type) == (403, "application/problem+json")


async def test_a_class_is_told_with_the_pseudonyms_by_which_exports_name_its_pupils(office: Office) -> None:
    key = office.reader
    told = await office.json(key, f"/api/1/schools/{OWN}/classes/{CLASS}")
    assert [member["seat"] for member in told["pupils"]] == list(range(1, 13))
    assert len({member["pupil"] for member in told["pupils"]}) == 12
    assert await office.json(key, f"/api/1/schools/{OWN}/classes") == {
        "classes": [{"class": CLASS, "size": 12}],
        "next": None,
    }


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("/api/1/nothing", "GET", 404),
        ("/api/2/schools", "GET", 404),
        ("/api/1/schools", "DELETE", 405),
        ("/api/1/schools?limit=0", "GET", 400),
        ("/api/1/schools?limit=1&limit=2", "GET", 400),
        ("/api/1/schools?limit=1e3", "GET", 400),
        ("/api/1/schools?limits=3", "GET", 400),
        ("/api/1/schools?after=%00", "GET", 400),
        ("/api/1/schools?after=" + "A" * 500, "GET", 400),
        (f"/api/1/schools/{OTHER}", "GET", 403),
        ("/api/1/schools/no-3", "GET", 403),
        (f"/api/1/schools/{OWN}/classes/9-9", "GET", 404),
        (f"/api/1/schools/{OWN}/classes/%00", "GET", 404),
        (f"/api/1/schools/{OWN}/classes/{'x' * 65}", "GET", 404),
        (f"/api/1/schools/{OWN}/classes/..%2f..%2fetc%2fpasswd", "GET", 404),
        ("/api/1/..%2f..%2fetc%2fpasswd", "GET", 404),
        (f"/api/1/schools/{OWN}/classes/1' OR '1'='1", "GET", 404),
        (f"/api/1/schools/{OWN}'; DROP TABLE schools; --", "GET", 403),
    ],
)
async def test_every_error_is_a_problem_with_a_remedy(office: Office, path: str, method: str, status: int) -> None:
    response = await office.ask(office.reader, path, method)
    assert (response.status, response.content_type) == (status, "application/problem+json")
    problem = await response.json()
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    assert problem["remedy"]
    assert response.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "header",
    [
        "Bearer",
        "Bearer x",
        "Basic bm86bm8=",
        "Bearer classbox.no-1.wrong",
        "Bearer classbox..",
        "Bearer ' OR 1=1 --",
        "Bearer classbox.no-1." + "A" * 7000,
    ],
)
async def test_whoever_shows_no_good_key_is_told_so_and_how_to_show_one(office: Office, header: str) -> None:
    response = await office.ask(None, REPORT, headers={"Authorization": header, "Accept": "text/html"})
    assert response.status == 401
    assert response.headers["WWW-Authenticate"].startswith("Bearer")
    assert "Authorization: Bearer" in (await response.json())["remedy"]


async def test_headers_that_lie_or_are_too_long_change_nothing(office: Office) -> None:
    key = office.reader
    for headers in (
        {"X-Forwarded-For": "127.0.0.1", "Forwarded": "for=127.0.0.1"},
        {"If-None-Match": "W/" + "x" * 4000},
        {"Accept-Language": "en;q=nonsense, " * 50},
        {"X-HTTP-Method-Override": "DELETE"},
        {"Range": "bytes=0-1"},
    ):
        assert (await office.ask(key, "/api/1/me", headers=headers)).status == 200
    assert (await office.ask(key, "/api/1/me", headers={"Host": "evil.example"})).status == 421
    assert (await office.ask(key, "/api/1/me", headers={"X-Long": "x" * 70_000})).status == 400


async def test_no_room_under_the_interface_can_be_forgotten_in_its_description(office: Office) -> None:
    api = office.rooms.app[INTERFACE]
    told = {
        (method.upper(), path)
        for path, operations in document_of(api)["paths"].items()
        for method in operations
        if method != "parameters"
    }
    assert told == {(room.method, room.path) for room in office.rooms.rooms if room.path.startswith("/api/")}

    api.rooms.rooms.append(api.rooms.rooms[0]._replace(path="/api/1/forgotten", deed=Deed.OPEN))
    try:
        with pytest.raises(KeyError):
            document_of(api)
    finally:
        api.rooms.rooms.pop()


async def test_what_breaks_inside_is_a_problem_that_says_nothing_of_it(
    office: Office, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("a secret of the inside")

    monkeypatch.setattr("gateway.api.reading.class_version", broken)
    response = await office.ask(office.reader, REPORT)
    assert (response.status, response.content_type) == (500, "application/problem+json")
    assert "secret" not in await response.text()
    assert "a secret of the inside" in caplog.text


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("limit=9999", "“limit”最大为 200。"),
        ("limit=0", "“limit”最小为 1。"),
        ("limit=many", "“limit”应为整数。"),
        ("limits=5", "没有“limits”这一项。"),
        ("limit=1&limit=2", "“limit”"),
    ],
)
async def test_what_is_wrong_with_a_parameter_is_said_in_one_language(office: Office, query: str, said: str) -> None:
    response = await office.ask(office.reader, f"/api/1/schools?{query}", headers={"Accept-Language": "zh-CN"})
    problem = await response.json()
    assert response.status == 400
    assert said in problem["detail"]
    without = re.sub(r"“[^”]*”", "", problem["detail"])
    assert not re.search("[A-Za-z`≤≥]", without), problem["detail"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "请求体不是可读的 JSON。"),
        (b"\xff", "请求体不是可读的 JSON。"),
        (b"{}", "缺少“assignment”。"),
        (b'{"assignment": 7}', "“assignment”应为文字。"),
        (b'{"assignment": "%s"}' % (b"x" * 99), "“assignment”最多 64 个字符。"),
        (b'{"assignment": ""}', "“assignment”至少 1 个字符。"),
        (b'{"new": 1}', "没有“new”这一项。"),
    ],
)
async def test_what_is_wrong_with_a_body_is_said_in_one_language(office: Office, body: bytes, said: str) -> None:
    key = await office.key("correct")
    headers = {"Accept-Language": "zh-CN", "Content-Type": "application/json"}
    response = await office.ask(key, f"/api/1/schools/{OWN}/corrections", "POST", data=body, headers=headers)
    assert (response.status, (await response.json())["detail"]) == (400, said)


async def test_a_key_that_nobody_knows_is_called_that(office: Office) -> None:
    unknown, nobody = await office.ask("nope", "/api/1/schools"), await office.ask(None, "/api/1/schools")
    assert (unknown.status, nobody.status) == (401, 401)
    assert "The key is not known here" in (await unknown.json())["detail"]
    assert "Nobody is named who asks" in (await nobody.json())["detail"]
