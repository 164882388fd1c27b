"""The real runs of the fault matrix: the plan of a seed ends well, and a fault put back into the box is seen."""

from pathlib import Path

import pytest

from benchmarks._real import RealRun
from sync.embedded_broker import mosquitto_path

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(mosquitto_path() is None, reason="amqtt takes seconds to start after each kill"),
]


@pytest.mark.parametrize("seed", [0, 1, 3])
def test_processes_killed_at_their_steps_lose_and_double_nothing(seed: int, tmp_path: Path):
    """D1 to D6, D10."""
    tally = RealRun(seed, tmp_path).play()
    assert tally["kept"] > 12
    assert tally["kills_at_a_step"] > 0
    assert (tally["lost"], tally["double"], tally["unsettled"]) == (0, 0, 0)


def test_a_box_that_forgets_on_puback_is_found_out(tmp_path: Path):
    """A test of the test."""
    assert RealRun(0, tmp_path, fault="forget on PUBACK").play()["lost"] > 0
