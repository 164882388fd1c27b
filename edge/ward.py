"""Looks after the running box: asks how it is, for the pages and for whoever supervises it."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from edge.figures import Figures
from edge.health import Check, Facts, State, judge, worst
from edge.ledger import FILE_NAME, Ledger
from edge.machine import read_machine, why_not_writable
from edge.pulse import Pulse
from edge.second_copy import CopyState, SecondCopy
from homework.errors import ClassboxError
from models.manifest import Manifest
from sync.allowance import Restraint
from sync.clock import Clock
from sync.lanes import Lane
from ui.supervisor import Supervisor

log = logging.getLogger(__name__)
_FRESH_S = 1.0
_LOOP_EVERY_S = 1.0


def models_digest(manifest: Manifest) -> str:
    """One name for all the networks that read here."""
    files = "".join(sorted(file.sha256 for file in manifest.models.values()))
    return hashlib.sha256(files.encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Report:
    """How the box was at one look. `figures` are plain numbers."""

    facts: Facts
    checks: tuple[Check, ...]
    figures: Mapping[str, float]

    @property
    def state(self) -> State:
        """Of the whole."""
        return worst(self.checks)


class Ward:
    """Asked by pages in the event loop; its `watch` and `pet` run there."""

    def __init__(
        self,
        *,
        data: Path,
        ledger: Ledger,
        pulse: Pulse,
        figures: Figures,
        clock: Clock,
        source: bool,
        version: str,
        models: str,
        belongs_to_school: bool,
        trouble: Callable[[str], ClassboxError | None],
        sessions: Callable[[], int],
        log_lines: Callable[[], tuple[str, ...]],
        supervisor: Supervisor,
        second_copy: SecondCopy,
        heard: Callable[[], bool | None] = lambda: None,
        restraint: Callable[[], Restraint] = lambda: Restraint.NONE,
    ) -> None:
        self._data, self._ledger, self.pulse, self.figures, self._clock = data, ledger, pulse, figures, clock
        self._source, self.version, self.models = source, version, models
        self._belongs_to_school, self._trouble, self._sessions = belongs_to_school, trouble, sessions
        self.log_lines, self._supervisor, self.second_copy = log_lines, supervisor, second_copy
        self._heard, self._restraint = heard, restraint
        self._started_s = time.monotonic()
        self._lag_s = 0.0
        self._asking = asyncio.Lock()
        self._last: tuple[float, Report] | None = None

    async def report(self, *, fresh: bool = False) -> Report:
        """How the box is; looked at once a second at most, however many ask, unless it must be fresh."""
        async with self._asking:
            if fresh or self._last is None or time.monotonic() - self._last[0] > _FRESH_S:
                self._last = (time.monotonic(), await asyncio.to_thread(self._look))
            return self._last[1]

    def up_s(self) -> float:
        """How long the box has run."""
        return time.monotonic() - self._started_s

    async def watch(self) -> None:
        """Measure, every second, how late the event loop is."""
        while True:
            begun_s = time.monotonic()
            await asyncio.sleep(_LOOP_EVERY_S)
            self._lag_s = max(0.0, time.monotonic() - begun_s - _LOOP_EVERY_S)

    async def pet(self) -> None:
        """Tell the supervisor that all is well, while camera and grading move and the loop that this runs in."""
        every_s = self._supervisor.pet_every_s
        if every_s is None:
            return
        while True:
            stalled = self.pulse.stalled()
            if stalled:
                log.error("stands still: %s; the supervisor is not told that all is well", ", ".join(stalled))
            else:
                self._supervisor.alive()
            await asyncio.sleep(every_s)

    def _look(self) -> Report:
        try:
            counts = self._ledger.counts()
            lanes = self._ledger.outbox_counts()
            captured, unread = counts.captured, counts.review
            waiting = lanes[Lane.RESULTS].waiting if self._belongs_to_school else None
            not_writable = why_not_writable(self._data / FILE_NAME)
        except ClassboxError as error:
            captured, unread, waiting, not_writable = 0, 0, None, error.message
        facts = Facts(
            machine=read_machine(self._data),
            source=self._source,
            camera_silence_s=self.pulse.silence_s("camera"),
            camera_over=self.pulse.is_over("camera"),
            camera_trouble=self._trouble("camera"),
            grading_silence_s=self.pulse.silence_s("grading"),
            grading_trouble=self._trouble("grading"),
            disk_trouble=self._trouble("disk"),
            loop_lag_s=self._lag_s,
            not_writable=not_writable,
            clock=self._clock.read().quality,
            waiting=waiting,
            second_copy=self._copy_state(),
            captured=captured,
            heard=self._heard(),
            restraint=self._restraint(),
        )
        figures = {
            "captured_sheets": float(captured),
            "review_fields": float(unread),
            "sessions": float(self._sessions()),
            "up_seconds": self.up_s(),
        }
        return Report(facts, judge(facts), figures)

    def _copy_state(self) -> CopyState:
        try:
            return self.second_copy.state()
        except ClassboxError as error:
            return CopyState(trouble=error)
