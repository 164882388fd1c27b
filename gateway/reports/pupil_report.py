"""One pupil over a term: what is weak and on which sheets it showed, progress, punctuality, each sheet item by item.

It compares a pupil with nobody: no rank, no place in the class. Of a test whose results were not released the pupil and
the parents see nothing but that it was handed in (`Sees`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, tzinfo
from typing import NamedTuple

import msgspec
from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.keys import Vault
from gateway.reports.comments import StoredComment, stored_comment
from gateway.reports.graded import all_graded
from gateway.reports.periods import Term, day_number, day_numbered, start_ms
from gateway.reports.summaries import homework_day
from gateway.store.absences import absences_of_pupil
from gateway.store.boots import Made, places
from gateway.store.pages import PageRow
from gateway.store.reading import assignments_named, layouts_named, pupil_pages
from gateway.store.releases import released
from gateway.store.schools import pupils_named
from gateway.store.tables.summaries import class_summaries
from homework.absences import STATUS, Absence, timing_of
from homework.again import AgainState, Attempt, PupilAgain, again_of
from homework.assignment import Assignment, Item
from homework.class_report import missing_pages, pupil_line
from homework.comments import CommentFacts, Trend
from homework.knowledge import Level, Mastery, mastery, of_states, weakest_first
from homework.lateness import Span, Timing, due_ms, pupil_timing, timing_within
from homework.layout import SheetLayout
from homework.load import subject_of
from homework.progress import Mark, trend
from homework.results import ItemResult, PageRecord, VerdictKind
from homework.roster import Pupil
from homework.statistics import PupilResult, SubmissionStatus, item_state
from homework.wording import item_label


class PupilItem(msgspec.Struct, frozen=True, kw_only=True):
    """逐题得失: one item of one sheet. `state` None: left alone (B or C), or read and not judged.

    `answers` are what stands on the paper, blank by blank ("" nothing, None not readable), `accepted` one right answer
    each, where the assignment is at hand; `now` is the state on the newest corrected sheet, None without one.
    """

    item: str
    label: str
    prompt: str
    knowledge: tuple[str, ...]
    state: VerdictKind | None
    now: VerdictKind | None
    answers: tuple[str | None, ...]
    accepted: tuple[str, ...]
    score_hundredths: int | None
    max_score_hundredths: int | None
    explanation: str | None
    video: str | None


class PupilSheet(msgspec.Struct, frozen=True, kw_only=True):
    """One assignment that this pupil's class had. `rate` (0..1) is None while anything of it is open or missing.

    `again` is how far its mistakes are put right (订正), None where no corrected sheet of the
    class ever came.
    `attempts` counts how often a sheet came. `test` and not `released`: families do not see it.
    """

    assignment: str
    title: str
    subject: str
    class_name: str
    day: date
    status: SubmissionStatus
    timing: Timing | None
    score_hundredths: int | None
    max_score_hundredths: int | None
    rate: float | None
    pending: int
    missing_pages: tuple[int, ...]
    again: AgainState | None
    attempts: int
    test: bool
    released: bool
    items: tuple[PupilItem, ...]


class Where(msgspec.Struct, frozen=True):
    """An item of a sheet on which a knowledge point was answered wrongly."""

    assignment: str
    item: str


class PupilPoint(msgspec.Struct, frozen=True, kw_only=True):
    """A knowledge point of a subject, what the pupil's answers say, and the wrong ones, the latest first."""

    subject: str
    knowledge: str
    mastery: Mastery
    wrong: tuple[Where, ...]


class Punctuality(msgspec.Struct, frozen=True, kw_only=True):
    """Of `expected` sheets: in time, late (补交), handed in at a time nobody knows or without a due time, missing.

    请假 and 免做 are in none of them; `excused` counts both.
    """

    expected: int
    in_time: int
    late: int
    unknown: int
    missing: int
    excused: int


