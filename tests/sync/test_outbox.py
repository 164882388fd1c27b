from __future__ import annotations

import sqlite3
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from sync.box_session import BoxSession, Pace
from sync.envelope import Envelope, Erased, chain_after
from sync.lanes import Lane, first_link
from sync.outbox import LaneCounts, Outbox, Stream, create_tables
from sync.outbox_file import OutboxFile
from sync.receipts import Accept, AskAfresh, Ignore, NewEpoch, Receipt, ResendFrom, standing
from sync.receipts import LaneState as State

GATE, OTHER_GATE = b"gateway1", b"gateway2"
SUBJECTS = [bytes([n]) * 16 for n in range(1, 11)]


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:")
    create_tables(connection)
    yield connection
    connection.close()


@pytest.fixture
def outbox(db: sqlite3.Connection) -> Outbox:
    outbox = Outbox(db)
    for subject in SUBJECTS:
        outbox.append(Lane.RESULTS, b"payload " + subject, subject=subject)
    return outbox


def told(outbox: Outbox, mark: int, *, gate: bytes = GATE, chain: bytes | None = None, **changes: object) -> Receipt:
    epoch = changes.pop("epoch", outbox.epoch)
    assert isinstance(epoch, bytes)
    own = outbox.chain_at(Lane.RESULTS, mark, epoch=epoch)
    held = changes.pop("held", ())
    state = State(mark, chain or own or b"unknown to us...", (), held)  # type: ignore[arg-type]
    return standing(state, epoch=epoch, lane=Lane.RESULTS, incarnation=gate, challenge=outbox.challenge)


def stream_of(outbox: Outbox, lane: Lane = Lane.RESULTS) -> Stream:
    return next(s for s in reversed(outbox.streams()) if s.lane == lane)


def test_numbers_have_no_gaps_and_every_lane_has_its_own(outbox: Outbox):
    assert outbox.append(Lane.RESULTS, b"x") == 11
    assert [outbox.append(Lane.HEALTH, b"x") for _ in range(3)] == [1, 2, 3]


def test_a_rollback_takes_its_number_back(db: sqlite3.Connection, outbox: Outbox):
    """D1: a page and its record are one transaction."""
    db.commit()
    outbox.append(Lane.RESULTS, b"never happened")
    db.rollback()
    assert outbox.append(Lane.RESULTS, b"happened") == 11
    assert [e for _, e in outbox.waiting(Lane.RESULTS, 99)][-1] == b"happened"


def test_the_chain_is_that_of_the_envelopes(outbox: Outbox):
    entries = outbox.records(stream_of(outbox), first_seq=1, max_records=99)
    assert outbox.chain_at(Lane.RESULTS, 0) == first_link(outbox.epoch, Lane.RESULTS)
    assert outbox.chain_at(Lane.RESULTS, 10) == chain_after(first_link(outbox.epoch, Lane.RESULTS), entries)
    assert outbox.chain_at(Lane.RESULTS, 11) is None


def test_a_batch_ends_at_either_limit_but_never_before_one_record(outbox: Outbox):
    stream = stream_of(outbox)
    assert len(outbox.records(stream, first_seq=1, max_records=4)) == 4
    assert len(outbox.records(stream, first_seq=1, max_records=9, max_bytes=50)) == 2
    assert len(outbox.records(stream, first_seq=1, max_records=9, max_bytes=1)) == 1


def test_a_receipt_moves_records_from_waiting_to_receipted(outbox: Outbox):
    assert outbox.accept(told(outbox, 6, held=((2, 3),))) == Accept(6, (), ((2, 3),))
    assert outbox.counts()[Lane.RESULTS] == LaneCounts(10, 4, 4, 2)
    assert [outbox.state_of(SUBJECTS[n]) for n in (0, 1, 5, 6)] == ["receipted", "held", "receipted", "waiting"]
    assert outbox.state_of(b"?" * 16) is None
    outbox.accept(told(outbox, 6))
    assert outbox.counts()[Lane.RESULTS] == LaneCounts(10, 4, 6, 0)


def test_what_was_proven_is_not_taken_back_by_a_late_receipt(outbox: Outbox):
    """D7."""
    late = told(outbox, 2)
    outbox.accept(told(outbox, 9))
    assert outbox.accept(late) == AskAfresh()
    assert outbox.accept(late) == AskAfresh()
    assert stream_of(outbox).proven == 9


