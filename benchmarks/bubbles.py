"""How right bubbles are read: fills, ticks, crosses, cancelled and hardly marked ones, synthetic all of them.

Composites in volume (`models.training.bubble_scenes`, seeds that training never had), printed sheets marked by the
simulated hands under the simulated desk's camera, and the simulated class with its habits.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import cv2
import numpy as np
from numpy.random import Generator

from benchmarks.truth import one_class
from edge.frames import Capture, FieldCrop
from edge.pipeline import Books, grade_capture
from edge.reading.bubbles import read_bubbles
from homework.assignment import Assignment, parse_assignment
from homework.layout import Bubble, Field
from homework.results import Doubt, Reading
from homework.sheets import make_sheets
from models.evaluation.figures import wilson
from models.recognisers import Recognisers
from models.simulation.desk import Desk, Sheet
from models.simulation.motion import Moment, Pose
from models.simulation.paper import PrintedPages, written_page
from models.simulation.pen import BubbleStyle, Writer
from models.simulation.strokes import Stroke
from models.training.bubble_fills import Borrowed
from models.training.bubble_marks import CLASS_OF
from models.training.bubble_scenes import FieldPhoto, photograph_field

LABELS = "ABCDEFGH"
SURVEY_PX_PER_MM = 4.0
SHEET_ITEMS = 18
FRAMES_PX = ((4056, 3040), (1920, 1440), (1600, 1200))
MAY_READ = {"fill": "mark", "tick": "mark", "cross": "mark", "faint": "mark", "nothing": "", "rubbed": ""}
"""What a bubble may be read as without asking: as a mark, or as none. Every other mark must be asked about."""


class Counts:
    """What became of the fields of one row."""

    def __init__(self, name: str, group: str) -> None:
        self.name, self.group = name, group
        self.n = self.read = self.silent = self.known = 0

    def add(self, reading: Reading, right: str | None) -> None:
        """`right`: what may be read without asking; None when nothing may."""
        self.n += 1
        self.read += reading.doubt is None and reading.text == right
        self.silent += reading.doubt is None and reading.text != right
        self.known += reading.doubt is Doubt.CANCELLED

    def row(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "group": self.group,
            "n": self.n,
            "read": self.read,
            "asked": self.n - self.read - self.silent,
            "silently_wrong": self.silent,
            "silently_wrong_95": round(wilson(self.silent, self.n)[1], 6),
            "known_as_cancelled": self.known,
        }


class Table:
    """Rows by group and name, in the order in which they came."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], Counts] = {}

    def add(self, group: str, name: str, reading: Reading, right: str | None) -> None:
        self.rows.setdefault((group, name), Counts(name, group)).add(reading, right)


def composites(table: Table, n: int, seed: int, show: Callable[[FieldPhoto, Reading], None] | None = None) -> int:
    """`n` composed fields of a choice; returns how many bubbles that were."""
    rng = np.random.default_rng([seed, 0xC0])
    # Letters in bubbles are lent by writers, and none is here.
    names = [*(name for name in CLASS_OF if name != "letter"), "two fills", "fill, cross elsewhere"]
    bubbles = 0
    done = 0
    while done < n:
        name = names[done % len(names)] if rng.random() < 0.7 else str(rng.choice(["nothing", "fill", "tick", "cross"]))
        marks, right = a_field(name, rng)
        photo = photograph_field(marks, rng, Borrowed())
        if photo is None:
            continue
        done += 1
        bubbles += len(marks)
        reading = read_photo(photo)
        kind = CLASS_OF.get(name, "two marks")
        table.add("composites", kind, reading, right)
        table.add("composites by mark", name, reading, right)
        if name in ("fill", "tick", "cross"):
            for condition in conditions_of(photo):
                table.add("composites, plain marks, by condition", condition, reading, right)
        if show is not None and reading.doubt is None and reading.text != right:
            show(photo, reading)
    return bubbles


def a_field(name: str, rng: Generator) -> tuple[list[str], str | None]:
    """The marks of a field that shows `name`, and what may be read of it."""
    count = int(rng.integers(2, 6))
    marks = ["nothing"] * count
    at, other = (int(k) for k in rng.permutation(count)[:2])
    if name in ("two fills", "fill, cross elsewhere"):
        marks[at], marks[other] = "fill", "fill" if name == "two fills" else "cross"
        return marks, None
    marks[at] = name
    if CLASS_OF[name] == "cancelled" and rng.random() < 0.6:
        marks[other] = "fill"
        return marks, None
    if name == "rubbed" and rng.random() < 0.6:
        marks[other] = "fill"
        return marks, LABELS[other]
    if name not in MAY_READ:
        return marks, None
    return marks, LABELS[at] if MAY_READ[name] else ""


