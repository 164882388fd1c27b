"""Corrections at the school: they count at once, whatever comes when, and nothing of them is lost (D12)."""

from __future__ import annotations

import itertools
import random
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from gateway.arrivals import Arrived
from gateway.audit import audit
from gateway.booking import RowName
from gateway.config import load_config
from gateway.correcting import TAKEN_BACK, Done, Field, Sayer, correct
from gateway.intake import take_in
from gateway.overlay import Content, overlaid
from gateway.simulated_class import SimulatedBox, plain_layout
from gateway.simulated_school import SimulatedSchool, make_school
from gateway.store.corrections import all_corrections, corrections_of, field_names
from gateway.store.dialect import lock_school
from gateway.store.documents import publish
from gateway.store.pages import PageRow, pages_where, unpack_items
from gateway.store.schools import enrol_box
from gateway.store.store import Store, open_store
from gateway.store.tables.schools import down_log
from gateway.store.tables.sheets import RowState, class_rollups, page_records
from homework.assignment import assignment_to_toml, parse_assignment
from homework.corrections import Word, corrected, said_after
from homework.errors import ClassboxError
from homework.grading import grade_page
from homework.merging import Correction, Judgement, correction_between, said_after_all
from homework.print_run import PrintRun
from homework.results import MarkKind, PageRecord, Reading, Said, TeacherMark, VerdictKind, WhoWroteIt
from sync.clock import ClockQuality, ClockReading
from sync.corrections import correction_record, opened
from sync.down_bodies import unpacked
from sync.lanes import Lane
from sync.records import (
    VERDICT_CODES,
    CorrectionRecord,
    PageResult,
    decode_record,
    encode_record,
    pack_item,
    page_result_from,
)

ON_BOTH = True

KEY = parse_assignment("""
[assignment]
id = "tiny"
title = "tiny"
[[item]]
kind = "number"
prompt = "1 + 1 ="
answer = 2
points = 2
[[item]]
kind = "number"
prompt = "____ ____"
blanks = 2
any_order = true
answer = ["3", "4"]
points = 2
[[item]]
kind = "number"
prompt = "more"
answer = 7
layer = "B"
points = 4
[[item]]
kind = "open"
prompt = "why?"
points = 5
""")
PLACES = [("1", 1), ("2", 1), ("2", 2), ("3", 1), ("4", 1)]
CAPTURE = bytes([7]) * 16


def at(wall_ms: int, quality: ClockQuality = ClockQuality.SYNCED) -> ClockReading:
    return ClockReading(monotonic_ms=1, wall_ms=wall_ms, boot=bytes(16), quality=quality)


NOW = at(1_790_000_000_000)


@pytest.fixture
async def tiny(store: Store) -> SimulatedSchool:
    return await make_school(store, KEY, size=3)


def graded(school: SimulatedSchool, *readings: str | None) -> PageRecord:
    """The page of the first pupil, on which this is read: 1, the two blanks of 2, 3, 4."""
    pupil = school.pupils.roster.pupils[0]
    fields = zip(school.pupils.layout.pages[0].fields, (*readings, *[""] * 5)[:5], strict=True)
    who = WhoWroteIt(class_name=pupil.class_name, seat=pupil.seat, pupil=pupil.pupil_id, confidence=0.99)
    return grade_page(KEY, school.pupils.layout.sheet, 1, [(field, Reading(text, 0.9)) for field, text in fields], who)


def page_of(
    school: SimulatedSchool, record: PageRecord, revision: int = 1, settled: tuple[bytes, ...] = ()
) -> PageResult:
    return page_result_from(
        record, capture=CAPTURE, clock=NOW, school_key=school.school_key, revision=revision, settled=settled
    )


async def send(school: SimulatedSchool, *records: PageResult | CorrectionRecord) -> None:
    await school.ingest.take([school.box.envelope(Lane.RESULTS, [encode_record(record) for record in records])])


async def send_documents(school: SimulatedSchool) -> None:
    await school.ingest.take([school.box.envelope(Lane.DOCUMENTS, school.pupils.documents())])


async def say(school: SimulatedSchool, word: Word, item: str = "1", blank: int = 1, clock: ClockReading = NOW) -> Done:
    pupil = school.pupils.roster.pupils[0]
    field = Field(KEY.id, pupil.class_name, pupil.seat, (item, blank))
    async with school.store.writing() as connection:
        return await correct(
            connection, school.store.vault, school.school, field, word, who=Sayer("the head", 7), clock=clock
        )


