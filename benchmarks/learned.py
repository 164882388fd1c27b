"""Learned pages: pages of one workbook, found by their print in bad photos. Which page, where, and what was read.

A page that is not learned is slid between the others: it must never be graded. `silently_wrong` counts pages taken for
another one; `answers_silently_wrong` readings without doubt that are not what stands there.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

import cv2
import msgspec
import numpy as np

from edge.frames import Capture, Image
from edge.learning.flatten import flat_page
from edge.pipeline import Books, GradedPage, grade_capture
from edge.references import unmarked_sheet
from edge.registration.geometry import corners_of, to_px
from edge.registration.unmarked_sheet import UnmarkedSheet
from homework.results import PageStatus
from homework.roster import Pupil
from models.recognisers import Recognisers
from models.simulation.paper import written_page
from models.simulation.pupil import FilledPage, Habits, fill_pupil
from models.simulation.workbook import WorkbookPage, workbook_page

PHOTO_PX = (2100, 2800)
ROWS: tuple[tuple[str, dict[str, float]], ...] = (
    ("straight", {}),
    ("turn 10", {"turn": 10}),
    ("turn 90", {"turn": 90}),
    ("turn 180", {"turn": 180}),
    ("tilt 30", {"tilt": 30}),
    ("light to 30 %", {"light": 0.3}),
    ("shadow 60 %", {"shadow": 0.6}),
    ("shadow 40 %", {"shadow": 0.4}),
    ("blur 2 px per 1,000", {"blur": 2}),
    ("blur 4 px per 1,000", {"blur": 4}),
    ("noise 15", {"noise": 15}),
    ("brightness 40 %", {"bright": 0.4}),
    ("desk grey 210", {"desk": 210}),
    ("curl 6 mm", {"curl": 6}),
)


def learned(page: WorkbookPage) -> UnmarkedSheet:
    """The page as a scanner has it while it is empty, with the places that a careful person drew."""
    flat = flat_page(np.asarray(cv2.LUT(page.image, np.linspace(26, 243, 256).astype(np.uint8)), np.uint8), paper="16K")
    layout = msgspec.structs.replace(page.layout, page_mm=flat.page_mm, reference="blank.png")
    return unmarked_sheet(layout, bytes(cv2.imencode(".png", flat.image)[1]))


def photo(
    paper: Image, how: dict[str, float], rng: np.random.Generator
) -> tuple[Image, np.ndarray[tuple[int, ...], np.dtype[np.float64]]]:
    """A photo of a page and the homography that it was drawn by (pixels of the page → of the photo; before a curl)."""
    width, height = PHOTO_PX
    rows, columns = paper.shape[:2]
    angle = np.deg2rad(how.get("turn", 0.0) + rng.normal(0, 0.6))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    corners = np.array([[-columns, -rows], [columns, -rows], [columns, rows], [-columns, rows]]) / 2 @ turn.T
    distance = 1.6 * rows
    lean = np.deg2rad(how.get("tilt", 0.0))
    depth = distance + corners[:, 1] * np.sin(lean)
    placed = np.stack([corners[:, 0], corners[:, 1] * np.cos(lean)], 1) * (distance / depth)[:, None]
    placed *= 0.93 * min(width / np.ptp(placed[:, 0]), height / np.ptp(placed[:, 1]))
    placed += np.array([width, height]) / 2 - (placed.min(axis=0) + placed.max(axis=0)) / 2
    source = np.array([[0, 0], [columns, 0], [columns, rows], [0, rows]], np.float32) - 0.5
    matrix = cv2.getPerspectiveTransform(source, placed.astype(np.float32)).astype(np.float64)
    if how.get("curl"):
        y, x = np.mgrid[0:rows, 0:columns].astype(np.float32)
        # A sheet that bulges by so much is seen shifted by a part of it, most between its middle and its edges.
        bulge = np.float32(how["curl"] * 0.25 * columns / 185) * np.sin(2 * np.pi * x / columns)
        paper = np.asarray(cv2.remap(paper, x + bulge, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8)
    desk = np.full((height, width, 3), how.get("desk", 95), np.uint8)
    soft = np.asarray(cv2.GaussianBlur(paper, (0, 0), 0.6), np.uint8)
    seen = cv2.warpPerspective(
        soft, matrix, PHOTO_PX, dst=desk, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_TRANSPARENT
    )
    image = np.asarray(seen, np.float32)
    if how.get("blur"):
        sigma_px = how["blur"] * width / 1000  # of the picture's width, as in `perturb`
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), sigma_px), np.float32)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    light = np.full((height, width), how.get("bright", 1.0), np.float32)
    if "light" in how:
        light *= 1 - (1 - how["light"]) * (x / width + y / height) / 2
    if "shadow" in how:
        light *= np.where(x + 0.4 * y > 0.7 * width, np.float32(how["shadow"]), np.float32(1))
    image = image * light[..., None] + rng.normal(0, how.get("noise", 2.0), image.shape).astype(np.float32)
    return np.clip(image, 0, 255).astype(np.uint8), matrix


def measure(pages: int, rows: Sequence[tuple[str, dict[str, float]]], each: int, seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    book = [workbook_page(n, seed=seed) for n in range(1, pages + 2)]
    known = [learned(page) for page in book[:pages]]  # the last page of the book is not learned
    keys = {page.assignment.id: page.assignment for page in book}
    recogniser = Recognisers.load()
    books = Books(lambda _: None, keys.get, unmarked=lambda: known)
    grade_capture(Capture(book[0].image, "warm"), books, recogniser)
    found: list[dict[str, Any]] = []
    cpu_ms: list[float] = []
    register_ms: list[float] = []
    answers: Counter[str] = Counter()
    for name, how in rows:
        row: Counter[str] = Counter()
        errors: list[float] = []
        for n in range(each):
            stranger = n == each - 1
            page = book[pages] if stranger else book[int(rng.integers(pages))]
            pupil = Pupil("3-1", int(rng.integers(1, 46)), "x", "p")
            done = fill_pupil(page.assignment, page.layout, pupil, seed=int(rng.integers(1 << 20)), habits=Habits())[0]
            image, matrix = photo(written_page(page.image.copy(), done.strokes, page.px_per_mm), how, rng)
            start = time.process_time()
            graded = grade_capture(Capture(image, name), books, recogniser)
            cpu_ms.append((time.process_time() - start) * 1000)
            register_ms.append(graded.stages_ms["register"])
            row["pages"] += 1
            row[_outcome(graded, page, stranger=stranger)] += 1
            if graded.status is PageStatus.GRADED and not stranger:
                _count_answers(graded, done, answers)
                if not how.get("curl"):
                    errors += _errors_mm(graded, page, matrix)
        outcome = {k: row[k] for k in ("pages", "read", "asked", "refused", "stranger_refused", "silently_wrong")}
        error = {"place_mm_p50": _rank(errors, 50), "place_mm_p99": _rank(errors, 99)} if errors else {}
        found.append({"name": name, **outcome, **error})
    return {
        "learned_pages": pages,
        "rows": found,
        "silently_wrong": sum(row["silently_wrong"] for row in found),
        "answers": dict(answers),
        "answers_silently_wrong": answers["silently_wrong"],
        "cpu_ms_p50": _rank(cpu_ms, 50),
        "cpu_ms_p99": _rank(cpu_ms, 99),
        "register_wall_ms_p50": _rank(register_ms, 50),
        "photo_px": list(PHOTO_PX),
    }


def _outcome(graded: GradedPage, page: WorkbookPage, *, stranger: bool) -> str:
    if graded.status is not PageStatus.GRADED or graded.record is None:
        return "stranger_refused" if stranger else "refused"
    if stranger or graded.record.sheet != page.layout.sheet:
        return "silently_wrong"
    return "asked" if any(shift is None for shift in graded.registered.shifts_mm) else "read"


def _count_answers(graded: GradedPage, done: FilledPage, answers: Counter[str]) -> None:
    assert graded.record is not None
    for item, truth in zip(graded.record.items, done.truth.fields, strict=True):
        if item.reading.doubt is not None or item.reading.text is None:
            answers["asked"] += 1
        elif truth.text is not None:
            answers["right" if item.reading.text == truth.text else "silently_wrong"] += 1


def _errors_mm(graded: GradedPage, page: WorkbookPage, matrix: Any) -> list[float]:
    """How far from their true places the fields were cut."""
    registered = graded.registered
    assert registered.page is not None
    assert registered.layout is not None
    stretch = np.array(page.layout.page_mm) / np.array(registered.layout.page_mm)
    errors = []
    for field, shift in zip(registered.page.fields, registered.shifts_mm, strict=True):
        if shift is None:
            continue
        centre = corners_of(field.hull_mm()).mean(axis=0)
        assert registered.mm_to_px is not None
        seen = to_px(registered.mm_to_px, centre + np.array(shift))
        true = to_px(matrix, centre * stretch * page.px_per_mm - 0.5)
        errors.append(float(np.linalg.norm(seen - true)) / registered.px_per_mm)
    return errors


def _rank(values: Sequence[float], percentile: float) -> float:
    return round(float(np.percentile(values, percentile)), 3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true", help="fewer pages and photos")
    parser.add_argument("--pages", type=int, default=30, help="how many pages of the book are learned")
    parser.add_argument("--each", type=int, default=20, help="photos a row")
    parser.add_argument("--seed", type=int, default=4)
    words = parser.parse_args()
    cv2.setNumThreads(1)
    each = 2 if words.quick else words.each
    print(json.dumps(measure(words.pages, ROWS, each, words.seed), ensure_ascii=False))


if __name__ == "__main__":
    main()
