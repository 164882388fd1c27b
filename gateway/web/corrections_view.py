"""订正 of a class: how many have put their mistakes right, who still owes it, and how long it took."""

from __future__ import annotations

from statistics import median
from typing import NamedTuple

from gateway.reports.class_report import SchoolReport
from homework.again import STATE_WORDS, AgainState
from homework.wording import Translate, called, counted

_HOUR_MS = 3_600_000
_STYLES = {
    AgainState.OWES: "wrong",
    AgainState.STILL_WRONG: "wrong",
    AgainState.REVIEW: "ask",
    AgainState.DONE: "right",
}


class CorrectionsLine(NamedTuple):
    """A state, how many pupils are in it, and, where somebody has to do something, who."""

    style: str
    words: str
    n: int
    names: str


class CorrectionsView(NamedTuple):
    """The card. `turnaround` says how long it took half of those who are done, where the clocks tell."""

    lines: tuple[CorrectionsLine, ...]
    turnaround: str


def corrections_view(report: SchoolReport, _: Translate) -> CorrectionsView | None:
    """The card; None before the first corrected sheet of the class has come."""
    if not report.again_begun:
        return None
    lines = []
    for state, style in _STYLES.items():
        names = [called(one.pupil.name, _) for one in report.again_in(state)]
        if names:
            listed = "" if state is AgainState.DONE else _(", ").join(names)
            lines.append(CorrectionsLine(style, _(STATE_WORDS[state]), len(names), listed))
    took = list(report.turnaround_ms.values())
    return CorrectionsView(
        tuple(lines),
        _("Half of those who are done took no longer than {time}.").format(time=_time(median(took), _)) if took else "",
    )


def _time(ms: float, _: Translate) -> str:
    hours = max(1, round(ms / _HOUR_MS))
    if hours < 36:
        return counted(_, hours, "{n} hour", "{n} hours")
    return counted(_, round(hours / 24), "{n} day", "{n} days")
