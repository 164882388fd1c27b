"""What a school and a district see, in the reader's words: one sentence, one chart and one table a question.

No pupil's name, no teacher, and no order of who is best: schools and classes go by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, timedelta
from heapq import nsmallest
from typing import NamedTuple
from urllib.parse import urlencode

from markupsafe import Markup

from gateway.reports.figures import (
    Activity,
    Adoption,
    ClassDay,
    DayLoad,
    DistrictFigures,
    Freshness,
    PointCell,
    PointLine,
    SchoolFigures,
    SchoolLine,
    State,
)
from gateway.reports.periods import monday_of
from gateway.web.charts import ChartPoint, columns_chart
from gateway.web.words import as_of, day_text, grade_text, subject_text
from homework.by_name import by_name
from homework.wording import Translate, counted, percent
from ui.language import translator

_FEW = 10
"""So many knowledge points stand on the page of all questions; the others are one click away."""
_NAMED = 3
"""So many are named in its sentence."""
STATE_WORDS = {
    State.COMPLETE: ("right", "complete"),
    State.BEHIND: ("ask", "sheets under way"),
    State.UNTOLD: ("ask", "sheets not counted yet"),
    State.SILENT: ("late", "not heard lately"),
    State.NOTHING: ("late", "nothing has come"),
}
Go = Callable[[str], str]
"""Leads from a school's or a class's id to its page; "" for who may not go there."""


class GradeLine(NamedTuple):
    """How much homework a grade did: classes that did of all, homework, sheets; `percent` of the classes."""

    name: str
    classes: str
    homework: str
    sheets: str
    percent: int


class SchoolRow(NamedTuple):
    """A school in the district's list, by name: how fresh its data is, and how much there is. `late`: it lags."""

    name: str
    address: str
    style: str
    state: str
    under_way: str
    as_of: str
    counts: GradeLine
    late: bool


class PointPart(NamedTuple):
    """A knowledge point in one class or school."""

    name: str
    address: str
    right: str
    percent: int | None


class PointsView(NamedTuple):
    """A knowledge point over all, and its parts; where those are left out, `opener` leads to them."""

    name: str
    about: str
    right: str
    percent: int | None
    parts: tuple[PointPart, ...]
    opener: str
    shown: bool


class LoadCell(NamedTuple):
    """A day of a class, or of a grade's classes. `style` is `over`, `part` (not all subjects), or empty."""

    text: str
    note: str
    style: str


class LoadRow(NamedTuple):
    """A class's or a grade's week."""

    name: str
    address: str
    cap: str
    cells: tuple[LoadCell | None, ...]


class LoadView(NamedTuple):
    """A week of homework in minutes. `before` and `after` are Mondays to go to."""

    days: tuple[str, ...]
    rows: tuple[LoadRow, ...]
    before: str
    after: str


class FiguresPage(NamedTuple):
    """The page of a school or of the district. Each question has its sentence, its chart and its table; those that are
    not on the page have nothing.
    """

    title: str
    term: str
    as_of: str
    headline: str
    hidden: str
    schools: tuple[SchoolRow, ...] = ()
    adoption_says: str = ""
    adoption: tuple[GradeLine, ...] = ()
    activity: Markup = Markup()
    activity_rows: tuple[tuple[str, str, str], ...] = ()
    points_say: str = ""
    points: tuple[PointsView, ...] = ()
    more_points: int = 0
    load_says: str = ""
    load: LoadView = LoadView(days=(), rows=(), before="", after="")


def school_page(
    figures: SchoolFigures, language: str, *, today: date, week: date | None = None, go: Go, part: str = ""
) -> FiguresPage:
    """The page of a school, or of its `part` alone: `adoption`, `knowledge` (with all points, not the weakest alone) or
    `load`. `week` is any day of the week whose load is shown (the latest with homework).
    """
    _ = translator(language).gettext
    page = FiguresPage(
        title=figures.title or figures.school,
        term=_term(figures.term.first, figures.term.last),
        as_of=_as_of(figures.freshness.as_of_ms, _),
        headline=_school_headline(figures.freshness, _),
        hidden=_hidden(figures.hidden, _),
    )
    page = _with_adoption(page, figures, part, _)
    if part in ("", "knowledge"):
        page = _with_points(page, figures.points, part, lambda line: _points(line, {}, go, None, _), _)
    if part in ("", "load"):
        monday = monday_of(week or max([day.day for day in figures.days], default=today))
        page = page._replace(
            load_says=_class_load_says([day for day in figures.days if monday_of(day.day) == monday], _),
            load=_class_load(figures.days, monday, go, _),
        )
    return page


