"""How right the readings are, how often they ask, and what 40 fields cost.

Rows come from a simulated class photographed on its desk and, with `--data`, from writers set aside: pages that their
real hands filled in, photographed and read by the pipeline (see `benchmarks.hands`), and single crops composed of them.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks._listening import Listening
from benchmarks.hands import all_pages, rows_of
from edge.frames import Capture, Image
from edge.pipeline import Books, grade_capture
from homework.answers import check_answer, normalise
from homework.assignment import Assignment, parse_assignment
from homework.results import ItemResult, PageStatus, VerdictKind
from homework.sheets import make_sheets
from models.evaluation.__main__ import development_rows
from models.evaluation.figures import Judged, Row, judged_row
from models.recognisers import Kind, Recognisers
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
    answers: dict[str, list[Judged]] = defaultdict(list)
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
                answers[one.kind].append(_judged(assignment, one, item))
    room.close()
    rows = [
        {"name": kind, "set": "simulated class", **judged_row(answers[kind]), "pages_unread": unread}
        for kind in sorted(answers)
    ]
    return rows, cpu_ms_40(recognisers, listening.heard[:2000])


def _judged(assignment: Assignment, truth: FieldTruth, result: ItemResult) -> Judged:
    item = assignment.item(truth.item)
    assert item is not None
    assert truth.text is not None
    said = result.reading.text
    return Judged(
        same=said is not None and normalise(item.kind, said) == normalise(item.kind, truth.text),
        asked=result.verdict.kind is VerdictKind.REVIEW,
        right=check_answer(item.rule, truth.blank, truth.text),
        ticked=result.verdict.kind is VerdictKind.CORRECT,
    )


def set_aside(recognisers: Recognisers, data: Path, *, pages: int, composed: int) -> list[dict[str, Any]]:
    """Rows of writers set aside (development): whole pages, photographed, and single crops composed of their hands."""
    answers = [answer for page in all_pages(data, "check", 1, pages, workers=1) for answer in page.answers]
    rows = [{"set": "writers set aside (development), photographed", **row} for row in rows_of(answers)]
    composites = development_rows(recognisers, data, n=composed, seed=1000)
    return rows + [_composite(one) for one in composites]


def _composite(one: Row) -> dict[str, Any]:
    row: dict[str, Any] = {"name": one.kind, "set": f"writers set aside ({one.set})", "n": one.n}
    for name in ("forced_choice", "silent", "review"):
        row[name] = round(getattr(one, name), 5)
        row[f"{name}_95"] = [round(getattr(one, f"{name}_{end}"), 5) for end in ("low", "high")]
    return {**row, "strangers": one.strangers, "strangers_taken": round(one.strangers_taken, 5)}


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
        size = {"pages": 20, "composed": 1500} if options.quick else {"pages": 200, "composed": 8000}
        rows += set_aside(recognisers, options.data, **size)
    result = {"rows": rows, "cpu_ms_40_fields": cpu_ms, "runtime": recognisers.runtime}
    if options.json:
        print(json.dumps(result, ensure_ascii=False))
        return 0
    for row in rows:
        print(
            f"{row['name']:30} {row['set']:62} n {row['n']:6}  right {row['forced_choice']:.2%}"
            f"  silent {row['silent']:.3%}  asked {row['review']:.1%}"
        )
    print(f"40 fields: {cpu_ms} ms CPU on one thread ({recognisers.runtime})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
