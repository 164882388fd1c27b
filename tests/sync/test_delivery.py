"""None lost, none twice (docs/delivery.md, D1 to D6 and D10): the real sessions in virtual time, many seeds."""

from __future__ import annotations

import asyncio
import logging
import random
import sqlite3
from collections.abc import Iterator
from itertools import pairwise

import pytest

from benchmarks._matrix import Run, outcomes
from benchmarks._mutants import MUTANTS
from sync.box_session import BoxSession, Pace
from sync.envelope import decode_envelope
from sync.gateway_session import GatewaySession, Message
from sync.lanes import Lane
from sync.outbox import Outbox, create_tables
from sync.simulation import BOX, KEY, SCHOOL, WORLDS, Simulation, page_record
from sync.simulation.line import STATE, UP
from sync.simulation.store import MemoryIngest


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """The store is killed on purpose, hundreds of times; its log would fill the screen."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("world", WORLDS)
def test_no_order_of_faults_loses_or_doubles_a_record(world: str):
    """D1 to D7, D10."""
    outcomes = {seed: Simulation(seed, faults=WORLDS[world]).run() for seed in range(12)}
    bad = {seed: outcome for seed, outcome in outcomes.items() if not outcome.clean}
    assert not bad
    assert sum(o.held for o in outcomes.values()) > 0
    assert sum(o.restores for o in outcomes.values()) > 0 or not WORLDS[world].restore


@pytest.mark.long
@pytest.mark.parametrize("world", WORLDS)
def test_nor_do_hundreds_of_them(world: str):
    """D1 to D7, D10."""
    bad = {
        run: outcome for run, outcome in outcomes(Run(world, n) for n in range(12, 400)).items() if not outcome.clean
    }
    assert not bad


@pytest.mark.parametrize(("world", "seed"), [("databases that fail at any commit", 1037)])
def test_a_run_that_once_failed_does_not_any_more(world: str, seed: int):
    """D3: 1037 never came to rest: a receipt was judged, the card failed at the commit, the gateway was put back."""
    assert Simulation(seed, faults=WORLDS[world]).run().clean


@pytest.mark.parametrize("world", ["a bad line", "everything at once"])
def test_a_run_is_named_by_its_seed(world: str):
    first, second = (Simulation(7, faults=WORLDS[world]).run() for _ in range(2))
    assert first == second
    assert first != Simulation(8, faults=WORLDS[world]).run()


@pytest.mark.parametrize("name", MUTANTS)
def test_the_simulation_finds_out_a_fault_put_back_into_the_code(name: str):
    """A test of the test: of each rule that is broken, some order of faults tells."""
    mutant = MUTANTS[name]
    with mutant.applied():
        found = (not Simulation(seed, faults=WORLDS[mutant.world]).run().clean for seed in range(80))
        assert any(found)


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


def test_a_gateway_put_back_gets_again_what_stands_in_the_oldest_of_very_many_epochs():
    """D6, D10: a card that was put back two hundred times; one message names 64 epochs."""
    box, outbox = session()
    ingest = MemoryIngest(random.Random(1))
    gateway = GatewaySession(ingest)

    def converse(rounds: int) -> None:
        for now_ms in range(0, rounds * 10_000, 10_000):
            up = [Message(STATE, hello) for hello in box.hellos(outbox)]
            while (message := box.next_message(outbox, now_ms)) is not None:
                up.append(Message(UP, message))
            for answer in asyncio.run(gateway.handle(up)):
                assert box.receive(outbox, answer.payload).refused is None

    for number in range(200):
        capture = bytes([number]) * 16
        outbox.append(Lane.RESULTS, page_record(capture, 0.0), subject=capture)
        outbox.restored()
    empty = ingest.store.copy()
    converse(2)
    assert (len(ingest.store.counted), outbox.counts()[Lane.RESULTS].waiting) == (200, 0)
    ingest.put_back(empty, noticed=True)
    converse(4)
    assert (len(ingest.store.counted), outbox.counts()[Lane.RESULTS].waiting) == (200, 0)


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
