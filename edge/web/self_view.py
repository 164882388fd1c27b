"""学生自助: what a pupil sees of the sheet that she has just slid. Pure but for the ledger that it reads.

Her own crosses and nothing else: no name, no list, a score only where the teacher wants it. What was slid longer ago
than it may be seen is not there any more, for anybody.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from edge.access.lifetimes import elapsed_ms
from edge.booking import Standing
from edge.documents import Documents
from edge.filed import FiledPage
from edge.ledger import Ledger
from edge.release import is_test
from edge.web.live import Mark, SheetView, sheet_view
from homework.again import open_places
from homework.layout import Box
from homework.results import PageRecord, PageStatus, VerdictKind
from sync.clock import ClockReading

SHOWN_FOR_MS = 20_000
AROUND_MM = 12.0
SCORE_SETTING = "self_score"


class SelfState(StrEnum):
    """What became of the sheet."""

    WAITING = "waiting"
    """Nobody's sheet lies there, or it has been seen long enough."""
    RIGHT = "right"
    WRONG = "wrong"
    REVIEW = "review"
    """Nothing is wrong, and something is for the teacher to look at."""
    TEST = "test"
    KEPT = "kept"
    """The teacher has to say whose it is."""
    AGAIN = "again"
    """It could not be graded: to be slid once more."""


@dataclass(frozen=True)
class SelfView:
    """The page. `capture` names the sheet for as long as it is shown (0: none), `left_ms` how long that is."""

    state: SelfState
    capture: int = 0
    left_ms: int = 0
    sheet: SheetView | None = None
    marks: tuple[Mark, ...] = ()
    part_mm: Box = (0.0, 0.0, 0.0, 0.0)
    """The part of the page that holds the answers: it is seen larger, and without the written name."""
    wrong: int = 0
    attempt: int = 1
    problem: str = ""
    score: str = ""


WAITING = SelfView(SelfState.WAITING)


def self_view(
    ledger: Ledger, documents: Documents, *, now: ClockReading, opened: ClockReading, class_name: str | None
) -> SelfView:
    """What is to be seen now: of the sheet that came last, since the room was opened."""
    newest = ledger.newest_page()
    if newest is None:
        return WAITING
    age_ms, open_ms = elapsed_ms(newest.clock, now), elapsed_ms(opened, now)
    if age_ms is None or open_ms is None or age_ms > min(SHOWN_FOR_MS, open_ms):
        return WAITING
    return _seen(newest, ledger, documents, SHOWN_FOR_MS - age_ms, class_name)


def _seen(filed: FiledPage, ledger: Ledger, documents: Documents, left_ms: int, class_name: str | None) -> SelfView:
    record = filed.record
    if filed.status is not PageStatus.GRADED or record is None:
        problem = filed.problems[-1].message if filed.problems else ""
        return SelfView(SelfState.AGAIN, filed.capture, left_ms, problem=problem)
    if is_test(documents, record.assignment):
        return SelfView(SelfState.TEST, filed.capture, left_ms)
    if filed.standing is Standing.DUPLICATE and filed.linked is not None:
        # The same paper again: what the one that counts says of it, which may rest on an earlier attempt.
        counting = ledger.page(filed.linked)
        record = counting.record if counting is not None and counting.record is not None else record
    elif filed.standing is not Standing.COUNTS:
        return SelfView(SelfState.KEPT, filed.capture, left_ms)
    if record.max_score_hundredths is None:
        return SelfView(SelfState.KEPT, filed.capture, left_ms)
    judged = replace(filed, record=record)
    sheet = sheet_view(judged, documents, class_name=class_name)
    open_ = open_places(record)
    kinds = [record.items[place].verdict.kind for place in sorted(open_)]
    wrong = sum(kind is not VerdictKind.REVIEW for kind in kinds)
    state = SelfState.WRONG if wrong else SelfState.REVIEW if kinds else SelfState.RIGHT
    return SelfView(
        state,
        filed.capture,
        left_ms,
        sheet=sheet,
        part_mm=_answers_of(record, documents) or (0.0, 0.0, sheet.width_mm, sheet.height_mm),
        marks=tuple(mark for mark in sheet.marks if mark.place in open_),
        wrong=wrong,
        attempt=record.attempt,
        score=f"{sheet.score} / {sheet.max_score}" if documents.setting(SCORE_SETTING) == "on" else "",
    )


def _answers_of(record: PageRecord, documents: Documents) -> Box | None:
    """The strip of the page, over its whole width, in which its answers stand."""
    layout = documents.layout(record.sheet)
    page = layout.page(record.page) if layout is not None else None
    if layout is None or page is None or not page.fields:
        return None
    hulls = [field.hull_mm() for field in page.fields]
    top = max(min(y for _, y, _, _ in hulls) - AROUND_MM, 0.0)
    bottom = min(max(y + height for _, y, _, height in hulls) + AROUND_MM, layout.page_mm[1])
    return (0.0, round(top, 1), layout.page_mm[0], round(bottom - top, 1))
