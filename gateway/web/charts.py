"""Charts that pygal draws as SVG on the server: they print, and their colours are the style sheet's.

Only what runs over time is drawn so. Parts of a whole are the bars of `_report_bar.html`, which the box has too.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any, NamedTuple
from xml.etree import ElementTree as ET

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
    return _line(tuple(points), says)


def columns_chart(points: Sequence[ChartPoint], *, says: str) -> Markup:
    """A column a point, from 0 up to the highest; empty where fewer than two have a value above 0."""
    highest = max((point.value or 0 for point in points), default=0)
    if sum(bool(point.value) for point in points) < 2:
        return Markup()
    return _bars(tuple(points), highest, says)


@lru_cache(maxsize=64)
def _line(points: tuple[ChartPoint, ...], says: str) -> Markup:
    levels = [{"value": level, "label": f"{level} %"} for level in (0, 50, 100)]
    line = _kind("Line")(**_LOOKS, range=(0, 100), y_labels=levels, allow_interruptions=True, dots_size=5)
    return _drawn(line, points, says)


@lru_cache(maxsize=64)
def _bars(points: tuple[ChartPoint, ...], highest: float, says: str) -> Markup:
    levels = [{"value": level, "label": f"{level:,.0f}"} for level in (0, highest)]
    return _drawn(_kind("Bar")(**_LOOKS, range=(0, highest), y_labels=levels, spacing=2), points, says)


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
