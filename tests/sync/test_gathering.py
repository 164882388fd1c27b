"""While a stack is slid its sheets share envelopes, and none waits for long (docs/delivery.md, Sending)."""

from __future__ import annotations

import math
import sqlite3
from itertools import pairwise
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.allowance import Restraint
from sync.box_link import PACE
from sync.box_session import BoxSession, Pace
from sync.envelope import Envelope
from sync.lanes import Lane
from sync.outbox import Outbox, create_tables
from sync.receipts import advance, encode_receipts, new_lane_state
from sync.simulation import BOX, KEY, SCHOOL

GATHER_MS = PACE.gather_ms


class Went(NamedTuple):
    """An envelope, and when it went out."""

    at_ms: float
    envelope: Envelope

    @property
    def count(self) -> int:
        """How many records it had."""
        return len(self.envelope.entries)


class World:
    """A box whose link looks when something is booked, when a receipt comes, and when the session says."""

    def __init__(self, *, pace: Pace = PACE, answer_ms: float = 100.0) -> None:
        db = sqlite3.connect(":memory:")
        create_tables(db)
        self.outbox, self.pace, self.answer_ms = Outbox(db), pace, answer_ms
        self.went: list[Went] = []
        self.lanes = {lane: new_lane_state(self.outbox.epoch, lane) for lane in Lane}
        self.answers: list[tuple[float, bytes]] = []
        self.restart()

    def restart(self) -> None:
        """The program begins anew on the same card."""
        self.session = BoxSession(school=SCHOOL, box=BOX, key=KEY, software="t", pace=self.pace, chance=lambda: 0.5)

    def book(self, now_ms: float, lane: Lane = Lane.RESULTS, *, size: int = 10, count: int = 1) -> None:
        """Something is slid; before it all happens that was to happen until then."""
        self.until(now_ms)
        for _ in range(count):
            self.outbox.append(lane, bytes(size))
        self.look(now_ms)

    def look(self, now_ms: float) -> None:
        while (outgoing := self.session.next_envelope(self.outbox, now_ms)) is not None:
            self.session.acknowledged(outgoing.ticket, now_ms)
            envelope = outgoing.envelope
            self.went.append(Went(now_ms, envelope))
            taken = advance(self.lanes[envelope.lane], envelope, incarnation=b"i" * 8)
            self.lanes[envelope.lane] = taken.state
            receipt = encode_receipts([taken.receipt], school=SCHOOL, box=BOX, key=KEY)
            self.answers.append((now_ms + self.answer_ms, receipt))

    def until(self, end_ms: float) -> None:
        """Whatever happens by itself until then."""
        while True:
            wake_ms = self.session.wake_at_ms()
            answer_ms = self.answers[0][0] if self.answers else math.inf
            next_ms = min(answer_ms, math.inf if wake_ms is None else wake_ms)
            if next_ms > end_ms:
                return
            if next_ms == answer_ms:
                self.session.receive(self.outbox, self.answers.pop(0)[1])
            self.look(next_ms)

    def counts(self) -> list[int]:
        return [went.count for went in self.went]


def test_a_sheet_a_second_goes_in_company_and_the_first_at_once():
    world = World()
    for second in range(45):
        world.book(1000 * second)
    world.until(60_000)
    assert world.went[0] == (0, world.went[0].envelope)
    assert sum(world.counts()) == 45
    assert len(world.went) == 19
    assert world.went[-1].at_ms <= 44_000 + GATHER_MS, "the class report is complete"


@settings(deadline=None, max_examples=60)
@given(
    gaps_ms=st.lists(st.one_of(st.integers(0, 3_000), st.integers(0, 60_000)), min_size=1, max_size=60),
    answer_ms=st.integers(0, 4_000),
)
def test_no_sheet_waits_longer_than_that_or_for_a_receipt_and_envelopes_are_as_far_apart(
    gaps_ms: list[int], answer_ms: int
):
    world = World(answer_ms=answer_ms)
    slid_ms, now_ms = [], 0.0
    for gap_ms in gaps_ms:
        now_ms += gap_ms
        slid_ms.append(now_ms)
        world.book(now_ms)
    world.until(now_ms + 100_000)
    sent_ms = [went.at_ms for went in world.went for _ in range(went.count)]
    assert len(sent_ms) == len(slid_ms)
    longest_ms = max(GATHER_MS, answer_ms)
    assert all(slid <= sent <= slid + longest_ms for slid, sent in zip(slid_ms, sent_ms, strict=True))
    times_ms = [went.at_ms for went in world.went]
    assert all(after - before >= GATHER_MS for before, after in pairwise(times_ms))


def test_sheets_further_apart_than_that_go_at_once():
    world = World()
    for n in range(5):
        world.book(GATHER_MS * n)
    assert [went.at_ms for went in world.went] == [GATHER_MS * n for n in range(5)]


def test_a_full_envelope_waits_for_nothing():
    world = World()
    world.book(0)
    world.book(500, count=PACE.max_records)
    assert world.counts() == [1, PACE.max_records]
    assert world.went[-1].at_ms == 500


@pytest.mark.parametrize(("lane", "waits"), [(Lane.DOCUMENTS, False), (Lane.CROPS, True), (Lane.HEALTH, True)])
def test_a_worksheet_waits_for_nothing(lane: Lane, waits: bool):
    world = World()
    for n in range(3):
        world.book(200 * n, lane)
    world.until(10_000)
    assert [went.at_ms for went in world.went] == ([0, GATHER_MS] if waits else [0, 200, 400])


def test_lanes_do_not_wait_for_one_another():
    world = World()
    world.book(0)
    world.book(300, Lane.HEALTH)
    assert [went.at_ms for went in world.went] == [0, 300]


def test_what_does_not_fit_into_an_envelope_follows_without_gathering():
    """Some crops of which an envelope holds three: their number says nothing, their bytes fill it."""
    world = World()
    world.book(0, Lane.CROPS, size=5_000, count=8)
    world.until(1_000)
    assert world.counts() == [3, 3, 2]
    assert world.went[-1].at_ms == 2 * world.answer_ms


def test_a_restarted_box_sends_what_it_has():
    world = World()
    world.book(0)
    world.book(1_000)
    assert world.counts() == [1]
    world.restart()
    world.look(1_100)
    assert world.counts() == [1, 1]


def test_a_month_that_is_used_up_counts_more():
    world = World()
    world.session.restraint = Restraint.SPARING
    world.book(0)
    world.book(1_000)
    world.until(800_000)
    assert world.counts() == [1]
    assert world.session.wake_at_ms() == 900_000
    world.session.restraint = Restraint.NONE
    world.look(800_001)
    assert world.counts() == [1, 1]


def test_a_session_gathers_only_where_it_is_told_to():
    """A stick takes everything in one go."""
    world = World(pace=Pace())
    world.book(0)
    world.until(200)
    world.book(201)
    assert world.counts() == [1, 1]
