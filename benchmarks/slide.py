"""One sheet a second: a class slides past the camera; each sheet must be taken once.

The sheets carry their pupil in the code, and it is the pipeline that says which sheet a picture shows, so nothing
here depends on reading handwriting. Twenty random classes pass on the sequence's own clock: a picture takes the time
that a camera takes (`capture_ms`), drawing and grading take none, so that a busy machine does not decide the figure.
`--real-time` lets one class pass on this machine's clock, with the grading beside it on a thread of its own, as in
the box. The sequences are simulated (`models/simulation/motion.py`), not filmed.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from typing import Any

import cv2
import msgspec
import numpy as np

from edge.camera.simulated import SimulatedCamera, Timer, TurnedClock
from edge.camera.watching import WatchedCamera
from edge.frames import Capture
from edge.pipeline import Books, grade_capture
from edge.trigger import Event
from homework.assignment import parse_assignment
from homework.roster import Roster
from homework.sheets import SheetSet, make_sheets
from models.recognisers import Recognisers
from models.simulation.classroom import Classroom, made_up_roster

CLASS = "3-1"
EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "g3-mul-2x1.toml"
SEQUENCES = 20
SMALL, LARGE = (2028, 1520), (4056, 3040)


@dataclass(frozen=True)
class Stack:
    """One page a pupil, printed for each."""

    roster: Roster
    sheets: SheetSet

    @staticmethod
    def of(pupils: int) -> Stack:
        """The example's first items: as many as one page holds."""
        assignment = parse_assignment(EXAMPLE.read_text(encoding="utf-8"))
        assignment = msgspec.structs.replace(assignment, pupil_id="printed", items=assignment.items[:12])
        roster = made_up_roster(pupils, class_name=CLASS)
        sheets = make_sheets(assignment, roster=roster, class_name=CLASS)
        assert len(sheets.layout.pages) == 1
        return Stack(roster, sheets)

    def camera(
        self,
        *,
        pace_s: float,
        seed: int,
        frame_px: tuple[int, int],
        frames_per_s: float,
        capture_s: float = 0.0,
        timer: Timer | None = None,
    ) -> SimulatedCamera:
        """The class passing under a camera."""
        room = Classroom(
            self.sheets.assignment,
            self.sheets.layout,
            self.roster,
            self.sheets.worksheets_pdf,
            class_name=CLASS,
            seed=seed,
        )
        return SimulatedCamera(
            room,
            pace_s=pace_s,
            seed=seed,
            frame_px=frame_px,
            frames_per_s=frames_per_s,
            capture_s=capture_s,
            timer=timer,
        )

    def who_is_seen(self) -> Callable[[Capture], str | None]:
        """Whose sheet the pipeline sees in a capture; None: it refused it."""
        layout, assignment = self.sheets.layout, self.sheets.assignment
        books = Books(
            layout_of=lambda name: layout if name == layout.sheet else None,
            assignment_of=lambda _name: assignment,
            roster=self.roster,
            class_name=CLASS,
        )
        recogniser = Recognisers.load()

        def seen(capture: Capture) -> str | None:
            page = grade_capture(capture, books, recogniser)
            code = page.registered.code
            return code.pupil if page.record is not None and code is not None else None

        return seen


def on_its_own_clock(
    stack: Stack, *, pace_s: float, seed: int, frames_per_s: float, capture_s: float
) -> dict[str, Any]:
    """One class: what the pipeline saw of it."""
    clock = TurnedClock()
    camera = stack.camera(
        pace_s=pace_s, seed=seed, frame_px=SMALL, frames_per_s=frames_per_s, capture_s=capture_s, timer=clock
    )
    whose, seen, refused = stack.who_is_seen(), Counter[str](), 0
    rested_s: list[float] = []
    source = WatchedCamera(camera, on_event=lambda e: rested_s.append(clock.now_s()) if e is Event.RESTED else None)
    for capture in source.captures():
        pupil = whose(capture)
        if pupil is None:
            refused += 1
        else:
            seen[pupil] += 1
    source.close()
    pupils = len(stack.roster.pupils)
    return {"seed": seed, **_counts(seen, pupils), "refused": refused, "seconds": _seconds(rested_s, pupils)}


