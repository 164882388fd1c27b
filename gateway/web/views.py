"""What the pages show, in the reader's words: plain values for the templates, nothing left to compute there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import NamedTuple

from gateway.reports.class_report import ClassReport
from gateway.reports.overview import Overview, OverviewLine
from gateway.reports.wording import Translate, correct_of, counted, headline, item_label, percent, points_text
from homework.assignment import Item
from homework.statistics import ItemFigures, PupilFigures
from ui.language import translator


class Segment(NamedTuple):
    """A piece of a bar: its kind (`right`, `wrong`, `blank`), start and width in percent."""

    kind: str
    x: float
    width: float


class WrongView(NamedTuple):
    """A wrong answer, how many wrote it, and who."""

    text: str
    n: str
    names: str


class ItemView(NamedTuple):
    """One bar. `flag` is `wrong` (teach again), `ask` (watch: it may be chance) or empty."""

    key: str
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


class BandView(NamedTuple):
    """Pupils of a band of scores; `width` in percent of the fullest band."""

    label: str
    n: int
    width: float


class PupilView(NamedTuple):
    """A line of the pupils' table. `state` is `right`, `ask` or `blank`, with its words."""

    key: str
    seat: str
    name: str
    score: str
    wrong: str
    state: str
    state_text: str


class ReportView(NamedTuple):
    """The class report's page."""

    title: str
    class_name: str
    headline: str
    details: tuple[str, ...]
    notices: tuple[tuple[str, str], ...]
    items: tuple[ItemView, ...]
    reteach: tuple[ItemView, ...]
    bands: tuple[BandView, ...]
    missing: tuple[tuple[str, str], ...]
    pupils: tuple[PupilView, ...]
    handed_in: int
    size: int


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


def report_view(report: ClassReport, language: str) -> ReportView:
    """The page of a class report."""
    _ = translator(language).gettext
    figures = report.figures
    title = report.assignment.title if report.assignment else report.assignment_id
    items = _items(report, _)
    fullest = max((len(band.pupils) for band in figures.bands), default=0)
    missing = [p for p in figures.pupils if p.status == "missing"]
    return ReportView(
        title=title,
        class_name=report.class_name or _("Class unknown"),
        headline=headline(report, _),
        details=_details(report, _),
        notices=_notices(report, _),
        items=items,
        reteach=tuple(item for item in items if item.flag),
        bands=tuple(
            BandView(
                f"{band.low_percent}–{band.high_percent} %",
                len(band.pupils),
                100 * len(band.pupils) / fullest if fullest else 0,
            )
            for band in figures.bands
        )
        if figures.settled
        else (),
        missing=tuple((_seat(p.seat), p.name) for p in missing),
        pupils=tuple(_pupil(report, p, _) for p in figures.pupils),
        handed_in=figures.handed_in,
        size=figures.expected,
    )


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


def _details(report: ClassReport, _: Translate) -> tuple[str, ...]:
    figures = report.figures
    unsettled = (
        [_("sheets with answers still to look at: {n}").format(n=figures.unsettled)] if figures.unsettled else []
    )
    if not figures.settled:
        return tuple(unsettled)  # a mean of nothing is not shown; why there is none, is
    lines = []
    if report.max_score_hundredths:
        lines.append(_("out of {points} points").format(points=points_text(report.max_score_hundredths)))
    lines.append(
        _("{percent} % pass ({n})").format(percent=percent(figures.passing_n, figures.settled), n=figures.passing_n)
    )
    lines.append(_("{percent} % low ({n})").format(percent=percent(figures.low_n, figures.settled), n=figures.low_n))
    lines.append(
        _("highest {high}, lowest {low}").format(
            high=points_text(figures.highest_hundredths), low=points_text(figures.lowest_hundredths)
        )
    )
    return (*lines, *unsettled)


def _notices(report: ClassReport, _: Translate) -> tuple[tuple[str, str], ...]:
    """What needs a person: what is wrong, and what to do."""
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
    if report.second:
        names = _(", ").join(_called(name, _) for name in report.second)
        found.append(
            (
                _("More than one different sheet came for: {names}. The first one counts.").format(names=names),
                _("Check whether a seat number was written wrongly."),
            )
        )
    return tuple(found)


def _items(report: ClassReport, _: Translate) -> tuple[ItemView, ...]:
    about: dict[str, Item] = {item.id: item for item in report.assignment.items} if report.assignment else {}
    blank: Mapping[str, list[str]] = defaultdict(list)
    review: Mapping[str, list[str]] = defaultdict(list)
    for pupil in report.figures.pupils:
        for item_id in pupil.blank_items:
            blank[item_id].append(_called(pupil.name, _))
        for item_id in report.notes[pupil.pupil].review_items:
            review[item_id].append(_called(pupil.name, _))
    views = []
    section = ""
    for place, figures in enumerate(report.figures.items, 1):
        item = about.get(figures.item)
        heading = (item.section or "") if item else ""
        flag, flag_text = _flag(figures, _)
        views.append(
            ItemView(
                key=f"item-{place}",
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
                        text=w.text if w.blank is None or not item or item.blanks == 1 else f"({w.blank}) {w.text}",
                        n=counted(_, w.n, "{n} pupil", "{n} pupils"),
                        names=_(", ").join(_called(report.names[p], _) for p in w.pupils),
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
    if not figures.reteach:
        return "", ""
    return ("ask", _("watch")) if figures.borderline else ("wrong", _("teach again"))


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


def _pupil(report: ClassReport, pupil: PupilFigures, _: Translate) -> PupilView:
    note = report.notes[pupil.pupil]
    labels = {item.id: item_label(item.id, item) for item in report.assignment.items} if report.assignment else {}
    score = ""
    if pupil.score_hundredths is not None:
        score = f"{points_text(pupil.score_hundredths)} / {points_text(pupil.max_score_hundredths)}"
    if pupil.status == "missing":
        state, text = "blank", _("not handed in")
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
        name=_called(pupil.name, _),
        score=score,
        wrong="✗ " + "  ".join(labels.get(i, i) for i in pupil.wrong_items) if pupil.wrong_items else "",
        state=state,
        state_text=text,
    )


def _called(name: str, _: Translate) -> str:
    """A pupil's name; one that nobody knows goes by the seat or the pseudonym's beginning."""
    return _("seat {seat}").format(seat=name[1:]) if name.startswith("#") else name


def _seat(seat: int | None) -> str:
    return "" if seat is None else f"{seat:02d}"
