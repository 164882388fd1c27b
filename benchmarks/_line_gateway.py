"""A school's server at the far end of a line, in a process of its own: mosquitto, and the gateway with its store.

`python -m benchmarks._line_gateway FOLDER ADDRESS` prints what a box has to know, as one JSON object, and serves until
it is ended. With `--tls` the broker is set up as `classgate broker write` does it, and boxes need certificates.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from gateway.broker import CONFIGURATION, certify, set_up
from gateway.config import load_config
from gateway.ingest import StoreIngest
from gateway.store.schools import add_school, enrol_box
from gateway.store.store import open_store
from provisioning.mosquitto import BrokerPlan
from sync.broker_address import BrokerAddress
from sync.embedded_broker import mosquitto_path
from sync.gateway_link import GatewayLink

SCHOOL, BOX = "school-1", "box-3-1"
_PLAIN, _TLS = 1883, 8883


async def serve(folder: Path, broker: BrokerAddress, boxes: dict[str, str]) -> None:
    """Enrol the box, take in what comes, say so, and stay."""
    async with open_store(load_config(folder / "gateway.toml")) as store:
        async with store.writing() as connection:
            await add_school(connection, store.vault, SCHOOL)
            key = await enrol_box(connection, store.vault, SCHOOL, BOX)
        link = GatewayLink(ingest=StoreIngest(store), broker=broker)
        running = asyncio.create_task(link.run())
        await link.wait_connected()
        print(json.dumps({"broker": boxes, "school": SCHOOL, "box": BOX, "key": key.hex()}), flush=True)
        await running


def _plain(folder: Path, address: str) -> tuple[BrokerAddress, dict[str, str]]:
    """A broker for everybody, configured: where the gateway and where a box finds it."""
    (folder / "broker").mkdir()
    (folder / "broker" / CONFIGURATION).write_text(
        f"listener {_PLAIN}\nallow_anonymous true\npersistence false\nset_tcp_nodelay true\n", encoding="utf-8"
    )
    url = f"mqtt://{address}:{_PLAIN}"
    return BrokerAddress(url=url), {"url": url}


def _guarded(folder: Path, address: str) -> tuple[BrokerAddress, dict[str, str]]:
    """The same with mutual TLS 1.3."""
    now, url, box = datetime.now(UTC), f"mqtts://{address}:{_TLS}", folder / "box"
    plan = BrokerPlan(folder=folder / "broker", addresses=(address,), port=_TLS)
    mine = set_up(folder / "data", plan, now=now)
    certify(folder / "data", SCHOOL, BOX, box, now=now)
    return (
        BrokerAddress(url=url, ca=str(mine.ca), cert=str(mine.cert), key=str(mine.key)),
        {"url": url, "ca": str(box / "ca.crt"), "cert": str(box / "box.crt"), "key": str(box / "box.key")},
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("address")
    parser.add_argument("--tls", action="store_true")
    options = parser.parse_args()
    folder: Path = options.folder
    (folder / "gateway.toml").write_text('data = "data"\n', encoding="utf-8")
    broker, boxes = (_guarded if options.tls else _plain)(folder, options.address)
    command = [str(mosquitto_path()), "-c", str(folder / "broker" / CONFIGURATION)]
    with (folder / "mosquitto.log").open("wb") as log, subprocess.Popen(command, stderr=log) as mosquitto:
        try:
            asyncio.run(serve(folder, broker, boxes))
        finally:
            mosquitto.terminate()


if __name__ == "__main__":
    main()
