"""Many pages in one run: in order, the same for any number of processes, and none twice when it is cut short."""

import json
import os
import pty
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil
import pytest
from click.testing import CliRunner
from PIL import Image as Pillow

from edge.cli import main
from edge.many import drawn_names
from homework.assignment import assignment_to_toml
from homework.layout import layout_to_json

CLASSBOX = Path(sys.executable).parent / "classbox"
SEATS = ("07", "8 ", "09", "1 ", "11", "12")
"""What the pages say, in their order. A lone digit in the first cell is never sure by itself."""
ROSTER = "class,seat,name,pupil_id\n" + "".join(f"3-1,{n},学生{n:02},S{n:03}\n" for n in range(1, 13))


@pytest.fixture(autouse=True)
def nothing_was_loaded(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data")))
    monkeypatch.setenv("CLASSBOX_LANG", "en")


@pytest.fixture(scope="module")
def scanned(print_worksheet: Callable[..., Any]):
    """A stack as the scanner gives it, at 200 dpi, and the sheet that it is of."""
    pages = []
    for number, seat in enumerate(SEATS):
        sheet = print_worksheet(seed=40 + number)
        for digit, box in zip(seat, sheet.layout.pages[0].pupil.boxes_mm, strict=True):
            if digit != " ":
                sheet.write_at(digit, box)
        sheet.write("1", "92")
        sheet.write("2", "45")
        sheet.mark("5", "B")
        small = cv2.resize(sheet.paper(), (1654, 2339), interpolation=cv2.INTER_AREA)
        pages.append(Pillow.fromarray(cv2.cvtColor(small, cv2.COLOR_BGR2RGB)))
    return sheet, pages


@pytest.fixture
def folder(tmp_path: Path, scanned: Any):
    sheet, pages = scanned
    (tmp_path / "layout.json").write_text(layout_to_json(sheet.layout), encoding="utf-8")
    (tmp_path / "assignment.toml").write_text(assignment_to_toml(sheet.assignment), encoding="utf-8")
    (tmp_path / "roster.csv").write_text(ROSTER, encoding="utf-8")
    pages[0].save(tmp_path / "scan.pdf", save_all=True, append_images=pages[1:], resolution=200, quality=92)
    return tmp_path


def run(*words: Any):
    return CliRunner().invoke(main, ["grade", *map(str, words)])


def timeless(lines: str) -> list[dict[str, Any]]:
    return [{k: v for k, v in json.loads(line).items() if k != "elapsed_ms"} for line in lines.splitlines()]


def noted(path: Path) -> list[int]:
    """The pages in a list of finished ones, in the order in which they were done."""
    lines = path.read_bytes().split(b"\n")[1:-1] if path.exists() else []
    return [json.loads(line)["outcome"]["page_of_source"] for line in lines]


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 100
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_one_process_and_three_say_the_same_in_the_order_of_the_pages(folder: Path):
    alone = run(folder, "--json", "--jobs", 1)
    many = run(folder, "--json", "--jobs", 3)
    assert alone.exit_code == many.exit_code == 0, alone.output
    assert timeless(many.stdout) == timeless(alone.stdout)
    found = timeless(alone.stdout)
    assert [page["page_of_source"] for page in found] == [1, 2, 3, 4, 5, 6]
    assert [page["pupil"] for page in found] == ["S007", "S008", "S009", "S001", "S011", "S012"]


def test_killed_in_the_middle_it_goes_on_where_it_was_and_says_the_same(folder: Path):
    words = [str(CLASSBOX), "grade", "scan.pdf", "--json", "--jobs", "2", "--resume", "done.list"]
    whole = subprocess.run(words[:-2], cwd=folder, capture_output=True, text=True, check=True).stdout
    first = subprocess.Popen(words, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until(lambda: len(noted(folder / "done.list")) >= 2)
    children = psutil.Process(first.pid).children(recursive=True)
    first.send_signal(signal.SIGKILL)
    first.wait()
    psutil.wait_procs(children, timeout=60)
    assert not [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]
    before = noted(folder / "done.list")
    assert 2 <= len(before) < len(SEATS)
    again = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=True)
    after = noted(folder / "done.list")
    assert after[: len(before)] == before
    assert sorted(after) == [1, 2, 3, 4, 5, 6]
    assert timeless(again.stdout) == timeless(whole)


@pytest.mark.parametrize("pages", [0, 1])
def test_ctrl_c_ends_all_processes_without_a_traceback(folder: Path, pages: int):
    """While the workers are starting, and in the middle of the pages."""
    words = [str(CLASSBOX), "grade", "scan.pdf", "--json", "--jobs", "2", "--resume", "done.list"]
    program = subprocess.Popen(
        words,
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # As in a terminal, also where the tests themselves run in the background of a shell, which ignores the signal.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no other thread runs here
    )
    until(lambda: bool(psutil.Process(program.pid).children()) and len(noted(folder / "done.list")) >= pages)
    children = psutil.Process(program.pid).children(recursive=True)
    os.killpg(program.pid, signal.SIGINT)
    _, stderr = program.communicate(timeout=60)
    assert program.returncode == 1
    assert stderr.strip() == "Aborted!"
    assert not psutil.wait_procs(children, timeout=60)[1]


def test_a_half_written_line_is_graded_again(folder: Path):
    done = folder / "done.list"
    whole = run(folder, "--json", "--resume", done)
    done.write_bytes(done.read_bytes()[:-20])
    again = run(folder, "--json", "--resume", done)
    assert timeless(again.stdout) == timeless(whole.stdout)
    assert sorted(noted(done)) == [1, 2, 3, 4, 5, 6]


def test_what_is_noted_is_known_by_its_bytes_and_by_what_it_was_graded_by(folder: Path):
    done = folder / "done.list"
    assert run(folder, "--resume", done).exit_code == 0
    (folder / "scan.pdf").rename(folder / "renamed.pdf")
    moved = run(folder, "--json", "--resume", done)
    assert {page["source"] for page in timeless(moved.stdout)} == {str(folder / "renamed.pdf")}
    assert len(noted(done)) == 6
    key = (folder / "assignment.toml").read_text(encoding="utf-8")
    assert '"92"' in key
    (folder / "assignment.toml").write_text(key.replace('"92"', '"93"'), encoding="utf-8")
    judged = run(folder, "--json", "--resume", done)
    assert {page["items"][0]["verdict"] for page in timeless(judged.stdout)} <= {"wrong", "review"}
    assert len(noted(done)) == 12


def test_a_file_that_is_no_list_is_left_alone(folder: Path):
    before = (folder / "roster.csv").read_bytes()
    result = run(folder, "--resume", folder / "roster.csv")
    assert result.exit_code == 1
    assert "no list of graded pages" in result.stderr
    assert (folder / "roster.csv").read_bytes() == before


def test_two_runs_do_not_write_to_one_list(folder: Path):
    from edge.journal import Journal

    journal = Journal(folder / "done.list")
    result = run(folder, "--resume", folder / "done.list")
    assert result.exit_code == 1
    assert "in use" in result.stderr
    journal.close()


def test_a_terminal_sees_how_far_it_is_and_a_pipe_gets_every_line(folder: Path):
    terminal, theirs = pty.openpty()
    words = [str(CLASSBOX), "grade", "scan.pdf", "--json"]
    program = subprocess.Popen(
        words, cwd=folder, stdout=subprocess.PIPE, stderr=theirs, text=True, env={**os.environ, "TERM": "xterm"}
    )
    os.close(theirs)
    seen = bytearray()

    def watch() -> None:
        while True:
            try:
                seen.extend(os.read(terminal, 4096))
            except OSError:  # the other end is closed
                return

    watcher = threading.Thread(target=watch)
    watcher.start()
    stdout, _ = program.communicate()
    watcher.join()
    os.close(terminal)
    assert [page["page_of_source"] for page in timeless(stdout)] == [1, 2, 3, 4, 5, 6]
    assert b"/6" in seen
    assert b'"source"' not in seen
    quiet = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=True)
    assert quiet.stderr == ""


