"""A class's sheets of two months ago, which a gateway may archive."""

import secrets
import time

import msgspec

from gateway.keeping.archiving import first_kept, months_before
from gateway.simulated_school import SimulatedSchool
from gateway.store.partitions import make_months, month_after
from gateway.store.tables.sheets import assignment_months
from sync.clock import SystemClock
from sync.lanes import Lane
from sync.records import CorrectionRecord, CropRecord, PackedJudgement, PageResult
from sync.sealing import seal
from tests.gateway.judged import judged


async def a_month(school: SimulatedSchool, *, waiting: bool = False) -> int:
    """The class's sheets, with a crop, as if they had come two months ago; which month that is."""
    month = first_kept(now_ms(), 2)
    store = school.store
    if store.on_a_server:
        await make_months(store._engine, month)
    await school.ingest.take([school.box.envelope(Lane.DOCUMENTS, school.pupils.documents())])
    async with store.writing() as connection:
        row = {"school_id": school.school, "assignment": school.pupils.assignment.id, "month": month}
        await connection.execute(assignment_months.insert(), row)
    pages: list[PageResult] = [judged(school.pupils.result(one)) for one in school.pupils.roster.pupils]
    if waiting:
        pages[0] = msgspec.structs.replace(pages[0], pending=1)
    crop = a_crop(school, pages[0].capture)
    await school.ingest.take([school.box.envelope(Lane.RESULTS, pages), school.box.envelope(Lane.CROPS, [crop])])
    async with store.reading() as connection:
        assert await months_before(connection, school.school, month_after(month)) == [month]
    return month


def a_crop(school: SimulatedSchool, capture: bytes) -> CropRecord:
    """A picture of a field of a page."""
    return CropRecord(capture=capture, item="q1", blank=1, revision=1, sealed=seal(school.school_key, b"p", b"x"))


def a_correction(capture: bytes) -> CorrectionRecord:
    """What a box says of the same field."""
    return CorrectionRecord(
        id=secrets.token_bytes(16),
        capture=capture,
        item="q1",
        blank=1,
        judgement=PackedJudgement(None, True, None),
        stamp=None,
        sealed=None,
        read=None,
        revision=1,
        replaces=(),
        clock=SystemClock().read(),
    )


def now_ms() -> int:
    """This moment."""
    return time.time_ns() // 1_000_000


def later_ms() -> int:
    """A moment after what has come."""
    return now_ms() + 1000
