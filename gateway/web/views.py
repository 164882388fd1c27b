"""What a class report's page says of what needs a person, in the reader's words."""

from __future__ import annotations

from gateway.reports.accounts import BoxAccount
from gateway.reports.class_report import SchoolReport
from homework.wording import Translate, called, untimed_notice
from ui.language import translator

_NAMED = 20
"""So many places are named in one line."""


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
