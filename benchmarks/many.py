"""How long a PDF of 300 scanned pages takes in one run, with one process and two, and what it needs of memory.

The pages are a year group's worksheets, each printed for its pupil and filled in by the simulated hand, scanned at
200 dpi. Then the run is killed in the middle and started again. Wall time on a shared machine: `cpu_s` says more.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import msgspec
import psutil
from PIL import Image

from homework.assignment import assignment_to_toml, parse_assignment
from homework.layout import layout_to_json
from homework.roster import Pupil, Roster, roster_to_csv
from homework.sheets import make_sheets
from models.simulation.paper import PrintedPages, written_page
from models.simulation.pupil import fill_class

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "g3-mul-2x1.toml"
CLASS_SIZE = 50
DPI = 200
JPEG_QUALITY = 85
SAMPLE_S = 0.05


def make_scan(folder: Path, pages: int, *, seed: int = 1) -> Path:
    """Write `scan.pdf` and what it is graded by; the pages come in the order of classes and seats."""
    assignment = msgspec.structs.replace(parse_assignment(EXAMPLE.read_text(encoding="utf-8")), pupil_id="printed")
    classes = -(-pages // CLASS_SIZE)
    roster = Roster(
        tuple(
            Pupil(f"3-{n + 1}", seat, f"学生{n + 1}{seat:02d}", f"S{n + 1}{seat:02d}")
            for n in range(classes)
            for seat in range(1, min(CLASS_SIZE, pages - n * CLASS_SIZE) + 1)
        )
    )
    # A class is printed at a time; what is printed is the same sheet each time.
    printed = {name: make_sheets(assignment, roster=roster, class_name=name) for name in roster.classes()}
    made = next(iter(printed.values()))
    (folder / "layout.json").write_text(layout_to_json(made.layout), encoding="utf-8")
    (folder / "assignment.toml").write_text(assignment_to_toml(made.assignment), encoding="utf-8")
    (folder / "roster.csv").write_text(roster_to_csv(roster), encoding="utf-8")

    def scans() -> Iterator[Image.Image]:
        for name, sheets in printed.items():
            paper = PrintedPages(sheets.worksheets_pdf, dpi=DPI)
            filled = fill_class(sheets.assignment, sheets.layout, roster, class_name=name, seed=seed)
            for number, page in enumerate(filled, start=1):
                picture = written_page(paper.page(number), page.strokes, paper.px_per_mm)
                yield Image.fromarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB))
            paper.close()

    every = scans()
    path = folder / "scan.pdf"
    next(every).save(path, save_all=True, append_images=every, resolution=DPI, quality=JPEG_QUALITY)
    return path


class Watched:
    """`classbox grade` as a process: how long it runs and, summed over its processes, what memory and CPU it takes."""

    def __init__(self, words: list[str], out: Path) -> None:
        program = Path(sys.executable).parent / "classbox"
        self._file = out.open("wb")
        self._start = time.perf_counter()
        self.process = subprocess.Popen([str(program), "grade", *words], stdout=self._file, stderr=subprocess.DEVNULL)
        self.peak_mb = 0.0
        self.largest_mb = 0.0
        self._cpu: dict[int, float] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample)
        self._thread.start()

    def wait(self) -> dict[str, Any]:
        code = self.process.wait()
        seconds = time.perf_counter() - self._start
        self._ended.set()
        self._thread.join()
        self._file.close()
        return {
            "seconds": round(seconds, 1),
            "exit_code": code,
            "cpu_s": round(sum(self._cpu.values()), 1),
            "peak_mb_all": round(self.peak_mb),
            "peak_mb_largest": round(self.largest_mb),
        }

    def _sample(self) -> None:
        root = psutil.Process(self.process.pid)
        while not self._ended.wait(SAMPLE_S):
            try:
                family = [root, *root.children(recursive=True)]
            except psutil.NoSuchProcess:
                return
            sizes = []
            for one in family:
                try:
                    sizes.append(one.memory_info().rss / 1e6)
                    self._cpu[one.pid] = sum(one.cpu_times()[:2])
                except psutil.NoSuchProcess:
                    continue
            self.peak_mb = max(self.peak_mb, sum(sizes))
            self.largest_mb = max(self.largest_mb, *sizes, 0.0)


def timeless(path: Path) -> list[dict[str, Any]]:
    """The lines that were printed, without how long each took."""
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [{key: value for key, value in line.items() if key != "elapsed_ms"} for line in lines]


def killed_and_resumed(folder: Path, scan: Path, whole: list[dict[str, Any]]) -> dict[str, Any]:
    """Kill the run and all its processes when a third of the pages is noted; run it again."""
    noted = folder / "noted"
    words = [str(scan), "--json", "--resume", str(noted)]
    first = Watched(words, folder / "first.jsonl")
    while first.process.poll() is None and _lines(noted) < len(whole) / 3:
        time.sleep(0.05)
    os.kill(first.process.pid, signal.SIGKILL)
    first.wait()
    before = _lines(noted)
    again = Watched(words, folder / "again.jsonl")
    figures = again.wait()
    return {
        "noted_when_killed": before,
        "graded_after": _lines(noted) - before,
        "seconds_after": figures["seconds"],
        "same_result": timeless(folder / "again.jsonl") == whole,
    }


def _lines(noted: Path) -> int:
    """Whole lines of pages; the first one is a heading."""
    return max(noted.read_bytes().count(b"\n") - 1, 0) if noted.exists() else 0


def figures(pages: int) -> dict[str, Any]:
    """Grade one PDF with one process and with two, and once in two goes."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scan = make_scan(folder, pages)
        rows = []
        results = []
        for jobs in (1, 2):
            out = folder / f"{jobs}.jsonl"
            row = Watched([str(scan), "--json", "--jobs", str(jobs)], out).wait()
            results.append(timeless(out))
            rows.append({"jobs": jobs, "pages_per_s": round(pages / row["seconds"], 2), **row})
        graded = sum(page["status"] == "graded" for page in results[0])
        return {
            "pages": pages,
            "pdf_mb": round(scan.stat().st_size / 1e6, 1),
            "graded": graded,
            "same_for_1_and_2": results[0] == results[1],
            "load_average": round(os.getloadavg()[0], 1),
            "rows": rows,
            **killed_and_resumed(folder, scan, results[0]),
        }


def main() -> int:
    """Print the figures, as JSON when asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=300)
    parser.add_argument("--quick", action="store_true", help="24 pages")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = figures(24 if options.quick else options.pages)
    if options.json:
        print(json.dumps(found))
    else:
        for key, value in found.items():
            print(f"{key:>18}  {value}")
    fine = found["same_for_1_and_2"] and found["same_result"] and found["graded"] == found["pages"]
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
