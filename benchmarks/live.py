"""From a frame at rest to the verdict on the page; a stack before three open pages; clicks until a class is finished.

A real box process, real headless Chromium, handwriting of the simulation on printed personal sheets, photographed on a
simulated desk at 12 megapixels. (a) `rest_to_verdict`: from the moment at which the camera hands over a frame (decoded,
in memory) to the frame of the page in which the verdict's marks, score and name stand; `rest_to_picture` until the
picture of the sheet is drawn under them too. One sheet at a time. The trigger's own wait for rest (130 ms) and a
camera's exposure come before. (b) 45 sheets in 60 s with the page open in three browsers. (c) the review of (b), acted
out in one of them by somebody who knows what is written: clicks, and seconds from the first sheet to the finished
class, without the time that a person looks.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
from playwright.sync_api import Browser, Locator, Page, sync_playwright

from benchmarks._box import run_classbox
from edge.commands.status import read_status
from homework.assignment import assignment_to_toml, parse_assignment
from homework.layout import layout_to_json
from homework.roster import roster_to_csv
from homework.sheets import make_sheets
from models.simulation.classroom import Classroom, made_up_roster
from models.simulation.desk import Desk
from models.simulation.motion import Moment, Passing
from models.simulation.pupil import Habits

CLASS = "3-1"
EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "g3-mul-2x1.toml"
PUPILS, PACE_S = 45, 60 / 45
_KINDS = (
    'kind = "number"\nprompt = "23 × 4 ="\nanswer = "92"',
    'kind = "judge"\nprompt = "3 是奇数"\nanswer = "√"',
    'kind = "number"\nprompt = "12 × 4 ="\nanswer = "48"',
    'kind = "compare"\nprompt = "3 ○ 5"\nanswer = "<"',
    'kind = "number"\nprompt = "7 × 8 ="\nanswer = "56"',
    'kind = "judge"\nprompt = "8 是奇数"\nanswer = "×"',
)
_LONG = 'kind = "number"\nprompt = "140 + 36 ="\nanswer = "176"'
MIXED = '[assignment]\ntitle = "第三单元 练习"\ngrade = 3\n' + "".join(
    f"[[item]]\n{kind}\n" for kind in (*_KINDS, *_KINDS[:-1], _LONG)
)
PAUSE_S = 0.25
"""After a verdict, so that what the box does after it (the outbox, the checkpoint) is not counted to the next one."""
PATIENCE_S = 30.0

RECORDER = """
window.seen = {};
const note = (key, what) => requestAnimationFrame(() => setTimeout(() => {
  // After the frame in which it was painted.
  const one = window.seen[key] = window.seen[key] || {};
  if (!(what in one)) one[what] = performance.timeOrigin + performance.now();
}, 0));
const look = () => {
  const sheet = document.querySelector('#sheet [data-key]');
  if (!sheet || !document.querySelector('#side .score-line, #side .person h1')) return;
  const key = sheet.getAttribute('data-key');
  if (window.seen[key]) return;
  window.seen[key] = {};
  note(key, 'verdict');
  const source = document.querySelector('#sheet image, #sheet img');
  if (!source) return;
  const picture = new Image();
  picture.onload = () => picture.decode().then(() => note(key, 'picture'));
  picture.src = source.getAttribute('href') || source.getAttribute('src');
};
document.addEventListener('DOMContentLoaded', () => {
  new MutationObserver(look).observe(document.body, { childList: true, subtree: true });
  look();
});
"""


@dataclass(frozen=True)
class Stack:
    """A class's sheets as a camera's pictures, and what is written on each: the text of each field in order."""

    sheets: Path
    frames: tuple[Path, ...]
    written: tuple[tuple[str, ...], ...]


class Room:
    """A class of 45 and its desk; each stack is another worksheet that is printed, written and photographed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.roster = made_up_roster(PUPILS, class_name=CLASS)
        self.roster_file = folder / "roster.csv"
        self.roster_file.write_text(roster_to_csv(self.roster), encoding="utf-8")
        self._desk: Desk | None = None

    def stack(self, number: int, sheets: int, *, mixed: bool = False) -> Stack:
        """The first `sheets` sheets of the stack of that number.

        `mixed`: tidy hands, and of twelve answers seven are numbers, so that some 5 % come to the review; else the
        first page of the example: twenty-one fields.
        """
        folder = self.folder / f"stack-{number}"
        folder.mkdir()
        assignment = parse_assignment(MIXED if mixed else EXAMPLE.read_text(encoding="utf-8"))
        assignment = msgspec.structs.replace(
            assignment, id=f"live-{number}", pupil_id="printed", items=assignment.items[:12]
        )
        made = make_sheets(assignment, roster=self.roster, class_name=CLASS)
        (folder / "layout.json").write_text(layout_to_json(made.layout), encoding="utf-8")
        (folder / "assignment.toml").write_text(assignment_to_toml(made.assignment), encoding="utf-8")
        room = Classroom(
            made.assignment,
            made.layout,
            self.roster,
            made.worksheets_pdf,
            class_name=CLASS,
            seed=100 + number,
            habits=Habits.tidy() if mixed else None,
        )
        desk = self._desk = self._desk or Desk(page_mm=made.layout.page_mm, seed=number)
        lies = Passing(sheets, pace_s=1.0, page_mm=made.layout.page_mm, view_mm=desk.view_mm, seed=number)
        frames, written = [], []
        for index in range(sheets):
            moment = Moment(((index, lies.rest_of(index)),), (), 0.0)
            frame = desk.expose(desk.lay_out(moment, [room.sheet(index)]), moment)
            path = folder / f"{index:03}.jpg"
            cv2.imwrite(str(path), frame, [cv2.IMWRITE_JPEG_QUALITY, 95])
            frames.append(path)
            written.append(tuple(field.text or "" for field in room.truth(index).fields))
        room.close()
        return Stack(folder, tuple(frames), tuple(written))


