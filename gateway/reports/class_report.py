"""One class and one assignment: the figures, with names, from what the store counts.

Figures come from `homework.statistics`; here only who is who and what is called what is put together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.booking import RowName
from gateway.keys import Vault
from gateway.reports.accounts import BoxAccount, box_accounts
from gateway.reports.graded import all_graded
from gateway.reports.shelf import Shelf, Work
from gateway.store.crops import CropName, crops_of
from gateway.store.pages import PageRow
from gateway.store.schools import KnownPupil
from gateway.store.tables.sheets import RowState
from homework.absences import STATUS, Absence, timing_of
from homework.again import AgainState, Attempt, PupilAgain, again_of
from homework.class_report import ClassReport, PupilNote, missing_pages, pupil_line
from homework.lateness import Span, Timing, due_ms, limit_ms, pupil_timing, timings
from homework.layout import SheetLayout
from homework.results import PageRecord, VerdictKind
from homework.roster import Pupil
from homework.statistics import PupilResult, canonical, class_figures
from sync.placing import Known, Placed


class AnswerKey(NamedTuple):
    """A wrong answer of the class, as `homework.statistics.WrongAnswer` names it within an item."""

    item: str
    blank: int | None
    text: str


class SchoolReport(ClassReport, frozen=True, kw_only=True):
    """A class report of one of the gateway's schools.

    `results` are what the figures were made of, in the order of `figures.pupils`. `again` has everybody who handed in
    (订正); `turnaround_ms` of those who have put everything right how long that took, where the clocks tell. `crops`
    are the pictures that there are of common wrong answers: a box sends those of fields that waited for a look.
    """

    school: str
    accounts: tuple[BoxAccount, ...] = ()
    """What each box says that it has of the class, beside what has come."""
    results: tuple[PupilResult, ...] = ()
    again: tuple[PupilAgain[bytes], ...] = ()
    turnaround_ms: Mapping[str, int] = {}
    crops: Mapping[AnswerKey, tuple[CropName, ...]] = {}
    pseudonyms: Mapping[str, bytes] = {}
    """Of the pupils of the class list, by the id that the school gives them."""
    layouts: tuple[str, ...] = ()
    """The sheets whose layouts name the items, also those that have not come."""
    first_ms: int | None = None
    """When the first page came."""
    limit_ms: int | None = None
    """Until when a sheet was in time; None without a due time, or where nobody knows."""

    @property
    def again_begun(self) -> bool:
        """Whether a corrected sheet of the class has come. Before that nobody is said to owe one."""
        return any(one.attempts > 1 for one in self.again)

    def again_in(self, *states: AgainState) -> tuple[PupilAgain[bytes], ...]:
        """Whose corrections are in one of these states."""
        return tuple(one for one in self.again if one.state in states)


async def class_report(
    connection: AsyncConnection,
    vault: Vault,
    school: str,
    class_name: str,
    assignment: str,
) -> SchoolReport:
    """The report as of now. An assignment or a class that never came gives an empty one.

    Raises `ClassboxError` when there is no such school.
    """
    report, who = await _report(Shelf(connection, vault, school), Work(class_name, assignment))
    pictures = await crops_of(connection, school, {row.booked.capture for row in who.first})
    return msgspec.structs.replace(report, crops=_crops(report, who, pictures)) if pictures else report


async def report_from(shelf: Shelf, work: Work) -> SchoolReport:
    """The same from a shelf that serves many, without the wrong answers that are common and their pictures."""
    return (await _report(shelf, work, common_wrong=0))[0]


async def _report(shelf: Shelf, work: Work, *, common_wrong: int = 5) -> tuple[SchoolReport, _Who]:
    roster = await shelf.pupils(work.class_name)
    every = await shelf.pages(work)
    rows = [(row, state) for row, state in every if row.attempt == 1]
    counting = [row for row, state in every if state is RowState.CURRENT]
    layouts = await shelf.layouts({row.sheet for row, _ in every})
    document = await shelf.document(work.assignment)
    here = {known.pseudonym for known in roster}
    guests = await shelf.guests({row.pupil for row in counting if row.pupil} - here)
    who = _Who(roster, guests, counting, layouts)
    placed = await shelf.placed(counting)
    spans = {
        row.booked.name: Span(placed[row.booked.name].earliest_ms, placed[row.booked.name].latest_ms)
        for row in who.first
    }
    due = due_ms(document.due if document is not None else None)
    results, notes = _results(who, layouts, timings(spans, due), await shelf.absences(work.assignment))
    settings = await shelf.settings()
    figures = class_figures(document.items if document else (), results, settings.thresholds, common_wrong=common_wrong)
    again = again_of(who.attempts())
    called = {known.pseudonym: known.pupil.name for known in (*roster, *guests)}
    second = dict.fromkeys(
        called.get(row.pupil or b"", _stranger(row)) for row, state in rows if state is RowState.SECOND
    )
    report = SchoolReport(
        school=shelf.school,
        class_name=work.class_name,
        assignment_id=work.assignment,
        assignment=document,
        size=len(roster),
        sheets=len(who.first),
        unnamed=sum(state is RowState.UNBOOKED for _, state in rows),
        duplicates=sum(state is RowState.DUPLICATE for _, state in rows),
        second=tuple(second),
        max_score_hundredths=max((r.max_score_hundredths or 0 for r in results), default=0) or None,
        updated_ms=max((row.booked.received_ms for row, _ in every), default=None),
        figures=figures,
        names={result.pupil: result.name for result in results},
        notes=notes,
        settings=settings,
        accounts=box_accounts(
            await shelf.tallies(work),
            rows,
            {known.pseudonym: known.pupil.seat for known in (*roster, *guests)},
        ),
        results=tuple(results),
        again=again,
        turnaround_ms=_turnarounds(again, who, placed),
        pseudonyms={known.pupil.pupil_id: known.pseudonym for known in roster},
        layouts=tuple(sorted({row.sheet for row, _ in every})),
        first_ms=min((row.booked.received_ms for row, _ in every), default=None),
        limit_ms=limit_ms(spans.values(), due) if due is not None else None,
    )
    return report, who


class _Owned(NamedTuple):
    """A page that counts, and its row."""

    row: PageRow
    record: PageRecord


class _Who:
    """Whose the pages are: pupils of the roster first, then guests from other classes, then strangers."""

    def __init__(
        self,
        roster: Sequence[KnownPupil],
        guests: Sequence[KnownPupil],
        counting: Sequence[PageRow],
        layouts: Mapping[str, SheetLayout],
    ) -> None:
        self.matched = {known.pupil.pupil_id for known in roster}
        self.alias: dict[str, bytes] = {}
        self.pupils: list[Pupil] = []
        by_alias: dict[bytes, list[_Owned]] = defaultdict(list)
        named = [row for row in counting if row.pupil is not None]
        for row, record in zip(named, all_graded(named, layouts), strict=True):
            by_alias[row.pupil or b""].append(_Owned(row, record))
        for alias, pupil in (*roster, *guests):
            self._add(pupil, alias)
        known = set(self.alias.values())
        for alias, pages in sorted(by_alias.items(), key=lambda pair: (pair[1][0].row.seat or 0, pair[0])):
            if alias not in known:
                row = pages[0].row
                self._add(Pupil(row.class_name or "", row.seat or 0, _stranger(row), f"?{alias.hex()[:16]}"), alias)
        self._pages = {pupil.pupil_id: by_alias.get(self.alias[pupil.pupil_id], []) for pupil in self.pupils}
        self.first = [row for row in counting if row.attempt == 1 and row.pupil is not None]

    def _add(self, pupil: Pupil, alias: bytes) -> None:
        self.pupils.append(pupil)
        self.alias[pupil.pupil_id] = alias

    def of(self, pupil_id: str, *, attempt: int = 1) -> list[_Owned]:
        """A pupil's pages of an attempt."""
        return [one for one in self._pages[pupil_id] if one.row.attempt == attempt]

    def every(self, pupil_id: str) -> list[_Owned]:
        """A pupil's pages of every attempt."""
        return self._pages[pupil_id]

    def attempts(self) -> list[Attempt[bytes]]:
        """All pages of those who handed in; each is known by its capture."""
        return [
            Attempt(pupil, one.record, one.row.booked.capture)
            for pupil in self.pupils
            for one in self._pages[pupil.pupil_id]
        ]


