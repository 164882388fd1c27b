"""A class report as its page shows it, in the reader's words: plain values, nothing left to compute in a template."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple

from homework.assignment import Item
from homework.class_report import ClassReport, same_error_groups
from homework.grades import GRADE_WORDS, grade_counts
from homework.statistics import ItemFigures, PupilFigures, SubmissionStatus
from homework.wording import (
    STATUS_WORDS,
    Translate,
    called,
    correct_of,
    counted,
    details,
    headline,
    item_label,
    score_text,
    timing_text,
)
from ui.language import translator

AnswerKey = tuple[str, int | None, str]
"""What names a wrong answer in a report: item, blank (None where order is free), text."""


class Segment(NamedTuple):
    """A piece of a bar: its kind (`right`, `wrong`, `blank`), start and width in percent."""

    kind: str
    x: float
    width: float


class WrongView(NamedTuple):
    """A wrong answer, how many wrote it, and who."""

    key: AnswerKey
    text: str
    n: str
    names: str


class ItemView(NamedTuple):
    """One bar. `flag` is `wrong` (teach again), `ask` (watch: it may be chance) or empty."""

    key: str
    item: str
    section: str
    label: str
    prompt: str
    answer: str
    right: str
    asked: str
    bar: tuple[Segment, ...]
    counts: str
    flag: str
    flag_text: str
    wrong: tuple[WrongView, ...]
    blank_names: str
    review_names: str
    range_text: str


class GroupView(NamedTuple):
    """Pupils who made the same mistake in an item that most got right."""

    item: str
    label: str
    prompt: str
    text: str
    names: str


class BandView(NamedTuple):
    """Pupils of a band of scores, or of a grade; `width` in percent of the fullest one."""

    label: str
    n: int
    width: float


class PupilView(NamedTuple):
    """A line of the pupils' table. `state` is `right`, `ask` or `blank`, with its words; `late` 补交 or 时间不详."""

    key: str
    seat: str
    name: str
    score: str
    wrong: str
    state: str
    state_text: str
    late: str


class ReportView(NamedTuple):
    """The class report's page."""

    title: str
    class_name: str
    headline: str
    details: tuple[str, ...]
    notices: tuple[tuple[str, str], ...]
    items: tuple[ItemView, ...]
    reteach: tuple[ItemView, ...]
    groups: tuple[GroupView, ...]
    bands: tuple[BandView, ...]
    missing: tuple[tuple[str, str], ...]
    absent: tuple[tuple[str, str, str], ...]
    late: tuple[tuple[str, str], ...]
    pupils: tuple[PupilView, ...]
    handed_in: int
    size: int
    grades: bool
    score_heading: str
    line_percent: int


def report_view(report: ClassReport, language: str, *, notices: tuple[tuple[str, str], ...] = ()) -> ReportView:
    """The page of a class report. `notices` are (what is wrong, what to do)."""
    _ = translator(language).gettext
    figures = report.figures
    items = _items(report, _)
    labels = {item.id: item_label(item.id, item) for item in report.assignment.items} if report.assignment else {}
    grades = report.settings.marks == "grades"
    return ReportView(
        title=report.title,
        class_name=report.class_name or _("Class unknown"),
        headline=headline(report, _),
        details=details(report, _),
        notices=notices,
        items=items,
        reteach=tuple(item for item in items if item.flag),
        groups=_groups(report, items, _),
        bands=_bands(report, _) if figures.settled else (),
        missing=_seats(figures.pupils, "missing"),
        absent=tuple(
            (*seat, _(STATUS_WORDS[status]))
            for status in ("excused", "exempt")
            for seat in _seats(figures.pupils, status)
        ),
        late=_seats(figures.pupils, "late"),
        pupils=tuple(_pupil(report, p, labels, _) for p in figures.pupils),
        handed_in=figures.handed_in,
        size=figures.expected,
        grades=grades,
        score_heading=_("Grade") if grades else _("Score"),
        line_percent=report.settings.thresholds.reteach,
    )


def _seats(pupils: tuple[PupilFigures, ...], status: SubmissionStatus) -> tuple[tuple[str, str], ...]:
    return tuple((_seat(p.seat), p.name) for p in pupils if p.status == status)


def _bands(report: ClassReport, _: Translate) -> tuple[BandView, ...]:
    figures = report.figures
    if report.settings.marks == "grades":
        counts = grade_counts(figures.pupils, report.settings.scale)
        named = [(_(GRADE_WORDS[grade]), n) for grade, n in counts.items()]
    else:
        named = [(f"{band.low_percent}–{band.high_percent} %", len(band.pupils)) for band in figures.bands]
    fullest = max((n for _label, n in named), default=0)
    return tuple(BandView(label, n, 100 * n / fullest if fullest else 0) for label, n in named)


