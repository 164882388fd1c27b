"""The pictures that walk through the box: `Frame → Capture → RegisteredPage → FieldCrop`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edge.registration.geometry import Matrix, Points, to_px
from edge.registration.place import Place
from homework.layout import Box, Field, Page, Point, SheetLayout
from homework.page_code import PageCode
from homework.results import Problem

Image = NDArray[np.uint8]
"""(height, width) grey or (height, width, 3) BGR, 0 = black."""

Quad = tuple[Point, Point, Point, Point]
"""Corners TL, TR, BR, BL in pixels of a capture."""

BoxPx = tuple[int, int, int, int]
"""x, y, width, height in pixels of a crop."""


@dataclass(frozen=True)
class Frame:
    """One picture of a camera, `at_ms` on the monotonic clock."""

    image: Image
    at_ms: int


@dataclass(frozen=True)
class Capture:
    """A picture of a page at rest. `source` names where it came from; pages of a source count from 1."""

    image: Image
    source: str
    page_of_source: int = 1
    original: bytes | None = None
    """The file as it came, when there was one (JPEG bytes are kept as they are)."""
    told_scale: float = 1.0
    """From this picture's pixels to those in which places on it are told: under 1 where a scan is finer than these."""


@dataclass(frozen=True)
class RegisteredPage:
    """A page that is proven to be in place, or refused.

    `mm_to_px` (3×3) maps the page's millimetres to the capture's pixels; `place`, where the page is curled or the
    lens bends, does so exactly. `px_per_mm` is the resolution at the page's centre. When `problems` holds a refusal,
    `layout` or `page` may be None and nothing may be graded.
    """

    capture: Capture
    layout: SheetLayout | None
    page: Page | None
    code: PageCode | None
    mm_to_px: NDArray[np.float64] | None
    px_per_mm: float
    error_mm: float
    problems: tuple[Problem, ...] = field(default=())
    refused: bool = False
    shifts_mm: tuple[tuple[float, float] | None, ...] = ()
    """How far each field of `page.fields` is printed from where it was placed; None: its outline was not found."""
    place: Place | None = None
    empty: Image | None = None
    """Of a learned page: how it looked while it was empty, grey, filling `layout.page_mm`. Print on it is no ink."""

    def to_px(self, points_mm: NDArray[np.float64]) -> Points:
        """Points of the page (…, 2), mm, as pixels of the capture."""
        assert self.mm_to_px is not None
        return self.place.to_px(points_mm) if self.place is not None else to_px(self.mm_to_px, points_mm)

    def plane_at(self, box_mm: Box) -> Matrix:
        """The homography mm → px that holds within a box of the size of a field."""
        assert self.mm_to_px is not None
        return self.place.plane_at(box_mm) if self.place is not None else self.mm_to_px


@dataclass(frozen=True)
class FieldCrop:
    """One field cut straight from the capture, upright.

    `image` is grey (uint8, paper bright, red ink suppressed) at `px_per_mm`; it covers `region_mm` of the page:
    the field and the empty paper around it. `box_px` is the frame's inside (of bubbles: their hull) within it.
    """

    field: Field
    image: Image
    px_per_mm: float
    region_mm: Box
    box_px: BoxPx
    red_ink: bool = False
    """Whether there was red ink, which the grey no longer shows."""
    shift_mm: tuple[float, float] = (0.0, 0.0)
    """How far the field is printed from where the page's homography puts it: the crop follows it."""
    red_is: Literal["teacher", "pupil"] = "teacher"
    """Whose red ink is: the teacher's was taken away, the pupil's is as dark as any other."""
    framed: bool = True
    """Whether a frame of ours is printed round the field; what a learned page has there is taken out of `image`."""
    glare: bool = False
    """Whether light that the paper reflects hides part of the field."""
