"""The stack as it is printed onto: its sheets in the order in which they were slid, and what each gets."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import msgspec

from edge.access.lifetimes import within
from edge.booking import Standing
from edge.documents import Documents
from edge.filed import FiledPage
from edge.ledger import Ledger
from edge.stack import owner_of
from homework.grading import is_unattempted
from homework.layout import SheetLayout
from homework.results import PageStatus, VerdictKind, points
from homework.sheets.overprint import Alignment, Side, side_of

PAUSE_MS = 20 * 60_000
"""So long a pause parts two stacks."""

MOST_SHEETS = 400
PRINTERS_SETTING = "overprint_printers"
TEST_SETTING = "overprint_test"
_SIGNS = {VerdictKind.CORRECT: True, VerdictKind.WRONG: False, VerdictKind.BLANK: False}


class Printer(msgspec.Struct, frozen=True):
    """What was measured of a printer: how far its marks lay off, and what the alignment leaves."""

    alignment: Alignment = Alignment()
    off_mm: float = 0.0
    residue_mm: float = 0.0


class TestPage(msgspec.Struct, frozen=True):
    """The test page that was made last: for which printer, and with which alignment."""

    printer: str
    alignment: Alignment


@dataclass(frozen=True)
class Line:
    """One sheet of the stack. `kept`: it is thought to lie in the pile; `empty`: it gets an empty page."""

    capture: int
    seat: int | None
    name: str | None
    standing: Standing
    kept: bool
    empty: bool
    right: int
    wrong: int


@dataclass(frozen=True)
class Stack:
    """The stack of one side of a worksheet, in the order of the slides."""

    layout: SheetLayout
    page: int
    pages: tuple[FiledPage, ...]
    lines: tuple[Line, ...]


# Made once: msgspec (0.22) works a type out at its first use, and two threads that do so at once crash the process.
_PRINTERS = msgspec.json.Decoder(dict[str, Printer])
_TEST = msgspec.json.Decoder(TestPage)


def printers(documents: Documents) -> dict[str, Printer]:
    """The printers that were measured, by name."""
    kept = documents.setting(PRINTERS_SETTING)
    try:
        return _PRINTERS.decode(kept) if kept else {}
    except msgspec.DecodeError:
        return {}


def keep_printer(documents: Documents, name: str, printer: Printer) -> None:
    """Remember what was measured of a printer. Raises `DocumentsError`."""
    body = msgspec.json.encode({**printers(documents), name: printer}).decode()
    documents.put_setting(PRINTERS_SETTING, body)


def test_page(documents: Documents) -> TestPage | None:
    """The test page that was made last."""
    kept = documents.setting(TEST_SETTING)
    try:
        return _TEST.decode(kept) if kept else None
    except msgspec.DecodeError:
        return None


def stack_to_print(
    ledger: Ledger, documents: Documents, assignment: str, page: int, class_name: str | None
) -> Stack | None:
    """The last stack of a worksheet's page, with every sheet that may lie in it. None: none of it came."""
    found = _last_stack(ledger.last_pages(MOST_SHEETS), assignment, page)
    layout = next(
        (
            found_layout
            for one in reversed(found)
            if one.record and (found_layout := documents.layout(one.record.sheet))
        ),
        None,
    )
    if layout is None:
        return None
    lines = tuple(_line(one, documents, class_name) for one in found)
    return Stack(layout, page, tuple(found), lines)


def sides(stack: Stack, kept: Collection[int], *, ticks: bool, score: bool) -> list[Side | None]:
    """What each sheet of the stack gets, of those that lie in it (`kept`)."""
    return [_side(one, stack, ticks=ticks, score=score) for one in stack.pages if one.capture in kept]


def _last_stack(pages: Sequence[FiledPage], assignment: str, page: int) -> list[FiledPage]:
    """The captures since the last long pause before the newest sheet of this page, without what is of another one."""
    ours = [n for n, one in enumerate(pages) if _is_of(one, assignment, page)]
    if not ours:
        return []
    start = ours[-1]
    while start > 0 and within(pages[start - 1].clock, pages[start].clock, PAUSE_MS):
        start -= 1
    return [one for one in pages[start : ours[-1] + 1] if one.record is None or _is_of(one, assignment, page)]


def _is_of(one: FiledPage, assignment: str, page: int) -> bool:
    return one.record is not None and (one.record.assignment, one.record.page) == (assignment, page)


def _line(one: FiledPage, documents: Documents, class_name: str | None) -> Line:
    record = one.record
    asked = one.standing is Standing.ASK
    owner = owner_of(record, documents.roster(), class_name) if record is not None and not asked else None
    signs = [_SIGNS.get(item.verdict.kind) for item in record.items] if record is not None else []
    return Line(
        capture=one.capture,
        seat=owner.seat if owner is not None else record.who.seat if record is not None else None,
        name=owner.name if owner is not None else None,
        standing=one.standing,
        # A sheet that was slid twice, or taken back, lies in the pile once, or not at all.
        kept=one.standing not in (Standing.DUPLICATE, Standing.WITHDRAWN),
        empty=not _is_graded(one),
        right=signs.count(True),
        wrong=signs.count(False),
    )


def _is_graded(one: FiledPage) -> bool:
    return one.status is PageStatus.GRADED and one.record is not None and one.record.max_score_hundredths is not None


def _side(one: FiledPage, stack: Stack, *, ticks: bool, score: bool) -> Side | None:
    page = stack.layout.page(stack.page)
    record = one.record
    if page is None or record is None or not _is_graded(one) or record.sheet != stack.layout.sheet:
        return None
    again = record.attempt > 1
    verdicts, marked = [], []
    for place, item in enumerate(record.items):
        sign = _SIGNS.get(item.verdict.kind)
        if place in one.taken:
            continue  # it got its mark the first time
        if again:
            marked.append((item.item, item.blank))
        if sign is not None and (ticks or not sign) and not is_unattempted(item):
            verdicts.append((item.item, item.blank, sign))
    text = "" if not score or again else f"{points(record.score_hundredths)}"
    return side_of(page, stack.layout.page_mm, verdicts, score=text, marked=marked)
