"""请假 and 免做 at the school: said on boxes and here, they count in every report, whatever comes when (D12)."""

from __future__ import annotations

import itertools

import msgspec
import pytest
from sqlalchemy import delete, select

from gateway.ingest import Changed
from gateway.keeping.archiving import archive_month
from gateway.reports.cache import ReportCache
from gateway.reports.class_report import SchoolReport
from gateway.reports.summaries import Place
from gateway.saying_absent import SaidSinceError, Whose, say_absent, take_absence_back
from gateway.simulated_class import SimulatedBox
from gateway.simulated_school import SimulatedSchool, make_school
from gateway.store.absences import MOST_WORDS, absences_of, absences_of_pupil
from gateway.store.rosters import bring_in
from gateway.store.schools import enrol_box
from gateway.store.tables.schools import down_log
from gateway.store.tables.sheets import absences, boots, held_records, raw_records
from homework.absences import Absence
from homework.errors import ClassboxError
from homework.lateness import Timing
from homework.roster import Roster
from sync.absences import who_said
from sync.clock import ClockQuality, ClockReading
from sync.down_bodies import unpacked
from sync.lanes import Lane
from sync.records import AbsenceRecord, decode_record, encode_record
from tests.gateway.absent import NOW, UNSET, alias, at_box, come, say
from tests.gateway.judged import judged
from tests.gateway.old_month import a_month, later_ms

ON_BOTH = True
EXCUSED, EXEMPT = Absence.EXCUSED, Absence.EXEMPT


async def handed_in(school: SimulatedSchool, *seats: int) -> None:
    sheets = [judged(school.pupils.result(school.pupils.roster.pupils[seat - 1])) for seat in seats]
    await school.ingest.take(
        [school.box.envelope(Lane.DOCUMENTS, school.pupils.documents()), school.box.envelope(Lane.RESULTS, sheets)]
    )


def statuses(report: SchoolReport) -> list[str]:
    return [line.status for line in report.figures.pupils]


async def went_down(school: SimulatedSchool) -> list[AbsenceRecord]:
    async with school.store.reading() as connection:
        query = select(down_log).where(down_log.c.school_id == school.school, down_log.c.kind == "absence")
        found = await connection.execute(query.order_by(down_log.c.place))
        records = [decode_record(unpacked(row.packed)) for row in found]
    return [record for record in records if isinstance(record, AbsenceRecord)]


async def rows(school: SimulatedSchool) -> int:
    async with school.store.reading() as connection:
        return len(list(await connection.execute(select(absences.c.absence_id))))


# --- what counts ------------------------------------------------------------------------------------------


async def test_who_was_said_to_be_away_at_the_box_is_not_missing_at_the_school(school: SimulatedSchool) -> None:
    await handed_in(school, *range(1, 11))
    school.changed.clear()
    await come(school, at_box(school, 11, EXCUSED), at_box(school, 12, EXEMPT))
    assert school.changed == [Changed("no-1", school.pupils.assignment.id, "3-1")]
    report = await school.report()
    assert statuses(report)[10:] == ["excused", "exempt"]
    assert (report.figures.expected, report.figures.handed_in) == (10, 10)


async def test_what_is_said_at_the_school_counts_at_once_and_goes_down_with_who_said_it_sealed(
    school: SimulatedSchool,
) -> None:
    await handed_in(school, 1)
    assert await say(school, 2, EXCUSED) is not None
    assert await say(school, 2, EXCUSED) is None, "it stands already"
    assert statuses(await school.report())[1] == "excused"
    (down,) = await went_down(school)
    assert (down.pseudonym, down.absence, down.order, down.origin) == (alias(school, 2), 1, 1, "")
    assert who_said(down, school.school_key) == "校长"
    assert "校长".encode() not in encode_record(down)


async def test_taking_back_leaves_what_was_said_before_and_never_goes_over_what_came_since(
    school: SimulatedSchool,
) -> None:
    whose = Whose(school.pupils.assignment.id, alias(school, 2))
    first = await say(school, 2, EXCUSED)
    then = await say(school, 2, EXEMPT)
    assert first is not None
    assert then is not None
    async with school.store.writing() as connection:
        with pytest.raises(SaidSinceError):
            await take_absence_back(connection, school.store.vault, "no-1", whose, first, who="", clock=NOW)
        await take_absence_back(connection, school.store.vault, "no-1", whose, then, who="", clock=NOW)
    async with school.store.reading() as connection:
        assert await absences_of_pupil(connection, "no-1", whose.pupil) == {whose.assignment: EXCUSED}
    await say(school, 2, None)
    async with school.store.reading() as connection:
        assert await absences_of(connection, "no-1", [whose.assignment]) == {}


