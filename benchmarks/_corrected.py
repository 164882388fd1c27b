"""Corrected sheets as a scanner would deliver them: some of a class's scans again, with wrong answers put right (订正).

The first sheets are those of `benchmarks._scans`; a corrected one is the same paper, on which what was wrong is rubbed
out and written anew.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import cv2
import numpy as np

from benchmarks._scans import CLASS_NAME, DPI
from homework.assignment import Assignment, parse_assignment
from homework.grading import grade_page
from homework.layout import Field, SheetLayout, layout_from_json
from homework.results import Reading, VerdictKind, WhoWroteIt
from homework.roster import parse_roster
from models.simulation.ink import draw_strokes
from models.simulation.paper import MM_PER_INCH
from models.simulation.pen import Writer
from models.simulation.pupil import FilledPage, Habits, fill_class

PX_PER_MM = DPI / MM_PER_INCH
PAPER_WHITE = 243


def wrong_fields(assignment: Assignment, layout: SheetLayout, page: FilledPage) -> list[Field]:
    """The fields of a page whose answer is wrong or missing, by what truly stands there."""
    printed = layout.page(page.page)
    assert printed is not None
    readings = [
        (field, Reading(truth.text, 1.0)) for field, truth in zip(printed.fields, page.truth.fields, strict=True)
    ]
    record = grade_page(assignment, layout.sheet, page.page, readings, WhoWroteIt())
    pairs = zip(printed.fields, record.items, strict=True)
    return [field for field, item in pairs if item.verdict.kind in (VerdictKind.WRONG, VerdictKind.BLANK)]


def make_corrected(made: Path, *, seed: int = 1, keep_wrong: Collection[int] = ()) -> dict[int, int]:
    """Write `scans/NN-again.jpg` beside every scan with something wrong on it; how many fields each put right.

    `made` is what `make_scans` wrote with that `seed`; those of `keep_wrong` correct one field only.
    """
    assignment = parse_assignment((made / "sheets" / "assignment.toml").read_text(encoding="utf-8"))
    layout = layout_from_json((made / "sheets" / "layout.json").read_bytes())
    roster = parse_roster((made / "roster.csv").read_bytes())
    done = {}
    pages = fill_class(assignment, layout, roster, class_name=CLASS_NAME, seed=seed, habits=Habits.tidy())
    for number, page in enumerate(pages, start=1):
        wrong = wrong_fields(assignment, layout, page)
        chosen = wrong[:1] if number in keep_wrong else wrong
        if chosen:
            picture = cv2.imread(str(made / "scans" / f"{number:02d}.jpg"))
            assert picture is not None
            correct(np.asarray(picture, np.uint8), assignment, chosen, np.random.default_rng([seed, number]))
            cv2.imwrite(str(made / "scans" / f"{number:02d}-again.jpg"), picture)
            done[number] = len(chosen)
    return done


def correct(picture: np.ndarray, assignment: Assignment, fields: Sequence[Field], rng: np.random.Generator) -> None:
    """Rub out what stands in some fields of a scan, and write the right answers."""
    writer = Writer.random(int(rng.integers(1 << 30)))
    for field in fields:
        item = assignment.item(field.item)
        assert item is not None
        right = item.rule.accepted[field.blank - 1][0]
        for box in [bubble.box_mm for bubble in field.bubbles] or [field.hull_mm()]:
            _rub_out(picture, box, round_=field.round or bool(field.bubbles))
        strokes = (
            [s for b in field.bubbles if b.label in right for s in writer.mark_bubble(b.box_mm, rng, style="fill")]
            if field.bubbles
            else writer.write(right, field.hull_mm(), rng)
        )
        draw_strokes(picture, strokes, PX_PER_MM)


def _rub_out(picture: np.ndarray, box_mm: tuple[float, float, float, float], *, round_: bool) -> None:
    inset = 0.6 if not round_ else 0.9
    x, y, width, height = (v * PX_PER_MM for v in box_mm)
    edge = inset * PX_PER_MM
    if round_:
        centre, axes = (
            (round(x + width / 2), round(y + height / 2)),
            (round(width / 2 - edge), round(height / 2 - edge)),
        )
        cv2.ellipse(picture, centre, axes, 0, 0, 360, (PAPER_WHITE,) * 3, -1)
        return
    corner, other = (round(x + edge), round(y + edge)), (round(x + width - edge), round(y + height - edge))
    cv2.rectangle(picture, corner, other, (PAPER_WHITE,) * 3, -1)
