"""One sheet a second: a class slides past the camera in real time; each sheet must be taken once.

The sheets carry their pupil in the code, and it is the pipeline that says which sheet a picture shows, so nothing
here depends on reading handwriting. Grading runs on a thread of its own, as in the box.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from queue import Queue
from typing import Any

import cv2
import msgspec
import numpy as np

from edge.camera.simulated import SimulatedCamera
from edge.camera.watching import WatchedCamera
from edge.frames import Capture
from edge.pipeline import Books, grade_capture
from edge.trigger import Event
from homework.assignment import parse_assignment
from homework.sheets import make_sheets
from models.recognisers import Recognisers
from models.simulation.classroom import Classroom, made_up_roster

CLASS = "3-1"
EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "g3-mul-2x1.toml"


def slide(*, pupils: int, seconds: float, seed: int, frame_px: tuple[int, int]) -> dict[str, Any]:
    """Let `pupils` hand in one page each within `seconds` of sliding; count what the pipeline saw of them."""
    assignment = parse_assignment(EXAMPLE.read_text(encoding="utf-8"))
    # As many items as one page holds: a sheet is one page here.
    assignment = msgspec.structs.replace(assignment, pupil_id="printed", items=assignment.items[:12])
    roster = made_up_roster(pupils, class_name=CLASS)
    sheets = make_sheets(assignment, roster=roster, class_name=CLASS)
    assert len(sheets.layout.pages) == 1
    room = Classroom(sheets.assignment, sheets.layout, roster, sheets.worksheets_pdf, class_name=CLASS, seed=seed)
    camera = SimulatedCamera(room, pace_s=seconds / pupils, seed=seed, frame_px=frame_px)
    books = Books(
        layout_of=lambda name: sheets.layout if name == sheets.layout.sheet else None,
        assignment_of=lambda _name: sheets.assignment,
        roster=roster,
        class_name=CLASS,
    )
    recogniser = Recognisers.load()
    waiting: Queue[tuple[Capture, float] | None] = Queue()
    seen: Counter[str] = Counter()
    verdict_ms: list[float] = []
    refused = 0

    def grade() -> None:
        nonlocal refused
        while (job := waiting.get()) is not None:
            page = grade_capture(job[0], books, recogniser)
            verdict_ms.append((time.monotonic() - job[1]) * 1000)
            code = page.registered.code
            if page.record is not None and code is not None and code.pupil is not None:
                seen[code.pupil] += 1
            else:
                refused += 1

    rested_s: list[float] = []

    def note(event: Event) -> None:
        if event is Event.RESTED:
            rested_s.append(time.monotonic())

    source = WatchedCamera(camera, on_event=note)
    grader = threading.Thread(target=grade, name="grading")
    grader.start()
    started = time.monotonic()
    first = last = started
    try:
        for count, capture in enumerate(source.captures()):
            last = rested_s[-1]
            first = last if count == 0 else first
            waiting.put((capture, last))
    finally:
        waiting.put(None)
        grader.join()
        source.close()
    return {
        "sheets": pupils,
        "captured": len(seen),
        "missed": pupils - len(seen),
        "twice": sum(seen.values()) - len(seen),
        "refused": refused,
        # From the first rest to the last, and one sheet's time for the first.
        "seconds": round((last - first) * pupils / max(pupils - 1, 1), 1),
        "pace_s": round(seconds / pupils, 2),
        "clock_held_s": round(camera.held_s, 2),
        "rest_to_verdict_ms_p50": round(float(np.percentile(verdict_ms, 50))) if verdict_ms else None,
        "rest_to_verdict_ms_p99": round(float(np.percentile(verdict_ms, 99))) if verdict_ms else None,
        "frame_px": list(frame_px),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--quick", action="store_true", help="12 sheets at the same pace")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pace", type=float, default=60 / 45, help="seconds a sheet")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    pupils = 12 if arguments.quick else 45
    figures = slide(pupils=pupils, seconds=pupils * arguments.pace, seed=arguments.seed, frame_px=(4056, 3040))
    if arguments.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:24} {value}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
