"""Is the picture good enough to be believed? Measured on the markers, whose looks are known.

A marker's border is black on white paper with a straight edge: its profile gives the light, the contrast and
the blur in millimetres of paper, whatever is written on the sheet.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from edge.frames import Image
from edge.registration.geometry import Matrix, Points
from edge.registration.markers import grey_of

PATCH_PX_PER_MM = 16.0
MARGIN_MM = 1.0
SHARPENED_BY = 2.0
MUCH_PAPER = 0.3


@dataclass(frozen=True)
class MarkerLook:
    """How one marker looks: grey of the paper beside it and of its black, 0-255, and the blur of its worse edge.

    `blur_mm` is the standard deviation of the Gaussian that would soften a sharp edge as much.
    """

    white: float
    black: float
    blur_mm: float

    @property
    def contrast(self) -> float:
        return self.white - self.black


def look_at(image: Image, corners_mm: Points, corners_px: Points) -> MarkerLook:
    """The look of a marker from its own corners alone (its own homography: no other error enters)."""
    side_mm = float(np.linalg.norm(corners_mm[1] - corners_mm[0]))
    size = round((side_mm + 2 * MARGIN_MM) * PATCH_PX_PER_MM)
    low, high = MARGIN_MM * PATCH_PX_PER_MM, (MARGIN_MM + side_mm) * PATCH_PX_PER_MM
    square = np.array([[low, low], [high, low], [high, high], [low, high]], np.float32) - 0.5
    warp: Matrix = cv2.getPerspectiveTransform(corners_px.astype(np.float32), square).astype(np.float64)
    patch = cv2.warpPerspective(image, warp, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    grey = grey_of(patch.astype(np.uint8, copy=False)).astype(np.float64)
    module = (high - low) / 6
    reach = int(min(MARGIN_MM * PATCH_PX_PER_MM, module))
    middle = slice(int(low + 1.2 * module), int(high - 1.2 * module))
    edge = round(low)
    sides = [np.rot90(grey, k) for k in range(4)]
    profiles = np.array([side[edge - reach : edge + reach, middle].mean(axis=1) for side in sides])
    white = np.median(profiles[:, : reach // 2], axis=1)
    black = np.median(profiles[:, -reach // 2 :], axis=1)
    slope = np.abs(np.diff(profiles, axis=1)).max(axis=1) * PATCH_PX_PER_MM
    contrast = np.maximum(white - black, 1e-6)
    # A Gaussian-softened step of height c has its steepest slope c / (σ √(2π)).
    blur = contrast / np.maximum(slope, 1e-6) / np.sqrt(2 * np.pi)
    return MarkerLook(float(np.median(white)), float(np.median(black)), float(np.sort(blur)[-2:].mean()))


def sharpened(image: Image, sigma_px: float) -> Image:
    """A blurred picture with three times the contrast of what is as fine as its blur (an unsharp mask)."""
    soft = cv2.GaussianBlur(image, (0, 0), sigma_px)
    return np.asarray(cv2.addWeighted(image, 1 + SHARPENED_BY, soft, -SHARPENED_BY, 0), np.uint8)


def like_paper(grey: Image) -> bool:
    """Whether much of a picture is as bright as its brightest parts."""
    return float((grey > 0.75 * np.percentile(grey, 98)).mean()) > MUCH_PAPER


def sharpness(grey: Image) -> float:
    """Spread of the Laplacian relative to the spread of the grey values: for pictures without markers."""
    spread = float(grey.std())
    return float(cv2.Laplacian(grey, cv2.CV_32F).std()) / max(spread, 1.0)
