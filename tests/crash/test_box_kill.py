"""D-box: what the ledger said it has is there after any kill, once."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.timeout(180)
def test_a_box_killed_while_it_grades_loses_no_sheet_and_counts_none_twice() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.crash", "--kills", "4", "--seed", "11", "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    figures = json.loads(done.stdout)
    assert figures["kills"] == 4
    assert (figures["lost"], figures["double"], figures["damaged"]) == (0, 0, 0)
