"""请假 and 免做 are said at the school with a tap, counted at once, told to the boxes, and taken back."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import select

from gateway.simulated_school import SimulatedSchool
from gateway.store.tables.people import audit
from gateway.store.tables.schools import down_log
from homework.absences import Absence
from sync.lanes import Lane
from tests.gateway.absent import alias, at_box, come, say
from tests.gateway.judged import judged
from tests.gateway.office import Office, open_office, said

REPORT = "/schools/no-1/classes/3-1/assignments/g3-mul-2x1"
PAGE = f"{REPORT}/absences"


@pytest.fixture
async def full(school: SimulatedSchool) -> SimulatedSchool:
    """A class of 12, of whom 10 have handed in."""
    sheets = [judged(sheet) for sheet in school.pupils.results()[:10]]
    await school.ingest.take(
        [school.box.envelope(Lane.DOCUMENTS, school.pupils.documents()), school.box.envelope(Lane.RESULTS, sheets)]
    )
    return school


@pytest.fixture
async def office(full: SimulatedSchool) -> AsyncIterator[Office]:
    async with open_office(full.store) as opened:
        yield opened


def tap(school: SimulatedSchool, seat: int, absence: str) -> dict[str, str]:
    return {"say": f"{alias(school, seat).hex()}:{absence}"}


def undo_of(page: str) -> str:
    found = re.search(r'name="did" value="([0-9a-f]+:[0-9a-f]+)"', page)
    assert found is not None, page
    return found[1]


async def entries(school: SimulatedSchool) -> int:
    async with school.store.reading() as connection:
        query = select(down_log.c.place).where(down_log.c.kind == "absence")
        return len(list(await connection.execute(query)))


async def test_who_has_not_handed_in_is_excused_with_a_tap_and_it_is_taken_back_with_another(
    full: SimulatedSchool, office: Office
) -> None:
    report = await office.get(REPORT)
    assert f'href="{PAGE}"' in report
    page = await office.get(PAGE)
    assert [seat in said(page) for seat in ("学生10", "学生11", "学生12")] == [False, True, True]
    page = await office.post(PAGE, tap(full, 11, "excused"))
    assert "✓ on leave" in said(page)
    assert [line.status for line in (await full.report()).figures.pupils][10:] == ["excused", "missing"]
    assert "11 学生11 on leave" in said(await office.get(REPORT))
    page = await office.post(f"{PAGE}/undo", {"did": undo_of(page)})
    assert "Undo" not in said(page)
    assert (await full.report()).figures.missing == ("3-1-S011", "3-1-S012")
    assert await entries(full) == 2, "both went down to the boxes"


async def test_the_same_tap_twice_says_it_once(full: SimulatedSchool, office: Office) -> None:
    for _ in range(2):
        await office.post(PAGE, tap(full, 12, "exempt"))
    assert await entries(full) == 1
    await office.post(PAGE, tap(full, 12, ""))
    assert len((await full.report()).figures.missing) == 2


async def test_what_somebody_else_has_said_since_is_not_taken_back(full: SimulatedSchool, office: Office) -> None:
    did = undo_of(await office.post(PAGE, tap(full, 11, "excused")))
    await say(full, 11, Absence.EXEMPT)
    page = await office.post(f"{PAGE}/undo", {"did": did})
    assert "Somebody has said something else of this pupil since. It stays as it is." in said(page)
    assert (await full.report()).figures.exempt == ("3-1-S011",)
    assert "Undo" not in said(await office.get(f"{PAGE}?did={did}"))


async def test_whoever_hands_in_all_the_same_stands_apart_and_the_word_can_be_taken_back(
    full: SimulatedSchool, office: Office
) -> None:
    await come(full, at_box(full, 3, Absence.EXCUSED))
    page = await office.get(PAGE)
    assert "Handed in all the same 3 学生03 on leave Take back" in said(page)
    await office.post(PAGE, tap(full, 3, ""))
    assert "Handed in all the same" not in said(await office.get(PAGE))


async def test_what_no_page_of_ours_sends_changes_nothing(full: SimulatedSchool, office: Office) -> None:
    for fields in (
        {},
        {"say": "excused"},
        {"say": f"{alias(full, 11).hex()}:sick"},
        {"say": f"{'ab' * 8}:excused"},
        tap(full, 11, "excused\n"),
    ):
        await office.post(PAGE, fields, status=400)
    for did in ("", f"{alias(full, 11).hex()}:00", f"{'ab' * 8}:{'00' * 16}"):
        await office.post(f"{PAGE}/undo", {"did": did}, status=400)
    await office.post(PAGE.replace("3-1", "3-2"), tap(full, 11, "excused"), status=400)
    await office.post(PAGE.replace("g3-mul-2x1", "no-such"), tap(full, 11, "excused"), status=404)
    await office.get(PAGE.replace("g3-mul-2x1", "no-such"), status=404)
    await office.get(PAGE.replace("no-1", "no-9"), status=404)
    assert await entries(full) == 0
    assert "Undo" not in said(await office.get(f"{PAGE}?did={'ab' * 8}:{'00' * 16}"))


async def test_it_is_written_down_of_whom_it_was_said_and_no_name(full: SimulatedSchool, office: Office) -> None:
    await office.post(f"{PAGE}/undo", {"did": undo_of(await office.post(PAGE, tap(full, 11, "excused")))})
    await office.get("/audit?school=no-1")
    async with full.store.reading() as connection:
        rows = list(await connection.execute(select(audit).where(audit.c.deed == "say-absent")))
    pupil = f"class=3-1 assignment=g3-mul-2x1 pupil={alias(full, 11).hex()}"
    assert sorted((row.thing, row.detail) for row in rows) == [(pupil, "excused"), (pupil, "undo")]


async def test_in_chinese_and_with_everybody_there_nothing_is_left_to_say(
    full: SimulatedSchool, office: Office
) -> None:
    page = said(await office.get(PAGE, **{"Accept-Language": "zh-CN"}))
    assert "请假和免做" in page
    assert "11 学生11 要交 请假 免做" in page
    await full.ingest.take([full.box.envelope(Lane.RESULTS, [judged(sheet) for sheet in full.pupils.results()[10:]])])
    assert PAGE not in await office.get(REPORT)
    assert "Everybody has handed in." in said(await office.get(PAGE))
