"""The pages of the summary and the settings as a browser asks for them; also for what nobody should ask."""

import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import msgspec
import pytest
from aiohttp.test_utils import TestClient, TestServer

from edge.documents import Documents
from edge.ledger import Ledger
from edge.pictures import Pictures
from edge.release import release
from edge.web.bus import Bus
from edge.web.desk import Site
from edge.web.sheet_pictures import DecodedPicture, LastSheets
from edge.web.site import make_site
from edge.web.summary import REPORT_SETTING
from gateway.simulated_class import make_roster
from homework.report_settings import ReportSettings, as_form, settings_from_json
from homework.roster import Pupil, Roster
from tests.edge.test_summary import ASSIGNMENT, Box

EVIL = "<script>alert(1)</script>"
USUAL = as_form(ReportSettings())


def site_of(ledger: Ledger, documents: Documents, folder: Path) -> Site:
    pictures = Pictures(folder / "pictures")
    return Site(
        ledger=ledger,
        documents=documents,
        pictures=pictures,
        sheets=LastSheets(),
        bus=Bus(),
        class_name=None,
        belongs_to_school=lambda: False,
        unsaved=lambda: None,
        troubles=tuple,
        ending=lambda: False,
        decoded=DecodedPicture(pictures),
    )


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Box]:
    made = Box(tmp_path, Roster((*make_roster("3-1", 8).pupils, Pupil("3-2", 1, EVIL, "X1"))))
    yield made
    made.ledger.close()


@pytest.fixture
async def client(box: Box, tmp_path: Path) -> AsyncIterator[TestClient]:
    async with TestClient(TestServer(make_site(site_of(box.ledger, box.documents, tmp_path)))) as opened:
        yield cast("TestClient", opened)


async def page(client: TestClient, address: str, *, status: int = 200) -> str:
    answer = await client.get(address, headers={"Accept-Language": "en"})
    assert answer.status == status, await answer.text()
    assert answer.headers["Cache-Control"] == "no-store"
    return await answer.text()


async def test_the_summary_without_a_name_is_of_the_sheet_that_came_last(box: Box, client: TestClient) -> None:
    other = msgspec.structs.replace(ASSIGNMENT, id="later", title="Later homework")
    box.documents.put_assignment(other)
    assert "Later homework" in await page(client, "/summary?class=3-1")
    box.slide_class(2)
    assert "8 pupils, 2 handed in" in await page(client, "/summary?class=3-1")
    assert "nobody has handed in yet" in await page(client, "/summary/later?class=3-1")


async def test_a_box_that_knows_nothing_says_what_to_do(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    async with TestClient(TestServer(make_site(site_of(ledger, Documents(tmp_path), tmp_path)))) as client:
        assert "Nothing to sum up yet" in await page(cast("TestClient", client), "/summary")
    ledger.close()


@pytest.mark.parametrize(
    "address",
    [
        "/summary/nothing",
        "/summary/sheet:NONE",
        "/summary/%2e%2e%2fsecret",
        "/summary/g3-mul-2x1?class=9-9",
        "/summary/g3-mul-2x1/class.pdf",
        "/summary/nothing/class.xlsx",
        "/summary?assignment=%00",
    ],
)
async def test_what_is_not_there_is_not_found(client: TestClient, address: str) -> None:
    assert "This page does not exist." in await page(client, address, status=404)


async def test_names_and_titles_are_text_wherever_they_stand(box: Box, client: TestClient) -> None:
    box.documents.put_assignment(msgspec.structs.replace(ASSIGNMENT, title=EVIL))
    box.slide(box.pupils.graded(box.pupils.roster.pupils[-1]))
    shown = await page(client, "/summary?class=3-2")
    assert EVIL not in shown
    assert "&lt;script&gt;alert(1)" in shown
    answer = await client.get(f"/summary/{ASSIGNMENT.id}/class.csv?class=3-2")
    assert "\n" not in answer.headers["Content-Disposition"]
    assert "%3Cscript%3E" in answer.headers["Content-Disposition"]


async def test_the_class_sees_nothing_of_a_test_before_it_is_released(box: Box, client: TestClient) -> None:
    box.documents.put_assignment(msgspec.structs.replace(ASSIGNMENT, mode="test"))
    box.slide_class()
    for_class = await page(client, "/summary?class=3-1&screen=class")
    assert "not released yet" in for_class
    assert "right" not in for_class.split("<main>")[1]
    assert "8 pupils, 8 handed in, mean" in await page(client, "/summary?class=3-1")
    release(box.documents, ASSIGNMENT.id, person="teacher")
    assert "/8 right" in await page(client, "/summary?class=3-1&screen=class")


async def test_no_name_is_on_the_screen_of_the_class(box: Box, client: TestClient) -> None:
    box.slide_class()
    for_class = await page(client, "/summary?class=3-1&screen=class")
    assert not any(pupil.name in for_class for pupil in box.pupils.roster.pupils)
    assert "/fields/" not in for_class


async def test_the_chooser_holds_sixty_assignments_and_the_chosen_one(box: Box, client: TestClient) -> None:
    for number in range(70):
        box.documents.put_assignment(msgspec.structs.replace(ASSIGNMENT, id=f"hw-{number}", title=f"No. {number:02}"))
    shown = await page(client, "/summary/hw-3?class=3-1")
    assert shown.count('<option value="') == 61
    assert '<option value="hw-3" selected>' in shown


async def test_settings_are_kept_whole_or_not_at_all(box: Box, client: TestClient) -> None:
    answer = await client.post("/settings", data={**USUAL, "passing": "70", "low": "80"})
    assert answer.status == 400
    assert box.documents.setting(REPORT_SETTING) is None
    answer = await client.post("/settings", data={**USUAL, "passing": "70"}, allow_redirects=False)
    assert (answer.status, answer.headers["Location"]) == (303, "/settings?kept=1")
    assert settings_from_json(box.documents.setting(REPORT_SETTING)).thresholds.passing == 70


async def test_settings_from_elsewhere_are_refused(box: Box, client: TestClient) -> None:
    answer = await client.post("/settings", data=USUAL, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status == 403
    assert box.documents.setting(REPORT_SETTING) is None


async def test_an_empty_form_or_a_file_for_a_number_is_told_and_breaks_nothing(client: TestClient) -> None:
    for data in ({}, {**USUAL, "low": io.BytesIO(b"\x00\xff")}, {"marks": EVIL}):
        answer = await client.post("/settings", data=data)
        assert answer.status == 400
        assert EVIL not in await answer.text()
