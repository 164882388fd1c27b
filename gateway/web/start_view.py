"""The start page: doors to what a person's roles open, the latest homework, and what to do when there is nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple
from urllib.parse import urlencode

from gateway.reports.periods import day_at
from gateway.store.reading import Cursor, ReportLine
from gateway.store.stock import Begun
from gateway.web.chosen import Chosen
from gateway.web.words import day_text
from homework.wording import Translate, counted


class Door(NamedTuple):
    """A link to a page; a main one is large."""

    words: str
    address: str
    main: bool


class LineView(NamedTuple):
    """A class's homework."""

    key: str
    address: str
    class_name: str
    title: str
    day: str
    sheets: str
    width: float
    pending: str


class SchoolLines(NamedTuple):
    """The latest homework of a school. `earlier` leads to what came before."""

    school: str
    title: str
    lines: tuple[LineView, ...]
    earlier: str


class Step(NamedTuple):
    """What to do next: a page that does it, or (`address` "") words that say how."""

    words: str
    address: str = ""


class StartView(NamedTuple):
    """The page. `schools` are there where they are too many for doors. `welcome`: somebody came in for the first time;
    it leads to the second step at sign-in.
    """

    heading: str
    doors: tuple[Door, ...]
    groups: tuple[SchoolLines, ...]
    next_steps: tuple[Step, ...]
    schools: Chosen
    welcome: bool


def line_view(
    line: ReportLine, title: str | None, size: int, address: Callable[[str, str, str], str], _: Translate
) -> LineView:
    """A line: `title` None until the worksheet has come, `size` 0 without a class list."""
    sheets = counted(_, line.pages, "{n} sheet", "{n} sheets")
    if size:
        sheets = _(", ").join([sheets, counted(_, size, "{n} pupil", "{n} pupils")])
    return LineView(
        key=f"{line.school}/{line.class_name}/{line.assignment}",
        address=address(line.school, line.class_name, line.assignment),
        class_name=line.class_name or _("Class unknown"),
        title=title or line.assignment,
        day=day_text(day_at(line.last_ms)),
        sheets=sheets,
        width=min(100.0, 100 * line.pages / size) if size else 100.0,
        pending=_("{n} to look at").format(n=line.pending) if line.pending else "",
    )


def earlier_address(school: str, cursor: Cursor) -> str:
    """The start page with what came before."""
    place = {"school": school, "before": cursor.last_ms, "assignment": cursor.assignment, "class": cursor.class_name}
    return f"/?{urlencode(place)}"


def cursor_asked(query: Mapping[str, str]) -> Cursor | None:
    """The place that an address names; None for the newest, and for what is no place."""
    before = query.get("before", "")
    if not (before.isascii() and before.isdigit() and len(before) <= 15):
        return None
    return Cursor(int(before), query.get("assignment", ""), query.get("class", ""))


def next_steps(begun: Begun, lists: str, boxes: str, _: Translate) -> tuple[Step, ...]:
    """What whoever runs this should do before anything can be shown. `lists` and `boxes` are the pages that do it of
    the only school there is; "" where the reader may not open them, or there are several.
    """
    steps = []
    if not begun.schools:
        steps.append(Step(_("Add a school: classgate school add SCHOOL")))
    if not begun.pupils:
        by_hand = _("Bring in the class list: classgate import-roster FILE --school SCHOOL")
        steps.append(Step(_("Bring in the class list"), lists) if lists else Step(by_hand))
    if not begun.sheets:
        by_hand = _("Enrol a box: classgate school enrol SCHOOL BOX --broker URL")
        steps.append(Step(_("Enrol a box"), boxes) if boxes else Step(by_hand))
        steps.append(Step(_("Slide the first sheet under the camera; it appears here by itself.")))
    return tuple(steps)


def first_step(lists: str, _: Translate) -> Step:
    """What comes next at a school without sheets, for those who teach there; `lists` is where its class list is still
    to be brought in, "" where it is here or they may not.
    """
    if lists:
        return Step(_("First bring in the class list; then slide the first stack under the box's camera."), lists)
    return Step(_("Slide the first stack under the classroom's camera; what was graded appears here by itself."))
