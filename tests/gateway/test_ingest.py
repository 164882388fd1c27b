import random
import sqlite3
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Literal

import msgspec
import pytest
from sqlalchemy import event, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from benchmarks.fuzz import _mutated, payloads
from gateway.config import GatewayConfig
from gateway.held import held
from gateway.simulated_class import SimulatedBox
from gateway.simulated_school import SimulatedSchool, make_school
from gateway.store.schema import metadata
from gateway.store.schools import enrol_box
from gateway.store.store import Store
from gateway.store.tables.schools import boxes
from gateway.store.tables.sheets import RowState, held_records, page_records
from gateway.store.tallies import tallies_of
from homework.roster import Pupil
from sync.clock import ClockQuality, ClockReading
from sync.envelope import Erased, encode_envelope
from sync.gateway_session import GatewaySession, Message
from sync.lanes import Lane, first_link
from sync.receipts import open_down
from sync.records import DocumentRecord, HealthRecord, Tally
from sync.state import BoxState, encode_box_state

ON_BOTH = True
UP, DOWN = "classbox/1/no-1/box-1/up", "classbox/1/no-1/box-1/down"


async def states(school: SimulatedSchool) -> dict[str, int]:
    async with school.store.reading() as connection:
        query = select(page_records.c.state, func.count()).group_by(page_records.c.state)
        return {RowState(state).name: n for state, n in await connection.execute(query)}


async def test_a_batch_is_stored_and_the_receipt_proves_it(school: SimulatedSchool) -> None:
    results = school.pupils.results()
    envelope = school.box.envelope(Lane.RESULTS, results)
    (receipt,) = await school.ingest.take([envelope])
    assert receipt.mark == len(results)
    assert receipt.challenge == envelope.challenge
    assert await states(school) == {"CURRENT": 12}
    assert (await school.check()).faults == ()


async def test_the_same_envelope_twice_changes_nothing(school: SimulatedSchool) -> None:
    envelope = school.box.envelope(Lane.RESULTS, school.pupils.results())
    first = await school.ingest.take([envelope, envelope])
    before = await school.report()
    again = await school.ingest.take([envelope])
    assert [r.mark for r in (*first, *again)] == [12, 12, 12]
    assert await school.report() == before
    assert await states(school) == {"CURRENT": 12}


async def test_envelopes_out_of_order_are_taken_and_the_mark_waits_for_the_gap(school: SimulatedSchool) -> None:
    results = school.pupils.results()
    first = school.box.envelope(Lane.RESULTS, results[:5])
    second = school.box.envelope(Lane.RESULTS, results[5:])
    (early,) = await school.ingest.take([second])
    assert (early.mark, early.beyond) == (0, ((6, 12),))
    (late,) = await school.ingest.take([first])
    assert (late.mark, late.beyond) == (12, ())
    assert (await school.report()).sheets == 12


async def test_records_sent_again_under_a_new_epoch_are_counted_once(school: SimulatedSchool) -> None:
    results = school.pupils.results()
    await school.ingest.take([school.box.envelope(Lane.RESULTS, results)])
    cloned = type(school.box)("no-1", "box-1")
    await school.ingest.take([cloned.envelope(Lane.RESULTS, results)])
    assert await states(school) == {"CURRENT": 12, "SUPERSEDED": 12}
    assert (await school.report()).sheets == 12
    assert (await school.check()).faults == ()


async def test_another_history_is_kept_for_the_audit_and_counts_nowhere(school: SimulatedSchool) -> None:
    await school.ingest.take([school.box.envelope(Lane.RESULTS, school.pupils.results())])
    before = await school.report()
    twin = msgspec.structs.replace(
        school.box.envelope(Lane.RESULTS, school.pupils.results()),
        first_seq=12,
        before=first_link(school.box.epoch, Lane.RESULTS),
    )
    (receipt,) = await school.ingest.take([twin])
    assert receipt.mark == 12
    assert await school.report() == before
    async with school.store.reading() as connection:
        reasons = set((await connection.execute(select(held_records.c.reason))).scalars())
    assert reasons == {"another history"}


