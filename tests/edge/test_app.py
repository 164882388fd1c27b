"""The box as a process: what a folder of real scans becomes, and what it does when things go wrong."""

import json
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from benchmarks._box import CLASSBOX, ENVIRONMENT, Program, Start, start_fresh
from edge.commands.status import read_status
from tests.forked import start_forked

PATIENCE_S = 60


class Box:
    """A box process on its own data folder and its own folder of scans."""

    def __init__(self, folder: Path, *, source: str | None = None) -> None:
        self.data, self.scans = folder / "data", folder / "scans"
        self.scans.mkdir(parents=True, exist_ok=True)
        self.data.mkdir(exist_ok=True)
        self.config = folder / "box.toml"
        source = source or f"folder:{self.scans}"
        self.config.write_text(
            f'data = "{self.data}"\n[web]\nlisten = "127.0.0.1:0"\n[camera]\nsource = "{source}"\n', encoding="utf-8"
        )
        self.process: Program | None = None
        self.url = ""

    def start(self, starting: Start = start_forked) -> "Box":
        self.process = starting(
            ["run", "--config", str(self.config)], errors=self.data / "log", environment=ENVIRONMENT
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith("ready http://127.0.0.1:"), (self.data / "log").read_text()
        self.url = line.split()[1]
        return self

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=PATIENCE_S)

    def run(self, *words: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [CLASSBOX, *map(str, words), "--data", str(self.data)],
            capture_output=True,
            text=True,
            check=False,
            env=ENVIRONMENT,
        )

    def load(self, made: Path) -> None:
        done = self.run("load", made / "sheets", "--roster", made / "roster.csv")
        assert done.returncode == 0, done.stderr

    def status(self) -> dict[str, Any]:
        return read_status(self.data)

    def until(self, **wanted: int) -> dict[str, Any]:
        end_s = time.monotonic() + PATIENCE_S
        while True:
            status = self.status()
            if all(status[name] == value for name, value in wanted.items()):
                return status
            assert time.monotonic() < end_s, (status, (self.data / "log").read_text())
            time.sleep(0.1)

    def page(self, path: str = "", **more: Any) -> str:
        with urllib.request.urlopen(urllib.request.Request(self.url + path, **more), timeout=20) as answer:
            return str(answer.read().decode())


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    made = Box(tmp_path)
    yield made
    if made.process is not None and made.process.poll() is None:
        made.process.send_signal(signal.SIGKILL)
        made.process.wait()


def test_a_class_is_graded_counted_and_exported(box: Box, scanned_class: Path) -> None:
    box.load(scanned_class)
    shutil.copytree(scanned_class / "scans", box.scans, dirs_exist_ok=True)
    box.start(start_fresh)
    status = box.until(captured=6)
    assert (status["graded"], status["duplicates"], status["asked"]) == (6, 0, 0)
    assert box.stop() == 0
    pages = json.loads(box.run("export", "--json").stdout)
    assert sorted(page["pupil"] for page in pages) == [f"S{n:03}" for n in range(1, 7)]
    assert all(len(page["items"]) == 5 for page in pages)


def test_a_restart_takes_nothing_twice(box: Box, scanned_class: Path) -> None:
    box.load(scanned_class)
    shutil.copytree(scanned_class / "scans", box.scans, dirs_exist_ok=True)
    box.start().until(captured=6)
    assert box.stop() == 0
    shutil.copy(scanned_class / "scans" / "01.jpg", box.scans / "copy-of-01.jpg")
    rotated = cv2.imread(str(scanned_class / "scans" / "02.jpg"))
    cv2.imwrite(str(box.scans / "zz-02-turned.jpg"), np.ascontiguousarray(rotated[::-1, ::-1]))
    box.start()
    status = box.until(captured=7, duplicates=1)
    assert status["graded"] == 6


def test_an_unknown_sheet_keeps_its_picture_and_grades_itself_once_loaded(box: Box, scanned_class: Path) -> None:
    shutil.copy(scanned_class / "scans" / "03.jpg", box.scans)
    box.start().until(captured=1, unknown_sheet=1)
    box.load(scanned_class)
    status = box.until(unknown_sheet=0, graded=1)
    assert status["captured"] == 1


def test_pictures_from_a_phone_are_graded_like_a_camera_s(box: Box, scanned_class: Path) -> None:
    box.load(scanned_class)
    box.start()
    assert 'href="/upload"' in box.page("?language=en")
    body = b"".join(
        b'--x\r\nContent-Disposition: form-data; name="chosen"; filename="%s.jpg"\r\n\r\n%s\r\n'
        % (name.encode(), (scanned_class / "scans" / f"{name}.jpg").read_bytes())
        for name in ("01", "02", "03")
    )
    page = box.page(
        "upload?language=en",
        data=body + b"--x--\r\n",
        headers={"Content-Type": "multipart/form-data; boundary=x", "Sec-Fetch-Site": "same-origin"},
    )
    assert "3 pages were handed over" in page
    assert box.until(captured=3)["graded"] == 3


def test_bad_pictures_cost_nothing_around_them(box: Box, scanned_class: Path) -> None:
    box.load(scanned_class)
    (box.scans / "00-empty.jpg").write_bytes(b"")
    (box.scans / "00-torn.jpg").write_bytes((scanned_class / "scans" / "01.jpg").read_bytes()[:3000])
    cv2.imwrite(str(box.scans / "00-cat.jpg"), np.random.default_rng(1).integers(0, 255, (900, 700, 3), np.uint8))
    shutil.copy(scanned_class / "scans" / "02.jpg", box.scans)
    box.start()
    assert box.until(graded=1)["graded"] == 1
    assert box.process is not None
    assert box.process.poll() is None