def from_box(school: SimulatedSchool, correction: Correction, clock: ClockReading = NOW) -> CorrectionRecord:
    return correction_record(
        correction, capture=CAPTURE, revision=1, who="teacher", clock=clock, school_key=school.school_key
    )


async def counted(school: SimulatedSchool) -> PageRow:
    async with school.store.reading() as connection:
        query = select(page_records).where(page_records.c.state == int(RowState.CURRENT))
        ((row, _),) = await pages_where(connection, query)
    return row


async def verdicts(school: SimulatedSchool) -> list[VerdictKind]:
    return [VERDICT_CODES[item.verdict] for item in unpack_items((await counted(school)).items)]


async def sums(school: SimulatedSchool) -> tuple[int, int, int]:
    async with school.store.reading() as connection:
        (row,) = await connection.execute(select(class_rollups).where(class_rollups.c.attempt == 1))
    return (row.score_hundredths, row.max_score_hundredths, row.pending)


# --- made at the school -----------------------------------------------------------------------------------


async def test_what_the_school_says_counts_in_rows_and_sums_at_once_and_goes_down_to_the_boxes(tiny: SimulatedSchool):
    await send_documents(tiny)
    await send(tiny, page_of(tiny, graded(tiny, "5", "3", "4", "7")))
    before = await sums(tiny)
    done = await say(tiny, Word(right=True))
    assert (done.before.verdict.kind, done.after.verdict.kind) == (VerdictKind.WRONG, VerdictKind.CORRECT)
    assert await sums(tiny) == (before[0] + 200, before[1], before[2])
    assert (await tiny.check()).faults == ()
    async with tiny.store.reading() as connection:
        (entry,) = list(await connection.execute(select(down_log).where(down_log.c.kind == "correction")))
    record = decode_record(unpacked(bytes(entry.packed)))
    assert isinstance(record, CorrectionRecord)
    assert record == done.record
    assert (entry.key, record.capture, record.order, record.origin) == (record.id.hex(), CAPTURE, 1, "")
    assert opened(record, tiny.school_key).who == "the head"


async def test_taking_back_at_the_school_leaves_what_the_box_sent(tiny: SimulatedSchool):
    await send_documents(tiny)
    sent = page_of(tiny, graded(tiny, "5", "3", "9", ""))
    await send(tiny, sent)
    before = await counted(tiny)
    await say(tiny, Word(text="4"), "2", 2)
    assert (await counted(tiny)).sent is not None
    await say(tiny, TAKEN_BACK, "2", 2)
    assert await counted(tiny) == before
    assert (await say(tiny, TAKEN_BACK, "2", 2)).record is None
    assert (await tiny.check()).faults == ()


async def test_taking_back_at_the_school_what_a_teacher_said_at_the_box_brings_back_what_the_box_had_read(
    tiny: SimulatedSchool,
):
    await send_documents(tiny)
    read = graded(tiny, "5", "3", "4", "7")
    said = Said(read=read.items[0].reading, text="2")
    mine = correction_between(
        None, said, known=(), name=bytes(16), place=("1", 1), read=read.items[0].reading, synced=True, wall_ms=5
    )
    then = corrected(read, {("1", 1): said}, KEY)
    await send(tiny, page_of(tiny, read), from_box(tiny, mine), page_of(tiny, then, 2, (mine.id,)))
    assert (await counted(tiny)).sent is None, "the box accounts for its own"
    await say(tiny, TAKEN_BACK)
    row = await counted(tiny)
    assert row.items == msgspec.msgpack.encode([pack_item(item) for item in read.items])
    assert row.score_hundredths == read.score_hundredths


async def test_two_blanks_in_any_order_and_an_optional_item_are_judged_together(tiny: SimulatedSchool):
    await send_documents(tiny)
    await send(tiny, page_of(tiny, graded(tiny, "2", "4", "4", "")))
    assert (await verdicts(tiny))[1:3] == [VerdictKind.CORRECT, VerdictKind.WRONG]
    await say(tiny, Word(text="9"), "2", 1)
    assert (await verdicts(tiny))[1:3] == [VerdictKind.WRONG, VerdictKind.CORRECT]
    most = (await sums(tiny))[1]
    await say(tiny, Word(text="7"), "3")
    assert (await sums(tiny))[1] == most + 400
    assert (await tiny.check()).faults == ()


