"""What stands behind “more” of a class report: intervals, the S-P table and whose answers do not fit into it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from gateway.reports.class_report import SchoolReport
from homework.sp_chart import Fit, SPChart, item_rest, sp_chart
from homework.statistics import ItemFigures
from homework.wording import Translate, called, item_label, percent

_MOST_LOOKS = 5
"""More names than these, and nobody looks at any."""


class ItemMore(NamedTuple):
    """An item's figures. `low`, `at` and `high` are percent; None where there is no answer yet."""

    item: str
    label: str
    prompt: str
    right: str
    percent: str
    low: float | None
    at: float | None
    high: float | None
    interval: str
    rest: str
    caution: str
    notable: bool


class Cell(NamedTuple):
    """One answer in the S-P table: the sign, and the style's letters.

    `w`: wrong; `s`, `t`: the S curve runs right of it, below it; `q`, `p`: so does the P curve.
    """

    sign: str
    style: str


class SPRow(NamedTuple):
    """A pupil's row."""

    seat: str
    name: str
    cells: tuple[Cell, ...]
    right: str
    caution: str
    notable: bool


class SPView(NamedTuple):
    """The S-P table: items from the easiest, pupils from the one with most right."""

    items: tuple[tuple[str, str], ...]
    """What the sheet prints beside each, and the address of its page."""
    rows: tuple[SPRow, ...]
    right: tuple[int, ...]
    caution: tuple[tuple[str, bool], ...]


class MoreView(NamedTuple):
    """The page. `look_pupils` and `look_items` are those whose answers do not fit the others'."""

    items: tuple[ItemMore, ...]
    chart: SPView | None
    look_pupils: tuple[str, ...]
    look_items: tuple[str, ...]
    line_percent: int


def more_view(report: SchoolReport, addresses: Mapping[str, str], _: Translate) -> MoreView:
    """The page of a report; `addresses` leads from an item to its own page."""
    items = report.assignment.items if report.assignment is not None else ()
    labels = {item.id: item_label(item.id, item) for item in items}
    chart = sp_chart(report.results, items)
    fits = {fit.name: fit for fit in chart.items}
    return MoreView(
        items=tuple(_item(report, figures, fits.get(figures.item), chart) for figures in report.figures.items),
        chart=_chart(report, chart, labels, addresses, _) if chart.pupils and chart.items else None,
        look_pupils=tuple(called(report.names[fit.name], _) for fit in _strangest(chart.pupils)),
        look_items=tuple(labels.get(fit.name, fit.name) for fit in _strangest(chart.items)),
        line_percent=report.settings.thresholds.reteach,
    )


def _strangest(fits: Sequence[Fit]) -> list[Fit]:
    return sorted((fit for fit in fits if fit.notable), key=lambda fit: -(fit.caution or 0))[:_MOST_LOOKS]


def _item(report: SchoolReport, figures: ItemFigures, fit: Fit | None, chart: SPChart) -> ItemMore:
    about = report.assignment.item(figures.item) if report.assignment is not None else None
    interval = figures.interval
    rest = item_rest(chart, figures.item)
    return ItemMore(
        item=figures.item,
        label=item_label(figures.item, about),
        prompt=about.prompt if about is not None else "",
        right=f"{figures.correct}/{figures.n}",
        percent=f"{percent(figures.correct, figures.n)} %" if figures.n else "–",
        low=None if interval is None else round(100 * interval.low, 1),
        at=None if interval is None else round(100 * figures.correct / figures.n, 1),
        high=None if interval is None else round(100 * interval.high, 1),
        interval="–" if interval is None else f"{100 * interval.low:.0f}–{100 * interval.high:.0f} %",
        rest="–" if rest is None else _signed(rest),
        caution=_caution(fit),
        notable=fit is not None and fit.notable,
    )


def _chart(
    report: SchoolReport, chart: SPChart, labels: Mapping[str, str], addresses: Mapping[str, str], _: Translate
) -> SPView:
    seats = {pupil.pupil: pupil.seat for pupil in report.figures.pupils}
    rows = []
    for down, fit in enumerate(chart.pupils):
        seat = seats.get(fit.name)
        cells = [_cell(chart, down, across) for across in range(len(chart.items))]
        rows.append(
            SPRow(
                seat="" if seat is None else f"{seat:02d}",
                name=called(report.names[fit.name], _),
                cells=tuple(cells),
                right=f"{fit.correct}/{fit.n}",
                caution=_caution(fit),
                notable=fit.notable,
            )
        )
    return SPView(
        items=tuple((labels.get(fit.name, fit.name), addresses.get(fit.name, "")) for fit in chart.items),
        rows=tuple(rows),
        right=tuple(fit.correct for fit in chart.items),
        caution=tuple((_caution(fit), fit.notable) for fit in chart.items),
    )


def _cell(chart: SPChart, down: int, across: int) -> Cell:
    """A cell with the steps of both curves that run along it, and what joins one step to the next."""
    right = chart.cells[down][across]
    s, p = chart.s_line, chart.p_line
    next_s = s[down + 1] if down + 1 < len(s) else s[down]
    next_p = p[across + 1] if across + 1 < len(p) else p[across]
    letters = {
        "w": right is False,
        "s": across + 1 == s[down],
        "t": next_s <= across < s[down],
        "p": down + 1 == p[across],
        "q": next_p <= down < p[across],
    }
    sign = "" if right is None else "✓" if right else "✗"
    return Cell(sign, " ".join(letter for letter, is_so in letters.items() if is_so))


def _signed(value: float) -> str:
    return f"{round(value, 2) + 0.0:.2f}".replace("-", "−")


def _caution(fit: Fit | None) -> str:
    return "–" if fit is None or fit.caution is None else f"{fit.caution:.2f}"