def test_a_restored_gateway_is_believed_after_a_fresh_question(outbox: Outbox):
    """D6."""
    outbox.accept(told(outbox, 9))
    assert outbox.accept(told(outbox, 4, gate=OTHER_GATE)) == AskAfresh()
    assert outbox.accept(told(outbox, 4, gate=OTHER_GATE)) == ResendFrom(4, ())
    assert [seq for seq, _ in outbox.waiting(Lane.RESULTS, 99)] == [5, 6, 7, 8, 9, 10]


def test_a_receipt_from_before_a_restore_proves_nothing_after_it(outbox: Outbox):
    """D7: nor does one that answers the question by which the box learned of it, or that nobody can place."""
    before = told(outbox, 9)
    outbox.accept(before)
    outbox.accept(told(outbox, 4))
    late = told(outbox, 9)
    assert outbox.accept(told(outbox, 4, held=((2, 2),))) == ResendFrom(4, ((2, 2),))
    strange = msgspec.structs.replace(before, challenge=b"unknown?")
    same_mark = msgspec.structs.replace(late, mark=4, chain=outbox.chain_at(Lane.RESULTS, 4))
    for old in (before, late, strange, same_mark):
        assert isinstance(outbox.accept(old), Ignore)
    assert outbox.counts()[Lane.RESULTS] == LaneCounts(10, 6, 3, 1)
    assert outbox.accept(told(outbox, 9)) == Accept(9, (), ())


def test_a_lane_that_was_not_turned_back_still_believes_what_was_said_before(outbox: Outbox):
    """D7: the loss of one lane's records says nothing of another's."""
    outbox.append(Lane.HEALTH, b"health")
    chain = outbox.chain_at(Lane.HEALTH, 1)
    assert chain is not None
    health = standing(
        State(1, chain), epoch=outbox.epoch, lane=Lane.HEALTH, incarnation=GATE, challenge=outbox.challenge
    )
    outbox.accept(told(outbox, 9))
    for expected in (AskAfresh(), ResendFrom(4, ())):
        assert outbox.accept(told(outbox, 4)) == expected
    assert outbox.accept(health) == Accept(1, (), ())


def test_an_answer_to_a_question_of_long_ago_moves_proof_on_but_never_back(db: sqlite3.Connection, outbox: Outbox):
    """D7: the oldest of very many challenges are forgotten."""
    ancient, ancient_less = told(outbox, 9), told(outbox, 2)
    outbox.accept(told(outbox, 4))
    for _ in range(300):
        outbox.restored()
    assert db.execute("SELECT count(*) FROM outbox_challenges").fetchone() == (256,)
    assert isinstance(outbox.accept(ancient), Accept)
    assert outbox.accept(ancient_less) == AskAfresh()


def test_a_chain_that_differs_opens_a_new_epoch_with_all_that_is_unproven(outbox: Outbox):
    """D10."""
    outbox.append(Lane.HEALTH, b"health")
    outbox.accept(told(outbox, 4))
    old = outbox.epoch
    assert outbox.accept(told(outbox, 7, chain=b"z" * 16)) == NewEpoch(4)
    assert outbox.epochs == (old, outbox.epoch)
    waiting = outbox.waiting(Lane.RESULTS, 99)
    assert [seq for seq, _ in waiting] == [1, 2, 3, 4, 5, 6]
    assert [entry for _, entry in waiting] == [b"payload " + s for s in SUBJECTS[4:]]
    assert outbox.chain_at(Lane.RESULTS, 6) == chain_after(
        first_link(outbox.epoch, Lane.RESULTS), [e for _, e in waiting]
    )
    assert len(outbox.waiting(Lane.HEALTH, 9)) == 1
    assert outbox.counts()[Lane.RESULTS] == LaneCounts(10, 6, 4, 0)
    assert outbox.append(Lane.RESULTS, b"next") == 7
    assert isinstance(outbox.accept(told(outbox, 8, epoch=old)), Ignore)


def test_the_proven_part_of_an_old_epoch_goes_again_to_a_restored_gateway(outbox: Outbox):
    """D6."""
    outbox.accept(told(outbox, 4))
    old = outbox.epoch
    outbox.accept(told(outbox, 7, chain=b"z" * 16))
    for expected in (AskAfresh(), ResendFrom(1, ())):
        assert outbox.accept(told(outbox, 1, gate=OTHER_GATE, epoch=old)) == expected
    stream = next(s for s in outbox.streams() if s.epoch == old and s.lane == Lane.RESULTS)
    assert (stream.proven, stream.last_seq) == (1, 4)


