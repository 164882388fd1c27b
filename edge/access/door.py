"""The door of the box: where it listens, over TLS or not, whom it asks for a PIN, and what it says of itself.

The rule: a box that only its own computer reaches is open and plain; every other one speaks TLS and asks for a PIN,
its own computer too.
"""

from __future__ import annotations

import asyncio
import logging
import ssl

from aiohttp import web

from edge.access import certificate as certificates
from edge.access.access import Access, Locked
from edge.access.book import AccessBook, Lifetimes
from edge.access.certificate import Certificate
from edge.access.gate import Gate
from edge.access.lifetimes import HOUR_MS
from edge.access.places import Places, Sign, is_loopback, places
from edge.access.rooms import open_rooms
from edge.access.sign_in import SignIn
from edge.config import BoxConfig, WebConfig
from edge.documents import Documents
from edge.only_one import running_port
from homework.errors import ClassboxError
from sync.clock import Clock
from ui.listening import Listening

log = logging.getLogger(__name__)
_LOOK_EVERY_S = 60.0


def asks_for_a_pin(web_config: WebConfig, host: str) -> bool:
    """Whether a box with this configuration asks who is there."""
    return web_config.access == "pin" or not is_loopback(host)


def speaks_tls(web_config: WebConfig, host: str) -> bool:
    """Whether a box with this configuration speaks TLS."""
    return web_config.tls == "on" or not is_loopback(host)


def sign_of(config: BoxConfig) -> Sign:
    """What a box with this configuration says of itself, also while it does not run. Raises `ClassboxError`.

    A box that chooses its port at the start says it only while it runs, in its lock file.
    """
    host, port = config.listen_address()
    found = places(host, config.web.names)
    certificate = None
    if speaks_tls(config.web, host):
        certificate = certificates.own_certificate(config.data_dir, found.names, found.addresses)
    if port == 0:
        port = running_port(config.data_dir)
    return Sign(urls=found.urls("http" if certificate is None else "https", port), certificate=certificate)


class Door:
    """Opened and closed by the program; lives in the event loop."""

    def __init__(self, config: BoxConfig, *, documents: Documents, clock: Clock) -> None:
        """Make what is missing: the certificate, the file of people. Raises `ClassboxError`."""
        self._config = config
        self._host, self._port = config.listen_address()
        self._certificate: Certificate | None = None
        self._tls: ssl.SSLContext | None = None
        self._places = places(self._host, config.web.names)
        if speaks_tls(config.web, self._host):
            self._certificate = certificates.own_certificate(
                config.data_dir, self._places.names, self._places.addresses
            )
            self._tls = certificates.server_context(self._certificate)
        locked = None
        if asks_for_a_pin(config.web, self._host):
            lasting = Lifetimes(
                idle_ms=config.web.idle_hours * HOUR_MS, whole_ms=config.web.session_days * 24 * HOUR_MS
            )
            book = AccessBook(config.data_dir, clock, lasting=lasting)
            locked = Locked(book=book, sign_in=SignIn(book), session_days=config.web.session_days)
        gate = Gate(
            sessions=locked.book if locked is not None else None,
            still_signed=locked.book.signed_by if locked is not None else lambda _session: None,
            names=lambda: self._places.names,
            rooms=lambda: open_rooms(documents, clock.read()),
            any_address=not is_loopback(self._host),
        )
        self.access = Access(gate=gate, locked=locked, sign=self.sign)
        self._runner: web.AppRunner | None = None
        self._listening: Listening | None = None

    @property
    def scheme(self) -> str:
        """`http` or `https`."""
        return "http" if self._tls is None else "https"

    def sign(self) -> Sign:
        """What the box says of itself now."""
        return Sign(urls=self._places.urls(self.scheme, self._port), certificate=self._certificate)

    def setup_code(self) -> str | None:
        """The code that lets the first teacher in; None when none is needed."""
        return self.access.locked.book.setup_code() if self.access.locked is not None else None

    async def open(self, app: web.Application) -> str:
        """Listen; returns the address to open. Raises `ClassboxError`."""
        listening = self._listening = Listening(tls=self._tls)
        app.middlewares.insert(0, listening.middleware())
        self._runner = web.AppRunner(
            app, access_log=None, shutdown_timeout=1.0, keepalive_timeout=30.0, lingering_time=2.0
        )
        await self._runner.setup()
        server = self._runner.server
        assert server is not None
        try:
            bound, self._port = listening.start(server, self._host, self._port)
        except OSError as error:
            raise ClassboxError(
                "The page cannot listen on {address}: {reason}.",
                remedy="Choose another address under [web] listen.",
                address=f"{self._host}:{self._port}",
                reason=error.strerror,
            ) from error
        if self._places.addresses and not is_loopback(bound):
            bound = self._places.addresses[0]
        elif bound == "0.0.0.0":  # noqa: S104 - a name to write, no address to listen on
            bound = "127.0.0.1"
        return f"{self.scheme}://{f'[{bound}]' if ':' in bound else bound}:{self._port}/"

    async def watch(self) -> None:
        """Look every minute whether the box is in another network, and have the certificate say so."""
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            now = await asyncio.to_thread(places, self._host, self._config.web.names)
            if now != self._places:
                await asyncio.to_thread(self._move, now)

    async def close(self) -> None:
        """Take no more connections, end those that are open."""
        if self._listening is not None:
            await self._listening.stop()
        if self._runner is not None:
            await self._runner.cleanup()
        if self.access.locked is not None:
            self.access.locked.book.close()

    def _move(self, now: Places) -> None:
        log.info("the box has other addresses: %s", ", ".join(now.addresses) or "none")
        self._places = now
        if self._tls is None:
            return
        try:
            self._certificate = certificates.own_certificate(self._config.data_dir, now.names, now.addresses)
            certificates.use(self._tls, self._certificate)
        except ClassboxError as error:
            log.warning("%s", error)