def district_page(
    figures: DistrictFigures,
    language: str,
    *,
    today: date,
    week: date | None = None,
    go: Go,
    part: str = "",
    opened: str | None = None,
) -> FiguresPage:
    """The page of the district, or of its `part` (see `school_page`; `freshness` has the schools). The schools of a
    knowledge point are there of `opened` alone.
    """
    _ = translator(language).gettext
    titles = {line.school: line.title or line.school for line in figures.schools}
    page = FiguresPage(
        title=_("District"),
        term=_term(figures.term.first, figures.term.last),
        as_of=_as_of(figures.as_of_ms, _),
        headline=_district_headline(figures, _),
        hidden=_hidden(figures.left_out, _),
    )
    page = _with_adoption(page, figures, part, _)
    if part in ("", "knowledge"):
        page = _with_points(
            page, figures.points, part, lambda line: _points(line, titles, go, _way_to(line, opened), _), _
        )
    if part in ("", "load"):
        monday = monday_of(week or max([load.day for load in figures.load], default=today))
        page = page._replace(
            load_says=_grade_load_says([load for load in figures.load if monday_of(load.day) == monday], _),
            load=_grade_load(figures.load, monday, _),
        )
    if part in ("", "freshness"):
        by_title = sorted(figures.schools, key=lambda line: by_name(titles[line.school]))
        page = page._replace(schools=tuple([_school(line, titles[line.school], go, _) for line in by_title]))
    return page


def _with_adoption(page: FiguresPage, figures: SchoolFigures | DistrictFigures, part: str, _: Translate) -> FiguresPage:
    if part not in ("", "adoption"):
        return page
    return page._replace(
        adoption_says=_adoption_says(figures.adoption, _),
        adoption=tuple([_grade(one, _) for one in figures.adoption]),
        activity=_activity_chart(figures.activity, _),
        activity_rows=_activity_rows(figures.activity, _),
    )


def _with_points(
    page: FiguresPage, lines: Sequence[PointLine], part: str, view: Callable[[PointLine], PointsView], _: Translate
) -> FiguresPage:
    weakest = _weakest(lines)
    shown = lines if part else weakest
    return page._replace(
        points_say=_points_say(weakest, _),
        points=tuple([view(line) for line in shown]),
        more_points=len(lines) - len(shown),
    )


# --- sentences ----------------------------------------------------------------------------------------------


def _term(first: date, last: date) -> str:
    return f"{first.year}/{day_text(first)} – {last.year}/{day_text(last)}"


def _as_of(when_ms: int | None, _: Translate) -> str:
    return _("As of {when}").format(when=as_of(when_ms)) if when_ms else _("Nothing was heard yet")


def _school_headline(fresh: Freshness, _: Translate) -> str:
    match fresh.state:
        case State.COMPLETE:
            return _("Everything that was slid is here.")
        case State.BEHIND:
            return counted(_, fresh.under_way, "{n} sheet is still under way.", "{n} sheets are still under way.")
        case State.UNTOLD:
            return _("No box has said yet how many sheets it has, so nobody knows whether all are here.")
        case State.SILENT:
            return _("No box was heard lately: there may be more than stands here.")
        case State.NOTHING:
            return _("Nothing has come from this school yet.")


def _district_headline(figures: DistrictFigures, _: Translate) -> str:
    all_schools = len(figures.schools)
    parts = [
        _("{n} of {all} schools are complete").format(n=figures.complete, all=all_schools),
        *(
            [counted(_, figures.behind, "{n} has sheets under way", "{n} have sheets under way")]
            if figures.behind
            else []
        ),
    ]
    if figures.untold:
        parts.append(
            counted(_, figures.untold, "{n} has not counted its sheets yet", "{n} have not counted their sheets yet")
        )
    if figures.silent:
        parts.append(counted(_, figures.silent, "{n} was not heard lately", "{n} were not heard lately"))
    if figures.nothing:
        parts.append(_("nothing has come from {n}").format(n=figures.nothing))
    return _(", ").join(parts)


