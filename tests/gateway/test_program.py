"""The program as its users have it: commands, a process, a broker, a power cut."""

import asyncio
import contextlib
import json
import signal
import socket
import sqlite3
import subprocess
import sys
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from http.client import HTTPResponse
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from gateway.cli import main
from gateway.config import load_config
from gateway.simulated_school import BOX, make_school
from gateway.store.store import open_store
from homework.assignment import parse_assignment
from provisioning.keys import parse_enrolment_code
from sync.box_link import BoxLink
from sync.box_session import Pace
from sync.broker_address import BrokerAddress
from sync.embedded_broker import Broker
from sync.lanes import Lane
from sync.outbox import Outbox, create_tables
from sync.records import encode_record

CLASSGATE = Path(sys.executable).with_name("classgate")
ASSIGNMENT = parse_assignment(
    (Path(__file__).resolve().parents[2] / "examples" / "g3-mul-2x1.toml").read_text(encoding="utf-8")
)


def write_config(folder: Path, broker_url: str, listen: str = "127.0.0.1:0") -> Path:
    file = folder / "gateway.toml"
    file.write_text(f'data = "data"\n[web]\nlisten = "{listen}"\n[broker]\nurl = "{broker_url}"\n')
    return file


def classgate(*words: str | Path, language: str = "en") -> Result:
    return CliRunner().invoke(main, list(map(str, words)), prog_name="classgate", env={"CLASSBOX_LANG": language})


@pytest.fixture
def dead_url() -> Iterator[str]:
    """An address on which nobody answers, and nobody will while the test runs."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound, never listening
        yield f"mqtt://127.0.0.1:{held.getsockname()[1]}"


class Gateway:
    """A `classgate run` process, started and ready."""

    def __init__(self, config: Path) -> None:
        self.process = subprocess.Popen(
            [CLASSGATE, "run", "--config", config],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={"CLASSBOX_LANG": "en", "PATH": "/usr/bin:/bin"},
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith("ready http://127.0.0.1:"), self.process.communicate()[1]
        self.url = line.split()[1]

    def get(self, path: str) -> dict[str, object]:
        with self.open(path) as answer:
            return json.load(answer)

    def open(self, path: str) -> HTTPResponse:
        return urllib.request.urlopen(self.url.rstrip("/") + path)


@contextmanager
def running(config: Path) -> Iterator[Gateway]:
    gateway = Gateway(config)
    try:
        yield gateway
    finally:
        gateway.process.kill()
        gateway.process.communicate()


class Ledger:
    """A box's ledger file, with nothing but the outbox in it."""

    def __init__(self, file: Path) -> None:
        self.file = file
        with self.outbox():
            pass

    @contextmanager
    def outbox(self) -> Iterator[Outbox]:
        connection = sqlite3.connect(self.file, isolation_level=None, timeout=30)
        try:
            connection.execute("BEGIN IMMEDIATE")
            create_tables(connection)
            yield Outbox(connection)
            connection.execute("COMMIT")
        finally:
            connection.close()

    def receipted(self) -> int:
        with self.outbox() as outbox:
            return sum(counts.receipted for counts in outbox.counts().values())


@asynccontextmanager
async def box_running(ledger: Ledger, broker: Broker, key: bytes) -> AsyncIterator[BoxLink]:
    link = BoxLink(
        outbox=ledger.outbox,
        broker=BrokerAddress(url=broker.url),
        school="no-1",
        box=BOX,
        key=key,
        software="test",
        pace=Pace(max_records=3, resend_after_ms=300, resend_at_most_ms=1000),
        linger_s=0.0,
        longest_pause_s=0.5,
    )
    task = asyncio.create_task(link.run())
    try:
        yield link
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def until_receipted(ledger: Ledger, at_least: int) -> None:
    while ledger.receipted() < at_least:  # noqa: ASYNC110 - another process moves it
        await asyncio.sleep(0.02)


