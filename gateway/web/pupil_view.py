"""One pupil's page and slip, in the reader's words. Nobody is compared with anybody."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple

from markupsafe import Markup

from gateway.reports.pupil_report import PupilItem, PupilPoint, PupilReport, PupilSheet
from gateway.web.charts import ChartPoint, trend_chart
from gateway.web.words import VERDICT_STYLES, answer_text, as_of, day_text, subject_text
from homework.again import STATE_WORDS, AgainState
from homework.comments import Trend, proposed
from homework.grades import GRADE_WORDS, grade_of
from homework.knowledge import Level
from homework.lateness import Timing
from homework.report_settings import ReportSettings
from homework.results import VerdictKind
from homework.sheets.parents_slip import ParentsSlip, ParentsWords, TrendLine, TrendPoint, WeakPoint
from homework.wording import STATUS_WORDS, VERDICT_SIGNS, Translate, counted, percent, points_text
from ui.language import translator

OPENED = 6
"""So many sheets have all their items on the page; of older ones they are a click away."""
_ON_SLIP = 5
"""More knowledge points on a slip are read by nobody."""
LEVEL_WORDS = {
    Level.MASTERED: ("right", "mastered"),
    Level.FORMING: ("ask", "coming along"),
    Level.WEAK: ("wrong", "weak"),
    Level.TOO_FEW: ("blank", "too few answers"),
}
TREND_WORDS = {Trend.UP: "better than before", Trend.STEADY: "steady", Trend.DOWN: "more slips than before"}
_AGAIN_STYLES = {AgainState.DONE: "right", AgainState.OWES: "wrong", AgainState.STILL_WRONG: "wrong"}


class PupilItemView(NamedTuple):
    """逐题得失: one item. `now` is what became of it on a corrected sheet."""

    label: str
    prompt: str
    sign: str
    style: str
    wrote: str
    answer: str
    now: str
    explanation: str


class PupilSheetView(NamedTuple):
    """One homework. `items` is empty where it is not opened; then `opener` leads to the page with it open.

    `test` says of one that was not released that it is a test; `held_back` before whom nothing of it is shown.
    """

    key: str
    day: str
    title: str
    address: str
    score: str
    state: str
    state_style: str
    again: str
    again_style: str
    test: str
    held_back: bool
    signs: Markup
    items: tuple[PupilItemView, ...]
    opener: str
    shown: bool


class PointView(NamedTuple):
    """A knowledge point, with the sheets on which it went wrong: the day, the title, and where each stands."""

    name: str
    right: str
    percent: int
    style: str
    level: str
    where: tuple[tuple[str, str, str], ...]


class PupilPage(NamedTuple):
    """The page of a pupil. `points` are all there are, `weak` those that are weak."""

    name: str
    about: str
    headline: str
    facts: tuple[tuple[str, str], ...]
    chart: Markup
    sheets: tuple[PupilSheetView, ...]
    weak: tuple[PointView, ...]
    points: tuple[PointView, ...]
    comment: str
    comment_saved: str
    proposal: str
    as_of: str


def pupil_page(
    report: PupilReport,
    settings: ReportSettings,
    language: str,
    *,
    sheet_address: Callable[[PupilSheet], str],
    proposes: bool,
    opened: str | None = None,
) -> PupilPage:
    """The page, of a report that tells the items of the `OPENED` latest sheets and of the assignment that is `opened`.

    `sheet_address` leads to a sheet's class report ("" for who may not see it); `proposes`: a comment that nobody has
    saved is proposed to the reader.
    """
    _ = translator(language).gettext
    keys = {sheet.assignment: f"sheet-{place}" for place, sheet in enumerate(report.sheets, 1)}
    titles = {sheet.assignment: (day_text(sheet.day), sheet.title) for sheet in report.sheets}
    points = tuple(
        _point(point, keys, titles, _)._replace(name=name)
        for point, name in zip(report.points, _names(report.points, _), strict=True)
    )
    proposal = proposed(report.facts, _) if proposes else ""
    comment = report.comment.text if report.comment is not None else proposal
    return PupilPage(
        name=report.name,
        about=_about(report, _),
        headline=_headline(report, _),
        facts=_facts(report, _),
        chart=_chart(report, _),
        sheets=tuple(
            _sheet(
                sheet,
                report.states.get(sheet.assignment, ()),
                keys[sheet.assignment],
                settings,
                _,
                address=sheet_address(sheet),
                shown=sheet.assignment == opened,
            )
            for sheet in report.sheets
        ),
        weak=tuple(
            view for view, point in zip(points, report.points, strict=True) if point.mastery.level is Level.WEAK
        ),
        points=points,
        comment=comment,
        comment_saved=_("Saved {when}").format(when=as_of(report.comment.changed_ms)) if report.comment else "",
        proposal=proposal if comment != proposal else "",
        as_of=_("As of {when}").format(when=as_of(report.as_of_ms)) if report.as_of_ms else "",
    )


def parents_slip(report: PupilReport, language: str, *, summary: bool) -> ParentsSlip:
    """What the parents are handed at the meeting. `summary`: where no teacher has saved a comment, the one that would
    be proposed stands in its place, under a heading of its own that does not call it a teacher's.
    """
    _ = translator(language).gettext
    titles = {sheet.assignment: day_text(sheet.day) for sheet in report.sheets}
    saved = report.comment is not None
    comment = report.comment.text if report.comment is not None else proposed(report.facts, _) if summary else ""
    return ParentsSlip(
        name=report.name,
        about=_about(report, _),
        trend=_trend_lines(report, _),
        weak=tuple(
            WeakPoint(
                name=name,
                right=_right(point, _),
                percent=percent(point.mastery.correct, point.mastery.n),
                where=_(", ").join(dict.fromkeys(titles[w.assignment] for w in point.wrong if w.assignment in titles)),
            )
            for point, name in zip(report.weak[:_ON_SLIP], _names(report.weak[:_ON_SLIP], _), strict=True)
        ),
        lines=_facts(report, _),
        comment=comment,
        by_teacher=saved,
    )


def parents_words(language: str) -> ParentsWords:
    """The headings of the slips."""
    _ = translator(language).gettext
    return ParentsWords(
        language=language,
        trend=_("Homework by homework"),
        no_trend=_("No homework has been finished yet."),
        weak=_("To practise"),
        no_weak=_("No weak point stands out."),
        facts=_("Handing in"),
        comment=_("From the teacher"),
        summary=_("Summary made by rules"),
        signature=_("Parent's signature"),
    )


def _about(report: PupilReport, _: Translate) -> str:
    parts = [report.class_name, _("No. {seat}").format(seat=report.seat)]
    parts.append(f"{day_text(report.term.first)} – {day_text(report.term.last)}")
    return " · ".join(parts)


def _headline(report: PupilReport, _: Translate) -> str:
    if not report.sheets:
        return _("No homework yet in this term.")
    parts = [counted(_, len(report.sheets), "{n} piece of homework", "{n} pieces of homework")]
    if report.trend is not None:
        parts.append(_(TREND_WORDS[report.trend]))
    if report.weak:
        parts.append(counted(_, len(report.weak), "{n} weak point", "{n} weak points"))
    elif report.points:
        parts.append(_("no weak point"))
    return _(", ").join(parts)


def _facts(report: PupilReport, _: Translate) -> tuple[tuple[str, str], ...]:
    """Handed in, in time, late, missing; and what became of mistakes."""
    p = report.punctuality
    facts = []
    if p.expected:
        facts.append((_("handed in"), f"{p.expected - p.missing}/{p.expected}"))
    facts += [
        (_(words), str(n))
        for words, n in (("in time", p.in_time), ("handed in late", p.late), ("not handed in", p.missing))
        if n
    ]
    if p.excused:
        facts.append((_("on leave or exempt"), str(p.excused)))
    owes, done = report.facts.again_owes, report.facts.again_done
    if owes + done:
        facts.append((_("Corrections"), _("{done} of {n} put right").format(done=done, n=owes + done)))
    return tuple(facts)


def _chart(report: PupilReport, _: Translate) -> Markup:
    """A line a subject, each by its name where there are several: one through all would go up and down with them."""
    says = _("Share of the points in each homework, from the oldest on")
    by_subject = _chart_points(report)
    if len(by_subject) < 2:
        return Markup().join(trend_chart(points, says=says) for points in by_subject.values())
    return Markup().join(
        Markup("<h3>{}</h3>{}").format(subject_text(subject, _) or _("Other homework"), chart)
        for subject, points in by_subject.items()
        if (chart := trend_chart(points, says=says))
    )


def _trend_lines(report: PupilReport, _: Translate) -> tuple[TrendLine, ...]:
    """What the slip draws: a line for each subject of which anything is finished."""
    lines = (
        TrendLine(
            subject=subject_text(subject, _),
            points=tuple(
                TrendPoint(label=point.label, percent=point.value) for point in points if point.value is not None
            ),
        )
        for subject, points in _chart_points(report).items()
    )
    return tuple(line for line in lines if line.points)


def _chart_points(report: PupilReport) -> dict[str, list[ChartPoint]]:
    """By subject, in the order of their names: the sheets that came, from the oldest on."""
    found: dict[str, list[ChartPoint]] = defaultdict(list)
    for sheet in reversed(report.sheets):
        if sheet.status in ("handed-in", "late"):
            found[sheet.subject].append(
                ChartPoint(day_text(sheet.day), None if sheet.rate is None else 100 * sheet.rate)
            )
    return dict(sorted(found.items()))


def _point(point: PupilPoint, keys: dict[str, str], titles: dict[str, tuple[str, str]], _: Translate) -> PointView:
    style, word = LEVEL_WORDS[point.mastery.level]
    where = dict.fromkeys(wrong.assignment for wrong in point.wrong)
    return PointView(
        name=point.knowledge,
        right=_right(point, _),
        percent=percent(point.mastery.correct, point.mastery.n),
        style=style,
        level=_(word),
        where=tuple((*titles[name], f"#{keys[name]}") for name in where if name in keys),
    )


def _names(points: Sequence[PupilPoint], _: Translate) -> list[str]:
    """What each knowledge point is called: with its subject where there is more than one."""
    if len({point.subject for point in points}) < 2:
        return [point.knowledge for point in points]
    return [f"{point.knowledge} · {subject_text(point.subject, _)}" for point in points]


def _right(point: PupilPoint, _: Translate) -> str:
    return _("{correct}/{n} right answers").format(correct=point.mastery.correct, n=point.mastery.n)


def _sheet(
    sheet: PupilSheet,
    states: Sequence[VerdictKind | None],
    key: str,
    settings: ReportSettings,
    _: Translate,
    *,
    address: str,
    shown: bool,
) -> PupilSheetView:
    state, style = _state(sheet, _)
    closed = sheet.test and not sheet.released and sheet.status in ("handed-in", "late")
    again = sheet.again if sheet.again is not AgainState.NOTHING else None
    return PupilSheetView(
        key=key,
        day=day_text(sheet.day),
        title=sheet.title,
        address=address,
        score=_score(sheet, settings, _),
        state=state,
        state_style=style,
        again=_(STATE_WORDS[again]) if again is not None else "",
        again_style=_AGAIN_STYLES.get(again, "ask") if again is not None else "",
        test=_("Test, not released") if closed else "",
        held_back=closed and not states,
        signs=_signs(states),
        items=tuple([_item(item, _) for item in sheet.items]),
        opener=sheet.assignment if states and not sheet.items else "",
        shown=shown,
    )


def _state(sheet: PupilSheet, _: Translate) -> tuple[str, str]:
    if sheet.status in ("missing", "excused", "exempt"):
        return _(STATUS_WORDS[sheet.status]), "blank"
    if sheet.missing_pages:
        return _("page {pages} is missing").format(pages=", ".join(map(str, sheet.missing_pages))), "ask"
    if sheet.pending:
        return _("{n} to look at").format(n=sheet.pending), "ask"
    if sheet.status == "late":
        return _(STATUS_WORDS["late"]), "ask"
    return (_("not known when"), "") if sheet.timing is Timing.UNKNOWN else (_(STATUS_WORDS["handed-in"]), "right")


def _score(sheet: PupilSheet, settings: ReportSettings, _: Translate) -> str:
    if sheet.score_hundredths is None or not sheet.max_score_hundredths:
        return ""
    if settings.marks == "grades":
        if sheet.rate is None:
            return ""
        return _(GRADE_WORDS[grade_of(sheet.score_hundredths, sheet.max_score_hundredths, settings.scale)])
    return f"{points_text(sheet.score_hundredths)} / {points_text(sheet.max_score_hundredths)}"


def _signs(states: Sequence[VerdictKind | None]) -> Markup:
    """A sheet's items in a row. A term has two thousand of them: a template would take 5 ms for all."""
    return Markup("".join([_marked(state) for state in states]))  # noqa: S704 - each of them is escaped


@cache
def _marked(state: VerdictKind | None) -> Markup:
    sign, style = _sign(state)
    return Markup('<i class="{}">{}</i>').format(style, sign)


def _sign(state: VerdictKind | None) -> tuple[str, str]:
    return ("·", "blank") if state is None else (VERDICT_SIGNS[state], VERDICT_STYLES[state])


def _item(item: PupilItem, _: Translate) -> PupilItemView:
    sign, style = _sign(item.state)
    # Of several blanks nobody knows here which of them the item's verdict came from.
    kind = item.state if len(item.answers) == 1 else None
    wrote = _("; ").join(answer_text(text, kind, _) for text in item.answers)
    return PupilItemView(
        label=item.label,
        prompt=item.prompt,
        sign=sign,
        style=style,
        wrote=wrote,
        answer=_("; ").join(item.accepted) if item.state is not VerdictKind.CORRECT else "",
        now="" if item.now is None else VERDICT_SIGNS[item.now],
        explanation=(item.explanation or "") if item.state in (VerdictKind.WRONG, VerdictKind.BLANK) else "",
    )
