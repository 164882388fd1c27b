"""The live page, its events, and the choice of the class of this stack."""

from __future__ import annotations

import asyncio

import msgspec
from aiohttp import ClientConnectionResetError, web
from aiohttp_sse import sse_response

from edge.web.desk import SITE, page_values, refuse_strangers
from edge.worker import CLASS_SETTING
from homework.errors import UsageError
from ui.pages import SECURITY_HEADERS, render

_PARTS = ("title", "badge", "sheet", "side")
"""The live page's pieces that change, each a template of its own: sent whole, so that nothing can be missed."""


def add_live_page(app: web.Application) -> None:
    """Add the live page."""
    app.router.add_get("/", _live)
    app.router.add_get("/events", _events)
    app.router.add_post("/class", _choose_class)


async def _live(request: web.Request) -> web.Response:
    return render(request, "live.html", **await page_values(request), event_id=request.config_dict[SITE].bus.event_id())


async def _events(request: web.Request) -> web.StreamResponse:
    """The newest state whenever it changes. A page that slept gets the state that it missed, without sounds."""
    bus = request.config_dict[SITE].bus
    known = bus.number_of(request.headers.get("Last-Event-ID") or request.query.get("after", ""))
    heard = bus.number if known is None else known
    number = -1 if known is None else known
    async with sse_response(request, headers=SECURITY_HEADERS) as response:
        while response.is_connected() and not request.config_dict[SITE].ending():
            await bus.after(number)
            number = bus.number
            event_id = bus.event_id()
            values = await page_values(request)
            tone = bus.last.tone if bus.last is not None and bus.last.number > heard else None
            heard = number
            parts = {name: render(request, f"_{name}.html", **values).text for name in _PARTS}
            message = msgspec.json.encode({"parts": parts, "tone": tone}).decode()
            try:
                await response.send(message, id=event_id, event="state")
            except ClientConnectionResetError:
                break  # the page was closed
    return response


async def _choose_class(request: web.Request) -> web.StreamResponse:
    refuse_strangers(request)
    site = request.config_dict[SITE]
    wanted = str((await request.post()).get("class", ""))
    if wanted not in site.documents.roster().classes():
        raise UsageError("This class is not loaded.", remedy="Choose one of the list.")
    await asyncio.to_thread(site.documents.put_setting, CLASS_SETTING, wanted)
    site.bus.publish()
    raise web.HTTPSeeOther("/")