async def test_killed_again_and_again_in_the_middle_of_ingest_nothing_is_lost_and_nothing_twice(
    tmp_path: Path, broker: Broker
):
    config = write_config(tmp_path, broker.url)
    async with open_store(load_config(config)) as store:
        school = await make_school(store, ASSIGNMENT, size=50)
    ledger = Ledger(tmp_path / "ledger.sqlite")
    pages = [school.pupils.result(pupil, attempt=n) for n in (1, 2, 3, 4, 5) for pupil in school.pupils.roster.pupils]
    with ledger.outbox() as outbox:
        for document in school.pupils.documents():
            outbox.append(Lane.DOCUMENTS, encode_record(document))
        for page in pages:
            outbox.append(Lane.RESULTS, encode_record(page), subject=page.capture)
    total = len(pages) + 2
    async with box_running(ledger, broker, school.box_key):
        for some in (30, 90, 160):
            with running(config) as gateway:
                await until_receipted(ledger, some)
                gateway.process.send_signal(signal.SIGKILL)
                gateway.process.wait()
                assert ledger.receipted() < total
        with running(config) as gateway:
            await until_receipted(ledger, total)
            place = f"/schools/no-1/classes/3-1/assignments/{ASSIGNMENT.id}"
            assert gateway.get(f"/api/1{place}/report")["sheets"] == 50
    async with open_store(load_config(config)) as store:
        school.store = store
        checked = await school.check()
        assert (checked.pages, checked.counted, checked.faults) == (250, 250, ())


async def test_two_sheets_reach_the_report_over_a_real_broker_and_sigterm_ends_it_gracefully(
    tmp_path: Path, broker: Broker
):
    config = write_config(tmp_path, broker.url)
    async with open_store(load_config(config)) as store:
        school = await make_school(store, ASSIGNMENT, size=2)
    ledger = Ledger(tmp_path / "ledger.sqlite")
    with running(config) as gateway:
        async with box_running(ledger, broker, school.box_key) as link:
            with ledger.outbox() as outbox:
                for page in school.pupils.results():
                    outbox.append(Lane.RESULTS, encode_record(page))
            link.wake()
            await until_receipted(ledger, 2)
        health = gateway.get("/health")
        assert (health["ok"], health["broker"], health["schools"]) == (True, True, 1)
        with gateway.open("/live"):  # an open page must not hold the end up
            gateway.process.terminate()
            assert gateway.process.wait() == 0
    shown = await asyncio.to_thread(classgate, "report", "3-1", "--json", "--config", config)
    report = json.loads(shown.stdout)
    assert (report["sheets"], report["missing"]) == (2, [])
    other = await asyncio.to_thread(classgate, "report", "3-1", "--assignment", "other", "--config", config)
    assert "No sheet of other has come from class 3-1 yet." in other.stderr


def test_the_commands_lead_from_nothing_to_an_enrolled_box(tmp_path: Path, dead_url: str):
    config = write_config(tmp_path, dead_url)
    roster = tmp_path / "roster.csv"
    roster.write_text("class,seat,name,pupil_id\n3-1,1,学生01,S1\n3-1,2,学生02,S2\n", encoding="utf-8")
    assert classgate("school", "add", "no-1", "--config", config).exit_code == 0
    assert classgate("school", "list", "--config", config).stdout == "no-1\n"
    done = classgate("import-roster", roster, "--school", "no-1", "--config", config)
    assert done.stdout == "3-1: 2 new\n2 pupils in 1 classes.\n"
    code = classgate("school", "enrol", "no-1", "box-1", "--broker", "mqtt://192.168.1.10", "--config", config).stdout
    identity = parse_enrolment_code(code)
    assert (identity.school, identity.box, identity.broker_url) == ("no-1", "box-1", "mqtt://192.168.1.10")
    check = json.loads(classgate("db", "check", "--json", "--config", config).stdout)
    assert check == {"schools": 1, "pages": 0, "counted": 0, "faults": [], "ok": True}


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["school", "enrol", "no-1", "box-1", "--broker", "mqtt://h"], 1, "There is no school no-1 here."),
        (["school", "add", "a/b"], 1, "“a/b” cannot name a school or a box."),
        (["import-roster", "/nowhere.csv", "--school", "no-1"], 1, "/nowhere.csv cannot be read"),
        (["report", "3-1"], 1, "No sheet of class 3-1 has come yet."),
        (["report"], 2, "Missing argument"),
    ],
)
def test_a_mistake_ends_in_one_line_with_a_remedy(
    tmp_path: Path, dead_url: str, words: list[str], code: int, said: str
):
    done = classgate(*words, "--config", write_config(tmp_path, dead_url))
    assert done.exit_code == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    if code == 1:
        assert len(done.stderr.strip().splitlines()) == 1