class HandedBox:
    """A running box to which frames are handed."""

    def __init__(self, folder: Path, room: Room) -> None:
        self.data, self._times, self._room = folder / "data", folder / "times.txt", room
        self._times.touch()
        config = folder / "box.toml"
        config.write_text(
            f'data = "{self.data}"\nclass = "{CLASS}"\n[web]\nlisten = "127.0.0.1:0"\n[camera]\nsource = "handed"\n',
            encoding="utf-8",
        )
        words = [sys.executable, "-m", "benchmarks._handed_box", str(self._times), str(config)]
        self.errors = (folder / "errors.txt").open("w")
        self.process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line.startswith("ready "):
            raise SystemExit((folder / "errors.txt").read_text(encoding="utf-8") or "the box did not start")
        self.url = line.split()[1]

    def load(self, stack: Stack) -> None:
        """Load a worksheet, and wait until the box has seen it."""
        run_classbox("load", stack.sheets, "--roster", self._room.roster_file, "--data", self.data)
        time.sleep(1.5)

    def hand(self, frame: Path) -> None:
        """Hand a frame over; returns at once."""
        assert self.process.stdin is not None
        print(frame, file=self.process.stdin, flush=True)

    def handed_ms(self) -> list[float]:
        """When each frame was handed over, on the wall clock."""
        return [float(line) for line in self._times.read_text(encoding="utf-8").split()]

    def captured(self) -> int:
        """How many captures are in the ledger."""
        return int(read_status(self.data)["captured"])

    def memory_mb(self) -> int:
        """The most memory that the process has held."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8").splitlines()
        return int(next(line.split()[1] for line in lines if line.startswith("VmHWM"))) // 1024

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(timeout=30)
        self.errors.close()


def seen(page: Page) -> dict[str, dict[str, float]]:
    """When each sheet stood on a page: its verdict, and its picture."""
    found: dict[str, dict[str, float]] = page.evaluate("() => window.seen")
    return found


def until(true: Callable[[], Any], what: str) -> None:
    """Wait. Ends the benchmark when it lasts too long."""
    end_s = time.monotonic() + PATIENCE_S
    while not true():
        if time.monotonic() > end_s:
            raise SystemExit(f"{what} did not come")
        time.sleep(0.02)


def open_page(browser: Browser, box: HandedBox) -> Page:
    """The live page in a browser context of its own, with the recorder in it."""
    page = browser.new_context(viewport={"width": 1366, "height": 900}, locale="zh-CN").new_page()
    page.add_init_script(RECORDER)
    page.goto(box.url)
    page.wait_for_selector(".handed-in")
    return page


def one_at_a_time(box: HandedBox, page: Page, stacks: Iterator[Stack]) -> dict[str, list[float]]:
    """Every sheet of the stacks: milliseconds to its verdict, and to its picture, on the page."""
    found: dict[str, list[float]] = {"verdict": [], "picture": []}
    for stack in stacks:
        box.load(stack)
        for frame in stack.frames:
            key = str(box.captured() + 1)
            box.hand(frame)
            until(lambda key=key: len(seen(page).get(key, {})) == 2, f"sheet {key}")  # type: ignore[misc]
            handed = box.handed_ms()[-1]
            for what, at_ms in seen(page)[key].items():
                found[what].append(at_ms - handed)
            time.sleep(PAUSE_S)
        for frame in stack.frames:
            frame.unlink()
    return found


def a_stack_before(box: HandedBox, pages: Sequence[Page], stack: Stack) -> dict[str, Any]:
    """The stack at its pace: what was captured, and what each page showed."""
    box.load(stack)
    first = box.captured()
    keys = {str(first + 1 + place) for place in range(len(stack.frames))}
    began = time.monotonic()
    for place, frame in enumerate(stack.frames):
        time.sleep(max(0.0, began + place * PACE_S - time.monotonic()))
        box.hand(frame)
    until(lambda: box.captured() >= first + len(keys), "the last sheet")
    seconds = time.monotonic() - began
    until(lambda: all(max(keys, key=int) in seen(page) for page in pages), "the last sheet on every page")
    time.sleep(0.5)
    handed = dict(zip(sorted(keys, key=int), box.handed_ms()[-len(keys) :], strict=True))
    delays = [found[key]["verdict"] - handed[key] for found in map(seen, pages) for key in keys if key in found]
    return {
        "clients": len(pages),
        "sheets": len(keys),
        "captured": box.captured() - first,
        "shown": min(len(keys & seen(page).keys()) for page in pages),
        "stack_seconds": round(seconds, 1),
        "three_clients_ms_p50": round(float(np.percentile(delays, 50))),
        "three_clients_ms_p99": round(float(np.percentile(delays, 99))),
    }


class Teacher:
    """Clicks through the review as somebody who knows what is written. Counts clicks and typed keys."""

    def __init__(self, page: Page, stack: Stack, first: int) -> None:
        self.page, self._stack, self._first = page, stack, first
        self.clicks = self.keys = 0

    def finish(self) -> None:
        """From the live page to nothing left to look at."""
        self._click(self.page.locator("a[data-focus=review]"))
        for _ in range(500):
            self.page.wait_for_selector("#review")
            group = self.page.locator("form.group")
            if group.count() == 0:
                break
            self._answer(group)
        else:
            raise SystemExit("the review does not end")
        self._click(self.page.locator(".card a[href='/']"))
        self.page.wait_for_selector(".handed-in")

    def _answer(self, group: Locator) -> None:
        """Confirm a group; what is read wrong in it, or not at all, is typed first."""
        question = group.get_attribute("data-question")
        did = self.page.locator("#review").get_attribute("data-did")
        if question in ("reading", "unread"):
            text = group.locator("input[name='as']").get_attribute("value") if question == "reading" else None
            for crop, written in self._crops(group):
                if written != (text or "") or question == "unread":
                    self._type(crop, written)
        self._click(group.locator(".answer button").first)
        self.page.wait_for_function(
            """did => {
                const now = document.getElementById('review');
                return now && now.getAttribute('data-did') !== did;
            }""",
            arg=did,
        )

    def _type(self, crop: Locator, text: str) -> None:
        """What stands there: by a button where there is one, else typed. What says nothing is judged wrong."""
        field = crop.locator(".says input")
        if text == "" or field.count() == 0:
            button = crop.locator(f"button[value$='/text/{text}']")
            self._click(button if button.count() else crop.locator("[data-judge=n]"))
            return
        self._click(field)
        field.fill(text)
        self.keys += len(text)

    def _crops(self, group: Locator) -> list[tuple[Locator, str]]:
        """Each crop, and what is written there."""
        found = []
        for crop in group.locator("li.one").all():
            capture, _, place = (crop.get_attribute("data-ident") or "").split("-")
            found.append((crop, self._stack.written[int(capture) - self._first - 1][int(place)]))
        return found

    def _click(self, target: Locator) -> None:
        target.click()
        self.clicks += 1


def figures(folder: Path, browser: Browser, *, quick: bool) -> dict[str, Any]:
    """(a) in one box, (b) and (c) in another that begins empty."""
    room = Room(folder)
    total, of_stack = (30, 12) if quick else (500, PUPILS)
    sizes = [min(PUPILS, total - begun) for begun in range(0, total, PUPILS)]
    with running(folder / "one", room) as box:
        page = open_page(browser, box)
        found = one_at_a_time(box, page, (room.stack(number, size) for number, size in enumerate(sizes)))
        memory_mb = box.memory_mb()
        page.context.close()
    stack = room.stack(len(sizes), of_stack, mixed=True)
    with running(folder / "three", room) as box:
        pages = [open_page(browser, box) for _ in range(3)]
        shown = a_stack_before(box, pages, stack)
        in_review = int(read_status(box.data)["review"])
        teacher = Teacher(pages[0], stack, 0)
        began = time.monotonic()
        teacher.finish()
        review_seconds = time.monotonic() - began
        left = int(read_status(box.data)["review"])
    if left:
        raise SystemExit(f"{left} answers are still to be looked at")
    return {
        "rest_to_verdict_ms_p50": round(float(np.percentile(found["verdict"], 50))),
        "rest_to_verdict_ms_p99": round(float(np.percentile(found["verdict"], 99))),
        "rest_to_verdict_ms_max": round(max(found["verdict"])),
        "rest_to_picture_ms_p50": round(float(np.percentile(found["picture"], 50))),
        "rest_to_picture_ms_p99": round(float(np.percentile(found["picture"], 99))),
        "timed_sheets": len(found["verdict"]),
        **shown,
        "fields": sum(len(one) for one in stack.written),
        "in_review": in_review,
        "clicks": teacher.clicks,
        "keys": teacher.keys,
        "review_seconds": round(review_seconds, 1),
        "seconds": round(shown["stack_seconds"] + review_seconds, 1),
        "peak_memory_mb": memory_mb,
    }


@contextmanager
def running(folder: Path, room: Room) -> Iterator[HandedBox]:
    """A box that begins empty."""
    folder.mkdir()
    box = HandedBox(folder, room)
    try:
        yield box
    finally:
        box.stop()


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's, headless."""
    with sync_playwright() as playwright:
        program = shutil.which("chromium") or "/usr/bin/chromium-headless-shell"
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--quick", action="store_true", help="30 sheets one at a time, and a stack of 12")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory(prefix="classbox-live-") as folder, chromium() as browser:
        found = figures(Path(folder), browser, quick=arguments.quick)
    found |= {"frame_px": [4056, 3040], "simulated": True, "load_average": round(os.getloadavg()[0], 1)}
    if arguments.json:
        print(json.dumps(found))
    else:
        for name, value in found.items():
            print(f"{name:26} {value}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
