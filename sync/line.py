"""A line to another machine: name, TCP and TLS in the caller's loop, so that all of it ends when it is told to.

Nothing here blocks the loop or a thread that somebody waits for: a machine that takes connections and then says
nothing, or that swallows every packet, costs the caller's limit and no more.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from typing import Any, TypeVar

_DEAD_AFTER_S = 60
"""How long the kernel waits for the other machine to take bytes that were sent before it calls the line dead."""
THIN_LINEAR_TIMEOUTS = 16
"""TCP_THIN_LINEAR_TIMEOUTS (tcp(7)), which Python does not name.

While fewer than four packets are on the way, a lost one goes again after one patience, not after twice as long each
time. On a line that loses three packets in ten, a class that came behind a lost acknowledgement waited up to a minute.
"""
_SOCKET_OPTIONS = (
    [
        (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _DEAD_AFTER_S * 1000),  # RFC 5482
        (socket.IPPROTO_TCP, THIN_LINEAR_TIMEOUTS, 1),
    ]
    if hasattr(socket, "TCP_USER_TIMEOUT")  # Linux
    else []
)
_TCP_INFO_BYTES = 208
"""Up to `tcpi_bytes_sent`, which Linux has had since 4.19."""
_HEADERS_4_BYTES, _HEADERS_6_BYTES = 20 + 20 + 12, 40 + 20 + 12
_ONE_ADDRESS_S = 10.0
"""How long one of several addresses of a name may take, so that the next has its turn: three SYNs, and a bit."""
P = TypeVar("P", bound=asyncio.Protocol)


async def open_line(
    protocol: Callable[[], P], host: str, port: int, *, tls: ssl.SSLContext | None, leave_s: float
) -> P:
    """Connect a protocol; `leave_s` is what the end of TLS may take later. Raises `OSError`, also for TLS.

    Cancelled, it leaves nothing open. It sets no limit: the caller does.
    """
    addresses = await _addresses(host, port)
    for place, address in enumerate(addresses, 1):
        try:
            async with asyncio.timeout(_ONE_ADDRESS_S if place < len(addresses) else None):
                line = await _tcp(address)
            break
        except OSError:  # TimeoutError is one
            if place == len(addresses):
                raise
    secure: dict[str, Any] = {}
    if tls is not None:
        # The handshake has the caller's limit, like all the rest.
        secure = {"ssl": tls, "server_hostname": host, "ssl_handshake_timeout": 3600, "ssl_shutdown_timeout": leave_s}
    _, made = await asyncio.get_running_loop().create_connection(protocol, sock=line, **secure)
    return made


def carried_bytes(line: socket.socket) -> int:
    """What TCP has carried over a connection both ways, with everything below TLS that a metered line counts.

    Bytes and packets as the kernel counts them (`struct tcp_info`, linux/tcp.h), also those that were sent again;
    IP's and TCP's headers with timestamps. 0 where the kernel does not say.
    """
    try:
        info = line.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
    except (AttributeError, OSError):  # not Linux; closed
        return 0
    if len(info) < _TCP_INFO_BYTES:
        return 0
    (received,) = struct.unpack_from("=Q", info, 128)
    packets = sum(struct.unpack_from("=II", info, 136))
    (sent,) = struct.unpack_from("=Q", info, 200)
    headers = _HEADERS_6_BYTES if line.family == socket.AF_INET6 else _HEADERS_4_BYTES
    return int(sent + received + packets * headers)


async def _tcp(address: tuple[int, Any]) -> socket.socket:
    family, where = address
    line = socket.socket(family, socket.SOCK_STREAM)
    try:
        line.setblocking(False)
        for option in _SOCKET_OPTIONS:
            line.setsockopt(*option)
        await asyncio.get_running_loop().sock_connect(line, where)
    except BaseException:
        line.close()
        raise
    return line


async def _addresses(host: str, port: int) -> list[tuple[int, Any]]:
    """Family and address of each way to a host. In a thread of its own that nobody waits for when it is not needed.

    A resolver whose server is away takes half a minute, and a loop that ends waits for the threads of its executor.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[list[tuple[int, Any]]] = loop.create_future()

    def settle(found: list[tuple[int, Any]] | OSError) -> None:
        if answer.done():
            return
        if isinstance(found, OSError):
            answer.set_exception(found)
        else:
            answer.set_result(found)

    def ask() -> None:
        found: list[tuple[int, Any]] | OSError
        try:
            found = [(entry[0], entry[4]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
        except (OSError, UnicodeError) as error:
            found = error if isinstance(error, OSError) else OSError(str(error))
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(settle, found)

    threading.Thread(target=ask, name="resolver", daemon=True).start()
    return await answer
