"""A class's sheets as a scanner would deliver them: printed, filled in by the simulated hand, one JPEG a page.

Every sheet carries its pupil in the code, so that what is measured or tested is the box and not the reading.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import cv2

from homework.assignment import parse_assignment
from homework.layout import layout_from_json
from homework.roster import Roster, roster_to_csv
from models.simulation.classroom import made_up_roster
from models.simulation.paper import PrintedPages, written_page
from models.simulation.pupil import Habits, fill_class

DPI = 150
CLASS_NAME = "3-1"
ASSIGNMENT = """
[assignment]
id = "scans"
title = "第三单元 练习"
grade = 3
pupil_id = "{pupil_id}"

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
section = "三、判断、比较"
kind = "judge"
prompt = "3 是奇数"
answer = "√"
[[item]]
kind = "compare"
prompt = "3 ○ 5"
answer = "<"
"""


def make_scans(out: Path, *, pupils: int, seed: int = 1, pupil_id: str = "printed") -> Roster:
    """Write `sheets/` (as `classbox print` does), `roster.csv` and `scans/NN.jpg`; return the class."""
    scans = out / "scans"
    scans.mkdir(parents=True, exist_ok=True)
    roster = made_up_roster(pupils, class_name=CLASS_NAME)
    (out / "roster.csv").write_text(roster_to_csv(roster), encoding="utf-8")
    (out / "scans.toml").write_text(ASSIGNMENT.format(pupil_id=pupil_id), encoding="utf-8")
    program = Path(sys.executable).parent / "classbox"
    words = ["print", out / "scans.toml", "--roster", out / "roster.csv", "--class", CLASS_NAME, "-o", out / "sheets"]
    subprocess.run([str(program), *map(str, words)], check=True, capture_output=True)
    assignment = parse_assignment((out / "sheets" / "assignment.toml").read_text(encoding="utf-8"))
    layout = layout_from_json((out / "sheets" / "layout.json").read_bytes())
    paper = PrintedPages((out / "sheets" / "worksheets.pdf").read_bytes(), dpi=DPI)
    try:
        filled = fill_class(assignment, layout, roster, class_name=CLASS_NAME, seed=seed, habits=Habits.tidy())
        for number, page in enumerate(filled, start=1):
            blank = paper.page(number if pupil_id == "printed" else page.page)
            cv2.imwrite(str(scans / f"{number:02d}.jpg"), written_page(blank, page.strokes, paper.px_per_mm))
    finally:
        paper.close()
    return roster


def main() -> None:
    """Write them where the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--pupils", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pupil-id", default="printed")
    wanted = parser.parse_args()
    make_scans(wanted.out, pupils=wanted.pupils, seed=wanted.seed, pupil_id=wanted.pupil_id)


if __name__ == "__main__":
    main()
