"""Charts that pygal draws as SVG on the server: they print, and their colours are the style sheet's.

Only what runs over time is drawn so. Parts of a whole are the bars of `_report_bar.html`, which the box has too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import cache, lru_cache
from itertools import groupby
from typing import Any, NamedTuple
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from markupsafe import Markup

_LABELLED = 6
"""So many dates stand below a chart; more run into each other on a phone."""
_APART = "\u2063"
_NOT_OURS = ("defs", "title", "desc")
"""pygal's own styles and script, and what it tells that script of every dot: our pages allow neither, and the table
beside the chart has every number."""
_LOOKS: dict[str, Any] = {
    "width": 640,
    "height": 220,
    "margin": 16,
    "margin_left": 56,
    "margin_right": 40,
    "show_legend": False,
    "no_prefix": True,
    "disable_xml_declaration": True,
    "js": (),
    "css": (),
    "truncate_label": -1,
    "show_minor_x_labels": False,
}


class ChartPoint(NamedTuple):
    """A place on the chart, from left to right: what stands below it, and how high; None leaves a gap."""

    label: str
    value: float | None


def trend_chart(points: Sequence[ChartPoint], *, says: str) -> Markup:
    """A line from 0 to 100 % with a dot a point, as the markup of an SVG; empty where fewer than two have a value.

    `says` tells it in words to who does not see it.
    """
    if sum(point.value is not None for point in points) < 2:
        return Markup()
    return _line_frame(len(points)).with_points(points, says=says)


def columns_chart(points: Sequence[ChartPoint], *, says: str) -> Markup:
    """A column a point, from 0 up to the highest; empty where fewer than two have a value above 0."""
    highest = max((point.value or 0 for point in points), default=0)
    if sum(bool(point.value) for point in points) < 2:
        return Markup()
    return _columns_frame(len(points), len(_whole(highest))).with_points(points, highest, says=says)


class _LineFrame(NamedTuple):
    """What pygal draws of a line of so many points: its markup round what differs, and where it puts a value.

    `parts` stand before the words for who does not see the chart, before each label (of the places `labelled`), before
    the line, before the dots, and after them.
    """

    parts: tuple[str, ...]
    labelled: range
    x: tuple[float, ...]
    y: Callable[[float], float]

    def with_points(self, points: Sequence[ChartPoint], *, says: str) -> Markup:
        """The markup of these points, to the sign what pygal makes of them."""
        at = [
            None if point.value is None else (x, self.y(point.value)) for x, point in zip(self.x, points, strict=True)
        ]
        dots = [_DOT.format(*place) for place in at if place is not None]
        words = [_attribute(says), *[escape(points[place].label) for place in self.labelled]]
        return _put_in(self.parts, [*words, _serie(_runs(at)), _serie(dots)])


_HERE = "\ue000"
"""Stands where something is put in."""
_SERIE = re.compile('<g class="series serie-0 color-0">(<path [^>]*/>|(<g class="dots">.*?</g>)*)</g>')
_DOT = '<g class="dots"><circle cx="{}" cy="{}" r="5" class="dot reactive tooltip-trigger" /></g>'


@lru_cache(maxsize=256)
def _line_frame(n: int) -> _LineFrame:
    """To have pygal draw a line takes 3 ms, nearly all for what is the same whatever the values are."""
    line = _line_of_pygal()
    markup = _drawn(line, [ChartPoint(_HERE, 50)] * n, _HERE)
    return _LineFrame(
        parts=tuple(_SERIE.sub(_HERE, markup).split(_HERE)),
        labelled=_labelled(n),
        x=tuple([line.view.x(place / (n - 1)) for place in range(n)]),
        y=line.view.y,
    )


def line_drawn_by_pygal(points: Sequence[ChartPoint], *, says: str) -> Markup:
    """The same chart without the frame that is kept: what `trend_chart` is held against."""
    return _drawn(_line_of_pygal(), points, says)


def _line_of_pygal() -> Any:
    levels = [{"value": level, "label": f"{level} %"} for level in (0, 50, 100)]
    return _kind("Line")(**_LOOKS, range=(0, 100), y_labels=levels, allow_interruptions=True, dots_size=5)


def _runs(at: Iterable[tuple[float, float] | None]) -> list[str]:
    """A line over each run of two values and more."""
    found = []
    for there, places in groupby(at, key=lambda place: place is not None):
        first, *others = ["{:f} {:f}".format(*place) for place in places if place is not None] or [""]
        if there and others:
            found.append(f'<path d="M{first} L{" ".join(others)}" class="line reactive nofill" />')
    return found


def _serie(nodes: Sequence[str]) -> str:
    inside = "".join(nodes)
    return f'<g class="series serie-0 color-0">{inside}</g>' if inside else '<g class="series serie-0 color-0" />'


@lru_cache(maxsize=64)
def _attribute(text: str) -> str:
    return ET.tostring(ET.Element("a", {"a": text}), encoding="unicode")[len('<a a="') : -len('" />')]


class _ColumnsFrame(NamedTuple):
    """The same of columns, with the guides at 0 and at the highest, which stand a hair otherwise for each height."""

    parts: tuple[str, ...]
    labelled: range
    x: tuple[float, ...]
    width: float
    size: tuple[float, float]
    margin: float

    def with_points(self, points: Sequence[ChartPoint], highest: float, *, says: str) -> Markup:
        """The markup of these points, the highest of which is known, to the sign what pygal makes of them."""
        from pygal.view import Box, View  # noqa: PLC0415 - see `_kind`

        box = Box(0, 0, 1, highest)
        box.margin = self.margin
        y = View(*self.size, box).y
        bottom = y(0)
        columns = [
            _COLUMN.format(x, (top := y(point.value)), self.width, bottom - top)
            for x, point in zip(self.x, points, strict=True)
            if point.value is not None
        ]
        guides = [
            word
            for level, at in ((0, bottom), (highest, y(highest)))
            for word in (f"{at:f}", str(at + _TEXT_BELOW), _whole(level))
        ]
        labels = [escape(points[place].label) for place in self.labelled]
        return _put_in(self.parts, [_attribute(says), *guides, *labels, "".join(columns)])


_COLUMN = (
    '<g class="column"><rect x="{}" y="{}" rx="0" ry="0" width="{}" height="{}"'
    ' class="rect reactive tooltip-trigger" /></g>'
)
_COLUMNS = re.compile('(?<=<g class="bars">)(<g class="column">.*?</g>)+')
_GUIDE = re.compile(
    r'(?<=<path d="M0\.000000 )[\d.]+( h[\d.]+" class="[^"]*" /><text x="-5" y=")[\d.]+(" class="">)[^<]*'
)
_TEXT_BELOW = 0.35 * 10
"""How far below its guide pygal begins to write: a part of the size of its letters."""


@lru_cache(maxsize=256)
def _columns_frame(n: int, digits: int) -> _ColumnsFrame:
    """By how many signs the highest has: so wide is what stands beside the columns."""
    highest = 10 ** (_digits(digits) - 1)
    chart = _columns_of_pygal(highest)
    markup = _COLUMNS.sub(_HERE, _drawn(chart, [ChartPoint(_HERE, highest)] * n, _HERE))
    view = chart.view
    each = (view.x(1) - view.x(0)) / n
    within = each - 2 * (each * _BESIDE)
    return _ColumnsFrame(
        parts=tuple(_GUIDE.sub(rf"{_HERE}\1{_HERE}\2{_HERE}", markup).split(_HERE)),
        labelled=_labelled(n),
        x=tuple([view.x(place / n) + each * _BESIDE + within * _BESIDE for place in range(n)]),
        width=within - 2 * (within * _BESIDE),
        size=(view.width, view.height),
        margin=view.box.margin,
    )


_BESIDE = 0.06
"""What pygal leaves empty on either side of a column, twice."""


def _digits(signs: int) -> int:
    """Of a number with so many signs, some of which part thousands."""
    return signs - signs // 4


def _whole(value: float) -> str:
    return f"{value:,.0f}"


def columns_drawn_by_pygal(points: Sequence[ChartPoint], *, says: str) -> Markup:
    """What `columns_chart` is held against."""
    return _drawn(_columns_of_pygal(max(point.value or 0 for point in points)), points, says)


def _columns_of_pygal(highest: float) -> Any:
    levels = [{"value": level, "label": _whole(level)} for level in (0, highest)]
    return _kind("Bar")(**_LOOKS, range=(0, highest), y_labels=levels, spacing=2)


def _put_in(parts: Sequence[str], words: Sequence[str]) -> Markup:
    """The parts of a frame with a word after each but the last."""
    pieces = [piece for pair in zip(parts, words, strict=False) for piece in pair]
    return Markup("".join([*pieces, parts[-1]]))  # noqa: S704 - pygal has escaped its parts, and each word is


@cache
def _kind(name: str) -> type[Any]:
    """A chart of pygal's by that name, without what costs it two thirds of its time and is on no page of ours."""
    import pygal  # noqa: PLC0415 - 50 ms that only a page with a chart takes

    class Ours(getattr(pygal, name)):  # type: ignore[misc]
        # pygal looks for every attribute in a state of its own first, so that a chart can be drawn again. One of ours
        # is drawn once: what would be in the state becomes its own.
        __getattribute__ = object.__getattribute__

        def __setattr__(self, attribute: str, value: Any) -> None:
            if attribute == "state" and value is not None:
                self.__dict__.update(value.__dict__)
                value.__dict__ = self.__dict__
            object.__setattr__(self, attribute, value)

        def _tooltip_data(self, *_: object, **__: object) -> None:
            """What pygal's script would be told of every dot."""

    Ours.__name__ = name  # the style of a graph is called so
    return Ours


