"""The gateway's web site: its rooms put together, and what stands before all of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from importlib.metadata import version
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Middleware

from gateway.access.access import Access
from gateway.access.gate import Door, Gate
from gateway.access.program_keys import ProgramKeys
from gateway.api.interface import add_interface
from gateway.api.problems import problems
from gateway.config import Parts
from gateway.figures import Figures
from gateway.garbage import BetweenRequests
from gateway.store.archived import InArchiveError
from gateway.store.store import Store
from gateway.web.changes import Changes
from gateway.web.figure_rooms import add_figure_rooms
from gateway.web.office_rooms import add_office_rooms
from gateway.web.pages.health import add_health
from gateway.web.pages.keys import add_keys
from gateway.web.people_rooms import add_people_rooms
from gateway.web.rooms import Room, Rooms, Status
from sync.errors import StoreTrouble
from ui.language import translator
from ui.pages import Handler, language_of, page_application, render
from ui.strangers import SAFE_METHODS

_HERE = Path(__file__).parent
OPEN_DOOR = Door()
"""Whoever reaches the pages may everything, under the names of this machine alone."""


def make_site(
    store: Store,
    changes: Changes,
    status: Callable[[], Status],
    *,
    figures: Figures | None = None,
    between: BetweenRequests | None = None,
    metrics_token: str | None = None,
    parts: Parts = Parts.ALL,
    access: Access | None = None,
    door: Door = OPEN_DOOR,
) -> web.Application:
    """The web application of a gateway, or of that part of one."""
    return make_rooms(
        store,
        changes,
        status,
        figures=figures,
        between=between,
        metrics_token=metrics_token,
        parts=parts,
        access=access,
        door=door,
    ).app


def make_rooms(
    store: Store,
    changes: Changes,
    status: Callable[[], Status],
    *,
    figures: Figures | None = None,
    between: BetweenRequests | None = None,
    metrics_token: str | None = None,
    parts: Parts = Parts.ALL,
    access: Access | None = None,
    door: Door = OPEN_DOOR,
) -> Rooms:
    """The rooms of a gateway, each with its deed; `.app` is the web application."""
    app = page_application(_HERE / "templates", static=_HERE / "static")
    access = access or Access(store)
    rooms = Rooms(app, store, changes, status, figures or Figures(version=version("classbox")), access)
    keys = ProgramKeys(store, now_ms=access.now_ms)
    gate = Gate(access, rooms, door, others=[keys.person])
    app.middlewares[:0] = [_let_collect(rooms, between or BetweenRequests()), _counted(rooms)]
    app.middlewares.append(_in_words)
    app.middlewares.append(problems())
    app.middlewares.append(gate.middleware())
    rooms.files("/static", _HERE / "static")
    add_health(rooms, metrics_token=metrics_token)
    if Parts.PAGES in parts:
        add_people_rooms(rooms)
        add_figure_rooms(rooms)
        add_office_rooms(rooms)
        add_keys(rooms, keys)
        add_interface(rooms)

    async def let_go(_app: web.Application) -> None:
        """End the streams, so that stopping does not wait for open pages."""
        changes.close()

    app.on_shutdown.append(let_go)
    app.cleanup_ctx.append(_beside(access.audit.run, gate.watch))
    return rooms


def _beside(*jobs: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[web.Application], AsyncIterator[None]]:
    """Runs jobs as long as the application answers."""

    async def running(_app: web.Application) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(job()) for job in jobs]
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    return running


def _waited_for(rooms: Rooms, request: web.Request) -> Room | None:
    """The room of a request whose answer somebody waits for: a live page's stream is none."""
    room = rooms.room_of(request)
    return None if room is not None and room.path.endswith("/live") else room


def _let_collect(rooms: Rooms, between: BetweenRequests) -> Middleware:
    @web.middleware
    async def let_collect(request: web.Request, handler: Handler) -> web.StreamResponse:
        """The collector of cycles looks when nobody waits."""
        if _waited_for(rooms, request) is None:
            return await handler(request)
        with between.answering():
            return await handler(request)

    return let_collect


def _counted(rooms: Rooms) -> Middleware:
    @web.middleware
    async def counted(request: web.Request, handler: Handler) -> web.StreamResponse:
        """What answers cost, by page."""
        began_s = time.perf_counter()
        status = 500
        room = _waited_for(rooms, request)
        try:
            response = await handler(request)
        except web.HTTPException as raised:
            status = raised.status
            raise
        else:
            status = response.status
            return response
        finally:
            if room is not None:
                rooms.figures.answered(room.path, status, time.perf_counter() - began_s)

    return counted


@web.middleware
async def _in_words(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Say what keeps a page from being shown: the database is away, or the sheets lie in an archive."""
    try:
        return await handler(request)
    except (StoreTrouble, InArchiveError) as error:
        _ = translator(language_of(request)).gettext
        message, remedy = error.said(_)
        if isinstance(error, InArchiveError):
            return render(request, "problem.html", status=410, message=message, remedy=remedy)
        if request.method in SAFE_METHODS:  # what was typed into a form is another matter
            # Whoever looks at a report can do nothing about it, and must not think that the sheets are gone.
            trouble, message = f"{message} {remedy}", _("The pages cannot be shown just now. Nothing is lost.")
            remedy = _("Try again in a minute. If it goes on, tell the technician: {trouble}").format(trouble=trouble)
        return render(request, "problem.html", status=503, message=message, remedy=remedy)
