"""How right pages are graded that real hands filled in: writers set aside, photographed, read by the box's pipeline.

The digits and signs are real (√ alone is drawn by rules); that they stand on one page is simulated, and so are pens,
paper and camera. Half of the answers are wrong in a tempting way, so that both errors show: wrong answers ticked, and
right answers crossed.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import cv2

from benchmarks._hands_page import SENSORS, Answer, PageResult, Writers, one_page
from benchmarks._hands_sheet import GRADES, Sheet, print_sheet
from models.evaluation.crops import PageCrop, save_crops
from models.evaluation.figures import judged_row
from models.recognisers import Recognisers
from models.simulation.desk import Desk
from models.training.hands import Split, load_hands

STACK = 20
"""Pages a job: the desk of each is its own, so that the workers' number does not change a page."""


@cache
def _sheets() -> tuple[Sheet, ...]:
    return tuple(print_sheet(grade) for grade in GRADES)


@cache
def _writers(data: Path, split: Split) -> Writers:
    return Writers(load_hands(data)[split])


def stack(data: Path, split: Split, seed: int, numbers: range) -> list[PageResult]:
    """Some pages, read; without their photographs, which are large."""
    cv2.setNumThreads(1)
    recognisers = Recognisers.load()
    return [
        PageResult(page.answers, page.crops, page.photo[:0]) for page in pages(recognisers, data, split, seed, numbers)
    ]


def pages(recognisers: Recognisers, data: Path, split: Split, seed: int, numbers: range) -> Iterator[PageResult]:
    """The pages of those numbers (from 1), one after the other, with their photographs."""
    sheets, writers = _sheets(), _writers(data, split)
    page_mm = sheets[0].layout.page_mm
    desks = {
        megapixels: Desk(page_mm=page_mm, seed=seed * 100_003 + numbers.start, frame_px=frame_px)
        for megapixels, frame_px in SENSORS.items()
    }
    for number in numbers:
        yield one_page(sheets, desks, writers, seed, number).read(recognisers)


def all_pages(data: Path, split: Split, seed: int, count: int, workers: int) -> Iterator[PageResult]:
    """`count` pages, in order, spread over processes."""
    starts = range(1, count + 1, STACK)
    jobs = [range(start, min(start + STACK, count + 1)) for start in starts]
    if workers == 1:
        for job in jobs:
            yield from stack(data, split, seed, job)
        return
    with ProcessPoolExecutor(workers) as pool:
        for done in pool.map(stack, *zip(*((data, split, seed, job) for job in jobs), strict=True)):
            yield from done


def rows_of(answers: Sequence[Answer]) -> list[dict[str, Any]]:
    """A row a kind; of numbers also one a form, a length of integers, a pen, a photograph's quality, a source, and
    whether they keep to their frame.
    """
    numbers = [one for one in answers if one.kind == "number"]
    integers = [one for one in numbers if one.form == "integer"]
    groups: list[tuple[str, Sequence[Answer], Callable[[Answer], str]]] = [
        ("", answers, lambda one: "judge (√ synthetic)" if one.kind == "judge" else one.kind),
        ("number, ", numbers, lambda one: one.form),
        ("integer, ", integers, lambda one: f"{one.digits} digits" if one.digits != 1 else "1 digit"),
        ("number, ", numbers, lambda one: one.pen),
        ("number, ", numbers, lambda one: one.photo),
        ("number, ", numbers, lambda one: one.source),
        ("number, ", numbers, lambda one: one.frame),
    ]
    return [
        {"name": prefix + value, **judged_row([one.judged for one in some if name(one) == value])}
        for prefix, some, name in groups
        for value in sorted({name(one) for one in some})
    ]


def main() -> int:
    """Fill pages in, read them, and print the figures or write the crops."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog="Example: python -m benchmarks.hands --data ~/handwriting --split check --json"
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with the handwriting")
    parser.add_argument("--split", choices=("calibrate", "check"), default="check")
    parser.add_argument("--pages", type=int, default=200, help="photographs, each of one side of a sheet")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, help="write every crop that was read into this .npz")
    parser.add_argument("--misread", action="store_true", help="list what was silently misread")
    parser.add_argument("--quick", action="store_true", help="20 pages")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    count = 20 if options.quick else options.pages
    begun = time.monotonic()
    answers: list[Answer] = []
    crops: list[PageCrop] = []
    unread = 0
    for page in all_pages(options.data, options.split, options.seed, count, options.workers):
        answers += page.answers
        crops += page.crops if options.out is not None else []
        unread += not page.answers
    seconds = round(time.monotonic() - begun, 1)
    if options.out is not None:
        save_crops(options.out, crops)
        print(f"{len(crops)} crops of {count} pages ({unread} not read) in {seconds} s: {options.out}")
        return 0
    if options.misread:
        for one in answers:
            if not one.judged.same and not one.judged.asked:
                print(json.dumps(asdict(one), ensure_ascii=False))
    rows = rows_of(answers)
    if options.json:
        head = {"split": options.split, "pages": count, "pages_unread": unread, "seconds": seconds}
        print(json.dumps({**head, "rows": rows}, ensure_ascii=False))
        return 0
    for row in rows:
        print(
            f"{row['name']:24} n {row['n']:6}  right {row['forced_choice']:.2%}  silent {row['silent']:.3%}"
            f"  asked {row['review']:.1%}  false ticks {row['false_ticks']} ({row['false_tick']:.2%})"
            f"  false crosses {row['false_crosses']} ({row['false_cross']:.2%})"
        )
    print(f"{count} pages, {unread} not read, {seconds} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
