"""What became of one page, without its picture: what is printed, kept in a list, and sent between processes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from edge.frames import Capture, Quad
from edge.picture_files import shown_name
from edge.pipeline import GradedPage, slid_by_order
from edge.reading.seats import Seat
from homework.errors import ClassboxError, one_line
from homework.results import PageRecord, PageStatus, Problem, TeacherMark, VerdictKind, points
from homework.roster import Roster

BAD_FILE = "bad-file"


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """A page that was looked at. `quads_px` belong to the record's items, in the contract's pixels.

    `ink` and `seat` are what the rest of the stack needs to say whose page it is (`edge.batch`); `by_order`: the page
    says nothing of its pupil, it is slid in the order of the seats. `facing` are the other pages in the same picture.
    """

    source: str
    page_of_source: int
    status: PageStatus
    problems: tuple[Problem, ...]
    sheet: str | None
    assignment: str | None
    page: int | None
    record: PageRecord | None
    quads_px: tuple[Quad, ...]
    ink: bytes
    seat: Seat | None
    elapsed_ms: float
    by_order: bool = False
    facing: tuple[Outcome, ...] = ()

    def pages(self) -> tuple[Outcome, ...]:
        """Every page of the picture, each by itself, from left to right."""
        return (msgspec.structs.replace(self, facing=()), *self.facing)

    def from_source(self, source: str) -> Outcome:
        """The same picture under another name of its file."""
        facing = tuple(msgspec.structs.replace(one, source=source) for one in self.facing)
        return msgspec.structs.replace(self, source=source, facing=facing)

    def named(self, record: PageRecord) -> Outcome:
        """The same page, with the name that the stack gave it."""
        return msgspec.structs.replace(self, record=record, problems=record.problems)


def outcome_of(capture: Capture, page: GradedPage) -> Outcome:
    """What is kept of a graded page."""
    code, layout, side = page.registered.code, page.registered.layout, page.registered.page
    scale = capture.told_scale
    quads = [field.quad_px for field in page.fields]
    if scale != 1.0:
        quads = [_scaled(quad, scale) for quad in quads]
    return Outcome(
        source=capture.source,
        page_of_source=capture.page_of_source,
        status=page.status,
        problems=page.problems,
        sheet=code.sheet if code is not None else layout.sheet if layout is not None else None,
        assignment=layout.assignment if layout is not None else None,
        page=code.page if code is not None else side.page if side is not None else None,
        record=page.record,
        quads_px=tuple(quads),
        ink=page.ink,
        seat=page.seat,
        elapsed_ms=page.elapsed_ms,
        by_order=slid_by_order(page.registered),
    )


def _scaled(quad: Quad, scale: float) -> Quad:
    # Pixel n of a picture covers n - 1/2 to n + 1/2.
    a, b, c, d = (((x + 0.5) * scale - 0.5, (y + 0.5) * scale - 0.5) for x, y in quad)
    return a, b, c, d


def as_json(one: Outcome) -> str:
    """The contract's object for one page, in `docs/reading.md`."""
    record = one.record
    about: dict[str, Any] = {
        "source": one.source,
        "page_of_source": one.page_of_source,
        "status": one.status.value,
        "problems": [_problem(problem) for problem in one.problems],
        "sheet": one.sheet,
        "assignment": one.assignment,
        "page": one.page,
        "class": record.who.class_name if record is not None else None,
        "seat": record.who.seat if record is not None else None,
        "pupil": record.who.pupil if record is not None else None,
        "score": points(record.score_hundredths) if record is not None else None,
        "max_score": points(record.max_score_hundredths) if record is not None else None,
        "pending": record.pending if record is not None else None,
        "items": [
            {
                "item": item.item,
                "blank": item.blank,
                "kind": item.kind,
                "reading": item.reading.text,
                "confidence": round(item.reading.confidence, 4),
                "verdict": item.verdict.kind.value,
                "score": points(item.verdict.score_hundredths),
                "mark": _mark(item.mark),
                "own_verdict": item.own.value if item.own is not None else None,
                "quad_px": [[round(x, 2), round(y, 2)] for x, y in quad],
            }
            for item, quad in zip(record.items if record is not None else (), one.quads_px, strict=True)
        ],
        "elapsed_ms": round(one.elapsed_ms, 1),
    }
    return json.dumps(about, ensure_ascii=False)


def _mark(mark: TeacherMark | None) -> dict[str, Any] | None:
    """The teacher's mark on a field."""
    if mark is None:
        return None
    return {"kind": mark.kind.value, "sure": mark.sure, "score": points(mark.score_hundredths)}


def as_failed_json(file: Path, page: int, error: ClassboxError) -> str:
    """The same object for a page that could not be opened."""
    about: dict[str, Any] = {
        "source": shown_name(file),
        "page_of_source": page,
        "status": PageStatus.UNREADABLE.value,
        "problems": [{"code": BAD_FILE, "message": str(error)}],
    }
    nothing = dict.fromkeys(("sheet", "assignment", "page", "class", "seat", "pupil", "score", "max_score", "pending"))
    return json.dumps({**about, **nothing, "items": [], "elapsed_ms": 0.0}, ensure_ascii=False)


def as_line(one: Outcome, roster: Roster | None, translate: Callable[[str], str]) -> str:
    """One line for people: where, whose, the score, how many of each mark, and what is the matter."""
    where = one_line(one.source) + (f":{one.page_of_source}" if one.page_of_source > 1 else "")
    problems = " ".join(translate(problem.message) for problem in one.problems)
    record = one.record
    if record is None:
        return f"{where}  {problems}"
    known = roster.by_id(record.who.pupil) if roster is not None and record.who.pupil is not None else None
    seat = None if record.who.seat is None else translate("no. {seat}").format(seat=record.who.seat)
    who = [record.who.class_name, seat, known.name if known is not None else record.who.pupil]
    counts = Counter(item.verdict.kind for item in record.items)
    marks = {
        "✓": counts[VerdictKind.CORRECT],
        "✗": counts[VerdictKind.WRONG],
        "?": counts[VerdictKind.REVIEW],
        "–": counts[VerdictKind.BLANK],
        "·": counts[VerdictKind.READ],
    }
    score = (
        ""
        if record.score_hundredths is None
        else f"{points(record.score_hundredths)}/{points(record.max_score_hundredths)}"
    )
    parts = [
        where,
        " ".join(part for part in who if part) or "?",
        score,
        " ".join(f"{mark}{count}" for mark, count in marks.items() if count),
        problems,
    ]
    return "  ".join(part for part in parts if part)


def _problem(problem: Problem) -> dict[str, str]:
    return {"code": problem.code, "message": problem.message}
