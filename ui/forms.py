"""Small forms from anybody: bounded in size and time before a byte of them is believed."""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qsl

from aiohttp import web

MOST_BYTES = 8192
PATIENCE_S = 10.0
_MOST_FIELDS = 20


async def small_form(request: web.Request) -> dict[str, str]:
    """The fields of a form of text, the first of each name. Raises `HTTPRequestEntityTooLarge`, `HTTPBadRequest`."""
    if request.content_type != "application/x-www-form-urlencoded":
        raise web.HTTPBadRequest
    if (request.content_length or 0) > MOST_BYTES:
        raise web.HTTPRequestEntityTooLarge(max_size=MOST_BYTES, actual_size=request.content_length or 0)
    body = b""
    try:
        async with asyncio.timeout(PATIENCE_S):
            while piece := await request.content.read(MOST_BYTES):
                body += piece
                if len(body) > MOST_BYTES:
                    raise web.HTTPRequestEntityTooLarge(max_size=MOST_BYTES, actual_size=len(body))
    except TimeoutError as error:
        raise web.HTTPRequestTimeout from error
    try:
        fields = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS, strict_parsing=False)
    except ValueError as error:
        raise web.HTTPBadRequest from error
    return dict(reversed(fields))
