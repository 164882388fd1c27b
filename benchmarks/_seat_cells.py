"""Seat cells as a camera sees them: printed, written into by a simulated pen or a real hand, photographed askew."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator

from edge.frames import Capture, Image, RegisteredPage
from homework.assignment import parse_assignment
from homework.layout import Box, PupilField
from homework.page_code import PageCode
from homework.sheets import make_sheets
from models.simulation.ink import draw_strokes
from models.simulation.paper import PrintedPages, written_page
from models.simulation.pen import Writer
from models.simulation.strokes import Stroke
from models.training import pens
from models.training.hands import Hand, load_hands

DPI = 300
AROUND_MM = 9.0
"""Paper kept round the cells: as far as the reader looks for their outlines and for ink beside them."""

Pen = Callable[[Image, str, Box, float, Generator], None]
"""Writes one sign into a box (px of the picture, as mm × px_per_mm) of a BGR picture, in place."""

_SHEET = (
    '[assignment]\nid = "seats"\ntitle = "座号"\ngrade = 3\n[[item]]\nkind = "number"\nprompt = "1+1="\nanswer = "2"\n'
)


class SeatPaper:
    """The part of a printed page that holds the seat cells. `pupil` has its boxes in millimetres of that part."""

    def __init__(self) -> None:
        sheets = make_sheets(parse_assignment(_SHEET))
        self.layout = sheets.layout
        pages = PrintedPages(sheets.worksheets_pdf, dpi=DPI)
        self.px_per_mm = pages.px_per_mm
        whole, page = pages.page(1), sheets.layout.pages[0]
        pages.close()
        assert page.pupil is not None
        boxes = page.pupil.boxes_mm
        left, top = boxes[0][0] - AROUND_MM, boxes[0][1] - AROUND_MM
        right, bottom = boxes[-1][0] + boxes[-1][2] + AROUND_MM, boxes[-1][1] + boxes[-1][3] + AROUND_MM
        # The cut is made at whole pixels; the boxes follow it exactly.
        x0, y0 = round(left * self.px_per_mm), round(top * self.px_per_mm)
        x1, y1 = round(right * self.px_per_mm), round(bottom * self.px_per_mm)
        self.blank = written_page(whole[y0:y1, x0:x1].copy(), (), self.px_per_mm)
        dx, dy = x0 / self.px_per_mm, y0 / self.px_per_mm
        self.pupil = PupilField(kind="digits", boxes_mm=tuple((x - dx, y - dy, w, h) for x, y, w, h in boxes))
        self.page = page

    def written(self, text: str, pen: Pen, rng: Generator, *, rubbed_out: str | None = None) -> Image:
        """The paper with one sign of `text` in each cell, from the left; a space leaves its cell empty.

        `rubbed_out`: signs that were there first; a quarter to a half of their ink is left.
        """
        paper = self.blank.copy()
        if rubbed_out is not None:
            self._write(paper, rubbed_out, pen, rng)
            left = float(rng.uniform(0.25, 0.5))
            paper = np.asarray(cv2.addWeighted(paper, left, self.blank, 1 - left, 0), np.uint8)
        self._write(paper, text, pen, rng)
        return paper

    def _write(self, paper: Image, text: str, pen: Pen, rng: Generator) -> None:
        for sign, box in zip(text, self.pupil.boxes_mm, strict=False):
            if sign != " ":
                pen(paper, sign, box, self.px_per_mm, rng)

    def photograph(self, paper: Image, rng: Generator) -> RegisteredPage:
        """The paper under a camera: 6.5 to 13 px/mm, turned a little, unevenly lit, blurred, noisy, now and then JPEG.

        The millimetres that come with it are off by some tenths, as a curled page's are.
        """
        scale = float(rng.uniform(6.5, 13.0)) / self.px_per_mm
        angle = float(rng.normal(0, np.deg2rad(2.5)))
        height, width = paper.shape[:2]
        turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
        lean = np.array([[1, rng.normal(0, 0.01), 0], [0, 1, 0], [rng.normal(0, 6e-6), rng.normal(0, 6e-6), 1]])
        matrix = lean @ turn @ np.diag([scale, scale, 1])
        size = (int(width * scale * 1.06), int(height * scale * 1.06))
        ends = np.array([[[width / 2, height / 2]]], np.float64)
        middle = cv2.perspectiveTransform(ends, matrix)[0, 0]
        to_middle = np.array([[1, 0, size[0] / 2 - middle[0]], [0, 1, size[1] / 2 - middle[1]], [0, 0, 1]])
        matrix = to_middle @ matrix
        shrunk = cv2.GaussianBlur(paper, (0, 0), max(0.4 / scale - 0.2, 0.3)) if scale < 1 else paper
        photo = cv2.warpPerspective(shrunk, matrix, size, borderMode=cv2.BORDER_REPLICATE).astype(np.float32)
        blur = float(np.clip(rng.gamma(1.4, 0.4), 0.0, 1.8))
        if blur > 0.3:
            photo = np.asarray(cv2.GaussianBlur(photo, (0, 0), blur), np.float32)
        rows, columns = np.mgrid[0 : size[1], 0 : size[0]].astype(np.float32)
        light = 1 + (columns / size[0] - 0.5) * rng.normal(0, 0.1) + (rows / size[1] - 0.5) * rng.normal(0, 0.08)
        photo = photo * (light * rng.uniform(0.5, 1.0))[..., None] + rng.normal(0, rng.uniform(1, 4), photo.shape)
        image = np.clip(photo, 0, 255).astype(np.uint8)
        if rng.random() < 0.5:
            quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(60, 95))]
            image = np.asarray(cv2.imdecode(cv2.imencode(".jpg", image, quality)[1], cv2.IMREAD_COLOR), np.uint8)
        off = np.array([[1, 0, rng.normal(0, 0.15)], [0, 1, rng.normal(0, 0.15)], [0, 0, 1]])
        mm_to_px = matrix @ np.diag([self.px_per_mm, self.px_per_mm, 1]) @ off
        code = PageCode(self.layout.sheet, 1)
        return RegisteredPage(
            Capture(image, "seat"), self.layout, self.page, code, mm_to_px, scale * self.px_per_mm, 0.1
        )


def simulated_pen(seed: int, *, faint: bool) -> Pen:
    """The pen of the simulated writer of that seed."""
    writer = Writer.random(seed)

    def write(paper: Image, sign: str, box: Box, px_per_mm: float, rng: Generator) -> None:
        strokes: list[Stroke] = writer.write(sign, box, rng, faint=faint)
        draw_strokes(paper, strokes, px_per_mm)

    return write


def real_pen(hand: Hand, rng: Generator) -> Pen:
    """A hand of the collections: its own digits, of a size and pressure that it keeps through the number."""
    height_mm = float(np.clip(rng.normal(5.8, 1.0), 3.2, 8.6))
    dark = float(rng.uniform(0.3, 0.9))
    manner: pens.Manner | None = None

    def write(paper: Image, sign: str, box: Box, px_per_mm: float, rng: Generator) -> None:
        nonlocal manner
        manner = manner or pens.a_manner(rng, height_mm * px_per_mm)
        glyphs = hand.glyphs[sign]
        ink = pens.draw(glyphs[int(rng.integers(len(glyphs)))], height_mm * px_per_mm, manner, rng)
        x, y, width, height = (value * px_per_mm for value in box)
        room = min(1.0, 0.97 * width / ink.shape[1], 0.97 * height / ink.shape[0])
        if room < 1:
            ink = np.asarray(cv2.resize(ink, None, fx=room, fy=room, interpolation=cv2.INTER_AREA), np.float32)
        left = int(x + (width - ink.shape[1]) * np.clip(rng.normal(0.5, 0.15), 0, 1))
        top = int(y + (height - ink.shape[0]) * np.clip(rng.normal(0.5, 0.15), 0, 1))
        place = paper[top : top + ink.shape[0], left : left + ink.shape[1]]
        place[:] = (place * (1 - dark * ink[..., None])).astype(np.uint8)

    return write


def hands_set_aside(data: Path) -> list[Hand]:
    """The writers of the check split who wrote every digit. Raises `BadFileError` when the data is not there."""
    return [hand for hand in load_hands(data)["check"] if all(hand.glyphs.get(str(digit)) for digit in range(10))]