def _adoption_says(adoption: Sequence[Adoption], _: Translate) -> str:
    classes, active = sum(one.classes for one in adoption), sum(one.active for one in adoption)
    if not classes:
        return _("There is no class list yet.")
    homework = sum(one.assignments for one in adoption)
    return _("{active} of {classes} classes handed in, {homework} in all.").format(
        active=active, classes=classes, homework=counted(_, homework, "{n} piece of homework", "{n} pieces of homework")
    )


def _points_say(weakest: Sequence[PointLine], _: Translate) -> str:
    """`weakest` goes from the weakest on, of those that are told."""
    if not weakest:
        return _("There is too little yet to say anything.")
    return _("Weakest: {points}.").format(points=_(", ").join(line.whole.name for line in weakest[:_NAMED]))


def _class_load_says(days: Sequence[ClassDay], _: Translate) -> str:
    judged = [day for day in days if day.over is not None]
    if not days:
        return _("No homework in this week.")
    if not judged:
        return _("Not all subjects are in, so nothing is judged against the limit.")
    over = sum(bool(day.over) for day in judged)
    return _("{over} of {n} days of classes with all subjects were over the limit.").format(over=over, n=len(judged))


def _grade_load_says(load: Sequence[DayLoad], _: Translate) -> str:
    if not load:
        return _("No homework in this week.")
    judged = sum(one.judged for one in load)
    if not judged:
        return _("Not all subjects are in, so nothing is judged against the limit.")
    over = sum(one.over for one in load)
    return _("{over} of {n} days of classes with all subjects were over the limit.").format(over=over, n=judged)


def _hidden(n: int, _: Translate) -> str:
    if not n:
        return ""
    return counted(
        _,
        n,
        "{n} figure is not shown: of fewer than ten pupils, or one that would give such a figure away.",
        "{n} figures are not shown: of fewer than ten pupils, or such that would give one away.",
    )


# --- lines --------------------------------------------------------------------------------------------------


def _school(line: SchoolLine, title: str, go: Go, _: Translate) -> SchoolRow:
    fresh = line.freshness
    style, words = STATE_WORDS[fresh.state]
    return SchoolRow(
        name=title,
        address=go(line.school),
        style=style,
        state=_(words),
        under_way=str(fresh.under_way) if fresh.under_way else "",
        as_of=as_of(fresh.as_of_ms) if fresh.as_of_ms else "–",
        counts=_counts(title, line, _),
        late=fresh.state in (State.SILENT, State.NOTHING),
    )


def _grade(one: Adoption, _: Translate) -> GradeLine:
    return _counts(grade_text(one.grade, _), one, _)


def _counts(name: str, one: Adoption | SchoolLine, _: Translate) -> GradeLine:
    sheets = "–"  # without homework nothing is hidden: there is nothing
    if one.assignments:
        hidden = one.handed_in is None or one.expected is None
        sheets = _("not shown") if hidden else f"{one.handed_in}/{one.expected}" if one.expected else "–"
    return GradeLine(
        name=name,
        classes=f"{one.active}/{one.classes}" if one.classes else "–",
        homework=str(one.assignments),
        sheets=sheets,
        percent=percent(one.active, one.classes),
    )


def _weakest(lines: Sequence[PointLine]) -> list[PointLine]:
    # Shares of up to ten millions are the same, or one is less, as the quotients are; to compare fractions takes thirty
    # times as long.
    rates = [
        (whole.correct / whole.n, place)
        for place, line in enumerate(lines)
        if (whole := line.whole).n and whole.correct is not None
    ]
    return [lines[place] for _, place in nsmallest(_FEW, rates)]


def _way_to(line: PointLine, opened: str | None) -> str | None:
    """Where the district's schools on a point are told: on a page of its subject and grade; None for right here."""
    if line.whole.name == opened or line.grade is None:
        return None
    query = urlencode({"subject": line.subject, "grade": line.grade, "point": line.whole.name})
    return f"/district/knowledge?{query}#opened"


def _points(line: PointLine, titles: Mapping[str, str], go: Go, elsewhere: str | None, _: Translate) -> PointsView:
    """A point with its parts; where they stand `elsewhere`, with the way there."""
    return PointsView(
        name=line.whole.name,
        about=" · ".join((subject_text(line.subject, _), grade_text(line.grade, _))),
        right=_cell_text(line.whole, _),
        percent=_cell_percent(line.whole),
        parts=tuple(
            PointPart(title, go(part.name), _cell_text(part, _), _cell_percent(part))
            for title, part in sorted(
                [(titles.get(part.name, part.name), part) for part in (() if elsewhere else line.parts)],
                key=lambda pair: by_name(pair[0]),
            )
        ),
        opener=elsewhere or "",
        shown=elsewhere is None and bool(titles),
    )


