"""A teacher's week, and a class's homework, in the reader's words: what came, and what waits for her."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import NamedTuple

from markupsafe import Markup

from gateway.reports.week import Week, WeekLine
from gateway.web.charts import ChartPoint, trend_chart
from gateway.web.words import day_text
from homework.wording import NO_BREAK, Translate, counted, percent
from ui.language import translator

_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


class HomeworkLine(NamedTuple):
    """One class's homework. `waits` are what somebody has to do: style and words."""

    address: str
    class_name: str
    title: str
    day: str
    handed_in: str
    percent: float
    rate: str
    waits: tuple[tuple[str, str], ...]


class WeekView(NamedTuple):
    """The week's page. `before` and `after` are Mondays."""

    title: str
    headline: str
    days: tuple[tuple[str, tuple[HomeworkLine, ...]], ...]
    before: str
    after: str


class ClassView(NamedTuple):
    """A class's page: its homework, the latest first, and how its shares of the points went."""

    headline: str
    chart: Markup
    lines: tuple[HomeworkLine, ...]


Address = Callable[[WeekLine], str]


def week_view(week: Week, language: str, *, address: Address) -> WeekView:
    """The week; a day without homework is not there."""
    _ = translator(language).gettext
    sunday = week.monday + timedelta(days=6)
    return WeekView(
        title=f"{day_text(week.monday)} – {day_text(sunday)}",
        headline=_headline(week.lines, _),
        days=tuple(
            (
                f"{_(_WEEKDAYS[day.day.weekday()])} {day_text(day.day)}",
                tuple(_line(one, address, _) for one in day.lines),
            )
            for day in week.days
            if day.lines
        ),
        before=(week.monday - timedelta(days=7)).isoformat(),
        after=(week.monday + timedelta(days=7)).isoformat(),
    )


def class_view(lines: Sequence[WeekLine], language: str, *, address: Address) -> ClassView:
    """The class; `lines` from the latest homework back."""
    _ = translator(language).gettext
    points = [
        ChartPoint(day_text(line.day), None if line.mean_rate is None else 100 * line.mean_rate)
        for line in reversed(lines)
    ]
    return ClassView(
        headline=_headline(lines, _),
        chart=trend_chart(points, says=_("Mean share of the points in each homework, from the oldest on")),
        lines=tuple(_line(line, address, _) for line in lines),
    )


def _headline(lines: Sequence[WeekLine], _: Translate) -> str:
    if not lines:
        return _("No homework yet.")
    parts = [counted(_, len(lines), "{n} piece of homework", "{n} pieces of homework")]
    pending, missing = sum(line.pending for line in lines), sum(line.missing for line in lines)
    reteach = sum(line.reteach for line in lines)
    if pending:
        parts.append(_("{n} to look at").format(n=pending))
    if missing:
        parts.append(counted(_, missing, "{n} sheet not handed in", "{n} sheets not handed in"))
    if reteach:
        parts.append(counted(_, reteach, "{n} item to teach again", "{n} items to teach again"))
    return _(", ").join(parts)


def _line(line: WeekLine, address: Address, _: Translate) -> HomeworkLine:
    whole = line.expected
    return HomeworkLine(
        address=address(line),
        class_name=line.class_name or _("Class unknown"),
        title=line.title,
        day=day_text(line.day),
        handed_in=f"{line.handed_in}/{whole}" if whole else str(line.handed_in),
        percent=min(100, percent(line.handed_in, whole)) if whole else 100,
        rate="" if line.mean_rate is None else f"{100 * line.mean_rate:.0f}{NO_BREAK}%",
        waits=tuple(_waits(line, _)),
    )


def _waits(line: WeekLine, _: Translate) -> list[tuple[str, str]]:
    waits = []
    if line.pending:
        waits.append(("ask", _("{n} to look at").format(n=line.pending)))
    if line.missing:
        waits.append(("blank", _("{n} not handed in").format(n=line.missing)))
    if line.reteach:
        waits.append(("wrong", counted(_, line.reteach, "{n} item to teach again", "{n} items to teach again")))
    if line.again_owes:
        waits.append(("ask", _("{n} to put right").format(n=line.again_owes)))
    return waits


def monday_asked(text: str | None, today: date) -> date:
    """The Monday of the week that an address names; of this one where it names none."""
    try:
        day = date.fromisoformat(text) if text else today
    except ValueError:
        day = today
    # At both ends of the calendar there is no week before and after.
    day = min(max(day, date(2000, 1, 3)), date(2999, 1, 7))
    return day - timedelta(days=day.weekday())