def _drawn(chart: Any, points: Sequence[ChartPoint], says: str) -> Markup:
    # pygal finds labels by their text, and two homeworks may be of one day: a number tells them apart.
    chart.x_labels = [f"{point.label}{_APART}{place}" for place, point in enumerate(points)]
    chart.x_labels_major = [chart.x_labels[place] for place in _labelled(len(points))]
    chart.add("", [point.value for point in points])
    root: ET.Element = chart.render_tree()
    _keep_ours(root)
    for node in root.iter():
        if node.tag == "text":
            node.text = (node.text or "").partition(_APART)[0]
        if node.attrib.get("class") == "bar":
            node.attrib["class"] = "column"  # the bar of our pages is another, which is not printed
    root.attrib.pop("id", None)
    root.attrib |= {"class": "chart", "role": "img", "aria-label": says}
    return Markup(ET.tostring(root, encoding="unicode"))  # noqa: S704 - ElementTree has escaped every text


def _labelled(n: int) -> range:
    """The places that get a date: evenly apart, and the last always."""
    step = max(1, -(-n // _LABELLED))
    return range((n - 1) % step, n, step)


def _keep_ours(element: ET.Element) -> None:
    for child in list(element):
        kind = child.attrib.get("class", "")
        of_script = "text-overlay" in kind or "tooltip-overlay" in kind
        if not isinstance(child.tag, str) or child.tag in _NOT_OURS or of_script:
            element.remove(child)
        else:
            _keep_ours(child)
