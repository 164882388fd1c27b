"""One capture in, one graded page out. Nothing is read, written or kept here: callers hand everything in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter, thread_time

from edge.frames import Capture, FieldCrop, Quad, RegisteredPage
from edge.reading.crops import quad_of
from edge.reading.fields import crop_fields, read_fields
from edge.reading.mixed import ask_where_inks_mix
from edge.reading.recogniser import Recogniser
from edge.reading.red import RedIs
from edge.reading.seats import Seat
from edge.reading.signature import ink_around, ink_signature
from edge.reading.sticker import TWO_STICKERS, sticker_pupils, who_is_on_stickers
from edge.reading.teacher import read_marks
from edge.reading.who import IN_ORDER_OF_NO_CLASS, NO_SEAT, Owner, SeatCrops, crop_seat, read_seat, who_wrote_it
from edge.registration.lens import Lens
from edge.registration.register import register
from edge.registration.unmarked_sheet import UnmarkedSheet
from homework.assignment import Assignment
from homework.grading import WRONG_ASSIGNMENT, grade_page
from homework.layout import SheetLayout
from homework.results import PageRecord, PageStatus, Problem, WhoWroteIt
from homework.roster import Roster


def _no_sheets() -> Sequence[UnmarkedSheet]:
    return ()


def _no_lens(_source: str) -> Lens | None:
    return None


@dataclass(frozen=True)
class Books:
    """What the box knows while it grades: where to look a sheet and an assignment up, and whose class it is.

    `class_name` is the class chosen for the stack; `only_assignment`, when set, sends sheets of any other
    assignment back as `wrong-assignment`. `unmarked` gives the sheets that have none of our markers.
    `red_is`: whose the red ink is. `lens_of` gives the lens of a capture's source where that was calibrated.
    """

    layout_of: Callable[[str], SheetLayout | None]
    assignment_of: Callable[[str], Assignment | None]
    roster: Roster | None = None
    class_name: str | None = None
    only_assignment: str | None = None
    unmarked: Callable[[], Sequence[UnmarkedSheet]] = _no_sheets
    red_is: RedIs = "teacher"
    lens_of: Callable[[str], Lens | None] = _no_lens


@dataclass(frozen=True)
class FieldOnPage:
    """Where one field lies in the capture, and how it looks: the n-th belongs to the record's n-th item."""

    item: str
    blank: int
    quad_px: Quad
    crop: FieldCrop


@dataclass(frozen=True)
class GradedPage:
    """What became of one capture. `record` is None unless the page was read.

    `ink` is the page's ink signature (see `edge.reading.signature.same_ink`), b"" when it was not read, `around`
    that beside its fields (`ink_around`). `seat` is what the seat cells or columns say when they were looked at: with
    the rest of the stack it may tell whose a page is that does not tell so by itself (`edge.owners`).
    """

    status: PageStatus
    registered: RegisteredPage
    record: PageRecord | None
    problems: tuple[Problem, ...]
    fields: tuple[FieldOnPage, ...] = ()
    ink: bytes = b""
    around: bytes = b""
    seat: Seat | None = None
    elapsed_ms: float = 0.0
    stages_ms: dict[str, float] = field(default_factory=dict)


