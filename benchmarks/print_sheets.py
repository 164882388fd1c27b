"""How long a class's worksheets take to set, and how large they are: 45 pupils, a sheet with 20 items each."""

from __future__ import annotations

import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import msgspec

from homework.assignment import Assignment, parse_assignment
from homework.roster import Roster, parse_roster
from homework.sheets import SheetSet, make_sheets
from homework.sheets.printing import font_folders

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def measured(assignment: Assignment, roster: Roster | None, runs: int) -> tuple[float, float, SheetSet]:
    """Median CPU and wall seconds of one call, and what it made."""
    cpu, wall = [], []
    for _ in range(runs):
        cpu_start, start = time.process_time(), time.perf_counter()
        made = make_sheets(assignment, roster=roster, fonts=font_folders())
        cpu.append(time.process_time() - cpu_start)
        wall.append(time.perf_counter() - start)
    return statistics.median(cpu), statistics.median(wall), made


def figures(runs: int) -> dict[str, Any]:
    """One master, and the same sheet for each of 45 pupils."""
    assignment = parse_assignment((EXAMPLES / "g3-mul-2x1.toml").read_text(encoding="utf-8"))
    roster = parse_roster((EXAMPLES / "roster-3-1.csv").read_bytes())
    master_cpu, master_wall, master = measured(assignment, None, runs)
    personal = msgspec.structs.replace(assignment, pupil_id="printed")
    class_cpu, class_wall, sheets = measured(personal, roster, runs)
    return {
        "items": len(assignment.items),
        "pupils": len(roster.pupils),
        "pages_each": len(sheets.layout.pages),
        "master_cpu_s": round(master_cpu, 3),
        "master_wall_s": round(master_wall, 3),
        "master_pdf_kb": round(len(master.worksheets_pdf) / 1000, 1),
        "class_cpu_s": round(class_cpu, 3),
        "class_wall_s": round(class_wall, 3),
        "class_pdf_kb": round(len(sheets.worksheets_pdf) / 1000, 1),
        "runs": runs,
    }


def main() -> int:
    """Print the figures, as JSON when asked."""
    found = figures(3 if "--quick" in sys.argv else 9)
    if "--json" in sys.argv:
        print(json.dumps(found))
    else:
        for key, value in found.items():
            print(f"{key:>16}  {value}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