def _cell_text(cell: PointCell, _: Translate) -> str:
    if cell.correct is None or cell.n is None:
        return _("not shown")
    return _("{correct}/{n} right answers").format(correct=cell.correct, n=cell.n)


def _cell_percent(cell: PointCell) -> int | None:
    return percent(cell.correct, cell.n) if cell.correct is not None and cell.n else None


# --- a week of homework -------------------------------------------------------------------------------------


def _class_load(days: Iterable[ClassDay], monday: date, go: Go, _: Translate) -> LoadView:
    week = _week(monday)
    found = {(day.class_name, day.day): day for day in days}
    inside = sorted({day.class_name for day in found.values() if day.day in week}, key=by_name)
    caps = {day.class_name: day.cap_min for day in found.values()}
    rows = tuple(
        LoadRow(name, go(name), _cap(caps[name], _), tuple(_class_cell(found.get((name, day)), _) for day in week))
        for name in inside
    )
    return _load(week, rows, {day.day for day in found.values()})


def _class_cell(day: ClassDay | None, _: Translate) -> LoadCell | None:
    if day is None:
        return None
    notes = [_("estimated")] if day.estimated else []
    if not day.complete:
        notes.append(_(", ").join(subject_text(subject, _) for subject in day.subjects))
    return LoadCell(
        text=_("{n} min").format(n=day.minutes),
        note=_(", ").join(notes),
        style="over" if day.over else "" if day.complete else "part",
    )


def _grade_load(load: Iterable[DayLoad], monday: date, _: Translate) -> LoadView:
    week = _week(monday)
    found = {(one.grade, one.day): one for one in load}
    inside = sorted({one.grade for one in found.values() if one.day in week}, key=lambda grade: grade or 0)
    rows = tuple(
        LoadRow(grade_text(grade, _), "", "", tuple(_grade_cell(found.get((grade, day)), _) for day in week))
        for grade in inside
    )
    return _load(week, rows, {one.day for one in found.values()})


def _grade_cell(one: DayLoad | None, _: Translate) -> LoadCell | None:
    if one is None:
        return None
    notes = [_("{over} of {n} over").format(over=one.over, n=one.judged)] if one.judged else [_("not judged")]
    if one.estimated:
        notes.append(_("estimated"))
    return LoadCell(
        text=_("{n} min").format(n=round(one.minutes)),
        note=_(", ").join(notes),
        style="over" if one.over else "" if one.judged else "part",
    )


def _cap(cap_min: int | None, _: Translate) -> str:
    return "" if cap_min is None else _("limit {n} min").format(n=cap_min)


def _week(monday: date) -> tuple[date, ...]:
    return tuple(monday + timedelta(days=day) for day in range(7))


def _load(week: tuple[date, ...], rows: tuple[LoadRow, ...], known: set[date]) -> LoadView:
    """Saturday and Sunday stand there only where there was homework."""
    kept = [place for place in range(7) if place < 5 or any(row.cells[place] is not None for row in rows)]
    earlier = [monday_of(day) for day in known if day < week[0]]
    later = [monday_of(day) for day in known if day > week[6]]
    return LoadView(
        days=tuple(day_text(week[place]) for place in kept),
        rows=tuple(row._replace(cells=tuple(row.cells[place] for place in kept)) for row in rows),
        before=max(earlier).isoformat() if earlier else "",
        after=min(later).isoformat() if later else "",
    )


def _activity_chart(days: Sequence[Activity], _: Translate) -> Markup:
    points = [ChartPoint(day_text(day.day), day.handed_in) for day in sorted(days, key=lambda one: one.day)]
    return columns_chart(points, says=_("Sheets handed in, day by day"))


def _activity_rows(days: Sequence[Activity], _: Translate) -> tuple[tuple[str, str, str], ...]:
    return tuple(
        (
            day_text(day.day),
            str(day.classes),
            _("not shown") if day.handed_in is None else str(day.handed_in),
        )
        for day in sorted(days, key=lambda one: one.day, reverse=True)
    )
