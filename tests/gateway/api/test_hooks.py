"""Programs are told when a class has finished: signed, at least once, and never where they should not be."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import msgspec
import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer
from sqlalchemy import delete, select, update

from gateway.api.hook_sender import AGAIN_AFTER_MS, KEPT_MS, HookSender
from gateway.api.hooks import MOST_HOOKS, add_hook, queue_finished
from gateway.config import HooksConfig, load_config
from gateway.ingest import StoreIngest
from gateway.reports.summaries import Place
from gateway.reports.worker import CLOSED_AFTER_MS, Finished, SummaryWorker
from gateway.simulated_school import make_school
from gateway.store.leases import give_lease_back, take_lease
from gateway.store.store import Store, open_store
from gateway.store.tables.programs import hook_calls, hooks
from gateway.store.tables.schools import leases
from homework.errors import BadFileError, UsageError
from homework.lateness import due_ms
from sync.lanes import Lane
from tests.gateway.api.conftest import ASSIGNMENT, CLASS, OTHER, OWN, Office

pytestmark = pytest.mark.asyncio(loop_scope="module")  # one gateway for all
HOOKS = f"/api/1/schools/{OWN}/hooks"
MINUTE_MS = 60_000
DUE = "2026-12-01T08:00:00+08:00"


@dataclass
class Ear:
    """A program that is told: what it heard, and what it answers next."""

    url: str = ""
    heard: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    answers: list[web.Response] = field(default_factory=list)

    async def hear(self, request: web.Request) -> web.Response:
        self.heard.append((dict(request.headers), await request.read()))
        return self.answers.pop(0) if self.answers else web.Response(status=204)


@pytest_asyncio.fixture(loop_scope="module")
async def ear() -> AsyncIterator[Ear]:
    made = Ear()
    app = web.Application()
    app.router.add_post("/told", made.hear)
    async with TestServer(app) as server:
        made.url = str(server.make_url("/told"))
        yield made


@dataclass
class Clock:
    now_ms: int

    def __call__(self) -> int:
        return self.now_ms


@pytest_asyncio.fixture(loop_scope="module")
async def queue(office: Office) -> AsyncIterator[Store]:
    """The store, with nobody to tell before and after."""
    await forget(office.store)
    yield office.store
    await forget(office.store)


async def forget(store: Store) -> None:
    async with store.writing() as connection:
        await connection.execute(delete(hook_calls))
        await connection.execute(delete(hooks))
        await connection.execute(delete(leases))


async def told(store: Store, url: str, school: str = OWN) -> str:
    """Let an address be told; its secret."""
    async with store.writing() as connection:
        _, secret = await add_hook(connection, store.vault, school, url, made_by=0, now_ms=0)
    return secret


async def calls(store: Store) -> list[Any]:
    async with store.reading() as connection:
        return list(await connection.execute(select(hook_calls).order_by(hook_calls.c.call_id)))


async def queued(store: Store, *, at_ms: int, school: str = OWN) -> None:
    """A class has finished."""
    place = Place(school, CLASS, ASSIGNMENT.id)
    async with store.writing() as connection:
        await queue_finished(connection, [Finished(place, at_ms, MagicMock())])


def sender(store: Store, clock: Clock, *, allow_private: bool = True) -> HookSender:
    return HookSender(store, HooksConfig(allow_private=allow_private), now_ms=clock)


async def test_a_program_hears_that_a_class_has_finished_and_can_prove_who_said_it(queue: Store, ear: Ear) -> None:
    clock = Clock(1_796_000_000_000)
    secret = await told(queue, ear.url)
    await queued(queue, at_ms=clock.now_ms)
    await sender(queue, clock).tell_due()
    ((headers, body),) = ear.heard
    said = json.loads(body)
    assert said["type"] == "class.finished"
    assert said["id"] == headers["webhook-id"]
    assert said["data"] == {
        "school": OWN,
        "class": CLASS,
        "assignment": ASSIGNMENT.id,
        "finished_ms": clock.now_ms,
        "report": f"/api/1/schools/{OWN}/classes/{CLASS}/assignments/{ASSIGNMENT.id}/report",
    }
    assert headers["webhook-timestamp"] == str(clock.now_ms // 1000)
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    key = base64.b64decode(secret.removeprefix("whsec_"))
    assert headers["webhook-signature"] == "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
    await sender(queue, clock).tell_due()
    assert len(ear.heard) == 1, "what was taken is told again"


async def test_the_worker_queues_it_in_the_transaction_in_which_it_becomes_true(queue: Store, ear: Ear) -> None:
    await told(queue, ear.url)

    async def fails(connection: Any, finished: Any) -> None:
        await queue_finished(connection, finished)
        raise RuntimeError("the power is gone")

    clock = Clock(int((due_ms(DUE) or 0) + CLOSED_AFTER_MS + 1))
    async with opened_school(queue, "no-9") as school:
        await told(queue, ear.url, "no-9")
        with pytest.raises(RuntimeError):
            await SummaryWorker(queue, on_finished=fails, now_ms=clock).catch_up()
        assert await calls(queue) == []
        await SummaryWorker(queue, on_finished=queue_finished, now_ms=clock).catch_up()
        assert [call.school_id for call in await calls(queue)] == [school]
        await SummaryWorker(queue, on_finished=queue_finished, now_ms=clock).catch_up()
        assert len(await calls(queue)) == 1, "it is said twice"


@asynccontextmanager
async def opened_school(store: Store, name: str) -> AsyncIterator[str]:
    """A school whose homework was due."""
    made = await make_school(store, msgspec.structs.replace(ASSIGNMENT, id="was-due", due=DUE), school=name)
    documents = made.box.envelope(Lane.DOCUMENTS, made.pupils.documents())
    ingest = StoreIngest(store, now_ms=lambda: int(due_ms(DUE) or 0), on_change=lambda _: None)
    await ingest.take([documents, made.box.envelope(Lane.RESULTS, made.pupils.results())])
    yield name


async def test_what_was_not_taken_is_told_again_ever_more_slowly_and_then_given_up(queue: Store, ear: Ear) -> None:
    clock = Clock(1_796_000_000_000)
    await told(queue, ear.url)
    await queued(queue, at_ms=clock.now_ms)
    ear.answers = [web.Response(status=500) for _ in range(len(AGAIN_AFTER_MS) + 1)]
    names, one = set(), sender(queue, clock)
    for number, wait_ms in enumerate((*AGAIN_AFTER_MS, 365 * 24 * 60 * MINUTE_MS)):
        await one.tell_due()
        assert len(ear.heard) == number + 1
        names.add(ear.heard[-1][0]["webhook-id"])
        clock.now_ms += wait_ms - 1
        await one.tell_due()
        assert len(ear.heard) == number + 1, "it is told again too soon"
        clock.now_ms += 1
    assert len(names) == 1, "the other side cannot know that it is the same"
    (call,) = await calls(queue)
    assert (call.due_ms, call.outcome, call.tries) == (None, "500", len(AGAIN_AFTER_MS) + 1)


async def test_what_came_of_it_is_kept_for_a_month(queue: Store, ear: Ear) -> None:
    clock = Clock(1_796_000_000_000)
    await told(queue, ear.url)
    await queued(queue, at_ms=clock.now_ms)
    await sender(queue, clock).tell_due()
    clock.now_ms += KEPT_MS + 1
    await queued(queue, at_ms=clock.now_ms)
    await sender(queue, clock).tell_due()
    assert [call.finished_ms for call in await calls(queue)] == [clock.now_ms]


async def test_a_redirect_is_not_followed(queue: Store, ear: Ear) -> None:
    clock = Clock(1_796_000_000_000)
    await told(queue, ear.url)
    await queued(queue, at_ms=clock.now_ms)
    ear.answers = [web.Response(status=307, headers={"Location": ear.url})]
    await sender(queue, clock).tell_due()
    assert len(ear.heard) == 1
    (call,) = await calls(queue)
    assert (call.outcome, call.due_ms) == ("307", clock.now_ms + MINUTE_MS)


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "school.example"])
async def test_no_address_of_the_own_network_is_connected_to_whatever_it_is_called(
    queue: Store, ear: Ear, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that was public when it was written down can lead here when it is used (DNS rebinding)."""
    clock = Clock(1_796_000_000_000)
    port = int(ear.url.split(":")[2].split("/")[0])
    loop = asyncio.get_running_loop()
    real = loop.getaddrinfo

    async def moved(host: Any, *more: Any, **named: Any) -> Any:
        return await real("127.0.0.1" if host == "school.example" else host, *more, **named)

    monkeypatch.setattr(loop, "getaddrinfo", moved)
    await told(queue, f"http://{name}:{port}/told")
    await queued(queue, at_ms=clock.now_ms)
    await sender(queue, clock, allow_private=False).tell_due()
    assert ear.heard == []
    (call,) = await calls(queue)
    assert call.outcome == "the address is not in the open internet"
    clock.now_ms += MINUTE_MS
    await sender(queue, clock).tell_due()
    assert len(ear.heard) == 1, "the test told nobody for another reason"


