"""A term's sheets in a box's data folder, filed as the box files them; only the grading is left out.

Every record has twenty answered items and an ink signature of their size. Pictures are one small real JPEG with the
sheet's number behind its end, so that each has a digest of its own. The box is enrolled and its school never answers.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import cv2
import msgspec
import numpy as np

from edge.document_file import DocumentFile
from edge.documents import FILE_NAME
from edge.frames import Capture, RegisteredPage
from edge.ledger import Ledger
from edge.pictures import Pictures, digest_of
from edge.pipeline import GradedPage
from edge.reading.signature import GRID
from homework.assignment import Assignment, parse_assignment
from homework.layout import SheetLayout
from homework.results import Candidate, ItemResult, PageRecord, PageStatus, Reading, Verdict, VerdictKind, WhoWroteIt
from homework.roster import Pupil, Roster
from homework.sheets.make import make_sheets
from models.simulation.classroom import made_up_roster
from provisioning.identity import Identity, write_identity
from sync.clock import ClockQuality, ClockReading

CLASS = "3-1"
PUPILS = 45
ITEMS = 20
PENDING_EVERY = 100
"""One sheet in so many still has a field to look at, one in five times as many bears a number that is taken."""
FIRST_DAY_MS = 1_788_300_000_000
_DAY_MS = 86_400_000
_ITEM = '[[item]]\nkind = "number"\nprompt = "{a} × {b} ="\nanswer = "{answer}"\n'


def make_term(data: Path, *, sheets: int, seed: int = 1) -> None:
    """Fill an empty data folder with `sheets` sheets of one class, 45 for each assignment."""
    rng = np.random.default_rng(seed)
    count = -(-sheets // PUPILS)
    roster = made_up_roster(PUPILS, class_name=CLASS)
    identity = Identity(
        school="term-school",
        box="box-1",
        school_key=secrets.token_bytes(32),
        box_key=secrets.token_bytes(32),
        broker_url="mqtt://127.0.0.1:9",
    )
    write_identity(data, identity)
    _load(data, roster, dict(_assignments(count)))
    ledger, pictures = Ledger(data, school_key=identity.school_key), Pictures(data / "pictures")
    small = _small_picture(rng)
    try:
        for number in range(sheets):
            day, seat = divmod(number, PUPILS)
            picture = small + f"{number:08}".encode()
            digest = digest_of(picture)
            pictures.keep(digest, picture)
            asked = number % (5 * PENDING_EVERY) == 7
            pupil = roster.pupils[seat - 1 if asked else seat]
            page = made_up_page(rng, number, pupil, assignment=f"term-{day:03}", sheet=f"T{day:07}")
            ledger.file(
                Capture(np.zeros((1, 1, 3), np.uint8), "term"),
                page,
                pupil=pupil.pupil_id,
                digest=digest,
                has_picture=True,
                clock=clock_of(number),
            )
    finally:
        ledger.close()


def clock_of(number: int) -> ClockReading:
    """When the n-th sheet came: 160 a school day."""
    wall_ms = FIRST_DAY_MS + number // 160 * _DAY_MS + number % 160 * 2000
    return ClockReading(
        monotonic_ms=wall_ms - FIRST_DAY_MS, wall_ms=wall_ms, boot=bytes(16), quality=ClockQuality.RESTORED
    )


def _assignments(count: int) -> Iterator[tuple[Assignment, SheetLayout]]:
    """As many different assignments, printed once: what differs is what they are called."""
    items = "".join(_ITEM.format(a=12 + n, b=3, answer=3 * (12 + n)) for n in range(ITEMS))
    first = parse_assignment(f'[assignment]\nid = "term-000"\ntitle = "练习"\ngrade = 3\n{items}')
    layout = make_sheets(first).layout
    for day in range(count):
        name = f"term-{day:03}"
        yield (
            msgspec.structs.replace(first, id=name, title=f"练习 {day + 1}"),
            msgspec.structs.replace(layout, sheet=f"T{day:07}", assignment=name),
        )


def _load(data: Path, roster: Roster, printed: dict[Assignment, SheetLayout]) -> None:
    """All documents in one write: a term's loadings one by one would take minutes, and change nothing that is asked."""
    bodies: dict[str, list[tuple[str, object]]] = {
        "assignments": [(assignment.id, assignment) for assignment in printed],
        "layouts": [(layout.sheet, layout) for layout in printed.values()],
        "rosters": [(CLASS, roster.of_class(CLASS))],
    }
    tables = {
        name: {
            str(number): {"id": key, "body": msgspec.to_builtins(body)}
            for number, (key, body) in enumerate(rows, start=1)
        }
        for name, rows in bodies.items()
    }
    DocumentFile(data / FILE_NAME).write(tables)


def made_up_page(rng: np.random.Generator, number: int, pupil: Pupil, *, assignment: str, sheet: str) -> GradedPage:
    """A page as the pipeline gives it to the ledger."""
    pending = number % PENDING_EVERY == PENDING_EVERY - 1
    items = [_item(rng, n, in_review=pending and n == 4) for n in range(ITEMS)]
    score = sum(item.verdict.score_hundredths or 0 for item in items)
    record = PageRecord(
        sheet=sheet,
        assignment=assignment,
        page=1,
        who=WhoWroteIt(CLASS, pupil.seat, pupil.pupil_id, 0.9993),
        items=tuple(items),
        score_hundredths=score,
        max_score_hundredths=100 * ITEMS,
        pending=int(pending),
    )
    capture = Capture(np.zeros((1, 1, 3), np.uint8), "term")
    registered = RegisteredPage(capture, None, None, None, np.eye(3) * rng.uniform(5, 6), 5.5, 0.1)
    return GradedPage(PageStatus.GRADED, registered, record, (), ink=_ink(rng))


def _item(rng: np.random.Generator, number: int, *, in_review: bool) -> ItemResult:
    right, confidence = rng.random() < 0.85, float(rng.uniform(0.97, 1))
    text = str(3 * (12 + number) + (0 if right else int(rng.integers(1, 30))))
    candidates = (Candidate(text, confidence), Candidate(text[::-1], 1 - confidence))
    kind = VerdictKind.REVIEW if in_review else VerdictKind.CORRECT if right else VerdictKind.WRONG
    score = None if in_review else 100 if right else 0
    return ItemResult(str(number + 1), 1, "number", Reading(text, confidence, None, candidates), Verdict(kind, score))


def _ink(rng: np.random.Generator) -> bytes:
    cells = ITEMS * GRID[0] * GRID[1]
    return (rng.integers(0, 255, cells) * (rng.random(cells) > 0.7)).astype(np.uint8).tobytes()


def _small_picture(rng: np.random.Generator) -> bytes:
    """A grey page of pen strokes, about 12 kB."""
    image = np.full((842, 595, 3), 225, np.uint8)
    for _ in range(120):
        x, y = int(rng.integers(30, 520)), int(rng.integers(30, 800))
        cv2.line(image, (x, y), (x + int(rng.integers(5, 40)), y + int(rng.integers(-12, 12))), (60, 50, 40), 2)
    return bytes(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 60])[1])