async def test_a_record_from_the_future_is_held_and_what_follows_goes_on(school: SimulatedSchool) -> None:
    future = b"\x92\x01\x63"  # kind 1, version 99
    broken = b"\x92\x01\x01"  # a page result without its fields
    results = school.pupils.results()
    *_, receipt = await school.ingest.take(
        [school.box.envelope(Lane.RESULTS, some) for some in ([future], [broken], results)]
    )
    assert receipt.mark == 14
    assert receipt.held == ((1, 2),)
    assert (await school.report()).sheets == 12
    async with school.store.reading() as connection:
        assert set((await connection.execute(select(held_records.c.payload))).scalars()) == {future, broken}


async def test_a_record_in_a_strange_lane_is_held(school: SimulatedSchool) -> None:
    (receipt,) = await school.ingest.take([school.box.envelope(Lane.HEALTH, school.pupils.results()[:1])])
    assert receipt.held == ((1, 1),)
    assert await states(school) == {}


async def test_an_erased_record_counts_for_the_chain_and_for_nothing_else(school: SimulatedSchool) -> None:
    envelope = school.box.envelope(Lane.RESULTS, school.pupils.results()[:2])
    gone = msgspec.structs.replace(envelope, entries=(Erased(b"\1" * 16), envelope.entries[1]))
    (receipt,) = await school.ingest.take([gone])
    assert receipt.mark == 2
    assert (await school.report()).sheets == 1


async def test_a_sheet_that_the_box_calls_a_duplicate_counts_nowhere_whichever_comes_first(
    school: SimulatedSchool,
) -> None:
    pupil = school.pupils.roster.pupils[0]
    original = school.pupils.result(pupil)
    twin = school.pupils.result(pupil, duplicate_of=original.capture)
    await school.ingest.take([school.box.envelope(Lane.RESULTS, [twin])])
    assert await states(school) == {"CURRENT": 1}  # it stands in until its original is here
    await school.ingest.take([school.box.envelope(Lane.RESULTS, [original])])
    assert await states(school) == {"CURRENT": 1, "DUPLICATE": 1}
    report = await school.report()
    assert (report.sheets, report.duplicates, report.second) == (1, 1, ())
    assert (await school.check()).faults == ()


async def test_of_two_different_sheets_of_one_pupil_the_first_stands_and_the_report_says_so(
    school: SimulatedSchool,
) -> None:
    pupil = school.pupils.roster.pupils[3]
    await school.ingest.take([school.box.envelope(Lane.RESULTS, [school.pupils.result(pupil)])])
    before = (await school.report()).figures
    await school.ingest.take([school.box.envelope(Lane.RESULTS, [school.pupils.result(pupil)])])
    report = await school.report()
    assert report.figures == before
    assert report.second == ("学生04",)


async def test_a_regraded_page_replaces_the_old_revision_also_when_it_goes_to_another_pupil(
    school: SimulatedSchool,
) -> None:
    one, other = school.pupils.roster.pupils[:2]
    result = school.pupils.result(one)
    waiting = school.pupils.result(one)
    await school.ingest.take([school.box.envelope(Lane.RESULTS, [result, waiting])])
    moved = school.pupils.result(other, capture=result.capture, revision=2)
    await school.ingest.take([school.box.envelope(Lane.RESULTS, [moved])])
    report = await school.report()
    handed_in = [p.name for p in report.figures.pupils if p.status == "handed-in"]
    assert handed_in == ["学生01", "学生02"]  # the capture that waited behind the first now counts
    assert await states(school) == {"CURRENT": 2, "SUPERSEDED": 1}
    assert (await school.check()).faults == ()


async def test_a_second_attempt_leaves_the_first_score_alone(school: SimulatedSchool) -> None:
    pupil = school.pupils.roster.pupils[0]
    await school.ingest.take([school.box.envelope(Lane.RESULTS, [school.pupils.result(pupil)])])
    before = (await school.report()).figures
    await school.ingest.take([school.box.envelope(Lane.RESULTS, [school.pupils.result(pupil, attempt=2)])])
    assert (await school.report()).figures == before
    assert await states(school) == {"CURRENT": 2}


