"""One pupil over a term: what is weak and on which sheets it showed, progress, punctuality, each sheet item by item.

It compares a pupil with nobody: no rank, no place in the class. Of a test whose results were not released the pupil and
the parents see nothing but that it was handed in (`Sees`).
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import tzinfo
from typing import NamedTuple

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.keys import Vault
from gateway.reports.comments import StoredComment, stored_comment
from gateway.reports.periods import Term, start_ms
from gateway.reports.pupil_desk import Desk, Line, PupilItem, PupilSheet, of_class, with_items
from gateway.store.absences import absences_of_pupil
from gateway.store.reading import pupil_pages
from gateway.store.schools import KnownPupil, pupils_named
from homework.again import AgainState
from homework.comments import CommentFacts, Trend
from homework.knowledge import Level, Mastery, mastery, weakest_first
from homework.lateness import Timing
from homework.load import subject_of
from homework.progress import trend
from homework.results import VerdictKind

__all__ = [
    "EVERYTHING",
    "FAMILY",
    "Opened",
    "Punctuality",
    "PupilItem",
    "PupilPoint",
    "PupilReport",
    "PupilSheet",
    "Sees",
    "Where",
    "pupil_report",
]


class Where(msgspec.Struct, frozen=True, gc=False):
    """An item of a sheet on which a knowledge point was answered wrongly."""

    assignment: str
    item: str


class PupilPoint(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A knowledge point of a subject, what the pupil's answers say, and the wrong ones, the latest first."""

    subject: str
    knowledge: str
    mastery: Mastery
    wrong: tuple[Where, ...]