@pytest.mark.parametrize(("blow", "word"), [(signal.SIGKILL, "broke down"), (signal.SIGSTOP, "took longer")])
def test_a_worker_that_dies_or_hangs_costs_its_page_alone(folder: Path, blow: int, word: str):
    """The process that reads a page is struck from outside: killed, or stopped for good."""
    limit = ["--seconds", "15"] if blow == signal.SIGSTOP else []
    words = [str(CLASSBOX), "grade", "scan.pdf", "--json", "--jobs", "1", "--resume", "done.list", *limit]
    program = subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    until(lambda: len(noted(folder / "done.list")) >= 1)
    program.send_signal(signal.SIGSTOP)  # it holds its breath while its worker is looked for
    [worker] = [c for c in psutil.Process(program.pid).children() if "spawn_main" in " ".join(c.cmdline())]
    assert len(noted(folder / "done.list")) < len(SEATS)
    os.kill(worker.pid, blow)
    program.send_signal(signal.SIGCONT)
    stdout, stderr = program.communicate(timeout=110)
    found = timeless(stdout)
    assert program.returncode == 3
    assert [page["page_of_source"] for page in found] == [1, 2, 3, 4, 5, 6]
    lost = [page for page in found if page["status"] != "graded"]
    assert len(lost) == 1
    assert lost[0]["problems"][0]["code"] == "bad-file"
    assert word in lost[0]["problems"][0]["message"]
    assert len(stderr.strip().splitlines()) == 1
    assert not worker.is_running()
    again = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    assert {page["status"] for page in timeless(again.stdout)} == {"graded"}


