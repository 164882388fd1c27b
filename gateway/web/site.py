"""The gateway's web site: its rooms put together, and what stands before all of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Middleware

from gateway.config import LOOPBACK
from gateway.store.store import Store
from gateway.web.changes import Changes
from gateway.web.pages.health import add_health
from gateway.web.pages.reports import add_reports
from gateway.web.pages.start import add_start
from gateway.web.rooms import Rooms, Status
from sync.errors import StoreTrouble
from ui.language import translator
from ui.pages import Handler, language_of, page_application

_HERE = Path(__file__).parent


def make_site(store: Store, changes: Changes, status: Callable[[], Status]) -> web.Application:
    """The web application of a gateway."""
    return make_rooms(store, changes, status).app


def make_rooms(store: Store, changes: Changes, status: Callable[[], Status]) -> Rooms:
    """The rooms of a gateway, each with its deed; `.app` is the web application."""
    app = page_application(_HERE / "templates")
    rooms = Rooms(app, store, changes, status)
    app.middlewares.append(_for_this_machine_only)
    app.middlewares.append(_only_rooms(rooms))
    app.middlewares.append(_with_a_store)
    rooms.files("/static", _HERE / "static")
    add_start(rooms)
    add_reports(rooms)
    add_health(rooms)

    async def let_go(_app: web.Application) -> None:
        """End the streams, so that stopping does not wait for open pages."""
        changes.close()

    app.on_shutdown.append(let_go)
    return rooms


def _only_rooms(rooms: Rooms) -> Middleware:
    @web.middleware
    async def only_rooms(request: web.Request, handler: Handler) -> web.StreamResponse:
        """A route that names no deed is closed. What leads nowhere at all has its own answer (404, 405)."""
        resource = request.match_info.route.resource
        if resource is not None and rooms.room_of(request) is None and not rooms.is_open_file(request):
            raise web.HTTPForbidden
        return await handler(request)

    return only_rooms


@web.middleware
async def _with_a_store(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Say in words what keeps a page from being shown when the database is away."""
    try:
        return await handler(request)
    except StoreTrouble as trouble:
        text = "\n".join(trouble.said(translator(language_of(request)).gettext))
        raise web.HTTPServiceUnavailable(text=text) from trouble


@web.middleware
async def _for_this_machine_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse requests under a foreign name: a website could point its own name here (DNS rebinding) and read."""
    if request.url.host not in LOOPBACK:
        raise web.HTTPMisdirectedRequest
    return await handler(request)