def _results(
    who: _Who, layouts: Mapping[str, SheetLayout], timing: Mapping[RowName, Timing], absences: Mapping[bytes, Absence]
) -> tuple[list[PupilResult], dict[str, PupilNote]]:
    """One result for each pupil, and what is said beside it. A sheet that is there counts, whoever was absent."""
    results: list[PupilResult] = []
    notes: dict[str, PupilNote] = {}
    for pupil in who.pupils:
        own = who.of(pupil.pupil_id)
        absence = absences.get(who.alias[pupil.pupil_id])
        if not own and pupil.pupil_id not in who.matched:
            continue  # nothing but a corrected sheet of somebody of another class
        result, notes[pupil.pupil_id] = pupil_line(
            pupil.pupil_id,
            pupil.name,
            pupil.seat or None,
            [one.record for one in own],
            missing_pages=missing_pages(((one.row.sheet, one.row.page) for one in own), layouts),
            matched=pupil.pupil_id in who.matched,
            timing=timing_of(absence if own else None, pupil_timing(timing.get(one.row.booked.name) for one in own)),
        )
        if not own and absence is not None:
            result = msgspec.structs.replace(result, status=STATUS[absence])
        results.append(result)
    return results, notes


def _stranger(row: PageRow) -> str:
    """What a pupil is called of whom only the pseudonym or the seat is known."""
    if row.seat is not None:
        return f"#{row.seat}"
    return f"#{row.pupil.hex()[:6]}" if row.pupil is not None else "#?"


def _turnarounds(again: Sequence[PupilAgain[bytes]], who: _Who, placed: Mapping[RowName, Placed]) -> dict[str, int]:
    """From the first sheet to the one on which everything was right, where it is known when both were slid."""
    found = {}
    for one in again:
        at = [placed[owned.row.booked.name] for owned in who.every(one.pupil.pupil_id)]
        if one.state is AgainState.DONE and one.attempts > 1 and all(place.known is not Known.BETWEEN for place in at):
            moments = [place.guess_ms for place in at]
            found[one.pupil.pupil_id] = max(moments) - min(moments)
    return found


def _crops(report: SchoolReport, who: _Who, there: Sequence[CropName]) -> dict[AnswerKey, tuple[CropName, ...]]:
    """The pictures of the wrong answers that the figures list."""
    pictures, figures, document = set(there), report.figures, report.assignment
    free_order = {item.id for item in document.items if item.rule.any_order} if document is not None else set()
    listed = {AnswerKey(item.item, one.blank, one.text) for item in figures.items for one in item.common_wrong}
    found: dict[AnswerKey, list[CropName]] = defaultdict(list)
    for pupil in who.pupils:
        for row, record in who.of(pupil.pupil_id):
            for result in record.items:
                name = CropName(row.booked.capture, result.item, result.blank)
                if name in pictures and result.verdict.kind is VerdictKind.WRONG and result.reading.text:
                    text = canonical(result.kind, result.reading.text)
                    key = AnswerKey(result.item, None if result.item in free_order else result.blank, text)
                    if key in listed:
                        found[key].append(name)
    return {key: tuple(names) for key, names in found.items()}