def test_erasing_a_pupil_keeps_number_digest_and_chain(outbox: Outbox):
    """D9."""
    chain = outbox.chain_at(Lane.RESULTS, 10)
    assert outbox.erase(SUBJECTS[3]) == 1
    entries = outbox.records(stream_of(outbox), first_seq=1, max_records=99)
    assert isinstance(entries[3], Erased)
    assert outbox.chain_at(Lane.RESULTS, 10) == chain
    envelope = Envelope(
        school="s", box="b", epoch=outbox.epoch, lane=Lane.RESULTS, first_seq=1,
        before=first_link(outbox.epoch, Lane.RESULTS), challenge=outbox.challenge, entries=entries,
    )  # fmt: skip
    assert chain_after(envelope.before, envelope.entries) == chain


def test_making_the_tables_twice_keeps_the_epoch(db: sqlite3.Connection, outbox: Outbox):
    before = (outbox.epoch, outbox.challenge)
    create_tables(db)
    assert (outbox.epoch, outbox.challenge) == before


def test_a_long_backlog_moves_into_a_new_epoch_without_coming_into_memory(db: sqlite3.Connection, outbox: Outbox):
    """D10: what was held there, it was of the gateway that is no more."""
    for _ in range(4_000):
        outbox.append(Lane.RESULTS, bytes(1_000))
    outbox.accept(told(outbox, 9, held=((2, 9),)))
    tracemalloc.start()
    assert outbox.accept(told(outbox, 9, gate=OTHER_GATE, chain=b"z" * 16)) == NewEpoch(0)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 1_000_000
    assert outbox.counts()[Lane.RESULTS] == LaneCounts(4_010, 4_010, 0, 0)
    entries = outbox.records(stream_of(outbox), first_seq=1, max_records=9_999)
    assert outbox.chain_at(Lane.RESULTS, 4_010) == chain_after(first_link(outbox.epoch, Lane.RESULTS), entries)
    assert db.execute("SELECT count(*) FROM outbox_records").fetchone() == (4_010,)


def test_held_records_that_a_receipt_repeats_are_not_written_again(db: sqlite3.Connection, outbox: Outbox):
    held = ((2, 3), (5, 5), (7, 9))
    outbox.accept(told(outbox, 9, held=held))
    written: list[str] = []
    db.set_trace_callback(written.append)
    outbox.accept(told(outbox, 9, held=held))
    db.set_trace_callback(None)
    assert not [text for text in written if "SET held" in text]
    outbox.accept(told(outbox, 9, held=((3, 3), (7, 8))))
    assert [n for n, subject in enumerate(SUBJECTS, 1) if outbox.state_of(subject) == "held"] == [3, 7, 8]


@pytest.mark.parametrize("what", ["append", "receipt", "the same again", "envelope", "counts", "state of", "subjects"])
def test_nothing_that_happens_at_every_sheet_or_look_walks_through_the_backlog(what: str):
    """Counted in the steps of SQLite's machine, which are the same each time."""

    def steps(backlog: int) -> int:
        db = sqlite3.connect(":memory:")
        create_tables(db)
        outbox = Outbox(db)
        for number in range(backlog):
            outbox.append(Lane.RESULTS, b"x", subject=number.to_bytes(16, "big"))
        receipt = told(outbox, 9, held=((2, 3),))
        if what == "the same again":
            outbox.accept(receipt)
        session = BoxSession(school="s", box="b", key=bytes(32), software="t", pace=Pace(max_records=10))
        taken = 0

        def step() -> None:
            nonlocal taken
            taken += 1

        db.set_progress_handler(step, 10)
        match what:
            case "append":
                outbox.append(Lane.RESULTS, b"x", subject=b"s" * 16)
            case "receipt" | "the same again":
                assert isinstance(outbox.accept(receipt), Accept)
            case "envelope":
                assert session.next_message(outbox, 0.0) is not None
            case "counts":
                outbox.counts()
            case "state of":
                outbox.state_of((7).to_bytes(16, "big"))
            case "subjects":
                outbox.subjects(Lane.RESULTS, backlog - 20)
        return taken

    assert steps(3_000) <= steps(400) + 20  # an index of one level more


def test_two_connections_to_one_file_share_numbers(tmp_path: Path):
    one, two = OutboxFile(tmp_path / "o.sqlite"), OutboxFile(tmp_path / "o.sqlite")
    numbers = []
    for file in (one, two, one):
        with file.open() as outbox:
            numbers.append(outbox.append(Lane.RESULTS, b"x"))
    assert numbers == [1, 2, 3]


def test_an_error_in_the_block_undoes_it(tmp_path: Path):
    file = OutboxFile(tmp_path / "o.sqlite")

    def fail() -> None:
        with file.open() as outbox:
            outbox.append(Lane.RESULTS, b"x")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with file.open() as outbox:
        assert outbox.counts()[Lane.RESULTS].captured == 0
