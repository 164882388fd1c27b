"""A desk under a camera: sheets, hands, uneven light, a lens that is not perfect and a sensor that is noisy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from models.simulation.motion import Hand, Moment, Pose

PREVIEW_PX = (640, 480)
_EXPOSURE_S = 1 / 120
_SKIN, _SLEEVE = (132, 164, 212), (124, 92, 66)
_HAND_SCALE, _HAND_BEFORE, _HAND_ABOVE = 2.0, 24.0, 60.0
"""Pixels a millimetre of the hand's picture, and where its finger tips lie in it, in mm."""
Matrix = NDArray[np.float64]
Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Sheet:
    """A written page ready for the camera: BGR at `px_per_mm`, and a small grey one for the preview."""

    image: Picture
    px_per_mm: float
    small: Picture
    small_px_per_mm: float

    @staticmethod
    def of(image: Picture, px_per_mm: float) -> Sheet:
        """Prepare `image` (height, width, 3 BGR)."""
        factor = 1.7 / px_per_mm
        grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        small = cv2.resize(grey, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        return Sheet(image, px_per_mm, np.asarray(small, np.uint8), small.shape[1] / image.shape[1] * px_per_mm)


class Desk:
    """The desk, the lamp and the camera; made once, photographed often.

    `frame_px` (width, height) is the sensor's; `page_mm` the paper that must fit. `lay_out` may be called
    from another thread than the rest.
    """

    def __init__(
        self, *, page_mm: tuple[float, float], seed: int, frame_px: tuple[int, int] = (4056, 3040), margin: float = 1.09
    ) -> None:
        self._rng = np.random.default_rng([seed, 0xDE5C])
        self.frame_px, self.page_mm = frame_px, page_mm
        w, h = frame_px
        self.px_per_mm = min(w / (page_mm[0] * margin), h / (page_mm[1] * margin))
        self.view_mm = (w / self.px_per_mm, h / self.px_per_mm)
        self._desk_to_px = self._camera()
        shrink = np.diag([PREVIEW_PX[0] / w, PREVIEW_PX[1] / h, 1.0])
        self._desk_to_preview = shrink @ self._desk_to_px
        self._wood = _wood(self._rng, (w // 4, h // 4))
        self._wood_small = _to_grey(
            np.asarray(cv2.resize(self._wood, PREVIEW_PX, interpolation=cv2.INTER_AREA), np.uint8)
        )
        light = _light(self._rng, (w // 8, h // 8))
        self._light = cv2.merge([cv2.resize(light, frame_px, interpolation=cv2.INTER_LINEAR)] * 3)
        self._light_small = cv2.resize(light, PREVIEW_PX, interpolation=cv2.INTER_AREA)
        for side in (1, -1):
            _hand_picture(side)  # drawn once, now: half a second in the middle of a class would be seen
        self._noise = _noise(self._rng, 1 << 20, 2.2)
        self._noise_small = _noise(self._rng, 1 << 19, 2.6)

    def preview(self, moment: Moment, sheets: Sequence[Sheet | None]) -> Picture:
        """The small grey frame (480, 640) of `moment`; `sheets` are those of `moment.sheets`, in the same order."""
        frame = self._wood_small.copy()
        for (_, pose), sheet in zip(moment.sheets, sheets, strict=True):
            if sheet is not None:
                page = self._desk_to_preview @ _page_to_desk(pose, self.page_mm, sheet.small_px_per_mm)
                # A border of desk colour is not needed: what lies outside the page is left as it was.
                cv2.warpPerspective(
                    sheet.small, page, PREVIEW_PX, dst=frame, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_TRANSPARENT
                )
        for hand in moment.hands:
            _draw_hand(frame, hand, self._desk_to_preview)
        blur = int(moment.speed_mm_s * _EXPOSURE_S * self.px_per_mm * PREVIEW_PX[0] / self.frame_px[0])
        if blur > 1:
            frame = np.asarray(cv2.blur(frame, (blur, 1)), np.uint8)
        cv2.multiply(frame, self._light_small, dst=frame, scale=1 / 255)
        return self._with_noise(frame, self._noise_small)

    def photograph(self, moment: Moment, sheets: Sequence[Sheet | None]) -> Picture:
        """The full frame (height, width, 3 BGR) of `moment`; `sheets` as for `preview`."""
        return self.expose(self.lay_out(moment, sheets), moment)

    def lay_out(self, moment: Moment, sheets: Sequence[Sheet | None]) -> Picture:
        """The sheets of `moment` as the lens sees them, without hands, motion and noise: most of the work."""
        wood = self._wood.copy()
        quarter = np.diag([0.25, 0.25, 1.0]) @ self._desk_to_px
        for _, pose in moment.sheets:
            outline = cv2.perspectiveTransform(_outline(pose, self.page_mm), quarter)
            _shade(wood, np.asarray(outline, np.float64))
        frame = np.asarray(cv2.resize(wood, self.frame_px, interpolation=cv2.INTER_LINEAR), np.uint8)
        for (_, pose), sheet in zip(moment.sheets, sheets, strict=True):
            if sheet is not None:
                page = self._desk_to_px @ _page_to_desk(pose, self.page_mm, sheet.px_per_mm)
                cv2.warpPerspective(
                    sheet.image,
                    page,
                    self.frame_px,
                    dst=frame,
                    flags=cv2.INTER_LINEAR,
                    borderMode=cv2.BORDER_TRANSPARENT,
                )
        frame = np.asarray(cv2.GaussianBlur(frame, (3, 3), 0.7), np.uint8)
        cv2.multiply(frame, self._light, dst=frame, scale=1 / 255)
        return frame

    def expose(self, laid_out: Picture, moment: Moment) -> Picture:
        """A photograph of what `lay_out` made, with the hands, motion and noise of `moment`; a new array."""
        frame = laid_out.copy()
        for hand in moment.hands:
            _draw_hand(frame, hand, self._desk_to_px)
        blur = int(moment.speed_mm_s * _EXPOSURE_S * self.px_per_mm)
        if blur > 1:
            frame = np.asarray(cv2.blur(frame, (blur, 1)), np.uint8)
        return self._with_noise(frame, self._noise)

    def _camera(self) -> Matrix:
        """Desk millimetres (origin in the middle) to pixels: nearly from above, a little askew."""
        w, h = self.frame_px
        half_w, half_h = self.view_mm[0] / 2, self.view_mm[1] / 2
        desk = np.array([[-half_w, -half_h], [half_w, -half_h], [half_w, half_h], [-half_w, half_h]], np.float32)
        corners = np.array([[0, 0], [w, 0], [w, h], [0, h]], np.float32)
        askew = self._rng.normal(0, 0.006, (4, 2)) * (w, h)
        return np.asarray(cv2.getPerspectiveTransform(desk, (corners + askew).astype(np.float32)), np.float64)

    def _with_noise(self, frame: Picture, noise: NDArray[np.int8]) -> Picture:
        """Sensor noise: a long strip of it, begun at another place for each frame."""
        flat = frame.reshape(-1)
        start = int(self._rng.integers(0, len(noise) // 2))
        step = len(noise) - start
        at = 0
        while at < len(flat):
            part = flat[at : at + step]
            cv2.add(part, noise[start : start + len(part)], dst=part, dtype=cv2.CV_8U)
            at += len(part)
            start, step = 0, len(noise)
        return frame


def _page_to_desk(pose: Pose, page_mm: tuple[float, float], px_per_mm: float) -> Matrix:
    """The page's picture pixels to desk millimetres."""
    turn = np.deg2rad(pose.turn_deg)
    c, s = np.cos(turn), np.sin(turn)
    to_centre = np.array(
        [
            [1 / px_per_mm, 0, -page_mm[0] / 2 + 0.5 / px_per_mm],
            [0, 1 / px_per_mm, -page_mm[1] / 2 + 0.5 / px_per_mm],
            [0, 0, 1],
        ]
    )
    return np.asarray(np.array([[c, -s, pose.x_mm], [s, c, pose.y_mm], [0, 0, 1]]) @ to_centre, np.float64)


def _outline(pose: Pose, page_mm: tuple[float, float]) -> NDArray[np.float64]:
    w, h = page_mm
    corners = np.array([[[0, 0], [w, 0], [w, h], [0, h]]], np.float64)
    return np.asarray(cv2.perspectiveTransform(corners, _page_to_desk(pose, page_mm, 1.0)), np.float64)


def _shade(wood: Picture, corners_px: NDArray[np.float64]) -> None:
    """The soft shadow that a sheet throws on the desk, a little down and to the right."""
    mask = np.zeros(wood.shape[:2], np.uint8)
    cv2.fillConvexPoly(mask, np.round(corners_px[0] + (2, 3)).astype(np.int32), 90)
    mask = np.asarray(cv2.blur(mask, (9, 9)), np.uint8)
    cv2.multiply(wood, cv2.merge([255 - mask] * 3), dst=wood, scale=1 / 255)


def _draw_hand(frame: Picture, hand: Hand, desk_to_px: Matrix) -> None:
    """Lay the hand's picture into `frame`, in place, BGR or grey."""
    colour, cover = _hand_picture(hand.side)
    place = np.array([[1 / _HAND_SCALE, 0, hand.x_mm], [0, 1 / _HAND_SCALE, hand.y_mm - _HAND_ABOVE], [0, 0, 1]])
    if hand.side > 0:
        place[0, 2] -= _HAND_BEFORE
    else:
        place[0, 2] += _HAND_BEFORE - colour.shape[1] / _HAND_SCALE
    to_px = desk_to_px @ place
    h, w = cover.shape
    outline = np.array([[[0, 0], [w, 0], [w, h], [0, h]]], np.float64)
    corners = np.asarray(cv2.perspectiveTransform(outline, to_px), np.float64)[0]
    x0, y0 = np.maximum(np.floor(corners.min(axis=0)).astype(int), 0)
    x1, y1 = np.minimum(np.ceil(corners.max(axis=0)).astype(int), (frame.shape[1], frame.shape[0]))
    if x1 - x0 < 2 or y1 - y0 < 2:
        return
    window, size = np.array([[1.0, 0, -x0], [0, 1, -y0], [0, 0, 1]]) @ to_px, (int(x1 - x0), int(y1 - y0))
    if frame.ndim == 2:
        colour = _to_grey(colour)
    part = frame[y0:y1, x0:x1]
    over = cv2.warpPerspective(colour, window, size)
    gone = 255 - cv2.warpPerspective(cover, window, size)
    kept = cv2.multiply(part, gone if frame.ndim == 2 else cv2.merge([gone] * 3), scale=1 / 255)
    cv2.add(kept, over, dst=part)


@cache
def _hand_picture(side: int) -> tuple[Picture, NDArray[np.uint8]]:
    """A hand with its arm, the finger tips at (`_HAND_BEFORE`, `_HAND_ABOVE`) mm: BGR times cover, and cover."""
    size = (round(460 * _HAND_SCALE), round(240 * _HAND_SCALE))
    colour, cover = np.zeros((size[1], size[0], 3), np.uint8), np.zeros((size[1], size[0]), np.uint8)

    def limb(path: Sequence[tuple[float, float]], wide: float, tone: tuple[int, int, int]) -> None:
        shape = np.zeros_like(cover)
        points = np.array([[(x + _HAND_BEFORE) * _HAND_SCALE, (y + _HAND_ABOVE) * _HAND_SCALE] for x, y in path])
        cv2.polylines(shape, [np.round(points).astype(np.int32)], False, 255, round(wide * _HAND_SCALE), cv2.LINE_AA)
        # Round things are darker where they turn away.
        deep = cv2.distanceTransform((shape > 127).astype(np.uint8), cv2.DIST_L2, 5) / (wide * _HAND_SCALE / 2)
        light = 0.70 + 0.30 * np.sqrt(np.clip(deep * 1.2, 0, 1))
        alpha = (shape / 255.0)[..., None]
        colour[:] = (colour * (1 - alpha) + alpha * light[..., None] * np.array(tone)).astype(np.uint8)
        np.maximum(cover, shape, out=cover)

    limb([(60, 8), (120, 24), (190, 44)], 50, _SKIN)
    limb([(200, 46), (420, 104)], 82, _SLEEVE)
    limb([(56, 2), (62, 20)], 60, _SKIN)
    for tip, drop in ((8, -26), (-1, -9), (0, 9), (9, 26)):
        limb([(tip, drop), (tip + 24, drop * 0.96), (60, drop * 0.7 + 6)], 16.5, _SKIN)
    limb([(34, 46), (58, 34), (74, 24)], 19, _SKIN)
    colour, cover = (np.asarray(cv2.GaussianBlur(picture, (5, 5), 1.0), np.uint8) for picture in (colour, cover))
    return (
        (colour, cover) if side > 0 else (np.ascontiguousarray(colour[:, ::-1]), np.ascontiguousarray(cover[:, ::-1]))
    )


def _wood(rng: np.random.Generator, size: tuple[int, int]) -> Picture:
    """(height, width, 3) BGR: a brown table top with its grain along x."""
    w, h = size
    fine = cv2.resize(
        rng.normal(size=(h // 2, max(4, w // 60))).astype(np.float32), (w, h), interpolation=cv2.INTER_CUBIC
    )
    broad = cv2.resize(rng.normal(size=(9, 5)).astype(np.float32), (w, h), interpolation=cv2.INTER_CUBIC)
    tone = 1.0 + 0.045 * fine + 0.06 * broad
    base = np.array([92, 128, 163], np.float32) * float(rng.uniform(0.8, 1.1))
    return np.asarray(np.clip(base * tone[..., None], 0, 255), np.uint8)


def _light(rng: np.random.Generator, size: tuple[int, int]) -> Picture:
    """(height, width) 0..255: a lamp to one side, falling off, and the lens's dark corners."""
    w, h = size
    y, x = np.mgrid[0:h, 0:w].astype(np.float32)
    lamp = np.array([rng.uniform(0.1, 0.9) * w, rng.uniform(-0.3, 0.2) * h])
    far = np.hypot((x - lamp[0]) / w, (y - lamp[1]) / w)
    corner = np.hypot(x - w / 2, y - h / 2) / np.hypot(w / 2, h / 2)
    light = 1.0 / (1.0 + 0.42 * far**2) * (1.0 - 0.12 * corner**4)
    return np.asarray(light / light.max() * 252, np.uint8)


def _noise(rng: np.random.Generator, count: int, sigma: float) -> NDArray[np.int8]:
    return np.clip(np.round(rng.normal(0, sigma, count)), -20, 20).astype(np.int8)


def _to_grey(image: NDArray[np.uint8]) -> Picture:
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8)