async def test_a_red_mark_that_no_correction_touches_goes_on_counting(tiny: SimulatedSchool):
    await send_documents(tiny)
    read = graded(tiny, "5", "3", "9", "")
    ticked = msgspec.structs.replace(read.items[2], mark=TeacherMark(MarkKind.TICK, sure=True))
    marked = corrected(msgspec.structs.replace(read, items=(*read.items[:2], ticked, *read.items[3:])), {}, KEY)
    await send(tiny, page_of(tiny, marked))
    await say(tiny, Word(text="8"), "2", 1)
    assert (await verdicts(tiny))[1:3] == [VerdictKind.WRONG, VerdictKind.CORRECT]
    await say(tiny, Word(right=False), "2", 2)
    await say(tiny, TAKEN_BACK, "2", 2)
    assert (await verdicts(tiny))[2] is VerdictKind.CORRECT


async def test_more_points_than_an_item_is_worth_are_refused_and_nothing_is_kept(tiny: SimulatedSchool):
    await send_documents(tiny)
    await send(tiny, page_of(tiny, graded(tiny, "5", "3", "4", "7")))
    with pytest.raises(ClassboxError, match=r"99 points are more than item 1 is worth. Give at most 2\."):
        await say(tiny, Word(score_hundredths=9900))
    async with tiny.store.reading() as connection:
        assert list(await connection.execute(select(down_log).where(down_log.c.kind == "correction"))) == []
    assert (await say(tiny, Word(score_hundredths=150))).after.verdict.score_hundredths == 150


async def test_what_the_school_cannot_judge_or_does_not_have_is_said_and_nothing_is_kept(tiny: SimulatedSchool):
    with pytest.raises(ClassboxError, match="No sheet of seat 1"):
        await say(tiny, Word(right=True))
    await send(tiny, page_of(tiny, graded(tiny, "5")))
    with pytest.raises(ClassboxError, match="have not come"):
        await say(tiny, Word(right=True))
    await send_documents(tiny)
    with pytest.raises(ClassboxError, match="no item nine"):
        await say(tiny, Word(right=True), "nine")
    async with tiny.store.reading() as connection:
        assert await all_corrections(connection, tiny.school) == []


# --- what boxes say ---------------------------------------------------------------------------------------


def right(name: int, wall_ms: int, *, is_right: bool = True, **more: Any) -> Correction:
    said = Said(read=Reading("5", 0.9), right=is_right)
    return msgspec.structs.replace(
        correction_between(
            None, said, known=(), name=bytes([name]) * 16, place=("1", 1), read=said.read, synced=True, wall_ms=wall_ms
        ),
        **more,
    )


async def test_a_correction_whose_page_or_key_has_not_come_waits_for_it(tiny: SimulatedSchool):
    await send(tiny, from_box(tiny, right(1, 5)))
    await send(tiny, page_of(tiny, graded(tiny, "5")))
    assert (await counted(tiny)).score_hundredths == 0
    await send_documents(tiny)
    assert (await counted(tiny)).score_hundredths == 200
    assert (await tiny.check()).faults == ()


async def test_a_key_that_is_loaded_at_the_school_judges_what_was_corrected_before(tiny: SimulatedSchool):
    await send_documents(tiny)
    first = right(1, 5, judgement=Judgement(text="3"))
    await send(tiny, page_of(tiny, graded(tiny, "5")), from_box(tiny, first))
    assert (await counted(tiny)).score_hundredths == 0
    other = parse_assignment(assignment_to_toml(KEY).replace('answer = "2"', 'answer = "3"'))
    assert other != KEY
    run = PrintRun(layout=tiny.pupils.layout, assignment=other, roster=None)
    async with tiny.store.writing() as connection:
        await lock_school(connection, tiny.school)
        await publish(connection, tiny.school, run)
    assert (await counted(tiny)).score_hundredths == 200
    assert (await tiny.check()).faults == ()


async def test_what_one_box_says_goes_to_another_that_has_the_same_sheet_and_to_nobody_else(tiny: SimulatedSchool):
    await send_documents(tiny)
    mine = from_box(tiny, right(1, 5))

    async def told() -> list[tuple[str, int | None]]:
        async with tiny.store.reading() as connection:
            rows = await connection.execute(select(down_log.c.packed).where(down_log.c.kind == "correction"))
            found = [decode_record(unpacked(bytes(row.packed))) for row in rows]
        return [(one.origin or "", one.order) for one in found if isinstance(one, CorrectionRecord)]

    await send(tiny, page_of(tiny, graded(tiny, "5")), mine)
    assert await told() == []
    async with tiny.store.writing() as connection:
        await enrol_box(connection, tiny.store.vault, tiny.school, "box-2")
    other = SimulatedBox(tiny.school, "box-2")
    await tiny.ingest.take([other.envelope(Lane.RESULTS, [page_of(tiny, graded(tiny, "5"))])])
    assert await told() == [("box-1", 1)]
    await tiny.ingest.take([other.envelope(Lane.RESULTS, [page_of(tiny, graded(tiny, "5"), 2, (bytes([1]) * 16,))])])
    assert await told() == [("box-1", 1)]


