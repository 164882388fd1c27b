"""D-box: what the ledger said it has is there after any kill, once."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "points", ["ledger: b", "picture: named", "clean-up: before", "migration: before", "retention"]
)
def test_a_box_killed_at_a_named_point_loses_no_sheet_and_counts_none_twice(points: str) -> None:
    """D-B2, D-B7. The full run kills at every point, many times: `python -m benchmarks.crash`."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.crash", "--quick", "--only", points, "--seed", "11", "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    figures = json.loads(done.stdout)
    assert figures["kills"] >= 1
    assert figures["not_reached"] == 0
    assert all(points in name for name in figures["points"])
    assert (figures["lost"], figures["double"], figures["damaged"], figures["orphans"]) == (0, 0, 0, 0)