def read_photo(photo: FieldPhoto) -> Reading:
    """The reading of a composed field, as a crop of the box's own scale."""
    scale = SURVEY_PX_PER_MM
    bubbles = tuple(
        Bubble(label, (x / scale, y / scale, w / scale, h / scale))
        for label, (x, y, w, h) in zip(LABELS, photo.boxes, strict=False)
    )
    height, width = photo.crop.shape
    field = Field(item="1", blank=1, kind="choice", bubbles=bubbles)
    crop = FieldCrop(field, photo.crop, scale, (0.0, 0.0, width / scale, height / scale), (0, 0, width, height))
    return read_bubbles(crop, bubbles, several=False)


def conditions_of(photo: FieldPhoto) -> list[str]:
    """The names of the conditions under which a field was photographed."""
    one = photo.conditions
    size = "below 14" if one.bubble_px < 14 else "14 to 30" if one.bubble_px < 30 else "above 30"
    blur = "none" if one.blur == 0 else "some" if one.blur < 0.1 else "much"
    return [f"pen: {one.pen}", f"bubble: {size} px wide", f"blur: {blur}", f"light: {one.light}"]


def choice_sheet() -> Assignment:
    """A page of choices."""
    items = "".join(
        f'[[item]]\nkind = "choice"\nprompt = "{n + 2} × 5 ="\noptions = ["{n + 5}", "{5 * n + 10}", "{n * 7}", "55"]\n'
        f'answer = "{"ABCD"[n % 4]}"\n'
        for n in range(SHEET_ITEMS)
    )
    return parse_assignment(f'[assignment]\nid = "bubbles"\ntitle = "选择"\ngrade = 3\n{items}')


def printed_sheets(table: Table, sheets: int, seed: int) -> int:
    """Real printed pages, each item marked in another manner, photographed by the desk's camera at three sizes.

    Returns how many pages were refused whole, before a bubble was looked at.
    """
    refused = 0
    assignment = choice_sheet()
    made = make_sheets(assignment)
    printed = PrintedPages(made.worksheets_pdf, dpi=300)
    books = Books(
        lambda sheet: made.layout if sheet == made.layout.sheet else None,
        lambda name: assignment if name == assignment.id else None,
    )
    recognisers = Recognisers.load()
    rng = np.random.default_rng([seed, 0x5EE7])
    for number in range(sheets):
        frame_px = FRAMES_PX[number % len(FRAMES_PX)]
        desk = Desk(page_mm=made.layout.page_mm, seed=seed + number, frame_px=frame_px)
        writer = Writer.random(seed * 1000 + number)
        for page in made.layout.pages:
            strokes: list[Stroke] = []
            wanted: dict[str, tuple[str, str | None]] = {}
            for field in page.fields:
                manner, right, drawn = mark_field(field, writer, rng)
                strokes += drawn
                wanted[field.item] = (manner, right)
            paper = written_page(printed.page(page.page), strokes, printed.px_per_mm)
            pose = Pose(float(rng.normal(0, 3)), float(rng.normal(0, 3)), float(rng.normal(0, 2.5)))
            picture = desk.photograph(Moment(((0, pose),), (), 0.0), [Sheet.of(paper, printed.px_per_mm)])
            graded = grade_capture(Capture(picture, "sheet"), books, recognisers)
            refused += graded.record is None
            for item in graded.record.items if graded.record is not None else ():
                manner, right = wanted[item.item]
                table.add("printed sheets", manner, item.reading, right)
                table.add("printed sheets by picture", f"{frame_px[0]} px wide", item.reading, right)
    printed.close()
    return refused


