"""Without any service: print, rasterise, fill in by hand, grade. What comes out is what was written, or a question."""

import json
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

from homework.answers import normalise
from homework.assignment import parse_assignment
from homework.layout import layout_from_json
from homework.roster import parse_roster
from models.simulation.classroom import Classroom
from models.simulation.pupil import Habits

ROOT = Path(__file__).resolve().parents[2]
CLASSBOX = Path(sys.executable).parent / "classbox"
ROSTER = ROOT / "examples" / "roster-3-1.csv"


@pytest.mark.parametrize("name", ["g3-mul-2x1", "g5-fractions", "g6-test-8k"])
def test_a_printed_and_filled_sheet_grades_to_the_truth(name: str, tmp_path: Path) -> None:
    out, scans = tmp_path / "out", tmp_path / "scans"
    scans.mkdir()
    printing = ["print", ROOT / "examples" / f"{name}.toml", "--roster", ROSTER, "--class", "3-1", "-o", out]
    subprocess.run([CLASSBOX, *printing], check=True, capture_output=True)
    room = Classroom(
        parse_assignment((out / "assignment.toml").read_text(encoding="utf-8")),
        layout_from_json((out / "layout.json").read_bytes()),
        parse_roster(ROSTER.read_bytes()),
        (out / "worksheets.pdf").read_bytes(),
        class_name="3-1",
        seed=11,
        pupils=4,
        habits=Habits.tidy(),
        dpi=250,
    )
    truths = [room.truth(index) for index in range(len(room))]
    for index in range(len(room)):
        cv2.imwrite(str(scans / f"{index:02d}.jpg"), room.sheet(index).image)
    room.close()

    found = ["--layout", out / "layout.json", "--assignment", out / "assignment.toml", "--roster", ROSTER]
    done = subprocess.run([CLASSBOX, "grade", scans, *found, "--json"], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    pages = [json.loads(line) for line in done.stdout.splitlines()]
    assert [page["status"] for page in pages] == ["graded"] * len(truths)
    read = asked = 0
    for truth, page in zip(truths, pages, strict=True):
        assert (page["sheet"], page["page"]) == (truth.sheet, truth.page)
        assert page["pupil"] in (truth.pupil, None)
        for written, item in zip(truth.fields, page["items"], strict=True):
            assert (item["item"], item["blank"]) == (written.item, written.blank)
            if item["verdict"] == "review":
                asked += written.text is not None  # what only the teacher can judge is hers anyway
                assert item["score"] is None
                continue
            read += 1
            assert written.text is not None
            assert normalise(item["kind"], item["reading"]) == normalise(written.kind, written.text)
        assert page["pending"] == sum(item["verdict"] == "review" for item in page["items"])
    assert read > 2 * asked
