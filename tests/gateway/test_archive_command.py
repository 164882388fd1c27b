"""`classgate db archive --all`: a month of every school in one run; one that cannot be archived stops no other."""

import asyncio
from pathlib import Path

from click.testing import CliRunner, Result
from sqlalchemy import func, select, text

from gateway.cli import main
from gateway.config import GatewayConfig, RetentionConfig
from gateway.keeping.retention import Retention
from gateway.simulated_school import SimulatedSchool, make_school
from gateway.store.archive_file import read_rows
from gateway.store.store import Store
from gateway.store.tables.sheets import page_records
from tests.gateway.old_month import a_month

ON_BOTH = True


async def test_a_full_disk_and_a_broken_row_cost_their_schools_alone(
    school: SimulatedSchool, config: GatewayConfig, tmp_path: Path
) -> None:
    store, archive = school.store, tmp_path / "archive"
    others = [await make_school(store, school.pupils.assignment, school=f"no-{n}", size=3) for n in (2, 3, 4)]
    (month,) = {await a_month(one) for one in (school, *others)}
    (archive / "no-2").mkdir(parents=True)
    part = archive / "no-2" / f".no-2-{month}.parquet.part"
    part.symlink_to("/dev/full")
    broken = not store.on_a_server  # PostgreSQL takes no text for a number
    if broken:
        async with store.writing() as connection:
            await connection.execute(text("UPDATE page_records SET seat = 'three' WHERE school_id = 'no-3'"))
    done = await asyncio.to_thread(_classgate, config, "db", "archive", "--all", "--month", month, "--to", archive)
    assert (done.exit_code, done.stderr) == (1, ""), done.output
    lines = done.stdout.splitlines()
    assert f"no-1: 12 rows in {archive}/no-1/no-1-{month}.parquet." in lines
    assert f"no-4: 3 rows in {archive}/no-4/no-4-{month}.parquet." in lines
    assert any(
        line.startswith("no-2: ") and "No space left" in line and "Nothing was taken away" in line for line in lines
    )
    assert any(line.startswith("no-3: ") and "cannot" in line for line in lines) is broken
    left = {"no-2": 3, "no-3": 3} if broken else {"no-2": 3}
    assert await _rows(store) == left
    assert not part.is_symlink(), "half a file is of no use and takes up room"
    if broken:
        async with store.writing() as connection:
            await connection.execute(text("UPDATE page_records SET seat = 3 WHERE school_id = 'no-3'"))
    again = await asyncio.to_thread(_classgate, config, "db", "archive", "--all", "--month", month, "--to", archive)
    assert again.exit_code == 0, again.output
    assert await _rows(store) == {}
    files = sorted(archive.glob("*/*.parquet"))
    assert [sum(map(len, read_rows(file))) for file in files] == [12, 3, 3, 3]
    for name in ("no-1", "no-4"):
        nothing = await asyncio.to_thread(_classgate, config, "db", "archive", name, "--month", month, "--to", archive)
        assert (nothing.exit_code, nothing.stdout) == (0, "Nothing of that month is here.\n")


async def test_the_daily_round_goes_on_after_a_school_whose_disk_is_full(
    school: SimulatedSchool, tmp_path: Path
) -> None:
    other = await make_school(school.store, school.pupils.assignment, school="no-2", size=3)
    (month,) = {await a_month(one) for one in (school, other)}
    (tmp_path / "no-1").mkdir()
    (tmp_path / "no-1" / f".no-1-{month}.parquet.part").symlink_to("/dev/full")
    settings = RetentionConfig(months=1, archive=str(tmp_path))
    assert await Retention(school.store, settings).once()
    assert await _rows(school.store) == {"no-1": 12}
    assert await Retention(school.store, settings).once()
    assert await _rows(school.store) == {}


def _classgate(config: GatewayConfig, *words: object) -> Result:
    toml = config.data.parent / "gateway.toml"
    return CliRunner().invoke(main, [*map(str, words), "--config", str(toml)], env={"CLASSBOX_LANG": "en"})


async def _rows(store: Store) -> dict[str, int]:
    """How many page records each school has; schools without any are left out."""
    columns = page_records.c
    async with store.reading() as connection:
        found = await connection.execute(select(columns.school_id, func.count()).group_by(columns.school_id))
        return {row[0]: row[1] for row in found}
