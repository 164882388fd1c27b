"""Whether a box's memory grows: two thousand pictures of 12 MP, one after the other, through one running process."""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from urllib.request import urlopen

import cv2
import numpy as np
import psutil

from benchmarks._box import Program, RunningBox
from benchmarks._scans import make_scans

PUPILS = 45
SIZE_PX = (2910, 4116)
AHEAD = 20
"""Pictures that lie in the folder and are not graded yet: a stack waits, the disk is not filled at once."""
_PATIENCE_S = 120.0


def main() -> None:
    """Slide, look at the memory every so often, and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sheets", type=int, default=2000)
    parser.add_argument("--quick", action="store_true", help="200 sheets")
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args()
    sheets = 200 if wanted.quick else wanted.sheets
    with tempfile.TemporaryDirectory(prefix="classbox-memory-") as folder:
        figures = slide(Path(folder), sheets=sheets, every=sheets // 8)
    print(json.dumps(figures) if wanted.json else "\n".join(f"{name}: {value}" for name, value in figures.items()))


def slide(folder: Path, *, sheets: int, every: int) -> dict[str, object]:
    """Slide the class's sheets again and again, each time another file: after the first round they are duplicates."""
    made = folder / "made"
    make_scans(made, pupils=PUPILS)
    stack = [_enlarged(path) for path in sorted((made / "scans").glob("*.jpg"))]
    box = RunningBox(folder / "box", made)
    rss_mb_after: dict[int, int] = {}
    try:
        process = psutil.Process(box.process.pid)
        began_s = time.monotonic()
        for number in range(1, sheets + 1):
            beside = folder / f"{number:05}.jpg"
            # What follows the end of a JPEG is no part of its picture, and makes it another file.
            beside.write_bytes(stack[number % PUPILS] + number.to_bytes(4, "big"))
            box.slide_file(beside)
            beside.unlink()
            _until(box, number - AHEAD)
            if number % every == 0:
                _until(box, number)
                urlopen(box.url, timeout=30).read()
                rss_mb_after[number] = round(process.memory_info().rss / 2**20)
        seconds = time.monotonic() - began_s
        peak_mb = _peak_mb(box.process)
    finally:
        box.stop()
    return {
        "sheets": sheets,
        "rss_mb_after": rss_mb_after,
        "peak_rss_mb": peak_mb,
        "seconds": round(seconds, 1),
    }


def _enlarged(path: Path) -> bytes:
    image = cv2.resize(np.asarray(cv2.imread(str(path))), SIZE_PX, interpolation=cv2.INTER_CUBIC)
    return bytes(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 80])[1])


def _until(box: RunningBox, captured: int) -> None:
    """Wait until so many sheets are in the ledger."""
    give_up_s = time.monotonic() + _PATIENCE_S
    while captured > 0 and _captured(box) < captured:
        if time.monotonic() > give_up_s or box.process.poll() is not None:
            raise SystemExit(f"the box stands still: {box.errors()}")
        time.sleep(0.1)


def _captured(box: RunningBox) -> int:
    with urlopen(f"{box.url}metrics", timeout=30) as answer:
        for line in answer.read().decode().splitlines():
            if line.startswith("classbox_captured_sheets "):
                return int(float(line.split()[1]))
    return 0


def _peak_mb(process: Program) -> int:
    words = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
    return round(int(words.partition("VmHWM:")[2].split()[0]) / 1024)


if __name__ == "__main__":
    main()
