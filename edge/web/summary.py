"""The class on one assignment as the ledger has it: the same report that the school makes, with crops beside it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from edge.again import again_in_class
from edge.documents import Documents
from edge.late import timings_in_class
from edge.ledger import FiledPage, Ledger
from edge.stack import Arrived, Stack, owner_of, stack_of
from edge.web.drawing import crop_size_px
from homework.again import AgainState
from homework.answers import normalise
from homework.class_report import ClassReport, PupilNote, missing_pages, pupil_line
from homework.lateness import Timing
from homework.layout import FieldKind, SheetLayout
from homework.report_settings import ReportSettings, settings_from_json
from homework.results import ItemResult, PageRecord, VerdictKind
from homework.roster import Pupil, Roster
from homework.statistics import PupilResult, class_figures
from sync.placing import BoxTimes, Known
from ui.report_view import AnswerKey

REPORT_SETTING = "report"
"""Under this name the documents keep how reports are wanted (`homework.report_settings`)."""
CROP_HEIGHT_PX = 60
_MOST_CROPS = 3
"""Of the commonest wrong answer; so many hands show whether it is one mistake. One is enough of a rarer answer, and of
what is wider than `_WIDE_PX`: a row of bubbles."""
_WIDE_PX = 300


@dataclass(frozen=True)
class Crop:
    """What one pupil wrote: the address of its picture, of its sheet, and whose it is."""

    picture: str
    sheet: str
    size_px: tuple[int, int]
    who: str


@dataclass(frozen=True)
class Summary:
    """The report of a class. `review` counts fields, `asked` sheets that still wait for a look.

    `again` says by pupil how far 订正 has come; empty while nobody has handed in a corrected sheet.
    """

    report: ClassReport
    crops: Mapping[AnswerKey, tuple[Crop, ...]]
    review: int
    asked: int
    strangers: int
    again: Mapping[str, AgainState]

    @property
    def waiting(self) -> int:
        """What is still to be looked at."""
        return self.review + self.asked


@dataclass(frozen=True)
class _Owned:
    """A pupil's page that counts."""

    pupil: str
    filed: FiledPage
    record: PageRecord


def report_settings(documents: Documents) -> ReportSettings:
    """How the school wants its reports."""
    return settings_from_json(documents.setting(REPORT_SETTING))


def class_of_pages(pages: Sequence[FiledPage], roster: Roster) -> str | None:
    """The class that most of the pages are of; None when none of them tells."""
    owners = (owner_of(page.record, roster, None) for page in pages if page.record is not None)
    found = Counter(owner.class_name for owner in owners if owner is not None)
    return found.most_common(1)[0][0] if found else None


def summary_of(ledger: Ledger, documents: Documents, assignment_id: str, class_name: str | None) -> Summary:
    """The summary as of now, of the first attempt: the first score stands, whatever is corrected later.

    Only the pages of this assignment are read, so that it costs the same after a term. `class_name` None: the class
    that most pages are of.
    """
    roster = documents.roster()
    pages = ledger.pages_of_attempts(assignment_id)
    first = [page for page in pages if page.record and page.record.attempt == 1]
    class_name = class_name or class_of_pages(first, roster)
    pupils = roster.of_class(class_name) if class_name is not None else ()
    owned, strange = _owned(first, roster, class_name)
    assignment = documents.assignment(assignment_id)
    layouts = {layout.sheet: layout for layout in documents.layouts()}
    sheets = [sheet for sheet, layout in layouts.items() if _booked_under(layout) == assignment_id]
    due = assignment.due if assignment is not None else None
    times = ledger.box_times()
    timing = timings_in_class(first, roster, class_name, due, lambda: times)
    stack = stack_of(
        [Arrived(one.record, one.filed.capture, timing.get(one.filed.capture)) for one in owned],
        roster=roster,
        class_name=class_name,
        pages_a_pupil=max((len(layouts[sheet].pages) for sheet in sheets), default=1),
        absences=ledger.absences(assignment_id),
    )
    results, notes = _results(pupils, [*owned, *strange], layouts, stack)
    figures = class_figures(assignment.items if assignment else (), results, report_settings(documents).thresholds)
    asked = [page for page in ledger.asked_pages(sheets) if page.record and _may_be_of(page.record, class_name)]
    report = ClassReport(
        class_name=class_name or "",
        assignment_id=assignment_id,
        assignment=assignment,
        size=len(pupils),
        sheets=len(owned) + len(strange),
        unnamed=sum(page.pupil is None for page in asked),
        max_score_hundredths=max((r.max_score_hundredths or 0 for r in results), default=0) or None,
        updated_ms=_updated_ms(first, times),
        figures=figures,
        names={result.pupil: result.name for result in results},
        notes=notes,
        settings=report_settings(documents),
    )
    return Summary(
        report=report,
        crops=_crops(report, [*owned, *strange], layouts),
        review=sum(one.record.pending for one in (*owned, *strange)),
        asked=len(asked),
        strangers=len({one.pupil for one in strange}) if pupils else 0,
        again=_again(pages, roster, class_name),
    )


def _timing(seat: int, stack: Stack) -> Timing | None:
    return Timing.LATE if seat in stack.late else Timing.UNKNOWN if seat in stack.untimed else None


