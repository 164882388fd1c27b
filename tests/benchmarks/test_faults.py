"""The real runs of the fault matrix: plans end well, each kind of fault strikes, and faults put back are seen."""

from __future__ import annotations

import os
from collections import Counter

import pytest

from benchmarks._real import KINDS, Plan, play_all
from benchmarks._real_stores import has_server
from sync.embedded_broker import mosquitto_path

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(mosquitto_path() is None, reason="amqtt takes seconds to start after each kill"),
    pytest.mark.skipif(os.geteuid() != 0, reason="namespaces and disks of one's own are root's"),
]
_EVERY = sorted(set(KINDS))
_PLANS = [Plan(seed, tuple(_EVERY[at : at + 4])) for seed, at in enumerate(range(0, len(_EVERY), 4))]


def test_whatever_happens_to_real_processes_nothing_is_lost_or_doubled():
    """D1 to D7, D10: every kind of fault there is, four in a run."""
    total: Counter[str] = Counter()
    on_server = [Plan(90, ("database killed", "put back", "gateway killed", "database killed"), server=True)]
    for plan, tally in play_all([*on_server * has_server(), *_PLANS], at_once=4):
        assert tally["kept"] > 12
        assert (tally["lost"], tally["double"], tally["unsettled"]) == (0, 0, 0), plan
        total += tally
    assert total["fault: PostgreSQL killed"] == 2 * has_server()
    struck = [name for name in total if name.startswith("fault: ")]
    assert len(struck) >= len(_EVERY)
    for name in (
        "packets_lost",
        "messages_said_again",
        *(f"{w}_refused_by_a_full_disk" for w in ("sheets", "batches")),
    ):
        assert total[name] > 0, name


def test_faults_put_back_into_the_programs_are_found_out():
    """A test of the test."""
    plans = [
        Plan(0, ("gateway killed",) * 4, "receipt before the records", patience_s=5.0),
        Plan(1, ("gateway killed", "put back") * 2, "forget on PUBACK", patience_s=5.0),
    ]
    for plan, tally in play_all(plans, at_once=2):
        assert tally["lost"] > 0, (plan, tally)