def grade_capture(capture: Capture, books: Books, recogniser: Recogniser) -> GradedPage:
    """Find the page, read its fields, judge them. Never raises for what a picture shows: that is a status."""
    watch = _Watch()
    page = register(capture, books.layout_of, books.unmarked(), books.lens_of(capture.source))
    watch.lap("register")
    if page.refused:
        return _sent_back(page, _status_of(page.problems[-1].code), page.problems, watch)
    assert page.layout is not None
    assert page.page is not None
    assignment_id = page.layout.assignment or books.only_assignment
    if books.only_assignment is not None and assignment_id != books.only_assignment:
        problem = Problem(WRONG_ASSIGNMENT, "This sheet belongs to another assignment than the one being graded.")
        return _sent_back(page, PageStatus.WRONG_ASSIGNMENT, (*page.problems, problem), watch)

    crops = crop_fields(page, books.red_is)
    watch.lap("crop")
    readings = ask_where_inks_mix(page, read_fields(page, crops, recogniser), recogniser)
    watch.lap("read")
    marks = read_marks(page, crops, recogniser)
    watch.lap("marks")
    pupil = page.page.pupil
    seat_crops = crop_seat(page, pupil, books.red_is) if pupil is not None else SeatCrops()
    seat = _seat(page, seat_crops, recogniser)
    owner = _owner(page, seat, books)
    watch.lap("who")
    ink, around = ink_signature([*crops, *seat_crops.crops]), ink_around(crops)
    watch.lap("ink")
    record = grade_page(
        books.assignment_of(assignment_id) if assignment_id is not None else None,
        page.layout.sheet,
        page.page.page,
        [(one.field, one.reading) for one in readings],
        owner.who,
        problems=(*page.problems, *owner.problems),
        bound=page.layout.assignment is not None,
        marks=marks,
    )
    fits = not any(problem.code == WRONG_ASSIGNMENT for problem in record.problems)
    shifts = [shift or (0.0, 0.0) for shift in page.shifts_mm]
    fields = tuple(
        FieldOnPage(one.field.item, one.field.blank, quad_of(page, one.field, shift), one.crop)
        for one, shift in zip(readings, shifts, strict=True)
    )
    watch.lap("judge")
    return GradedPage(
        status=PageStatus.GRADED if fits else PageStatus.WRONG_ASSIGNMENT,
        registered=page,
        record=record,
        problems=record.problems,
        fields=fields,
        ink=ink,
        around=around,
        seat=seat,
        elapsed_ms=watch.total_ms(),
        stages_ms=watch.stages_ms,
    )


def _seat(page: RegisteredPage, crops: SeatCrops, recogniser: Recogniser) -> Seat | None:
    """What the page says of its seat; None when there is nothing to read, or it is printed in the code."""
    assert page.page is not None
    pupil = page.page.pupil
    if pupil is None or pupil.kind not in ("digits", "bubbles") or _named_in_code(page):
        return None
    return read_seat(page, pupil, crops, recogniser)


def _owner(page: RegisteredPage, seat: Seat | None, books: Books) -> Owner:
    assert page.page is not None
    if slid_by_order(page):
        if books.roster is not None and page.code is None:
            named = sticker_pupils(page, books.roster, books.class_name)
            who = who_is_on_stickers(named)
            if who is not None:
                return Owner(who)
            if named:
                return Owner(WhoWroteIt(class_name=books.class_name), (TWO_STICKERS,))
        # Whoever keeps the order of the stack knows.
        no_class = books.roster is not None and books.class_name is None and len(books.roster.classes()) > 1
        return Owner(WhoWroteIt(class_name=books.class_name), (IN_ORDER_OF_NO_CLASS,) if no_class else ())
    return who_wrote_it(page.code, seat or NO_SEAT, books.roster, books.class_name)


def slid_by_order(page: RegisteredPage) -> bool:
    """Whether nothing that is printed or written on the page says whose it is: it comes in the order of the seats."""
    pupil = page.page.pupil if page.page is not None else None
    return pupil is not None and pupil.kind == "order" and not _named_in_code(page)


def _named_in_code(page: RegisteredPage) -> bool:
    return page.code is not None and page.code.pupil is not None


def _sent_back(page: RegisteredPage, status: PageStatus, problems: tuple[Problem, ...], watch: _Watch) -> GradedPage:
    return GradedPage(status, page, None, problems, elapsed_ms=watch.total_ms(), stages_ms=watch.stages_ms)


def _status_of(code: str) -> PageStatus:
    if code in {"not-a-sheet", "mirrored"}:
        return PageStatus.NOT_A_SHEET
    return PageStatus.UNKNOWN_SHEET if code in {"unknown-sheet", "unknown-page"} else PageStatus.UNREADABLE


class _Watch:
    """Milliseconds of this thread's CPU time, by stage, and of wall time in all."""

    def __init__(self) -> None:
        self._start, self._last = perf_counter(), thread_time()
        self.stages_ms: dict[str, float] = {}

    def lap(self, stage: str) -> None:
        now = thread_time()
        self.stages_ms[stage] = round((now - self._last) * 1000, 3)
        self._last = now

    def total_ms(self) -> float:
        return round((perf_counter() - self._start) * 1000, 3)
