"""`classgate db backup` and `restore` on PostgreSQL: what is put back is the copy, or nothing has changed."""

import asyncio
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import make_url

from benchmarks._postgresql import PostgreSQL
from gateway.cli import main
from gateway.config import GatewayConfig
from gateway.simulated_school import make_school
from gateway.store import dumps
from gateway.store.check import check
from gateway.store.store import Store, open_store
from homework.assignment import parse_assignment
from sync.lanes import Lane
from tests.gateway.databases import on_postgresql

pytestmark = on_postgresql
ROOT = Path(__file__).resolve().parents[2]
ASSIGNMENT = parse_assignment((ROOT / "examples" / "g3-mul-2x1.toml").read_text(encoding="utf-8"))


def classgate(config: GatewayConfig, *words: object) -> Result:
    toml = config.data.parent / "gateway.toml"
    return CliRunner().invoke(main, [*map(str, words), "--config", str(toml)], env={"CLASSBOX_LANG": "en"})


def schools(config: GatewayConfig) -> list[str]:
    return classgate(config, "school", "list").stdout.split()


async def a_stack(store: Store) -> bytes:
    """A class's sheets come in. Returns the incarnation of the store that took them."""
    school = await make_school(store, ASSIGNMENT)
    (receipt,) = await school.ingest.take([school.box.envelope(Lane.RESULTS, school.pupils.results())])
    return receipt.incarnation


async def sheets(config: GatewayConfig) -> tuple[int, bytes]:
    """How many there are, all of them rightly counted, and the incarnation of the store."""
    async with open_store(config) as store:
        async with store.reading() as connection:
            result = await check(connection)
        assert result.faults == ()
        async with store.writing():
            pass
        return result.pages, store.incarnation


@pytest.fixture
def incarnation(config: GatewayConfig) -> bytes:
    """That of a database with a stack in it."""

    async def work() -> bytes:
        async with open_store(config) as store:
            return await a_stack(store)

    return asyncio.run(work())


@pytest.fixture
def copy(config: GatewayConfig, incarnation: bytes, tmp_path: Path) -> Path:  # noqa: ARG001 - there is a stack
    """A copy from when there was one school, of a database that has two by now."""
    copy = tmp_path / "copies" / "monday.dump"
    done = classgate(config, "db", "backup", copy)
    assert done.exit_code == 0, done.output
    assert f"Keep {config.data / 'gateway.key'} as well" in done.stdout
    assert classgate(config, "school", "add", "two").exit_code == 0
    return copy


def test_what_is_put_back_is_the_copy_and_another_store_to_the_boxes(
    config: GatewayConfig, incarnation: bytes, copy: Path, postgresql: PostgreSQL
):
    """D6. A table of a newer program does not survive beside it."""
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert len(schools(config)) == 2
    name = make_url(config.store_url).database or ""
    postgresql.sql("CREATE TABLE of_tomorrow (one INT)", database=name)
    done = classgate(config, "db", "restore", copy)
    assert done.exit_code == 0, done.output
    assert "with 1 boxes" in done.stdout
    assert schools(config) == ["no-1"]
    assert postgresql.sql("SELECT to_regclass('of_tomorrow') IS NULL", database=name) == "t"
    pages, after = asyncio.run(sheets(config))
    assert (pages, after != incarnation) == (12, True)


def test_a_database_in_use_is_copied_but_not_replaced(config: GatewayConfig, copy: Path, tmp_path: Path):
    async def work() -> tuple[Result, Result]:
        async with open_store(config) as store, store.reading():
            again = await asyncio.to_thread(classgate, config, "db", "backup", tmp_path / "tuesday.dump")
            return again, await asyncio.to_thread(classgate, config, "db", "restore", copy)

    again, refused = asyncio.run(work())
    assert again.exit_code == 0, again.output
    assert (refused.exit_code, "Stop every `classgate run` first" in refused.stderr) == (1, True)
    assert len(schools(config)) == 2


@pytest.mark.parametrize("what", ["cut short", "overwritten inside", "no dump", "another key", "missing"])
def test_a_copy_that_is_not_whole_or_not_ours_changes_nothing(config: GatewayConfig, copy: Path, what: str):
    body = copy.read_bytes()
    match what:
        case "cut short":
            copy.write_bytes(body[: len(body) * 9 // 10])
        case "overwritten inside":
            copy.write_bytes(body[: len(body) // 2] + b"\xa5" * 500 + body[len(body) // 2 + 500 :])
        case "no dump":
            copy.write_bytes(b"this is a letter to the parents" * 1000)
        case "another key":
            key = (config.data / "gateway.key").read_bytes()
            (config.data / "gateway.key").write_bytes(bytes(32))
        case _:
            copy.unlink()
    done = classgate(config, "db", "restore", copy)
    if what == "another key":
        (config.data / "gateway.key").write_bytes(key)
    assert (done.exit_code, len(done.stderr.strip().splitlines())) == (1, 1), done.output
    assert len(schools(config)) == 2


def test_a_copy_that_breaks_off_while_it_is_played_in_changes_nothing(
    config: GatewayConfig, copy: Path, monkeypatch: pytest.MonkeyPatch
):
    """All that was said by then is taken back, in whatever it broke off."""
    copy.write_bytes(copy.read_bytes()[: copy.stat().st_size * 9 // 10])
    monkeypatch.setattr(dumps, "_look_whether_the_key_fits", lambda *_: None)
    done = classgate(config, "db", "restore", copy)
    assert (done.exit_code, "Nothing was changed" in done.stderr) == (1, True), done.output
    assert len(schools(config)) == 2


def test_without_the_programs_of_postgresql_it_says_what_to_install(
    config: GatewayConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PATH", "/nowhere")
    done = classgate(config, "db", "backup", tmp_path / "copy")
    assert (done.exit_code, "apt install postgresql-client" in done.stderr) == (1, True)
    assert [path.name for path in tmp_path.iterdir() if "copy" in path.name] == []