async def test_a_box_without_the_school_key_is_understood_by_class_and_seat(school: SimulatedSchool) -> None:
    pupil = school.pupils.roster.pupils[6]
    await school.ingest.take([school.box.envelope(Lane.RESULTS, [school.pupils.result(pupil, named=False)])])
    report = await school.report()
    assert [p.name for p in report.figures.pupils if p.status == "handed-in"] == ["学生07"]


async def test_a_sheet_of_nobody_is_shown_as_such(school: SimulatedSchool) -> None:
    stranger = Pupil("3-1", 40, "not in any list", "X-40")
    nameless = msgspec.structs.replace(school.pupils.result(stranger), pseudonym=None, seat=None)
    await school.ingest.take([school.box.envelope(Lane.RESULTS, [school.pupils.result(stranger), nameless])])
    report = await school.report()
    assert [(p.name, report.notes[p.pupil].matched) for p in report.figures.pupils if p.status == "handed-in"] == [
        ("#40", False)
    ]
    assert report.unnamed == 1


@pytest.mark.parametrize(("kind", "body"), [("assignment", b"a=" + b"[" * 9999), ("layout", b"[" * 9999)])
async def test_a_document_that_nests_without_end_costs_the_report_nothing(
    school: SimulatedSchool, kind: Literal["assignment", "layout"], body: bytes
) -> None:
    """D14."""
    results = school.pupils.results()
    await school.ingest.take([school.box.envelope(Lane.RESULTS, results)])
    name = school.pupils.assignment.id if kind == "assignment" else results[0].sheet
    deep = DocumentRecord(document=kind, id=name, digest=bytes(16), body=body)
    await school.ingest.take([school.box.envelope(Lane.DOCUMENTS, [deep])])
    assert (await school.report()).sheets == 12


async def test_forged_foreign_and_broken_messages_change_nothing_and_good_ones_beside_them_arrive(
    school: SimulatedSchool,
) -> None:
    session = GatewaySession(school.ingest)
    envelope = school.box.envelope(Lane.RESULTS, school.pupils.results())
    good = encode_envelope(envelope, school.box_key)
    unknown = msgspec.structs.replace(envelope, box="box-9")
    answers = await session.handle(
        [
            Message(UP, b""),
            Message(UP, b"\xff" * 40),
            Message(UP, encode_envelope(envelope, bytes(32))),
            Message("classbox/1/no-1/box-9/up", encode_envelope(unknown, school.box_key)),
            Message("classbox/1/nobody/box-1/up", good),
            Message("something/else", good),
            Message(UP, good[:-1]),
            Message(UP, good),
        ]
    )
    assert [answer.topic for answer in answers] == [DOWN]
    receipts = open_down(answers[0].payload, school="no-1", box="box-1", key=school.box_key)
    assert receipts is not None
    assert [r.mark for r in receipts] == [12]
    assert school.ingest.counts["unknown box"] == 2
    assert (await school.report()).sheets == 12


async def test_no_record_that_a_box_could_make_up_keeps_back_what_follows_it(school: SimulatedSchool) -> None:
    """D5, D14: read, or held; the mark moves on, and the sums stay right. What a column cannot hold is held too."""
    chance = random.Random(1)
    for _ in range(25):
        records = [_mutated(chance, chance.choice(payloads(chance))) for _ in range(20)]
        envelopes = [school.box.envelope(lane, records) for lane in (Lane.RESULTS, Lane.DOCUMENTS, Lane.HEALTH)]
        for envelope in envelopes:
            (receipt,) = await school.ingest.take([envelope])
            assert receipt.mark == envelope.first_seq + len(records) - 1
    assert (await school.check()).faults == ()
    async with school.store.reading() as connection:
        await held(connection)


