"""Months that are over go into a file and from here; nothing is lost, and nothing counts twice."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, select, text
from sqlalchemy.exc import DBAPIError

from gateway.config import GatewayConfig, RetentionConfig
from gateway.keeping import archiving
from gateway.keeping.archiving import ArchiveError, archive_month, finish, first_kept
from gateway.keeping.clean_archives import clean_archives
from gateway.keeping.forgetting import forget
from gateway.keeping.retention import Retention
from gateway.reports.cache import ReportCache
from gateway.reports.summaries import Place
from gateway.simulated_class import SimulatedBox
from gateway.simulated_school import SimulatedSchool
from gateway.store.archive_file import RowDigest, read_digest, read_rows
from gateway.store.archived import archived
from gateway.store.audit_lines import write_line
from gateway.store.leases import take_lease
from gateway.store.pages import COLUMNS
from gateway.store.partitions import month_at
from gateway.store.store import open_store
from gateway.store.tables.people import audit
from gateway.store.tables.sheets import class_rollups, crops, page_records
from sync.errors import StoreTrouble
from sync.lanes import Lane
from sync.pseudonym import pseudonym
from tests.gateway.judged import judged
from tests.gateway.old_month import a_month, later_ms, now_ms
from tests.gateway.test_several import second

ON_BOTH = True


async def test_a_month_goes_into_a_file_that_has_every_row_and_from_here(
    school: SimulatedSchool, tmp_path: Path
) -> None:
    month = await a_month(school)
    before = {tuple(row) for row in await _rows(school)}
    done = await archive_month(school.store, "no-1", month, tmp_path, now_ms=later_ms())
    assert done is not None
    assert done.file is not None
    assert {tuple(row) for rows in read_rows(done.file) for row in rows} == before
    assert await _rows(school) == []
    async with school.store.reading() as connection:
        (known,) = await archived(connection, "no-1")
        assert (await connection.execute(select(class_rollups))).all() == []
        assert (await connection.execute(select(crops))).all() == []
        with pytest.raises(ArchiveError, match=str(month)):
            await ReportCache(school.store.vault).class_report(
                connection, Place("no-1", "3-1", school.pupils.assignment.id)
            )
    assert (known.rows, known.removed) == (12, True)
    assert (await school.check()).faults == ()
    assert await archive_month(school.store, "no-1", month, tmp_path, now_ms=later_ms()) is None


async def test_what_waits_for_a_person_keeps_its_month_here(school: SimulatedSchool, tmp_path: Path) -> None:
    month = await a_month(school, waiting=True)
    with pytest.raises(ArchiveError, match="wait"):
        await archive_month(school.store, "no-1", month, tmp_path, now_ms=later_ms())
    assert len(await _rows(school)) == 12
    assert _in_files(tmp_path) == 0
    with pytest.raises(ArchiveError, match="not over"):
        await archive_month(school.store, "no-1", month_at(now_ms()), tmp_path, now_ms=later_ms())


@pytest.mark.parametrize("step", ["write_rows", "read_digest", "_switch", "_remove"])
async def test_killed_at_any_step_the_next_run_goes_on(
    school: SimulatedSchool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    month = await a_month(school)

    def killed(*_: object, **__: object) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(archiving, step, killed)
        with pytest.raises(KeyboardInterrupt):
            await archive_month(school.store, "no-1", month, tmp_path, now_ms=later_ms())
    assert (await school.check()).faults == ()
    if step != "_remove":
        assert (await school.report()).figures.handed_in == 12
        assert await archive_month(school.store, "no-1", month, tmp_path, now_ms=later_ms()) is not None
    await finish(school.store, now_ms=later_ms())
    assert await _rows(school) == []
    assert _in_files(tmp_path) == 12
    assert (await school.check()).faults == ()


async def test_a_file_that_reads_back_otherwise_costs_nothing(
    school: SimulatedSchool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    month = await a_month(school)
    monkeypatch.setattr(archiving, "read_digest", lambda _: RowDigest())
    with pytest.raises(ArchiveError, match="not what is in the database"):
        await archive_month(school.store, "no-1", month, tmp_path, now_ms=later_ms())
    assert (await school.report()).figures.handed_in == 12


async def test_without_a_folder_a_month_is_let_go_of_and_is_known_all_the_same(school: SimulatedSchool) -> None:
    month = await a_month(school)
    old = bytes((await _rows(school))[0].capture)
    await archive_month(school.store, "no-1", month, None, now_ms=later_ms())
    assert await _rows(school) == []
    again = SimulatedBox("no-1", "box-1")
    page = judged(school.pupils.result(school.pupils.roster.pupils[0], capture=old))
    (receipt,) = await school.ingest.take([again.envelope(Lane.RESULTS, [page])])
    assert receipt.held == ((1, 1),)


async def test_the_place_of_an_empty_month_goes_too(school: SimulatedSchool, tmp_path: Path) -> None:
    month = await a_month(school)
    await archive_month(school.store, "no-1", month, tmp_path, now_ms=later_ms())
    await school.store.drop_empty_months({month})
    if school.store.on_a_server:
        async with school.store.reading() as connection:
            there = await connection.scalar(text("SELECT to_regclass(:name)"), {"name": f"page_records_{month}"})
        assert there is None


async def test_who_is_erased_later_goes_from_the_archive_too(school: SimulatedSchool, tmp_path: Path) -> None:
    month = await a_month(school)
    await archive_month(school.store, "no-1", month, tmp_path, now_ms=later_ms())
    alias = pseudonym(school.school_key, school.pupils.roster.pupils[6].pupil_id)
    assert await clean_archives(school.store) == []
    assert _in_files(tmp_path) == 12, "nobody was erased"
    async with school.store.writing() as connection:
        await forget(connection, school.store.vault, "no-1", alias, now_ms=later_ms())
    assert await clean_archives(school.store) == []
    (file,) = _files(tmp_path)
    assert alias not in file.read_bytes()
    async with school.store.reading() as connection:
        (known,) = await archived(connection)
    assert (known.rows, Path(known.file), known.digest) == (11, file, read_digest(file).value())
    leftover = file.with_name(file.name.replace("+1", "+7"))
    leftover.write_bytes(file.read_bytes())
    assert await clean_archives(school.store) == []
    assert _files(tmp_path) == [file], "what a run that was killed has left goes"
    file.unlink()
    assert await clean_archives(school.store) == [file], "a folder that is not there is told"


async def test_two_gateways_that_clean_an_archive_at_once_leave_one_whole_file(
    school: SimulatedSchool, tmp_path: Path, config: GatewayConfig
) -> None:
    month = await a_month(school)
    await archive_month(school.store, "no-1", month, tmp_path, now_ms=later_ms())
    alias = pseudonym(school.school_key, school.pupils.roster.pupils[6].pupil_id)
    async with school.store.writing() as connection:
        await forget(connection, school.store.vault, "no-1", alias, now_ms=later_ms())
    async with second(config, tmp_path) as other:
        assert await asyncio.gather(*(clean_archives(store) for store in (school.store, other, other))) == [[], [], []]
    (file,) = (tmp_path / "no-1").glob("*.parquet")
    async with school.store.reading() as connection:
        (known,) = await archived(connection)
    assert (Path(known.file), known.digest, known.rows) == (file, read_digest(file).value(), 11)


async def test_what_is_old_goes_by_itself_and_only_one_gateway_does_it(
    school: SimulatedSchool, tmp_path: Path, config: GatewayConfig
) -> None:
    month = await a_month(school)
    settings = RetentionConfig(months=1, archive=str(tmp_path), audit_months=6)
    today_ms = now_ms()
    old_ms = today_ms - 400 * 86_400_000
    async with school.store.writing() as connection:
        for at_ms in (old_ms, today_ms):
            await write_line(connection, "no-1", deed="see-class", at_ms=at_ms)
    async with open_store(config) as other, other.writing() as connection:
        assert await take_lease(connection, "retention", other.name, lasts_ms=60_000)
    assert not await Retention(school.store, settings).once()
    async with school.store.writing() as connection:
        await connection.execute(text("UPDATE leases SET until_ms = 0"))
    assert await Retention(school.store, settings).once()
    async with school.store.reading() as connection:
        assert [one.month for one in await archived(connection)] == [month]
        lines = (await connection.execute(select(audit.c.at_ms).where(audit.c.deed == "see-class"))).scalars().all()
    assert list(lines) == [today_ms]
    assert _in_files(tmp_path) == 12


async def test_young_lines_of_the_audit_are_kept_by_the_database_itself(school: SimulatedSchool) -> None:
    async with school.store.writing() as connection:
        await write_line(connection, "no-1", deed="see-class", at_ms=now_ms())
    with pytest.raises((DBAPIError, StoreTrouble), match="only added to"):
        await _drop_all_lines(school)


def test_which_months_stay() -> None:
    november = 1_795_000_000_000
    assert month_at(november) == 202611
    assert [first_kept(november, months) for months in (0, 1, 10, 11, 24)] == [202611, 202610, 202601, 202512, 202411]


# --- what is there ------------------------------------------------------------------------------------------------


async def _rows(school: SimulatedSchool) -> list[Any]:
    async with school.store.reading() as connection:
        return list(await connection.execute(select(*(page_records.c[name] for name in COLUMNS))))


async def _drop_all_lines(school: SimulatedSchool) -> None:
    async with school.store.writing() as connection:
        await connection.execute(delete(audit).where(audit.c.school_id == "no-1"))


def _files(folder: Path) -> list[Path]:
    return list(folder.glob("no-1/*.parquet"))


def _in_files(folder: Path) -> int:
    return sum(len(rows) for file in _files(folder) for rows in read_rows(file))