def _updated_ms(pages: Sequence[FiledPage], times: BoxTimes) -> int | None:
    """When the latest of them was slid, by those whose time is known."""
    placed = (times.place(page.clock) for page in pages)
    return max((at.guess_ms for at in placed if at.known is not Known.BETWEEN), default=None)


def _again(pages: Sequence[FiledPage], roster: Roster, class_name: str | None) -> dict[str, AgainState]:
    found = again_in_class(pages, roster, class_name)
    begun = any(one.attempts > 1 for one in found)
    return {one.pupil.pupil_id: one.state for one in found} if begun else {}


def _booked_under(layout: SheetLayout) -> str:
    return layout.assignment if layout.assignment is not None else f"sheet:{layout.sheet}"


def _may_be_of(record: PageRecord, class_name: str | None) -> bool:
    return class_name is None or record.who.class_name in (None, class_name)


def _owned(pages: Sequence[FiledPage], roster: Roster, class_name: str | None) -> tuple[list[_Owned], list[_Owned]]:
    """The pages of the class's pupils, and those of pupils whom its list does not have."""
    owned, strange = [], []
    for page in pages:
        record = page.record
        if record is None:
            continue
        owner = owner_of(record, roster, class_name)
        if owner is not None and owner.class_name == class_name:
            owned.append(_Owned(owner.pupil_id, page, record))
        elif owner is None and _may_be_of(record, class_name):
            strange.append(_Owned(page.pupil or f"#{record.who.seat}", page, record))
    return owned, strange


def _results(
    pupils: Sequence[Pupil], pages: Sequence[_Owned], layouts: Mapping[str, SheetLayout], stack: Stack
) -> tuple[list[PupilResult], dict[str, PupilNote]]:
    """One result for each pupil, by seat: those of the class list, then pupils whom it does not have."""
    by_pupil: dict[str, list[PageRecord]] = defaultdict(list)
    for one in pages:
        by_pupil[one.pupil].append(one.record)
    listed = {pupil.pupil_id for pupil in pupils}
    strangers = [
        Pupil("", seat or 0, f"#{seat if seat is not None else '?'}", pupil)
        for pupil, records in by_pupil.items()
        if pupil not in listed
        for seat in [records[0].who.seat]
    ]
    results: list[PupilResult] = []
    notes: dict[str, PupilNote] = {}
    for pupil in (*pupils, *sorted(strangers, key=lambda each: each.seat)):
        records = by_pupil.get(pupil.pupil_id, [])
        absent = missing_pages(((record.sheet, record.page) for record in records), layouts)
        matched = pupil.pupil_id in listed
        result, note = pupil_line(
            pupil.pupil_id,
            pupil.name,
            pupil.seat or None,
            records,
            missing_pages=absent,
            matched=matched or not pupils,
            timing=_timing(pupil.seat, stack) if records and (matched or not pupils) else None,
        )
        if matched and not records and pupil.seat in stack.exempt:
            result = msgspec.structs.replace(result, status="exempt")
        elif matched and not records and pupil.seat in stack.excused:
            result = msgspec.structs.replace(result, status="excused")
        results.append(result)
        notes[pupil.pupil_id] = note
    return results, notes


def _crops(
    report: ClassReport, pages: Sequence[_Owned], layouts: Mapping[str, SheetLayout]
) -> dict[AnswerKey, tuple[Crop, ...]]:
    """Some pictures for each wrong answer that the report lists."""
    free = {i.id for i in report.assignment.items if i.rule.any_order} if report.assignment is not None else set()
    found: dict[AnswerKey, list[Crop]] = {}
    most: dict[AnswerKey, int] = {}
    for item in report.figures.items:
        for place, wrong in enumerate(item.common_wrong):
            key = (item.item, wrong.blank, wrong.text)
            found[key], most[key] = [], _MOST_CROPS if place == 0 else 1
    for one in sorted(pages, key=lambda each: each.record.who.seat or 0):
        hulls = _hulls(layouts.get(one.record.sheet), one.record.page)
        for place, key in _wrong_places(one.record.items, free):
            crops = found.get(key)
            written = one.record.items[place]
            hull = hulls.get((written.item, written.blank))
            if crops is None or hull is None or not one.filed.has_picture:
                continue
            size_px = crop_size_px(hull, CROP_HEIGHT_PX)
            if len(crops) >= (1 if size_px[0] > _WIDE_PX else most[key]):
                continue
            name = report.names.get(one.pupil, "")
            capture, version = one.filed.capture, f"{one.filed.revision}-{one.filed.digest[:8]}"
            crops.append(
                Crop(
                    picture=f"/sheets/{capture}/fields/{place}.jpg?{version}",
                    sheet=f"/sheets/{capture}",
                    size_px=size_px,
                    who=name,
                )
            )
    return {key: tuple(crops) for key, crops in found.items() if crops}


def _wrong_places(items: Sequence[ItemResult], free: set[str]) -> Iterator[tuple[int, AnswerKey]]:
    for place, item in enumerate(items):
        if item.verdict.kind is VerdictKind.WRONG and item.reading.text:
            text = normalise(msgspec.convert(item.kind, FieldKind), item.reading.text)
            yield place, (item.item, None if item.item in free else item.blank, text)


def _hulls(layout: SheetLayout | None, number: int) -> Mapping[tuple[str, int], tuple[float, float, float, float]]:
    page = layout.page(number) if layout is not None else None
    return {(field.item, field.blank): field.hull_mm() for field in page.fields} if page is not None else {}
