"""Keys of programs: made on a page and shown once, good for their scopes at their school until they end."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sqlalchemy import select

from gateway.access.audit import lines
from gateway.access.program_keys import LONGEST_DAYS, MOST_KEYS, keys_of
from gateway.store.tables.programs import tokens
from homework.errors import UsageError
from tests.gateway.api.conftest import CLASS, OTHER, OWN, REPORT, Office, opened
from tests.gateway.databases import on_postgresql
from ui.sessions import token_digest

pytestmark = pytest.mark.asyncio(loop_scope="module")  # one gateway for all
PAGE = f"/schools/{OWN}/keys"
DAY_MS = 24 * 3_600_000


async def made_on_the_page(office: Office, who: str, **fields: str) -> str:
    """The key that a page shows after it was made there."""
    response = await office.visit(who, PAGE, "POST", data={"title": "The register", "days": "30", **fields})
    assert response.status == 200
    found = re.search(r"classbox\.[\w-]+\.[\w-]{40,}", await response.text())
    assert found, "the page shows no key"
    return found[0]


async def test_a_head_makes_a_key_that_does_what_it_is_for_and_nothing_else(office: Office) -> None:
    key = await made_on_the_page(office, "head", **{"see-class": "1"})
    assert (await office.ask(key, REPORT)).status == 200
    assert (await office.json(key, "/api/1/me"))["scopes"] == ["see-class", "see-start"]
    assert (await office.ask(key, REPORT.replace(OWN, OTHER))).status == 403
    for path in (PAGE, "/me", f"/schools/{OWN}/classes/{CLASS}/assignments/g3-mul-2x1.csv"):
        assert (await office.ask(key, path)).status == 403, path
    assert (await office.ask(key, PAGE, "POST", data={"title": "more", "see-class": "1", "days": "9"})).status == 403


async def test_the_secret_is_in_the_answer_alone(office: Office) -> None:
    key = await made_on_the_page(office, "head", **{"see-class": "1"})
    secret = key.rpartition(".")[2]
    assert secret not in await (await office.visit("head", PAGE)).text()
    async with office.store.reading() as connection:
        kept = (await connection.execute(select(tokens).where(tokens.c.school_id == OWN))).all()
    assert token_digest(secret) in [bytes(row.digest) for row in kept]
    assert secret not in str(kept)


async def test_what_a_key_did_is_in_the_audit_under_its_own_number(office: Office) -> None:
    key = await made_on_the_page(office, "head", **{"see-class": "1"})
    await office.ask(key, REPORT)
    await office.access.audit.flush()
    async with office.store.reading() as connection:
        number = await connection.scalar(
            select(tokens.c.token_id).where(tokens.c.digest == token_digest(key.rpartition(".")[2]))
        )
        told = await lines(connection, OWN)
    assert [line.deed for line in told if line.person == number] == ["see-class"]
    assert "manage-keys" in [line.deed for line in told]


async def test_a_key_that_was_taken_away_is_over_at_once(office: Office) -> None:
    key = await made_on_the_page(office, "head", **{"see-class": "1"})
    assert (await office.ask(key, REPORT)).status == 200
    page = await (await office.visit("admin", PAGE)).text()
    assert "last used" in page
    for address in re.findall(r'action="([^"]+/end)"', page):
        assert (await office.visit("admin", address, "POST")).status == 303
    assert (await office.ask(key, REPORT)).status == 401
    assert (await office.visit("admin", PAGE + "/1/end", "POST")).status == 400


async def test_a_key_ends_with_its_last_day(office: Office) -> None:
    key = await office.key("see-class", days=1)
    now_ms = office.access.now_ms()
    keys = office.access.now_ms
    assert (await office.ask(key, REPORT)).status == 200
    try:
        office.rooms.access.now_ms = lambda: now_ms + DAY_MS + 1
        assert (await office.ask(key, REPORT)).status in (401, 403)
    finally:
        office.rooms.access.now_ms = keys


@pytest.mark.parametrize("who", ["teacher", "chinese", "weak"])
async def test_nobody_else_makes_one(office: Office, who: str) -> None:
    assert (await office.visit(who, PAGE)).status == 403
    assert (await office.visit(who, PAGE, "POST", data={"title": "x", "see-class": "1", "days": "9"})).status == 403


@pytest.mark.parametrize(
    "fields",
    [
        {"title": "", "see-class": "1"},
        {"title": "x" * 65, "see-class": "1"},
        {"title": "nothing that it is good for"},
        {"title": "for ever", "see-class": "1", "days": str(LONGEST_DAYS + 1)},
        {"title": "no number", "see-class": "1", "days": "²"},
        {"title": "what no key is good for", "manage-keys": "1"},
    ],
)
async def test_a_key_that_cannot_be_is_refused_with_a_remedy(office: Office, fields: dict[str, str]) -> None:
    response = await office.visit("head", PAGE, "POST", data={"days": "30", **fields})
    assert response.status == 400
    assert 'class="refused"' in await response.text()


@pytest.mark.parametrize("scope", ["manage-people", "manage-keys", "see-audit", "see-district", "nothing"])
async def test_no_key_is_good_for_more_than_a_program_needs(office: Office, scope: str) -> None:
    with pytest.raises(UsageError):
        await office.key("see-class", scope)


async def test_a_school_has_no_more_keys_than_somebody_can_look_over(office: Office) -> None:
    async with office.store.reading() as connection:
        there = len(await keys_of(connection, OTHER))
    for _ in range(MOST_KEYS - there):
        await office.key("see-class", school=OTHER)
    with pytest.raises(UsageError):
        await office.key("see-class", school=OTHER)


async def test_on_the_page_an_address_is_named_that_is_told_and_ended_again(office: Office) -> None:
    url = "https://register.school.example/told"
    response = await office.visit("head", PAGE + "/told", "POST", data={"url": url})
    assert response.status == 200
    found = re.search(r"whsec_[\w+/=]{40,}", await response.text())
    assert found, "its secret is not shown"
    page = await (await office.visit("head", PAGE)).text()
    assert url in page
    assert found[0] not in page
    (end,) = re.findall(r'action="([^"]+/told/\d+/end)"', page)
    assert (await office.visit("head", end, "POST")).status == 303
    assert url not in await (await office.visit("head", PAGE)).text()
    assert (await office.visit("head", end, "POST")).status == 400
    assert (await office.visit("head", PAGE + "/told", "POST", data={"url": "http://10.0.0.1/"})).status == 400
    for who in ("teacher", "weak"):
        assert (await office.visit(who, PAGE + "/told", "POST", data={"url": url})).status == 403, who


async def test_a_title_is_shown_as_text_and_not_run(office: Office) -> None:
    response = await office.visit(
        "head", PAGE, "POST", data={"title": "<script>alert(1)</script>", "see-class": "1", "days": "9"}
    )
    assert "<script>alert" not in await response.text()


@on_postgresql
@pytest.mark.asyncio(loop_scope="function")
async def test_on_a_server_keys_are_the_same_and_nothing_in_an_address_breaks_it(database: str, tmp_path: Path) -> None:
    async for office in opened(tmp_path, database):
        key = await made_on_the_page(office, "head", **{"see-class": "1"})
        assert (await office.ask(key, REPORT)).status == 200
        assert (await office.ask(key, REPORT.replace(OWN, OTHER))).status == 403
        for path in (f"/api/1/schools/{OWN}/classes/%00", f"/api/1/schools/%00/classes/{CLASS}"):
            assert (await office.ask(key, path)).status == 404, path
        assert (await office.ask(key, "/api/1/schools?after=%00")).status == 400
        for wrong in ("Bearer classbox.%00.x", "Bearer classbox.n\u00f6.x", "Bearer classbox.no-1.x"):
            assert (await office.ask(None, "/api/1/me", headers={"Authorization": wrong})).status == 401, wrong


FIGURES, DISTRICT_PAGE = "/api/1/district/figures", "/district/keys"


async def of_the_district(office: Office, *scopes: str, who: str = "district", days: int = 9) -> str:
    """A key of the district, made on its page."""
    fields = {"title": "Dashboard", "days": str(days), **dict.fromkeys(scopes, "1")}
    response = await office.visit(who, DISTRICT_PAGE, "POST", data=fields)
    text = await response.text()
    assert response.status == 200, text
    found = re.search(r"classbox\.~\.[\w-]{40,}", text)
    assert found, "the page shows no key"
    return found[0]


async def test_a_key_of_the_district_reads_figures_and_nothing_of_anybody(office: Office) -> None:
    key = await of_the_district(office, "see-district", "see-school")
    assert "schools" in await office.json(key, FIGURES)
    for school in (OWN, OTHER):
        assert (await office.ask(key, f"/api/1/schools/{school}/figures")).status == 200
        for path in (f"/api/1/schools/{school}/classes", f"/schools/{school}/keys", f"/schools/{school}/people"):
            assert (await office.ask(key, path)).status == 403, path
    for path in (REPORT, DISTRICT_PAGE, "/people", "/me", f"/api/1/schools/{OWN}/exports/results.csv"):
        assert (await office.ask(key, path)).status == 403, path
    narrow = await of_the_district(office, "see-district")
    assert (await office.ask(narrow, FIGURES)).status == 200
    assert (await office.ask(narrow, f"/api/1/schools/{OWN}/figures")).status == 403


async def test_who_makes_keys_of_the_district_and_who_does_not(office: Office) -> None:
    assert await of_the_district(office, "see-district", who="admin")
    for who in ("head", "teacher", "chinese", "weak"):
        assert (await office.visit(who, DISTRICT_PAGE)).status == 403, who
        sent = {"title": "x", "see-district": "1", "days": "9"}
        assert (await office.visit(who, DISTRICT_PAGE, "POST", data=sent)).status == 403, who
    for scope in ("see-class", "export", "see-pupil", "correct"):
        sent = {"title": "x", "see-district": "1", scope: "1", "days": "9"}
        assert (await office.visit("district", DISTRICT_PAGE, "POST", data=sent)).status == 400, scope
    assert (await office.visit("district", PAGE)).status == 403, "the keys of a school are not the district's"
    for forged in ("classbox.~.", "classbox.~." + "A" * 43, f"classbox.{OWN}." + "A" * 43, "classbox.~.~.~"):
        assert (await office.ask(forged, FIGURES)).status == 401, forged


async def test_a_schools_key_is_none_of_the_district_and_the_other_way_round(office: Office) -> None:
    school, district = await office.key("see-class"), await of_the_district(office, "see-district")
    assert (await office.ask(f"classbox.~.{school.rpartition('.')[2]}", FIGURES)).status == 401
    assert (await office.ask(f"classbox.{OWN}.{district.rpartition('.')[2]}", REPORT)).status == 401


async def test_a_key_of_the_district_tells_its_last_use_and_ends(office: Office) -> None:
    key = await of_the_district(office, "see-district")
    assert (await office.ask(key, FIGURES)).status == 200
    page = await (await office.visit("district", DISTRICT_PAGE)).text()
    assert "last used" in page
    assert key.rpartition(".")[2] not in page
    for address in re.findall(r'action="([^"]+/end)"', page):
        assert (await office.visit("district", address, "POST")).status == 303
    assert (await office.ask(key, FIGURES)).status == 401
    await office.access.audit.flush()
    async with office.store.reading() as connection:
        told = [line.deed for line in await lines(connection, None)]
    assert {"district-keys"} <= set(told)


async def test_the_description_tells_of_the_districts_figures(office: Office) -> None:
    told = await office.json(None, "/api/1/openapi.json")
    operation = told["paths"]["/api/1/district/figures"]["get"]
    assert "see-district" in operation["description"]
    assert "district" in told["components"]["securitySchemes"]["key"]["description"]
