"""How right a class is graded: items and pupils against what the simulated class truly wrote, photographed at 12 MP."""

from __future__ import annotations

import argparse
import json
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from edge.batch import Batch
from edge.frames import Capture
from edge.outcomes import outcome_of
from edge.pipeline import Books, grade_capture
from homework.assignment import parse_assignment
from homework.sheets import make_sheets
from models.recognisers import Recognisers
from models.simulation.classroom import Classroom, made_up_roster
from models.simulation.desk import Desk
from models.simulation.motion import Moment, Pose
from models.simulation.score import misread, score_class

EXAMPLES = ("g3-mul-2x1", "g5-fractions")
FOLDER = Path(__file__).resolve().parents[1] / "examples"
CLASS_SIZE = 45
Rows = list[dict[str, Any]]


def one_class(example: str, seed: int, size: int) -> tuple[Rows, Rows]:
    """What one class wrote, and what was read from one photograph of each page."""
    cv2.setNumThreads(1)
    assignment = parse_assignment((FOLDER / f"{example}.toml").read_text(encoding="utf-8"))
    roster = made_up_roster(size)
    class_name = roster.classes()[0]
    sheets = make_sheets(assignment, roster=roster, class_name=class_name)
    room = Classroom(sheets.assignment, sheets.layout, roster, sheets.worksheets_pdf, class_name=class_name, seed=seed)
    desk = Desk(page_mm=sheets.layout.page_mm, seed=seed)
    books = Books(
        lambda sheet: sheets.layout if sheet == sheets.layout.sheet else None,
        lambda name: sheets.assignment if name == sheets.assignment.id else None,
        roster=roster,
        class_name=class_name,
    )
    recognisers = Recognisers.load()
    rng = np.random.default_rng([seed, 0x7247])
    truths: Rows = []
    pages: Rows = []
    batch = Batch()
    for index in range(len(room)):
        pose = Pose(float(rng.normal(0, 3)), float(rng.normal(0, 3)), float(rng.normal(0, 2.5)))
        picture = desk.photograph(Moment(((index, pose),), (), 0.0), [room.sheet(index)])
        capture = Capture(picture, f"{example} {seed} {index + 1}")
        graded = grade_capture(capture, books, recognisers)
        batch.waits(outcome_of(capture, graded), roster)
        truth = room.truth(index)
        truths.append(
            {
                "place": index + 1,
                "sheet": truth.sheet,
                "page": truth.page,
                "pupil": truth.pupil,
                "fields": [
                    {"item": f.item, "blank": f.blank, "kind": f.kind, "text": f.text, "how": f.how}
                    for f in truth.fields
                ],
            }
        )
        if graded.record is None:
            continue
        record = graded.record
        pages.append(
            {
                "source": capture.source,
                "captured_at_ms": index,
                "sheet": record.sheet,
                "page": record.page,
                "pupil": record.who.pupil,
                "items": [
                    {
                        "item": r.item,
                        "blank": r.blank,
                        "reading": r.reading.text,
                        "verdict": r.verdict.kind.value,
                        "confidence": r.reading.confidence,
                    }
                    for r in record.items
                ],
            }
        )
    room.close()
    # As the box does it: once the whole stack has been seen, it names what it can.
    late = {one.outcome.source: one.outcome.record.who.pupil for one in batch.named() if one.outcome.record is not None}
    for page in pages:
        page["pupil"] = late.get(page["source"], page["pupil"])
    return truths, pages


def main() -> None:
    """Grade the classes and print the counts."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog="Example: python -m benchmarks.truth --classes 8 --json"
    )
    parser.add_argument("--classes", type=int, default=8, help="classes of 45 an example sheet, each another seed")
    parser.add_argument("--seed", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--misread", action="store_true", help="list what was silently misread")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    classes, size = (1, 12) if options.quick else (options.classes, CLASS_SIZE)
    jobs = [(example, options.seed + n, size) for n in range(classes) for example in EXAMPLES]
    with ProcessPoolExecutor(options.workers) as pool:
        done = list(pool.map(one_class, *zip(*jobs, strict=True)))
    total: dict[str, Any] = {"written_by": "simulated hands", "sheets": sum(len(truths) for truths, _ in done)}
    rows: dict[str, dict[str, Any]] = {}
    for truths, pages in done:
        figures = score_class(truths, pages)
        for row in figures.pop("kinds"):
            kind = rows.setdefault(row["name"], {"name": row["name"]})
            for name, count in row.items():
                kind[name] = count if name == "name" else kind.get(name, 0) + count
        for name, count in figures.items():
            total[name] = total.get(name, 0) + count
    total["rows"] = [rows[kind] for kind in sorted(rows)]
    if options.misread:
        for truths, pages in done:
            for row in misread(truths, pages):
                print(json.dumps(row, ensure_ascii=False))
    print(json.dumps(total, ensure_ascii=False) if options.json else json.dumps(total, ensure_ascii=False, indent=1))


if __name__ == "__main__":
    main()
