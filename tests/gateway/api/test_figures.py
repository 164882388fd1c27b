"""What programs are told of a school and of a pupil is what the pages say, and nobody else's."""

from __future__ import annotations

import pytest

from gateway.reports.worker import SummaryWorker
from tests.gateway.api.conftest import ASSIGNMENT, CLASS, OTHER, OWN, Office

pytestmark = pytest.mark.asyncio(loop_scope="module")  # one gateway for all


async def pupils(office: Office, school: str = OWN) -> list[dict[str, object]]:
    key = await office.key("see-class", school=school)
    members = (await office.json(key, f"/api/1/schools/{school}/classes/{CLASS}"))["pupils"]
    assert isinstance(members, list)
    return members


async def test_a_pupils_term_is_told_to_a_key_for_it_and_names_nobody_else(office: Office) -> None:
    await SummaryWorker(office.store).catch_up()
    key = await office.key("see-pupil")
    one, other, *_ = await pupils(office)
    told = await office.json(key, f"/api/1/schools/{OWN}/pupils/{one['pupil']}/report")
    assert (told["pupil"], told["name"], told["class"]) == (one["pupil"], one["name"], CLASS)
    (sheet,) = told["sheets"]
    assert sheet["assignment"] == ASSIGNMENT.id
    figures = (await office.schools[OWN].report(CLASS)).figures.pupils[0]
    assert sheet["score_hundredths"] == figures.score_hundredths
    assert {item["item"] for item in sheet["items"] if item["state"] == "wrong"} == set(figures.wrong_items)
    assert str(other["name"]) not in str(told)
    assert told["points"] or told["subject"] is None
    before = await office.json(key, f"/api/1/schools/{OWN}/pupils/{one['pupil']}/report?term=2020-spring")
    assert before["sheets"] == []


async def test_no_pupil_is_told_of_to_others_and_none_that_is_not_there(office: Office) -> None:
    key = await office.key("see-pupil")
    one, *_ = await pupils(office)
    (stranger, *_) = await pupils(office, OTHER)
    address = f"/api/1/schools/{OWN}/pupils/{{}}/report"
    assert (await office.ask(office.taker, address.format(one["pupil"]))).status == 403
    assert (await office.ask(key, address.format(stranger["pupil"]))).status == 404
    assert (await office.ask(key, address.format("ab" * 8))).status == 404
    assert (await office.ask(key, address.format("no-number"))).status == 404
    assert (await office.ask(key, f"/api/1/schools/{OTHER}/pupils/{stranger['pupil']}/report")).status == 403
    for wrong in ("2020-winter", "20-spring", "0000-spring"):
        assert (await office.ask(key, address.format(one["pupil"]) + f"?term={wrong}")).status == 400, wrong


async def test_a_schools_figures_name_no_pupil_and_its_key_does_not_open_the_districts(office: Office) -> None:
    await SummaryWorker(office.store).catch_up()
    key = await office.key("see-school", "see-class")
    response = await office.ask(key, f"/api/1/schools/{OWN}/figures")
    assert response.status == 200
    assert "学生" not in await response.text()
    told = await response.json()
    assert (told["school"], told["adoption"][0]["classes"]) == (OWN, 1)
    assert (await office.ask(key, f"/api/1/schools/{OTHER}/figures")).status == 403
    assert (await office.ask(key, "/api/1/district/figures")).status == 403
    district = await office.visit("district", "/api/1/district/figures?subject=math&grade=3")
    assert district.status == 200
    assert {line["school"] for line in (await district.json())["schools"]} == {OWN, OTHER}
    assert "学生" not in await district.text()
    assert (await office.visit("district", "/api/1/district/figures?grade=13")).status == 400
    assert (await office.visit("district", f"/api/1/schools/{OWN}/classes")).status == 403
