"""A class report in words: the sentence on top, and the text to copy. Takes the translator, returns text."""

from __future__ import annotations

from collections.abc import Callable

from gateway.reports.class_report import ClassReport
from homework.assignment import Item
from homework.statistics import ItemFigures

Translate = Callable[[str], str]


def points_text(hundredths: float | None) -> str:
    """A score with at most one decimal: 1720 → 17.2, 1700 → 17."""
    if hundredths is None:
        return "–"
    return f"{hundredths / 100:.1f}".removesuffix(".0")


def counted(_: Translate, n: int, one: str, many: str) -> str:
    """`many` filled in, or `one` when there is one of it."""
    return _(one if n == 1 else many).format(n=n)


def percent(part: int, whole: int) -> int:
    """A whole percentage, 0 for nothing of nothing."""
    return round(100 * part / whole) if whole else 0


def item_label(item_id: str, item: Item | None) -> str:
    """What the sheet prints beside the item."""
    return item.label if item is not None and item.label else item_id


def headline(report: ClassReport, _: Translate) -> str:
    """The class in one line: 45 人，交 41，平均 17.2，优秀率 63 %，3 题要再讲."""
    figures = report.figures
    parts = [counted(_, figures.expected, "{n} pupil", "{n} pupils")]
    if figures.handed_in == 0:
        return _(", ").join([*parts, _("nobody has handed in yet")])
    parts.append(_("{n} handed in").format(n=figures.handed_in))
    if figures.mean_hundredths is not None:
        parts.append(_("mean {mean}").format(mean=points_text(figures.mean_hundredths)))
        parts.append(_("{n} % excellent").format(n=percent(figures.excellent_n, figures.settled)))
    reteach = len(report.reteach)
    if figures.settled or reteach:
        parts.append(
            counted(_, reteach, "{n} item to teach again", "{n} items to teach again")
            if reteach
            else _("nothing to teach again")
        )
    return _(", ").join(parts)


def correct_of(figures: ItemFigures, _: Translate) -> str:
    """27/45 人对."""
    return _("{correct}/{n} right").format(correct=figures.correct, n=figures.n)


def report_text(report: ClassReport, _: Translate) -> str:
    """The report to paste into a message: no names and no scores, only seat numbers of who is missing."""
    title = report.assignment.title if report.assignment else report.assignment_id
    lines = [f"{report.class_name} · {title}", headline(report, _)]
    for item in report.figures.items:
        if item.reteach:
            about = report.assignment.item(item.item) if report.assignment else None
            prompt = f" {about.prompt}" if about else ""
            lines.append(f"  {item_label(item.item, about)}{prompt}  {correct_of(item, _)}")
    seats = [p.seat for p in report.figures.pupils if p.status == "missing" and p.seat is not None]
    if seats and report.figures.handed_in:
        lines.append(_("Not handed in: seats {seats}").format(seats=_(", ").join(f"{s:02d}" for s in seats)))
    return "\n".join(lines)
