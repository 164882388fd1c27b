"""What the live page says at one moment, in no language yet: the last sheet, the class, what waits."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from edge.again import STACK_SETTING
from edge.booking import Standing, assignment_key
from edge.calling import Calling
from edge.documents import Documents
from edge.late import timings_in_class
from edge.ledger import FiledPage, Ledger, NamedBy
from edge.release import is_released, is_test
from edge.stack import Arrived, Stack, owner_of, stack_of
from edge.tones import Tone, tone_of
from edge.web.calling import CallView, call_view, slid_class
from edge.web.key import may_be_key
from edge.web.whose import WrittenCrop, likely_pupils, written_crops
from homework.errors import ClassboxError
from homework.lateness import Timing
from homework.layout import Box, Field, Page, SheetLayout
from homework.marks import MARKS_DIFFER
from homework.results import ItemResult, MarkKind, PageRecord, PageStatus, Problem, TeacherMark, VerdictKind, points
from homework.roster import Pupil
from sync.lanes import Lane

_MARK_SIGNS = {
    MarkKind.TICK: "✓",
    MarkKind.HALF: "½",
    MarkKind.CROSS: "✗",
    MarkKind.SLASH: "/",
    MarkKind.RING: "○",
    MarkKind.DOT: "·",
    MarkKind.UNCLEAR: "?",
}
_MARK_MM = (5.5, 9.0)
"""The smallest and the largest mark: seen from three metres, yet not over the next answer."""


@dataclass(frozen=True)
class Mark:
    """A ✓ ✗ ? or – on the sheet: its square and the field's box, in millimetres of the page.

    `differs`: the teacher's pen said otherwise than the box would have.
    """

    kind: VerdictKind
    x_mm: float
    y_mm: float
    size_mm: float
    item: str
    differs: bool = False
    place: int = 0
    """Of the field among the record's items, from 0."""
    spot_mm: Box = (0.0, 0.0, 0.0, 0.0)
    """Where a tap turns it: the field and the mark."""


@dataclass(frozen=True)
class Differing:
    """A field where the teacher's pen and the box do not agree: her mark as a sign, and what the box had read."""

    label: str
    blank: int
    mark: str
    own: VerdictKind
    counts: VerdictKind
    reading: str | None


@dataclass(frozen=True)
class SheetView:
    """One sheet as it is shown. `key` names its picture, `version` changes with it; `previous` came before it."""

    key: str
    version: str
    width_mm: float
    height_mm: float
    marks: tuple[Mark, ...]
    tone: Tone
    standing: Standing
    status: PageStatus
    saved: bool
    seat: int | None
    name: str | None
    page: int | None
    pages: int
    score: int | float | None
    max_score: int | float | None
    counts: dict[VerdictKind, int]
    problems: tuple[Problem, ...]
    previous: int | None = None
    named_by_order: bool = False
    """It was given to the seat that was called when it came."""
    named_by_stack: bool = False
    """Its number was hard to read, and the other sheets made it clear."""
    crops: tuple[WrittenCrop, ...] = ()
    likely: tuple[Pupil, ...] = ()
    may_be_key: bool = False
    """It was read, and its answers are not known yet: it may be the teacher's own."""
    linked: int | None = None
    linked_crops: tuple[WrittenCrop, ...] = ()
    """For “whose sheet is this?”: what the pupil wrote, the likeliest answers, and the sheet with the same number."""
    differing: tuple[Differing, ...] = ()
    late: bool = False
    attempt: int = 1
    """From 2 on it is a corrected sheet (订正)."""
    may_be_correction: bool = False
    """It has other ink than an earlier sheet of its pupil's: a person may say that it is that one, corrected."""
    """补交: it came when its assignment was due already."""
    revision: int = 0
    taps: bool = False
    """Whether a person may turn its verdicts with a tap: it is kept, and its key has judged it."""
    at_school: bool | None = None
    """Whether the school has said that it has what was said of it last; None on a box of no school."""
    held_back: bool = False
    """It is of a test that is not released: nothing here says how it was judged."""


