"""The gateway's web site: its rooms put together, and what stands before all of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Middleware

from gateway.config import LOOPBACK, Parts
from gateway.figures import Figures
from gateway.store.store import Store
from gateway.web.changes import Changes
from gateway.web.figure_rooms import add_figure_rooms
from gateway.web.office_rooms import add_office_rooms
from gateway.web.pages.health import add_health
from gateway.web.rooms import Rooms, Status
from sync.errors import StoreTrouble
from ui.language import translator
from ui.pages import Handler, language_of, page_application

_HERE = Path(__file__).parent


def make_site(
    store: Store,
    changes: Changes,
    status: Callable[[], Status],
    *,
    figures: Figures | None = None,
    metrics_token: str | None = None,
    parts: Parts = Parts.ALL,
) -> web.Application:
    """The web application of a gateway, or of that part of one."""
    return make_rooms(store, changes, status, figures=figures, metrics_token=metrics_token, parts=parts).app


def make_rooms(
    store: Store,
    changes: Changes,
    status: Callable[[], Status],
    *,
    figures: Figures | None = None,
    metrics_token: str | None = None,
    parts: Parts = Parts.ALL,
) -> Rooms:
    """The rooms of a gateway, each with its deed; `.app` is the web application."""
    app = page_application(_HERE / "templates")
    rooms = Rooms(app, store, changes, status, figures or Figures(version=version("classbox")))
    app.middlewares.insert(0, _counted(rooms))
    app.middlewares.append(_for_this_machine_only)
    app.middlewares.append(_only_rooms(rooms))
    app.middlewares.append(_with_a_store)
    rooms.files("/static", _HERE / "static")
    add_health(rooms, metrics_token=metrics_token)
    if Parts.PAGES in parts:
        add_figure_rooms(rooms)
        add_office_rooms(rooms)

    async def let_go(_app: web.Application) -> None:
        """End the streams, so that stopping does not wait for open pages."""
        changes.close()

    app.on_shutdown.append(let_go)
    return rooms


def _counted(rooms: Rooms) -> Middleware:
    @web.middleware
    async def counted(request: web.Request, handler: Handler) -> web.StreamResponse:
        """What answers cost, by page. A live page's stream is no answer that anybody waits for."""
        began_s = time.perf_counter()
        status = 500
        try:
            response = await handler(request)
        except web.HTTPException as raised:
            status = raised.status
            raise
        else:
            status = response.status
            return response
        finally:
            room = rooms.room_of(request)
            if room is not None and not room.path.endswith("/live"):
                rooms.figures.answered(room.path, status, time.perf_counter() - began_s)

    return counted


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
