"""A class report on its way to paper: the view of the page, put into what the typesetter takes."""

from __future__ import annotations

import time

from gateway.reports.class_report import SchoolReport
from homework.sheets.report import ReportBar, ReportList, ReportSheet, ReportTable
from homework.wording import Translate
from ui.language import translator
from ui.report_view import ItemView, ReportView

_WRONG = 3
"""So many wrong answers stand beside an item."""


_APART = "\N{EM SPACE}"
"""Between an item's number and a question that may begin with a number: “3 31 × 2” is read as a sum of its own."""


def report_paper(report: SchoolReport, view: ReportView, language: str) -> ReportSheet:
    """What is printed of a report."""
    _ = translator(language).gettext
    return ReportSheet(
        language=language,
        title=f"{view.class_name} · {view.title}",
        headline=view.headline,
        details=view.details,
        notices=tuple(f"{what} {remedy}" for what, remedy in view.notices),
        items_heading=_("Item by item"),
        line_percent=view.line_percent,
        items=tuple(_bar(item) for item in view.items),
        lists=tuple(one for one in _lists(view, _) if one.lines),
        tables=(_pupils(view, _),) if view.pupils else (),
        foot=_("As of {when}").format(when=as_of(report.updated_ms)) if report.updated_ms else "",
    )


def as_of(when_ms: int) -> str:
    """A moment in this machine's zone, to the minute."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(when_ms / 1000))


def _bar(item: ItemView) -> ReportBar:
    widths = {part.kind: part.width for part in item.bar}
    return ReportBar(
        section=item.section,
        label=item.label,
        prompt=item.prompt,
        right_percent=widths.get("right", 0.0),
        blank_percent=widths.get("blank", 0.0),
        wrong_percent=widths.get("wrong", 0.0),
        right=item.right,
        flag=item.flag_text,
        wrong=tuple((answer.text, answer.n) for answer in item.wrong[:_WRONG]),
    )


def _lists(view: ReportView, _: Translate) -> list[ReportList]:
    seats = _(", ")
    missing = seats.join(f"{seat} {name}" for seat, name in view.missing)
    away = seats.join(f"{seat} {name} ({why})" for seat, name, why in view.absent)
    late = seats.join(f"{seat} {name}" for seat, name in view.late)
    return [
        ReportList(
            heading=_("To teach again"),
            lines=tuple((f"{item.label}{_APART}{item.prompt}", item.right) for item in view.reteach),
        ),
        ReportList(
            heading=_("Same mistake"),
            lines=tuple((f"{group.label}{_APART}{group.prompt} ✗ {group.text}", group.names) for group in view.groups),
        ),
        ReportList(
            heading=f"{_('Not handed in')} {len(view.missing)}",
            lines=tuple(line for line in (("", missing), ("", away), (_("Handed in late:"), late)) if line[1]),
        ),
        ReportList(
            heading=_("Grades") if view.grades else _("Score bands"),
            lines=tuple((band.label, str(band.n)) for band in view.bands),
        ),
    ]


def _pupils(view: ReportView, _: Translate) -> ReportTable:
    return ReportTable(
        heading=_("Pupil by pupil"),
        columns=(_("Seat"), _("Name"), view.score_heading, _("Wrong items"), _("State")),
        numbers=(0, 2),
        rows=tuple(
            (
                pupil.seat,
                pupil.name,
                pupil.score,
                pupil.wrong,
                " · ".join(t for t in (pupil.state_text, pupil.late) if t),
            )
            for pupil in view.pupils
        ),
    )