def mark_field(field: Field, writer: Writer, rng: Generator) -> tuple[str, str | None, list[Stroke]]:
    """A manner, what may be read of it, and its strokes."""
    manners: dict[str, tuple[BubbleStyle, str | None]] = {
        "nothing": ("fill", ""),
        "fill": ("fill", "mark"),
        "scribble": ("scribble", "mark"),
        "tick": ("tick", "mark"),
        "cross": ("cross", "mark"),
        "dot": ("dot", None),
        "faint": ("faint", "mark"),
        "cancelled": ("fill", None),
        "changed": ("fill", "mark"),
        "two marks": ("fill", None),
    }
    manner = str(rng.choice(list(manners)))
    style, right = manners[manner]
    first, second = (field.bubbles[int(k)] for k in rng.permutation(len(field.bubbles))[:2])
    strokes = [] if manner == "nothing" else list(writer.mark_bubble(first.box_mm, rng, style=style))
    if manner == "cancelled":
        strokes += through(first.box_mm, writer, rng)
        strokes += writer.mark_bubble(second.box_mm, rng, style="fill")
    elif manner == "changed":
        strokes += writer.mark_bubble(second.box_mm, rng, style="faint")
    elif manner == "two marks":
        strokes += writer.mark_bubble(second.box_mm, rng, style="fill")
    return manner, first.label if right == "mark" else right, strokes


def through(box: tuple[float, float, float, float], writer: Writer, rng: Generator) -> list[Stroke]:
    """Two lines across a bubble that go on beyond it."""
    x, y, w, h = box
    reach = rng.uniform(0.9, 2.2)
    left, top, right, bottom = x - reach, y - reach, x + w + reach, y + h + reach
    ends = (((left, top), (right, bottom)), ((right, top), (left, bottom)))
    lines = [np.linspace(a, b, 40) + rng.normal(0, 0.05, (40, 2)) for a, b in ends]
    pen = writer.pen
    return [Stroke(line, pen.width_mm, pen.darkness, np.ones(40), pen.colour, pen.ink) for line in lines]


def simulated_class(seeds: Iterable[int], size: int) -> list[dict[str, Any]]:
    """The bubbles of simulated classes, by the manner in which they were marked."""
    counts: dict[str, Counter[str]] = {}
    for seed in seeds:
        truths, pages = one_class("g3-mul-2x1", seed, size)
        said = {page["captured_at_ms"]: page for page in pages}
        for place, truth in enumerate(truths):
            read = {(row["item"], row["blank"]): row for row in said.get(place, {}).get("items", ())}
            for field in truth["fields"]:
                one = read.get((field["item"], field["blank"]))
                if field["kind"] not in ("choice", "choices") or one is None or field["text"] is None:
                    continue
                asked = one["verdict"] == "review"
                outcome = "asked" if asked else "read" if one["reading"] == field["text"] else "silently_wrong"
                counts.setdefault(str(field["how"]), Counter())[outcome] += 1
    return [
        {"name": how, "n": count.total(), **{key: count[key] for key in ("read", "asked", "silently_wrong")}}
        for how, count in sorted(counts.items())
    ]


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, epilog="Example: python -m benchmarks.bubbles --json")
    parser.add_argument("--n", type=int, default=30_000, help="composed fields, two to five bubbles each")
    parser.add_argument("--sheets", type=int, default=30, help="printed sheets, marked and photographed")
    parser.add_argument("--seed", type=int, default=9000)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    table = Table()
    n, sheets, classes = (1500, 3, 1) if options.quick else (options.n, options.sheets, 4)
    started = time.monotonic()
    bubbles = composites(table, n, options.seed)
    refused = printed_sheets(table, sheets, options.seed)
    result: dict[str, Any] = {
        "written_by": "synthetic marks",
        "fields": n,
        "bubbles": bubbles,
        "printed_pages_refused": refused,
        "rows": [counts.row() for counts in table.rows.values()],
        "simulated_class": simulated_class(range(1000, 1000 + classes), 12 if options.quick else 45),
        "seconds": round(time.monotonic() - started),
    }
    if options.json:
        print(json.dumps(result, ensure_ascii=False))
        return 0
    for row in sorted(result["rows"], key=lambda row: row["group"]):
        print(
            f"{row['group']:40} {row['name']:24} n {row['n']:6}  read {row['read']:6}  asked {row['asked']:6}"
            f"  silently wrong {row['silently_wrong']:3} (at most {row['silently_wrong_95']:.4%})"
            f"  known as cancelled {row['known_as_cancelled']}"
        )
    for row in result["simulated_class"]:
        print(f"simulated class {row}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
