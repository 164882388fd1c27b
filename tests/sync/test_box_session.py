"""When a box sends what, and when again (docs/delivery.md, Resending): the session alone, with time handed in."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

import pytest

from sync.box_session import BoxSession, Outgoing, Pace
from sync.envelope import MAX_RECORDS
from sync.lanes import Lane
from sync.outbox import Outbox, create_tables
from sync.receipts import LaneState, Receipt, advance, encode_receipts, new_lane_state, standing
from sync.simulation import BOX, KEY, SCHOOL

PACE = Pace(max_records=5, window=4, resend_after_ms=5_000, resend_at_most_ms=120_000)


class Box(NamedTuple):
    """A box and, of the gateway, what is needed to write receipts."""

    session: BoxSession
    outbox: Outbox
    db: sqlite3.Connection

    def capture(self, count: int, *, size: int = 1, lane: Lane = Lane.RESULTS) -> None:
        for _ in range(count):
            self.outbox.append(lane, b"x" * size)

    def next(self, now_ms: float) -> Outgoing | None:
        return self.session.next_envelope(self.outbox, now_ms)

    def all(self, now_ms: float) -> list[Outgoing]:
        out = []
        while (outgoing := self.next(now_ms)) is not None:
            out.append(outgoing)
        return out

    def hear(self, *receipts: Receipt) -> None:
        message = encode_receipts(receipts, school=SCHOOL, box=BOX, key=KEY)
        assert self.session.receive(self.outbox, message).refused is None


class Gateway:
    """One lane of a gateway."""

    def __init__(self, box: Box) -> None:
        self.state: LaneState = new_lane_state(box.outbox.epoch, Lane.RESULTS)

    def takes(self, outgoing: Outgoing) -> Receipt:
        result = advance(self.state, outgoing.envelope, incarnation=b"i" * 8)
        self.state = result.state
        return result.receipt

    def says(self, box: Box) -> Receipt:
        return standing(
            self.state,
            epoch=box.outbox.epoch,
            lane=Lane.RESULTS,
            incarnation=b"i" * 8,
            challenge=box.outbox.challenge,
        )


@pytest.fixture
def box() -> Box:
    db = sqlite3.connect(":memory:")
    create_tables(db)
    session = BoxSession(school=SCHOOL, box=BOX, key=KEY, software="t", pace=PACE, chance=lambda: 0.5)
    return Box(session, Outbox(db), db)


def numbers(outgoing: list[Outgoing]) -> list[tuple[int, int]]:
    return [(o.envelope.first_seq, o.envelope.last_seq) for o in outgoing]


def test_the_patience_for_a_receipt_counts_from_the_puback(box: Box):
    """D3: on a thin line a PUBACK may take minutes, and a copy would only queue behind the original."""
    box.capture(1)
    (first,) = box.all(0)
    assert box.session.wake_at_ms() is None
    assert box.all(600_000) == []
    box.session.acknowledged(first.ticket, 600_000)
    assert box.session.wake_at_ms() == 605_000
    assert box.all(604_999) == []
    (second,) = box.all(605_000)
    assert second.envelope.entries == first.envelope.entries
    box.session.acknowledged(second.ticket, 606_000)
    assert box.session.wake_at_ms() == 616_000, "and doubles"


def test_what_the_line_had_when_it_broke_goes_again(box: Box):
    """D3: also what no PUBACK came for."""
    box.capture(1)
    box.all(0)
    box.session.reconnected(10_000)
    assert box.all(12_499) == []
    assert numbers(box.all(12_500)) == [(1, 1)]


def test_an_acknowledgement_of_a_sending_that_is_over_changes_nothing(box: Box):
    box.capture(1)
    (first,) = box.all(0)
    box.session.reconnected(0)
    (second,) = box.all(2_500)
    box.session.acknowledged(first.ticket, 2_600)
    assert box.session.wake_at_ms() is None
    box.session.acknowledged(second.ticket, 3_000)
    assert box.session.wake_at_ms() == 13_000


def test_an_envelope_that_a_later_one_overtook_goes_again_at_once_and_only_once(box: Box):
    """D3: the gap that a receipt shows is filled without waiting for the timer."""
    gateway = Gateway(box)
    box.capture(20)
    first, second, third, fourth = box.all(0)
    for outgoing in (first, second, third, fourth):
        box.session.acknowledged(outgoing.ticket, 100)
    box.hear(gateway.takes(second))  # the first was lost
    again = box.next(200)
    assert again is not None
    assert again.envelope == first.envelope
    box.session.acknowledged(again.ticket, 300)
    box.hear(gateway.takes(third))
    assert box.all(400) == [], "what has arrived since went out before the copy, and says nothing about it"
    box.hear(gateway.takes(again))
    assert next(s for s in box.outbox.streams() if s.lane is Lane.RESULTS).proven == 15
    assert box.all(500) == []


def test_a_copy_that_is_lost_too_goes_again_once_something_later_has_arrived(box: Box):
    gateway = Gateway(box)
    box.capture(15)
    _, second, _ = box.all(0)
    box.hear(gateway.takes(second))
    assert numbers(box.all(100)) == [(1, 5)]  # and lost
    box.capture(5)
    (fourth,) = box.all(200)
    box.hear(gateway.takes(fourth))
    assert numbers(box.all(300)) == [(1, 5), (11, 15)], "the third went out before the fourth, too"


def test_what_a_receipt_covered_goes_again_when_the_box_could_not_write_it_down(box: Box):
    """D3, D6: its disk was full just then, and before the next receipt the gateway was put back to before it."""
    gateway = Gateway(box)
    nothing_yet = gateway.says(box)
    box.capture(10)
    first, second = box.all(0)
    for outgoing in (first, second):
        box.session.acknowledged(outgoing.ticket, 100)
    box.db.execute("SAVEPOINT receipt")
    box.hear(gateway.takes(first))
    box.db.execute("ROLLBACK TO receipt")
    box.hear(nothing_yet)
    assert numbers(box.all(1_000_000)) == [(1, 5), (6, 10)]


def test_an_order_in_which_nothing_is_missing_sends_nothing_again(box: Box):
    gateway = Gateway(box)
    box.capture(20)
    for outgoing in box.all(0):
        box.session.acknowledged(outgoing.ticket, 0)
        box.hear(gateway.takes(outgoing))
    assert box.all(1_000_000) == []


def test_envelopes_grow_with_the_backlog_up_to_five_times_and_stop_at_their_bytes(box: Box):
    box.capture(400)
    assert numbers(box.all(0)) == [(1, 25), (26, 50), (51, 75), (76, 100)]
    assert PACE.max_records * 5 < MAX_RECORDS
    large = Box(
        BoxSession(school=SCHOOL, box=BOX, key=KEY, software="t", pace=Pace(max_bytes=1000)), box.outbox, box.db
    )
    large.capture(3, size=400, lane=Lane.CROPS)
    crops = [o for o in large.all(0) if o.envelope.lane is Lane.CROPS]
    assert numbers(crops) == [(1, 2)], "the third waits, for more of its kind"


def test_one_record_beyond_the_bytes_of_an_envelope_goes_alone(box: Box):
    box.capture(2, size=300_000, lane=Lane.DOCUMENTS)
    assert numbers(box.all(0)) == [(1, 1)]


def test_what_nobody_heard_has_time_until_somebody_is_heard(box: Box):
    """The broker says that nobody has subscribed: no use in asking again every few seconds."""
    gateway = Gateway(box)
    box.capture(1)
    (lost,) = box.all(0)
    box.session.acknowledged(lost.ticket, 0, heard=False)
    assert box.all(90_000) == []
    box.hear(gateway.says(box))
    (again,) = box.all(90_001)
    assert again.envelope == lost.envelope


def test_a_broker_that_wants_less_is_left_alone_ever_longer_and_no_longer_once_it_takes_again(box: Box):
    def wait_ms(now_ms: float) -> float:
        outgoing = box.next(now_ms)
        assert outgoing is not None
        box.session.overloaded(outgoing.ticket, now_ms)
        due_ms = box.session.wake_at_ms()
        assert due_ms is not None
        assert box.next(due_ms - 1) is None
        return due_ms - now_ms

    box.capture(5)
    box.capture(5, lane=Lane.HEALTH)  # goes out neither
    now_ms, waits = 0.0, []
    for _ in range(7):
        waits.append(wait_ms(now_ms))
        now_ms += waits[-1]
    assert waits == [5_000, 10_000, 20_000, 40_000, 80_000, 120_000, 120_000]
    outgoing = box.next(now_ms)
    assert outgoing is not None
    box.session.acknowledged(outgoing.ticket, now_ms)
    assert wait_ms(now_ms) == 5_000


def test_what_is_set_aside_holds_nothing_up_and_goes_out_over_the_next_line(box: Box):
    box.capture(5)
    (refused,) = box.all(0)
    box.session.refused(refused.ticket, 0)
    box.capture(1)  # not a full one: it would wait for what is on the way
    assert [o.envelope.first_seq for o in box.all(1)] == [6]
    assert box.all(10**9) == []
    box.session.reconnected(10**9)
    assert 1 in [o.envelope.first_seq for o in box.all(2 * 10**9)]


def test_envelopes_are_cut_anew_for_a_broker_that_takes_less(box: Box):
    box.capture(4, size=4_000)
    (large,) = box.all(0)
    assert len(large.envelope.entries) == 4
    box.session.reconnected(0, largest_bytes=10_000)
    cut = box.all(1)
    assert [len(o.envelope.entries) for o in cut] == [1]
    box.session.acknowledged(cut[0].ticket, 1)
