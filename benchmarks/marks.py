"""What red ink does to a page: whether it changes what is read, and how the teacher's marks are taken.

Every page is made up, and so is every mark (`synthetic`): a simulated pupil fills the page in, it is photographed and
read; then a red pen goes over it, at and off the answers, and it is photographed and read again.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.random import Generator

from benchmarks._red_pen import COLOURS, RedPen
from edge.frames import Capture, Image
from edge.pipeline import Books, GradedPage, grade_capture
from homework.assignment import Assignment, parse_assignment
from homework.layout import Field, Page
from homework.results import ItemResult, MarkKind, VerdictKind
from homework.sheets import make_sheets
from models.recognisers import Recognisers
from models.simulation.classroom import made_up_roster
from models.simulation.desk import Desk, Sheet
from models.simulation.motion import Moment, Pose
from models.simulation.paper import PrintedPages, written_page
from models.simulation.pupil import fill_pupil
from models.simulation.strokes import Stroke

CLASS = "3-1"
FRAME_PX = (4056, 3040)
LIGHTS = {"white": (1.0, 1.0, 1.0), "warm": (0.62, 0.84, 1.0), "bluish": (1.0, 0.94, 0.84)}
RATES = {
    None: 0.25,
    MarkKind.TICK: 0.4,
    MarkKind.CROSS: 0.1,
    MarkKind.HALF: 0.07,
    MarkKind.SLASH: 0.07,
    MarkKind.RING: 0.06,
    MarkKind.DOT: 0.05,
}
"""How often a field gets which mark (None: none)."""

SAYS_WRONG = (MarkKind.CROSS, MarkKind.SLASH, MarkKind.RING, MarkKind.DOT)
OPEN_POINTS = 6


@dataclass(frozen=True)
class Given:
    """A mark that was given to a field; `score_hundredths` of a written one. `section`: one tick over several."""

    kind: MarkKind
    score_hundredths: int | None = None
    section: bool = False


def assignment_to_mark() -> Assignment:
    """A page of numbers, choices, signs and two items that only a teacher can mark."""
    items = [f'kind = "number"\nprompt = "{n + 3} × {n + 12} ="\nanswer = "{(n + 3) * (n + 12)}"' for n in range(12)]
    items += [f'kind = "judge"\nprompt = "{n} 是奇数"\nanswer = "{"×√"[n % 2]}"' for n in range(2)]
    items += [f'kind = "compare"\nprompt = "{n} ○ 2"\nanswer = "{">=<"[n % 3]}"' for n in range(2)]
    items += ['kind = "choice"\nprompt = "3 × 5 ="\noptions = ["12", "15", "18"]\nanswer = "B"'] * 2
    items += [f'kind = "open"\nprompt = "说明理由 {n}"\npoints = {OPEN_POINTS}' for n in range(2)]
    head = '[assignment]\nid = "marks"\ntitle = "批改"\ngrade = 3\n'
    return parse_assignment(head + "".join(f"[[item]]\n{item}\n" for item in items))


def mark_page(page: Page, pen: RedPen, rng: Generator) -> tuple[list[Stroke], dict[tuple[str, int], Given]]:
    """A teacher's marks on a page, where teachers put them: at the end of an answer, over it, beside it."""
    strokes: list[Stroke] = []
    given: dict[tuple[str, int], Given] = {}
    fields = list(page.fields)
    sums = [field for field in fields if field.kind == "number"]
    if len(sums) > 1 and rng.random() < 0.25:  # one big tick over them
        boxes = np.array([field.hull_mm() for field in sums])
        x0, y0 = boxes[:, :2].min(axis=0)
        x1, y1 = (boxes[:, :2] + boxes[:, 2:]).max(axis=0)
        strokes += pen.over((x0, y0, x1 - x0, y1 - y0), rng)
        given |= {(field.item, field.blank): Given(MarkKind.TICK, section=True) for field in sums}
        fields = [field for field in fields if field not in sums]
    for field in fields:
        if field.score_box_mm is not None and rng.random() < 0.6:
            score = int(rng.integers(0, 2 * OPEN_POINTS + 1)) * 50
            text = str(score // 100) if score % 100 == 0 else f"{score / 100:.1f}"
            strokes += pen.number(text, field.score_box_mm, rng)
            given[field.item, field.blank] = Given(MarkKind.SCORE, score)
            continue
        kinds = list(RATES)
        kind = kinds[int(rng.choice(len(kinds), p=np.array(list(RATES.values())) / sum(RATES.values())))]
        if kind is not None:
            strokes += _one(field, kind, pen, rng)
            given[field.item, field.blank] = Given(kind)
    return strokes, given


def _one(field: Field, kind: MarkKind, pen: RedPen, rng: Generator) -> list[Stroke]:
    x, y, w, h = field.hull_mm()
    large = min(h, 12.0)
    at = (x + w * rng.uniform(0.55, 1.0), y + h * rng.uniform(0.35, 0.8))
    if kind is MarkKind.TICK:
        return pen.tick(at, large * rng.uniform(0.9, 1.5), rng)
    if kind is MarkKind.HALF:
        return pen.half(at, large * rng.uniform(1.0, 1.6), rng)
    if kind is MarkKind.CROSS:
        return pen.cross(at, large * rng.uniform(0.6, 1.0), rng)
    if kind is MarkKind.SLASH:
        return pen.slash(at, large * rng.uniform(0.9, 1.4), rng)
    if kind is MarkKind.DOT:
        return pen.dot(at, rng)
    wide = min(w, 24.0) * rng.uniform(0.7, 0.95)
    return pen.ring((x + (w - wide) * 0.4, y + 0.5, wide, max(large * 0.9, 7.0)), rng)


def photographed(desk: Desk, paper: Sheet, light: str, quality: int, pose: Pose) -> Image:
    """The paper as the camera sees it in that light, as a JPEG of that quality (0: none)."""
    photo = desk.photograph(Moment(((0, pose),), (), 0.0), [paper])
    photo = np.clip(photo * np.array(LIGHTS[light], np.float32), 0, 255).astype(np.uint8)
    if quality:
        data = cv2.imencode(".jpg", photo, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        photo = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    return photo


def outcome(given: Given, item: ItemResult, worth: int) -> str:
    """What became of a mark: `right`, `asked` or `silently_wrong`."""
    if item.verdict.kind is VerdictKind.REVIEW:
        return "asked"
    score = {MarkKind.TICK: worth, MarkKind.HALF: (worth + 1) // 2, MarkKind.SCORE: given.score_hundredths}
    wanted = 0 if given.kind in SAYS_WRONG else score[given.kind]
    return "right" if item.verdict.score_hundredths == wanted else "silently_wrong"


def measure(pages: int, seed: int, show: bool = False) -> dict[str, Any]:
    """Rows by mark, and what the red ink changed in the readings."""
    recognisers = Recognisers.load()
    assignment = assignment_to_mark()
    sheets = make_sheets(assignment)
    printed = PrintedPages(sheets.worksheets_pdf, dpi=230)
    roster = made_up_roster(pages, class_name=CLASS)
    books = Books(
        layout_of=lambda sheet: sheets.layout if sheet == sheets.layout.sheet else None,
        assignment_of=lambda name: assignment if name == assignment.id else None,
        roster=roster,
        class_name=CLASS,
    )
    desk = Desk(page_mm=sheets.layout.page_mm, seed=seed, frame_px=FRAME_PX)
    rows: dict[str, Counter[str]] = defaultdict(Counter)
    counts: Counter[str] = Counter()
    marks_ms: list[float] = []
    for number, pupil in enumerate(roster.pupils):
        rng = np.random.default_rng([seed, number])
        pen = RedPen.random(rng, list(COLOURS)[number % len(COLOURS)])
        light, quality = list(LIGHTS)[number % len(LIGHTS)], (0, 90, 75)[int(rng.integers(3))]
        pose = Pose(float(rng.normal(0, 2)), float(rng.normal(0, 2)), float(rng.normal(0, 1.5)))
        for filled in fill_pupil(assignment, sheets.layout, pupil, seed=seed):
            page = sheets.layout.pages[filled.page - 1]
            red, given = mark_page(page, pen, rng)
            graded = []
            for strokes in (filled.strokes, [*filled.strokes, *red]):
                paper = written_page(printed.page(filled.page), strokes, printed.px_per_mm)
                sheet = Sheet.of(paper, printed.px_per_mm)
                photo = photographed(desk, sheet, light, quality, pose)
                graded.append(grade_capture(Capture(photo, "photo"), books, recognisers))
            counts["pages"] += 1
            counts["pages_unread"] += any(one.record is None for one in graded)
            if any(one.record is None for one in graded):
                continue
            marks_ms.append(graded[1].stages_ms["marks"])
            _count(graded, given, assignment, rows, counts, show=f"{number} {light} {quality}" if show else "")
    printed.close()
    return {
        "set": "synthetic",
        **{name: counts[name] for name in ("pages", "pages_unread", "fields", "unmarked_changed")},
        "readings_silently_changed": counts["silently_changed"],
        "readings_newly_asked": counts["newly_asked"],
        "marks_ms_p50": round(float(np.median(marks_ms)), 1) if marks_ms else None,
        "rows": [
            {"name": name, "n": sum(row.values()), **{key: row[key] for key in ("right", "asked", "silently_wrong")}}
            for name, row in sorted(rows.items())
        ],
    }


def _count(
    graded: list[GradedPage],
    given: dict[tuple[str, int], Given],
    assignment: Assignment,
    rows: dict[str, Counter[str]],
    counts: Counter[str],
    *,
    show: str,
) -> None:
    plain, red = (one.record for one in graded)
    assert plain is not None
    assert red is not None
    for before, after in zip(plain.items, red.items, strict=True):
        counts["fields"] += 1
        doubtless = after.reading.doubt is None
        changed = before.reading.text != after.reading.text
        counts["newly_asked"] += before.reading.doubt is None and not doubtless
        counts["silently_changed"] += changed and doubtless
        mark = given.get((after.item, after.blank))
        item = assignment.item(after.item)
        assert item is not None
        if mark is None:
            # A neighbour's mark may be a question here; a verdict of its own it may not change.
            settled = VerdictKind.REVIEW not in (before.verdict.kind, after.verdict.kind)
            wrongly = settled and after.verdict != before.verdict
            counts["unmarked_changed"] += wrongly
            came = "silently_wrong" if wrongly else ("asked" if after.mark is not None else "right")
            name = "no mark"
        else:
            came = outcome(mark, after, item.points_hundredths)
            where = "open" if item.kind == "open" else "read by the box"
            name = f"{mark.kind.value}{' over a section' if mark.section else ''}, {where}"
        rows[name][came] += 1
        if show and (came != "right" or (changed and doubtless)):
            print(
                show,
                after.item,
                name,
                came,
                "own",
                before.verdict.kind.value,
                "mark",
                after.mark,
                before.reading.text,
                after.reading.text,
                after.reading.doubt,
            )


def main() -> int:
    """Mark pages, read them, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, epilog="Example: python -m benchmarks.marks --quick --json")
    parser.add_argument("--pages", type=int, default=60, help="pages that are marked")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="12 pages")
    parser.add_argument("--show", action="store_true", help="list every mark that was not taken as it is meant")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    begun = time.monotonic()
    found = measure(12 if options.quick else options.pages, options.seed, show=options.show)
    found["seconds"] = round(time.monotonic() - begun, 1)
    if options.json:
        print(json.dumps(found, ensure_ascii=False))
        return 0
    for row in found["rows"]:
        told = "  ".join(f"{key} {row[key]:4}" for key in ("n", "right", "asked", "silently_wrong"))
        print(f"{row['name']:36} {told}")
    print({key: value for key, value in found.items() if key != "rows"})
    return 0


if __name__ == "__main__":
    sys.exit(main())
