"""The box under a supervisor such as systemd: ready, alive, ending; and what it says when something stands still."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks._box import CLASSBOX, ENVIRONMENT

UNIT = Path(__file__).resolve().parents[2] / "provisioning" / "systemd" / "classbox.service"
WATCHDOG_S = 1.0


class Listener:
    """The supervisor's end: a real datagram socket."""

    def __init__(self, address: str) -> None:
        self.line = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.line.bind(address)
        self.heard: list[str] = []

    def until(self, word: str, seconds: float = 30) -> bool:
        end_s = time.monotonic() + seconds
        while word not in "\n".join(self.heard):
            self.line.settimeout(max(0.01, end_s - time.monotonic()))
            try:
                self.heard.append(self.line.recv(4096).decode())
            except TimeoutError:
                return False
        return True


class Supervised:
    def __init__(self, folder: Path, source: str, address: str) -> None:
        self.data, self.config = folder / "data", folder / "box.toml"
        self.config.write_text(
            f'data = "{self.data}"\n[web]\nlisten = "127.0.0.1:0"\n[camera]\nsource = "{source}"\n', encoding="utf-8"
        )
        self.listener = Listener(address.replace("@", "\0", 1) if address.startswith("@") else address)
        more = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": str(round(WATCHDOG_S * 1e6))}
        self.process = subprocess.Popen(
            [CLASSBOX, "run", "--config", str(self.config)],
            stdout=subprocess.PIPE,
            stderr=(folder / "errors.txt").open("w"),
            text=True,
            env=ENVIRONMENT | more,
        )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().split()[1]

    def health(self) -> tuple[int, dict[str, dict[str, dict[str, str]]]]:
        try:
            with urllib.request.urlopen(self.url + "health", timeout=10) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Supervised]]:
    started: list[Supervised] = []

    def begin(source: str, address: str | None = None) -> Supervised:
        box = Supervised(tmp_path, source, address or str(tmp_path / "notify"))
        started.append(box)
        return box

    yield begin
    for box in started:
        box.process.kill()
        box.process.wait()
        box.listener.line.close()


@pytest.mark.parametrize("where", ["file", "abstract"])
def test_the_supervisor_hears_ready_then_that_all_is_well_then_the_end(
    where: str, start: Callable[..., Supervised], tmp_path: Path
) -> None:
    (tmp_path / "scans").mkdir()
    box = start(f"folder:{tmp_path / 'scans'}", f"@classbox-{os.getpid()}" if where == "abstract" else None)
    assert box.listener.until("READY=1")
    assert box.listener.until("WATCHDOG=1")
    assert box.listener.heard[-1] == "WATCHDOG=1"
    box.listener.heard.clear()
    begun_s = time.monotonic()
    for _ in range(3):
        box.listener.heard.clear()
        assert box.listener.until("WATCHDOG=1", WATCHDOG_S)
    assert time.monotonic() - begun_s < 3 * WATCHDOG_S
    assert box.health()[0] == 200
    box.process.send_signal(signal.SIGTERM)
    assert box.listener.until("STOPPING=1")
    assert box.process.wait(timeout=20) == 0


def test_a_camera_that_hangs_in_its_driver_shows_and_the_watchdog_is_not_told_that_all_is_well(
    start: Callable[..., Supervised], tmp_path: Path
) -> None:
    film = tmp_path / "film.avi"
    os.mkfifo(film)  # opening it waits for somebody who writes: for ever, in the kernel
    box = start(f"video:{film}")
    assert box.listener.until("WATCHDOG=1")
    end_s = time.monotonic() + 40
    while True:
        status, health = box.health()
        if health["checks"]["camera"]["state"] == "bad":
            break
        assert time.monotonic() < end_s, health
        time.sleep(0.5)
    assert status == 503
    assert "has not answered" in health["checks"]["camera"]["said"]
    assert health["checks"]["grading"]["state"] == "ok"
    time.sleep(WATCHDOG_S)
    box.listener.line.settimeout(0.01)
    with contextlib.suppress(TimeoutError):
        while box.listener.line.recv(4096):
            pass
    box.listener.heard.clear()
    assert not box.listener.until("WATCHDOG=1", 3 * WATCHDOG_S)
    box.process.send_signal(signal.SIGTERM)
    assert box.process.wait(timeout=20) == 0


def test_a_box_that_was_killed_starts_again_and_a_second_one_is_refused(
    start: Callable[..., Supervised], tmp_path: Path
) -> None:
    (tmp_path / "scans").mkdir()
    box = start(f"folder:{tmp_path / 'scans'}")
    command = [CLASSBOX, "run", "--config", str(box.config)]
    second = subprocess.run(command, capture_output=True, text=True, check=False, env=ENVIRONMENT, timeout=30)
    assert second.returncode == 1
    assert "running" in second.stderr
    assert json.loads(
        subprocess.run(
            [CLASSBOX, "address", "--json", "--config", str(box.config)],
            capture_output=True,
            check=True,
            env=ENVIRONMENT,
        ).stdout
    )["urls"] == [box.url]
    box.process.kill()
    box.process.wait()
    refused = subprocess.run(
        [CLASSBOX, "address", "--config", str(box.config)],
        capture_output=True,
        text=True,
        check=False,
        env=ENVIRONMENT,
    )
    assert refused.returncode == 2  # it chooses its port when it starts, and does not run
    for _ in range(2):
        again = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT, stderr=subprocess.DEVNULL)
        assert again.stdout is not None
        assert again.stdout.readline().startswith("ready ")
        again.kill()
        again.wait()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd on this machine")
def test_the_unit_is_one_that_systemd_takes_and_finds_hardened(tmp_path: Path) -> None:
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text(encoding="utf-8").replace("/opt/classbox/.venv/bin/classbox", CLASSBOX))
    verified = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    assert "classbox.service" not in verified.stderr, verified.stderr
    rated = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", unit], capture_output=True, text=True, check=False
    )
    found = re.search(r"exposure level .*: ([\d.]+)", rated.stdout)
    assert found is not None
    assert float(found[1]) < 3
