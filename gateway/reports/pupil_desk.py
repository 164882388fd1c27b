"""A pupil's pages of a term, what their class had, and the documents that name both, put together sheet by sheet."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import date, tzinfo
from typing import NamedTuple

import msgspec
from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.reports.graded import all_graded
from gateway.reports.periods import Term, day_number, day_numbered
from gateway.reports.pupil_pages import Blanks, Went, blanks_of, went
from gateway.reports.summaries import homework_day
from gateway.store.boots import Made, places
from gateway.store.pages import PageRow
from gateway.store.parsed import Outline
from gateway.store.reading import assignments_named, layouts_named, outlines_named
from gateway.store.releases import released
from gateway.store.tables.summaries import class_summaries
from homework.absences import STATUS, Absence, timing_of
from homework.again import AgainState, Attempt, PupilAgain, again_of
from homework.assignment import Assignment, Item
from homework.class_report import missing_pages
from homework.lateness import Span, Timing, due_ms, pupil_timing, timing_within
from homework.layout import SheetLayout
from homework.load import subject_of
from homework.progress import Mark
from homework.results import ItemResult, VerdictKind
from homework.roster import Pupil
from homework.statistics import SubmissionStatus, item_state
from homework.wording import item_label
from sync.records import PackedItem


class PupilItem(msgspec.Struct, frozen=True, gc=False, kw_only=True):
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


class PupilSheet(msgspec.Struct, frozen=True, gc=False, kw_only=True):
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


class Had(NamedTuple):
    """What a class had, as its summary says."""

    title: str
    subject: str
    day: int
    due_ms: int | None
    limit_ms: int | None
    class_rate: float | None
    again_begun: bool


class Line(NamedTuple):
    """A sheet with how each item went, in the assignment's order; its items are not told yet.

    `known` has of each item what it is about. `again` is there where a corrected sheet of the pupil came.
    """

    sheet: PupilSheet
    blanks: Blanks
    states: Mapping[str, VerdictKind | None]
    known: Mapping[str, tuple[str, ...]]
    again: PupilAgain[bytes] | None


async def of_class(connection: AsyncConnection, school: str, class_name: str, term: Term) -> dict[str, Had]:
    """What the class had in the term, by assignment."""
    days = {"first": day_number(term.first), "last": day_number(term.last)}
    found = await connection.execute(_OF_CLASS, {"school": school, "class_name": class_name, **days})
    return {
        assignment: Had(
            *(title, subject, day, due, limit),
            rate_sum_ppm / settled / 1_000_000 if settled else None,
            again_owes is not None,
        )
        for assignment, title, subject, day, due, limit, rate_sum_ppm, settled, again_owes in found
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


class Desk:
    """Where a pupil's sheets are put together."""

    def __init__(self, who: Pupil, rows: Sequence[PageRow], had: Mapping[str, Had]) -> None:
        """`rows` are the pupil's pages that count, `had` what the class had."""
        self.who = who
        self.rows = [row for row in rows if row.assignment is not None]
        self.had = had
        self.documents: Mapping[str, Outline] = {}
        self._layouts: Mapping[str, SheetLayout] = {}
        self._spans: dict[int, Span] = {}
        self._released: set[tuple[str, str]] = set()
        self._by_name: dict[str, list[PageRow]] = defaultdict(list)
        for row in self.rows:
            self._by_name[row.assignment or ""].append(row)

    async def read(self, connection: AsyncConnection, school: str) -> None:
        """Read the documents, which tests were released, and when the pages were slid."""
        self.documents = await outlines_named(connection, school, self.names())
        tests = [name for name, document in self.documents.items() if document.mode == "test"]
        self._released = await released(connection, school, tests) if tests else set()
        self._layouts = await layouts_named(connection, school, {row.sheet for row in self.rows})
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

    def line(self, name: str, absence: Absence | None, *, zone: tzinfo | None) -> Line | None:
        """One assignment of the pupil's; None where neither a sheet nor a summary is there."""
        rows, document, had = self._by_name.get(name, []), self.documents.get(name), self.had.get(name)
        if not rows and had is None:
            return None
        came = [row for row in rows if row.attempt == 1]
        first = sorted(came, key=lambda row: row.page)
        written_due = document.due if document is not None else None
        due = due_ms(written_due) if document is not None else had.due_ms if had is not None else None
        timing = timing_of(absence if first else None, pupil_timing([self._timing(row, due, had) for row in first]))
        lacking = missing_pages(((row.sheet, row.page) for row in first), self._layouts)
        known = {item.id: item.knowledge for item in document.items} if document is not None else {}
        blanks = _in_order(blanks_of(first, self._layouts), known)
        score, most, pending = _sums(first)
        if lacking:
            score = None  # half a sheet has no score yet
        how = went(blanks)
        corrected, state, attempts = self._again(rows, first, how)
        begun = (had is not None and had.again_begun) or any(row.attempt > 1 for row in rows)
        settled = score is not None and most and not pending
        class_name = came[0].class_name or "" if came else self.who.class_name
        arrived = min([row.booked.received_ms for row in rows], default=0)
        sheet = PupilSheet(
            assignment=name,
            title=document.title if document is not None else had.title if had is not None else name,
            subject=subject_of(document.subject) if document is not None else had.subject if had is not None else "",
            class_name=class_name,
            day=day_numbered(had.day) if had is not None else homework_day(written_due, arrived, zone),
            status=_status(first, timing, absence),
            timing=timing,
            score_hundredths=score,
            max_score_hundredths=most,
            rate=(score or 0) / (most or 1) if settled else None,
            pending=pending,
            missing_pages=lacking,
            again=state if begun else None,
            attempts=attempts,
            test=document is not None and document.mode == "test",
            released=(name, class_name) in self._released,
            items=(),
        )
        return Line(sheet, blanks, how.states, known, corrected)

    def _again(
        self, rows: Sequence[PageRow], first: Sequence[PageRow], how: Went
    ) -> tuple[PupilAgain[bytes] | None, AgainState | None, int]:
        """How far mistakes are put right, and how often a sheet came."""
        if not rows:
            return None, None, 0
        if len(first) == len(rows) and len({row.page for row in first}) == len(first):  # nearly always
            return None, how.again, 1
        records = all_graded(rows, self._layouts)
        (again,) = again_of([Attempt(self.who, record, b"") for record in records])
        return again, again.state, again.attempts

    def _timing(self, row: PageRow, due: int | None, had: Had | None) -> Timing | None:
        if due is None:
            return None
        # Without the class's limit only the due time itself can tell.
        return timing_within(self._spans[id(row)], due, had.limit_ms if had is not None else None)

    def mark(self, sheet: PupilSheet) -> Mark | None:
        """How a sheet went, beside how hard it was; None where one of both is not known."""
        had = self.had.get(sheet.assignment)
        if sheet.rate is None or had is None or had.class_rate is None:
            return None
        return Mark(sheet.rate, had.class_rate)


