"""Takes connections for the pages. Over TLS: looks at the first byte, so that a plain request gets a way on.

Bounded: in all, for each address, and in the time until a first whole request has come (a server of aiohttp waits for
that as long as anybody likes).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import socket
import ssl
from collections import Counter
from collections.abc import Callable

from aiohttp import web
from aiohttp.typedefs import Middleware

from ui.pages import Handler

log = logging.getLogger(__name__)
MOST_CONNECTIONS = 400
MOST_OF_AN_ADDRESS = 100
"""A class behind one router, each phone with its six connections, comes close."""
PATIENCE_S = 10.0
_HANDSHAKE = 0x16
_HOST = re.compile(r"[A-Za-z0-9.-]+(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?", re.ASCII)
_PLAIN_ANSWER = (
    "HTTP/1.1 {status}\r\n{where}Content-Type: text/plain; charset=utf-8\r\nContent-Length: {length}\r\n"
    "Cache-Control: no-store\r\nConnection: close\r\n\r\n{words}"
)


class _Place:
    """One connection's place among those of its address; left once."""

    def __init__(self, taken: Counter[str], who: str) -> None:
        self._taken, self._who = taken, who
        self.left = False
        taken[who] += 1

    def leave(self) -> None:
        if self.left:
            return
        self.left = True
        self._taken[self._who] -= 1
        if self._taken[self._who] <= 0:
            del self._taken[self._who]


class _Watched(asyncio.Protocol):
    """A server's protocol, and somebody who hears when its connection is over."""

    def __init__(self, inner: asyncio.Protocol, gone: Callable[[asyncio.Protocol], None], place: _Place) -> None:
        self.inner, self._hear_gone, self._place = inner, gone, place

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        self.inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self.inner.eof_received()

    def pause_writing(self) -> None:
        self.inner.pause_writing()

    def resume_writing(self) -> None:
        self.inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._hear_gone(self.inner)
        self._place.leave()
        self.inner.connection_lost(exc)


