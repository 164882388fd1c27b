"""A page as the ledger keeps it and as it is given out."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from enum import StrEnum

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge.booking import Standing
from edge.frames import Capture
from edge.pipeline import GradedPage
from edge.reading.seats import Seat
from edge.retention import Why
from homework.results import PageRecord, PageStatus, Problem
from sync.clock import ClockReading


class NamedBy(StrEnum):
    """Who says whose page it is: the page itself, the stack that it lies in, the seat that was called when it came,
    or a person (whose word stands).
    """

    PAGE = "page"
    STACK = "stack"
    ORDER = "order"
    PERSON = "person"


@dataclass(frozen=True)
class FiledPage:
    """The newest word on one capture. `linked` is the capture that it repeats, or that stands in its place."""

    capture: int
    revision: int
    digest: str
    has_picture: bool
    source: str
    clock: ClockReading
    status: PageStatus
    standing: Standing
    linked: int | None
    pupil: str | None
    record: PageRecord | None
    problems: tuple[Problem, ...]
    mm_to_px: NDArray[np.float64] | None
    seat: Seat | None = None
    """What its seat cells say, where that was no proof by itself."""
    named_by: NamedBy = NamedBy.PAGE
    taken: tuple[int, ...] = ()
    """Of a corrected page: the places among its items (from 0) that it took over from the attempt before."""
    picture_gone: Why | None = None
    """Its picture was kept, and has made room since; why."""


class PageRow(msgspec.Struct, frozen=True, kw_only=True):
    """One revision of a page as it is kept (`body`); the columns beside it are what queries ask for.

    `ink` is kept in its own column alone: in both, it was half of the ledger. `around` is the ink beside the fields
    (`edge.reading.signature.ink_around`), b"" where there is none. Of a corrected page `read` is what it says by
    itself, and `taken` the places that `record` took over from the attempt before. `again`: a person said of it, or of
    its stack, that it is a correction.
    """

    capture: int
    status: PageStatus
    standing: Standing
    linked: int | None
    pupil: str | None
    record: PageRecord | None
    problems: tuple[Problem, ...]
    ink: bytes
    mm_to_px: tuple[float, ...] | None
    seat: Seat | None = None
    named_by: NamedBy = NamedBy.PAGE
    around: bytes = b""
    read: PageRecord | None = None
    taken: tuple[int, ...] = ()
    again: bool = False


# Made once: msgspec (0.22) works a type out at its first use, and two threads that do so at once crash the process.
_ROWS = msgspec.msgpack.Decoder(PageRow)
_CLOCKS = msgspec.msgpack.Decoder(ClockReading)


@dataclass(frozen=True)
class Counts:
    """How many captures there are, and what became of them: `graded` counts, `review` is fields to look at."""

    captured: int = 0
    graded: int = 0
    duplicates: int = 0
    asked: int = 0
    unknown_sheet: int = 0
    not_graded: int = 0
    withdrawn: int = 0
    review: int = 0


def page_row(capture: int, page: GradedPage, *, pupil: str | None) -> PageRow:
    """A graded page as it is kept before it is booked. The seat's likelihoods are kept of pages that name nobody."""
    where_mm = page.registered.mm_to_px
    return PageRow(
        capture=capture,
        status=page.status,
        standing=Standing.NOT_GRADED,
        linked=None,
        pupil=pupil,
        record=page.record,
        problems=page.problems,
        ink=page.ink,
        mm_to_px=None if where_mm is None else tuple(float(v) for v in where_mm.ravel()),
        seat=page.seat if pupil is None else None,
        around=page.around if any(page.around) else b"",
    )


def unsaved_page(capture: Capture, page: GradedPage, *, digest: str, clock: ClockReading) -> FiledPage:
    """A page that the disk did not take, as it would be shown: `capture` is 0 and nothing counts it."""
    return FiledPage(
        capture=0,
        revision=0,
        digest=digest,
        has_picture=False,
        source=capture.source,
        clock=clock,
        status=page.status,
        standing=Standing.NOT_GRADED,
        linked=None,
        pupil=None,
        record=page.record,
        problems=page.problems,
        mm_to_px=page.registered.mm_to_px,
    )


def read_row(body: bytes, ink: bytes) -> PageRow:
    """The row of a `body`, with the ink of its column."""
    return msgspec.structs.replace(_ROWS.decode(body), ink=ink)


def filed_page(row: sqlite3.Row) -> FiledPage:
    """A row of the ledger's queries of pages as it is given out."""
    page = read_row(row["body"], b"")  # nobody who looks at a page asks for its ink
    return FiledPage(
        capture=row["id"],
        revision=row["revision"],
        digest=row["digest"],
        has_picture=bool(row["has_picture"]),
        source=row["source"],
        clock=read_clock(row["clock"]),
        status=page.status,
        standing=page.standing,
        linked=page.linked,
        pupil=page.pupil,
        record=page.record,
        problems=page.problems,
        mm_to_px=None if page.mm_to_px is None else np.array(page.mm_to_px, np.float64).reshape(3, 3),
        seat=page.seat,
        named_by=page.named_by,
        taken=page.taken,
        picture_gone=None if row["gone"] is None else Why(row["gone"]),
    )


def read_clock(body: bytes) -> ClockReading:
    """The clock of a capture's row."""
    return _CLOCKS.decode(body)
