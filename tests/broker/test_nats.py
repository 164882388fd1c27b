"""A clustered broker through the same adapter: three nats-server nodes, one of which dies under load."""

import asyncio
import random
from pathlib import Path

import pytest

from benchmarks._nats import NatsCluster, nats_path
from benchmarks._postgresql import PostgreSQL, programs
from benchmarks._several import Several, until
from sync.broker_address import BrokerAddress
from sync.gateway_link import GatewayLink
from sync.simulation import MemoryIngest
from tests.broker.patience import running

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(nats_path() is None, reason="nats-server is not installed"),
    pytest.mark.skipif(programs() is None, reason="PostgreSQL is not installed"),
]


class Always:
    async def mine(self) -> None:
        return

    async def over(self) -> None:
        await asyncio.Event().wait()


def test_a_node_that_dies_under_load_costs_nothing_and_boxes_and_gateways_go_to_another(tmp_path: Path) -> None:
    """D3, D4: each of the three nodes once; so whichever the gateway is at dies while sheets are on the way."""
    with (
        NatsCluster() as cluster,
        PostgreSQL() as server,
        Several(tmp_path, server, server.database(), cluster.url, boxes=3) as site,
    ):
        site.start_gateway(0)
        site.start_gateway(1)
        site.start_boxes()
        site.show(10)
        site.rest(30)
        assert [site.health(number)["shares"] for number in (0, 1)] == [False, False]
        # Not at every moment: whose turn it is may just have lost its line, and its turn with it.
        until(lambda: sum(bool(site.health(number)["listens"]) for number in (0, 1)) == 1)
        for node in range(3):
            site.show(30)
            until(lambda node=node: len(site.counted()) > 30 + 120 * node + 20)  # type: ignore[misc]
            cluster.kill(node)
            site.show(10)
            site.rest(30 + 120 * (node + 1))
            cluster.start(node)
            cluster.wait(node)
        assert site.lost_and_double() == (0, 0)
        assert site.check().faults == ()


async def test_a_shared_subscription_that_is_granted_and_never_served_is_not_used() -> None:
    with NatsCluster() as cluster:
        link = GatewayLink(
            ingest=MemoryIngest(random.Random(1)),
            broker=BrokerAddress(url=cluster.url),
            group="0123456789abcdef",
            turn=Always(),
        )
        async with running(link):
            await link.wait_connected()
            assert not link.shares
            while not link.listens:  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0.01)
