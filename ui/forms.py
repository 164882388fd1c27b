"""Forms, bounded in time: whoever sends one byte after another holds nothing open for hours. Small ones from anybody
are bounded in size too, before a byte of them is believed.
"""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qsl

from aiohttp import web

from ui.sent import Post

MOST_BYTES = 8192
PATIENCE_S = 10.0
LONG_PATIENCE_S = 60.0
"""Of a form of a page: a class list, the answers of a review."""
_MOST_FIELDS = 20


class TooLargeError(web.HTTPRequestEntityTooLarge):
    """More was sent than is taken; `most_bytes` is told to whoever sent it."""

    def __init__(self, most_bytes: int, actual_bytes: int) -> None:
        super().__init__(max_size=most_bytes, actual_size=actual_bytes)
        self.most_bytes = most_bytes


def most_of(request: web.Request, error: object) -> str:
    """How much would have been taken where that was too much: 8 kB, 32 MB. aiohttp's own limit is the request's."""
    most_bytes = error.most_bytes if isinstance(error, TooLargeError) else request.client_max_size
    return f"{most_bytes // 1024**2} MB" if most_bytes >= 1024**2 else f"{most_bytes // 1024} kB"


async def sent_form(request: web.Request, *, patience_s: float | None = None) -> Post:
    """A form with files, or of text of any length, as `aiohttp` reads it. Raises `HTTPRequestTimeout`.

    `patience_s` is how long it may take to arrive, `LONG_PATIENCE_S` where that is None.
    """
    try:
        async with asyncio.timeout(LONG_PATIENCE_S if patience_s is None else patience_s):
            return await request.post()
    except TimeoutError as error:
        raise web.HTTPRequestTimeout from error


async def small_form(request: web.Request) -> dict[str, str]:
    """The fields of a form of text, the first of each name. Raises `HTTPRequestEntityTooLarge`, `HTTPBadRequest`."""
    if request.content_type != "application/x-www-form-urlencoded":
        raise web.HTTPBadRequest
    if (request.content_length or 0) > MOST_BYTES:
        raise TooLargeError(MOST_BYTES, request.content_length or 0)
    body = b""
    try:
        async with asyncio.timeout(PATIENCE_S):
            while piece := await request.content.read(MOST_BYTES):
                body += piece
                if len(body) > MOST_BYTES:
                    raise TooLargeError(MOST_BYTES, len(body))
    except TimeoutError as error:
        raise web.HTTPRequestTimeout from error
    try:
        fields = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS, strict_parsing=False)
    except ValueError as error:
        raise web.HTTPBadRequest from error
    return dict(reversed(fields))
