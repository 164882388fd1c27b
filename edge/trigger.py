"""When a sheet has come to rest. Pure: small grey frames in, events out.

Three things are looked at in every frame, on a grid of cells so that sensor noise averages away:

- **change** against the frame before: how much of the picture moves. Only what changes more than its surroundings
  counts, so that a lamp that drifts and the soft shadow of somebody who walks by are no motion;
- **print**: which cells hold contrast (markers, text, frames). A desk, even a grained one, has little;
- **the edge** of the picture: where it differs from the desk that is usually seen there, something reaches in.

A sheet is new when, since the last one was taken, the print has gone, or has moved far from where it was, or
something as wide as a sheet has crossed the edge of the picture and moved the print. A hand that rests, a nudge, a
cloud over the sun, a knock against the camera do none of these.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.frames import Frame, Image

_GRID = (160, 120)
_CELL = 8
"""Pixels of the 320x240 picture that one cell of the print map covers."""
_AROUND = 15
"""Cells of the grid, in one direction, that are the surroundings of a cell."""
_HAND_SHARE = 0.01
"""Of the picture's edge: an arm is more."""
_PAPER = 150
"""Grey that is paper, not an arm, in a picture whose paper is at 200."""


class Event(Enum):
    """What just happened on the desk."""

    RESTED = "rested"
    """A new sheet lies still: take it now. Where `Trigger.hand` says so, a hand is still in view."""
    CLEARED = "cleared"
    """The hand that was in view has gone, and the sheet that was taken lies there still: a better picture."""
    LEFT = "left"
    """The sheet that was taken is gone, or being replaced."""


@dataclass(frozen=True)
class TriggerSettings:
    """How patient the trigger is. `rest_ms` of stillness make a rest; a sheet that the edge of the picture cuts off is
    given `cut_ms` more to come in.

    `moving_share` is the share of the picture that may change while it counts as still; `print_share` the share of
    cells with print that make a sheet; `alike` the overlap of two print maps that are of one sheet in one place,
    `in_place` that of a sheet that nobody moves; `crossing_share` the share of the edge that a sheet is wide.
    Nobody changes one sheet for another within `swap_ms`: what is still again sooner, and looks the same
    (`same_sheet`, see `unlike`), is the same sheet under a camera that was knocked, or was pushed.
    """

    rest_ms: int = 130
    cut_ms: int = 500
    moving_share: float = 0.004
    print_share: float = 0.05
    alike: float = 0.45
    in_place: float = 0.8
    crossing_share: float = 0.14
    swap_ms: int = 400
    same_sheet: float = 1.1


@dataclass(frozen=True)
class _Reach:
    """What stands at the picture's edge that is not the desk, as shares of the edge."""

    anything: float
    darker: float
    """What is not as bright as paper: an arm."""


@dataclass(frozen=True)
class _Taken:
    """The sheet that was taken, as it lies there."""

    printed: NDArray[np.bool_]
    image: Image
    """(240, 320)"""
    reach: float
    """A sheet that sticks out of the picture where it lies is not one that crosses its edge."""
    hand: bool


