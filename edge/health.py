"""How the box is: facts in, checks in plain words out; pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from edge.machine import HOT_NOW, HOT_WAS, UNDERVOLTAGE_NOW, UNDERVOLTAGE_WAS, Machine
from edge.pulse import STALLED_S
from edge.second_copy import CopyState
from homework.errors import ClassboxError
from sync.allowance import Restraint
from sync.clock import ClockQuality

MB = 1024**2
_DISK_LOW, _DISK_FULL = 500 * MB, 64 * MB
_MEMORY_LOW = 80 * MB
_OURS_LARGE = 600 * MB
_WARM_C, _HOT_C = 75.0, 82.0
"""A Raspberry Pi slows down from 80 °C."""
_LAG_S = 2.0
_MUCH_WAITING = 5000


class State(StrEnum):
    """How something is."""

    OK = "ok"
    WARN = "warn"
    BAD = "bad"


@dataclass(frozen=True)
class Facts:
    """What was found out. Times in seconds; a trouble is what the page shows to the teacher."""

    machine: Machine
    source: bool
    camera_silence_s: float | None
    camera_over: bool
    camera_trouble: ClassboxError | None
    grading_silence_s: float | None
    grading_trouble: ClassboxError | None
    disk_trouble: ClassboxError | None
    loop_lag_s: float
    not_writable: str | None
    clock: ClockQuality
    waiting: int | None
    """Records on their way to the school; None for a box of no school."""
    second_copy: CopyState
    captured: int
    restraint: Restraint = Restraint.NONE
    """What a metered line may still carry this month."""
    heard: bool | None = None
    """Whether somebody at the school listens, as far as the broker says; None where it says nothing."""


@dataclass(frozen=True)
class Check:
    """One thing, how it is, and what to do (message ids with values)."""

    name: str
    state: State
    said: ClassboxError
    """Message and remedy; a remedy of "" where nothing is to do."""


def judge(facts: Facts) -> tuple[Check, ...]:
    """Every check, in the order in which a technician asks."""
    return (
        _camera(facts),
        _grading(facts),
        _ledger(facts),
        _disk(facts),
        _memory(facts),
        _heat(facts),
        _power(facts),
        _clock(facts),
        _school(facts),
        _second_copy(facts),
        _pages(facts),
    )


def worst(checks: tuple[Check, ...]) -> State:
    """The state of the whole."""
    states = {check.state for check in checks}
    return next(state for state in (State.BAD, State.WARN, State.OK) if state in states or state is State.OK)


def _check(name: str, state: State, message: str, remedy: str = "", /, **values: object) -> Check:
    return Check(name, state, ClassboxError(message, remedy=remedy, **values))


def _camera(facts: Facts) -> Check:
    if not facts.source:
        return _check("camera", State.OK, "No camera is set up; pictures can be sent.")
    if facts.camera_trouble is not None:
        return Check("camera", State.BAD, facts.camera_trouble)
    if facts.camera_over:
        return _check("camera", State.OK, "The pictures have come to their end.")
    silence_s = facts.camera_silence_s
    if silence_s is None or silence_s > STALLED_S["camera"]:
        return _check(
            "camera",
            State.BAD,
            "The camera has not answered for {seconds} s.",
            "Unplug it and plug it in again; if that does not help, restart the box.",
            seconds=round(silence_s or 0),
        )
    return _check("camera", State.OK, "The camera is looking.")


def _grading(facts: Facts) -> Check:
    if facts.grading_silence_s is None or facts.grading_silence_s > STALLED_S["grading"]:
        return _check(
            "grading",
            State.BAD,
            "Grading has stood still for {seconds} s.",
            "Restart the box; nothing that was kept is lost.",
            seconds=round(facts.grading_silence_s or 0),
        )
    if facts.grading_trouble is not None:
        return Check("grading", State.WARN, facts.grading_trouble)
    return _check("grading", State.OK, "Sheets are graded as they come.")


def _ledger(facts: Facts) -> Check:
    if facts.not_writable is not None:
        return _check(
            "ledger",
            State.BAD,
            "Results cannot be kept: {reason}.",
            "Make room on the disk, or check who may write there.",
            reason=facts.not_writable,
        )
    if facts.disk_trouble is not None:
        return Check("ledger", State.BAD, facts.disk_trouble)
    return _check("ledger", State.OK, "Results are kept.")


def _disk(facts: Facts) -> Check:
    free = facts.machine.disk_free_bytes
    values: dict[str, object] = {"free": round(free / MB), "all": round(facts.machine.disk_bytes / MB)}
    if free < _DISK_FULL:
        return _check(
            "disk",
            State.BAD,
            "The disk is full: {free} MB of {all} are free.",
            "Make room: delete what is not the box's, or put a larger card in.",
            **values,
        )
    if free < _DISK_LOW:
        return _check(
            "disk", State.WARN, "The disk is nearly full: {free} MB of {all} are free.", "Make room soon.", **values
        )
    return _check("disk", State.OK, "{free} MB of {all} are free.", **values)


def _memory(facts: Facts) -> Check:
    machine = facts.machine
    values: dict[str, object] = {"ours": round(machine.rss_bytes / MB), "free": round(machine.memory_free_bytes / MB)}
    message = "The box uses {ours} MB; {free} MB are free."
    if machine.memory_free_bytes < _MEMORY_LOW or machine.rss_bytes > _OURS_LARGE:
        return _check("memory", State.WARN, message, "End other programs, or restart the box after school.", **values)
    return _check("memory", State.OK, message, **values)


def _heat(facts: Facts) -> Check:
    degrees, bits = facts.machine.temperature_c, facts.machine.throttled or 0
    if degrees is None:
        return _check("temperature", State.OK, "This machine does not say how warm it is.")
    values: dict[str, object] = {"degrees": round(degrees)}
    if degrees >= _HOT_C or bits & HOT_NOW:
        return _check(
            "temperature",
            State.BAD,
            "It is too hot: {degrees} °C. It works more slowly.",
            "Give it air, take it out of the sun, put a cooler on.",
            **values,
        )
    if degrees >= _WARM_C or bits & HOT_WAS:
        return _check("temperature", State.WARN, "It gets warm: {degrees} °C.", "Give it more air.", **values)
    return _check("temperature", State.OK, "{degrees} °C.", **values)


def _power(facts: Facts) -> Check:
    bits = facts.machine.throttled
    if bits is None:
        return _check("power", State.OK, "This machine does not say how its power supply is.")
    if bits & UNDERVOLTAGE_NOW:
        return _check(
            "power",
            State.BAD,
            "The power supply is too weak now.",
            "Use the supply that came with the board, and a short cable.",
        )
    if bits & UNDERVOLTAGE_WAS:
        return _check(
            "power",
            State.WARN,
            "The power supply was too weak since the start.",
            "Use the supply that came with the board, and a short cable.",
        )
    return _check("power", State.OK, "The power supply is strong enough.")


def _clock(facts: Facts) -> Check:
    if facts.clock is ClockQuality.UNSET:
        return _check(
            "clock",
            State.WARN,
            "The clock was never set; sheets are kept in their order all the same.",
            "Connect the box to a network with a time server, or set the clock.",
        )
    if facts.clock is ClockQuality.RESTORED:
        return _check("clock", State.OK, "The clock goes by itself; no time server has set it since the start.")
    return _check("clock", State.OK, "A time server keeps the clock.")


def _school(facts: Facts) -> Check:
    if facts.waiting is None:
        return _check("school", State.OK, "This box works for itself.")
    message = "{count} records wait for the school."
    if facts.heard is False:
        message = "{count} records wait for the school. Nobody listens there just now; it goes on by itself."
    if facts.restraint is not Restraint.NONE:
        return _check(
            "school",
            State.WARN,
            "{count} records wait for the school. This month's data is used up, or soon.",
            "Results go last of all. Set a larger monthly_mb, or carry them on a stick.",
            count=facts.waiting,
        )
    if facts.waiting > _MUCH_WAITING:
        return _check("school", State.WARN, message, "Bring the box to the network.", count=facts.waiting)
    return _check("school", State.OK, message, count=facts.waiting)


def _second_copy(facts: Facts) -> Check:
    copy = facts.second_copy
    if not copy.wanted and copy.trouble is None:
        return _check("copy", State.OK, "No stick keeps a second copy.")
    if copy.trouble is not None:
        return Check("copy", State.WARN, copy.trouble)
    if copy.stick is None:
        return _check(
            "copy",
            State.WARN,
            "The stick with the second copy is not in the box.",
            "Put it back, or choose another one below.",
        )
    if copy.sheets is None:
        return _check("copy", State.OK, "The second copy is brought up to date.")
    values: dict[str, object] = {"sheets": copy.sheets, "all": facts.captured}
    return _check("copy", State.OK, "The stick has {sheets} of {all} sheets; the rest follows by itself.", **values)


def _pages(facts: Facts) -> Check:
    if facts.loop_lag_s > _LAG_S:
        return _check(
            "pages",
            State.WARN,
            "The pages answer late, by {seconds} s.",
            "End other programs on this machine.",
            seconds=round(facts.loop_lag_s, 1),
        )
    return _check("pages", State.OK, "The pages answer at once.")