async def test_a_new_code_voids_the_key_before(school: SimulatedSchool) -> None:
    async with school.store.writing() as connection:
        fresh = await enrol_box(connection, school.store.vault, "no-1", "box-1")
    assert fresh != school.box_key
    assert await type(school.ingest)(school.store).box_key("no-1", "box-1") == fresh


async def test_a_hello_is_answered_for_every_lane_of_every_epoch(school: SimulatedSchool) -> None:
    await school.ingest.take([school.box.envelope(Lane.RESULTS, school.pupils.results())])
    strange = b"\7" * 8
    state = BoxState(
        school="no-1", box="box-1", online=True, software="1", challenge=b"12345678", epochs=(school.box.epoch, strange)
    )
    message = Message("classbox/1/no-1/box-1/state", encode_box_state(state, school.box_key))
    greeting, answer = await GatewaySession(school.ingest).handle([message])
    assert open_down(greeting.payload, school="no-1", box="box-1", key=school.box_key) is None, "for a box of 0.1"
    receipts = open_down(answer.payload, school="no-1", box="box-1", key=school.box_key)
    assert {(r.epoch, r.lane): r.mark for r in receipts or ()} == {
        (epoch, lane): 12 if (epoch, lane) == (school.box.epoch, Lane.RESULTS) else 0
        for epoch in (school.box.epoch, strange)
        for lane in Lane
    }
    assert [list(said) for said in await school.ingest.standing([msgspec.structs.replace(state, online=False)])] == [[]]