async def test_programs_name_their_addresses_see_what_waits_and_end_it(queue: Store, office: Office, ear: Ear) -> None:
    key = await office.key("be-told")
    made = await office.json(key, HOOKS, "POST", json={"url": ear.url})
    assert made["secret"].startswith("whsec_")
    await queued(queue, at_ms=5)
    (line,) = (await office.json(key, HOOKS))["hooks"]
    assert (line["hook"], line["url"], line["waiting"]) == (made["hook"], ear.url, 1)
    assert made["secret"] not in json.dumps(line)
    assert (await office.ask(key, f"/api/1/schools/{OTHER}/hooks", "POST", json={"url": ear.url})).status == 403
    assert (await office.ask(office.reader, HOOKS)).status == 403
    for wrong in ({"url": "http://x/"}, {}, {"url": ear.url, "more": 1}, {"url": 5}):
        assert (await office.ask(key, HOOKS, "POST", json=wrong)).status == 400, wrong
    assert (await office.ask(key, HOOKS, "POST", data=b"{", headers={"Content-Type": "application/json"})).status == 400
    assert (await office.ask(key, HOOKS, "POST", data=b"url=x")).status == 415
    large = b'{"url": "' + b"x" * 70_000 + b'"}'
    assert (
        await office.ask(key, HOOKS, "POST", data=large, headers={"Content-Type": "application/json"})
    ).status == 413
    assert (await office.ask(key, f"{HOOKS}/{made['hook']}", "DELETE")).status == 204
    assert (await office.ask(key, f"{HOOKS}/{made['hook']}", "DELETE")).status == 404
    await sender(queue, Clock(10)).tell_due()
    assert ear.heard == [], "whoever was taken away is told"


