"""When a sheet has come to rest. Pure: small grey frames in, events out.

Three things are looked at in every frame, on a grid of cells so that sensor noise averages away:

- **change** against the frame before: how much of the picture moves;
- **print**: which cells hold contrast (markers, text, frames). A desk, even a grained one, has little;
- **the edge** of the picture: where it differs from the desk that is usually seen there, something reaches in.

A sheet is new when, since the last one was taken, the print has gone, or has moved far from where it was, or
something as wide as a sheet has crossed the edge of the picture. A hand that rests, a nudge, a cloud over the sun
do none of these.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.frames import Frame, Image

_GRID = (160, 120)
_CELL = 8
"""Pixels of the 320x240 picture that one cell of the print map covers."""


class Event(Enum):
    """What just happened on the desk."""

    RESTED = "rested"
    """A new sheet lies still: take it now."""
    LEFT = "left"
    """The sheet that was taken is gone, or being replaced."""


@dataclass(frozen=True)
class TriggerSettings:
    """How patient the trigger is. `rest_ms` of stillness make a rest; a hand in view is waited for `hand_ms` longer.

    `moving_share` is the share of the picture that may change while it counts as still; `print_share` the share of
    cells with print that make a sheet; `alike` the overlap of two print maps that are of one sheet in one place.
    """

    rest_ms: int = 130
    hand_ms: int = 220
    moving_share: float = 0.004
    print_share: float = 0.05
    alike: float = 0.45
    crossing_share: float = 0.14


class Trigger:
    """Watches small grey frames; `see` says when to take a picture. One event a frame at most."""

    def __init__(self, settings: TriggerSettings | None = None) -> None:
        self.settings = settings or TriggerSettings()
        self._before: NDArray[np.float32] | None = None
        self._still_since: int | None = None
        self._edge: NDArray[np.float32] | None = None
        self._taken: NDArray[np.bool_] | None = None
        self._new = True
        self._away_frames = 0
        self._usual_reach = 0.0
        self._noise = 0.0

    @property
    def holding(self) -> bool:
        """Whether the sheet that lies there has been taken already."""
        return not self._new

    def see(self, frame: Frame) -> Event | None:
        """Look at the next frame (grey uint8, at most 640 wide, times never going back)."""
        grid = _even(frame.image)
        # Thresholds are for a picture whose paper is at 200; a darker room has less of everything but noise.
        light = float(np.clip(np.percentile(grid, 97), 25, 255)) / 200
        still = self._is_still(grid, frame.at_ms, light)
        # Of a pixel's noise a third is left in the change of a cell; it opens a gap of some 1.2 of it in the print map.
        printed = _print_map(frame.image, max(34 * light, 9) + 3.4 * self._noise)
        reach = self._reach(grid, light, still=still)
        left = self._watch_it_go(printed, reach)
        if left:
            return Event.LEFT
        if not self._new or self._still_since is None:
            return None
        wait = self.settings.rest_ms + (self.settings.hand_ms if reach > 0.01 else 0)
        if frame.at_ms - self._still_since < wait or printed.mean() < self.settings.print_share:
            return None
        self._taken, self._new, self._away_frames, self._usual_reach = printed, False, 0, reach
        return Event.RESTED

    def _is_still(self, grid: NDArray[np.float32], at_ms: int, light: float) -> bool:
        before, self._before = self._before, grid
        if before is None:
            return False
        change = grid - before
        # A lamp that drifts changes everything alike: that is not motion.
        change -= np.median(change)
        noise = 1.4826 * float(np.median(np.abs(change)))
        self._noise += 0.1 * (min(noise, 12.0) - self._noise)
        moving = float((np.abs(change) > max(5.0 * light, 6.0 * noise)).mean())
        if moving > self.settings.moving_share:
            self._still_since = None
            return False
        if self._still_since is None:
            self._still_since = at_ms
        return True

    def _reach(self, grid: NDArray[np.float32], light: float, *, still: bool) -> float:
        """The share of the picture's edge at which something other than the usual desk is seen."""
        edge = np.concatenate([grid[:3].mean(0), grid[-3:].mean(0), grid[:, :3].mean(1), grid[:, -3:].mean(1)])
        if self._edge is None:
            self._edge = edge.copy()
            return 0.0
        gain = float(np.clip(np.median(edge / np.maximum(self._edge, 8)), 0.6, 1.6))
        reach = float((np.abs(edge - gain * self._edge) > 22 * light).mean())
        # The desk is what is seen there most of the time: quickly learnt when all is calm, slowly otherwise.
        rate = (0.1 if reach < 0.01 else 0.02) if still else 0.004
        self._edge += rate * (edge - self._edge)
        return reach

    def _watch_it_go(self, printed: NDArray[np.bool_], reach: float) -> bool:
        if self._new or self._taken is None:
            return False
        # A sheet that sticks out of the picture where it lies is not one that crosses its edge.
        self._usual_reach = min(self._usual_reach, reach)
        crossing = reach - self._usual_reach > self.settings.crossing_share
        away = crossing or _overlap(printed, self._taken) < self.settings.alike
        # Two frames in a row: one may be a flicker of the lamp.
        self._away_frames = self._away_frames + 1 if away else 0
        if self._away_frames < 2:
            return False
        self._new, self._taken, self._still_since = True, None, None
        return True


def _even(image: Image) -> NDArray[np.float32]:
    """(120, 160) averages of the frame."""
    return np.asarray(cv2.resize(image, _GRID, interpolation=cv2.INTER_AREA), np.float32)


def _print_map(image: Image, gap: float) -> NDArray[np.bool_]:
    """(30, 40): the cells that hold strong contrast, as print on paper does."""
    half = cv2.resize(image, (320, 240), interpolation=cv2.INTER_AREA)
    kernel = np.ones((3, 3), np.uint8)
    contrast = cv2.subtract(cv2.dilate(half, kernel), cv2.erode(half, kernel))
    cells = contrast.reshape(240 // _CELL, _CELL, 320 // _CELL, _CELL)
    # An edge of a hand or of the paper is one line through a cell; print fills more of it.
    return np.asarray((cells > gap).mean(axis=(1, 3)) > 0.16, np.bool_)


def _overlap(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    """Cells that are in both, of those that are in the second."""
    return float((a & b).sum() / max(1, b.sum()))
