"""Pages as the pipeline would give them to the ledger, without a picture."""

from typing import Any

import numpy as np

from edge.frames import Capture, RegisteredPage
from edge.ledger import Ledger
from edge.pipeline import GradedPage
from edge.reading.signature import GRID
from homework.results import ItemResult, PageRecord, PageStatus, Reading, Verdict, VerdictKind, WhoWroteIt
from sync.clock import ClockQuality, ClockReading

IMAGE = np.full((8, 8, 3), 200, np.uint8)
CLOCK = ClockReading(monotonic_ms=5, wall_ms=1_790_000_000_000, boot=bytes(16), quality=ClockQuality.SYNCED)


def ink(seed: int) -> bytes:
    """An ink signature of ten fields; different seeds are different hands."""
    rng = np.random.default_rng(seed)
    cells = 10 * GRID[0] * GRID[1]
    return (rng.integers(0, 255, cells) * (rng.random(cells) > 0.6)).astype(np.uint8).tobytes()


def graded(pupil: str | None = "S001", *, seed: int = 1, page: int = 1, pending: int = 0) -> GradedPage:
    kind = VerdictKind.REVIEW if pending else VerdictKind.CORRECT
    record = PageRecord(
        sheet="ABCD1234",
        assignment="g3",
        page=page,
        who=WhoWroteIt("3-1", 1, pupil, 1.0),
        items=(ItemResult("1", 1, "number", Reading("92", 0.99), Verdict(kind, None if pending else 100)),),
        score_hundredths=0 if pending else 100,
        max_score_hundredths=100,
        pending=pending,
    )
    return GradedPage(PageStatus.GRADED, registered(), record, (), ink=ink(seed))


def registered() -> RegisteredPage:
    return RegisteredPage(Capture(IMAGE, "test"), None, None, None, np.eye(3), 8.0, 0.1)


def unknown() -> GradedPage:
    return GradedPage(PageStatus.UNKNOWN_SHEET, registered(), None, ())


def file(ledger: Ledger, page: GradedPage, digest: int, **more: Any) -> Any:
    pupil = more.pop("pupil", page.record.who.pupil if page.record is not None else None)
    clock = more.pop("clock", CLOCK)
    return ledger.file(
        Capture(IMAGE, "test"), page, pupil=pupil, digest=f"{digest:032x}", has_picture=True, clock=clock, **more
    )
