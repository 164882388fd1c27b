"""Sheets lie in the month in which their worksheet's first sheet came; what counts does not depend on that."""

import asyncio
import logging
import random
from collections import Counter
from datetime import UTC, datetime

import msgspec
import pytest
from sqlalchemy import event, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.ingest import StoreIngest
from gateway.simulated_class import SimulatedBox
from gateway.simulated_school import SimulatedSchool
from gateway.store.partitions import is_there, make_months, month_after, month_at
from gateway.store.reading import month_of, pupil_pages
from gateway.store.rosters import bring_in
from gateway.store.tables.sheets import RowState, page_records
from homework.roster import Roster
from sync.lanes import Lane
from sync.pseudonym import pseudonym
from sync.records import PageResult
from tests.gateway.databases import on_postgresql

ON_BOTH = True


def middle_of(year: int, month: int) -> int:
    """Unix milliseconds."""
    return int(datetime(year, month, 15, tzinfo=UTC).timestamp() * 1000)


class Site:
    """A gateway whose clock is put, and pages for worksheets of December and of January."""

    def __init__(self, school: SimulatedSchool) -> None:
        self.school = school
        self.now_ms = middle_of(2026, 12)
        self.ingest = StoreIngest(school.store, now_ms=self._tick)
        self.box = SimulatedBox("no-1", "box-1")

    def _tick(self) -> int:
        self.now_ms += 1
        return self.now_ms

    async def send(self, *pages: PageResult, box: SimulatedBox | None = None) -> None:
        """One after another."""
        for page in pages:
            await self.ingest.take([(box or self.box).envelope(Lane.RESULTS, [page])])

    def page(self, assignment: str | None, seat: int = 1, **more: object) -> PageResult:
        pupil = self.school.pupils.roster.pupils[seat - 1]
        return msgspec.structs.replace(self.school.pupils.result(pupil), assignment=assignment, **more)

    async def engine(self) -> AsyncEngine:
        async with self.school.store.reading() as connection:
            return connection.engine

    async def rows(self) -> list[tuple[str | None, int, int, str]]:
        """Assignment, month, revision and state of every row, in the order of arrival."""
        columns = page_records.c
        query = select(columns.assignment, columns.month, columns.revision, columns.state)
        async with self.school.store.reading() as connection:
            found = await connection.execute(query.order_by(columns.received_ms, columns.seq))
            return [(assignment, month, revision, RowState(state).name) for assignment, month, revision, state in found]

    async def is_right(self) -> None:
        assert (await self.school.check()).faults == ()


@pytest.fixture
async def site(school: SimulatedSchool) -> Site:
    """Of `dec` and `jan` the first sheets (of the last seats) have come in those months."""
    site = Site(school)
    await make_months(await site.engine(), 202612)
    await site.send(site.page("dec", seat=12))
    site.now_ms = middle_of(2027, 1)
    await site.send(site.page("jan", seat=12))
    return site


async def test_all_sheets_of_a_worksheet_lie_in_the_month_of_its_first(site: Site) -> None:
    site.now_ms = middle_of(2027, 2)
    await site.send(site.page("dec"), site.page("jan"), site.page(None))
    assert [row[:2] for row in await site.rows()] == [
        ("dec", 202612),
        ("jan", 202701),
        ("dec", 202612),
        ("jan", 202701),
        (None, 0),
    ]
    async with site.school.store.reading() as connection:
        assert await month_of(connection, "no-1", "dec") == 202612
        assert await month_of(connection, "no-1", "never") is None
        alias = pseudonym(site.school.school_key, site.school.pupils.roster.pupils[0].pupil_id)
        assert [page.assignment for page in await pupil_pages(connection, "no-1", alias)] == ["dec", "jan"]


@pytest.mark.parametrize("later_first", [False, True])
async def test_a_page_that_is_given_to_a_worksheet_of_another_month_counts_there_alone(
    site: Site, *, later_first: bool
) -> None:
    first = site.page("dec")
    second = msgspec.structs.replace(first, assignment="jan", revision=2)
    await site.send(*((second, first) if later_first else (first, second)))
    assert Counter((name, state) for name, _, _, state in (await site.rows())[2:]) == {
        ("dec", "SUPERSEDED"): 1,
        ("jan", "CURRENT"): 1,
    }
    await site.send(first, box=SimulatedBox("no-1", "box-1"))  # again, from a ledger that was put back
    assert Counter(state for *_, state in (await site.rows())[2:]) == {"SUPERSEDED": 2, "CURRENT": 1}
    await site.is_right()


@pytest.mark.parametrize("twin_first", [False, True])
async def test_a_twin_under_a_worksheet_of_another_month_stands_in_only_until_its_original_is_here(
    site: Site, *, twin_first: bool
) -> None:
    original = site.page("dec")
    twin = site.page("jan", duplicate_of=original.capture)
    await site.send(*((twin, original) if twin_first else (original, twin)))
    assert Counter((name, state) for name, _, _, state in (await site.rows())[2:]) == {
        ("dec", "CURRENT"): 1,
        ("jan", "DUPLICATE"): 1,
    }
    await site.is_right()


