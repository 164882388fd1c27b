"""A month comes back from its archive, all of it or nothing, and counts again as it did."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select, update

from gateway.cli import main
from gateway.config import GatewayConfig, RetentionConfig
from gateway.keeping import unarchiving
from gateway.keeping.archiving import archive_month
from gateway.keeping.clean_archives import clean_archives
from gateway.keeping.forgetting import forget
from gateway.keeping.retention import Retention
from gateway.keeping.unarchiving import unarchive
from gateway.simulated_school import SimulatedSchool
from gateway.store.absences import absences_of
from gateway.store.archive_file import ArchiveError, read_rows, read_words, write_rows
from gateway.store.archived import archived
from gateway.store.check import CheckResult
from gateway.store.pages import COLUMNS
from gateway.store.tables.people import audit
from gateway.store.tables.schools import leases
from gateway.store.tables.sheets import class_rollups, page_records, page_rollups
from homework.absences import Absence
from sync.clock import ClockQuality, ClockReading
from sync.lanes import Lane
from tests.gateway.absent import alias, at_box, come
from tests.gateway.judged import judged
from tests.gateway.old_month import a_month, later_ms, now_ms

ON_BOTH = True
SENT = COLUMNS.index("sent")


async def test_a_month_comes_back_and_counts_as_it_did(
    school: SimulatedSchool, config: GatewayConfig, tmp_path: Path
) -> None:
    month = await a_month(school)
    await come(school, at_box(school, 3, Absence.EXCUSED), at_box(school, 4, Absence.EXEMPT))
    one = school.pupils.assignment
    for seat in ("2", "5"):
        where = ("--assignment", one.id, "--class", "3-1", "--seat", seat)
        done = await classgate(config, "correct", "no-1", one.items[0].id, *where, "--wrong")
        assert done.exit_code == 0, done.output
    before, shown = await stored(school), await school.report()
    excused = await away(school)
    assert excused
    await classgate(config, "db", "archive", "no-1", "--month", str(month), "--to", str(tmp_path / "old"))
    file = tmp_path / "old" / "no-1" / f"no-1-{month}.parquet"
    assert (await rows(school), await away(school)) == ([], {})
    read = await classgate(config, "db", "read-archive", str(file))
    assert f"no-1 {month}, 1 worksheets, 1 classes, 12 rows, 12 counted, 2 words on absences" in read.output
    assert (read.exit_code, "It is as this gateway wrote it." in read.output) == (0, True)
    back = await classgate(config, "db", "unarchive", str(file))
    assert f"no-1: {month} is here again, 12 rows." in back.output, back.output
    assert await stored(school) == before
    assert await away(school) == excused
    assert (await school.check()).faults == ()
    again = await school.report()
    assert (again.figures, again.results, again.accounts) == (shown.figures, shown.results, ())
    async with school.store.reading() as connection:
        assert await archived(connection) == []
        told = (await connection.execute(select(audit.c.deed, audit.c.detail).order_by(audit.c.at_ms))).all()
    assert [row.deed for row in told if row.deed in ("archive", "unarchive")] == ["archive", "unarchive"]
    repeated = await classgate(config, "db", "unarchive", str(file))
    assert (repeated.exit_code, "is back already" in repeated.output) == (1, True)
    assert (await archive_month(school.store, "no-1", month, tmp_path / "old", now_ms=later_ms())) is not None
    assert (await classgate(config, "db", "read-archive", str(file))).exit_code == 0
    await unarchive(school.store, file, days=1, now_ms=later_ms())
    assert await stored(school) == before


async def test_what_is_torn_or_another_gateways_changes_nothing(
    school: SimulatedSchool, config: GatewayConfig, tmp_path: Path
) -> None:
    month = await a_month(school)
    done = await archive_month(school.store, "no-1", month, tmp_path, now_ms=later_ms())
    assert done is not None
    assert done.file is not None
    whole = done.file.read_bytes()

    def file(name: str, body: bytes) -> Path:
        (tmp_path / name).write_bytes(body)
        return tmp_path / name

    flipped = bytearray(whole)
    for place in range(len(whole) // 4, len(whole) - 8, len(whole) // 40):
        flipped[place] ^= 1
    bad = {
        file("cut.parquet", whole[: len(whole) // 2]): "cannot be read back",
        file("empty.parquet", b""): "cannot be read back",
        file("text.parquet", b"PAR1 and no more"): "cannot be read back",
        file("flipped.parquet", bytes(flipped)): "cannot be read back|no archive that",
        tmp_path / "none.parquet": "cannot be read back",
        tmp_path / "other.parquet": "no archive that this gateway has now",
        tmp_path / "columns.parquet": "has other columns",
    }

    async def pieces() -> Any:
        for some in read_rows(done.file):  # type: ignore[arg-type]
            yield [(*row[:12], (row[12] or 0) + 1, *row[13:]) for row in some]

    await write_rows(tmp_path / "other.parquet", pieces())
    other_columns(tmp_path / "columns.parquet")
    for path, why in bad.items():
        with pytest.raises(ArchiveError, match=why):
            await unarchive(school.store, path, days=1, now_ms=later_ms())
    assert await rows(school) == []
    read = await classgate(config, "db", "read-archive", *map(str, (*bad, done.file)))
    lines = read.stdout.splitlines()
    assert (read.exit_code, len(lines)) == (1, len(bad) + 1), read.output
    assert [line.endswith("It is as this gateway wrote it.") for line in lines] == [False] * len(bad) + [True]
    assert "This gateway knows no such archive." in read.stdout
    await unarchive(school.store, done.file, days=1, now_ms=later_ms())


def other_columns(path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"school_id": ["no-1"], "month": [202609]}), path)


async def test_a_worksheet_that_was_used_again_keeps_its_old_month_away(
    school: SimulatedSchool, tmp_path: Path
) -> None:
    month = await a_month(school)
    done = await archive_month(school.store, "no-1", month, tmp_path, now_ms=now_ms())
    assert done is not None
    assert done.file is not None
    clock = ClockReading(monotonic_ms=1, wall_ms=later_ms(), boot=bytes(16), quality=ClockQuality.SYNCED)
    page = msgspec.structs.replace(judged(school.pupils.results()[0]), capture=bytes(15) + b"n", clock=clock)
    await school.ingest.take([school.box.envelope(Lane.RESULTS, [page])])
    before = await rows(school)
    assert len(before) == 1
    with pytest.raises(ArchiveError, match="lie here already"):
        await unarchive(school.store, done.file, days=1, now_ms=later_ms())
    assert await rows(school) == before
    assert (await school.check()).faults == ()


async def test_what_would_not_agree_is_not_put_back(
    school: SimulatedSchool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    month = await a_month(school)
    done = await archive_month(school.store, "no-1", month, tmp_path, now_ms=later_ms())
    assert done is not None
    assert done.file is not None

    async def faulty(*_: object) -> CheckResult:
        return CheckResult(schools=1, pages=1, counted=1, faults=("no-1: a fault",))

    with monkeypatch.context() as patched:
        patched.setattr(unarchiving, "check_school", faulty)
        with pytest.raises(ArchiveError, match="a fault"):
            await unarchive(school.store, done.file, days=1, now_ms=later_ms())
    assert await rows(school) == []
    async with school.store.reading() as connection:
        assert len(await archived(connection)) == 1
    await unarchive(school.store, done.file, days=1, now_ms=later_ms())
    assert len(await rows(school)) == 12


async def test_who_was_erased_meanwhile_does_not_come_back(school: SimulatedSchool, tmp_path: Path) -> None:
    month = await a_month(school)
    await come(school, at_box(school, 7, Absence.EXCUSED), at_box(school, 8, Absence.EXCUSED))
    done = await archive_month(school.store, "no-1", month, tmp_path, now_ms=later_ms())
    assert done is not None
    assert done.file is not None
    for seat in (7, 8):
        async with school.store.writing() as connection:
            await forget(connection, school.store.vault, "no-1", alias(school, seat), now_ms=later_ms())
        if seat == 7:
            assert await clean_archives(school.store) == []
    (file,) = (tmp_path / "no-1").glob("*.parquet")
    assert len(read_words(file)) == 1, "what was said of the first went with the file's cleaning"
    _one, count = await unarchive(school.store, file, days=1, now_ms=later_ms())
    assert (count, len(await rows(school))) == (10, 10)
    assert await away(school) == {}
    assert (await school.check()).faults == ()


async def test_the_daily_round_leaves_it_alone_until_it_has_been_looked_at(
    school: SimulatedSchool, tmp_path: Path
) -> None:
    await a_month(school)
    daily = Retention(school.store, RetentionConfig(months=1, archive=str(tmp_path)))
    assert await daily.once()
    assert await rows(school) == []
    (file,) = (tmp_path / "no-1").glob("*.parquet")
    await unarchive(school.store, file, days=7, now_ms=later_ms())
    assert await daily.once()
    assert len(await rows(school)) == 12
    async with school.store.writing() as connection:
        await connection.execute(update(leases).values(until_ms=0))
    assert await daily.once()
    assert await rows(school) == []
    assert list((tmp_path / "no-1").glob("*.parquet")) == [file]


async def rows(school: SimulatedSchool) -> list[tuple[Any, ...]]:
    """Every page record, without what was sent where something else counts."""
    async with school.store.reading() as connection:
        found = await connection.execute(select(*(page_records.c[name] for name in COLUMNS)))
        return sorted(tuple(None if n == SENT else value for n, value in enumerate(row)) for row in found)


async def stored(school: SimulatedSchool) -> tuple[list[tuple[Any, ...]], ...]:
    """Rows and sums. Versions and days of the sums go on."""
    sums = [c for c in class_rollups.c if c.name in ("class_name", "attempt", "pages", "score_hundredths", "pending")]
    async with school.store.reading() as connection:
        classes = [tuple(row) for row in await connection.execute(select(*sums))]
        pages = [tuple(row) for row in await connection.execute(select(page_rollups))]
    return await rows(school), sorted(classes), sorted(pages)


async def away(school: SimulatedSchool) -> dict[bytes, Absence]:
    one = school.pupils.assignment.id
    async with school.store.reading() as connection:
        return (await absences_of(connection, "no-1", [one])).get(one, {})


async def classgate(config: GatewayConfig, *words: str) -> Result:
    toml = config.data.parent / "gateway.toml"
    return await asyncio.to_thread(
        CliRunner().invoke, main, [*words, "--config", str(toml)], env={"CLASSBOX_LANG": "en"}
    )
