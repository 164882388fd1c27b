"""What the interface can do: each operation is a room of the site, and says of itself what its description needs."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, TypeVar

import msgspec
from aiohttp import web
from multidict import MultiMapping

from gateway.access.deeds import Deed
from gateway.api.problems import NotAcceptedError
from gateway.api.refusals import refusal
from gateway.web.rooms import Rooms, ThingOf, thing_of_address
from ui.forms import TooLargeError
from ui.pages import packed

Q = TypeVar("Q", bound=msgspec.Struct)
ROOT: Final = "/api/1"
JSON: Final = "application/json"
PATIENCE_S: Final = 60.0
"""How long a body may take to arrive."""
Answers = Callable[[web.Request], Awaitable[msgspec.Struct | web.StreamResponse]]


class Body(NamedTuple):
    """What a request or an answer carries: media types, and for JSON its struct."""

    media: tuple[str, ...]
    kind: type[msgspec.Struct] | None = None


class Operation(NamedTuple):
    """One thing that the interface can do."""

    name: str
    summary: str
    query: type[msgspec.Struct] | None
    takes: Body | None
    gives: Body | None
    status: int
    conditional: bool
    """Whether its answer carries an ETag."""


@dataclass
class Api:
    """Registers operations with the site's rooms. `operations` are found by method and path as aiohttp writes it."""

    rooms: Rooms
    operations: dict[tuple[str, str], Operation] = field(default_factory=dict)

    def add(
        self,
        method: str,
        path: str,
        answers: Answers,
        *,
        name: str,
        summary: str,
        deed: Deed,
        thing: ThingOf = thing_of_address,
        query: type[msgspec.Struct] | None = None,
        takes: Body | None = None,
        gives: Body | type[msgspec.Struct] | None = None,
        status: int = 200,
    ) -> None:
        """Register an operation under `/api/1`; a struct that `answers` gives is sent as JSON.

        A GET's JSON carries an ETag, which is asked for again at no cost of the line (`If-None-Match`).
        """

        async def handler(request: web.Request) -> web.StreamResponse:
            answer = await answers(request)
            return answer if isinstance(answer, web.StreamResponse) else json_answer(request, answer, status=status)

        body = Body((JSON,), gives) if isinstance(gives, type) else gives
        conditional = method == "GET" and body is not None and body.media == (JSON,)
        self.rooms.page(method, ROOT + path, handler, deed=deed, thing=thing)
        operation = Operation(name, summary, query, takes, body, status, conditional)
        self.operations[method, self.rooms.rooms[-1].path] = operation


def asked(request: web.Request, kind: type[Q]) -> Q:
    """The parameters of a request's address. Raises `NotAcceptedError`, also for one that is misspelt."""
    return _converted(_single(request.query), kind)


async def sent_json(request: web.Request, kind: type[Q], *, most_bytes: int = 64 * 1024) -> Q:
    """A request's JSON. Raises `NotAcceptedError`, `HTTPRequestEntityTooLarge`."""
    if request.content_type != JSON:
        raise web.HTTPUnsupportedMediaType
    body = await sent_bytes(request, most_bytes=most_bytes)
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise refusal(error) from error


async def sent_bytes(request: web.Request, *, most_bytes: int) -> bytes:
    """A request's body. Raises `HTTPRequestEntityTooLarge` before more of it is read, `HTTPRequestTimeout`."""
    if (request.content_length or 0) > most_bytes:
        raise TooLargeError(most_bytes, request.content_length or 0)
    body = bytearray()
    try:
        async with asyncio.timeout(PATIENCE_S):
            async for piece in request.content.iter_chunked(64 * 1024):
                body += piece
                if len(body) > most_bytes:
                    raise TooLargeError(most_bytes, len(body))
    except TimeoutError as error:
        raise web.HTTPRequestTimeout from error
    return bytes(body)


def json_answer(
    request: web.Request, value: msgspec.Struct | Mapping[str, Any], *, status: int = 200, tag: str | None = None
) -> web.Response:
    """A value as JSON; `tag` is its ETag where one is known without the body. With `next` also a Link to that part."""
    body = msgspec.json.encode(value)
    if status != 200 or request.method not in ("GET", "HEAD"):
        return web.Response(body=body, status=status, content_type=JSON)
    headers = conditional_headers(tag or hashlib.blake2b(body, digest_size=16).hexdigest())
    if is_known(request, tag := headers["ETag"]):
        return web.Response(status=304, headers=headers)
    following = getattr(value, "next", None)
    if following is not None:
        headers["Link"] = f'<{request.rel_url.update_query(after=following)}>; rel="next"'
    body, packing = packed(request, body)
    return web.Response(body=body, content_type=JSON, headers=headers | packing)


def conditional_headers(tag: str) -> dict[str, str]:
    """Headers of an answer that may be kept by whoever asked, and must be asked about each time.

    The tag is weak: the same answer may come compressed or not. It is made of versions or of a digest, never of words.
    """
    return {
        "ETag": f'W/"{tag}"',
        "Cache-Control": "private, no-cache",
        "Vary": "Authorization, Cookie, Accept-Language",
    }


def is_known(request: web.Request, tag: str) -> bool:
    """Whether whoever asks has the answer of this ETag already (RFC 9110, 13.1.2: weak comparison)."""
    known = request.if_none_match
    return known is not None and any(one.value in ("*", tag[3:-1]) for one in known)


def _single(query: MultiMapping[str]) -> dict[str, str]:
    """Parameters by name. Raises `NotAcceptedError` for one that is there twice: nobody could say which counts."""
    found: dict[str, str] = {}
    for name, value in query.items():
        if name == "language":  # of every page: in which errors are told
            continue
        if name in found:
            raise NotAcceptedError("“{name}” is there twice.", remedy="Send each parameter once.", name=name)
        found[name] = value
    return found


def _converted(values: dict[str, str], kind: type[Q]) -> Q:
    try:
        found = msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as error:
        raise refusal(error) from error
    for value in values.values():
        if not value.isprintable():
            raise NotAcceptedError(
                "A parameter holds what no text holds.", remedy="Compare it with /api/1/openapi.json."
            )
    return found