async def test_a_page_whose_worksheet_becomes_known_later_counts_once(site: Site) -> None:
    unknown = site.page(None)
    await site.send(unknown, msgspec.structs.replace(unknown, assignment="dec", revision=2), unknown)
    assert Counter(state for *_, state in (await site.rows())[2:]) == {"SUPERSEDED": 2, "CURRENT": 1}
    await site.is_right()


async def test_of_one_capture_under_two_worksheets_of_a_month_the_first_stands(site: Site) -> None:
    """No box sends that; whatever does is not counted twice."""
    page = site.page("jan")
    await site.send(page, msgspec.structs.replace(page, assignment="jan-2"))
    assert [row[3] for row in (await site.rows())[2:]] == ["CURRENT", "SUPERSEDED"]
    await site.is_right()


async def test_whatever_moves_between_months_in_whatever_order_is_booked_as_the_rows_say(site: Site) -> None:
    dice = random.Random(7)
    for seat in range(1, 11):
        first = site.page("dec", seat)
        pages = [
            first,
            msgspec.structs.replace(first, assignment="jan", revision=2),
            msgspec.structs.replace(first, assignment=None, revision=3),
            site.page("jan", seat, duplicate_of=first.capture),
            site.page("dec", seat),
            first,
        ]
        for page in dice.sample(pages, len(pages) - 1):
            await site.send(page)
    await site.is_right()


@pytest.mark.parametrize("year", [2099, 1970])
async def test_a_gateway_whose_clock_is_decades_off_takes_in_and_counts(site: Site, year: int) -> None:
    """A month without a place of its own is no trouble, and gets one with the next day."""
    site.now_ms = middle_of(year, 3)
    await site.send(site.page("then"), site.page("dec"))
    await make_months(await site.engine(), month_at(site.now_ms))
    await site.send(site.page("later", seat=2), site.page("then", seat=2))
    assert {name: state for name, _, _, state in (await site.rows())} == dict.fromkeys(
        ("dec", "jan", "then", "later"), "CURRENT"
    )
    await site.is_right()


@on_postgresql
async def test_a_month_without_a_table_is_told_and_its_sheets_lie_with_those_of_no_month(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    site.now_ms = middle_of(2031, 5)
    with caplog.at_level(logging.WARNING):
        await site.send(site.page("then"))
    assert "the month 203105 has no place" in caplog.text
    await make_months(await site.engine(), 203105)
    await site.send(site.page("then", seat=2), site.page("new", seat=2))
    assert [row[:2] for row in (await site.rows())[2:]] == [("then", 0), ("then", 0), ("new", 203105)]
    async with site.school.store.reading() as connection:
        tables = await connection.execute(text("SELECT DISTINCT tableoid::regclass::text FROM page_records"))
        assert set(tables.scalars()) == {f"page_records_{month}" for month in (0, 202612, 202701, 203105)}


@on_postgresql
async def test_gateways_that_make_the_same_months_at_once_make_them_once_while_sheets_come(site: Site) -> None:
    engine = await site.engine()

    async def sheets() -> None:
        for _ in range(8):
            await site.send(site.page("jan"))

    await asyncio.gather(sheets(), *(make_months(engine, 203011) for _ in range(4)))
    async with site.school.store.reading() as connection:
        there = [month for month in range(203010, 203013) if await is_there(connection, month)]
        assert there == [203011, 203012]
        assert await is_there(connection, 203101)
        assert not await is_there(connection, 203102)
    await site.is_right()


@pytest.mark.parametrize(("month", "after"), [(202611, 202612), (202612, 202701), (196912, 197001)])
def test_after_december_comes_january(month: int, after: int) -> None:
    assert month_after(month) == after


def test_months_are_those_of_utc() -> None:
    assert month_at(0) == 197001
    assert month_at(-1) == 196912
    assert month_at(middle_of(2099, 12)) == 209912


async def test_sheets_that_may_find_their_pupil_in_a_roster_are_found_without_looking_at_all_sheets(site: Site) -> None:
    async with site.school.store.writing() as connection:
        sqlite = connection.dialect.name == "sqlite"
        if not sqlite:  # a handful of rows is read through as quickly
            await connection.execute(text("SET LOCAL enable_seqscan = off"))
        plan: list[str] = []

        def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
            if "pupil >=" in statement:
                plan.append(statement)

        event.listen(connection.sync_connection, "before_cursor_execute", note)
        await bring_in(connection, site.school.store.vault, "no-1", Roster(()))
        (asked,) = plan
        asked = asked.replace("?", "'no-1'").replace("$1::VARCHAR", "'no-1'")
        how = await connection.exec_driver_sql(("EXPLAIN QUERY PLAN " if sqlite else "EXPLAIN ") + asked)
        explained = "\n".join(str(row[-1]) for row in how)
    if sqlite:
        assert "ix_page_records_nameless" in explained
    else:  # each month's part of the index has a name of its own
        assert "page_records_0_school_id_idx" in explained
        assert "Seq Scan" not in explained
