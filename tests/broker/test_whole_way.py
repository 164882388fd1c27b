"""What docs/broker.md tells a technician to do, from nothing to a sheet in the report."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.config import load_config
from gateway.simulated_class import SimulatedClass, make_roster
from homework.assignment import parse_assignment
from provisioning.keys import parse_enrolment_code
from sync.box_link import BoxLink
from sync.broker_address import BrokerAddress
from sync.embedded_broker import free_port, mosquitto_path
from sync.lanes import Lane
from sync.outbox_file import OutboxFile
from sync.records import encode_record
from tests.broker.patience import running, until

pytestmark = pytest.mark.skipif(mosquitto_path() is None, reason="mosquitto is not installed")

CLASSGATE = Path(sys.executable).with_name("classgate")
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def office() -> Iterator[Path]:
    """A folder that mosquitto, which does not stay root, can enter."""
    with tempfile.TemporaryDirectory(prefix="classbox-office-") as folder:
        Path(folder).chmod(0o755)
        (Path(folder) / "gateway.toml").write_text('data = "data"\n[web]\nlisten = "127.0.0.1:0"\n')
        yield Path(folder)


async def classgate(office: Path, *words: object) -> str:
    """What a command says."""
    command = [str(CLASSGATE), *map(str, words), "--config", str(office / "gateway.toml")]
    process = await asyncio.create_subprocess_exec(
        *command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={"CLASSBOX_LANG": "en", "PATH": "/usr/bin:/bin"}
    )
    out, error = await process.communicate()
    assert process.returncode == 0, error.decode()
    return out.decode()


async def ready(process: asyncio.subprocess.Process) -> str:
    """The address of a gateway that has started."""
    assert process.stdout is not None
    line = (await process.stdout.readline()).decode()
    assert line.startswith("ready ")
    return line.split()[1].rstrip("/")


async def test_from_nothing_to_a_sheet_in_the_report_over_tls(office: Path):
    port = free_port()
    said = await classgate(office, "broker", "write", office / "broker", "--address", "127.0.0.1", "--port", port)
    with (office / "gateway.toml").open("a") as toml:
        toml.write(said[said.index("[broker]") :])
    await classgate(office, "school", "add", "no-1")
    code = await classgate(office, "school", "enrol", "no-1", "box-1", "--broker", f"mqtts://127.0.0.1:{port}")
    said = await classgate(office, "box", "certificate", "no-1", "box-1", office / "stick")
    (office / "stick" / "box.toml").write_text(said[said.index("[broker]") :])

    identity, files = parse_enrolment_code(code), load_config(office / "stick" / "box.toml").broker
    assignment = parse_assignment((ROOT / "examples" / "g3-mul-2x1.toml").read_text(encoding="utf-8"))
    pupils = SimulatedClass(assignment, make_roster("3-1", 3), school_key=identity.school_key)
    card = OutboxFile(office / "card.sqlite")
    with card.open() as outbox:
        for page in pupils.results():
            outbox.append(Lane.RESULTS, encode_record(page))
    link = BoxLink(
        outbox=card.open,
        broker=BrokerAddress(url=identity.broker_url, ca=files.ca, cert=files.cert, key=files.key),
        school=identity.school,
        box=identity.box,
        key=identity.box_key,
        software="test",
        longest_pause_s=0.5,
    )

    def proven() -> bool:
        with card.open() as outbox:
            return outbox.counts()[Lane.RESULTS].receipted == 3

    broker = await asyncio.create_subprocess_exec(
        str(mosquitto_path()), "-c", str(office / "broker" / "mosquitto.conf")
    )
    gateway = await asyncio.create_subprocess_exec(
        str(CLASSGATE), "run", "--config", str(office / "gateway.toml"), stdout=subprocess.PIPE
    )
    try:
        url = await ready(gateway)
        async with running(link):
            await until(proven)
        report = f"{url}/api/1/schools/no-1/classes/3-1/assignments/{assignment.id}/report"
        with await asyncio.to_thread(urllib.request.urlopen, report) as answer:
            assert json.load(answer)["sheets"] == 3
    finally:
        for process in (gateway, broker):
            process.terminate()
            await process.wait()
    assert gateway.returncode == 0