def test_a_bad_broker_address_does_not_void_the_key_that_a_box_has(tmp_path: Path, dead_url: str):
    config = write_config(tmp_path, dead_url)
    classgate("school", "add", "no-1", "--config", config)
    code = classgate("school", "enrol", "no-1", "box-1", "--broker", "mqtt://h", "--config", config).stdout
    bad = classgate("school", "enrol", "no-1", "box-1", "--broker", "http://h", "--config", config)
    assert bad.exit_code == 2
    database = tmp_path / "data" / "classgate.sqlite"
    with contextlib.closing(sqlite3.connect(database)) as plain:
        ((sealed,),) = plain.execute("SELECT key_sealed FROM boxes")
    from gateway.keys import open_vault

    assert open_vault(tmp_path / "data").open(sealed, purpose="box no-1/box-1") == parse_enrolment_code(code).box_key


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("data = ", "has a mistake"),
        ("colour = 'red'", "has a mistake"),
        ("[web]\nlisten = 'here'", "is not host:port"),
        ("[web]\nlisten = '0.0.0.0:8700'", "without TLS"),
        ("[broker]\nurl = 'http://x'", "is not the address of a broker"),
        ("[store]\nurl = 'nonsense'", "is not a database address"),
        ("data = '/proc/nowhere'", "cannot be used"),
    ],
)
def test_a_bad_configuration_is_named_in_one_line(tmp_path: Path, text: str, said: str):
    file = tmp_path / "gateway.toml"
    file.write_text(text if text.startswith("data") else f'data = "{tmp_path / "data"}"\n{text}')
    done = classgate("run", "--config", file)
    assert done.exit_code in (1, 2)
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_taken_port_is_named_in_the_readers_language(tmp_path: Path, dead_url: str):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = classgate("run", "--config", write_config(tmp_path, dead_url, f"127.0.0.1:{port}"), language="zh")
    assert done.exit_code == 1
    assert f"端口 {port} 已被占用。" in done.stderr


def test_without_a_broker_the_pages_are_there_and_a_line_says_what_is_missing(tmp_path: Path, dead_url: str):
    with running(write_config(tmp_path, dead_url)) as gateway:
        assert gateway.get("/health")["broker"] is False
        assert gateway.process.stderr is not None
        assert gateway.process.stderr.readline().startswith(f"The broker at {dead_url} does not answer; still trying.")


def test_a_database_that_is_none_is_said_so_and_left_alone(tmp_path: Path, dead_url: str):
    (tmp_path / "data").mkdir()
    file = tmp_path / "data" / "classgate.sqlite"
    file.write_bytes(b"this is not a database, and must not be overwritten" * 100)
    before = file.read_bytes()
    done = classgate("db", "check", "--config", write_config(tmp_path, dead_url))
    assert done.exit_code == 1
    assert "The database cannot be used" in done.stderr
    assert file.read_bytes() == before


def test_a_database_with_another_key_file_is_not_misread(tmp_path: Path, dead_url: str):
    config = write_config(tmp_path, dead_url)
    classgate("school", "add", "no-1", "--config", config)
    (tmp_path / "data" / "gateway.key").write_bytes(bytes(32))
    done = classgate("school", "enrol", "no-1", "box-1", "--broker", "mqtt://h", "--config", config)
    assert done.exit_code == 1
    assert "key file does not fit" in done.stderr


async def test_a_rollup_that_was_tampered_with_is_found(tmp_path: Path, dead_url: str):
    config = write_config(tmp_path, dead_url)
    async with open_store(load_config(config)) as store:
        school = await make_school(store, ASSIGNMENT, size=3)
        await school.ingest.take([school.box.envelope(Lane.RESULTS, school.pupils.results())])
    with contextlib.closing(sqlite3.connect(tmp_path / "data" / "classgate.sqlite")) as plain:
        plain.execute("UPDATE class_rollups SET pages = pages + 1")
        plain.execute("UPDATE page_records SET state = 3 WHERE seq = 1")
        plain.commit()
    done = await asyncio.to_thread(classgate, "db", "check", "--json", "--config", config)
    assert done.exit_code == 1
    found = msgspec.json.decode(done.stdout)
    assert any("record 1 of box box-1 is SECOND, should be CURRENT" in fault for fault in found["faults"])
    assert any("class rollup" in fault for fault in found["faults"])
