"""One class and one assignment: the figures, with names, from what the store counts.

Figures come from `homework.statistics`; here only who is who and what is called what is put together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.booking import RowName
from gateway.keys import Vault
from gateway.reports.accounts import BoxAccount, box_accounts
from gateway.store.boots import Made, places
from gateway.store.pages import PageRow, unpack_items
from gateway.store.reading import assignments_named, class_pages, layouts_named
from gateway.store.schema import RowState
from gateway.store.schools import KnownPupil, class_pupils, pupils_named
from gateway.store.tallies import tallies_of
from homework.class_report import ClassReport, PupilNote, missing_pages, pupil_line
from homework.lateness import Span, Timing, due_ms, pupil_timing, timings
from homework.layout import SheetLayout
from homework.results import Candidate, Doubt, ItemResult, PageRecord, Reading, Verdict, WhoWroteIt
from homework.statistics import PupilResult, class_figures
from sync.records import DOUBT_CODES, VERDICT_CODES, FieldName, PackedItem


class SchoolReport(ClassReport, frozen=True, kw_only=True):
    """A class report of one of the gateway's schools."""

    school: str
    results: tuple[PupilResult, ...] = ()
    """What each pupil's sheet says, in the order of `figures`."""
    accounts: tuple[BoxAccount, ...] = ()
    """What each box says that it has of the class, beside what has come."""


async def class_report(
    connection: AsyncConnection, vault: Vault, school: str, class_name: str, assignment: str
) -> SchoolReport:
    """The report as of now. An assignment or a class that never came gives an empty one.

    Raises `ClassboxError` when there is no such school.
    """
    roster = await class_pupils(connection, vault, school, class_name)
    rows = await class_pages(connection, school, class_name, assignment)
    counting = [row for row, state in rows if state is RowState.CURRENT]
    layouts = await layouts_named(connection, school, {row.sheet for row, _ in rows})
    document = (await assignments_named(connection, school, {assignment})).get(assignment)
    by_pupil: dict[bytes, list[PageRow]] = defaultdict(list)
    for row in counting:
        if row.pupil is not None:
            by_pupil[row.pupil].append(row)
    here = {known.pseudonym for known in roster}
    guests = await pupils_named(connection, vault, school, by_pupil.keys() - here)
    timing = await _timings(connection, school, counting, document.due if document is not None else None)
    results, notes = _results(roster, guests, by_pupil, layouts, timing)
    names = {result.pupil: result.name for result in results}
    called = {known.pseudonym: known.pupil.name for known in (*roster, *guests)}
    second = dict.fromkeys(
        called.get(row.pupil or b"", _stranger(row)) for row, state in rows if state is RowState.SECOND
    )
    return SchoolReport(
        school=school,
        class_name=class_name,
        assignment_id=assignment,
        assignment=document,
        size=len(roster),
        sheets=len(counting),
        unnamed=sum(state is RowState.UNBOOKED for _, state in rows),
        duplicates=sum(state is RowState.DUPLICATE for _, state in rows),
        second=tuple(second),
        max_score_hundredths=max((r.max_score_hundredths or 0 for r in results), default=0) or None,
        updated_ms=max((row.booked.received_ms for row, _ in rows), default=None),
        figures=class_figures(document.items if document else (), results),
        names=names,
        notes=notes,
        results=tuple(results),
        accounts=box_accounts(
            await tallies_of(connection, school, class_name, assignment),
            rows,
            {known.pseudonym: known.pupil.seat for known in (*roster, *guests)},
        ),
    )


async def _timings(
    connection: AsyncConnection, school: str, rows: Sequence[PageRow], due: str | None
) -> dict[RowName, Timing]:
    """Whether each page came in time, by the times at which boxes cannot but have made them."""
    if due is None or not rows:
        return {}
    made = [Made(row.booked.name.box, row.clock, row.booked.received_ms) for row in rows]
    placed = await places(connection, school, made)
    spans = {row.booked.name: Span(at.earliest_ms, at.latest_ms) for row, at in zip(rows, placed, strict=True)}
    return timings(spans, due_ms(due))


def _results(
    roster: Sequence[KnownPupil],
    guests: Sequence[KnownPupil],
    by_pupil: Mapping[bytes, Sequence[PageRow]],
    layouts: Mapping[str, SheetLayout],
    timing: Mapping[RowName, Timing],
) -> tuple[list[PupilResult], dict[str, PupilNote]]:
    """One result for each pupil: the roster's first, then guests from other classes, then strangers."""
    results: list[PupilResult] = []
    notes: dict[str, PupilNote] = {}

    def book(pupil: str, name: str, seat: int | None, rows: Sequence[PageRow], *, matched: bool) -> None:
        pages = [_page(row, layouts.get(row.sheet)) for row in rows]
        absent = missing_pages(((row.sheet, row.page) for row in rows), layouts)
        result, notes[pupil] = pupil_line(
            pupil,
            name,
            seat,
            pages,
            missing_pages=absent,
            matched=matched,
            timing=pupil_timing(timing.get(row.booked.name) for row in rows),
        )
        results.append(result)

    known = {k.pseudonym for k in (*roster, *guests)}
    for pupils, matched in ((roster, True), (guests, False)):
        for alias, pupil in pupils:
            book(pupil.pupil_id, pupil.name, pupil.seat, by_pupil.get(alias, ()), matched=matched)
    for alias, rows in sorted(by_pupil.items(), key=lambda pair: (pair[1][0].seat or 0, pair[0])):
        if alias not in known:
            book(f"?{alias.hex()[:16]}", _stranger(rows[0]), rows[0].seat, rows, matched=False)
    return results, notes


def _stranger(row: PageRow) -> str:
    """What a pupil is called of whom only the pseudonym or the seat is known."""
    if row.seat is not None:
        return f"#{row.seat}"
    return f"#{row.pupil.hex()[:6]}" if row.pupil is not None else "#?"


def _page(row: PageRow, layout: SheetLayout | None) -> PageRecord:
    return PageRecord(
        sheet=row.sheet,
        assignment=row.assignment,
        page=row.page,
        who=WhoWroteIt(class_name=row.class_name, seat=row.seat),
        items=_items(row, layout),
        score_hundredths=row.score_hundredths,
        max_score_hundredths=row.max_score_hundredths,
        pending=row.pending,
        attempt=row.attempt,
    )


def _items(row: PageRow, layout: SheetLayout | None) -> tuple[ItemResult, ...]:
    packed = unpack_items(row.items)
    page = layout.page(row.page) if layout else None
    names = [FieldName(f.item, f.blank, f.kind) for f in page.fields] if page else []
    if len(names) != len(packed):  # the layout has not come, or is not the one that was printed
        names = [FieldName(f"{row.page}-{place}", 1, "text") for place in range(1, len(packed) + 1)]
    return tuple(_item(item, name) for item, name in zip(packed, names, strict=True))


def _item(item: PackedItem, name: FieldName) -> ItemResult:
    doubt: Doubt | None = DOUBT_CODES[item.doubt]
    candidates: tuple[Candidate, ...] = ()
    return ItemResult(
        item=name.item,
        blank=name.blank,
        kind=name.kind,
        reading=Reading(item.reading, item.confidence / 255, doubt, candidates),
        verdict=Verdict(VERDICT_CODES[item.verdict], item.score_hundredths),
    )