class PupilReport(msgspec.Struct, frozen=True, kw_only=True):
    """A pupil in a term, for one subject or (None) all. `name` comes from the school's own roster.

    `sheets` go from the latest back; `points` by what is weakest, those with too few answers last. `trend` is the
    pupil's own, None while there are too few sheets. `facts` are what a proposed comment is made of
    (`homework.comments.proposed`); `comment` is what stands already.
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


EVERYTHING = Sees(subjects=None, unreleased=None)
FAMILY = Sees(subjects=None, unreleased=frozenset())


async def pupil_report(
    connection: AsyncConnection,
    vault: Vault,
    school: str,
    pupil: bytes,
    *,
    term: Term,
    subject: str | None = None,
    sees: Sees = EVERYTHING,
    zone: tzinfo | None = None,
) -> PupilReport | None:
    """The pupil of that pseudonym; None for one whom the school's list does not have.

    What the class had comes from its summaries, so a piece of homework of which no sheet of this pupil is there shows
    some seconds after the class's first. Raises `ClassboxError` for no such school.
    """
    known = await pupils_named(connection, vault, school, {pupil})
    if not known:
        return None
    who = known[0].pupil
    desk = _Desk(
        who,
        await pupil_pages(connection, school, pupil, since_ms=start_ms(term.first, zone)),
        await _of_class(connection, school, who.class_name, term),
    )
    await desk.read(connection, school)
    absences = await absences_of_pupil(connection, school, pupil)
    wanted = None if subject is None else subject_of(subject)
    sheets = [
        sheet
        for name in desk.names()
        if (sheet := desk.sheet(name, absences.get(name), zone=zone)) is not None
        and term.first <= sheet.day <= term.last
        and wanted in (None, sheet.subject)
        and (sees.subjects is None or sheet.subject in sees.subjects)
    ]
    sheets.sort(key=lambda sheet: (sheet.day, sheet.assignment), reverse=True)
    shown = [sheet if sees.tells(sheet) else _held_back(sheet) for sheet in sheets]
    told = [sheet for sheet in shown if sheet.items]
    points = _points(told)
    punctuality = _punctuality(sheets)
    direction = trend([mark for sheet in reversed(told) if (mark := desk.mark(sheet)) is not None])
    return PupilReport(
        school=school,
        pupil=pupil,
        pupil_id=who.pupil_id,
        name=who.name,
        seat=who.seat,
        class_name=who.class_name,
        term=term,
        subject=wanted,
        sheets=tuple(shown),
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
            again_owes=sum(sheet.again in (AgainState.OWES, AgainState.STILL_WRONG) for sheet in shown),
            again_done=sum(sheet.again is AgainState.DONE and sheet.attempts > 1 for sheet in shown),
        ),
        comment=await stored_comment(connection, vault, school, pupil, term),
        as_of_ms=max((row.booked.received_ms for row in desk.rows), default=None),
    )


class _Had(NamedTuple):
    """What a class had, as its summary says."""

    title: str
    subject: str
    day: int
    due_ms: int | None
    limit_ms: int | None
    class_rate: float | None
    again_begun: bool


async def _of_class(connection: AsyncConnection, school: str, class_name: str, term: Term) -> dict[str, _Had]:
    """What the class had in the term, by assignment."""
    days = {"first": day_number(term.first), "last": day_number(term.last)}
    found = await connection.execute(_OF_CLASS, {"school": school, "class_name": class_name, **days})
    return {
        one.assignment: _Had(
            one.title,
            one.subject,
            one.day,
            one.due_ms,
            one.limit_ms,
            one.rate_sum_ppm / one.settled / 1_000_000 if one.settled else None,
            one.again_owes is not None,
        )
        for one in found
    }


_OF_CLASS = select(
    *(class_summaries.c[name] for name in ("assignment", "title", "subject", "day", "due_ms", "limit_ms")),
    *(class_summaries.c[name] for name in ("rate_sum_ppm", "settled", "again_owes")),
).where(
    class_summaries.c.school_id == bindparam("school"),
    class_summaries.c.class_name == bindparam("class_name"),
    class_summaries.c.day.between(bindparam("first"), bindparam("last")),
    class_summaries.c.handed_in > 0,
)


class _Desk:
    """A pupil's pages of a term, what their class had, and the documents that name them."""

    def __init__(self, who: Pupil, rows: Sequence[PageRow], had: Mapping[str, _Had]) -> None:
        self.who = who
        self.rows = [row for row in rows if row.assignment is not None]
        self.had = had
        self.documents: Mapping[str, Assignment] = {}
        self._layouts: Mapping[str, SheetLayout] = {}
        self._spans: dict[int, Span] = {}
        self._released: set[tuple[str, str]] = set()
        self._records: dict[int, PageRecord] = {}
        self._by_name: dict[str, list[PageRow]] = defaultdict(list)
        for row in self.rows:
            self._by_name[row.assignment or ""].append(row)

    async def read(self, connection: AsyncConnection, school: str) -> None:
        """Read the documents, which tests were released, and when the pages were slid."""
        self.documents = await assignments_named(connection, school, self.names())
        tests = [name for name, document in self.documents.items() if document.mode == "test"]
        self._released = await released(connection, school, tests)
        self._layouts = await layouts_named(connection, school, {row.sheet for row in self.rows})
        records = all_graded(self.rows, self._layouts)
        self._records = {id(row): record for row, record in zip(self.rows, records, strict=True)}
        made = [Made(row.booked.name.box, row.clock, row.booked.received_ms) for row in self.rows]
        placed = await places(connection, school, made) if made else []
        self._spans = {id(row): Span(at.earliest_ms, at.latest_ms) for row, at in zip(self.rows, placed, strict=True)}

    def names(self) -> list[str]:
        """The assignments that the pupil's class had since the pupil is in it, and those of which a sheet came."""
        elsewhere = [row for row in self.rows if row.class_name not in (None, self.who.class_name)]
        here = [self.had[row.assignment or ""].day for row in self.rows if row.assignment in self.had]
        # Who came from another class in the middle of a term owes nothing of what this one had before.
        since = min(here, default=99_999_999) if elsewhere else 0
        return list(dict.fromkeys([*(name for name, one in self.had.items() if one.day >= since), *self._by_name]))

    def sheet(self, name: str, absence: Absence | None, *, zone: tzinfo | None) -> PupilSheet | None:
        """One assignment of the pupil's; None where neither a sheet nor a summary is there."""
        rows, document, had = self._by_name.get(name, []), self.documents.get(name), self.had.get(name)
        if not rows and had is None:
            return None
        first = [row for row in rows if row.attempt == 1]
        records = self._records
        due = due_ms(document.due) if document is not None else had.due_ms if had is not None else None
        result, note = pupil_line(
            self.who.pupil_id,
            self.who.name,
            self.who.seat,
            [records[id(row)] for row in first],
            missing_pages=missing_pages(((row.sheet, row.page) for row in first), self._layouts),
            timing=timing_of(absence if first else None, pupil_timing(self._timing(row, due, had) for row in first)),
        )
        status = STATUS[absence] if not first and absence is not None else result.status
        (again, *_) = again_of([Attempt(self.who, records[id(row)], b"") for row in rows]) or (None,)
        begun = (had is not None and had.again_begun) or any(row.attempt > 1 for row in rows)
        settled = result.score_hundredths is not None and result.max_score_hundredths and not result.pending
        class_name = first[0].class_name or "" if first else self.who.class_name
        arrived = min((row.booked.received_ms for row in rows), default=0)
        return PupilSheet(
            assignment=name,
            title=document.title if document is not None else had.title if had is not None else name,
            subject=subject_of(document.subject) if document is not None else had.subject if had is not None else "",
            class_name=class_name,
            day=day_numbered(had.day) if had is not None else homework_day(document, arrived, zone),
            status=status,
            timing=note.timing,
            score_hundredths=result.score_hundredths,
            max_score_hundredths=result.max_score_hundredths,
            rate=(result.score_hundredths or 0) / (result.max_score_hundredths or 1) if settled else None,
            pending=result.pending,
            missing_pages=note.missing_pages,
            again=again.state if again is not None and begun else None,
            attempts=again.attempts if again is not None else 0,
            test=document is not None and document.mode == "test",
            released=(name, class_name) in self._released,
            items=_items(document, result, again),
        )

    def mark(self, sheet: PupilSheet) -> Mark | None:
        """How a sheet went, beside how hard it was; None where one of both is not known."""
        had = self.had.get(sheet.assignment)
        if sheet.rate is None or had is None or had.class_rate is None:
            return None
        return Mark(sheet.rate, had.class_rate)

    def _timing(self, row: PageRow, due: int | None, had: _Had | None) -> Timing | None:
        if due is None:
            return None
        # Without the class's limit only the due time itself can tell.
        return timing_within(self._spans[id(row)], due, had.limit_ms if had is not None else None)


