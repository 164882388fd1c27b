"""The gateway as monitoring, a load balancer and systemd see it: a real process, asked from outside."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks._spoken_with import given_listener
from gateway.config import load_config
from gateway.store.schools import add_school
from gateway.store.store import open_store

CLASSGATE = Path(sys.executable).with_name("classgate")
UNIT = Path(__file__).resolve().parents[2] / "provisioning" / "systemd" / "classgate.service"
TOKEN = "a token of twenty-four"


class Program:
    """A `classgate run` process."""

    def __init__(
        self, config: Path, *words: str, as_a_service: bool = False, listener: int | None = None, **environment: str
    ) -> None:
        command = [str(CLASSGATE), "run", "--config", str(config), *words]
        if listener is not None:
            command = given_listener(listener, command)
        self.process = subprocess.Popen(
            command,
            pass_fds=() if listener is None else (listener,),
            start_new_session=as_a_service,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={"CLASSBOX_LANG": "en", "PATH": "/usr/bin:/bin", **environment},
        )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().split()[1].rstrip("/")

    def ask(self, path: str, **headers: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(urllib.request.Request(self.url + path, headers=headers)) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()


@contextmanager
def running(
    config: Path, *words: str, as_a_service: bool = False, listener: int | None = None, **environment: str
) -> Iterator[Program]:
    program = Program(config, *words, as_a_service=as_a_service, listener=listener, **environment)
    try:
        yield program
    finally:
        program.process.kill()
        program.process.communicate()


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "gateway.toml"
    file.write_text(
        'data = "data"\n[web]\nlisten = "127.0.0.1:0"\n[broker]\nurl = "mqtt://127.0.0.1:9"\n'
        f'[metrics]\ntoken = "{TOKEN}"\n[stick]\nroots = []\n'
    )
    return file


def test_figures_name_pages_by_pattern_and_no_school(config: Path) -> None:
    with running(config) as gateway:
        assert gateway.ask("/schools/secret-school/classes/3-2/assignments/a")[0] == 404
        assert gateway.ask("/")[0] == 200
        status, text = gateway.ask("/metrics")
    assert status == 200
    assert "secret-school" not in text
    pattern = "/schools/{school}/classes/{class_name}/assignments/{assignment}"
    assert f'classgate_answer_seconds_count{{page="{pattern}",status="4xx"}} 1.0' in text
    assert 'classgate_answer_seconds_count{page="/",status="2xx"} 1.0' in text
    for line in ("classgate_store_up 1.0", "classgate_broker_connected 0.0", "classgate_schools 0.0"):
        assert line in text
    assert "process_resident_memory_bytes" in text


def test_figures_are_kept_from_whoever_comes_through_a_proxy_without_the_token(config: Path) -> None:
    with running(config) as gateway:
        proxied = {"X-Forwarded-For": "192.0.2.7"}
        assert gateway.ask("/metrics", **proxied)[0] == 403
        assert gateway.ask("/metrics", **proxied, Authorization="Bearer wrong")[0] == 403
        assert gateway.ask("/metrics", **proxied, Authorization=f"Bearer {TOKEN}")[0] == 200


def test_a_gateway_that_is_ending_sends_visitors_elsewhere_and_still_answers_them(config: Path) -> None:
    with running(config, CLASSGATE_WEB_DRAIN_S="30") as gateway:
        assert gateway.ask("/ready") == (200, '{"ready": true}')
        gateway.process.send_signal(signal.SIGTERM)
        while gateway.ask("/ready")[0] == 200:
            time.sleep(0.02)
        assert gateway.ask("/ready")[0] == 503
        assert gateway.ask("/")[0] == 200
        assert gateway.process.poll() is None
        assert gateway.ask("/health")[0] == 200


def test_a_process_for_the_pages_alone_shows_what_another_wrote(config: Path) -> None:
    async def add() -> None:
        async with open_store(load_config(config)) as store, store.writing() as connection:
            await add_school(connection, store.vault, "no-1")

    with running(config, "--parts", "pages") as pages, running(config, "--parts", "boxes") as boxes:
        assert boxes.ask("/")[0] == 404
        assert boxes.ask("/ready")[0] == pages.ask("/ready")[0] == 200
        with urllib.request.urlopen(pages.url + "/live", timeout=30) as stream:
            assert stream.readline()  # the first look at the file
            asyncio.run(add())
            assert any(b"changed" in stream.readline() for _ in range(6))
        assert json.loads(pages.ask("/health")[1])["schools"] == 1


def test_who_waits_for_a_page_goes_before_sheets_that_wait_in_their_box(config: Path) -> None:
    mine = os.getpriority(os.PRIO_PROCESS, 0)
    with running(config, "--parts", "boxes") as boxes:
        assert boxes.ask("/health")[0] == 200
        assert os.getpriority(os.PRIO_PROCESS, boxes.process.pid) == min(mine + 10, 19)
        with running(config, "--parts", "pages") as pages:
            assert pages.ask("/health")[0] == 200
            assert os.getpriority(os.PRIO_PROCESS, pages.process.pid) == mine


@pytest.mark.skipif(not Path("/proc/self/autogroup").exists(), reason="this system does not share by sessions")
def test_a_service_for_boxes_says_of_its_session_too_that_others_go_first(config: Path) -> None:
    with running(config, "--parts", "boxes", as_a_service=True) as boxes:
        assert boxes.ask("/health")[0] == 200
        told = Path(f"/proc/{boxes.process.pid}/autogroup").read_text(encoding="ascii")
        assert int(told.split()[-1]) > 0
    mine = Path("/proc/self/autogroup").read_text(encoding="ascii")
    with running(config, "--parts", "boxes") as boxes:  # of a session that others share
        assert boxes.ask("/health")[0] == 200
        assert Path("/proc/self/autogroup").read_text(encoding="ascii") == mine


def test_two_processes_share_a_port_and_one_that_ends_costs_no_page(config: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        place = {"CLASSGATE_WEB_LISTEN": f"127.0.0.1:{free.getsockname()[1]}", "CLASSGATE_WEB_SHARED": "true"}
    with running(config, **place) as one, running(config, "--parts", "pages", **place) as other:
        assert one.url == other.url

        def began() -> set[str]:
            told = (one.ask("/metrics")[1] for _ in range(30))
            return {line for text in told for line in text.splitlines() if line.startswith("process_start_time")}

        assert len(began()) == 2
        other.process.send_signal(signal.SIGTERM)
        assert other.process.wait(30) == 0
        assert len(began()) == 1


def test_of_processes_on_one_socket_whoever_is_free_takes_the_next_visitor(config: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        number = listener.fileno()
        with (
            running(config, "--parts", "pages", listener=number) as one,
            running(config, "--parts", "pages", listener=number) as other,
        ):
            assert one.url == other.url == f"http://127.0.0.1:{listener.getsockname()[1]}"
            other.process.send_signal(signal.SIGSTOP)  # as busy as can be
            assert {one.ask("/health")[0] for _ in range(20)} == {200}
            other.process.send_signal(signal.SIGCONT)
            one.process.send_signal(signal.SIGTERM)
            assert one.process.wait(30) == 0
            assert {other.ask("/health")[0] for _ in range(5)} == {200}


def test_a_socket_that_was_meant_for_another_program_is_left_alone(config: Path) -> None:
    with running(config, LISTEN_FDS="1", LISTEN_PID="1", CLASSGATE_WEB_LISTEN="127.0.0.1:0") as gateway:
        assert gateway.ask("/health")[0] == 200


def test_a_supervisor_hears_that_it_is_ready_alive_and_ending(config: Path, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.bind(str(tmp_path / "notify"))
        line.settimeout(30)
        with running(config, NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="400000") as gateway:
            heard = [line.recv(4096).decode() for _ in range(4)]
            assert any(said.startswith("READY=1") for said in heard)
            assert "WATCHDOG=1" in heard
            gateway.process.send_signal(signal.SIGTERM)
            while "STOPPING=1" not in heard:
                heard.append(line.recv(4096).decode())
            assert gateway.process.wait(30) == 0


def test_a_log_for_programs_has_one_object_a_line(config: Path) -> None:
    with running(config, CLASSGATE_LOG_FORMAT="json", CLASSGATE_LOG_LEVEL="info") as gateway:
        gateway.process.send_signal(signal.SIGTERM)
        errors = gateway.process.communicate(timeout=30)[1]
    lines = [json.loads(line) for line in errors.splitlines()]
    assert {"at", "level", "from", "message"} <= lines[-1].keys()
    assert "stopping" in [line["message"] for line in lines]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed here")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    text = re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", UNIT.read_text(encoding="utf-8"), flags=re.MULTILINE)
    pages, more = tmp_path / "classgate-pages@.service", tmp_path / "classgate-pages@.service.d"
    for copy in (tmp_path / UNIT.name, pages):
        copy.write_text(text, encoding="utf-8")
    more.mkdir()
    conf = UNIT.with_name("classgate-pages.conf").read_text(encoding="utf-8")
    (more / "pages.conf").write_text(re.sub(r"/opt\S+", "/bin/true", conf), encoding="utf-8")
    shutil.copy(UNIT.with_name("classgate-pages.socket"), tmp_path)
    units = (UNIT.name, "classgate-pages.socket", "classgate-pages@1.service")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *(tmp_path / name for name in units)],
        capture_output=True,
        text=True,
        check=False,
    )
    ours = [line for line in done.stderr.splitlines() if "classgate" in line]
    assert ours == []
