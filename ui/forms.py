"""Forms, bounded in time: whoever sends one byte after another holds nothing open for hours. Small ones from anybody
are bounded in size too, before a byte of them is believed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar
from urllib.parse import parse_qsl

from aiohttp import web

from ui.sent import Post

MOST_BYTES = 8192
PATIENCE_S = 10.0
LONG_PATIENCE_S = 60.0
"""Of a form of a page: a class list, the answers of a review."""
SLOWEST_BYTES_A_S = 16 * 1024
"""Of files: who is slower than this after the first minute is let go of."""
LONGEST_S = 1800.0
"""Whatever comes: a class's pictures, both sides, over a weak wireless network."""
_MOST_FIELDS = 20

T = TypeVar("T")


class TooLargeError(web.HTTPRequestEntityTooLarge):
    """More was sent than is taken; `most_bytes` is told to whoever sent it."""

    def __init__(self, most_bytes: int, actual_bytes: int) -> None:
        super().__init__(max_size=most_bytes, actual_size=actual_bytes)
        self.most_bytes = most_bytes


def most_of(request: web.Request, error: object) -> str:
    """How much would have been taken where that was too much: 8 kB, 32 MB. aiohttp's own limit is the request's."""
    most_bytes = error.most_bytes if isinstance(error, TooLargeError) else request.client_max_size
    return f"{most_bytes // 1024**2} MB" if most_bytes >= 1024**2 else f"{most_bytes // 1024} kB"


class Patience:
    """How long a body may keep us waiting: `first_s`, and more for what has come of it, up to `LONGEST_S`.

    Only what is awaited through `wait` counts: what we do ourselves with a piece is not the sender's fault.
    """

    def __init__(self, first_s: float) -> None:
        self._first_s, self._waited_s, self._came_bytes = first_s, 0.0, 0

    async def wait(self, coming: Awaitable[T]) -> T:
        """The next piece. Raises `HTTPRequestTimeout` when all of it has taken too long."""
        allowed_s = min(self._first_s + self._came_bytes / SLOWEST_BYTES_A_S, LONGEST_S)
        clock = asyncio.get_running_loop().time
        began_s = clock()
        try:
            async with asyncio.timeout(allowed_s - self._waited_s):
                return await coming
        except TimeoutError as error:
            raise web.HTTPRequestTimeout from error
        finally:
            self._waited_s += clock() - began_s

    def came(self, size_bytes: int) -> None:
        """So much of a file has come: the rest may take longer. What is no file gives no time."""
        self._came_bytes += size_bytes


async def sent_form(request: web.Request, *, patience_s: float | None = None) -> Post:
    """A form with files, or of text of any length, as `aiohttp` reads it. Raises `HTTPRequestTimeout`.

    `patience_s` is how long it may take to arrive, `LONG_PATIENCE_S` where that is None.
    """
    return await Patience(LONG_PATIENCE_S if patience_s is None else patience_s).wait(request.post())


async def small_form(request: web.Request) -> dict[str, str]:
    """The fields of a form of text, the first of each name. Raises `HTTPRequestEntityTooLarge`, `HTTPBadRequest`."""
    if request.content_type != "application/x-www-form-urlencoded":
        raise web.HTTPBadRequest
    if (request.content_length or 0) > MOST_BYTES:
        raise TooLargeError(MOST_BYTES, request.content_length or 0)
    body, patience = b"", Patience(PATIENCE_S)
    while piece := await patience.wait(request.content.read(MOST_BYTES)):
        body += piece
        if len(body) > MOST_BYTES:
            raise TooLargeError(MOST_BYTES, len(body))
    try:
        fields = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS, strict_parsing=False)
    except ValueError as error:
        raise web.HTTPBadRequest from error
    return dict(reversed(fields))