def _items(document: Assignment | None, result: PupilResult, again: PupilAgain[bytes] | None) -> tuple[PupilItem, ...]:
    """The items in the assignment's order, then those that only the sheet has."""
    by_item: dict[str, list[ItemResult]] = defaultdict(list)
    for one in result.items:
        by_item[one.item].append(one)
    items: dict[str, Item | None] = {item.id: item for item in document.items} if document is not None else {}
    now: dict[str, list[ItemResult]] = defaultdict(list)
    for corrected in again.items if again is not None else ():
        if corrected.now is not None:
            now[corrected.item].append(corrected.now)
    names = [name for name in items if name in by_item] + [name for name in by_item if name not in items]
    return tuple([_item(name, items.get(name), by_item[name], now.get(name, ())) for name in names])


def _item(name: str, item: Item | None, blanks: Sequence[ItemResult], now: Sequence[ItemResult]) -> PupilItem:
    if len(blanks) == 1:  # nearly always, and a term has two thousand of them
        answers: tuple[str | None, ...] = (blanks[0].reading.text,)
        score = blanks[0].verdict.score_hundredths
    else:
        answers = tuple([blank.reading.text for blank in blanks])
        scores = [blank.verdict.score_hundredths for blank in blanks]
        score = None if None in scores else sum([one or 0 for one in scores])
    return PupilItem(
        item=name,
        label=item_label(name, item),
        prompt=item.prompt if item is not None else "",
        knowledge=item.knowledge if item is not None else (),
        state=item_state(blanks),
        now=item_state(now) if now else None,
        answers=answers,
        accepted=tuple([accepted[0] for accepted in item.rule.accepted if accepted]) if item is not None else (),
        score_hundredths=score,
        max_score_hundredths=item.points_hundredths if item is not None else None,
        explanation=item.explanation if item is not None else None,
        video=item.video if item is not None else None,
    )