@dataclass(frozen=True)
class LiveView:
    """Everything on the live page. `review` counts fields, `asked` sheets, `waiting` sheets (None: no school yet)."""

    title: str | None
    stack: Stack
    classes: tuple[str, ...]
    sheet: SheetView | None
    review: int
    asked: int
    waiting: int | None
    troubles: tuple[ClassboxError, ...]
    pupils: tuple[Pupil, ...]
    """The class, for “whose sheet is this?”: those who have not handed in come first."""
    ready: bool
    """Whether any worksheet is loaded."""
    call: CallView | None = None
    """Who is called, where sheets are slid in seat order."""
    calling: Calling | None = None
    assignment: str | None = None
    """What the stack is booked under: absences are said of it."""
    is_test: bool = False
    released: bool = True
    again_stack: bool = False
    """A person said that this stack is corrected sheets."""
    stick_done: bool = False
    """A stick for the school is in, and may be pulled out."""


def sheet_view(filed: FiledPage, documents: Documents, *, class_name: str | None) -> SheetView:
    """One sheet of the ledger as it is shown."""
    record = filed.record
    layout = documents.layout(record.sheet) if record is not None else None
    page = layout.page(record.page) if layout is not None and record is not None else None
    flat = layout is not None and filed.mm_to_px is not None
    width_mm, height_mm = layout.page_mm if layout is not None and flat else (0.0, 0.0)
    owner = owner_of(record, documents.roster(), class_name) if record is not None else None
    kinds = [item.verdict.kind for item in record.items] if record is not None else []
    held_back = record is not None and not is_released(documents, record.assignment)
    view = SheetView(
        key=str(filed.capture) if filed.capture else "unsaved",
        version=f"{filed.revision}-{filed.digest[:8]}",
        revision=filed.revision,
        taps=filed.capture > 0 and record is not None and record.max_score_hundredths is not None,
        width_mm=width_mm,
        height_mm=height_mm,
        marks=_marks(record, page) if record is not None and page is not None and flat else (),
        tone=tone_of(filed.status, filed.standing, record, held_back=held_back),
        standing=filed.standing,
        status=filed.status,
        saved=filed.capture > 0,
        seat=owner.seat if owner is not None else record.who.seat if record is not None else None,
        name=owner.name if owner is not None else None,
        page=record.page if record is not None else None,
        pages=len(layout.pages) if layout is not None else 1,
        score=points(record.score_hundredths) if record is not None else None,
        max_score=points(record.max_score_hundredths) if record is not None else None,
        counts={kind: kinds.count(kind) for kind in VerdictKind},
        # On a box without a class list it is no news that the class list does not say whose it is.
        may_be_key=filed.standing is not Standing.WITHDRAWN and may_be_key(filed, documents) is not None,
        named_by_order=filed.named_by is NamedBy.ORDER,
        named_by_stack=filed.named_by is NamedBy.STACK and filed.pupil is not None,
        problems=tuple(p for p in filed.problems if _is_news(p, filed.standing)),
        differing=_differing(record, documents) if record is not None else (),
        attempt=record.attempt if record is not None else 1,
        may_be_correction=filed.standing is Standing.ASK and filed.pupil is not None and filed.linked is not None,
    )
    return _held_back(view) if held_back else view


def _is_news(problem: Problem, standing: Standing) -> bool:
    """Where marks differ is told item by item."""
    return problem.code != MARKS_DIFFER and (standing is not Standing.COUNTS or problem.code != "who-unknown")


def _held_back(view: SheetView) -> SheetView:
    """The sheet without anything that tells how it was judged, not even that there is something to look at."""
    return replace(
        view,
        held_back=True,
        marks=(),
        score=None,
        max_score=None,
        counts=dict.fromkeys(VerdictKind, 0),
        differing=(),
    )


