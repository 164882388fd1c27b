"""The gate before every page of the box: what is not named here is closed to whoever is not signed in.

It decides by the route that the request was led to, not by its address, so that no way of writing an address goes
round it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from urllib.parse import quote

from aiohttp import web
from aiohttp.typedefs import Middleware
from aiohttp.web_urldispatcher import AbstractResource

from edge.access.request_keys import PERSON
from edge.access.rooms import ROOMS
from ui.limits import Allowance
from ui.pages import SIGNED, Handler
from ui.sessions import SessionStore, Signed, read_cookie
from ui.strangers import SAFE_METHODS, is_our_name, refuse_strangers

OPEN_ROUTES = frozenset(
    {
        "/hello",
        "/login",
        "/login/first",
        "/in/{token}",
        "/health",
        "/metrics",  # guards itself
        "/ui/{name}",
        "/static/{name}",
    }
)
"""Routes that say nothing of any pupil. Each new page is closed until it stands here."""
_SCREEN_ROUTES = frozenset({"/", "/events", "/state"})
TEACHER_ROUTES = ("/people", "/technician", "/classes", "/settings", "/start")
"""Where a substitute has no business: who may come in, class lists, the school's lines, loading over what is there."""
_SENDINGS = "/upload"
_MOST_SCREENS = 24
"""Streams that may be open without a session: the classroom screens of a school's corridor, not a flood."""
_LOOK_EVERY_S = 15.0


@dataclass(eq=False)
class Gate:
    """Middleware. `sessions` is None on a box that is open: then only its own names and forms are looked at."""

    sessions: SessionStore | None
    still_signed: Callable[[bytes], Signed | None] = lambda _session: None
    names: Callable[[], Collection[str]] = frozenset
    rooms: Callable[[], Collection[str]] = frozenset
    any_address: bool = True
    _streams: dict[bytes, set[asyncio.Transport]] = field(default_factory=dict)
    _screens: int = 0
    _sendings: Allowance = field(default_factory=lambda: Allowance(most=30, every_s=20.0))

    def middleware(self) -> Middleware:
        """What goes into `app.middlewares`, inside the one that adds the security headers."""

        @web.middleware
        async def gate(request: web.Request, handler: Handler) -> web.StreamResponse:
            if not is_our_name(request.headers.get("Host", ""), self.names(), any_address=self.any_address):
                raise web.HTTPMisdirectedRequest
            if request.method not in SAFE_METHODS:
                refuse_strangers(request)
            return await self._pass(request, handler) if self.sessions is not None else await handler(request)

        return gate

    async def _pass(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        assert self.sessions is not None
        token = read_cookie(request)
        signed = self.sessions.signed(token) if token is not None else None
        route = _route(request)
        if signed is not None:
            request[SIGNED], request[PERSON] = signed, signed.name
            if signed.role != "teacher" and route.startswith(TEACHER_ROUTES):
                raise web.HTTPForbidden
            if route == _SENDINGS and request.method == "POST":
                self._take_sending(signed)
            return await self._held(signed, request, handler)
        if route in OPEN_ROUTES or _room(route) in self.rooms():
            return await handler(request)
        if route in _SCREEN_ROUTES and request.method in ("GET", "HEAD") and _is_class_screen(request):
            return await self._screen(request, handler)
        if route == "/events" and request.method == "GET":
            return _told_to_sign_in()
        if request.method in ("GET", "HEAD") and _is_page_visit(request):
            raise web.HTTPSeeOther(f"/login?next={_quoted(request)}")
        raise web.HTTPForbidden

    # --- streams end with the session that opened them ---------------------------------------------------------

    async def _held(self, signed: Signed, request: web.Request, handler: Handler) -> web.StreamResponse:
        transport = request.transport
        if transport is None:
            return await handler(request)
        held = self._streams.setdefault(signed.session, set())
        held.add(transport)
        try:
            return await handler(request)
        finally:
            held.discard(transport)
            if not held:
                self._streams.pop(signed.session, None)

    async def watch(self) -> None:
        """Close, every quarter of a minute, what is still open of sessions that have ended."""
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            self.sweep()

    def sweep(self, *, but: asyncio.Transport | None = None) -> None:
        """Close what is open of sessions that have ended, except `but`: the answer that is just being given."""
        for session, transports in list(self._streams.items()):
            if self.still_signed(session) is None:
                for transport in transports - {but}:
                    transport.abort()

    async def _screen(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if self._screens >= _MOST_SCREENS:
            raise web.HTTPServiceUnavailable
        self._screens += 1
        try:
            return await handler(request)
        finally:
            self._screens -= 1

    def _take_sending(self, signed: Signed) -> None:
        key = signed.session.hex()
        if self._sendings.wait_s(key) > 0:
            raise web.HTTPTooManyRequests
        self._sendings.charge(key)


def _route(request: web.Request) -> str:
    """The pattern of the route; "" where there is none."""
    resource: AbstractResource | None = request.match_info.route.resource
    return resource.canonical if resource is not None else ""


def _room(route: str) -> str | None:
    return next((room for room, place in ROOMS.items() if route == place or route.startswith(place + "/")), None)


def _is_class_screen(request: web.Request) -> bool:
    """Exactly what the pages take for it: `?screen=class`, once."""
    return request.query.getall("screen", []) == ["class"]


def _is_page_visit(request: web.Request) -> bool:
    """Whether a person opens a page, who is best led to the sign-in."""
    mode = request.headers.get("Sec-Fetch-Mode")
    return mode == "navigate" if mode is not None else "text/html" in request.headers.get("Accept", "")


def _quoted(request: web.Request) -> str:
    return quote(request.rel_url.raw_path_qs, safe="/")


def _told_to_sign_in() -> web.Response:
    """For a page whose session has ended: its script loads it anew, and that leads to the sign-in."""
    return web.Response(
        text="event: signin\ndata: \n\n", content_type="text/event-stream", headers={"Cache-Control": "no-store"}
    )
