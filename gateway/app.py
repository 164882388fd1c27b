"""The running gateway: store, link to the broker and pages, for as long as nobody says stop."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import resource
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from aiohttp import web

from gateway.access.doors import access_of, door_of, server_context
from gateway.api.hook_sender import HookSender
from gateway.api.hooks import queue_finished
from gateway.config import GatewayConfig, Parts
from gateway.downlink import StoreDownLog
from gateway.figures import Figures
from gateway.garbage import BetweenRequests, calm_collector
from gateway.held import look_again
from gateway.ingest import Changed, StoreIngest
from gateway.keeping.retention import Retention
from gateway.reports.worker import SummaryWorker
from gateway.stick import StickWatch
from gateway.store.news import Place
from gateway.store.store import Store, open_store
from gateway.turn import LeasedTurn, LockedTurn
from gateway.web.changes import Changes
from gateway.web.rooms import Status
from gateway.web.site import make_site
from homework.errors import ClassboxError
from sync.broker_address import BrokerAddress
from sync.gateway_link import GatewayLink
from sync.stick import sticks_in
from ui.language import terminal_language, translator
from ui.listening import Listening
from ui.supervisor import Supervisor

_log = logging.getLogger(__name__)
_Job = Callable[[], Coroutine[Any, Any, None]]
_Say = Callable[[str], None]
_MOST_CONNECTIONS = 4_000
_MOST_OF_AN_ADDRESS = 400
"""A school behind one router. Behind a proxy of ours all come from it, and it is the proxy that counts."""
_FIRST_REQUEST_S = 10.0
"""How long a connection may take to bring its first whole request: whoever trickles one has no more than that."""
_BEHIND_PAGES = 10
"""How much nicer a program that only takes in what boxes send is to others on its machine. Sheets wait safely in their
box and nobody sees it; who has asked for a page sits before it."""
_PATIENCE_S = 3.0
"""How long the broker may take before a line says that it is not there."""


async def run_gateway(config: GatewayConfig, parts: Parts = Parts.ALL) -> None:
    """Serve until SIGTERM or SIGINT; prints `ready URL` once the pages answer, and tells a supervisor.

    Raises `ClassboxError` when the store cannot be opened, the port is taken or the broker's address is none.
    A broker that is not there is waited for.
    """
    if parts is Parts.BOXES:
        _stand_behind_pages()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    supervisor = Supervisor()
    async with open_store(config) as store:
        await store.check_key()  # each of several gateways on one server needs the same
        store.takes_in = Parts.BOXES in parts
        say = _log.warning if config.log.format == "json" else _to_people
        store.on_trouble = _StoreWatcher(say).tell
        changes = Changes()
        work = await _boxes(config, store, changes, say) if Parts.BOXES in parts else _Work()
        state = _State(work.status)
        figures, between = Figures(version=version("classbox")), BetweenRequests()
        site = make_site(
            store,
            changes,
            state.status,
            figures=figures,
            between=between,
            metrics_token=config.metrics.token,
            parts=parts,
            access=access_of(config, store),
            door=door_of(config),
        )
        hearing = partial(store.hear_others, _tell(changes))
        hooks = (HookSender(store, config.hooks).run,) if Parts.PAGES in parts else ()
        jobs: tuple[_Job, ...] = (*work.jobs, *hooks, hearing, between.settle_in_quiet, partial(_petting, supervisor))
        async with _serving(config, site, supervisor) as url, _running(*jobs):
            print(f"ready {url}", flush=True)
            supervisor.ready(f"ready {url}")
            calm_collector()
            await stop.wait()
            _log.info("stopping")
            supervisor.ending()
            state.ending = True
            await asyncio.sleep(config.web.drain_s)


def _stand_behind_pages() -> None:
    """Be nicer to the other programs of this machine than they are.

    Where Linux shares the processor out by sessions first (`sched_autogroup_enabled`, Debian's default), a service of
    its own session says it of that session too (sched(7)); elsewhere the file is not there or says nothing.
    """
    os.nice(_BEHIND_PAGES)
    if os.getsid(0) == os.getpid():
        with contextlib.suppress(OSError):
            Path("/proc/self/autogroup").write_text(str(_BEHIND_PAGES), encoding="ascii")


class _Work(NamedTuple):
    """What runs beside the pages, and what it says of itself."""

    jobs: tuple[_Job, ...] = ()
    status: Callable[[], Status] = lambda: Status(broker_connected=False, counts={})


async def _boxes(config: GatewayConfig, store: Store, changes: Changes, say: _Say) -> _Work:
    """The link to the boxes, over broker and sticks."""
    broker = BrokerAddress(url=config.broker.url, ca=config.broker.ca, cert=config.broker.cert, key=config.broker.key)
    await look_again(store)
    ingest = StoreIngest(store, on_change=changes.tell)
    watcher = _BrokerWatcher(broker.without_secrets(), say)
    server = store.on_a_server  # SQLite has one writer: to share would gain nothing
    turn = LeasedTurn(store) if server else LockedTurn(config.data)
    link = GatewayLink(
        ingest=ingest,
        broker=broker,
        software=version("classbox"),
        down_log=StoreDownLog(store),
        group=store.vault.derived("share group") if server else None,
        turn=turn,
        on_change=watcher.wake,
    )
    roots = [Path(root) for root in config.stick.roots]
    is_stick = os.path.ismount if config.stick.mounted else Path.is_dir
    sticks = StickWatch(store, ingest, partial(sticks_in, roots, is_stick))
    summaries = SummaryWorker(store, on_finished=queue_finished)
    changes.pass_on(summaries.tell)
    retention = Retention(store, config.retention)
    jobs = (
        link.run,
        turn.run,
        partial(watcher.watch, link),
        sticks.run,
        store.keep_months,
        summaries.run,
        retention.run,
    )
    return _Work(jobs, _status_of(link, ingest))


class _State:
    """What the program says of itself, and whether it is ending."""

    def __init__(self, status: Callable[[], Status]) -> None:
        self._status = status
        self.ending = False

    def status(self) -> Status:
        """Now."""
        return self._status()._replace(ending=self.ending)


async def _petting(supervisor: Supervisor) -> None:
    """Tell a supervisor that watches, as long as the event loop turns: a process that stands still is started anew."""
    if supervisor.pet_every_s is None:
        return
    while True:
        supervisor.alive()
        await asyncio.sleep(supervisor.pet_every_s)


def _to_people(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _tell(changes: Changes) -> Callable[[list[Place] | None], None]:
    def tell(places: list[Place] | None) -> None:
        if places is None:
            changes.tell_all()
        else:
            changes.tell([Changed(*place) for place in places])

    return tell


class _StoreWatcher:
    """Says when the database does not do what it should, and when it does again."""

    def __init__(self, say: _Say) -> None:
        self._say = say
        self._said: ClassboxError | None = None

    def tell(self, trouble: ClassboxError | None) -> None:
        """What a transaction met, or None for one that met nothing."""
        if str(trouble) == str(self._said):
            return
        _ = translator(terminal_language()).gettext
        line = _("The database is there again.") if trouble is None else " ".join(trouble.said(_))
        self._say(line)
        self._said = trouble


class _BrokerWatcher:
    """Says when the broker is away for longer than a moment, and when it is back."""

    def __init__(self, url: str, say: _Say) -> None:
        self._say = say
        self._url = url
        self._changed = asyncio.Event()

    def wake(self) -> None:
        """The connection came or went."""
        self._changed.set()

    async def watch(self, link: GatewayLink) -> None:
        """Run beside the link until cancelled."""
        said = there = self._line(connected=True, trouble=None)
        while True:
            if not link.connected and said == there:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_PATIENCE_S):
                        await link.wait_connected()
            line = self._line(connected=link.connected, trouble=link.trouble)
            if line != said:
                self._say(line)
                said = line
            await self._changed.wait()
            self._changed.clear()

    def _line(self, *, connected: bool, trouble: ClassboxError | None) -> str:
        _ = translator(terminal_language()).gettext
        if trouble is not None:
            return " ".join(trouble.said(_))
        if connected:
            return _("The broker at {url} is there.").format(url=self._url)
        return _("The broker at {url} does not answer; still trying. Check that it runs, and [broker] url.").format(
            url=self._url
        )


def _status_of(link: GatewayLink, ingest: StoreIngest) -> Callable[[], Status]:
    return lambda: Status(
        broker_connected=link.connected,
        counts={**ingest.counts, **link.counts},
        broker_shares=link.shares,
        listens=link.listens,
    )


@asynccontextmanager
async def _running(*jobs: _Job) -> AsyncIterator[None]:
    """Run the jobs beside the block, and end them with it."""
    tasks = [asyncio.create_task(job()) for job in jobs]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for ended in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(ended, Exception):
                _log.error("a part of the gateway ended early", exc_info=ended)


@asynccontextmanager
async def _serving(config: GatewayConfig, application: web.Application, supervisor: Supervisor) -> AsyncIterator[str]:
    tls = None if config.web.cert is None or config.web.key is None else server_context(config.web.cert, config.web.key)
    most = min(_MOST_CONNECTIONS, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2)
    listening = Listening(
        tls=tls,
        most=most,
        most_of_an_address=most if config.web.behind_proxy else _MOST_OF_AN_ADDRESS,
        patience_s=_FIRST_REQUEST_S,
    )
    application.middlewares.insert(0, listening.middleware())
    runner = web.AppRunner(
        application,
        handler_cancellation=True,
        shutdown_timeout=5,
        access_log=None,
        keepalive_timeout=30.0,
        lingering_time=2.0,
    )
    await runner.setup()
    server = runner.server
    assert server is not None
    try:
        try:
            if supervisor.listens:
                host, port = listening.start_on(supervisor.listener(), server)
            else:
                host, port = listening.start(server, config.host, config.port, shared=config.web.shared)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                message = "The port {port} is in use already."
            else:
                message = "The pages cannot listen on {host}:{port}: {reason}."
            raise ClassboxError(
                message,
                remedy="Choose another with [web] listen in gateway.toml, or stop the program that has it.",
                host=config.host,
                port=config.port,
                reason=error.strerror,
            ) from error
        scheme = "http" if tls is None else "https"
        yield f"{scheme}://[{host}]:{port}/" if ":" in host else f"{scheme}://{host}:{port}/"
    finally:
        await listening.stop()
        await runner.cleanup()