def _groups(report: ClassReport, items: tuple[ItemView, ...], _: Translate) -> tuple[GroupView, ...]:
    shown = {figures.item: view for figures, view in zip(report.figures.items, items, strict=True)}
    return tuple(
        GroupView(
            item=shown[group.item].key,
            label=shown[group.item].label,
            prompt=shown[group.item].prompt,
            text=group.answer.text,
            names=_(", ").join(called(report.names[pupil], _) for pupil in group.pupils),
        )
        for group in same_error_groups(report.figures)
    )


def _items(report: ClassReport, _: Translate) -> tuple[ItemView, ...]:
    about: dict[str, Item] = {item.id: item for item in report.assignment.items} if report.assignment else {}
    blank: Mapping[str, list[str]] = defaultdict(list)
    review: Mapping[str, list[str]] = defaultdict(list)
    for pupil in report.figures.pupils:
        for item_id in pupil.blank_items:
            blank[item_id].append(called(pupil.name, _))
        for item_id in report.notes[pupil.pupil].review_items:
            review[item_id].append(called(pupil.name, _))
    views = []
    section = ""
    for place, figures in enumerate(report.figures.items, 1):
        item = about.get(figures.item)
        heading = (item.section or "") if item else ""
        flag, flag_text = _flag(figures, _)
        views.append(
            ItemView(
                key=f"item-{place}",
                item=figures.item,
                section=heading if heading != section else "",
                label=item_label(figures.item, item),
                prompt=item.prompt if item else "",
                answer=_accepted(item),
                right=correct_of(figures, _) if figures.n else _("no answers yet"),
                asked=f"? {figures.review}" if figures.review else "",
                bar=_bar(figures),
                counts=f"✓ {figures.correct}  ✗ {figures.wrong}  – {figures.blank}  ? {figures.review}",
                flag=flag,
                flag_text=flag_text,
                wrong=tuple(
                    WrongView(
                        key=(figures.item, w.blank, w.text),
                        text=w.text if w.blank is None or not item or item.blanks == 1 else f"({w.blank}) {w.text}",
                        n=counted(_, w.n, "{n} pupil", "{n} pupils"),
                        names=_(", ").join(called(report.names[p], _) for p in w.pupils),
                    )
                    for w in figures.common_wrong
                ),
                blank_names=_(", ").join(blank[figures.item]),
                review_names=_(", ").join(review[figures.item]),
                range_text=_range(figures, _),
            )
        )
        section = heading
    return tuple(views)


def _flag(figures: ItemFigures, _: Translate) -> tuple[str, str]:
    if figures.borderline:
        return "ask", _("watch")
    return ("wrong", _("teach again")) if figures.reteach else ("", "")


def _bar(figures: ItemFigures) -> tuple[Segment, ...]:
    """Of the answers that are decided, so that the 60 % line stands where the figures say."""
    segments = []
    x = 0.0
    for kind, n in (("right", figures.correct), ("blank", figures.blank), ("wrong", figures.wrong)):
        if n:
            width = 100 * n / figures.n
            segments.append(Segment(kind, round(x, 3), round(width, 3)))
            x += width
    return tuple(segments)


def _range(figures: ItemFigures, _: Translate) -> str:
    if figures.interval is None:
        return ""
    return _("With {n} answers, chance alone allows {low} to {high} %.").format(
        n=figures.n, low=round(100 * figures.interval.low), high=round(100 * figures.interval.high)
    )


def _accepted(item: Item | None) -> str:
    if item is None:
        return ""
    return "; ".join(" / ".join(blank) for blank in item.rule.accepted if blank)


def _pupil(report: ClassReport, pupil: PupilFigures, labels: Mapping[str, str], _: Translate) -> PupilView:
    note = report.notes[pupil.pupil]
    if pupil.status in ("missing", "excused", "exempt"):
        state, text = "blank", _(STATUS_WORDS[pupil.status])
    elif not note.matched:
        state, text = "ask", _("not in this class list")
    elif note.missing_pages:
        state, text = "ask", _("page {pages} is missing").format(pages=", ".join(map(str, note.missing_pages)))
    elif pupil.pending:
        state, text = "ask", _("{n} to look at").format(n=pupil.pending)
    else:
        state, text = "right", _("handed in")
    return PupilView(
        key=f"pupil-{pupil.pupil}",
        seat=_seat(pupil.seat),
        name=called(pupil.name, _),
        score=score_text(pupil, report.settings, _),
        wrong="✗ " + "  ".join(labels.get(i, i) for i in pupil.wrong_items) if pupil.wrong_items else "",
        state=state,
        state_text=text,
        late=timing_text(pupil, note, _),
    )


def _seat(seat: int | None) -> str:
    return "" if seat is None else f"{seat:02d}"
