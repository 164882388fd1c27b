"""What the pages of class lists show, in the reader's words: plain values for the templates."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple
from urllib.parse import quote

from gateway.rosters import ClassChange, Given
from gateway.store.past_lists import PastList
from homework.by_name import by_name
from homework.edited_lists import CHANGE_WORDS
from homework.pasted_roster import Change
from homework.roster import Pupil, Roster
from homework.wording import Translate, counted

_OPEN_AT_MOST = 3
"""So many classes are shown with all their pupils; of more, those that change."""
_FEW = 4


class ClassTile(NamedTuple):
    """A class on the first page of the lists."""

    name: str
    pupils: str
    address: str


class PastLine(NamedTuple):
    """A change that can be taken back."""

    number: int
    when: str
    classes: str


class LeftOutLine(NamedTuple):
    """What was not taken of a file."""

    file: str
    lines: str
    why: str


class PupilRow(NamedTuple):
    """A pupil in the preview. `change` is "" where nothing does."""

    seat: int
    name: str
    change: str


class ClassView(NamedTuple):
    """A class in the preview. `alarm`: nearly everybody would leave it, which is seldom meant."""

    name: str
    summary: str
    pupils: tuple[PupilRow, ...]
    gone: str
    moved_away: str
    alarm: bool
    open: bool


def tiles(roster: Roster, school: str, _: Translate) -> list[ClassTile]:
    """The classes, by name."""
    return [
        ClassTile(name, counted(_, len(pupils), "{n} pupil", "{n} pupils"), class_address(school, name))
        for name, pupils in sorted(roster.by_class().items(), key=lambda one: by_name(one[0]))
    ]


def rosters_address(school: str) -> str:
    """The address of a school's class lists."""
    return f"/schools/{quote(school, '')}/rosters"


def class_address(school: str, class_name: str) -> str:
    """The address of one class's list."""
    return f"{rosters_address(school)}/classes/{quote(class_name, '')}"


def past_lines(past: Iterable[PastList], _: Translate) -> list[PastLine]:
    """Changes that can be taken back, the newest first."""
    return [PastLine(one.number, moment(one.changed_ms), _(", ").join(sorted(one.classes))) for one in past]


def left_out_lines(given: Given, _: Translate) -> list[LeftOutLine]:
    """What was not taken, by file and line."""
    return [
        LeftOutLine(
            left.file,
            ", ".join(map(str, left.lines)) + (f" … ({left.times})" if left.times > len(left.lines) else ""),
            _(left.why),
        )
        for left in given.left_out
    ]


def class_views(changes: Sequence[ClassChange], _: Translate) -> list[ClassView]:
    """What would become of each class, those that change first."""
    few = len(changes) <= _OPEN_AT_MOST
    found = [_class_view(one, _, few=few) for one in changes]
    return sorted(found, key=lambda view: (not view.alarm, not view.open, view.name))


def summary_of(changes: Sequence[ClassChange], _: Translate) -> str:
    """One line for all of it; "" when nothing changes."""
    totals = [0] * len(_COUNTS)
    for one in changes:
        totals = [total + n for total, n in zip(totals, _counts(one), strict=True)]
    return _(", ").join(_(words).format(n=n) for words, n in zip(_COUNTS, totals, strict=True) if n)


def moment(unix_ms: int) -> str:
    """A moment in this machine's time, to the minute."""
    return datetime.fromtimestamp(unix_ms / 1000).astimezone().strftime("%Y-%m-%d %H:%M")


_COUNTS = ("{n} new", "{n} gone", "{n} on another seat or from another class", "{n} to another class", "{n} renamed")


def _counts(one: ClassChange) -> tuple[int, ...]:
    return (
        one.how_many(Change.NEW),
        len(one.gone),
        one.how_many(Change.MOVED),
        len(one.moved_away),
        one.how_many(Change.RENAMED),
    )


def _class_view(one: ClassChange, _: Translate, *, few: bool) -> ClassView:
    said = [_(words).format(n=n) for words, n in zip(_COUNTS, _counts(one), strict=True) if n]
    before = len(one.gone) + len(one.moved_away) + sum(change is not Change.NEW for _pupil, change in one.pupils)
    if one.is_new:
        said = [_("a new class")]
    elif not one.pupils:
        said = [_("nobody is left in it; it goes from the lists"), *said[:1]]
    return ClassView(
        name=one.name,
        summary=_(", ").join([counted(_, len(one.pupils), "{n} pupil", "{n} pupils"), *(said or [_("as before")])]),
        pupils=tuple(
            PupilRow(p.seat, p.name, "" if one.is_new or change is Change.SAME else _(CHANGE_WORDS[change]))
            for p, change in one.pupils
        ),
        gone=_named(one.gone, _),
        moved_away=_named(one.moved_away, _),
        alarm=len(one.gone) >= _FEW and len(one.gone) * 2 > before,
        open=few or (not one.is_new and bool(said)),
    )


def _named(pupils: Sequence[Pupil], _: Translate) -> str:
    return _(", ").join(f"{p.seat:02d} {p.name}" for p in pupils)