def in_real_time(stack: Stack, *, pace_s: float, seed: int, frames_per_s: float) -> dict[str, Any]:
    """One class on this machine's clock, full pictures, with the grading beside it."""
    camera = stack.camera(pace_s=pace_s, seed=seed, frame_px=LARGE, frames_per_s=frames_per_s)
    whose = stack.who_is_seen()
    waiting: Queue[tuple[Capture, float] | None] = Queue()
    seen: Counter[str] = Counter()
    verdict_ms: list[float] = []
    refused = 0

    def grade() -> None:
        nonlocal refused
        while (job := waiting.get()) is not None:
            pupil = whose(job[0])
            verdict_ms.append((time.monotonic() - job[1]) * 1000)
            if pupil is None:
                refused += 1
            else:
                seen[pupil] += 1

    rested_s: list[float] = []
    source = WatchedCamera(
        camera, on_event=lambda event: rested_s.append(time.monotonic()) if event is Event.RESTED else None
    )
    grader = threading.Thread(target=grade, name="grading")
    grader.start()
    try:
        for capture in source.captures():
            waiting.put((capture, rested_s[-1]))
    finally:
        waiting.put(None)
        grader.join()
        source.close()
    pupils = len(stack.roster.pupils)
    return {
        "seed": seed,
        **_counts(seen, pupils),
        "refused": refused,
        "seconds": _seconds(rested_s, pupils),
        "clock_held_s": round(camera.held_s, 2),
        "rest_to_verdict_ms_p50": round(float(np.percentile(verdict_ms, 50))) if verdict_ms else None,
        "rest_to_verdict_ms_p99": round(float(np.percentile(verdict_ms, 99))) if verdict_ms else None,
    }


def _counts(seen: Counter[str], pupils: int) -> dict[str, int]:
    return {
        "sheets": pupils,
        "captured": len(seen),
        "missed": pupils - len(seen),
        "twice": sum(seen.values()) - len(seen),
    }


def _seconds(rested_s: list[float], pupils: int) -> float:
    """From the first rest to the last, and one sheet's time for the first."""
    return round((rested_s[-1] - rested_s[0]) * pupils / max(pupils - 1, 1), 1) if rested_s else 0.0


def _summed(rows: list[dict[str, Any]]) -> dict[str, Any]:
    totals = {key: sum(row[key] for row in rows) for key in ("sheets", "captured", "missed", "twice", "refused")}
    return {"sequences": len(rows), **totals, "seconds": max(row["seconds"] for row in rows)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--quick", action="store_true", help="two classes of 12 sheets at the same pace")
    parser.add_argument("--real-time", action="store_true", help="one class on this machine's own clock")
    parser.add_argument("--seed", type=int, default=1, help="of the first class")
    parser.add_argument("--sequences", type=int, default=SEQUENCES, help="classes")
    parser.add_argument("--pace", type=float, default=60 / 45, help="seconds a sheet")
    parser.add_argument("--fps", type=float, default=15.0, help="previews a second")
    parser.add_argument("--capture-ms", type=float, default=100.0, help="from asking for a picture to its exposure")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    stack = Stack.of(12 if arguments.quick else 45)
    count = 1 if arguments.real_time else min(arguments.sequences, 2) if arguments.quick else arguments.sequences
    rows = []
    for seed in range(arguments.seed, arguments.seed + count):
        if arguments.real_time:
            row = in_real_time(stack, pace_s=arguments.pace, seed=seed, frames_per_s=arguments.fps)
        else:
            row = on_its_own_clock(
                stack,
                pace_s=arguments.pace,
                seed=seed,
                frames_per_s=arguments.fps,
                capture_s=arguments.capture_ms / 1000,
            )
        rows.append(row)
        if not arguments.json:
            print(*(f"{name} {value}" for name, value in row.items()), sep="  ", flush=True)
    figures = {
        "clock": "this machine's" if arguments.real_time else "the sequence's own",
        **_summed(rows),
        "pace_s": round(arguments.pace, 2),
        "frames_per_s": arguments.fps,
        "capture_ms": None if arguments.real_time else arguments.capture_ms,
        "frame_px": list(LARGE if arguments.real_time else SMALL),
        "simulated": True,
        "rows": rows,
    }
    if arguments.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            if name != "rows":
                print(f"{name:24} {value}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
