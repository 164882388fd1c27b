"""What the gateway's pages show, in the reader's words: plain values for the templates."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import NamedTuple

from gateway.reports.accounts import BoxAccount
from gateway.reports.class_report import SchoolReport
from gateway.reports.overview import Overview, OverviewLine
from homework.wording import Translate, called, counted, untimed_notice
from ui.language import translator

_NAMED = 20
"""So many places are named in one line."""


class LineView(NamedTuple):
    """A line of the start page."""

    key: str
    address: str
    class_name: str
    title: str
    sheets: str
    width: float
    pending: str


class OverviewView(NamedTuple):
    """The start page: reports by school, and what to do next when there is nothing."""

    groups: tuple[tuple[str, tuple[LineView, ...]], ...]
    next_steps: tuple[str, ...]


def overview_view(found: Overview, language: str, address: Callable[[str, str, str], str]) -> OverviewView:
    """The start page."""
    _ = translator(language).gettext
    groups: dict[str, list[LineView]] = defaultdict(list)
    for line in found.lines:
        groups[line.school].append(_line(line, address, _))
    steps: list[str] = []
    if not found.schools:
        steps.append(_("Add a school: classgate school add SCHOOL"))
    if not any(found.rosters.values()):
        steps.append(_("Bring in the class list: classgate import-roster FILE --school SCHOOL"))
    if not found.lines:
        steps.append(_("Enrol a box: classgate school enrol SCHOOL BOX --broker URL"))
        steps.append(_("Slide the first sheet under the camera; it appears here by itself."))
    return OverviewView(tuple((school, tuple(lines)) for school, lines in groups.items()), tuple(steps))


def notices(report: SchoolReport, language: str) -> tuple[tuple[str, str], ...]:
    """What needs a person: what is wrong, and what to do."""
    _ = translator(language).gettext
    found: list[tuple[str, str]] = []
    if report.assignment is None and report.sheets:
        found.append(
            (
                _("The worksheet's text has not come yet, so items show by their place."),
                _("It comes by itself once the box that has it is online."),
            )
        )
    strangers = [p for p in report.figures.pupils if not report.notes[p.pupil].matched]
    if strangers:
        found.append(
            (
                _("Sheets of pupils who are not in this class list: {n}.").format(n=len(strangers)),
                _("Check the seat number on the paper, or bring in the newest class list."),
            )
        )
    if report.unnamed:
        found.append(
            (
                _("Sheets whose seat number could not be read: {n}.").format(n=report.unnamed),
                _("Say whose they are in the classroom, under 待确认."),
            )
        )
    if report.untimed:
        found.append(untimed_notice(report, _))
    found += [_under_way(account, _) for account in report.accounts if account.under_way]
    asked = sum(account.asked + account.not_graded for account in report.accounts)
    if asked:
        found.append(
            (
                _("Sheets that wait in the classroom for somebody's word: {n}.").format(n=asked),
                _("Say whose they are in the classroom, under 待确认."),
            )
        )
    if report.second:
        names = _(", ").join(called(name, _) for name in report.second)
        found.append(
            (
                _("More than one different sheet came for: {names}. The first one counts.").format(names=names),
                _("Check whether a seat number was written wrongly."),
            )
        )
    return tuple(found)


def _under_way(account: BoxAccount, _: Translate) -> tuple[str, str]:
    places = _(", ").join(str(seat) if page == 1 else f"{seat} ({page})" for seat, page in account.under_way[:_NAMED])
    more = len(account.under_way) - _NAMED
    return (
        _("Still under way from box {box}: No. {places}.").format(
            box=account.box, places=places + (f" … +{more}" if more > 0 else "")
        ),
        _("They are kept on the box and come by themselves as soon as it has a network."),
    )


def _line(line: OverviewLine, address: Callable[[str, str, str], str], _: Translate) -> LineView:
    sheets = counted(_, line.pages, "{n} sheet", "{n} sheets")
    if line.size:
        sheets = _(", ").join([sheets, counted(_, line.size, "{n} pupil", "{n} pupils")])
    return LineView(
        key=f"{line.school}/{line.class_name}/{line.assignment}",
        address=address(line.school, line.class_name, line.assignment),
        class_name=line.class_name or _("Class unknown"),
        title=line.title or line.assignment,
        sheets=sheets,
        width=min(100.0, 100 * line.pages / line.size) if line.size else 100.0,
        pending=_("{n} to look at").format(n=line.pending) if line.pending else "",
    )
