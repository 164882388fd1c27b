"""How the gateway is, for machines: `/health` (does it work), `/ready` (send it visitors), `/metrics` (figures)."""

from __future__ import annotations

import asyncio
import hmac
import ipaddress

from aiohttp import web

from gateway.access.deeds import Deed
from gateway.clock import unix_ms
from gateway.figures import CONTENT_TYPE
from gateway.store.schools import school_ids
from gateway.store.stock import stock
from gateway.web.rooms import Rooms, Status
from sync.errors import StoreTrouble

_PATIENCE_S = 5.0
"""How long the database may take to answer before it counts as away. Load balancers wait about as long."""


def add_health(rooms: Rooms, *, metrics_token: str | None = None) -> None:
    """Open to everybody, for they name nobody; `/metrics` guards itself."""
    health = _Health(rooms, metrics_token)
    rooms.page("GET", "/health", health.health, deed=Deed.OPEN)
    rooms.page("GET", "/ready", health.ready, deed=Deed.OPEN)
    rooms.page("GET", "/metrics", health.metrics, deed=Deed.OPEN)


class _Health:
    def __init__(self, rooms: Rooms, metrics_token: str | None) -> None:
        self._rooms = rooms
        self._token = metrics_token

    async def health(self, _request: web.Request) -> web.Response:
        """200 while the store answers, else 503 with what to do; whether the broker is there stands inside."""
        status = self._rooms.status()
        try:
            async with asyncio.timeout(_PATIENCE_S), self._rooms.store.reading() as connection:
                schools = len(await school_ids(connection))
        except (StoreTrouble, TimeoutError) as trouble:
            return web.json_response({"ok": False, "store": _named(trouble), **_said(status)}, status=503)
        return web.json_response({"ok": True, "schools": schools, **_said(status)})

    async def ready(self, _request: web.Request) -> web.Response:
        """200 while visitors can be sent here; 503 when it is ending, or while the database does not answer.

        A broker that is away does not count: pages are shown without it.
        """
        status = self._rooms.status()
        if status.ending:
            return web.json_response({"ready": False, "why": "it is ending"}, status=503)
        try:
            async with asyncio.timeout(_PATIENCE_S), self._rooms.store.reading() as connection:
                await school_ids(connection)
        except (StoreTrouble, TimeoutError) as trouble:
            return web.json_response({"ready": False, "why": _named(trouble)}, status=503)
        return web.json_response({"ready": True})

    async def metrics(self, request: web.Request) -> web.Response:
        """For this machine, and for whoever has the token of the configuration."""
        if not (_is_this_machine(request) or self._has_token(request)):
            raise web.HTTPForbidden
        status = self._rooms.status()
        try:
            async with asyncio.timeout(_PATIENCE_S), self._rooms.store.reading() as connection:
                counted = await stock(connection, now_ms=unix_ms())
        except (StoreTrouble, TimeoutError):
            counted = None
        self._rooms.figures.store(up=counted is not None)
        gauges = {
            "broker_connected": float(status.broker_connected),
            "broker_shares": float(status.broker_shares),
            "listens": float(status.listens),
            "ending": float(status.ending),
        }
        text = self._rooms.figures.text(status.counts, gauges, stock=counted)
        return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE})

    def _has_token(self, request: web.Request) -> bool:
        said = request.headers.get("Authorization", "").encode("utf-8", "replace")
        return bool(self._token) and hmac.compare_digest(said, f"Bearer {self._token}".encode())


def _is_this_machine(request: web.Request) -> bool:
    """Whether the request came from this machine itself, and not through a proxy that stands on it."""
    if "Forwarded" in request.headers or "X-Forwarded-For" in request.headers:
        return False
    try:
        return ipaddress.ip_address(request.remote or "").is_loopback
    except ValueError:
        return False


def _named(trouble: Exception) -> str:
    return str(trouble) or "the database did not answer in time"


def _said(status: Status) -> dict[str, object]:
    return {
        "broker": status.broker_connected,
        "shares": status.broker_shares,
        "listens": status.listens,
        "counts": status.counts,
    }