async def test_a_pupil_who_hands_in_after_all_counts_and_is_late_where_it_was_a_leave(school: SimulatedSchool) -> None:
    await come(school, at_box(school, 1, EXCUSED), at_box(school, 2, EXEMPT))
    await handed_in(school, 1, 2)
    report = await school.report()
    assert statuses(report)[:3] == ["late", "handed-in", "missing"]
    assert report.notes["3-1-S001"].timing is Timing.LATE
    assert report.figures.expected == 12


async def test_a_cached_report_of_a_class_follows(school: SimulatedSchool) -> None:
    await handed_in(school, 1)
    cache, place = ReportCache(school.store.vault), Place("no-1", "3-1", school.pupils.assignment.id)

    async def seen() -> str:
        async with school.store.reading() as connection:
            return statuses(await cache.class_report(connection, place))[1]

    assert await seen() == "missing"
    await come(school, at_box(school, 2, EXEMPT))
    assert await seen() == "exempt"
    await say(school, 2, None)
    assert await seen() == "missing"


# --- both sides at once, any order, repeated ----------------------------------------------------------------


async def test_in_whatever_order_words_come_and_however_often_the_same_one_counts(school: SimulatedSchool) -> None:
    first = at_box(school, 1, EXCUSED)
    then = at_box(school, 1, None, replaces=(first.id,), clock=UNSET)
    apart = at_box(school, 1, EXEMPT, clock=UNSET)  # said on another box that nobody set: the first stands before it
    for number, found in enumerate(itertools.permutations([first, then, apart])):
        name = f"hw-{number}"
        words = [msgspec.structs.replace(word, assignment=name, id=word.id[:15] + bytes([number])) for word in found]
        named = [
            msgspec.structs.replace(word, replaces=tuple(one[:15] + bytes([number]) for one in word.replaces))
            for word in words
        ]
        await come(school, *named, *named[::-1])
        async with school.store.reading() as connection:
            counts = (await absences_of(connection, "no-1", [name])).get(name, {}).get(alias(school, 1))
        # `then` replaces `first`; of it and `apart`, which nobody's clock tells apart, the later to arrive counts.
        arrived = [word.absence for word in found if word is not first]
        assert counts == (EXEMPT if arrived[-1] == 2 else None)
    assert await rows(school) == 18


async def test_of_the_school_and_a_box_at_once_the_later_true_time_counts_and_a_box_in_2099_wins_nothing(
    school: SimulatedSchool,
) -> None:
    later = msgspec.structs.replace(NOW, wall_ms=NOW.wall_ms + 60_000)
    in_2099 = ClockReading(monotonic_ms=1, wall_ms=4_070_000_000_000, boot=bytes(16), quality=ClockQuality.SYNCED)
    await say(school, 1, EXCUSED)
    await say(school, 2, EXCUSED)
    await come(school, at_box(school, 1, EXEMPT, clock=later), at_box(school, 2, EXEMPT, clock=in_2099))
    assert statuses(await school.report())[:2] == ["exempt", "excused"]
    told = {record.pseudonym: record.clock.quality for record in await went_down(school) if record.origin == "box-1"}
    assert told == {alias(school, 1): ClockQuality.SYNCED, alias(school, 2): ClockQuality.RESTORED}


# --- what is wrong, and what waits --------------------------------------------------------------------------


async def test_a_word_on_a_pupil_whom_nobody_knows_waits_for_the_class_list(school: SimulatedSchool) -> None:
    every = school.pupils.roster
    async with school.store.writing() as connection:
        await bring_in(connection, school.store.vault, "no-1", Roster(every.pupils[:5]))
    await handed_in(school, 1)
    school.changed.clear()
    await come(school, at_box(school, 6, EXCUSED))
    assert school.changed == []
    async with school.store.writing() as connection:
        whose = Whose(school.pupils.assignment.id, alias(school, 6))
        with pytest.raises(ClassboxError, match="class list"):
            await say_absent(connection, school.store.vault, "no-1", whose, EXCUSED, who="", clock=NOW)
        await bring_in(connection, school.store.vault, "no-1", every)
    assert statuses(await school.report())[5] == "excused"


async def test_a_word_on_homework_that_has_not_come_waits_for_it(school: SimulatedSchool) -> None:
    await come(school, at_box(school, 2, EXEMPT))
    assert statuses(await school.report())[1] == "exempt"
    await handed_in(school, 1)
    report = await school.report()
    assert (statuses(report)[:3], report.figures.expected) == (["handed-in", "exempt", "missing"], 11)


