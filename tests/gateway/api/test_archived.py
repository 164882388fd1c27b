"""What programs are answered about months that went into the archive: what to do, and never a list that is empty."""

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import update

from gateway.api.exports import ARCHIVED_MONTHS
from gateway.keeping.archiving import archive_month
from gateway.reports.periods import day_at, term_of
from gateway.reports.worker import SummaryWorker
from gateway.store.partitions import month_at
from gateway.store.tables.sheets import page_records
from sync.clock import ClockQuality, ClockReading
from sync.lanes import Lane
from sync.pseudonym import pseudonym
from tests.gateway.api.conftest import ASSIGNMENT, CLASS, OTHER, OWN, REPORT, Office, opened
from tests.gateway.old_month import now_ms

ON_BOTH = True
EXPORTS = f"/api/1/schools/{OWN}/exports"
_TWO_MONTHS_MS = 62 * 86_400_000


@pytest.fixture
async def past(tmp_path: Path, database: str | None) -> AsyncIterator[Office]:
    """A school all of whose sheets went into the archive, and another beside it."""
    async for office in opened(tmp_path, database):
        await SummaryWorker(office.store).catch_up()
        async with office.store.writing() as connection:
            await connection.execute(update(page_records).where(page_records.c.school_id == OWN).values(pending=0))
        month, later_ms = month_at(now_ms()), now_ms() + _TWO_MONTHS_MS
        assert await archive_month(office.store, OWN, month, tmp_path / "archive", now_ms=later_ms) is not None
        yield office


async def test_a_report_and_a_correction_say_where_the_sheets_are(past: Office) -> None:
    month = str(month_at(now_ms()))
    wish = {"assignment": ASSIGNMENT.id, "class": CLASS, "seat": 3, "item": "1", "right": True}
    absences = REPORT.removesuffix("report") + "absences"
    for answer in (
        await past.ask(past.reader, absences),
        await past.ask(await past.key("say-absent"), absences, "POST", json={"pupil": "0" * 16, "absence": "excused"}),
        await past.ask(past.reader, REPORT),
        await past.ask(await past.key("correct"), f"/api/1/schools/{OWN}/corrections", "POST", json=wish),
    ):
        assert (answer.status, answer.content_type) == (410, "application/problem+json")
        problem = await answer.json()
        assert month in problem["detail"]
        assert "archive" in problem["remedy"]


async def test_lists_and_a_pupils_term_name_the_months_that_they_do_not_have(past: Office) -> None:
    month = month_at(now_ms())
    homework = await past.json(past.reader, f"/api/1/schools/{OWN}/classes/{CLASS}/assignments")
    assert (homework["lines"], homework["archived"]) == ([], [month])
    every = await past.json(past.reader, "/api/1/schools")
    assert (every["lines"], [one["archived"] for one in every["schools"]]) == ([], [[month]])
    assert (await past.json(past.reader, f"/api/1/schools/{OWN}"))["archived"] == [month]
    other = await past.json(await past.key("see-class", school=OTHER), f"/api/1/schools/{OTHER}")
    assert other["archived"] == []
    school = past.schools[OWN]
    alias = pseudonym(school.school_key, school.pupils.roster.pupils[0].pupil_id).hex()
    key = await past.key("see-pupil")
    pupil = await past.json(key, f"/api/1/schools/{OWN}/pupils/{alias}/report")
    assert pupil["archived"] == [month]
    before = term_of(day_at(now_ms() - 300 * 86_400_000)).name
    assert (await past.json(key, f"/api/1/schools/{OWN}/pupils/{alias}/report?term={before}"))["archived"] == []
    figures = await past.json(await past.key("see-school"), f"/api/1/schools/{OWN}/figures")
    assert [one["classes"] for one in figures["activity"]] == [1], "the term's figures go on having it"


async def test_no_file_is_empty_because_all_of_it_was_archived(past: Office) -> None:
    for file in ("results.csv", "answers.csv", "oneroster.zip", "xapi.jsonl"):
        answer = await past.ask(past.both, f"{EXPORTS}/{file}")
        assert (answer.status, answer.content_type) == (410, "application/problem+json")
        assert (await answer.json())["remedy"]
        nothing = await past.ask(past.both, f"{EXPORTS}/{file}?class=9-9")
        assert (nothing.status, nothing.headers.get(ARCHIVED_MONTHS)) == (200, None), "there never was such a class"


async def test_a_file_that_has_the_rest_says_which_months_it_has_not(past: Office) -> None:
    school = past.schools[OWN]
    slid_later = ClockReading(
        monotonic_ms=1, wall_ms=now_ms() + 2 * _TWO_MONTHS_MS, boot=bytes(16), quality=ClockQuality.SYNCED
    )
    pages = [msgspec.structs.replace(page, clock=slid_later) for page in school.pupils.results()]
    await school.ingest.take([school.box.envelope(Lane.RESULTS, pages)])
    answer = await past.ask(past.taker, f"{EXPORTS}/results.csv")
    assert (answer.status, answer.headers[ARCHIVED_MONTHS]) == (200, str(month_at(now_ms())))
