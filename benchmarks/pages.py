"""What the pages of the school weigh, and how soon something is seen of them on a line of 400 kbit/s.

A class of 60 with 40 items (the largest that is planned for), a pupil's term and the pages above it, from a gateway in
this process, each opened by a browser that has nothing of it yet. The line is the browser's own brake (Chromium's
`Network.emulateNetworkConditions`: 400 kbit/s down, 150 ms of latency a request); first paint is its
`first-contentful-paint`. The gateway's own work is in it, and a loaded machine's.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

import msgspec
from aiohttp import web
from playwright.async_api import Browser, async_playwright

from gateway.config import load_config
from gateway.reports.worker import SummaryWorker
from gateway.simulated_school import SimulatedSchool, make_school
from gateway.store.store import Store, open_store
from gateway.web.changes import Changes
from gateway.web.found import class_address, pupil_address, school_address
from gateway.web.rooms import Status, report_address
from gateway.web.site import make_site
from homework.assignment import Assignment, parse_assignment
from sync.lanes import Lane
from sync.pseudonym import pseudonym

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "g3-mul-2x1.toml"
CLASS, PUPILS, ITEMS = "3-1", 60, 40
BYTES_PER_S, LATENCY_MS = 50_000, 150
FIRST_PAINT = """() => new Promise(done => {
    const painted = () => performance.getEntriesByName("first-contentful-paint")[0];
    const look = () => painted() ? done(painted().startTime) : setTimeout(look, 20);
    look();
})"""


async def run(*, times: int) -> dict[str, Any]:
    """A row a page: its address's kind, bytes of the page and of all that it brings, and the median first paint."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "gateway.toml"
        file.write_text('data = "data"\n')
        async with open_store(load_config(file)) as store:
            school = await _school(store)
            site = make_site(store, Changes(), lambda: Status(broker_connected=True, counts={}))
            runner = web.AppRunner(site, handler_cancellation=True, shutdown_timeout=1)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            try:
                async with async_playwright() as play:
                    program = shutil.which("chromium-headless-shell") or "/usr/bin/chromium"
                    browser = await play.chromium.launch(executable_path=program, args=["--no-sandbox"])
                    rows = [
                        await _page(browser, name, url + address, times=times)
                        for name, address in _pages(school).items()
                    ]
                    await browser.close()
            finally:
                await runner.cleanup()
    return {"pupils": PUPILS, "items": ITEMS, "kbit_per_s": BYTES_PER_S * 8 // 1000, "times": times, "rows": rows}


async def _school(store: Store) -> SimulatedSchool:
    given = parse_assignment(EXAMPLE.read_text(encoding="utf-8"))
    school = await make_school(store, _long(given), class_name=CLASS, size=PUPILS)
    documents = school.box.envelope(Lane.DOCUMENTS, school.pupils.documents())
    await school.ingest.take([documents, school.box.envelope(Lane.RESULTS, school.pupils.results())])
    await SummaryWorker(store).catch_up()
    return school


def _long(assignment: Assignment) -> Assignment:
    items = assignment.items
    more = (msgspec.structs.replace(items[n % len(items)], id=f"{n + 1}", label=None) for n in range(ITEMS))
    return msgspec.structs.replace(assignment, items=tuple(more))


def _pages(school: SimulatedSchool) -> dict[str, str]:
    report = report_address(school.school, CLASS, school.pupils.assignment.id)
    first = school.pupils.roster.pupils[0]
    return {
        "class report": report,
        "more": f"{report}/more",
        "item": f"{report}/items/1",
        "screen": f"{report}/screen",
        "pupil": pupil_address(school.school, pseudonym(school.school_key, first.pupil_id)),
        "class": class_address(school.school, CLASS),
        "school": school_address(school.school),
        "district": "/district",
        "week": "/week",
        "start": "/",
    }


async def _page(browser: Browser, name: str, address: str, *, times: int) -> dict[str, Any]:
    seen = [await _opened(browser, address) for _ in range(times)]
    return {
        "name": name,
        "page_bytes": seen[0][0],
        "all_bytes": seen[0][1],
        "first_paint_ms_p50": round(median(paint for _, _, paint in seen)),
    }


async def _opened(browser: Browser, address: str) -> tuple[int, int, float]:
    """Bytes on the wire of the page, and of all, and the first paint, with an empty cache."""
    context = await browser.new_context(locale="zh-CN")
    page = await context.new_page()
    line = await context.new_cdp_session(page)
    came: dict[str, int] = {}
    order: list[str] = []
    line.on("Network.requestWillBeSent", lambda event: order.append(event["requestId"]))
    line.on("Network.loadingFinished", lambda e: came.update({e["requestId"]: int(e["encodedDataLength"])}))
    await line.send("Network.enable")
    brake = {"offline": False, "latency": LATENCY_MS, "downloadThroughput": BYTES_PER_S, "uploadThroughput": 12_500}
    await line.send("Network.emulateNetworkConditions", brake)
    answer = await page.goto(address, wait_until="load", timeout=60_000)
    assert answer is not None
    assert answer.ok, address
    paint = float(await page.evaluate(FIRST_PAINT))
    await context.close()
    return came[order[0]], sum(came.values()), paint


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="open each page once")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    found = asyncio.run(run(times=1 if options.quick else 7))
    if options.json:
        print(json.dumps(found, ensure_ascii=False))
    else:
        for row in found["rows"]:
            print(
                f"{row['name']:13} {row['page_bytes']:7,} bytes, {row['all_bytes']:7,} in all, "
                f"first paint {row['first_paint_ms_p50']:5,} ms"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
