"""A lens that bends straight lines: how far, and the way back.

Radial distortion about the middle of the picture (D. C. Brown, *Close-range camera calibration*, 1971), of which the
first two terms are kept: what a true lens shows at r it shows at r (1 + k₁ r² + k₂ r⁴), r in halves of the diagonal.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge.registration.geometry import Matrix, Points

MOST_K1, MOST_K2 = 0.3, 0.2
"""More is a fisheye, or a fit that ran away."""

_WAY_BACK_STEPS = 12


class Lens(msgspec.Struct, frozen=True):
    """A camera's lens, for pictures of any size but of one shape (`aspect`: the long side over the short one)."""

    k1: float
    k2: float
    aspect: float

    def fits(self, size_px: tuple[int, int]) -> bool:
        """Whether a picture (width, height) can be of this camera: its shape, not its size, is known."""
        return abs(max(size_px) / min(size_px) / self.aspect - 1) < 0.01


@dataclass(frozen=True)
class LensOn:
    """A lens and the size (width, height) of the picture that it made."""

    k1: float
    k2: float
    size_px: tuple[int, int]

    def bent(self, points_px: NDArray[np.float64]) -> Points:
        """Where points (…, 2) of a picture of a true lens are in this one."""
        middle, half = self._frame()
        at = (points_px - middle) / half
        far = (at**2).sum(axis=-1, keepdims=True)
        return np.asarray(at * (1 + self.k1 * far + self.k2 * far**2) * half + middle, np.float64)

    def straightened(self, points_px: NDArray[np.float64]) -> Points:
        """Where points (…, 2) of this picture would be in that of a true lens."""
        middle, half = self._frame()
        seen = (points_px - middle) / half
        at = seen.copy()
        for _ in range(_WAY_BACK_STEPS):
            far = (at**2).sum(axis=-1, keepdims=True)
            at = seen / np.maximum(1 + self.k1 * far + self.k2 * far**2, 0.2)
        return np.asarray(at * half + middle, np.float64)

    def _frame(self) -> tuple[Points, float]:
        width, height = self.size_px
        return np.array([width - 1, height - 1]) / 2, float(np.hypot(width, height) / 2)


def fit_with_lens(
    points_mm: Points, points_px: Points, weights: NDArray[np.float64], start: Matrix, size_px: tuple[int, int]
) -> tuple[Matrix, LensOn, float] | None:
    """The homography mm → px of a true lens and the lens's k₁ that fit best together, and their error in mm.

    Levenberg's method from `start`; None when it runs away. Every marker tells the scale where it is, so that four
    of them are enough.
    """
    fitted = _fit_all([(points_mm, points_px, weights)], [start], size_px, terms=1)
    if fitted is None:
        return None
    [matrix], lens, error_mm = fitted
    return matrix, lens, error_mm


def fit_without_lens(
    points_mm: Points, points_px: Points, weights: NDArray[np.float64], start: Matrix
) -> Matrix | None:
    """The homography mm → px of weighted points, from `start`; None when it runs away."""
    size = np.ceil(points_px.max(axis=0)).astype(int) + 1  # only a scale for the steps
    fitted = _fit_all([(points_mm, points_px, weights)], [start], (max(int(size[0]), 2), max(int(size[1]), 2)), terms=0)
    return None if fitted is None else fitted[0][0]


def calibrate(
    pages: list[tuple[Points, Points]], starts: list[Matrix], size_px: tuple[int, int]
) -> tuple[Lens, float, float] | None:
    """One lens for several pages of one camera, with what it leaves: error in mm before and after, root mean square.

    `pages` are the known points of each, mm and px; `starts` their homographies. None when no lens fits.
    """
    given = [(mm, px, np.ones(len(mm))) for mm, px in pages]
    before = _fit_all(given, starts, size_px, terms=0)
    after = _fit_all(given, starts, size_px, terms=2)
    if before is None or after is None:
        return None
    lens = after[1]
    return Lens(lens.k1, lens.k2, max(size_px) / min(size_px)), before[2], after[2]


