"""The live page, its events, and the choice of the class of this stack."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import msgspec
from aiohttp import ClientConnectionResetError, web
from aiohttp_sse import sse_response

from edge.tones import NOTES_HZ, Tone
from edge.web.bus import Bus
from edge.web.desk import SITE, page_values, refuse_strangers
from edge.worker import CLASS_SETTING
from homework.errors import UsageError
from ui.forms import sent_form
from ui.pages import SECURITY_HEADERS, language_of, page_text, render

_PARTS = ("title", "badge", "said", "sheet", "side")
"""The live page's pieces that change, each a template of its own: sent whole, so that nothing can be missed."""

_BEAT_S = 5.0
_NOTES = msgspec.json.encode({tone.value: notes for tone, notes in NOTES_HZ.items()}).decode()


class SharedParts:
    """The page's pieces at the newest event, rendered once for all clients of a language and a screen."""

    def __init__(self) -> None:
        self._event: str | None = None
        self._made: dict[tuple[str, bool], asyncio.Task[dict[str, str]]] = {}

    async def at(self, event_id: str, request: web.Request) -> dict[str, str]:
        """The pieces as they are at that event or later. `request` is any client's."""
        if event_id != self._event:
            self._event = event_id
            self._made = {}
        key = (language_of(request), request.query.get("screen") == "class")
        task = self._made.get(key)
        if task is None:
            task = self._made[key] = asyncio.create_task(_parts(request))
        return await asyncio.shield(task)  # who closes the page takes the pieces from nobody


_SHARED = web.AppKey("shared_parts", SharedParts)


def add_live_page(app: web.Application) -> None:
    """Add the live page."""
    app[_SHARED] = SharedParts()
    app.router.add_get("/", _live)
    app.router.add_get("/events", _events)
    app.router.add_get("/state", _state)
    app.router.add_post("/class", _choose_class)


async def _live(request: web.Request) -> web.Response:
    event_id = request.config_dict[SITE].bus.event_id()  # before the view: what happens meanwhile is sent after it
    return render(request, "live.html", **await page_values(request), event_id=event_id, notes=_NOTES)


async def _events(request: web.Request) -> web.StreamResponse:
    """The newest state whenever it changes. A page that slept gets the state that it missed, without sounds."""
    site = request.config_dict[SITE]
    bus = site.bus
    known = bus.number_of(request.headers.get("Last-Event-ID") or request.query.get("after", ""))
    heard = bus.number if known is None else known
    number = -1 if known is None else known
    async with sse_response(request, headers=SECURITY_HEADERS) as response:
        while response.is_connected() and not site.ending():
            if not await _happens(bus, number):
                with contextlib.suppress(ClientConnectionResetError):
                    await response.send("-", event="beat")
                continue
            number, event_id = bus.number, bus.event_id()
            tone, heard = bus.tone_after(heard), number
            message = _message(await request.config_dict[_SHARED].at(event_id, request), tone)
            try:
                await response.send(message, id=event_id, event="state")
            except ClientConnectionResetError:
                break  # the page was closed
    return response


async def _state(request: web.Request) -> web.Response:
    """The same for browsers without server-sent events, which ask again and again: 204 where nothing is new."""
    bus = request.config_dict[SITE].bus
    known = bus.number_of(request.query.get("after", ""))
    event_id = bus.event_id()
    if known == bus.number:
        return web.Response(status=204)
    tone = bus.tone_after(known) if known is not None else None
    message = _message(await request.config_dict[_SHARED].at(event_id, request), tone, id=event_id)
    return web.Response(text=message, content_type="application/json")


async def _happens(bus: Bus, number: int) -> bool:
    """Wait for what comes after event `number`. False: nothing does; then a word keeps the line alive, so that a page
    can tell a quiet box from one that is gone.
    """
    try:
        async with asyncio.timeout(_BEAT_S):
            await bus.after(number)
    except TimeoutError:
        return False
    return True


def _message(parts: dict[str, str], tone: Tone | None, **more: Any) -> str:
    return msgspec.json.encode({"parts": parts, "tone": tone} | more).decode()


async def _parts(request: web.Request) -> dict[str, str]:
    values = await page_values(request)
    return {name: page_text(request, f"_{name}.html", **values) for name in _PARTS}


async def _choose_class(request: web.Request) -> web.StreamResponse:
    refuse_strangers(request)
    site = request.config_dict[SITE]
    wanted = str((await sent_form(request)).get("class", ""))
    if wanted not in site.documents.roster().classes():
        raise UsageError("This class is not loaded.", remedy="Choose one of the list.")
    await asyncio.to_thread(site.documents.put_setting, CLASS_SETTING, wanted)
    site.bus.publish()
    raise web.HTTPSeeOther("/")