def test_a_damaged_page_in_the_middle_is_said_and_the_others_are_graded(folder: Path):
    scan = (folder / "scan.pdf").read_bytes()
    assert scan.count(b"\n3 0 obj<<") == 1
    (folder / "scan.pdf").write_bytes(scan.replace(b"\n3 0 obj<<", b"\n3 0 obj<("))
    result = run(folder, "--json")
    found = timeless(result.stdout)
    assert result.exit_code == 3
    assert [page["page_of_source"] for page in found] == [1, 2, 3, 4, 5, 6]
    assert [page["status"] for page in found].index("unreadable") == 1
    assert sum(page["status"] == "graded" for page in found) == 5
    assert "Page 2 of scan.pdf is damaged" in result.stderr


def test_places_on_a_finer_scan_are_told_at_200_dpi(folder: Path, scanned: Any):
    sheet, _ = scanned
    fine = Pillow.fromarray(cv2.cvtColor(sheet.paper(), cv2.COLOR_BGR2RGB))
    fine.save(folder / "scan.pdf", resolution=300, quality=92)
    [page] = timeless(run(folder, "--json", "--annotate", folder / "marked").stdout)
    x, y, width, height = sheet.field("1").box_mm
    corners = np.array([x, y, x + width, y + height]) * 200 / 25.4
    quad = np.array(page["items"][0]["quad_px"])
    assert np.allclose([*quad[0], *quad[2]], corners, atol=2.5)
    assert max(cv2.imread(str(folder / "marked" / "scan.jpg")).shape) == pytest.approx(3508, abs=3)


def test_a_picture_of_something_else_is_no_sheet(folder: Path):
    """A cat, as far as a program can tell: soft fur, strong edges, eyes."""
    rng = np.random.default_rng(1)
    fur = cv2.GaussianBlur(rng.integers(0, 255, (3000, 4000, 3), dtype=np.uint8), (0, 0), 9).astype(np.float32)
    fur = np.clip((fur - 127) * 12 + 127, 0, 255).astype(np.uint8)
    for x in (1500, 2500):
        cv2.circle(fur, (x, 1400), 260, (40, 200, 120), -1)
        cv2.ellipse(fur, (x, 1400), (70, 240), 0, 0, 360, (0, 0, 0), -1)
    (folder / "scan.pdf").unlink()
    cv2.imwrite(str(folder / "cat.jpg"), fur)
    result = run(folder, "--json")
    assert (result.exit_code, timeless(result.stdout)[0]["status"]) == (3, "not-a-sheet")


def test_annotated_pictures_of_many_files_have_names_of_their_own():
    files = [
        Path(name) for name in ("a.pdf", "b/a.pdf", "a-2.jpg", "x~2.jpg", "x.jpg", "y/x.jpg", "n-1.jpg", "n-2.jpg")
    ]
    names = drawn_names(files)
    every = [f"{stem}{number}{again}" for stem, again in names for number in ("", "-2", "-3")]
    assert names[0] == ("a", "")
    assert names[-2:] == [("n-1", ""), ("n-2", "")]
    assert len({f"{stem}{again}" for stem, again in names}) == len(files)
    assert len(set(every)) == len(every)
