"""Where a page that is not flat, or is seen through a lens that bends, lies in its picture.

A homography of the flat page comes first; on top of it the paper's own bend, a smooth field of displacements in
millimetres (a polynomial of low order, fitted robustly to what was found of the print), and the lens.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.registration.geometry import Matrix, Points, corners_of, fit, inverse, to_px
from edge.registration.lens import LensOn
from homework.layout import Box

FEW_ANCHORS = 6
STIFF = 0.02
"""Of the sum of weights: how much a coefficient of the bend costs, so that it does not swing where nothing was seen."""

TRUST_MM = 0.8
"""An anchor so far from the common bend counts a quarter; what is farther off counts for next to nothing."""


@dataclass(frozen=True, eq=False)
class Bend:
    """A displacement (mm) at each point of the page: polynomials in x and y over the page's width and height."""

    coefficients: NDArray[np.float64]
    page_mm: tuple[float, float]
    degree: int

    def at(self, points_mm: NDArray[np.float64]) -> Points:
        """The displacements of points (…, 2), in the same shape."""
        flat = points_mm.reshape(-1, 2)
        return np.asarray((_terms(flat, self.page_mm, self.degree) @ self.coefficients).reshape(points_mm.shape))


@dataclass(frozen=True, eq=False)
class Place:
    """The page's millimetres to the picture's pixels, exactly: `matrix` after `bend`, before `lens`."""

    matrix: Matrix
    lens: LensOn | None = None
    bend: Bend | None = None

    @property
    def flat(self) -> bool:
        """Whether the homography says it all."""
        return self.lens is None and self.bend is None

    def to_px(self, points_mm: NDArray[np.float64]) -> Points:
        """Points (…, 2) in mm as pixels of the capture, in the same shape."""
        at = to_px(self.matrix, points_mm if self.bend is None else points_mm + self.bend.at(points_mm))
        return at if self.lens is None else self.lens.bent(at)

    def flattened(self, points_px: Points) -> Points:
        """Pixels (n, 2) as millimetres before the bend: where a flat page would have what is seen there."""
        at = points_px if self.lens is None else self.lens.straightened(points_px)
        return to_px(inverse(self.matrix), at)

    def plane_at(self, box_mm: Box) -> Matrix:
        """The homography that is right at the corners of a box, and near enough within one as small as a field."""
        if self.flat:
            return self.matrix
        corners = corners_of(box_mm)
        middle = corners.mean(axis=0)
        found = cv2.getPerspectiveTransform(
            (corners - middle).astype(np.float32), self.to_px(corners).astype(np.float32)
        )
        return np.asarray(found @ np.array([[1, 0, -middle[0]], [0, 1, -middle[1]], [0, 0, 1]]), np.float64)

    def overall(self, page_mm: tuple[float, float]) -> Matrix:
        """The one homography that comes nearest, over the whole page: for drawing on it."""
        if self.flat:
            return self.matrix
        x, y = np.meshgrid(np.linspace(0, page_mm[0], 7), np.linspace(0, page_mm[1], 9))
        grid = np.stack([x.ravel(), y.ravel()], axis=1)
        fitted = fit(grid, self.to_px(grid))
        return self.matrix if fitted is None else fitted[0]


def fit_bend(points_mm: Points, moved_mm: Points, weights: NDArray[np.float64], page_mm: tuple[float, float]) -> Bend:
    """The smooth bend through displacements `moved_mm` of `points_mm` (n, 2), of which some may be plain wrong.

    Iteratively reweighted least squares with ridge; the fewer anchors there are, the stiffer the page.
    """
    degree = 2 if len(points_mm) < 16 + FEW_ANCHORS else 3
    terms = _terms(points_mm, page_mm, degree)
    stiff = np.diag([STIFF * (0.05 if power < 2 else 1.0) for power in _powers(degree)])
    weight, coefficients = weights.copy(), np.zeros((terms.shape[1], 2))
    for _ in range(8):
        normal = terms.T @ (terms * weight[:, None]) / weights.sum() + stiff * 0.05
        coefficients = np.linalg.solve(normal, terms.T @ (moved_mm * weight[:, None]) / weights.sum())
        off = np.linalg.norm(moved_mm - terms @ coefficients, axis=1)
        weight = weights / (1 + (off / TRUST_MM) ** 2) ** 2
    return Bend(coefficients, page_mm, degree)


def _powers(degree: int) -> list[int]:
    return [i + j for i in range(degree + 1) for j in range(degree + 1 - i)]


def _terms(points_mm: NDArray[np.float64], page_mm: tuple[float, float], degree: int) -> NDArray[np.float64]:
    u = points_mm[:, 0] / page_mm[0] * 2 - 1
    v = points_mm[:, 1] / page_mm[1] * 2 - 1
    return np.stack([u**i * v**j for i in range(degree + 1) for j in range(degree + 1 - i)], axis=1)
