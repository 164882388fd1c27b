"""A classroom instead of a lens: a virtual class's worksheets pass under it in real time, and the truth is known."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TextIO

import msgspec

from edge.camera.camera import CameraError
from edge.frames import Frame, Image
from homework.assignment import parse_assignment
from homework.errors import BadFileError
from homework.layout import layout_from_json
from homework.roster import Roster, parse_roster
from models.simulation.classroom import Classroom, made_up_roster
from models.simulation.desk import Desk, Sheet
from models.simulation.motion import Moment, Passing
from models.simulation.pupil import Habits

_AHEAD = 1
"""Sheets that are written and rasterised before they are due."""

_PREVIEW_S, _CAPTURE_S = 0.01, 0.1
"""What a real camera may take for a small and for a full picture."""


class Timer(Protocol):
    """Time as the simulated classroom lives it; tests hand in one that they turn themselves."""

    def now_s(self) -> float:
        """Seconds on a monotonic clock."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class RealTime:
    """The machine's own monotonic clock."""

    def now_s(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


@dataclass(frozen=True)
class _Page:
    """A page of the stack, and the full picture of it at rest, made before they are due."""

    sheet: Sheet
    at_rest: Image


class SimulatedCamera:
    """A `Camera` over a virtual classroom's desk; it ends when every sheet has passed.

    One sheet passes each `pace_s` seconds, whether it was taken or not; with `patient`, the hand waits up to
    `PATIENCE_S` for the picture, as a teacher waits for the sound. `truth`, when given, gets one JSON line a
    sheet (`PageTruth` and its place in the stack, from 1) as it comes in. `frame_px` is the full picture's size.
    A capture shows what lies there `capture_s` after it was asked for, as a real camera's does.
    """

    name = "simulated"
    PATIENCE_S = 5.0

    def __init__(
        self,
        classroom: Classroom,
        *,
        pace_s: float = 1.3,
        seed: int = 7,
        patient: bool = False,
        truth: Path | None = None,
        frame_px: tuple[int, int] = (4056, 3040),
        frames_per_s: float = 25.0,
        capture_s: float = 0.0,
        timer: Timer | None = None,
    ) -> None:
        self.classroom = classroom
        self._timer = timer or RealTime()
        self._desk = Desk(page_mm=classroom.layout.page_mm, seed=seed, frame_px=frame_px)
        self.passing = Passing(
            len(classroom), pace_s=pace_s, page_mm=classroom.layout.page_mm, view_mm=self._desk.view_mm, seed=seed
        )
        self._tick_s = 1.0 / frames_per_s
        self._capture_s = capture_s
        self._patient = patient
        self._photographed: set[int] = set()
        self._pages: dict[int, Future[_Page]] = {}
        self._maker = ThreadPoolExecutor(1, thread_name_prefix="simulated-class")
        self._truth_file: TextIO | None = truth.open("w", encoding="utf-8") if truth is not None else None
        self._told = 0
        self._started_s: float | None = None
        self._held_s = 0.0
        self._waiting_for = 0
        self._closed = threading.Event()

    def preview(self) -> Frame | None:
        if self._started_s is None:
            # Pupils write before the lesson ends: while sheets pass, this thread must not wait for Python's lock.
            self.classroom.write()
            self._prepare(0)
            self._ready(0)
            self._started_s = self._timer.now_s()
        # The millisecond keeps rounding from giving the same moment twice.
        self._timer.sleep(max(self._tick_s - self._timer.now_s() % self._tick_s, 0.001))
        if self._closed.is_set():
            return None
        if self._time_s() > self.passing.duration_s:
            self._finish_truth()
            return None
        at_s = self._timer.now_s()
        moment, sheets = self._look()
        image = self._desk.preview(moment, sheets)
        self._hold_what_drawing_took(at_s, _PREVIEW_S)
        return Frame(image, round(at_s * 1000))

    def capture(self) -> Frame:
        if self._started_s is None or self._closed.is_set():
            raise CameraError("The simulated camera is not running.", remedy="Start the class again.")
        if self._capture_s:
            self._timer.sleep(self._capture_s)
        at_s = self._timer.now_s()
        resting = self.passing.resting(self._time_s())
        moment, sheets = self._look()
        if resting is None:
            image = self._desk.photograph(moment, sheets)
        else:
            self._photographed.add(resting)
            image = self._desk.expose(self._pages[resting].result().at_rest, moment)
        self._hold_what_drawing_took(at_s, _CAPTURE_S)
        return Frame(image, round(at_s * 1000))

    def close(self) -> None:
        self._closed.set()
        self._maker.shutdown(wait=True, cancel_futures=True)
        if self._truth_file is not None:
            self._truth_file.close()
            self._truth_file = None
        self.classroom.close()

    @property
    def held_s(self) -> float:
        """How long the class's clock stood still, for a patient hand or because this machine was too slow."""
        return self._held_s

    def _time_s(self) -> float:
        """The class's time: it stands still while a patient hand waits for the picture."""
        assert self._started_s is not None
        time_s = self._timer.now_s() - self._started_s - self._held_s
        if not self._patient or self._waiting_for >= len(self.classroom):
            return time_s
        over_s = time_s - self.passing.leaves_s(self._waiting_for)
        taken = self._waiting_for in self._photographed
        if over_s <= 0 and not taken:
            return time_s
        if taken or over_s >= self.PATIENCE_S:
            self._waiting_for += 1
            self._held_s += max(over_s, 0.0)
        return time_s - max(over_s, 0.0)

    def _look(self) -> tuple[Moment, list[Sheet | None]]:
        moment = self.passing.at(self._time_s())
        sheets: list[Sheet | None] = []
        for index, _ in moment.sheets:
            self._prepare(index)
            sheets.append(self._ready(index))
            self._tell_truth(index)
        return moment, sheets

    def _prepare(self, index: int) -> None:
        for k in range(index, min(index + _AHEAD + 1, len(self.classroom))):
            if k not in self._pages:
                self._pages[k] = self._maker.submit(self._make, k)
        for k in [k for k in self._pages if k < index - 1]:
            del self._pages[k]

    def _make(self, index: int) -> _Page:
        """In the maker's thread: the page, and what the lens sees while it rests."""
        sheet = self.classroom.sheet(index)
        rest = Moment(((index, self.passing.rest_of(index)),), (), 0.0)
        return _Page(sheet, self._desk.lay_out(rest, [sheet]))

    def _ready(self, index: int) -> Sheet:
        return self._pages[index].result().sheet

    def _hold_what_drawing_took(self, begun_s: float, allowed_s: float) -> None:
        """A lens draws for nothing: what drawing took longer than a camera would is not the class's time."""
        self._held_s += max(0.0, self._timer.now_s() - begun_s - allowed_s)

    def _tell_truth(self, index: int) -> None:
        if index >= self._told and self._truth_file is not None and not self._truth_file.closed:
            for k in range(self._told, index + 1):
                line = {"place": k + 1, **msgspec.to_builtins(self.classroom.truth(k))}
                self._truth_file.write(msgspec.json.encode(line).decode() + "\n")
            self._truth_file.flush()
            self._told = index + 1

    def _finish_truth(self) -> None:
        if len(self.classroom):
            self._tell_truth(len(self.classroom) - 1)


class TurnedClock:
    """Time that passes only when somebody waits for it: a class on it depends on no machine's speed."""

    def __init__(self) -> None:
        self._seconds = 100.0

    def now_s(self) -> float:
        return self._seconds

    def sleep(self, seconds: float) -> None:
        self._seconds += seconds


def simulated_camera(
    printed: Path,
    *,
    roster: Path | None = None,
    class_name: str | None = None,
    pupils: int | None = None,
    pace_s: float = 1.3,
    seed: int = 7,
    patient: bool = False,
    tidy: bool = False,
    truth: Path | None = None,
    frame_px: tuple[int, int] = (4056, 3040),
    timer: Timer | None = None,
) -> SimulatedCamera:
    """The camera over a class that fills in what `classbox print` wrote into the folder `printed`.

    Without a `roster`, pupils are made up; `class_name` is needed only when the roster has several; `pupils` takes
    the first so many. Raises `BadFileError` when a file is missing or cannot be read.
    """
    assignment = parse_assignment(_file(printed / "assignment.toml").decode())
    layout = layout_from_json(_file(printed / "layout.json"))
    book: Roster = parse_roster(_file(roster)) if roster is not None else made_up_roster(pupils or 45)
    name = class_name or book.classes()[0]
    classroom = Classroom(
        assignment,
        layout,
        book,
        _file(printed / "worksheets.pdf"),
        class_name=name,
        seed=seed,
        pupils=pupils,
        habits=Habits.tidy() if tidy else None,
    )
    return SimulatedCamera(
        classroom, pace_s=pace_s, seed=seed, patient=patient, truth=truth, frame_px=frame_px, timer=timer
    )


def _file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadFileError(
            "{name} cannot be read: {reason}.",
            remedy="Give the folder that `classbox print` wrote.",
            name=path,
            reason=error.strerror or error,
        ) from error
