"""What comes of a sheet whose month was archived: held, told, refused by a person; never counted, and on no heap."""

import secrets
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import func, select

from gateway.held import Held, accept, held, look_again, refuse
from gateway.keeping.archiving import archive_month
from gateway.keeping.stragglers import month_of_reason
from gateway.simulated_class import SimulatedBox
from gateway.simulated_school import SimulatedSchool
from gateway.store.tables.sheets import corrections, crops, held_records, page_records
from homework.errors import ClassboxError
from sync.clock import ClockQuality
from sync.lanes import Lane
from sync.state import BoxState
from tests.gateway.judged import judged
from tests.gateway.old_month import a_correction, a_crop, a_month, later_ms

ON_BOTH = True


async def test_a_straggler_of_an_archived_month_is_held_and_cannot_be_counted_anew(
    school: SimulatedSchool, tmp_path: Path
) -> None:
    month = await a_month(school)
    old = await _captures(school)
    await archive_month(school.store, "no-1", month, tmp_path, now_ms=later_ms())
    again = SimulatedBox("no-1", "box-1")
    first, second, third = school.pupils.roster.pupils[:3]
    sent = [
        judged(school.pupils.result(first, capture=old[0])),
        judged(school.pupils.result(second, duplicate_of=old[1])),
        judged(school.pupils.result(third)),
    ]
    (receipt,) = await school.ingest.take([again.envelope(Lane.RESULTS, sent)])
    assert (receipt.mark, receipt.held) == (3, ((1, 3),))
    async with school.store.reading() as connection:
        held = (await connection.execute(select(held_records))).all()
    assert {row.reason for row in held} == {
        f"it is in the archive of {month}",
        f"its worksheet was archived with {month}",
    }
    with pytest.raises(ClassboxError, match="archive"):
        await accept(school.store, [bytes(held[0].digest).hex()])
    later = msgspec.structs.replace(sent[2].clock, wall_ms=later_ms() + 1, quality=ClockQuality.SYNCED)
    anew = msgspec.structs.replace(sent[2], capture=secrets.token_bytes(16), clock=later)
    await school.ingest.take([again.envelope(Lane.RESULTS, [anew])])
    assert (await school.report()).figures.handed_in == 1, "a worksheet that is used again"
    assert (await school.check()).faults == ()


async def test_a_correction_and_a_picture_of_an_archived_sheet_are_held_and_hang_on_nothing(
    school: SimulatedSchool, tmp_path: Path
) -> None:
    month = await a_month(school)
    old = (await _captures(school))[0]
    await archive_month(school.store, "no-1", month, tmp_path, now_ms=later_ms())
    again = SimulatedBox("no-1", "box-1")
    page = judged(school.pupils.result(school.pupils.roster.pupils[2]))  # was slid before, and comes only now
    await school.ingest.take(
        [
            again.envelope(Lane.RESULTS, [a_correction(old), page, a_correction(page.capture)]),
            again.envelope(Lane.CROPS, [a_crop(school, old), a_crop(school, page.capture)]),
        ]
    )
    await school.ingest.take([again.envelope(Lane.CROPS, [a_crop(school, page.capture)])])
    assert await _held_of(school, again) == {Lane.RESULTS: ((1, 3),), Lane.CROPS: ((1, 3),)}
    assert await _beside(school) == (0, 0)
    waiting = await _held(school)
    assert [month_of_reason(one.reason) for one in waiting] == [month] * 6
    with pytest.raises(ClassboxError, match="archive"):
        await accept(school.store, [waiting[0].digest.hex()])
    assert await look_again(school.store, software="a newer one") == (0, 6)
    await refuse(school.store, [one.digest.hex() for one in waiting])
    assert await _held_of(school, again) == {}, "only now the box may let go of them"
    await school.ingest.take([again.envelope(Lane.RESULTS, [a_correction(page.capture)])])
    assert await _beside(school) == (0, 0), "its page was refused"
    assert (await school.check()).faults == ()


# --- what is there ------------------------------------------------------------------------------------------------


async def _captures(school: SimulatedSchool) -> list[bytes]:
    async with school.store.reading() as connection:
        return [bytes(capture) for capture in await connection.scalars(select(page_records.c.capture))]


async def _beside(school: SimulatedSchool) -> tuple[int, ...]:
    """How many pictures and corrections there are."""
    async with school.store.reading() as connection:
        count = [select(func.count()).select_from(table) for table in (crops, corrections)]
        return tuple([(await connection.execute(query)).scalar_one() for query in count])


async def _held(school: SimulatedSchool) -> list[Held]:
    async with school.store.reading() as connection:
        return await held(connection)


async def _held_of(school: SimulatedSchool, box: SimulatedBox) -> dict[Lane, tuple[tuple[int, int], ...]]:
    """What the box is told of what is held of it."""
    hello = BoxState(
        school=box.school, box=box.box, online=True, software="t", challenge=bytes(8), epochs=(box.epoch,)
    )  # fmt: skip
    (receipts,) = await school.ingest.standing([hello])
    return {receipt.lane: receipt.held for receipt in receipts if receipt.held}
