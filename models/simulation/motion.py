"""How sheets pass under the camera: in from the right, at rest, out to the left, a hand at the edge."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Pose:
    """Where a sheet lies: its centre, in mm from the middle of the desk (x right, y down), and its turn, clockwise."""

    x_mm: float
    y_mm: float
    turn_deg: float


@dataclass(frozen=True)
class Hand:
    """A hand in view: its finger tips, and the way the arm comes from (1: from the right, -1: from the left)."""

    x_mm: float
    y_mm: float
    side: int


@dataclass(frozen=True)
class Moment:
    """What is on the desk at one time: sheets by their index from 0, lowest first, the hands, the speed."""

    sheets: tuple[tuple[int, Pose], ...]
    hands: tuple[Hand, ...]
    speed_mm_s: float


class Passing:
    """`count` sheets passing, one each `pace_s` seconds, `share_at_rest` of that time at rest.

    Times are seconds from the start; the desk is empty for `lead_s` before the first and after the last.
    """

    def __init__(
        self,
        count: int,
        *,
        pace_s: float,
        page_mm: tuple[float, float],
        view_mm: tuple[float, float],
        seed: int,
        lead_s: float = 0.8,
        share_at_rest: float = 0.6,
    ) -> None:
        rng = np.random.default_rng([seed, 0x51DE])
        self.count, self.pace_s, self.lead_s = count, pace_s, lead_s
        self._page_w, self._page_h = page_mm
        self._far = (view_mm[0] + max(page_mm)) / 2 + 30
        self._move_s = pace_s * (1 - share_at_rest)
        self._rests = [Pose(rng.normal(0, 3.0), rng.normal(0, 2.5), rng.normal(0, 1.6)) for _ in range(count)]
        self._enters_turned = rng.normal(0, 4, count)
        self._grip = rng.uniform(0.05, 0.3, count) * self._page_h
        self._hand_stays = rng.random(count) < 0.2
        self._lag = rng.uniform(0.0, 0.3, count)

    @property
    def duration_s(self) -> float:
        """From the first empty desk to the last."""
        return 2 * self.lead_s + self.count * self.pace_s + self._move_s

    def at(self, time_s: float) -> Moment:
        """What is on the desk at `time_s`."""
        sheets: list[tuple[int, Pose]] = []
        hands: list[Hand] = []
        speed = 0.0
        first = int((time_s - self.lead_s) / self.pace_s) - 1
        for k in range(max(0, first), min(self.count, first + 3)):
            pose, moving = self._sheet(k, time_s)
            if pose is None:
                continue
            sheets.append((k, pose))
            speed = max(speed, moving)
            hands += self._hands(k, pose, time_s)
        return Moment(tuple(sheets), tuple(hands), speed)

    def resting(self, time_s: float) -> int | None:
        """The index of the sheet that lies still at `time_s`, or None."""
        k = int((time_s - self.lead_s) / self.pace_s)
        if time_s < self.lead_s or k >= self.count:
            return None
        return k if time_s >= self._rest_from(k) else None

    def rest_of(self, index: int) -> Pose:
        """Where the sheet of that index (from 0) comes to rest."""
        return self._rests[index]

    def leaves_s(self, index: int) -> float:
        """When the sheet of that index (from 0) begins to leave."""
        return self.lead_s + (index + 1) * self.pace_s

    def _rest_from(self, k: int) -> float:
        return self.lead_s + k * self.pace_s + self._move_s

    def _sheet(self, k: int, t: float) -> tuple[Pose | None, float]:
        rest = self._rests[k]
        begin, there, leave = self._rest_from(k) - self._move_s, self._rest_from(k), self.leaves_s(k)
        lag = self._lag[k] * self._move_s
        if t < begin + lag or t > leave + self._move_s:
            return None, 0.0
        if t < there:
            u = (t - begin - lag) / (self._move_s - lag)
            left = 1 - _ease(u)
            speed = self._far * _ease_rate(u) / (self._move_s - lag)
            return Pose(rest.x_mm + self._far * left, rest.y_mm, rest.turn_deg + self._enters_turned[k] * left), speed
        if t <= leave:
            return rest, 0.0
        # Out it goes a little quicker than in, so that the next one finds the desk free.
        u = min(1.0, (t - leave) / (0.75 * self._move_s))
        if u >= 1.0:
            return None, 0.0
        speed = self._far * _ease_rate(u) / (0.75 * self._move_s)
        return Pose(rest.x_mm - self._far * _ease(u), rest.y_mm, rest.turn_deg - 4 * _ease(u)), speed

    def _hands(self, k: int, pose: Pose, t: float) -> list[Hand]:
        there, leave = self._rest_from(k), self.leaves_s(k)
        right = pose.x_mm + self._page_w / 2 - 1
        left = pose.x_mm - self._page_w / 2 + 1
        at_rest_s = leave - there
        hands: list[Hand] = []
        if t < there:
            hands.append(Hand(right, self._grip[k], 1))
        elif t < leave:
            away = min(1.0, (t - there) / (0.25 * at_rest_s))
            if self._hand_stays[k]:
                hands.append(Hand(right + 3, self._grip[k], 1))
            elif away < 1.0:
                hands.append(Hand(right + 160 * _ease(away), self._grip[k] + 20 * away, 1))
            reach = (leave - t) / (0.15 * at_rest_s)
            if reach < 1.0:
                hands.append(Hand(left - 160 * _ease(reach), self._grip[k], -1))
        else:
            hands.append(Hand(left, self._grip[k], -1))
        return hands


def _ease(u: float) -> float:
    u = min(max(u, 0.0), 1.0)
    return u * u * (3 - 2 * u)


def _ease_rate(u: float) -> float:
    return 6 * u * (1 - u) if 0 < u < 1 else 0.0