def test_a_second_box_on_the_same_data_is_refused(box: Box) -> None:
    box.start()
    second = subprocess.run(
        [CLASSBOX, "run", "--config", str(box.config)], capture_output=True, text=True, env=ENVIRONMENT, check=False
    )
    assert second.returncode == 1
    assert "running" in second.stderr
    assert len(second.stderr.splitlines()) == 1


def test_a_missing_camera_is_said_on_the_page_and_the_box_goes_on(tmp_path: Path) -> None:
    blind = Box(tmp_path / "blind", source=f"folder:{tmp_path}/not-there")
    blind.start()
    try:
        end_s = time.monotonic() + PATIENCE_S
        while "not-there" not in (page := blind.page("?language=en")):
            assert time.monotonic() < end_s
            time.sleep(0.1)
        assert 'role="alert"' in page
        (tmp_path / "not-there").mkdir()
        while 'role="alert"' in blind.page("?language=en"):
            assert time.monotonic() < end_s
            time.sleep(0.2)
    finally:
        assert blind.stop() == 0


def test_a_port_that_is_taken_is_one_line_and_a_remedy(box: Box, tmp_path: Path) -> None:
    box.start()
    other = Box(tmp_path / "other")
    port = box.url.rstrip("/").rpartition(":")[2]
    other.config.write_text(other.config.read_text().replace("127.0.0.1:0", f"127.0.0.1:{port}"))
    done = subprocess.run(
        [CLASSBOX, "run", "--config", str(other.config)], capture_output=True, text=True, env=ENVIRONMENT, check=False
    )
    assert done.returncode == 1
    assert "[web] listen" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_pictures_that_were_never_booked_are_cleaned_at_the_start(box: Box, scanned_class: Path) -> None:
    box.load(scanned_class)
    shutil.copy(scanned_class / "scans" / "01.jpg", box.scans)
    box.start().until(captured=1)
    assert box.stop() == 0
    pictures = box.data / "pictures"
    kept = sorted(pictures.glob("??/*"))
    orphan = pictures / "ab" / ("ab" + "0" * 30 + ".jpg")
    orphan.parent.mkdir(exist_ok=True)
    orphan.write_bytes(b"half")
    (kept[0].parent / ".half-written").write_bytes(b"ha")
    box.start()
    assert sorted(pictures.glob("??/*")) == kept


def test_results_go_on_when_the_disk_takes_no_picture(box: Box, scanned_class: Path) -> None:
    box.load(scanned_class)
    (box.data / "pictures").write_text("a file where the folder should be")
    shutil.copy(scanned_class / "scans" / "01.jpg", box.scans)
    box.start()
    assert box.until(graded=1)["captured"] == 1
    assert "The picture could not be kept" in box.page("?language=en")


def test_the_page_answers_strangers_with_a_refusal(box: Box, scanned_class: Path) -> None:
    box.load(scanned_class)
    shutil.copy(scanned_class / "scans" / "01.jpg", box.scans)
    box.start().until(graded=1)
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        with pytest.raises(urllib.error.HTTPError) as refused:
            box.page("sheets/1/withdraw", method="POST", headers=headers, data=b"")
        assert refused.value.code == 403
    assert box.status()["withdrawn"] == 0


def test_every_page_carries_the_security_headers_and_nothing_inline(box: Box, scanned_class: Path) -> None:
    box.load(scanned_class)
    shutil.copy(scanned_class / "scans" / "01.jpg", box.scans)
    box.start().until(graded=1)
    for path in ("", "review", "sheets/1", "?screen=class"):
        with urllib.request.urlopen(box.url + path, timeout=20) as answer:
            page = answer.read().decode()
            policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy
        assert "unsafe-inline" not in policy
        assert " style=" not in page
        assert "<script>" not in page
        assert "http://" not in page
        assert "https://" not in page


def test_what_is_not_there_is_a_page_too(box: Box) -> None:
    box.start()
    for path in ("nowhere", "sheets/77", "sheets/77/picture.jpg", "sheets/1/fields/0.jpg", "static/..%2fsite.py"):
        with pytest.raises(urllib.error.HTTPError) as missing:
            box.page(path)
        assert missing.value.code == 404
        assert b"<h1>" in missing.value.read()


def test_the_first_page_weighs_less_than_60_kb(box: Box, scanned_class: Path) -> None:
    box.load(scanned_class)
    shutil.copytree(scanned_class / "scans", box.scans, dirs_exist_ok=True)
    box.start().until(captured=6)
    page = box.page()
    weight = len(page.encode())
    for mark in ('href="/ui/', 'href="/static/', 'src="/static/'):
        for part in page.split(mark)[1:]:
            weight += len(box.page(mark.split('"/')[1] + part.split('"')[0]))
    assert weight < 60_000


def test_the_class_screen_shows_no_name_no_score_and_no_sheet(box: Box, scanned_class: Path) -> None:
    box.load(scanned_class)
    shutil.copy(scanned_class / "scans" / "01.jpg", box.scans)
    box.start().until(graded=1)
    page = box.page("?screen=class&language=en")
    assert "学生" not in page
    assert "picture.jpg" not in page
    assert "score" not in page
    assert "Next sheet" in page