async def test_the_page_that_accounts_for_a_correction_counts_as_it_came(tiny: SimulatedSchool):
    """The box may judge by a key that has not come yet."""
    await send_documents(tiny)
    mine = right(1, 5)
    await send(tiny, page_of(tiny, graded(tiny, "5")), from_box(tiny, mine))
    assert (await counted(tiny)).score_hundredths == 200
    other = msgspec.structs.replace(page_of(tiny, graded(tiny, "5"), 2, (mine.id,)), score_hundredths=77)
    await send(tiny, other)
    assert (await counted(tiny)).score_hundredths == 77
    assert (await tiny.check()).faults == ()


async def test_a_time_server_that_says_2099_wins_nothing(tiny: SimulatedSchool):
    await send_documents(tiny)
    await send(tiny, page_of(tiny, graded(tiny, "5")))
    await say(tiny, Word(right=True))
    far = at(4_070_000_000_000)
    await send(tiny, from_box(tiny, right(1, far.wall_ms, is_right=False), far))
    assert (await counted(tiny)).score_hundredths == 200
    async with tiny.store.reading() as connection:
        lines = await audit(connection, tiny.store.vault, tiny.school)
    assert [(line.who, line.kept.origin, line.counts) for line in lines] == [
        ("the head", "", True),
        ("teacher", "box-1", False),
    ]


async def test_a_correction_that_comes_again_under_another_name_keeps_its_place(tiny: SimulatedSchool):
    """D4."""
    record = from_box(tiny, right(1, 5))
    await send(tiny, record, from_box(tiny, right(2, 6)))
    await send(tiny, record, record)
    async with tiny.store.reading() as connection:
        found = (await corrections_of(connection, tiny.school, [CAPTURE]))[CAPTURE]
    assert [(kept.record.id[0], kept.record.order) for kept in found] == [(1, 1), (2, 2)]


async def test_what_disagrees_with_its_corrections_is_found_by_the_check(tiny: SimulatedSchool):
    await send_documents(tiny)
    await send(tiny, page_of(tiny, graded(tiny, "5")), from_box(tiny, right(1, 5)))
    async with tiny.store.writing() as connection:
        await connection.execute(page_records.update().values(sent=None))
        await connection.execute(page_records.update().values(score_hundredths=0))
    assert any("corrections" in fault for fault in (await tiny.check()).faults)


# --- any order of everything ------------------------------------------------------------------------------

words_said = st.sampled_from(
    [Word(right=True), Word(right=False), Word(text="2"), Word(text="4"), Word(text=""), Word(score_hundredths=50),
     Word(comment="a"), TAKEN_BACK]
)  # fmt: skip
clocks = st.builds(at, st.integers(1, 4), st.sampled_from([ClockQuality.SYNCED, ClockQuality.UNSET]))
steps = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["box", "box", "school"]), st.sampled_from(PLACES), words_said, clocks),
        st.tuples(st.sampled_from(["arrives", "arrives", "killed", "heard", "documents"])),
    ),
    max_size=14,
)


class Box:
    """What a box says of one page that it read so, in view of what it knows; it lies `waiting` until it arrives."""

    def __init__(self, school: SimulatedSchool, read: PageRecord, chance: random.Random) -> None:
        self.school, self.read, self.chance = school, read, chance
        self.known: dict[bytes, Correction] = {}
        self.waiting: list[PageResult | CorrectionRecord] = []
        self.revision = 0
        self._revise()

    @property
    def record(self) -> PageRecord:
        return corrected(self.read, said_of(self.read, self.known.values()), KEY)

    def say(self, place: tuple[str, int], word: Word, clock: ClockReading) -> None:
        known = [one for one in self.known.values() if one.place == place]
        item = self.read.items[PLACES.index(place)]
        before = said_after_all(item, known)
        after = said_after(msgspec.structs.replace(item, said=before), word)
        if after == before:
            return
        made = correction_between(
            before, after, known=known, name=self.chance.randbytes(16), place=place, read=item.reading,
            synced=clock.quality is ClockQuality.SYNCED, wall_ms=clock.wall_ms,
        )  # fmt: skip
        self.known[made.id] = made
        self.waiting.append(from_box(self.school, made, clock))
        self._revise()

    def hear(self, record: CorrectionRecord) -> None:
        if record.id not in self.known:
            self.known[record.id] = opened(record, self.school.school_key).correction
            self._revise()

    def arriving(self) -> list[PageResult | CorrectionRecord]:
        """Some of what waits, in any order; some of it comes again later."""
        self.chance.shuffle(self.waiting)
        some = self.waiting[: self.chance.randint(1, 4)]
        self.waiting = self.waiting[len(some) :] + [one for one in some if self.chance.random() < 0.3]
        return some

    def _revise(self) -> None:
        self.revision += 1
        self.waiting.append(page_of(self.school, self.record, self.revision, tuple(self.known)))