def with_lateness(sheet: SheetView, filed: FiledPage, ledger: Ledger, documents: Documents) -> SheetView:
    """A sheet that says whether it came late, beside the others of its class."""
    record = filed.record
    assignment = documents.assignment(record.assignment) if record is not None and record.assignment else None
    if record is None or assignment is None or assignment.due is None:
        return sheet
    pages, roster = ledger.current_pages(assignment.id), documents.roster()
    owner = owner_of(record, roster, None)
    class_name = owner.class_name if owner is not None else record.who.class_name
    timing = timings_in_class(pages, roster, class_name, assignment.due, ledger.box_times)
    return replace(sheet, late=timing.get(filed.capture) is Timing.LATE)


def _differing(record: PageRecord, documents: Documents) -> tuple[Differing, ...]:
    assignment = documents.assignment(record.assignment) if record.assignment is not None else None
    labels = {item.id: item.label or item.id for item in assignment.items} if assignment is not None else {}
    return tuple(
        Differing(
            label=labels.get(item.item, item.item),
            blank=item.blank,
            mark=_sign(item.mark),
            own=item.own,
            counts=item.verdict.kind,
            reading=item.reading.text,
        )
        for item in record.items
        if item.own is not None and item.mark is not None
    )


def _sign(mark: TeacherMark) -> str:
    return str(points(mark.score_hundredths)) if mark.kind is MarkKind.SCORE else _MARK_SIGNS[mark.kind]


def with_question(
    sheet: SheetView,
    filed: FiledPage,
    ledger: Ledger,
    documents: Documents,
    *,
    pupils: Sequence[Pupil],
    missing: Collection[int],
    now: Calling | None = None,
) -> SheetView:
    """A sheet with what a person needs to say whose it is; as it was when that is not asked and not in doubt.

    `now` says who is called in seat order: a page that nobody knows is likely that pupil's, or the next one's.
    """
    if filed.standing is not Standing.ASK:
        return replace(sheet, crops=written_crops(filed, documents)) if sheet.named_by_stack else sheet
    other = ledger.page(filed.linked) if filed.linked is not None else None
    # It names a pupil whose other sheet was there first; when that has gone to somebody else, the way is free.
    claimed = tuple(pupil for pupil in pupils if pupil.pupil_id == filed.pupil and pupil.seat in missing)
    page = filed.record.page if filed.record is not None else 0
    called = now.likely(page) if now is not None and filed.seat is None else None
    likely = tuple(pupil for pupil in pupils if pupil.seat == called)
    if filed.pupil is None and other is not None and any(p.code == "who-unknown" for p in filed.problems):
        looks_like = tuple(pupil for pupil in pupils if pupil.pupil_id == other.pupil)
        likely = looks_like or likely
    return replace(
        sheet,
        crops=written_crops(filed, documents),
        likely=(likely or likely_pupils(filed.seat, pupils, missing)) if filed.pupil is None else claimed,
        linked=filed.linked,
        linked_crops=written_crops(other, documents) if other is not None else (),
    )


