"""`classgate db backup` and `classgate db restore`: a copy is whole or not there, and nothing is overwritten."""

import asyncio
import contextlib
import shutil
import sqlite3
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gateway.cli import main
from gateway.config import GatewayConfig, load_config
from gateway.store import backup
from gateway.store.audit_lines import who_at_terminal
from gateway.store.schools import add_school, school_ids
from gateway.store.store import open_store
from tests.gateway.revisions import take_back

DATABASE = "classgate.sqlite"


def classgate(config: GatewayConfig, *words: object) -> Result:
    toml = config.data.parent / "gateway.toml"
    return CliRunner().invoke(main, [*map(str, words), "--config", str(toml)], env={"CLASSBOX_LANG": "en"})


def add(config: GatewayConfig, school: str) -> None:
    assert classgate(config, "school", "add", school).exit_code == 0


def in_the_audit(config: GatewayConfig) -> list[tuple[str, str]]:
    """What was done, of what is of no one school."""
    with contextlib.closing(sqlite3.connect(config.data / DATABASE)) as database:
        found = database.execute("SELECT deed, detail FROM office_audit ORDER BY at_ms, audit_id").fetchall()
    return [(deed, str(who_at_terminal(detail)[1])) for deed, detail in found]


def schools(config: GatewayConfig) -> list[str]:
    return classgate(config, "school", "list").stdout.split()


@pytest.fixture
def copy(config: GatewayConfig, tmp_path: Path) -> Path:
    """A copy from when there was one school, of a database that has two by now."""
    add(config, "one")
    copy = tmp_path / "copies" / "monday.sqlite"
    done = classgate(config, "db", "backup", copy)
    assert done.exit_code == 0, done.output
    assert f"Keep {config.data / 'gateway.key'} as well" in done.stdout
    add(config, "two")
    return copy


def test_a_copy_is_one_file_for_its_owner_only_and_can_be_read_by_sqlite(copy: Path):
    assert [p.name for p in copy.parent.iterdir()] == [copy.name]
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    with contextlib.closing(sqlite3.connect(f"file:{copy}?mode=ro", uri=True)) as plain:
        assert plain.execute("SELECT school_id FROM schools").fetchall() == [("one",)]
    assert [p.name for p in copy.parent.iterdir()] == [copy.name]


def test_what_is_put_back_is_the_copy_and_what_was_there_stays_beside(config: GatewayConfig, copy: Path):
    done = classgate(config, "db", "restore", copy)
    assert done.exit_code == 0, done.output
    assert schools(config) == ["one"]
    assert in_the_audit(config) == [("restore", "")]
    assert "absences (请假, 免做) since then" in done.stdout
    first, second = (config.data / f"{DATABASE}.before-{n}" for n in (1, 2))
    assert f"lies in {first}." in done.stdout
    with contextlib.closing(sqlite3.connect(first)) as plain:
        assert plain.execute("SELECT count(*) FROM schools").fetchall() == [(2,)]
    assert classgate(config, "db", "restore", first).exit_code == 0
    assert schools(config) == ["one", "two"]
    assert second.exists()
    # The copy is of before the line that tells of it; what was there has it, and comes back with it.
    assert in_the_audit(config) == [("export", "backup"), ("restore", "")]


def test_a_copy_goes_onto_a_new_machine_with_its_key(config: GatewayConfig, copy: Path, tmp_path: Path):
    (tmp_path / "new").mkdir()
    toml = tmp_path / "new" / "gateway.toml"
    toml.write_text('data = "data"\n')
    new = load_config(toml)
    without = classgate(new, "db", "restore", copy)
    assert without.exit_code == 1
    assert "There is no key file" in without.stderr
    assert not (new.data / "gateway.key").exists()
    shutil.copy(config.data / "gateway.key", new.data)
    done = classgate(new, "db", "restore", copy)
    assert done.exit_code == 0, done.output
    assert "What was there before" not in done.stdout
    assert schools(new) == ["one"]


async def test_a_database_in_use_is_copied_but_not_replaced(config: GatewayConfig, copy: Path, tmp_path: Path):
    async with open_store(config) as store:
        async with store.writing() as connection:
            await add_school(connection, store.vault, "three")
        again = await asyncio.to_thread(classgate, config, "db", "backup", tmp_path / "tuesday.sqlite")
        refused = await asyncio.to_thread(classgate, config, "db", "restore", copy)
        async with store.reading() as connection:
            assert await school_ids(connection) == ("one", "three", "two")
    assert again.exit_code == 0, again.output
    assert refused.exit_code == 1
    assert "A program still uses the database. Stop `classgate run` first" in refused.stderr
    assert [p.name for p in config.data.glob("*before*")] == []


