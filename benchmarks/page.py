"""What a page costs, by stage: CPU ms from a frame of 2, 8 and 12 MP, and from a JPEG of it, on one thread."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import defaultdict
from typing import Any

import cv2
import numpy as np
import psutil

from edge.frames import Capture, Image
from edge.picture_files import decode
from edge.pipeline import Books, GradedPage, grade_capture
from homework.assignment import parse_assignment
from homework.results import PageStatus
from homework.roster import Pupil, Roster
from homework.sheets import SheetSet, make_sheets
from models.recognisers import Recognisers
from models.simulation.classroom import Classroom
from models.simulation.desk import Desk
from models.simulation.motion import Moment, Pose
from models.simulation.pupil import Habits

WRITTEN_ITEMS = 20
CLASS = "3-1"
FRAME_PX = (4056, 3040)
SIZES_PX = ((1640, 1232), (3280, 2464), FRAME_PX)
"""2, 8 and 12 MP, as the Raspberry Pi's cameras give them."""

JPEG_QUALITY = 92


def photographs(pupils: int, seed: int, frame_px: tuple[int, int] = FRAME_PX) -> tuple[SheetSet, Roster, list[Image]]:
    """A sheet with 20 numbers to write, filled in by as many generated hands, each photographed once."""
    items = "".join(
        f'[[item]]\nkind = "number"\nprompt = "{12 + n} × {2 + n % 8} ="\nanswer = {(12 + n) * (2 + n % 8)}\n'
        for n in range(WRITTEN_ITEMS)
    )
    assignment = parse_assignment(f'[assignment]\nid = "page"\ntitle = "二十题"\ngrade = 3\n{items}')
    sheets = make_sheets(assignment)
    roster = Roster(tuple(Pupil(CLASS, seat, f"学生{seat:02}", f"S{seat:03}") for seat in range(1, pupils + 1)))
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
    desk = Desk(page_mm=sheets.layout.page_mm, seed=seed, frame_px=frame_px)
    rng = np.random.default_rng(seed)
    photos = []
    for index in range(len(room)):
        if room.truth(index).page == 1:
            turn = float(rng.normal(0, 2) + rng.choice([0, 180]))
            pose = Pose(float(rng.normal(0, 2)), float(rng.normal(0, 2)), turn)
            photos.append(desk.photograph(Moment(((index, pose),), (), 0.0), [room.sheet(index)]))
    room.close()
    return sheets, roster, photos


def measure(books: Books, recogniser: Recognisers, images: list[Image], rounds: int) -> dict[str, Any]:
    """Every picture graded `rounds` times; CPU time by `time.process_time`, stages by the pipeline's own watch."""
    frame_ms, jpeg_ms, pages = [], [], []
    stages: dict[str, list[float]] = defaultdict(list)
    jpegs = [cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1].tobytes() for image in images]
    grade_capture(Capture(images[0], "warm"), books, recogniser)
    for _ in range(rounds):
        for image, jpeg in zip(images, jpegs, strict=True):
            start = time.process_time()
            page = grade_capture(Capture(image, "frame"), books, recogniser)
            frame_ms.append((time.process_time() - start) * 1000)
            for name, spent in page.stages_ms.items():
                stages[name].append(spent)
            pages.append(page)
            start = time.process_time()
            [decoded] = decode(jpeg, name="frame.jpg")
            grade_capture(Capture(decoded, "jpeg"), books, recogniser)
            jpeg_ms.append((time.process_time() - start) * 1000)
    return {
        "cpu_ms_frame_p50": round(float(np.percentile(frame_ms, 50)), 1),
        "cpu_ms_frame_p99": round(float(np.percentile(frame_ms, 99)), 1),
        "cpu_ms_jpeg_p50": round(float(np.percentile(jpeg_ms, 50)), 1),
        "cpu_ms_jpeg_p99": round(float(np.percentile(jpeg_ms, 99)), 1),
        "stages": {name: round(float(np.median(spent)), 2) for name, spent in stages.items()},
        "graded": sum(page.status is PageStatus.GRADED for page in pages),
        "n": len(pages),
        "written_items": written(pages[0]),
        "frame_px": [images[0].shape[1], images[0].shape[0]],
        "jpeg_kb": round(float(np.median([len(jpeg) for jpeg in jpegs])) / 1024),
    }


def measured(recogniser: Recognisers, size_px: tuple[int, int], *, pupils: int, rounds: int) -> dict[str, Any]:
    """The figures of one size of picture."""
    sheets, roster, images = photographs(pupils, seed=1, frame_px=size_px)
    books = Books(
        layout_of=lambda sheet: sheets.layout if sheet == sheets.layout.sheet else None,
        assignment_of=lambda wanted: sheets.assignment if wanted == sheets.assignment.id else None,
        roster=roster,
        class_name=CLASS,
    )
    name = f"{size_px[0] * size_px[1] / 1e6:.0f} MP"
    return {"name": name, **measure(books, recogniser, images, rounds)}


def written(page: GradedPage) -> int:
    return len(page.record.items) if page.record is not None else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    recogniser = Recognisers.load()
    rows = [
        measured(recogniser, size, pupils=2 if options.quick else 6, rounds=2 if options.quick else 12)
        for size in SIZES_PX
    ]
    figures = {**rows[-1], "rss_mb": round(psutil.Process().memory_info().rss / 2**20), "rows": rows}
    if options.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:20} {value}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
