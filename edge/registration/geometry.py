"""The plane geometry of a page in a picture: homographies between its millimetres and the picture's pixels."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from homework.layout import Box, Point

Matrix = NDArray[np.float64]
"""A 3×3 homography."""

Points = NDArray[np.float64]
"""(n, 2)."""


def to_px(mm_to_px: Matrix, points_mm: NDArray[np.float64]) -> Points:
    """Points (…, 2) in mm as pixels of the capture, in the same shape."""
    homogeneous = points_mm @ mm_to_px[:, :2].T + mm_to_px[:, 2]
    projected: Points = homogeneous[..., :2] / homogeneous[..., 2:]
    return projected


def fit(points_mm: Points, points_px: Points) -> tuple[Matrix, float] | None:
    """The least-squares homography mm → px of at least four points, and its error in mm (root mean square).

    None when the points do not span a plane, or when the page would be seen from behind.
    """
    found, _ = cv2.findHomography(points_mm, points_px, 0)
    if found is None:
        return None
    matrix = np.asarray(found, np.float64)
    if not np.isfinite(matrix).all() or abs(np.linalg.det(matrix)) < 1e-12:
        return None
    if turned_over(matrix, points_mm):
        return None
    back = to_px(inverse(matrix), points_px)
    return matrix, float(np.sqrt(np.mean(np.sum((back - points_mm) ** 2, axis=1))))


def inverse(matrix: Matrix) -> Matrix:
    """The homography the other way."""
    return np.asarray(np.linalg.inv(matrix), np.float64)


def turned_over(mm_to_px: Matrix, points_mm: Points) -> bool:
    """Whether the homography mirrors the page, or puts part of it behind the camera."""
    depth = points_mm @ mm_to_px[2, :2] + mm_to_px[2, 2]
    return bool(np.linalg.det(mm_to_px) * depth[0] <= 0 or depth.min() * depth.max() <= 0)


def px_per_mm_at(mm_to_px: Matrix, points_mm: Points) -> NDArray[np.float64]:
    """The smallest resolution in any direction at each of the points: the lesser singular value of the Jacobian."""
    right, down = np.array([0.5, 0.0]), np.array([0.0, 0.5])  # half a millimetre to each side
    along_x = to_px(mm_to_px, points_mm + right) - to_px(mm_to_px, points_mm - right)
    along_y = to_px(mm_to_px, points_mm + down) - to_px(mm_to_px, points_mm - down)
    jacobians = np.stack([along_x, along_y], axis=-1)
    return np.asarray(np.linalg.svd(jacobians, compute_uv=False)[:, -1], np.float64)


def corners_of(box: Box) -> Points:
    """TL, TR, BR, BL of a box, in its own units."""
    x, y, width, height = box
    return np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]], np.float64)


def as_point(xy: NDArray[np.float64]) -> Point:
    """A point as plain floats, to a hundredth of a pixel."""
    return (round(float(xy[0]), 2), round(float(xy[1]), 2))
