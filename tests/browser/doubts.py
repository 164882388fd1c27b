"""A class whose sheets leave something to look at on purpose: ink beside a box, two marks, a unit, words, reasons."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np

from homework.layout import Box, Field, SheetLayout, layout_from_json
from homework.roster import roster_to_csv
from models.simulation.classroom import made_up_roster
from models.simulation.paper import PrintedPages, written_page
from models.simulation.pen import Writer
from models.simulation.strokes import Stroke

DPI = 150
ASSIGNMENT = """
[assignment]
id = "doubts"
title = "第三单元 练习"
grade = 3
pupil_id = "printed"

[[item]]
section = "一、口算"
kind = "number"
prompt = "23 × 4 ="
answer = "92"
[[item]]
kind = "number"
prompt = "12 × 4 ="
answer = "48"
[[item]]
section = "二、选择"
kind = "choice"
prompt = "3 × 5 ="
options = ["12", "15", "18", "20"]
answer = "B"
[[item]]
section = "三、应用"
kind = "open"
prompt = "为什么？"
points = 3
"""
NINETY_TWO, TWO_MARKS, OTHER = (1, 2, 3, 4), 5, 6
"""By seat: who wrote 92 with something beside it, who marked two bubbles, and who wrote 97 with something beside it."""


def make_doubts(out: Path, *, pupils: int = 6) -> None:
    """Write what `benchmarks._scans` writes, of a class whose doubts are known."""
    scans = out / "scans"
    scans.mkdir(parents=True)
    roster = made_up_roster(pupils, class_name="3-1")
    (out / "roster.csv").write_text(roster_to_csv(roster), encoding="utf-8")
    (out / "doubts.toml").write_text(ASSIGNMENT, encoding="utf-8")
    program = Path(sys.executable).parent / "classbox"
    words = ["print", out / "doubts.toml", "--roster", out / "roster.csv", "--class", "3-1", "-o", out / "sheets"]
    subprocess.run([str(program), *map(str, words)], check=True, capture_output=True)
    layout = layout_from_json((out / "sheets" / "layout.json").read_bytes())
    paper = PrintedPages((out / "sheets" / "worksheets.pdf").read_bytes(), dpi=DPI)
    try:
        for seat in range(1, pupils + 1):
            sheet = written_page(paper.page(seat), _strokes(layout, seat), paper.px_per_mm)
            cv2.imwrite(str(scans / f"{seat:02d}.jpg"), sheet)
    finally:
        paper.close()


def _strokes(layout: SheetLayout, seat: int) -> list[Stroke]:
    hand, rng = Writer.random(50 + seat), np.random.default_rng(seat)
    fields = {field.item: field for field in layout.pages[0].fields}
    strokes = hand.write("97" if seat == OTHER else "92", _box(fields["1"]), rng)
    if seat in (*NINETY_TWO, OTHER):
        strokes += hand.write("7", _beside(fields["1"]), rng)
    strokes += hand.write("48", _box(fields["2"]), rng)
    for label in ("A", "B") if seat == TWO_MARKS else ("B",):
        bubble = next(bubble for bubble in fields["3"].bubbles if bubble.label == label)
        strokes += hand.mark_bubble(bubble.box_mm, rng, style="fill")
    if seat <= 2:
        x, y, width, height = _box(fields["4"])
        strokes += hand.write("325", (x + 2, y + 2, min(width - 4, 20.0), min(height - 4, 9.0)), rng)
    return strokes


def _box(field: Field) -> Box:
    assert field.box_mm is not None
    return field.box_mm


def _beside(field: Field) -> Box:
    """Below the box, where the sheet is empty."""
    x, y, _, height = _box(field)
    return (x + 4.0, y + height + 1.4, 9.0, 5.4)


if __name__ == "__main__":
    make_doubts(Path(sys.argv[1]))
