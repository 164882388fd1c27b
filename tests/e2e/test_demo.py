"""The main job with every real part: printer, hand, camera, box, broker, gateway, report."""

import json
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.timeout(400)
def test_a_small_class_goes_from_print_to_report(tmp_path: Path) -> None:
    out = tmp_path / "demo"
    words = ["--class-size", "5", "--pace", "3", "--once", "--json", "--out", str(out)]
    done = subprocess.run([sys.executable, "-m", "edge.demo", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary == json.loads((out / "summary.json").read_text(encoding="utf-8"))
    assert (summary["sheets"], summary["in_report"], summary["matched"]) == (5, 5, 5)
    assert summary["wrong_pupil"] == 0
    assert summary["right"] + summary["asked"] + summary["silently_wrong"] == summary["items"] > 90
    assert summary["silently_wrong"] <= summary["items"] // 100
    written = [json.loads(line) for line in (out / "truth.jsonl").read_text(encoding="utf-8").splitlines()]
    assert sorted(sheet["pupil"] for sheet in written) == ["S001", "S002", "S003", "S004", "S005"]


def test_the_demo_says_what_is_wrong_when_a_class_cannot_be(tmp_path: Path) -> None:
    words = ["--class-size", "61", "--once", "--out", str(tmp_path)]
    done = subprocess.run([sys.executable, "-m", "edge.demo", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