class Trigger:
    """Watches small grey frames; `see` says when to take a picture. One event a frame at most."""

    def __init__(self, settings: TriggerSettings | None = None) -> None:
        self.settings = settings or TriggerSettings()
        self._before: tuple[NDArray[np.float32], int] | None = None
        self._still_since: int | None = None
        self._edge: NDArray[np.float32] | None = None
        self._taken: _Taken | None = None
        self._noise = 0.0
        self._forget()

    def _forget(self) -> None:
        """A new look at the sheet that lies there: what moved before says nothing any more."""
        self._moving_since: int | None = None
        self._far_frames = self._moved_frames = self._crossing_frames = 0
        self._went = False

    @property
    def holding(self) -> bool:
        """Whether the sheet that lies there has been taken already."""
        return self._taken is not None

    @property
    def hand(self) -> bool:
        """Whether a hand was in view when the sheet that lies there was taken, and is so still."""
        return self._taken is not None and self._taken.hand

    def see(self, frame: Frame) -> Event | None:
        """Look at the next frame (grey uint8, at most 640 wide, times never going back)."""
        grid = np.asarray(cv2.resize(frame.image, _GRID, interpolation=cv2.INTER_AREA), np.float32)
        # Thresholds are for a picture whose paper is at 200; a darker room has less of everything but noise.
        light = float(np.clip(np.percentile(grid, 97), 25, 255)) / 200
        still = self._is_still(grid, frame.at_ms, light)
        half = np.asarray(cv2.resize(frame.image, (320, 240), interpolation=cv2.INTER_AREA), np.uint8)
        # Of a pixel's noise a third is left in the change of a cell; it opens a gap of some 1.2 of it in the print map.
        printed = _print_map(half, max(34 * light, 9) + 3.4 * self._noise)
        reach = self._reach(grid, light, still=still)
        if self._taken is not None:
            return self._watch(self._taken, printed, half, reach, frame.at_ms)
        if self._still_since is None or printed.mean() < self.settings.print_share:
            return None
        cut = reach.anything - reach.darker > self.settings.crossing_share  # by paper, not by a shadow
        if frame.at_ms - self._still_since < self.settings.rest_ms + (self.settings.cut_ms if cut else 0):
            return None
        self._taken = _Taken(printed, half, reach.anything, reach.darker > _HAND_SHARE)
        self._forget()
        return Event.RESTED

    def _is_still(self, grid: NDArray[np.float32], at_ms: int, light: float) -> bool:
        before, self._before = self._before, (grid, at_ms)
        if before is None:
            return False
        # A lamp that drifts changes everything in proportion, a soft shadow all that lies around: that is no motion.
        size = (_AROUND, _AROUND)
        change = grid - before[0] * cv2.blur(grid, size) / np.maximum(cv2.blur(before[0], size), 4)
        noise = 1.4826 * float(np.median(np.abs(change)))
        self._noise += (0.1 if self._noise else 1.0) * (min(noise, 12.0) - self._noise)
        moving = float((np.abs(change) > max(5.0 * light, 6.0 * noise)).mean())
        if moving > self.settings.moving_share:
            if self._moving_since is None:
                self._moving_since = before[1]
            self._still_since = None
            return False
        if self._still_since is None:
            # Two frames alike: it has been still since the first of them.
            self._still_since = before[1]
        return True

    def _reach(self, grid: NDArray[np.float32], light: float, *, still: bool) -> _Reach:
        edge = np.concatenate([grid[:3].mean(0), grid[-3:].mean(0), grid[:, :3].mean(1), grid[:, -3:].mean(1)])
        if self._edge is None:
            self._edge = edge.copy()
            return _Reach(0.0, 0.0)
        gain = float(np.clip(np.median(edge / np.maximum(self._edge, 8)), 0.2, 5))
        other = np.abs(edge - gain * self._edge) > 22 * light
        reach = float(other.mean())
        # The desk is what is seen there most of the time: quickly learnt when all is calm, slowly otherwise.
        rate = (0.1 if reach < 0.01 else 0.02) if still else 0.004
        self._edge += rate * (edge - self._edge)
        return _Reach(reach, float((other & (edge < _PAPER * light)).mean()))

    def _watch(self, taken: _Taken, printed: NDArray[np.bool_], half: Image, reach: _Reach, at_ms: int) -> Event | None:
        """Whether the sheet that was taken still lies there."""
        settings = self.settings
        overlap = _overlap(printed, taken.printed)
        usual = min(taken.reach, reach.anything)
        # Two frames of everything: one may be a flicker of the lamp. A sheet moves print when it crosses the edge; a
        # shadow does not. They need not be the same frames: print is a blur while a sheet is quick.
        self._far_frames = self._far_frames + 1 if overlap < settings.alike else 0
        self._moved_frames += overlap < settings.in_place
        self._crossing_frames += reach.anything - usual > settings.crossing_share
        self._went = self._went or self._far_frames > 1 or min(self._moved_frames, self._crossing_frames) > 1
        self._taken = replace(taken, reach=usual)
        if not self._went:
            return self._settle(self._taken, reach) if self._still_since is not None else None
        until_ms = self._still_since if self._still_since is not None else at_ms
        quick = until_ms - (self._moving_since if self._moving_since is not None else until_ms) <= settings.swap_ms
        if quick and self._still_since is None:
            return None
        self._forget()
        if quick and printed.mean() >= settings.print_share and unlike(taken.image, half) <= settings.same_sheet:
            self._taken = _Taken(printed, half, reach.anything, taken.hand)
            return None
        self._taken = None
        return Event.LEFT

    def _settle(self, taken: _Taken, reach: _Reach) -> Event | None:
        """The sheet that was taken lies still in its place."""
        if self._far_frames == 0:
            self._forget()
        if not taken.hand or reach.darker > _HAND_SHARE:
            return None
        self._taken = replace(taken, hand=False)
        return Event.CLEARED


def unlike(before: Image, now: Image) -> float:
    """How much two small pictures differ where they differ most, when the second is laid on the first, moved and turned
    (ECC; Evangelidis and Psarakis, 2008): the greatest difference of a tile, as a share of the usual contrast of the
    print; 9 when no place fits. Light and shade do not count.
    """
    first, second = (_fine(picture) for picture in (before, now))
    size = (first.shape[1], first.shape[0])
    (dx, dy), _ = cv2.phaseCorrelate(first, second, cv2.createHanningWindow(size, cv2.CV_32F))
    warp: cv2.typing.MatLike = np.array([[1, 0, dx], [0, 1, dy]], np.float32)
    steps = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 40, 1e-4)
    whole = np.full(first.shape, 255, np.uint8)
    try:
        _, warp = cv2.findTransformECC(first, second, warp, cv2.MOTION_EUCLIDEAN, steps, whole, 3)
    except cv2.error:  # it found no place where they fit
        return 9.0
    laid = cv2.warpAffine(second, warp, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    there = cv2.warpAffine(np.ones_like(second), warp, size, flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP)
    energy, error = (cv2.blur(np.square(x) * there, (12, 12)) for x in (first, first - laid))
    print_ = float(np.percentile(energy, 90))
    return float(np.sqrt(error.max() / max(print_, 1.0)))


def _fine(image: Image) -> NDArray[np.float32]:
    grey = image.astype(np.float32)
    return np.asarray(grey - cv2.GaussianBlur(grey, (0, 0), 6), np.float32)


def _print_map(half: Image, gap: float) -> NDArray[np.bool_]:
    """(30, 40): the cells of the 320x240 picture that hold strong contrast, as print on paper does."""
    kernel = np.ones((3, 3), np.uint8)
    contrast = cv2.subtract(cv2.dilate(half, kernel), cv2.erode(half, kernel))
    cells = contrast.reshape(240 // _CELL, _CELL, 320 // _CELL, _CELL)
    # An edge of a hand or of the paper is one line through a cell; print fills more of it.
    return np.asarray((cells > gap).mean(axis=(1, 3)) > 0.16, np.bool_)


def _overlap(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    """Cells that are in both, of those that are in the second."""
    return float((a & b).sum() / max(1, b.sum()))
