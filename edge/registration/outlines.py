"""Whether the printed outlines are where they must be, and by how much each field is off.

Every field has a printed outline: a frame, a circle or bubbles. Short profiles across it are sampled from the
capture; the darkest place on each says how far the line is from where the homography puts it. A flat page
in place has them all at once; a curled one is off a little more from field to field, and each field's own shift
corrects for it; on a wrong page there are none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.frames import Image
from edge.registration.geometry import Points
from homework.layout import Box, Field, Page

ToPx = Callable[[NDArray[np.float64]], Points]
"""Millimetres of the page (…, 2) to pixels of the capture."""

REACH_MM = 1.5
STEP_MM = 0.125
PROFILES = 32
"""Profiles across each outline; frames share them out to their four sides."""

LINE_CONTRAST = 0.10
"""A line is at least so much darker than what is beside it, relative to the paper."""

MIN_SUPPORT = 0.5
"""An outline is found when so many of its profiles agree on where it is."""

AGREE_MM = 0.35


@dataclass(frozen=True)
class Outline:
    """Where a field's printed outline was found: its shift from the homography (mm), and the agreeing share."""

    shift_mm: tuple[float, float]
    support: float

    @property
    def found(self) -> bool:
        return self.support >= MIN_SUPPORT


def find_outlines(image: Image, to_px: ToPx, page: Page) -> tuple[Outline, ...]:
    """The outline of every field of the page, in the order of `page.fields`."""
    if not page.fields:
        return ()
    points, normals = zip(*(_around(field) for field in page.fields), strict=True)
    return _find(image, to_px, np.stack(points), np.stack(normals))


def find_boxes(image: Image, to_px: ToPx, boxes: tuple[Box, ...]) -> tuple[Outline, ...]:
    """The outlines of rectangular frames, such as the cells of the seat number."""
    if not boxes:
        return ()
    points, normals = zip(*(_rectangle(box, PROFILES) for box in boxes), strict=True)
    return _find(image, to_px, np.stack(points), np.stack(normals))


def find_bubbles(image: Image, to_px: ToPx, boxes: tuple[Box, ...]) -> tuple[Outline, ...]:
    """The outlines of single bubbles."""
    if not boxes:
        return ()
    points, normals = zip(*(_ellipse(box, PROFILES) for box in boxes), strict=True)
    return _find(image, to_px, np.stack(points), np.stack(normals))


def _around(field: Field) -> tuple[Points, Points]:
    if field.box_mm is not None:
        return _ellipse(field.box_mm, PROFILES) if field.round else _rectangle(field.box_mm, PROFILES)
    shares = np.array_split(np.arange(PROFILES), len(field.bubbles))
    parts = [_ellipse(b.box_mm, max(len(s), 1)) for b, s in zip(field.bubbles, shares, strict=True)]
    points = np.concatenate([p for p, _ in parts])
    normals = np.concatenate([n for _, n in parts])
    keep = np.linspace(0, len(points) - 1, PROFILES).round().astype(int)
    return points[keep], normals[keep]


def _rectangle(box: Box, count: int) -> tuple[Points, Points]:
    x, y, width, height = box
    each = np.linspace(0.12, 0.88, count // 4)  # clear of the corners
    across, down = x + width * each, y + height * each
    ones = np.ones_like(each)
    points = np.concatenate(
        [
            np.stack([across, y * ones], 1),
            np.stack([across, (y + height) * ones], 1),
            np.stack([x * ones, down], 1),
            np.stack([(x + width) * ones, down], 1),
        ]
    )
    normals = np.repeat(np.array([[0.0, -1], [0, 1], [-1, 0], [1, 0]]), count // 4, axis=0)
    return points, normals


def _ellipse(box: Box, count: int) -> tuple[Points, Points]:
    x, y, width, height = box
    angle = (np.arange(count) + 0.5) * 2 * np.pi / count
    unit = np.stack([np.cos(angle), np.sin(angle)], 1)
    points = np.array([x + width / 2, y + height / 2]) + unit * [width / 2, height / 2]
    slope = unit / [width, height]
    return points, slope / np.linalg.norm(slope, axis=1, keepdims=True)


def _find(image: Image, to_px: ToPx, points: NDArray[np.float64], normals: NDArray[np.float64]) -> tuple[Outline, ...]:
    """`points`, `normals`: (outlines, profiles, 2) in mm, normals outward."""
    offsets = np.arange(-REACH_MM, REACH_MM + STEP_MM / 2, STEP_MM)
    places = points[:, :, None, :] + offsets[None, None, :, None] * normals[:, :, None, :]
    at = to_px(places).astype(np.float32)
    sampled = _sample(image, at.reshape(len(points), -1, 2))
    profiles = sampled.reshape(at.shape[:3])
    paper = np.sort(profiles, axis=2)[..., -4:-3]
    dark = 1 - profiles / np.maximum(paper, 1)
    dark = (dark[..., :-2] + dark[..., 1:-1] + dark[..., 2:]) / 3  # a printed line is 2 to 5 samples wide
    offsets = offsets[1:-1]

    # The line is a common place of most profiles: vote for each profile's own darkest place, then let the
    # shift (and how far outside the box the line is printed, which all share) be the robust fit to the votes.
    best = dark.argmax(axis=2)
    clear = np.take_along_axis(dark, best[..., None], 2)[..., 0] > LINE_CONTRAST
    distance = offsets[best]
    design = np.concatenate([normals, np.ones((*normals.shape[:2], 1))], axis=2)
    weight = clear.astype(np.float64)
    fitted = np.zeros((len(points), 3))
    for _ in range(4):
        normal_matrix = np.einsum("fpi,fp,fpj->fij", design, weight, design) + 1e-3 * np.eye(3)
        moment = np.einsum("fpi,fp,fp->fi", design, weight, distance)
        fitted = np.linalg.solve(normal_matrix, moment[..., None])[..., 0]
        residual = np.abs(distance - np.einsum("fpi,fi->fp", design, fitted))
        weight = clear / (1 + (residual / (AGREE_MM / 2)) ** 2) ** 2
    support = (clear & (residual < AGREE_MM)).mean(axis=1)
    limits = np.array([image.shape[1] - 1, image.shape[0] - 1], np.float32)
    middle = at[:, :, len(offsets) // 2 + 1]
    support[((middle < 0) | (middle > limits)).any(axis=(1, 2))] = 0.0  # partly outside: not all of it can be read
    return tuple(
        Outline((round(float(dx), 3), round(float(dy), 3)), round(float(share), 3))
        for (dx, dy, _), share in zip(fitted, support, strict=True)
    )


def _sample(image: Image, at: NDArray[np.float32]) -> NDArray[np.float64]:
    """The picture at (n, m, 2) pixels, linearly between them; the red channel of colour pictures."""
    sampled = cv2.remap(image, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    grey = sampled if sampled.ndim == 2 else sampled[..., 2]
    return np.asarray(grey, np.float64)
