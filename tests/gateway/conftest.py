"""A gateway's store in a real SQLite file, a class that sends to it, and a broker."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from gateway.config import GatewayConfig, load_config
from gateway.simulated_school import SimulatedSchool, make_school
from gateway.store.store import Store, open_store
from homework.assignment import parse_assignment
from sync.embedded_broker import Broker

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def config(tmp_path: Path) -> GatewayConfig:
    file = tmp_path / "gateway.toml"
    file.write_text('data = "data"\n[web]\nlisten = "127.0.0.1:0"\n')
    return load_config(file)


@pytest.fixture
async def store(config: GatewayConfig) -> AsyncIterator[Store]:
    async with open_store(config) as opened:
        yield opened


@pytest.fixture
async def school(store: Store) -> SimulatedSchool:
    """A school with a class of 12, their roster brought in, and one box."""
    text = (ROOT / "examples" / "g3-mul-2x1.toml").read_text(encoding="utf-8")
    return await make_school(store, parse_assignment(text))


@pytest.fixture
def broker() -> Iterator[Broker]:
    with Broker.start() as started:
        yield started