async def test_what_the_school_said_comes_back_from_its_boxes_after_an_older_copy_was_put_back(
    school: SimulatedSchool,
) -> None:
    await handed_in(school, 1)
    await say(school, 2, EXCUSED, msgspec.structs.replace(NOW, boot=b"of this gateway "))
    (word,) = await went_down(school)
    async with school.store.writing() as connection:  # the copy was made before
        await connection.execute(delete(absences))
        await connection.execute(delete(down_log).where(down_log.c.kind == "absence"))
        await enrol_box(connection, school.store.vault, school.school, "box-2")
    await come(school, at_box(school, 3, EXEMPT))
    for box in ("box-1", "box-2"):
        await come(school, word, box=SimulatedBox(school.school, box))
    assert statuses(await school.report())[:3] == ["handed-in", "excused", "exempt"]
    assert await rows(school) == 2, "two boxes told it back"
    back = (await went_down(school))[-1]
    assert (back.id, back.order, who_said(back, school.school_key)) == (word.id, 2, "校长")
    async with school.store.reading() as connection:
        known = {bytes(boot) for boot in await connection.scalars(select(boots.c.boot))}
    assert word.clock.boot not in known, "its clock is the gateway's and no boot of the box"


async def test_a_word_on_archived_homework_is_on_no_heap(school: SimulatedSchool) -> None:
    month = await a_month(school)
    await archive_month(school.store, school.school, month, None, now_ms=later_ms())
    told_back = msgspec.structs.replace(at_box(school, 4, EXCUSED), order=3, origin="")
    await come(school, at_box(school, 3, EXCUSED), told_back)
    assert (await rows(school), await went_down(school)) == (0, [])
    async with school.store.reading() as connection:
        kept = (await connection.execute(select(raw_records.c.seq))).scalars().all()
    assert len(kept) == 1, "what was receipted is kept; what the school told itself was archived with its month"
    with pytest.raises(ClassboxError, match=str(month)):
        await say(school, 5, EXCUSED)


async def test_another_school_hears_nothing_of_it(school: SimulatedSchool) -> None:
    other = await make_school(school.store, school.pupils.assignment, school="no-2")
    await come(school, at_box(school, 1, EXCUSED))
    # A box of one school that speaks of another's pupil names nobody there: pseudonyms are each school's own.
    await come(other, at_box(school, 1, EXCUSED))
    assert statuses(await other.report())[0] == "missing"
    async with school.store.writing() as connection:
        whose = Whose(school.pupils.assignment.id, alias(school, 1))
        with pytest.raises(ClassboxError, match="class list"):
            await say_absent(connection, school.store.vault, "no-2", whose, EXCUSED, who="", clock=NOW)
        with pytest.raises(ClassboxError, match="no-3"):
            await say_absent(connection, school.store.vault, "no-3", whose, EXCUSED, who="", clock=NOW)


async def test_a_hostile_box_can_neither_change_a_word_nor_pass_itself_off_as_the_school(
    school: SimulatedSchool,
) -> None:
    async with school.store.writing() as connection:
        await enrol_box(connection, school.store.vault, "no-1", "box-2")
    mine = at_box(school, 1, EXCUSED)
    await come(school, mine)
    forged = [
        msgspec.structs.replace(mine, absence=2),
        msgspec.structs.replace(mine, pseudonym=alias(school, 2)),
        msgspec.structs.replace(at_box(school, 3, EXEMPT), order=7, origin=""),
    ]
    await come(school, *forged, box=SimulatedBox("no-1", "box-2"))
    assert statuses(await school.report())[:3] == ["excused", "missing", "exempt"]
    assert [(one.order, one.origin) for one in await went_down(school)] == [(1, "box-1"), (2, "box-2")]


async def test_a_box_that_says_ever_more_of_one_pupil_costs_nobody_more_and_what_it_said_is_kept(
    school: SimulatedSchool,
) -> None:
    """D2, D14."""
    words = [at_box(school, 1, EXCUSED if number % 2 == 0 else None) for number in range(MOST_WORDS + 5)]
    await come(school, *words, at_box(school, 2, EXEMPT))
    await come(school, *words)
    assert await rows(school) == len(await went_down(school)) == MOST_WORDS + 1
    assert statuses(await school.report())[1] == "exempt"
    async with school.store.reading() as connection:
        raw = {bytes(row.payload) for row in await connection.execute(select(raw_records))}
    assert raw == {encode_record(word) for word in words[MOST_WORDS:]}
    with pytest.raises(ClassboxError, match="Too much"):
        await say(school, 1, EXEMPT)
    assert (await school.check()).faults == ()


@pytest.mark.parametrize(("lane", "change"), [(Lane.HEALTH, {}), (Lane.RESULTS, {"assignment": "a\0b"})])
async def test_a_word_in_a_lane_that_is_not_its_own_or_with_a_name_that_no_column_takes_is_held(
    school: SimulatedSchool, lane: Lane, change: dict[str, object]
) -> None:
    word = msgspec.structs.replace(at_box(school, 1, EXCUSED), **change)
    await school.ingest.take([school.box.envelope(lane, [word])])
    async with school.store.reading() as connection:
        (held,) = list(await connection.execute(select(held_records)))
    assert held.payload == encode_record(word)
    assert await rows(school) == 0