class Punctuality(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Of `expected` sheets: in time, late (补交), handed in at a time nobody knows or without a due time, missing.

    请假 and 免做 are in none of them; `excused` counts both.
    """

    expected: int
    in_time: int
    late: int
    unknown: int
    missing: int
    excused: int


class PupilReport(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A pupil in a term, for one subject or (None) all. `name` comes from the school's own roster.

    `sheets` go from the latest back; `points` by what is weakest, those with too few answers last. `trend` is the
    pupil's own, None while there are too few sheets. `facts` are what a proposed comment is made of
    (`homework.comments.proposed`); `comment` is what stands already. `states` are those of the items of each sheet, by
    assignment and in the order of `PupilSheet.items`, also where those were not asked for.
    """

    school: str
    pupil: bytes
    pupil_id: str
    name: str
    seat: int
    class_name: str
    term: Term
    subject: str | None
    sheets: tuple[PupilSheet, ...]
    states: Mapping[str, tuple[VerdictKind | None, ...]]
    points: tuple[PupilPoint, ...]
    punctuality: Punctuality
    trend: Trend | None
    facts: CommentFacts
    comment: StoredComment | None
    as_of_ms: int | None

    @property
    def weak(self) -> tuple[PupilPoint, ...]:
        """薄弱点: the points of which it can be said that they are weak."""
        return tuple(point for point in self.points if point.mastery.level == "weak")


class Sees(NamedTuple):
    """What of a pupil somebody may see: the sheets of these `subjects` (None: all), and of those that are tests in
    the subjects `unreleased` (None: all) also what was not released.
    """

    subjects: frozenset[str] | None
    unreleased: frozenset[str] | None

    def tells(self, sheet: PupilSheet) -> bool:
        """Whether it may be told how the sheet went, and not only that it came."""
        if not sheet.test or sheet.released:
            return True
        return self.unreleased is None or sheet.subject in self.unreleased


class Opened(NamedTuple):
    """Of which sheets all items are told: so many of the `latest`, and `also` that assignment's."""

    latest: int
    also: str | None = None

    def among(self, lines: Sequence[Line]) -> set[str]:
        """The assignments of those, of the lines from the latest back."""
        return {line.sheet.assignment for line in lines[: self.latest]} | ({self.also} if self.also else set())


EVERYTHING = Sees(subjects=None, unreleased=None)
FAMILY = Sees(subjects=None, unreleased=frozenset())


_AT_A_STRETCH = 16
"""So many sheets are put together before others who wait for a page have their turn: all of a term take long."""


async def pupil_report(
    connection: AsyncConnection,
    vault: Vault,
    school: str,
    pupil: bytes,
    *,
    term: Term,
    subject: str | None = None,
    sees: Sees = EVERYTHING,
    opened: Opened | None = None,
    zone: tzinfo | None = None,
    known: KnownPupil | None = None,
) -> PupilReport | None:
    """The pupil of that pseudonym; None for one whom the school's list does not have.

    What the class had comes from its summaries, so a piece of homework of which no sheet of this pupil is there shows
    some seconds after the class's first. The items of all sheets are told, or of those that are `opened`. `known` is
    the pupil of the list, who need not be asked for again. Raises `ClassboxError` for no such school.
    """
    if known is None:
        listed = await pupils_named(connection, vault, school, {pupil})
        if not listed:
            return None
        known = listed[0]
    who = known.pupil
    desk = Desk(
        who,
        await pupil_pages(connection, school, pupil, since_ms=start_ms(term.first, zone)),
        await of_class(connection, school, who.class_name, term),
    )
    await desk.read(connection, school)
    absences = await absences_of_pupil(connection, school, pupil)
    wanted = None if subject is None else subject_of(subject)
    lines: list[Line] = []
    for place, name in enumerate(desk.names(), start=1):
        line = desk.line(name, absences.get(name), zone=zone)
        if (
            line is not None
            and term.first <= line.sheet.day <= term.last
            and wanted in (None, line.sheet.subject)
            and (sees.subjects is None or line.sheet.subject in sees.subjects)
        ):
            lines.append(line)
        if place % _AT_A_STRETCH == 0:
            await asyncio.sleep(0)
    lines.sort(key=lambda line: (line.sheet.day, line.sheet.assignment), reverse=True)
    punctuality = _punctuality([line.sheet for line in lines])
    await asyncio.sleep(0)
    shown = [line if sees.tells(line.sheet) else _held_back(line) for line in lines]
    told = [line for line in shown if line.blanks]
    whole = {line.sheet.assignment for line in told} if opened is None else opened.among(shown)
    points = _points(told)
    direction = trend([mark for line in reversed(told) if (mark := desk.mark(line.sheet)) is not None])
    sheets = [line.sheet for line in shown]
    return PupilReport(
        school=school,
        pupil=pupil,
        pupil_id=who.pupil_id,
        name=who.name,
        seat=who.seat,
        class_name=who.class_name,
        term=term,
        subject=wanted,
        sheets=tuple(await with_items(connection, school, shown, whole)),
        states={line.sheet.assignment: tuple(line.states.values()) for line in shown},
        points=points,
        punctuality=punctuality,
        trend=direction,
        facts=CommentFacts(
            expected=punctuality.expected,
            handed_in=punctuality.expected - punctuality.missing,
            late=punctuality.late,
            strong=_named(reversed(points), Level.MASTERED),
            weak=_named(points, Level.WEAK),
            trend=direction,
            again_owes=sum(sheet.again in (AgainState.OWES, AgainState.STILL_WRONG) for sheet in sheets),
            again_done=sum(sheet.again is AgainState.DONE and sheet.attempts > 1 for sheet in sheets),
        ),
        comment=await stored_comment(connection, vault, school, pupil, term),
        as_of_ms=max((row.booked.received_ms for row in desk.rows), default=None),
    )


def _held_back(line: Line) -> Line:
    """A test before its results are released: that it was handed in, and nothing of how it went."""
    sheet = msgspec.structs.replace(
        line.sheet, score_hundredths=None, max_score_hundredths=None, rate=None, pending=0, again=None, attempts=0
    )
    return Line(sheet, blanks={}, states={}, known={}, again=None)


def _points(lines: Sequence[Line]) -> tuple[PupilPoint, ...]:
    """By what is weakest over all subjects. `lines` go from the latest back."""
    correct, blank, review, is_wrong = VerdictKind.CORRECT, VerdictKind.BLANK, VerdictKind.REVIEW, VerdictKind.WRONG
    # Of two thousand items nearly all are of few points: they are counted by what they are about, and opened once.
    counted: dict[str, dict[tuple[str, ...], list[int]]] = {}
    wrong: dict[tuple[str, str], list[Where]] = defaultdict(list)
    for line in lines:
        subject, about = line.sheet.subject, line.known
        counts = counted.setdefault(subject, {})
        for name, state in line.states.items():
            if state is None or state is review:  # no answer
                continue
            points = about.get(name, ())
            count = counts.get(points)
            if count is None:
                count = counts[points] = [0, 0]
            count[1] += 1
            if state is correct:
                count[0] += 1
            elif state is is_wrong or state is blank:
                for point in dict.fromkeys(points):
                    wrong[subject, point].append(Where(line.sheet.assignment, name))
    known = {
        (subject, point): mastery(*count)
        for subject, counts in counted.items()
        for point, count in _sums(counts).items()
    }
    return tuple(
        [
            PupilPoint(subject=name[0], knowledge=name[1], mastery=known[name], wrong=tuple(wrong.get(name, ())))
            for name in weakest_first(known)
        ]
    )


def _sums(counts: Mapping[tuple[str, ...], Sequence[int]]) -> dict[str, list[int]]:
    """Right answers and all answers by point (`homework.knowledge.of_states`, of many that are alike at once)."""
    sums: dict[str, list[int]] = {}
    for points, (correct, n) in counts.items():
        for point in dict.fromkeys(points):
            count = sums.setdefault(point, [0, 0])
            count[0] += correct
            count[1] += n
    return sums


def _named(points: Iterable[PupilPoint], level: Level) -> tuple[str, ...]:
    return tuple(point.knowledge for point in points if point.mastery.level is level)


def _punctuality(sheets: Sequence[PupilSheet]) -> Punctuality:
    there = [sheet for sheet in sheets if sheet.status in ("handed-in", "late")]
    missing = sum(sheet.status == "missing" for sheet in sheets)
    late = sum(sheet.timing is Timing.LATE for sheet in there)
    in_time = sum(sheet.timing is Timing.IN_TIME for sheet in there)
    return Punctuality(
        expected=len(there) + missing,
        in_time=in_time,
        late=late,
        unknown=len(there) - in_time - late,
        missing=missing,
        excused=len(sheets) - len(there) - missing,
    )