def test_a_copy_under_a_name_that_is_taken_is_refused(config: GatewayConfig, copy: Path):
    for taken in (copy, copy.parent, config.data / DATABASE):
        done = classgate(config, "db", "backup", taken)
        assert (done.exit_code, f"There is already something at {taken}" in done.stderr) == (2, True)
    assert schools(config) == ["one", "two"]


@pytest.mark.parametrize("what", ["cut short", "overwritten inside", "no database", "another database", "missing"])
def test_a_copy_that_is_not_whole_replaces_nothing(config: GatewayConfig, copy: Path, what: str):
    body = copy.read_bytes()
    if what == "cut short":
        copy.write_bytes(body[: len(body) // 2])
    elif what == "overwritten inside":
        copy.write_bytes(body[:4096] + b"\xa5" * 8192 + body[3 * 4096 :])
    elif what == "no database":
        copy.write_bytes(b"this is a letter to the parents" * 1000)
    else:
        copy.unlink()
    if what == "another database":
        with contextlib.closing(sqlite3.connect(copy)) as plain:
            plain.execute("CREATE TABLE schools (a)")
    done = classgate(config, "db", "restore", copy)
    assert done.exit_code == 1
    assert len(done.stderr.strip().splitlines()) == 1
    assert str(copy) in done.stderr
    assert "db restore" not in done.stderr, "whoever does that is not told to do it"
    if what in ("no database", "another database"):
        assert "is not a gateway's database" in done.stderr
    assert schools(config) == ["one", "two"]
    assert sorted(p.name for p in config.data.iterdir()) == [DATABASE, "gateway.key", "generation"]


def test_a_copy_that_the_key_file_does_not_open_replaces_nothing(config: GatewayConfig, copy: Path):
    (config.data / "gateway.key").write_bytes(bytes(32))
    done = classgate(config, "db", "restore", copy)
    assert (done.exit_code, "key file does not fit" in done.stderr) == (1, True)
    assert schools(config) == ["one", "two"]


def test_a_damaged_database_is_not_copied_but_replaced_and_kept(config: GatewayConfig, copy: Path, tmp_path: Path):
    database = config.data / DATABASE
    wreck = b"not a database any more" * 500
    database.write_bytes(wreck)
    (config.data / f"{DATABASE}-wal").write_bytes(b"its last pages")
    refused = classgate(config, "db", "backup", tmp_path / "tuesday.sqlite")
    assert (refused.exit_code, (tmp_path / "tuesday.sqlite").exists()) == (1, False)
    assert "classgate db restore" in refused.stderr
    assert classgate(config, "db", "restore", copy).exit_code == 0
    assert schools(config) == ["one"]
    assert (config.data / f"{DATABASE}.before-1").read_bytes() == wreck
    assert not (config.data / f"{DATABASE}-wal").exists()


@pytest.mark.parametrize("step", ["_copy", "_settle", "_set_aside", "fsync_folder"])
def test_killed_while_it_is_put_back_it_is_the_old_database_or_the_copy(
    config: GatewayConfig, copy: Path, step: str, monkeypatch: pytest.MonkeyPatch
):
    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(backup, step, killed)
    with contextlib.suppress(KeyboardInterrupt):
        backup.restore(config, copy)
    assert schools(config) == (["one"] if step == "fsync_folder" else ["one", "two"])


def test_a_database_of_a_newer_program_is_said_so(config: GatewayConfig):
    add(config, "one")
    with contextlib.closing(sqlite3.connect(config.data / DATABASE)) as plain:
        plain.execute("UPDATE alembic_version SET version_num = '9999'")
        plain.commit()
    done = classgate(config, "school", "list")
    assert (done.exit_code, "written by a newer Classbox" in done.stderr) == (1, True)


def test_a_database_from_before_there_were_generations_goes_on(config: GatewayConfig):
    add(config, "one")
    take_back(config.data / DATABASE, "0001")
    with contextlib.closing(sqlite3.connect(config.data / DATABASE)) as plain:
        ((before,),) = plain.execute("SELECT incarnation FROM gateway_identity")
    (config.data / "generation").unlink()
    shutil.copy(config.data / DATABASE, config.data.parent / "old.sqlite")
    add(config, "two")
    with contextlib.closing(sqlite3.connect(config.data / DATABASE)) as plain:
        assert plain.execute("SELECT incarnation FROM gateway_identity").fetchall() == [(before,)]
    assert classgate(config, "db", "restore", config.data.parent / "old.sqlite").exit_code == 0
    assert schools(config) == ["one"]
    with contextlib.closing(sqlite3.connect(config.data / DATABASE)) as plain:
        assert plain.execute("SELECT incarnation FROM gateway_identity").fetchall() != [(before,)]
