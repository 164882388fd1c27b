"""The compose file without containers: its commands and settings as processes of this machine, on real servers."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml

from benchmarks._postgresql import PostgreSQL

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "provisioning" / "compose"
BIN = Path(sys.executable).parent
MOSQUITTO = shutil.which("mosquitto", path="/usr/sbin:/usr/bin")


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port


class Machine:
    """What `docker compose up` would be on, with folders and ports of its own instead of volumes and networks."""

    def __init__(self, folder: Path, store_url: str) -> None:
        self.folder = folder
        (folder / "secrets").mkdir()
        (folder / "secrets" / "store-url").write_text(store_url)
        self.broker_port = free_port()
        self._running: list[subprocess.Popen[str]] = []

    def service(self, name: str) -> tuple[dict[str, Any], int]:
        """A service as it stands in the file but for names of folders and hosts, and the port of its pages."""
        port = free_port()
        text = (FOLDER / "compose.yaml").read_text(encoding="utf-8")
        for here, there in {
            "/var/lib/classgate": str(self.folder / "data"),
            "/etc/classgate/broker": str(self.folder / "broker"),
            "/run/secrets": str(self.folder / "secrets"),
            "mqtts://broker:8883": f"mqtts://localhost:{self.broker_port}",
            "--address broker ": f"--address localhost --port {self.broker_port} ",
            "0.0.0.0:8700": f"127.0.0.1:{port}",
            "127.0.0.1:8700/": f"127.0.0.1:{port}/",
            "chown -R classgate:classgate": "test -e",
            "$$": "$",
        }.items():
            assert here in text or here == "$$", f"{here} does not stand in the file any more"
            text = text.replace(here, there)
        text = re.sub(r"\$\{(\w+):\?[^}]*\}", lambda found: found[1].lower().replace("_", "-") + ".example.cn", text)
        text = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)
        return yaml.safe_load(text)["services"][name], port

    def start(self, name: str) -> tuple[subprocess.Popen[str], int]:
        service, port = self.service(name)
        said = {"PATH": f"{BIN}:/usr/sbin:/usr/bin:/bin", "CLASSBOX_LANG": "en", "HOME": str(self.folder)}
        if name.startswith("boxes"):  # each has this port to itself there
            said["CLASSGATE_WEB_LISTEN"] = f"127.0.0.1:{port}"
        process = subprocess.Popen(
            service["command"],
            env=said | service.get("environment", {}),
            cwd=self.folder,
            stdout=(self.folder / f"{name}.log").open("w"),
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._running.append(process)
        return process, port

    def healthy(self, name: str, port: int) -> bool:
        """What Docker asks, with the words of the file."""
        _, code, text = self.service(name)[0]["healthcheck"]["test"][1:]
        text = re.sub(r"127\.0\.0\.1:\d+/", f"127.0.0.1:{port}/", text)
        return subprocess.run([sys.executable, code, text], check=False, capture_output=True).returncode == 0

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def end(self) -> None:
        for process in self._running:
            process.kill()
            process.wait()


@pytest.fixture
def machine(postgresql: PostgreSQL) -> Iterator[Machine]:
    name = postgresql.database(template="ready")
    # Not pytest's folder: mosquitto does not stay root, and could not enter it.
    with TemporaryDirectory(prefix="classbox-compose-") as folder:
        Path(folder).chmod(0o755)
        one = Machine(Path(folder), postgresql.url(name))
        yield one
        one.end()
    postgresql.drop(name)


def until(done: Callable[[], bool], why: Callable[[], str]) -> None:
    end_s = time.monotonic() + 60
    while not done():
        assert time.monotonic() < end_s, why()
        time.sleep(0.1)


@pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed")
def test_what_compose_starts_becomes_healthy_and_both_gateways_reach_the_broker_by_their_own_certificates(
    machine: Machine,
):
    for _ in range(2):  # the second time it leaves everything as it is
        prepare, _port = machine.start("prepare")
        assert prepare.wait(60) == 0, machine.log("prepare")
    machine.start("broker")
    ports = {name: machine.start(name)[1] for name in ("boxes-1", "boxes-2", "pages")}
    for name, port in ports.items():
        until(lambda name=name, port=port: machine.healthy(name, port), lambda name=name: machine.log(name))

    def connected(name: str) -> bool:
        with urllib.request.urlopen(f"http://127.0.0.1:{ports[name]}/health", timeout=5) as answer:
            return bool(json.load(answer)["broker"])

    for name in ("boxes-1", "boxes-2"):
        until(lambda name=name: connected(name), lambda name=name: machine.log(name))
    said = urllib.request.Request(f"http://127.0.0.1:{ports['pages']}/login", headers={"Host": "pages.example.cn"})
    with pytest.raises(urllib.error.HTTPError, match=r"421|403|400"):
        urllib.request.urlopen(said, timeout=5)
    said = urllib.request.Request(
        f"http://127.0.0.1:{ports['pages']}/login", headers={"Host": "classbox-pages.example.cn"}
    )
    with urllib.request.urlopen(said, timeout=5) as answer:
        assert answer.status == 200


def test_days_begin_when_those_of_the_schools_do():
    services = yaml.safe_load((FOLDER / "compose.yaml").read_text(encoding="utf-8"))["services"]
    gateways = [one for one in services.values() if one.get("command", [])[:2] == ["classgate", "run"]]
    assert {one["environment"]["TZ"] for one in gateways} == {"${TZ:-Asia/Shanghai}"}


def test_the_image_is_built_from_what_is_there_and_nothing_secret_goes_in():
    """What the Dockerfile names exists, and what is not for others stays out."""
    lines = (FOLDER / "Dockerfile").read_text(encoding="utf-8")
    for name in re.findall(r"--constraint (\S+)", lines):
        assert (ROOT / name).exists()
    left_out = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    assert {".git", "provisioning/compose/secrets"} <= set(left_out)
    assert os.path.relpath(FOLDER / "secrets", ROOT) in (ROOT / ".gitignore").read_text(encoding="utf-8").split()
