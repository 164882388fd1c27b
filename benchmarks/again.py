"""Corrected sheets: how often the same sheet is taken for a correction, a correction for the same, another's for one.

Simulated pupils fill the sheet of the reading tests, each is photographed twice; then what was wrong is rubbed out or
crossed out and written anew, in the box or beside it, with the same pen or another, and the sheet is photographed twice
again, in other light. Another pupil's sheet under the same number, with many of the same answers, is the third kind.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from edge.attempts import Likeness, Look, likeness, take_over
from edge.frames import Image
from edge.pipeline import Books, grade_capture
from homework.again import open_places
from homework.assignment import Assignment, parse_assignment
from homework.layout import Field, SheetLayout
from homework.sheets.make import make_sheets
from models.evaluation.figures import wilson
from models.recognisers import Recognisers
from models.simulation.classroom import made_up_roster
from models.simulation.ink import draw_strokes
from models.simulation.mistakes import plausible_mistake
from models.simulation.paper import PrintedPages, written_page
from models.simulation.pen import Writer
from models.simulation.strokes import Stroke
from tests.edge.conftest import ITEMS, take_photo

CLASS = "3-1"
SHEETS, QUICK_SHEETS = 400, 12


@dataclass
class Bench:
    """What every simulated sheet shares."""

    assignment: Assignment
    layout: SheetLayout
    blank: Image
    scale: float
    books: Books
    recogniser: Recognisers

    def look(self, paper: Image, rng: Generator) -> Look | None:
        """One photo of a paper; None when it was refused."""
        page = grade_capture(_photo(paper, rng), self.books, self.recogniser)
        return Look(page.record, page.ink, page.around) if page.record is not None else None


@dataclass
class Written:
    """A sheet: the strokes of the name's cells and of each field, and what they say."""

    who: list[Stroke]
    fields: list[list[Stroke]]
    texts: list[str]

    def strokes(self, but: frozenset[int] = frozenset()) -> list[Stroke]:
        """All of them, without those of some fields."""
        return [*self.who, *(s for place, part in enumerate(self.fields) if place not in but for s in part)]


def make_bench() -> Bench:
    """The sheet, printed; the recognisers."""
    assignment = parse_assignment(ITEMS.replace("PUPIL_ID", "digits"))
    sheets = make_sheets(assignment)
    pages = PrintedPages(sheets.worksheets_pdf)
    blank, scale = pages.page(1), pages.px_per_mm
    pages.close()
    books = Books(
        layout_of=lambda sheet: sheets.layout if sheet == sheets.layout.sheet else None,
        assignment_of=lambda _: assignment,
        roster=made_up_roster(45),
        class_name=CLASS,
    )
    return Bench(assignment, sheets.layout, blank, scale, books, Recognisers.load())


def run(sheets: int, *, seed: int = 2026) -> dict[str, Any]:
    """The figures over so many pupils."""
    cv2.setNumThreads(1)
    bench = make_bench()
    tally: Counter[str] = Counter()
    for number in range(sheets):
        _one(bench, np.random.default_rng([seed, number]), tally)
    rows = []
    for name, wanted in (("duplicate", Likeness.SAME), ("correction", Likeness.CORRECTED), ("other", Likeness.OTHER)):
        n = sum(count for key, count in tally.items() if key.startswith(f"{name} "))
        shares = {kind.value: tally[f"{name} {kind.value}"] for kind in Likeness}
        wrong = {"duplicate": "corrected", "correction": "same", "other": "corrected"}[name]
        rows.append(
            {
                "name": name,
                "n": n,
                "told": tally[f"{name} {wanted.value}"],
                **shares,
                "wrong": shares[wrong],
                "wrong_95": [round(bound, 5) for bound in wilson(shares[wrong], n)],
            }
        )
    return {"sheets": sheets, "refused": tally["refused"], "rows": rows}


def _one(bench: Bench, rng: Generator, tally: Counter[str]) -> None:
    seat = int(rng.integers(1, 46))
    writer = Writer.random(int(rng.integers(1 << 30)))
    sheet = _fill(bench, writer, seat, rng, right=0.7)
    first = bench.look(written_page(bench.blank.copy(), sheet.strokes(), bench.scale), rng)
    if first is None:
        tally["refused"] += 1
        return
    _count(bench, tally, "duplicate", first, written_page(bench.blank.copy(), sheet.strokes(), bench.scale), rng=rng)
    other = _fill(bench, Writer.random(int(rng.integers(1 << 30))), seat, rng, right=0.85, like=sheet.texts)
    _count(bench, tally, "other", first, written_page(bench.blank.copy(), other.strokes(), bench.scale), rng=rng)
    wrong = [place for place in sorted(open_places(first.record)) if sheet.texts[place] != _right(bench, place)]
    if not wrong:
        return
    paper = _corrected(bench, sheet, wrong, writer, rng)
    again = _count(bench, tally, "correction", first, paper, rng=rng)
    if again is None or likeness(first, again) is not Likeness.CORRECTED:
        return
    record, _ = take_over(first.record, again.record, bench.assignment, attempt=2)
    _count(bench, tally, "duplicate", Look(record, again.ink, again.around), paper, rng=rng)