def _fit_all(
    pages: list[tuple[Points, Points, NDArray[np.float64]]],
    starts: list[Matrix],
    size_px: tuple[int, int],
    *,
    terms: int,
) -> tuple[list[Matrix], LensOn, float] | None:
    # One unit in mm and one in px for all, so that the steps of all parameters are alike.
    half_px = float(np.hypot(*size_px) / 2)
    to_unit = np.diag([1 / half_px, 1 / half_px, 1.0]) @ np.array(
        [[1, 0, -(size_px[0] - 1) / 2], [0, 1, -(size_px[1] - 1) / 2], [0, 0, 1.0]]
    )
    from_page = np.array([[100.0, 0, 105], [0, 100.0, 148], [0, 0, 1]])
    points = [((mm - [105, 148]) / 100, (px - (np.array(size_px) - 1) / 2) / half_px) for mm, px, _ in pages]
    first = [to_unit @ start @ from_page for start in starts]
    guess = np.concatenate([np.zeros(terms), *((h / h[2, 2]).ravel()[:8] for h in first)])
    spread = np.concatenate([np.sqrt(w) for *_, w in pages])

    def residuals(guess: NDArray[np.float64]) -> NDArray[np.float64]:
        k1, k2 = (*guess[:terms], 0.0, 0.0)[:2]
        parts = []
        for n, (mm, px) in enumerate(points):
            h = np.append(guess[terms + 8 * n : terms + 8 * n + 8], 1.0).reshape(3, 3)
            flat = mm @ h[:, :2].T + h[:, 2]
            at = flat[:, :2] / flat[:, 2:]
            far = (at**2).sum(axis=1, keepdims=True)
            parts.append(at * (1 + k1 * far + k2 * far**2) - px)
        return np.asarray((np.concatenate(parts) * spread[:, None]).ravel(), np.float64)

    damping, now = 1e-4, residuals(guess)
    for _ in range(25):
        step = 1e-6
        jacobian = np.stack([(residuals(guess + step * unit) - now) / step for unit in np.eye(len(guess))], axis=1)
        normal = jacobian.T @ jacobian
        moved = guess - np.linalg.solve(normal + damping * np.diag(np.diag(normal) + 1e-9), jacobian.T @ now)
        then = residuals(moved)
        if then @ then < now @ now:
            done = bool(now @ now - then @ then < 1e-10 * (now @ now))
            guess, now, damping = moved, then, damping / 5
            if done:
                break
        else:
            damping *= 10
            if damping > 1e6:
                break
    k1, k2 = (*guess[:terms], 0.0, 0.0)[:2]
    if not np.isfinite(guess).all() or abs(k1) > MOST_K1 or abs(k2) > MOST_K2:
        return None
    back = np.linalg.inv(to_unit)
    matrices = []
    errors = []
    for n, ((mm, px), (*_, weights)) in enumerate(zip(points, pages, strict=True)):
        h = np.append(guess[terms + 8 * n : terms + 8 * n + 8], 1.0).reshape(3, 3)
        matrices.append(np.asarray(back @ h @ np.linalg.inv(from_page), np.float64))
        lens = LensOn(float(k1), float(k2), (size_px[0], size_px[1]))
        ideal = (lens.straightened(px * half_px + (np.array(size_px) - 1) / 2) - (np.array(size_px) - 1) / 2) / half_px
        flat = ideal @ np.linalg.inv(h)[:, :2].T + np.linalg.inv(h)[:, 2]
        off = (flat[:, :2] / flat[:, 2:] - mm) * 100
        errors.append((weights[:, None] * off**2).sum() / weights.sum())
    return matrices, LensOn(float(k1), float(k2), (size_px[0], size_px[1])), float(np.sqrt(np.mean(errors)))
