"""Real worksheets, written on and photographed: what the tests of the page look at."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
import pytest

from edge.frames import Capture, Image
from homework.assignment import Assignment, parse_assignment
from homework.layout import Box, Field, SheetLayout
from homework.sheets.make import make_sheets
from models.simulation.ink import draw_strokes
from models.simulation.paper import PrintedPages, written_page
from models.simulation.pen import Writer
from models.simulation.strokes import Stroke

DPI = 300
ITEMS = """
[assignment]
id = "page-tests"
title = "第三单元 练习"
grade = 3
pupil_id = "PUPIL_ID"

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
kind = "number"
prompt = "1/2 + 1/4 ="
answer = "3/4"
[[item]]
kind = "number"
prompt = "17 ÷ 2 ="
answer = "8……1"
[[item]]
section = "二、选择"
kind = "choice"
prompt = "3 × 5 ="
options = ["12", "15", "18", "20"]
answer = "B"
[[item]]
kind = "choices"
prompt = "偶数有"
options = ["12", "15", "18", "21"]
answer = "AC"
[[item]]
section = "三、判断、比较"
kind = "judge"
prompt = "3 是奇数"
answer = "√"
[[item]]
kind = "letter"
prompt = "最大的是 ____"
answer = "C"
[[item]]
kind = "compare"
prompt = "3 ○ 5"
answer = "<"
[[item]]
kind = "number"
prompt = "____ + ____ = 5"
answer = ["2", "3"]
blanks = 2
any_order = true
"""


@dataclass
class Worksheet:
    """One printed page, to write on. Places are named by item; strokes are a generated hand's."""

    assignment: Assignment
    layout: SheetLayout
    image: Image
    px_per_mm: float
    strokes: list[Stroke] = field(default_factory=list)
    writer: Writer = field(default_factory=lambda: Writer.random(5))
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(1))

    def field(self, item: str, blank: int = 1) -> Field:
        return next(f for f in self.layout.pages[0].fields if (f.item, f.blank) == (item, blank))

    def write(self, item: str, text: str, *, blank: int = 1) -> None:
        box = self.field(item, blank).box_mm
        assert box is not None
        self.write_at(text, box)

    def write_at(self, text: str, box_mm: Box) -> None:
        self.strokes += self.writer.write(text, box_mm, self.rng)

    def mark(self, item: str, label: str, style: str = "fill") -> None:
        bubble = next(b for b in self.field(item).bubbles if b.label == label)
        self.strokes += self.writer.mark_bubble(bubble.box_mm, self.rng, style=style)  # type: ignore[arg-type]

    def seat(self, text: str) -> None:
        pupil = self.layout.pages[0].pupil
        assert pupil is not None
        if pupil.kind == "digits":
            for digit, box in zip(text, pupil.boxes_mm, strict=True):
                self.write_at(digit, box)
        for digit, column in zip(text, pupil.columns, strict=bool(pupil.columns)):
            box = next(b.box_mm for b in column if b.label == digit)
            self.strokes += self.writer.mark_bubble(box, self.rng)

    def paper(self) -> Image:
        return written_page(self.image.copy(), self.strokes, self.px_per_mm)

    def over(self, strokes: list[Stroke]) -> Image:
        """The written paper with more strokes over it: a teacher's pen."""
        paper = self.paper()
        draw_strokes(paper, strokes, self.px_per_mm)
        return paper


Photograph = Callable[..., Capture]


def take_photo(
    paper: Image,
    *,
    size_px: tuple[int, int] = (2016, 1512),
    turn_deg: float = 0.0,
    tilt: float = 0.0,
    fill: float = 0.94,
    centre: tuple[float, float] = (0.5, 0.5),
    falloff: float = 0.0,
    brightness: float = 1.0,
    blur_px: float = 0.0,
    noise: float = 2.0,
    quality: int | None = None,
    grey: bool = False,
    seed: int = 0,
) -> Capture:
    """A photo of `paper` on a desk.

    `tilt` narrows one side (perspective), `fill` is the share of the picture that the page takes, `falloff` is how
    much darker the far corner is, `blur_px` a Gaussian's deviation, `quality` that of a JPEG on the way.
    """
    width, height = size_px
    page_h, page_w = paper.shape[:2]
    angle = np.deg2rad(turn_deg)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    corners = np.array([[-page_w, -page_h], [page_w, -page_h], [page_w, page_h], [-page_w, page_h]]) / 2
    turned = corners @ turn.T
    scale = fill * min(width / np.ptp(turned[:, 0]), height / np.ptp(turned[:, 1]))
    placed = turned * scale
    depth = 1 + tilt * placed[:, 1:] / height
    placed = placed / depth + [centre[0] * width, centre[1] * height]
    source = np.array([[0, 0], [page_w, 0], [page_w, page_h], [0, page_h]], np.float32) - 0.5
    matrix = cv2.getPerspectiveTransform(source, placed.astype(np.float32))
    if scale < 1:  # what a lens averages over a pixel
        paper = np.asarray(cv2.GaussianBlur(paper, (0, 0), max(0.4 / scale - 0.2, 0.3)), np.uint8)
    desk = np.full((height, width, 3), (70, 95, 120), np.uint8)
    image: Any = cv2.warpPerspective(paper, matrix, size_px, dst=desk, borderMode=cv2.BORDER_TRANSPARENT)
    if blur_px:
        image = cv2.GaussianBlur(image.astype(np.float32), (0, 0), blur_px)
    # Millions of pixels in hundreds of tests: in single precision, and OpenCV's noise instead of numpy's.
    if falloff or brightness != 1:
        down, across = np.arange(height, dtype=np.float32) / height, np.arange(width, dtype=np.float32) / width
        light = brightness * (1 - falloff * np.hypot(across[None], down[:, None]) / np.float32(np.sqrt(2)))
        image = cv2.multiply(image, cv2.merge([light] * 3), dtype=cv2.CV_32F)
    grain = np.empty(image.shape, np.float32)
    cv2.setRNGSeed(seed)
    cv2.randn(grain, np.zeros(3), np.full(3, noise))  # one number would be for blue alone
    image = cv2.add(image, grain, dtype=cv2.CV_8U)
    if quality is not None:
        image = cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)
    if grey:
        image = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    return Capture(np.ascontiguousarray(image, np.uint8), "photo")


@pytest.fixture(scope="session")
def print_worksheet() -> Callable[..., Worksheet]:
    """`print_worksheet(pupil_id="digits")`: an empty first page."""
    cv2.setNumThreads(1)
    printed: dict[str, Worksheet] = {}

    def make(pupil_id: str = "digits", seed: int = 5) -> Worksheet:
        if pupil_id not in printed:
            assignment = parse_assignment(ITEMS.replace("PUPIL_ID", pupil_id))
            sheets = make_sheets(assignment)
            pages = PrintedPages(sheets.worksheets_pdf, dpi=DPI)
            printed[pupil_id] = Worksheet(assignment, sheets.layout, pages.page(1), pages.px_per_mm)
            pages.close()
        one = printed[pupil_id]
        return Worksheet(
            one.assignment,
            one.layout,
            one.image,
            one.px_per_mm,
            writer=Writer.random(seed),
            rng=np.random.default_rng(seed),
        )

    return make


@pytest.fixture(scope="session")
def photograph() -> Photograph:
    return take_photo
