"""What a month may carry (docs/wire.md, A metered line): counting it, and what stops first when it is used up."""

from __future__ import annotations

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.allowance import (
    Allowance,
    Restraint,
    Spent,
    allowance_of,
    counted,
    month_of,
    restraint_of,
    spent_so_far,
)
from sync.box_session import BoxSession, Pace
from sync.lanes import Lane
from sync.outbox import Outbox, create_tables
from sync.simulation import BOX, KEY, SCHOOL

MONTHS = ("2026-11", "2026-12", "2027-01", "2027-02")
LIMIT = 1_000_000


@pytest.fixture
def outbox() -> Outbox:
    db = sqlite3.connect(":memory:")
    create_tables(db)
    return Outbox(db)


@given(st.lists(st.tuples(st.integers(0, 1), st.booleans(), st.integers(0, 10_000)), max_size=30))
def test_a_month_is_never_counted_too_small_whatever_the_clock_knew(steps: list[tuple[int, bool, int]]):
    """Each step: whether a month has passed, whether the clock is set, what was carried."""
    spent, now, known = Spent(), 0, 0
    carried = dict.fromkeys(MONTHS, 0)
    for passed, sure, size in steps:
        now = min(now + passed, len(MONTHS) - 1)
        known = now if sure else known
        carried[MONTHS[now]] += size
        spent = counted(spent, size, MONTHS[known], sure=sure)
        if sure:
            assert spent.of(MONTHS[now]) >= carried[MONTHS[now]]
    assert sum(size for _, size in spent.months) <= 2 * sum(carried.values())


def test_while_the_clock_is_right_a_month_is_counted_to_the_byte():
    spent = Spent()
    for month, size in (("2026-11", 5), ("2026-11", 7), ("2026-12", 1)):
        spent = counted(spent, size, month, sure=True)
    assert (spent.of("2026-11"), spent.of("2026-12")) == (12, 1)


def test_a_time_server_that_was_wrong_for_a_moment_gives_no_second_allowance():
    spent = counted(Spent(), 900, "2026-12", sure=True)
    spent = counted(spent, 1, "2099-01", sure=True)
    spent = counted(spent, 1, "2026-12", sure=True)
    assert spent.of("2026-12") == 901


@given(st.integers(0, 3 * LIMIT), st.integers(0, LIMIT))
def test_the_more_is_used_the_less_goes(used: int, more: int):
    assert restraint_of(used + more, LIMIT) >= restraint_of(used, LIMIT)


@pytest.mark.parametrize(
    ("share", "restraint"),
    [(0.69, 0), (0.7, 1), (0.89, 1), (0.9, 2), (0.99, 2), (1.0, 3), (1.24, 3), (1.25, 4)],
)
def test_crops_stop_first_and_results_last(share: float, restraint: int):
    assert restraint_of(round(share * LIMIT), LIMIT) == restraint


def test_what_was_counted_outlives_the_box(outbox: Outbox):
    now_ms = 1_800_000_000_000
    before = Allowance(LIMIT, surely_ms=lambda: now_ms, is_set=lambda: True)
    before.load(outbox)
    before.count(1_100_000)
    assert before.unwritten == 1_100_000
    before.save(outbox)
    after = Allowance(LIMIT, surely_ms=lambda: now_ms, is_set=lambda: True)
    assert after.restraint is Restraint.NONE
    after.load(outbox)
    assert (after.restraint, before.unwritten) == (Restraint.SPARING, 0)
    trouble = after.trouble()
    assert trouble is not None
    assert "1 MB" in str(trouble)
    now_ms += 40 * 86_400_000
    assert (after.restraint, after.trouble()) == (Restraint.NONE, None), "a new month"
    assert spent_so_far(outbox).of(month_of(1_800_000_000_000)) == 1_100_000


def test_without_a_limit_nothing_is_counted():
    assert allowance_of(None, None, None) is None  # type: ignore[arg-type]


