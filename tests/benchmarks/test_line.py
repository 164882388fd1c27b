"""The thin line of the benchmarks has the rate, the delay and the losses that were asked for, and leaves nothing."""

from __future__ import annotations

import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks._forwarder import Direction
from benchmarks._line import Counted, Line, LineError, Way
from benchmarks._line_ends import BoxAtTheLine, Took, school
from benchmarks.line import summed_up
from sync.embedded_broker import mosquitto_path

ROOT = Path(__file__).resolve().parents[2]
QUICK = Way(bits_per_s=100_000_000)
PACKET = bytes([0x45, *bytes(8), 17, *bytes(990)])
"""1,000 bytes, of which 20 are IPv4's header and 8 UDP's."""


def carried(way: Way, *, offered_s: list[float], seed: int = 1) -> list[float]:
    """When packets that were offered at these moments arrive, on a clock that no machine's speed changes."""
    direction = Direction(way, seed=seed)
    for at_s in offered_s:
        direction.offer(PACKET, at_s)
    arrived = []
    while (at_s := direction.next_s()) is not None:
        arrived += [at_s] * len(list(direction.due(at_s)))
    return arrived


def test_packets_queue_for_their_time_on_the_line_and_arrive_after_the_delay():
    way = Way(bits_per_s=8_000, delay_s=0.3)
    assert carried(way, offered_s=[0.0, 0.0, 10.0]) == pytest.approx([1.3, 2.3, 11.3])


def test_what_finds_the_queue_full_is_dropped():
    assert len(carried(Way(bits_per_s=8_000, queue_bytes=3_000), offered_s=[0.0] * 10)) == 4


@given(st.integers(0, 1000), st.floats(0, 1))
def test_a_seed_decides_which_packets_are_lost(seed: int, loss: float):
    way = Way(bits_per_s=1_000_000, loss=loss)
    hundred = [float(n) for n in range(100)]
    arrived = carried(way, offered_s=hundred, seed=seed)
    assert arrived == carried(way, offered_s=hundred, seed=seed)
    assert arrived == sorted(arrived)
    if loss in (0, 1):
        assert len(arrived) == 100 * (1 - loss)


def test_what_is_counted_says_headers_and_the_rest():
    direction = Direction(Way(bits_per_s=8_000, loss=1.0), seed=1)
    direction.offer(PACKET, 0.0)
    counted = direction.counted
    assert (counted.packets, counted.lost, counted.dropped) == (1, 1, 0)
    assert (counted.ip_bytes, counted.tcp_bytes, counted.payload_bytes) == (20, 8, 972)


@pytest.fixture
def line():
    line = Line()
    try:
        line.__enter__()
    except LineError as error:
        pytest.skip(str(error))
    yield line
    line.__exit__(None, None, None)


RECEIVE = """
import json, socket, sys, time
receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
receiver.bind((sys.argv[1], 5000))
receiver.settimeout(30)
print("ready", flush=True)
arrived = {}
while (packet := receiver.recv(2000)) != b"end":
    arrived[int(packet[:8])] = time.monotonic()
print(json.dumps(arrived))
"""
SEND = """
import json, socket, sys, time
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
where, count, size, pause = (sys.argv[1], 5000), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
sent = {}
for number in range(count):
    sent[number] = time.monotonic()
    sender.sendto(b"%08d" % number + bytes(size - 36), where)
    time.sleep(pause)
for _ in range(40):
    sender.sendto(b"end", where)
print(json.dumps(sent))
"""


def across(here, there, *, count: int, size: int, pause_s: float = 0.0) -> tuple[dict[str, float], dict[str, float]]:
    """Send packets of `size` bytes from one end to the other: when each was sent, when those arrived that did."""
    command = there.command(sys.executable, "-c", RECEIVE, there.address)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as receiver:
        assert receiver.stdout is not None
        assert receiver.stdout.readline() == "ready\n"
        send = here.command(sys.executable, "-c", SEND, there.address, str(count), str(size), str(pause_s))
        sent = json.loads(subprocess.run(send, check=True, capture_output=True, text=True).stdout)
        arrived = json.loads(receiver.stdout.read())
    return sent, arrived


def test_the_rate_is_the_one_that_was_asked_for(line: Line):
    """1,000 bytes are 31 ms at 256 kbit/s. The other direction has a rate of its own."""
    line.become(up=Way(bits_per_s=256_000, queue_bytes=100_000), down=QUICK)
    _, arrived = across(line.near, line.far, count=60, size=1000)
    took_s = max(arrived.values()) - min(arrived.values())
    assert len(arrived) == 60
    assert 59 * 8_000 / took_s == pytest.approx(256_000, rel=0.1)
    _, back = across(line.far, line.near, count=60, size=1000)
    assert max(back.values()) - min(back.values()) < took_s / 4


