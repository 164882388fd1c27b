"""Makes the summaries of a store that are missing or old, beside others that do the same: `GATEWAY.toml`."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

from gateway.config import load_config
from gateway.reports.worker import SummaryWorker
from gateway.store.store import open_store


async def _work(config: Path) -> dict[str, float]:
    before_s = time.process_time()
    async with open_store(load_config(config)) as store:
        made = await SummaryWorker(store).catch_up()
    return {"made": made, "cpu_s": time.process_time() - before_s}


def main() -> None:
    print(json.dumps(asyncio.run(_work(Path(sys.argv[1])))))


if __name__ == "__main__":
    main()