def _count(bench: Bench, tally: Counter[str], name: str, first: Look, paper: Image, *, rng: Generator) -> Look | None:
    now = bench.look(paper, rng)
    if now is None:
        tally["refused"] += 1
        return None
    tally[f"{name} {likeness(first, now).value}"] += 1
    return now


def _right(bench: Bench, place: int) -> str:
    field = bench.layout.pages[0].fields[place]
    item = bench.assignment.item(field.item)
    assert item is not None
    return item.rule.accepted[field.blank - 1][0]


def _fill(
    bench: Bench, writer: Writer, seat: int, rng: Generator, *, right: float, like: list[str] | None = None
) -> Written:
    page = bench.layout.pages[0]
    assert page.pupil is not None
    who = [s for d, box in zip(f"{seat:02d}", page.pupil.boxes_mm, strict=True) for s in writer.write(d, box, rng)]
    faint = rng.random() < 0.1
    parts, texts = [], []
    for place, field in enumerate(page.fields):
        item = bench.assignment.item(field.item)
        assert item is not None
        text, draw = _right(bench, place), rng.random()
        if like is not None and rng.random() < 0.3:
            text = like[place] or text
        elif draw > right:
            text = "" if draw > 0.95 else plausible_mistake(item, text, rng)
        texts.append(text)
        parts.append(_answer(field, text, writer, rng, faint=faint) if text else [])
    return Written(who, parts, texts)


def _answer(field: Field, text: str, writer: Writer, rng: Generator, *, faint: bool = False) -> list[Stroke]:
    if field.bubbles:
        marked = [bubble for bubble in field.bubbles if bubble.label in text]
        return [stroke for bubble in marked for stroke in writer.mark_bubble(bubble.box_mm, rng)]
    return writer.write(text, field.hull_mm(), rng, faint=faint)


def _corrected(bench: Bench, sheet: Written, wrong: list[int], writer: Writer, rng: Generator) -> Image:
    """The same paper with some of what was wrong written anew."""
    pen = writer if rng.random() < 0.5 else replace(writer, pen=Writer.random(int(rng.integers(1 << 30))).pen)
    chosen = [int(place) for place in rng.permutation(wrong)[: int(rng.integers(1, len(wrong) + 1))]]
    rubbed_out, new = set(), []
    for place in chosen:
        field, old = bench.layout.pages[0].fields[place], sheet.fields[place]
        text, beside, draw = _right(bench, place), _room(field), rng.random()
        x, y, width, height = field.hull_mm()
        if field.bubbles or not old or draw < 0.4:
            rubbed_out.add(place)
            new += _answer(field, text, pen, rng)
        elif draw < 0.65 and width > 16:
            new += [*pen.cross_out(old, rng), *pen.write(text, (x + width / 2, y, width / 2, height), rng)]
        elif beside is not None:
            crossed = pen.cross_out(old, rng) if draw < 0.85 else []
            new += [*crossed, *pen.write(text, beside, rng)]
        else:
            rubbed_out.add(place)
            new += _answer(field, text, pen, rng)
    base = written_page(bench.blank.copy(), sheet.strokes(frozenset(rubbed_out)), bench.scale)
    ghost = written_page(bench.blank.copy(), sheet.strokes(), bench.scale)
    left = float(rng.uniform(0.0, 0.12))  # a rubber leaves a trace
    paper = np.asarray(cv2.addWeighted(base, 1 - left, ghost, left, 0), np.uint8)
    draw_strokes(paper, new, bench.scale)
    return paper


def _room(field: Field) -> tuple[float, float, float, float] | None:
    """The largest clear strip above, below or beside a field in which a short answer fits."""
    if field.around_mm is None:
        return None
    ax, ay, a_width, a_height = field.around_mm
    x, y, width, height = field.hull_mm()
    places = [
        (x + width + 1, y, ax + a_width - x - width - 1, height),
        (x, ay, width, y - ay - 1),
        (x, y + height + 1, width, ay + a_height - y - height - 1),
    ]
    fits = [place for place in places if place[2] >= 8 and place[3] >= 4]
    return max(fits, key=lambda place: place[2] * place[3]) if fits else None


def _photo(paper: NDArray[np.uint8], rng: Generator) -> Any:
    return take_photo(
        paper,
        size_px=(2016, 1512) if rng.random() < 0.5 else (2592, 1944),
        turn_deg=float(rng.uniform(-6, 6)),
        tilt=float(rng.uniform(-0.08, 0.08)),
        fill=float(rng.uniform(0.85, 0.95)),
        falloff=float(rng.uniform(0, 0.45)),
        brightness=float(rng.uniform(0.7, 1.05)),
        blur_px=float(rng.choice([0, 0, 0.6, 1.0])),
        noise=float(rng.uniform(1, 4)),
        quality=int(rng.integers(70, 95)),
        grey=bool(rng.random() < 0.15),
        seed=int(rng.integers(1 << 30)),
    )


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args()
    found = run(QUICK_SHEETS if wanted.quick else SHEETS)
    if wanted.json:
        print(json.dumps(found))
        return
    for row in found["rows"]:
        print(
            f"{row['name']:<12} n {row['n']:>4}  told {row['told']:>4}  unclear {row['unclear']}  wrong {row['wrong']}"
        )


if __name__ == "__main__":
    main()
