"""`/health`: whether the gateway can do its work, for monitoring."""

from __future__ import annotations

from aiohttp import web

from gateway.access.deeds import Deed
from gateway.store.schools import school_ids
from gateway.web.rooms import Rooms, Status
from sync.errors import StoreTrouble


def add_health(rooms: Rooms) -> None:
    """`/health`, open to everybody: it names nobody."""

    async def health(_request: web.Request) -> web.Response:
        """200 while the store answers, else 503 with what to do; whether the broker is there stands inside."""
        status = rooms.status()
        try:
            async with rooms.store.reading() as connection:
                schools = len(await school_ids(connection))
        except StoreTrouble as trouble:
            return web.json_response({"ok": False, "store": str(trouble), **_said(status)}, status=503)
        return web.json_response({"ok": True, "schools": schools, **_said(status)})

    rooms.page("GET", "/health", health, deed=Deed.OPEN)


def _said(status: Status) -> dict[str, object]:
    return {
        "broker": status.broker_connected,
        "shares": status.broker_shares,
        "listens": status.listens,
        "counts": status.counts,
    }