def test_the_delay_is_the_one_that_was_asked_for(line: Line):
    line.become(up=Way(bits_per_s=10_000_000, delay_s=0.3), down=QUICK)
    sent, arrived = across(line.near, line.far, count=10, size=100, pause_s=0.01)
    assert statistics.median(arrived[n] - sent[n] for n in arrived) == pytest.approx(0.3, abs=0.05)
    sent, arrived = across(line.far, line.near, count=10, size=100, pause_s=0.01)
    assert statistics.median(arrived[n] - sent[n] for n in arrived) < 0.1


def test_the_loss_is_the_one_that_was_asked_for_and_its_direction(line: Line):
    """Of 2,000 packets with three in ten lost 600 ± 20 are; five times that is no chance."""
    lossy = Way(bits_per_s=100_000_000, loss=0.3, queue_bytes=1_000_000)
    line.become(up=lossy, down=QUICK, seed=7)
    _, arrived = across(line.near, line.far, count=2_000, size=100, pause_s=0.0002)
    assert len(arrived) == pytest.approx(1_400, abs=100)
    up, down = line.counted()
    assert up.packets >= 2_000
    assert up.packets - up.lost >= len(arrived)
    assert down.lost == 0
    _, back = across(line.far, line.near, count=2_000, size=100, pause_s=0.0002)
    assert len(back) == 2_000


def test_nothing_else_travels_on_the_line(line: Line):
    line.become(up=QUICK, down=QUICK)
    time.sleep(0.5)
    assert [way.packets for way in line.counted()] == [0, 0]


@pytest.mark.usefixtures("line")
@pytest.mark.skipif(mosquitto_path() is None, reason="mosquitto is not installed")
def test_sheets_go_from_a_box_to_a_school_and_what_they_cost_is_counted():
    with school(tls=False) as (line, what):
        box = BoxAtTheLine(line, what)
        took = [box.sends(5, up=QUICK, down=QUICK, seed=1) for _ in range(2)]
        box.close()
    assert all(t.seconds is not None and t.seconds < 30 for t in took)
    warm = took[1]
    assert warm.payload_bytes < warm.up.payload_bytes < warm.payload_bytes + 100  # MQTT's headers and a PUBACK


def test_a_class_that_does_not_arrive_counts_as_one_that_took_for_ever():
    nothing = Counted()
    took = [
        Took(seconds=seconds, cpu_seconds=0.0, payload_bytes=0, up=nothing, down=nothing)
        for seconds in [*(float(n) for n in range(1, 10)), None]
    ]
    row = summed_up("both", [(t, t) for t in took])
    assert (row["seconds_to_last_receipt_p50"], row["seconds_to_last_receipt_p90"]) == (5.5, 9.0)
    assert row["slowest"] == float("inf")


@pytest.mark.usefixtures("line")  # only to learn whether this machine allows one
def test_nothing_outlives_the_program_that_made_it_even_when_it_is_killed():
    program = (
        "import subprocess, time\n"
        "from benchmarks._line import Line\n"
        "with Line() as line:\n"
        "    sleeper = subprocess.Popen(line.near.command('sleep', '60'))\n"
        "    print(sleeper.pid, line._process.pid, flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=ROOT) as owner:
        assert owner.stdout is not None
        children = [int(word) for word in owner.stdout.readline().split()]
        assert len(children) == 2
        os.kill(owner.pid, signal.SIGKILL)
    end_s = time.monotonic() + 10
    while any(_runs(child) for child in children) and time.monotonic() < end_s:
        time.sleep(0.02)
    assert not any(_runs(child) for child in children)


def _runs(pid: int) -> bool:
    """A process that has ended and that nobody waited for does not run."""
    status = Path(f"/proc/{pid}/stat")
    try:
        return status.read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_machine_without_the_tools_gets_a_word_about_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LineError, match="Install iproute2"), Line():
        pass


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("setpriv") is None, reason="needs rights to give them up")
def test_whoever_may_not_make_one_gets_a_word_about_it():
    program = (
        "from benchmarks._line import Line, LineError\n"
        "try:\n"
        "    Line().__enter__()\n"
        "except LineError as error:\n"
        "    print(error.remedy)\n"
    )
    without_rights = ["setpriv", "--bounding-set=-all", sys.executable, "-c", program]
    done = subprocess.run(without_rights, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("Run it as root on Linux")