async def test_a_school_has_no_more_addresses_than_somebody_can_look_over(queue: Store) -> None:
    for _ in range(MOST_HOOKS):
        await told(queue, "https://school.example/")
    with pytest.raises(UsageError):
        await told(queue, "https://school.example/")


async def test_only_one_gateway_tells_at_a_time(queue: Store, ear: Ear) -> None:
    clock = Clock(1_796_000_000_000)
    await told(queue, ear.url)
    await queued(queue, at_ms=clock.now_ms)
    async with queue.writing() as connection:
        assert await take_lease(connection, "hooks", "another", lasts_ms=60_000)
    try:
        assert not await sender(queue, clock).tell_due()
        assert ear.heard == []
    finally:
        async with queue.writing() as connection:
            await give_lease_back(connection, "hooks", "another")


async def test_certificates_that_are_none_are_told_at_the_start(queue: Store, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    for name in ("ca.pem", "nowhere.pem"):
        with pytest.raises(BadFileError):
            HookSender(queue, HooksConfig(ca=str(tmp_path / name)))


# --- killed in the middle ------------------------------------------------------------------------------------

KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from gateway.api.hook_sender import HookSender
from gateway.config import HooksConfig, load_config
from gateway.store.store import open_store

async def main() -> None:
    async with open_store(load_config(Path(sys.argv[1]))) as store:
        sender = HookSender(store, HooksConfig(allow_private=True))
        async def never(outcomes: object) -> None:
            os.kill(os.getpid(), signal.SIGKILL)
        sender._keep = never
        await sender.tell_due()

asyncio.run(main())
"""


@pytest.mark.asyncio(loop_scope="function")
async def test_killed_between_telling_and_writing_it_down_it_is_told_again_and_not_lost(tmp_path: Path) -> None:
    ear, app = Ear(), web.Application()
    app.router.add_post("/told", ear.hear)
    config = tmp_path / "gateway.toml"
    config.write_text('data = "data"\n')
    async with TestServer(app) as server, open_store(load_config(config)) as store:
        await make_school(store, ASSIGNMENT)
        await told(store, str(server.make_url("/told")))
        for number in range(3):
            await queued(store, at_ms=number)
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", KILLED, str(config))
        assert await process.wait() == -signal.SIGKILL
        assert len({headers["webhook-id"] for headers, _ in ear.heard}) == 3
        async with store.writing() as connection:  # a minute later
            await connection.execute(update(leases).values(until_ms=0))
        await sender(store, Clock(10)).tell_due()
        assert len(ear.heard) == 6
        assert len({headers["webhook-id"] for headers, _ in ear.heard}) == 3
        assert [call.due_ms for call in await calls(store)] == [None] * 3