def live_view(
    ledger: Ledger,
    documents: Documents,
    *,
    class_name: str | None,
    belongs_to_school: bool,
    unsaved: FiledPage | None = None,
    troubles: tuple[ClassboxError, ...] = (),
    stick_done: bool = False,
) -> LiveView:
    """What the live page says now. `unsaved` is a page that the disk did not take: it is shown all the same."""
    newest = unsaved or ledger.newest_page()
    current = _current_assignment(newest, ledger, documents)
    roster = documents.roster()
    assignment = documents.assignment(current) if current is not None else None
    counting = ledger.current_pages(current) if current is not None else []
    due = assignment.due if assignment is not None else None
    timing = timings_in_class(counting, roster, class_name, due, ledger.box_times)
    pages = [Arrived(p.record, p.capture, timing.get(p.capture)) for p in counting if p.record is not None]
    before = ledger.newest_page(newest.capture) if newest is not None and newest.capture else None
    sheet = sheet_view(newest, documents, class_name=class_name) if newest is not None else None
    if sheet is not None and newest is not None:
        sheet = replace(sheet, late=timing.get(newest.capture) is Timing.LATE)
    if sheet is not None and before is not None:
        sheet = replace(sheet, previous=before.capture)
    if sheet is not None and newest is not None and belongs_to_school:
        sheet = replace(sheet, at_school=newest.capture > 0 and ledger.at_school(newest.digest))
    counts = ledger.counts()
    waiting = ledger.outbox_counts()[Lane.RESULTS].waiting if belongs_to_school else None
    stack = stack_of(
        pages,
        roster=roster,
        class_name=class_name,
        pages_a_pupil=_pages_of(current, documents),
        absences=ledger.absences(current) if current is not None else {},
    )
    pupils = roster.of_class(class_name) if class_name is not None else ()
    slid = slid_class(documents, class_name, ledger.newest_graded())
    now = ledger.calling(slid) if slid is not None else None
    if sheet is not None and newest is not None:
        sheet = with_question(sheet, newest, ledger, documents, pupils=pupils, missing=stack.missing, now=now)
    return LiveView(
        title=assignment.title if assignment is not None else None,
        stack=stack,
        pupils=tuple(sorted(pupils, key=lambda pupil: (pupil.seat not in stack.missing, pupil.seat))),
        classes=roster.classes(),
        sheet=sheet,
        review=counts.review,
        asked=counts.asked,
        waiting=waiting,
        troubles=troubles,
        ready=bool(documents.layouts()),
        call=call_view(now, slid, documents) if now is not None and slid is not None else None,
        calling=now,
        assignment=current,
        is_test=is_test(documents, current),
        released=is_released(documents, current),
        again_stack=current is not None and documents.setting(STACK_SETTING) == current,
        stick_done=stick_done,
    )


def _current_assignment(newest: FiledPage | None, ledger: Ledger, documents: Documents) -> str | None:
    """The assignment of the last sheet that was graded; before any, the one loaded last."""
    if newest is not None and newest.record is not None:
        return _assignment_of(newest.record, documents)
    if newest is not None and (graded := ledger.newest_graded()) is not None and graded.record is not None:
        return _assignment_of(graded.record, documents)
    assignments = documents.assignments()
    return assignments[-1].id if assignments else None


def _assignment_of(record: PageRecord, documents: Documents) -> str:
    """What its pages are booked under; a learned sheet whose key is not known goes by itself."""
    layout = documents.layout(record.sheet)
    return record.assignment or (layout.assignment if layout is not None else None) or assignment_key(record)


def _pages_of(assignment: str | None, documents: Documents) -> int:
    layouts: list[SheetLayout] = [
        found for found in documents.layouts() if assignment in (found.assignment, f"sheet:{found.sheet}")
    ]
    return len(layouts[-1].pages) if layouts else 1


def _marks(record: PageRecord, page: Page) -> tuple[Mark, ...]:
    fields = {(field.item, field.blank): field for field in page.fields}
    return tuple(
        _mark(item, fields[item.item, item.blank], place)
        for place, item in enumerate(record.items)
        if (item.item, item.blank) in fields
    )


def _mark(item: ItemResult, field: Field, place: int) -> Mark:
    """Where a teacher's pen would put it, without hiding print: beside the first bubble, at the right end of a wide
    frame, over the upper right corner of a narrow one.
    """
    x, y, width, height = field.hull_mm()
    size = min(max(height * 0.8, _MARK_MM[0]), _MARK_MM[1])
    if field.bubbles:
        size = _MARK_MM[0]
        left, top = x - size - 0.5, y + (height - size) / 2
    elif width > 2.2 * size:
        left, top = x + width - size * 0.75, y + (height - size) / 2
    else:
        size = _MARK_MM[0]
        left, top = x + width - size * 0.45, y - size * 0.45
    right, bottom = max(x + width, left + size), max(y + height, top + size)
    spot = (min(x, left), min(y, top), right - min(x, left), bottom - min(y, top))
    return Mark(
        item.verdict.kind,
        round(left, 2),
        round(top, 2),
        round(size, 2),
        item.item,
        differs=item.own is not None and not (item.said is not None and item.said.rules),
        place=place,
        spot_mm=tuple(round(value, 2) for value in spot),  # type: ignore[arg-type]
    )
