"""Programs read who need not hand homework in, say it, and take it back, by the rules of the page."""

from typing import Any

import pytest
from sqlalchemy import func, select

from gateway.store.tables.schools import down_log
from tests.gateway.api.conftest import ASSIGNMENT, CLASS, OTHER, OWN, REPORT, Office

pytestmark = pytest.mark.asyncio(loop_scope="module")  # one gateway for all
ABSENCES = REPORT.removesuffix("report") + "absences"
ONE_CLASS = f"/api/1/schools/{OWN}/classes/{CLASS}"


async def pupils(office: Office) -> list[dict[str, Any]]:
    return list((await office.json(office.reader, ONE_CLASS))["pupils"])


async def told(office: Office) -> int:
    """How many words on absences go down to the boxes."""
    async with office.store.reading() as connection:
        query = select(func.count()).where(down_log.c.school_id == OWN, down_log.c.kind == "absence")
        return (await connection.execute(query.select_from(down_log))).scalar_one()


async def test_what_is_said_counts_at_once_goes_down_and_can_be_taken_back(office: Office) -> None:
    key, someone = await office.key("say-absent"), (await pupils(office))[4]
    assert (await office.json(office.reader, ABSENCES))["absences"] == []
    said = {"pupil": someone["pupil"], "absence": "excused"}
    assert (await office.json(key, ABSENCES, "POST", json=said)) == {"changed": True, **said}
    assert (await office.json(key, ABSENCES, "POST", json=said))["changed"] is False
    assert await told(office) == 1
    found = await office.json(office.reader, ABSENCES)
    assert found["absences"] == [{**said, "seat": someone["seat"]}]
    assert (found["school"], found["class"], found["assignment"]) == (OWN, CLASS, ASSIGNMENT.id)
    assert someone["name"] not in str(found)
    exempt = await office.json(key, ABSENCES, "POST", json={**said, "absence": "exempt"})
    assert exempt["absence"] == "exempt"
    assert (await office.json(key, ABSENCES, "POST", json={**said, "absence": None}))["changed"] is True
    assert (await office.json(office.reader, ABSENCES))["absences"] == []
    assert await told(office) == 3
    await office.access.audit.flush()
    page = await (await office.visit("head", "/audit")).text()
    for words in ("Said that a pupil is on leave", "Said that a pupil need not hand it in", "after all"):
        assert words in page
    assert "Said who was away" not in page, "each is one line"


@pytest.mark.parametrize(
    ("change", "path", "status"),
    [
        ({"absence": "ill"}, ABSENCES, 400),
        ({"pupil": "nobody"}, ABSENCES, 400),
        ({"more": 1}, ABSENCES, 400),
        ({"pupil": "0" * 16}, ABSENCES, 404),
        ({}, ABSENCES.replace(CLASS, "9-9"), 404),
        ({}, ABSENCES.replace(ASSIGNMENT.id, "nothing"), 404),
        ({}, ABSENCES.replace(OWN, OTHER), 403),
    ],
)
async def test_what_cannot_be_said_is_refused_with_a_remedy(
    office: Office, change: dict[str, Any], path: str, status: int
) -> None:
    before, wish = await told(office), {"pupil": (await pupils(office))[0]["pupil"], "absence": "excused", **change}
    response = await office.ask(await office.key("say-absent"), path, "POST", json=wish)
    assert (response.status, bool((await response.json())["remedy"])) == (status, True)
    assert await told(office) == before


async def test_a_key_for_reading_says_nothing_and_a_teacher_may_say_it_in_the_own_class(office: Office) -> None:
    wish = {"pupil": (await pupils(office))[7]["pupil"], "absence": "excused"}
    assert (await office.ask(office.reader, ABSENCES, "POST", json=wish)).status == 403
    assert (await office.ask(await office.key("say-absent"), ABSENCES)).status == 403
    assert (await office.visit("teacher", ABSENCES, "POST", json=wish)).status == 200
    assert (await office.visit("chinese", ABSENCES, "POST", json=wish)).status == 403