def said_of(read: PageRecord, known: Collection[Correction]) -> dict[tuple[str, int], Said | None]:
    return {
        place: said_after_all(item, [one for one in known if one.place == place])
        for place, item in zip(PLACES, read.items, strict=True)
    }


async def taken_in_and_killed(school: SimulatedSchool, records: list[PageResult | CorrectionRecord]) -> None:
    async with school.store.writing() as connection:
        await lock_school(connection, school.school)
        names = (RowName("box-1", b"killed--", number) for number in itertools.count(1))
        await take_in(connection, school.school, [Arrived(next(names), one, encode_record(one), 1) for one in records])
        raise RuntimeError


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.generate],
)  # each opens a database: to make a failing one smaller would take minutes
@given(
    st.lists(st.sampled_from(["2", "3", "4", "", None]), min_size=5, max_size=5),
    steps,
    st.integers(0, 2**32),  # not `randoms`: what always comes again would never end
)
async def test_in_whatever_order_pages_corrections_and_keys_come_the_row_that_counts_is_what_they_say_together(
    readings: list[str | None], told: list[tuple[Any, ...]], seed: int
):
    with TemporaryDirectory() as folder:
        file = Path(folder) / "gateway.toml"
        file.write_text('data = "data"\n')
        async with open_store(load_config(file)) as store:
            school = await make_school(store, KEY, size=1)
            box = Box(school, graded(school, *readings), random.Random(seed))
            down: list[CorrectionRecord] = []
            for what, *rest in told:
                match what:
                    case "box":
                        box.say(*rest)
                    case "school":
                        place, word, clock = rest
                        with suppress(ClassboxError):
                            made = (await say(school, word, *place, clock)).record
                            down += [made] if made is not None else []
                    case "arrives" if box.waiting:
                        await send(school, *box.arriving())
                    case "killed" if box.waiting:
                        with pytest.raises(RuntimeError):
                            await taken_in_and_killed(school, box.waiting)
                    case "heard":
                        for record in down:
                            box.hear(record)
                    case "documents":
                        await send_documents(school)
            assert (await school.check()).faults == ()
            await send_documents(school)
            while box.waiting:
                await send(school, *box.arriving())
            assert (await school.check()).faults == ()
            async with store.reading() as connection:
                every = [one.opened(school.school_key).correction for one in await all_corrections(connection, "no-1")]
            together = corrected(box.read, said_of(box.read, every), KEY)
            row = await counted(school)
            assert row.items == msgspec.msgpack.encode([pack_item(item) for item in together.items])
            assert (row.score_hundredths, row.max_score_hundredths, row.pending) == await sums(school)
            assert (row.score_hundredths, row.max_score_hundredths) == (
                together.score_hundredths,
                together.max_score_hundredths,
            )
            for record in down:
                box.hear(record)
            assert box.record == together, "the box says the same once it knows the school's corrections"
            assert len(every) == len(box.known)


@given(st.sampled_from(PLACES), st.text(max_size=64), st.integers(0, 2**31 - 1), st.sampled_from(["2", "", None]))
def test_whatever_a_hostile_box_says_stands_in_a_field_is_judged_or_asked_and_nothing_worse(
    place: tuple[str, int], text: str, points: int, read: str | None
):
    """D14."""
    layout = plain_layout(KEY)
    names = field_names(layout, 1)
    page = grade_page(KEY, "SIMU", 1, [(field, Reading(read, 0.9)) for field in layout.pages[0].fields], WhoWroteIt())
    items = tuple(pack_item(item) for item in page.items)
    sent = Content(items, page.score_hundredths, page.max_score_hundredths, page.pending)
    for judgement in (Judgement(text=text), Judgement(score_hundredths=points)):
        one = Correction(id=bytes(16), place=place, judgement=judgement)
        now = overlaid(sent, names=names, marks=(), corrections=[one], settled=(), sheet="SIMU", page=1, key=KEY)
        assert 0 <= (now.score_hundredths or 0) <= (now.max_score_hundredths or 0)