class Sending:
    """A session of which only what goes out counts."""

    def __init__(self, outbox: Outbox, restraint: Restraint) -> None:
        self.session = BoxSession(school=SCHOOL, box=BOX, key=KEY, software="t", pace=Pace(max_records=10))
        self.session.restraint = restraint
        self.outbox = outbox

    def lanes(self, now_ms: float = 0.0) -> list[tuple[Lane, int]]:
        out = []
        while (outgoing := self.session.next_envelope(self.outbox, now_ms)) is not None:
            out.append((outgoing.envelope.lane, len(outgoing.envelope.entries)))
        return sorted(out)


@pytest.mark.parametrize(
    ("restraint", "lanes"),
    [
        (Restraint.NONE, [Lane.DOCUMENTS, Lane.RESULTS, Lane.CROPS, Lane.HEALTH]),
        (Restraint.NO_CROPS, [Lane.DOCUMENTS, Lane.RESULTS, Lane.HEALTH]),
        (Restraint.RESULTS_FIRST, [Lane.DOCUMENTS, Lane.RESULTS]),
        (Restraint.SPARING, [Lane.DOCUMENTS, Lane.RESULTS]),
        (Restraint.SILENT, []),
    ],
)
def test_each_restraint_leaves_out_more_than_the_one_before(outbox: Outbox, restraint: Restraint, lanes: list[Lane]):
    for lane in Lane:
        outbox.append(lane, b"small")
    assert [lane for lane, _ in Sending(outbox, restraint).lanes()] == lanes


def test_a_large_document_waits_and_results_do_not(outbox: Outbox):
    for size in (100, 9_000, 100):
        outbox.append(Lane.DOCUMENTS, bytes(size))
    outbox.append(Lane.RESULTS, b"x")
    sending = Sending(outbox, Restraint.RESULTS_FIRST)
    assert sending.lanes() == [(Lane.DOCUMENTS, 1), (Lane.RESULTS, 1)]
    sending.session.restraint = Restraint.NONE
    sending.session.reconnected(0.0)
    assert (Lane.DOCUMENTS, 1) in sending.lanes(10_000.0), "the one that goes again"


def test_what_may_not_go_again_wakes_nobody(outbox: Outbox):
    """Or the link would look every moment for the rest of the month."""
    sending = Sending(outbox, Restraint.NONE)
    for lane in (Lane.CROPS, Lane.HEALTH, Lane.DOCUMENTS):
        outbox.append(lane, bytes(9_000))
    assert len(sending.lanes()) == 3
    sending.session.reconnected(0.0)
    assert sending.session.wake_at_ms() is not None
    sending.session.restraint = Restraint.RESULTS_FIRST
    assert sending.session.wake_at_ms() is None
    assert sending.lanes(1e9) == []


def test_once_a_month_is_used_up_results_gather_for_a_quarter_of_an_hour_or_an_envelope(outbox: Outbox):
    sending = Sending(outbox, Restraint.SPARING)
    outbox.append(Lane.RESULTS, b"a")
    assert sending.lanes(0.0) == [(Lane.RESULTS, 1)]
    session = sending.session
    session.acknowledged(1, 0.0)
    session._flights.clear()  # as if its receipt had come
    db = outbox._db
    db.execute("UPDATE outbox_lanes SET proven = 1 WHERE lane = 1")
    for _ in range(3):
        outbox.append(Lane.RESULTS, b"b")
    assert sending.lanes(899_999.0) == []
    assert sending.lanes(900_000.0) == [(Lane.RESULTS, 3)]
    session._flights.clear()
    db.execute("UPDATE outbox_lanes SET proven = 4 WHERE lane = 1")
    for _ in range(10):
        outbox.append(Lane.RESULTS, b"c")
    assert sending.lanes(900_001.0) == [(Lane.RESULTS, 10)], "a whole envelope waits for nothing"
