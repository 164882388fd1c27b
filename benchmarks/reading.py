"""How right the readings are, how often they ask, and what 40 fields cost.

Rows come from a simulated class photographed on its desk and, with `--data`, from the handwriting of writers set aside.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np

from edge.frames import Capture, Image
from edge.pipeline import Books, grade_capture
from homework.answers import normalise
from homework.assignment import Assignment, parse_assignment
from homework.layout import FieldKind
from homework.results import PageStatus, Reading, VerdictKind
from homework.sheets import make_sheets
from models.evaluation.__main__ import development_rows
from models.evaluation.figures import wilson
from models.recognisers import Kind, Recognisers, Recognition
from models.simulation.classroom import Classroom, made_up_roster
from models.simulation.desk import Desk
from models.simulation.motion import Moment, Pose
from models.simulation.pupil import FieldTruth, Habits

CLASS = "3-1"
FRAME_PX = (4056, 3040)


def written_assignment() -> Assignment:
    """Every kind that is read by a recogniser, and every form of number."""
    numbers = ["92", "7", "105", "1830", "0.5", "12.75", "-3", "-18", "75%", "3/4", "1 3/4", "7……3", "24……15", "640"]
    items = [f'kind = "number"\nprompt = "{n + 1}号 ="\nanswer = "{answer}"' for n, answer in enumerate(numbers)]
    items += [f'kind = "judge"\nprompt = "判断{n}"\nanswer = "{"√×"[n % 2]}"' for n in range(6)]
    items += [f'kind = "letter"\nprompt = "选择{n}"\nanswer = "{"ABCD"[n % 4]}"' for n in range(6)]
    items += [f'kind = "compare"\nprompt = "{n} ○ 2"\nanswer = "{">=<"[n % 3]}"' for n in range(6)]
    head = '[assignment]\nid = "reading"\ntitle = "识读"\ngrade = 3\n'
    return parse_assignment(head + "".join(f"[[item]]\n{item}\n" for item in items))


class _Counts:
    """What is counted of one kind."""

    def __init__(self) -> None:
        self.n = self.right = self.silent = self.false_ticks = self.review = 0

    def add(self, truth: FieldTruth, reading: Reading, verdict: VerdictKind) -> None:
        assert truth.text is not None
        same = reading.text is not None and normalise(_kind(truth), reading.text) == normalise(_kind(truth), truth.text)
        self.n += 1
        self.right += same
        self.review += verdict is VerdictKind.REVIEW
        if not same and verdict is not VerdictKind.REVIEW:
            self.silent += 1
            self.false_ticks += verdict is VerdictKind.CORRECT

    def row(self, name: str) -> dict[str, Any]:
        row: dict[str, Any] = {"name": name, "set": "simulated class", "n": self.n, "false_ticks": self.false_ticks}
        for key, count in (("forced_choice", self.right), ("silent", self.silent), ("review", self.review)):
            low, high = wilson(count, self.n)
            row[key] = round(count / max(self.n, 1), 5)
            row[f"{key}_95"] = [round(low, 5), round(high, 5)]
        return row


def _kind(truth: FieldTruth) -> FieldKind:
    return cast(FieldKind, truth.kind)


def simulated(recognisers: Recognisers, pupils: int, seed: int) -> tuple[list[dict[str, Any]], float]:
    """Rows by kind for a tidy simulated class (every answer written once), and CPU ms to read 40 of its fields."""
    assignment = written_assignment()
    sheets = make_sheets(assignment)
    roster = made_up_roster(pupils, class_name=CLASS)
    room = Classroom(
        assignment,
        sheets.layout,
        roster,
        sheets.worksheets_pdf,
        class_name=CLASS,
        seed=seed,
        habits=Habits.tidy(),
        dpi=300,
    )
    desk = Desk(page_mm=sheets.layout.page_mm, seed=seed, frame_px=FRAME_PX)
    books = Books(
        layout_of=lambda sheet: sheets.layout if sheet == sheets.layout.sheet else None,
        assignment_of=lambda name: assignment if name == assignment.id else None,
        roster=roster,
        class_name=CLASS,
    )
    rng = np.random.default_rng(seed)
    counts: dict[str, _Counts] = defaultdict(_Counts)
    unread = 0
    listening = Listening(recognisers)
    for index in range(len(room)):
        pose = Pose(float(rng.normal(0, 2)), float(rng.normal(0, 2)), float(rng.normal(0, 2)))
        photo = desk.photograph(Moment(((index, pose),), (), 0.0), [room.sheet(index)])
        page = grade_capture(Capture(photo, "photo"), books, listening)
        if page.status is not PageStatus.GRADED or page.record is None:
            unread += 1
            continue
        truth = {(one.item, one.blank): one for one in room.truth(index).fields}
        for item in page.record.items:
            one = truth[item.item, item.blank]
            if one.text is not None:
                counts[one.kind].add(one, item.reading, item.verdict.kind)
    room.close()
    rows = [{**counts[kind].row(kind), "pages_unread": unread} for kind in sorted(counts)]
    return rows, cpu_ms_40(recognisers, listening.heard[:2000])


class Listening:
    """The recognisers, and every crop that they were asked to read."""

    def __init__(self, recognisers: Recognisers) -> None:
        self._recognisers = recognisers
        self.heard: list[tuple[Kind, Image]] = []

    def read(self, kind: Kind, crops: Sequence[Image]) -> list[Recognition]:
        self.heard += [(kind, crop) for crop in crops]
        return self._recognisers.read(kind, crops)

    def threshold(self, kind: Kind) -> float:
        return self._recognisers.threshold(kind)


def cpu_ms_40(recognisers: Recognisers, crops: list[tuple[Kind, Image]]) -> float:
    """CPU milliseconds for 40 cut fields in the mix of the sheet: the median over the sets of 40 at hand."""
    spent = []
    for at in range(0, len(crops) - 39, 40):
        start = time.process_time()
        for kind, crop in crops[at : at + 40]:
            recognisers.read(kind, [crop])
        spent.append((time.process_time() - start) * 1000)
    return round(float(np.median(spent)), 2)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--data", type=Path, help="folder with the handwriting: adds development rows")
    parser.add_argument("--seed", type=int, default=4)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    recognisers = Recognisers.load()
    rows, cpu_ms = simulated(recognisers, 8 if options.quick else 45, options.seed)
    if options.data is not None:
        for one in development_rows(recognisers, options.data, n=1500 if options.quick else 8000, seed=1000):
            rows.append(
                {
                    "name": one.kind,
                    "set": "writers set aside (development)",
                    "n": one.n,
                    "forced_choice": round(one.forced_choice, 5),
                    "forced_choice_95": [round(one.forced_choice_low, 5), round(one.forced_choice_high, 5)],
                    "silent": round(one.silent, 5),
                    "silent_95": [round(one.silent_low, 5), round(one.silent_high, 5)],
                    "review": round(one.review, 5),
                    "review_95": [round(one.review_low, 5), round(one.review_high, 5)],
                    "strangers": one.strangers,
                    "strangers_taken": round(one.strangers_taken, 5),
                }
            )
    result = {"rows": rows, "cpu_ms_40_fields": cpu_ms, "runtime": recognisers.runtime}
    if options.json:
        print(json.dumps(result, ensure_ascii=False))
        return 0
    for row in rows:
        print(
            f"{row['name']:8} {row['set']:32} n {row['n']:6}  right {row['forced_choice']:.2%}"
            f"  silent {row['silent']:.3%}  asked {row['review']:.1%}"
        )
    print(f"40 fields: {cpu_ms} ms CPU on one thread ({recognisers.runtime})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
