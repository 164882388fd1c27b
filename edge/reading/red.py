"""Red ink: told from the pupil's by its colour, taken away from under and over it, and looked at by itself.

Each channel is measured against the paper's own beside it, so that neither warm lamps nor a bluish window, nor the
edge between their light, pass for red. Ink is a filter: where a pen of transmittance (r0, g0) in red and green covers
the share `a` of a pixel of which the pupil's ink lets through `k`, the camera sees r = k (1 - a (1 - r0)) and
g = k (1 - a (1 - g0)). These two give `a` and `k`: a pencil's stroke under the red one comes out as grey as it is
beside it. Which pen it was, the red pixels say themselves: they lie on one line from the paper to its colour.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.frames import Image

RedIs = Literal["teacher", "pupil"]
"""Whose the red ink is: the teacher's (default), or the pupils', where the school lets them correct in red."""

Mask = NDArray[np.bool_]
Share = NDArray[np.float32]

LEAST_RED = 0.10
"""Ink is red when it takes so much more of the paper's green than of its red, in parts of the paper's light …"""

LEAST_BLUE_TAKEN = 1 / 3
"""… and of blue at least this part of what it takes of green: a purple pen is the pupil's."""

STRONG_RED = 0.22
LEAST_STRONG_PX = 6
LEAST_MM2 = 0.3
"""Less red than this is noise, or the coloured rim that a lens gives to black strokes."""

WIDEST_MM = 3.5
USUAL_PEN = (0.78, 0.2)
"""Transmittance in red and green of a red ballpoint, taken where there is too little to measure."""

SOFT_PX = 1.0
_FRINGE = np.ones((7, 7), np.uint8)
"""How far JPEG's halved colour resolution carries a red stroke's colour beside it."""

RIM = 0.1
"""… and what of its darkness may remain even so: a pencil's stroke takes far more."""


@dataclass(frozen=True)
class Parted:
    """A crop's two inks: `grey` is the red channel as it would be without the red ink, if there is any."""

    grey: Image
    any_red: bool


def looks_red(crop: Image, px_per_mm: float) -> bool:
    """Whether a BGR crop may hold red ink: quick, and rather once too often."""
    green, red = (np.asarray(cv2.extractChannel(crop, channel), np.uint8) for channel in (1, 2))
    excess = cv2.addWeighted(red, 230 / _level(red), green, -230 / _level(green), -230 * LEAST_RED)
    return cv2.countNonZero(excess) >= LEAST_MM2 * px_per_mm**2


def part_inks(crop: Image, px_per_mm: float, soft: Image | None = None, red_is: RedIs = "teacher") -> Parted:
    """Part a BGR crop into what is not red, and what is. Without red ink `grey` is the red channel, untouched.

    Where red is the pupil's it stays, as dark as any other ink.

    JPEG keeps colour at half the resolution: a thin red stroke is darker than it is red, and the paper beside it is
    reddish. Looked at as coarsely as that, brightness and colour belong together again: `soft` is the same crop
    blurred by a pixel of the picture that it comes from.
    """
    if red_is == "pupil":
        return Parted(_darkest(crop), any_red=True)
    if soft is None:
        soft = np.asarray(cv2.GaussianBlur(crop, (0, 0), SOFT_PX), np.uint8)
    sharp = np.asarray(cv2.extractChannel(crop, 2), np.uint8)
    channels = [np.asarray(one, np.uint8) for one in cv2.split(soft)]
    papers = [_paper(one, px_per_mm) for one in channels]
    blue, green, red = (one / paper.astype(np.float32) for one, paper in zip(channels, papers, strict=True))
    redness = np.minimum(red - green, (red - blue) / LEAST_BLUE_TAKEN)
    seen = _without_specks(redness > LEAST_RED, px_per_mm)
    if not seen.any():
        return Parted(sharp, any_red=False)
    r, g = np.minimum(red, 1.0), np.minimum(green, 1.0)
    r0, g0 = _pen(r, g, seen & (redness > STRONG_RED))
    # Where next to no light comes back there is no telling: black stays black.
    cover = (r - g) / np.maximum(r * (1 - g0) - g * (1 - r0), 0.02)
    covered = np.clip(cover, 0.0, 1.0)
    kept = red / (1 - covered * (1 - r0)) + RIM * cv2.dilate(covered.astype(np.float32), _FRINGE)
    near = cv2.dilate(seen.view(np.uint8), _FRINGE) > 0
    grey = np.where(near, np.minimum(kept, 1.0) * papers[2], sharp)
    return Parted(np.clip(grey + 0.5, 0, 255).astype(np.uint8), any_red=True)


def _darkest(crop: Image) -> Image:
    """A BGR crop as grey, in which red ink is as dark as any other."""
    green, red = (np.asarray(cv2.extractChannel(crop, channel), np.uint8) for channel in (1, 2))
    level = _level(green) / _level(red)
    return np.asarray(cv2.min(green, cv2.convertScaleAbs(red, alpha=level)), np.uint8)


def red_cover(picture: Image, px_per_mm: float) -> Image:
    """How much red there is in each pixel of a BGR picture of paper: of 200, in parts of the paper's light."""
    blue, green, red = (
        cv2.divide(one, _paper(one, px_per_mm), scale=200)
        for one in (np.asarray(channel, np.uint8) for channel in cv2.split(picture))
    )
    than_blue = cv2.convertScaleAbs(cv2.subtract(red, blue), alpha=1 / LEAST_BLUE_TAKEN)
    return np.asarray(cv2.min(cv2.subtract(red, green), than_blue), np.uint8)


def _level(channel: Image) -> float:
    """The grey of clean paper: four fifths of the way up from the darkest pixel to the brightest, by rank."""
    ranked = np.sort(channel[::3, ::3], axis=None)
    return max(float(ranked[int(0.8 * (len(ranked) - 1))]), 1.0)


def _paper(channel: Image, px_per_mm: float) -> Image:
    """The paper's own light in one channel, place by place; coarse: a millimetre a pixel."""
    height, width = channel.shape
    size = (max(round(width / px_per_mm), 1), max(round(height / px_per_mm), 1))
    small = cv2.resize(channel, size, interpolation=cv2.INTER_AREA)
    side = 2 * round(WIDEST_MM) + 1
    closed = cv2.morphologyEx(small, cv2.MORPH_CLOSE, np.ones((side, side), np.uint8), borderType=cv2.BORDER_REPLICATE)
    paper = cv2.resize(cv2.blur(closed, (3, 3)), (width, height), interpolation=cv2.INTER_LINEAR)
    return np.maximum(np.asarray(paper, np.uint8), 1)


def _without_specks(mask: Mask, px_per_mm: float) -> Mask:
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=8)
    keep = stats[:, cv2.CC_STAT_AREA] >= LEAST_MM2 * px_per_mm**2
    keep[0] = False
    return np.asarray(keep[labels], np.bool_) if count > 1 else np.zeros_like(mask)


def _pen(red: Share, green: Share, where: Mask) -> tuple[float, float]:
    """The red pen's transmittance (r0, g0), from the pixels that it alone made."""
    if int(where.sum()) < LEAST_STRONG_PX:
        return USUAL_PEN
    r, g = red[where], np.minimum(green[where], 0.95)
    # Where it lies on the pupil's ink both are darker: of the pixels as green as these, most do not.
    slope = float(np.clip(np.quantile((1 - r) / (1 - g), 0.4), 0.0, 0.75))
    g0 = float(np.clip(np.quantile(g, 0.1), 0.02, 0.8))
    return 1 - slope * (1 - g0), g0