def _held_back(sheet: PupilSheet) -> PupilSheet:
    """A test before its results are released: that it was handed in, and nothing of how it went."""
    return msgspec.structs.replace(
        sheet, score_hundredths=None, max_score_hundredths=None, rate=None, pending=0, again=None, attempts=0, items=()
    )


def _points(sheets: Sequence[PupilSheet]) -> tuple[PupilPoint, ...]:
    """By what is weakest over all subjects. `sheets` go from the latest back."""
    states: dict[str, list[tuple[tuple[str, ...], VerdictKind | None]]] = defaultdict(list)
    wrong: dict[tuple[str, str], list[Where]] = defaultdict(list)
    for sheet in sheets:
        states[sheet.subject] += [(item.knowledge, item.state) for item in sheet.items]
        for item in sheet.items:
            if item.state in (VerdictKind.WRONG, VerdictKind.BLANK):
                for point in dict.fromkeys(item.knowledge):
                    wrong[sheet.subject, point].append(Where(sheet.assignment, item.item))
    known = {
        (subject, point): mastery(count.correct, count.n)
        for subject, some in states.items()
        for point, count in of_states(some).items()
    }
    return tuple(
        PupilPoint(subject=name[0], knowledge=name[1], mastery=known[name], wrong=tuple(wrong[name]))
        for name in weakest_first(known)
    )


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