class Listening:
    """One listening address. `start` it in the event loop, `stop` it there."""

    def __init__(
        self,
        *,
        tls: ssl.SSLContext | None,
        most: int = MOST_CONNECTIONS,
        most_of_an_address: int = MOST_OF_AN_ADDRESS,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._tls = tls
        self._most, self._most_of_an_address, self._patience_s = most, most_of_an_address, patience_s
        self._socket: socket.socket | None = None
        self._accepting: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._silent: dict[object, asyncio.TimerHandle] = {}
        self._of_address: Counter[str] = Counter()

    def start(
        self, protocols: Callable[[], asyncio.Protocol], host: str, port: int, *, shared: bool = False
    ) -> tuple[str, int]:
        """Listen, with a protocol for each connection; says on which address and port.

        `shared`: with other processes of the same user, among which the system spreads the connections (Linux,
        SO_REUSEPORT). Raises `OSError`.
        """
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if shared:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            listener.bind(address)
            listener.listen(128)
        except OSError:
            listener.close()
            raise
        return self.start_on(listener, protocols)

    def start_on(self, listener: socket.socket, protocols: Callable[[], asyncio.Protocol]) -> tuple[str, int]:
        """The same on a socket that listens already."""
        listener.setblocking(False)
        self._socket = listener
        self._accepting = asyncio.create_task(self._accept(listener, protocols), name="accepting")
        bound = listener.getsockname()
        return str(bound[0]), int(bound[1])

    async def stop(self) -> None:
        """Take no more connections. Those that are open end with the web runner."""
        tasks = [task for task in (self._accepting, *self._tasks) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for timer in self._silent.values():
            timer.cancel()
        if self._socket is not None:
            self._socket.close()

    def middleware(self) -> Middleware:
        """Hears that a connection has brought a whole request; goes outermost into `app.middlewares`."""

        @web.middleware
        async def heard(request: web.Request, handler: Handler) -> web.StreamResponse:
            timer = self._silent.pop(request.protocol, None)
            if timer is not None:
                timer.cancel()
            return await handler(request)

        return heard

    async def _accept(self, listener: socket.socket, protocols: Callable[[], asyncio.Protocol]) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, address = await loop.sock_accept(listener)
            except OSError as error:
                # Too many open files: the connections that end make room.
                log.warning("a connection could not be taken: %s", error)
                await asyncio.sleep(0.5)
                continue
            who = str(address[0])
            if self._of_address[who] >= self._most_of_an_address or self._of_address.total() >= self._most:
                connection.close()
                continue
            task = asyncio.create_task(self._greet(connection, protocols, _Place(self._of_address, who)))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            # Another process may listen on the same socket, and have nothing to do: first what was taken.
            await asyncio.sleep(0)

    async def _greet(self, connection: socket.socket, protocols: Callable[[], asyncio.Protocol], place: _Place) -> None:
        """Find out what a connection speaks and hand it on; whatever goes wrong costs this one only."""
        connection.setblocking(False)
        try:
            async with asyncio.timeout(self._patience_s):
                if self._tls is None or await _first_byte(connection) == _HANDSHAKE:
                    await self._hand_over(connection, protocols(), place)
                    return
                await self._lead_to_tls(connection)
        except (TimeoutError, OSError, ssl.SSLError):
            pass  # so hangs up a browser that does not trust the certificate yet
        except BaseException:
            connection.close()
            place.leave()
            raise
        connection.close()
        place.leave()

    async def _hand_over(self, connection: socket.socket, inner: asyncio.Protocol, place: _Place) -> None:
        loop = asyncio.get_running_loop()
        protocol = _Watched(inner, self._gone, place)
        transport, _ = await loop.connect_accepted_socket(
            lambda: protocol,
            connection,
            ssl=self._tls,
            ssl_handshake_timeout=self._patience_s if self._tls is not None else None,
        )
        if not place.left:
            self._silent[inner] = loop.call_later(self._patience_s, transport.abort)

    def _gone(self, protocol: asyncio.Protocol) -> None:
        timer = self._silent.pop(protocol, None)
        if timer is not None:
            timer.cancel()

    async def _lead_to_tls(self, connection: socket.socket) -> None:
        """Answer a plain request with the same address over TLS."""
        loop = asyncio.get_running_loop()
        asked = b""
        while b"\r\n\r\n" not in asked and b"\n\n" not in asked and len(asked) < 8192:
            piece = await loop.sock_recv(connection, 2048)
            if not piece:
                break
            asked += piece
        await loop.sock_sendall(connection, plain_answer(asked))
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_WR)


async def _first_byte(connection: socket.socket) -> int | None:
    """What a connection says first, left where it is; None when it says nothing and ends."""
    while True:
        try:
            seen = connection.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            await _something_to_read(connection)
        else:
            return seen[0] if seen else None


async def _something_to_read(connection: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(connection, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(connection)


def plain_answer(asked: bytes) -> bytes:
    """The answer to a plain HTTP request on a TLS port: the same address with `https`, or words where none is given."""
    lines = asked.decode("latin-1").replace("\r\n", "\n").split("\n")
    method, _, rest = lines[0].partition(" ")
    path = rest.partition(" ")[0]
    host = next((line.partition(":")[2].strip() for line in lines[1:] if line.lower().startswith("host:")), "")
    good = _HOST.fullmatch(host) is not None and path.startswith("/") and path.isprintable() and path.isascii()
    if method in ("GET", "HEAD") and good:
        status, where, words = "307 Temporary Redirect", f"Location: https://{host}{path}\r\n", ""
    else:
        status, where, words = (
            "400 Bad Request",
            "",
            "HTTPS is spoken here: open the address with https:// in front.\n",
        )
    answer = _PLAIN_ANSWER.format(status=status, where=where, length=len(words), words=words)
    return answer.encode("latin-1")