async def test_boxes_that_say_hello_at_once_share_a_transaction_and_each_hears_its_own(
    school: SimulatedSchool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """D14: when a broker comes back, a district says hello in one moment."""
    keys = {"box-1": school.box_key}
    async with school.store.writing() as connection:
        for name in ("box-2", "box-3"):
            keys[name] = await enrol_box(connection, school.store.vault, "no-1", name)
    await school.ingest.take([school.box.envelope(Lane.RESULTS, school.pupils.results())])
    states = [
        BoxState(school="no-1", box=name, online=True, software="1", challenge=bytes([n]) * 8, epochs=(epoch,))
        for n, name in enumerate(keys)
        for epoch in (school.box.epoch, bytes([n]) * 8)
    ]
    hellos = [Message(f"classbox/1/no-1/{s.box}/state", encode_box_state(s, keys[s.box])) for s in states]
    begun = 0
    writing = school.store.writing

    def counted() -> AbstractAsyncContextManager[AsyncConnection]:
        nonlocal begun
        begun += 1
        return writing()

    monkeypatch.setattr(school.store, "writing", counted)
    answers = await GatewaySession(school.ingest).handle(hellos)
    assert begun == 1
    for answer, (name, key) in zip(answers[len(keys) :], keys.items(), strict=True):  # behind the greetings
        receipts = open_down(answer.payload, school="no-1", box=name, key=key) or ()
        assert [r.mark for r in receipts if r.lane is Lane.RESULTS] == ([12, 0] if name == "box-1" else [0, 0])
        assert len(receipts) == 8


def a_tally(assignment: str) -> Tally:
    clock = ClockReading(monotonic_ms=1, wall_ms=1, boot=bytes(16), quality=ClockQuality.UNSET)
    counts = dict.fromkeys(("corrections", "twice", "asked", "not_graded", "withdrawn"), 0)
    return Tally(clock=clock, assignment=assignment, class_name="3-1", expected=None, slid=3, places=(), **counts)


async def statements(store: Store, up: Sequence[Message], session: GatewaySession) -> int:
    """How often a batch asks the store; each of its messages is answered."""
    asked = 0

    def count(*_: object) -> None:
        nonlocal asked
        asked += 1

    async with store.reading() as connection:
        engine = connection.engine.sync_engine
    event.listen(engine, "before_cursor_execute", count)
    answers = await session.handle(up)
    event.remove(engine, "before_cursor_execute", count)
    assert len(answers) == len(up)
    return asked


async def test_a_batch_of_many_boxes_asks_the_store_no_more_often_than_one_of_a_few(school: SimulatedSchool) -> None:
    """D14: each question is a wait for the database, and a district comes back in one moment."""

    async def of_boxes(numbers: range) -> int:
        up = []
        async with school.store.writing() as connection:
            keys = {n: await enrol_box(connection, school.store.vault, "no-1", f"many-{n}") for n in numbers}
        for n, key in keys.items():
            envelope = SimulatedBox("no-1", f"many-{n}").envelope(Lane.RESULTS, school.pupils.results()[:1])
            up.append(Message(f"classbox/1/no-1/many-{n}/up", encode_envelope(envelope, key)))
        return await statements(school.store, up, GatewaySession(school.ingest))

    few = await of_boxes(range(30, 33))
    assert await of_boxes(range(30)) <= few + 2


async def test_a_batch_of_many_schools_asks_the_store_no_more_often_than_one_of_a_few(school: SimulatedSchool) -> None:
    """D14: and of each school all is stored, sheets and what boxes say of their classes."""
    session = GatewaySession(school.ingest)

    async def of_schools(numbers: range) -> int:
        results, tallies = [], []
        for n in numbers:
            other = await make_school(school.store, school.pupils.assignment, school=f"many-{n}", size=3)
            for up, lane, records in (
                (results, Lane.RESULTS, other.pupils.results()),
                (tallies, Lane.HEALTH, [a_tally(other.pupils.assignment.id)]),
            ):
                payload = encode_envelope(other.box.envelope(lane, records), other.box_key)
                up.append(Message(f"classbox/1/many-{n}/box-1/up", payload))
        await school.ingest.box_keys({(f"many-{n}", "box-1") for n in numbers})  # asked school by school, then known
        asked = await statements(school.store, results, session) + await statements(school.store, tallies, session)
        async with school.store.reading() as connection:
            for n in numbers:
                (told,) = await tallies_of(connection, f"many-{n}", "3-1", school.pupils.assignment.id)
                assert told.tally.slid == 3
        return asked

    few = await of_schools(range(30, 32))
    assert await of_schools(range(6)) == few
    assert (await school.check()).faults == ()
    assert (await school.check()).counted == 8 * 3


async def test_health_is_remembered_as_it_came(school: SimulatedSchool) -> None:
    health = HealthRecord(
        clock=school.pupils.results()[0].clock, software="0.1.0", free_mb=9000, temperature_c=None, waiting=3
    )
    payload = msgspec.msgpack.encode(health)
    await school.ingest.take([school.box.envelope(Lane.HEALTH, [payload])])
    async with school.store.reading() as connection:
        assert (await connection.execute(select(boxes.c.health))).scalar_one() == payload


async def test_pages_are_told_what_changed_once_the_commit_is_done(school: SimulatedSchool) -> None:
    await school.ingest.take([school.box.envelope(Lane.RESULTS, school.pupils.results())])
    assert school.changed == [("no-1", "g3-mul-2x1", "3-1")]


async def test_no_name_no_pupil_id_and_no_key_stands_in_the_database(
    school: SimulatedSchool, config: GatewayConfig, database: str | None
) -> None:
    await school.ingest.take([school.box.envelope(Lane.DOCUMENTS, school.pupils.documents())])
    await school.ingest.take([school.box.envelope(Lane.RESULTS, school.pupils.results())])
    if database is None:
        file = config.data / "classgate.sqlite"
        with sqlite3.connect(file) as plain:
            plain.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        held = file.read_bytes()
    else:
        async with school.store.reading() as connection:
            rows = [row for table in metadata.sorted_tables for row in await connection.execute(select(table))]
        held = b"\n".join(cell if isinstance(cell, bytes) else str(cell).encode() for row in rows for cell in row)
        assert school.pupils.assignment.title.encode() in held
    for pupil in school.pupils.roster.pupils:
        assert pupil.name.encode() not in held
        assert pupil.pupil_id.encode() not in held
    assert school.box_key not in held
    assert (config.data / "gateway.key").stat().st_mode & 0o077 == 0