async def with_items(
    connection: AsyncConnection, school: str, lines: Sequence[Line], wanted: Collection[str]
) -> list[PupilSheet]:
    """The sheets of the lines, those of the assignments that are `wanted` with their items."""
    documents = await assignments_named(connection, school, wanted) if wanted else {}
    return [
        msgspec.structs.replace(line.sheet, items=_items(line, documents.get(line.sheet.assignment)))
        if line.sheet.assignment in wanted and line.blanks
        else line.sheet
        for line in lines
    ]


def _status(first: Sequence[PageRow], timing: Timing | None, absence: Absence | None) -> SubmissionStatus:
    if first:
        return "late" if timing is Timing.LATE else "handed-in"
    return STATUS[absence] if absence is not None else "missing"


def _sums(pages: Sequence[PageRow]) -> tuple[int | None, int | None, int]:
    """Score, what could be earned, and how many items wait for a look (`homework.statistics.pupil_result`)."""
    score, most, known = 0, 0, bool(pages)
    for page in pages:
        if page.score_hundredths is None or page.max_score_hundredths is None:
            known = False
            break
        score += page.score_hundredths
        most += page.max_score_hundredths
    return score if known else None, most if known else None, sum([page.pending for page in pages])


def _in_order(blanks: Blanks, known: Mapping[str, object]) -> Blanks:
    """The items in the assignment's order, then those that only the sheet has."""
    if list(blanks) == list(known):
        return blanks
    names = [name for name in known if name in blanks] + [name for name in blanks if name not in known]
    return {name: blanks[name] for name in names}


def _items(line: Line, document: Assignment | None) -> tuple[PupilItem, ...]:
    about: dict[str, Item] = {item.id: item for item in document.items} if document is not None else {}
    now = _now(line.again)
    return tuple(
        [
            _item(name, about.get(name), own, state=line.states[name], now=now.get(name))
            for name, own in line.blanks.items()
        ]
    )


def _now(again: PupilAgain[bytes] | None) -> dict[str, VerdictKind | None]:
    """The state of each item that was corrected on the newest sheet."""
    by_item: dict[str, list[ItemResult]] = defaultdict(list)
    for corrected in again.items if again is not None else ():
        if corrected.now is not None:
            by_item[corrected.item].append(corrected.now)
    return {name: item_state(own) for name, own in by_item.items()}


def _item(
    name: str,
    item: Item | None,
    blanks: Sequence[PackedItem],
    *,
    state: VerdictKind | None,
    now: VerdictKind | None,
) -> PupilItem:
    scores = [one.score_hundredths for one in blanks]
    return PupilItem(
        item=name,
        label=item_label(name, item),
        prompt=item.prompt if item is not None else "",
        knowledge=item.knowledge if item is not None else (),
        state=state,
        now=now,
        answers=tuple([one.reading for one in blanks]),
        accepted=tuple([accepted[0] for accepted in item.rule.accepted if accepted]) if item is not None else (),
        score_hundredths=None if None in scores else sum([one or 0 for one in scores]),
        max_score_hundredths=item.points_hundredths if item is not None else None,
        explanation=item.explanation if item is not None else None,
        video=item.video if item is not None else None,
    )
