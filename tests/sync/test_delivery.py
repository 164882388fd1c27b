"""None lost, none twice (docs/delivery.md, D1 to D6 and D10): the real sessions in virtual time, many seeds."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise

import msgspec
import pytest

from sync.box_session import BoxSession, Pace
from sync.envelope import decode_envelope
from sync.lanes import Lane
from sync.outbox import Outbox, create_tables
from sync.receipts import Accept, AskAfresh, Ignore, Judgement, LaneView, Receipt, judge
from sync.simulation import BOX, KEY, SCHOOL, Faults, Outcome, Simulation

WORLDS = {
    "a bad line": Faults(),
    "a terrible line and many restores": Faults(loss=0.6, double=0.3, delay_ms=8_000, restore=0.05),
    "cloned cards": Faults(clone=0.02),
    "a broker that says again what was said long ago": Faults(restore=0.05, replay=0.5),
}


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """The store is killed on purpose, hundreds of times; its log would fill the screen."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("world", WORLDS)
def test_no_order_of_faults_loses_or_doubles_a_record(world: str):
    """D1 to D7, D10."""
    outcomes = {seed: Simulation(seed, faults=WORLDS[world]).run() for seed in range(40)}
    bad = {seed: o for seed, o in outcomes.items() if not clean(o)}
    assert not bad
    assert sum(o.restores for o in outcomes.values()) > 0
    assert sum(o.held for o in outcomes.values()) > 0


def test_the_simulation_is_the_same_for_the_same_seed_up_to_random_names():
    first, second = (Simulation(7).run() for _ in range(2))
    assert first.captured == second.captured > 0


def clean(outcome: Outcome) -> bool:
    return not (outcome.lost or outcome.double or outcome.unsettled or outcome.misled)


def found_out(outcomes: Iterable[Outcome]) -> bool:
    return not all(clean(outcome) for outcome in outcomes)


def test_the_simulation_finds_out_a_box_that_never_asks_afresh(monkeypatch: pytest.MonkeyPatch):
    """A test of the test: without D6's rule, restored gateways keep their holes."""

    def trusting(receipt: object, view: object) -> object:
        judgement = judge(receipt, view)  # type: ignore[arg-type]
        return Ignore("it was proven") if isinstance(judgement, AskAfresh) else judgement

    monkeypatch.setattr("sync.outbox.judge", trusting)
    assert found_out(Simulation(seed, faults=Faults(restore=0.1)).run() for seed in range(10))


def test_the_simulation_finds_out_a_box_that_takes_sending_for_delivery(monkeypatch: pytest.MonkeyPatch):
    """A test of the test: a box that never sends again loses records."""
    monkeypatch.setattr("sync.box_session.BoxSession._patience_ms", lambda *_: 1e18)
    assert found_out(Simulation(seed, faults=Faults(broker_crash=0)).run() for seed in range(10))


def believing_what_is_old(receipt: Receipt, view: LaneView | None) -> Judgement:
    return judge(receipt, None if view is None else msgspec.structs.replace(view, believed_from=0))


def taking_all_for_fresh(receipt: Receipt, view: LaneView | None) -> Judgement:
    return judge(receipt, None if view is None else msgspec.structs.replace(view, answers=2**40))


def accepting_any(receipt: Receipt, view: LaneView | None) -> Judgement:
    judgement = judge(receipt, view)
    own_chain = view is not None and view.chain_at_mark == receipt.chain
    return Accept(receipt.mark, receipt.beyond, receipt.held) if own_chain else judgement


@pytest.mark.parametrize("broken", [believing_what_is_old, taking_all_for_fresh, accepting_any])
def test_the_simulation_finds_out_a_box_that_believes_a_replayed_receipt(
    broken: Callable[[Receipt, LaneView | None], Judgement], monkeypatch: pytest.MonkeyPatch
):
    """A test of the test: without D7's rules, what was said before a restore counts as delivered after it."""
    monkeypatch.setattr("sync.outbox.judge", broken)
    world = WORLDS["a broker that says again what was said long ago"]
    assert found_out(Simulation(seed, faults=world).run() for seed in range(10))


def session() -> tuple[BoxSession, Outbox]:
    db = sqlite3.connect(":memory:")
    create_tables(db)
    return BoxSession(
        school=SCHOOL, box=BOX, key=KEY, software="t", pace=Pace(max_records=5, window=2), chance=lambda: 0.5
    ), Outbox(db)


def sent(box: BoxSession, outbox: Outbox, now_ms: float) -> list[tuple[Lane, int, int]]:
    out = []
    while (message := box.next_message(outbox, now_ms)) is not None:
        e = decode_envelope(message, school=SCHOOL, box=BOX, key=KEY)
        out.append((e.lane, e.first_seq, e.last_seq))
    return out


def test_records_gather_while_an_envelope_is_on_the_way():
    box, outbox = session()
    outbox.append(Lane.RESULTS, b"x")
    assert sent(box, outbox, 0) == [(Lane.RESULTS, 1, 1)]
    for _ in range(3):
        outbox.append(Lane.RESULTS, b"x")
    assert sent(box, outbox, 10) == []
    for _ in range(4):
        outbox.append(Lane.RESULTS, b"x")
    assert sent(box, outbox, 20) == [(Lane.RESULTS, 2, 6)]


def test_an_envelope_without_a_receipt_goes_again_ever_later():
    """D2."""
    box, outbox = session()
    outbox.append(Lane.RESULTS, b"x")
    times = [t for t in range(0, 120_000, 500) if sent(box, outbox, t)]
    gaps = [b - a for a, b in pairwise(times)]
    assert len(times) >= 4
    assert gaps == sorted(gaps)
    assert gaps[-1] >= 4 * gaps[0]


def test_no_lane_starves_another_and_documents_lead():
    box, outbox = session()
    for lane in Lane:
        for _ in range(40):
            outbox.append(lane, b"x" * 10)
    order = [lane for lane, _, _ in sent(box, outbox, 0)]
    assert order[0] is Lane.DOCUMENTS
    assert set(order) == set(Lane)
