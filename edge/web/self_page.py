"""学生自助: the page at which pupils slide their own sheets, and the teacher's page that opens and closes it.

The pupils' page asks again and again for the newest state and keeps nothing: no address, no history and no stored
answer leads back to an earlier sheet, and a picture is there only for as long as its sheet is shown.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import secrets
from typing import Any

from aiohttp import web

from edge.access.access import ACCESS
from edge.access.rooms import close_room, open_room, opened_at
from edge.web.desk import CLOCK, SITE, Site, page_values, refuse_strangers, static_address
from edge.web.self_view import SCORE_SETTING, WAITING, SelfView, self_view
from edge.web.sheet_pictures import draw_kept_sheet
from ui.forms import sent_form
from ui.language import translator
from ui.pages import SIGNED, language_of, page_text, render
from ui.sessions import forget_cookie

ROOM = "self"
LONGEST_WAIT_S = 20.0
_SECRET = web.AppKey("self_secret", bytes)


def add_self_page(app: web.Application) -> None:
    """Add the pupils' page and the one that opens it."""
    app[_SECRET] = secrets.token_bytes(16)
    app.router.add_get("/self", _self)
    app.router.add_get("/self/now", _now)
    app.router.add_get(r"/self/{token:[0-9a-f]{32}}.jpg", _picture)
    app.router.add_get("/self-service", _service)
    app.router.add_post("/self-service", _switch)


# --- what pupils see -------------------------------------------------------------------------------------------


async def _self(request: web.Request) -> web.Response:
    view = await asyncio.to_thread(_view, request.config_dict[SITE])
    return render(
        request,
        "self.html",
        own=static_address,
        closed=view is None,
        after=request.config_dict[SITE].bus.event_id(),
        **_values(request, view or WAITING),
    )


async def _now(request: web.Request) -> web.Response:
    """The state once it differs from event `after`, or the sheet has been shown long enough, or some time is over."""
    site = request.config_dict[SITE]
    known = site.bus.number_of(request.query.get("after", ""))
    view = await asyncio.to_thread(_view, site)
    if known is not None and view is not None and not site.ending():
        wait_s = min(LONGEST_WAIT_S, view.left_ms / 1000 + 0.05 if view.capture else LONGEST_WAIT_S)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await site.bus.after(known)
        view = await asyncio.to_thread(_view, site)
    after = site.bus.event_id()
    if view is None:
        return web.json_response({"closed": True})
    html = page_text(request, "_self.html", **_values(request, view))
    return web.json_response({"html": html, "after": after, "left_ms": view.left_ms})


async def _picture(request: web.Request) -> web.Response:
    """The picture of the sheet that is shown now, and of no other."""
    site = request.config_dict[SITE]
    view = await asyncio.to_thread(_view, site)
    shown = view.sheet if view is not None else None
    if view is None or shown is None or not hmac.compare_digest(_token(request, view), request.match_info["token"]):
        raise web.HTTPNotFound
    picture = site.sheets.get(str(view.capture))
    if picture is None:
        picture = await asyncio.to_thread(draw_kept_sheet, site.ledger, site.documents, site.pictures, view.capture)
    if picture is None:
        raise web.HTTPNotFound
    return web.Response(body=picture, content_type="image/jpeg")


def _view(site: Site) -> SelfView | None:
    """What is to be seen now; None while the room is closed."""
    now = CLOCK.read()
    opened = opened_at(site.documents, ROOM, now)
    if opened is None:
        return None
    return self_view(site.ledger, site.documents, now=now, opened=opened, class_name=site.chosen_class())


def _values(request: web.Request, view: SelfView) -> dict[str, Any]:
    words = translator(language_of(request)).gettext
    return {"shown": view, "token": _token(request, view), "problem": words(view.problem) if view.problem else ""}


def _token(request: web.Request, view: SelfView) -> str:
    """The name of a sheet's picture, which nobody can guess from another's."""
    return hmac.new(request.config_dict[_SECRET], str(view.capture).encode(), hashlib.sha256).hexdigest()[:32]


# --- what a teacher does ---------------------------------------------------------------------------------------


async def _service(request: web.Request) -> web.Response:
    site = request.config_dict[SITE]
    opened = await asyncio.to_thread(opened_at, site.documents, ROOM, CLOCK.read())
    values = await page_values(request)
    score = site.documents.setting(SCORE_SETTING) == "on"
    return render(request, "self_service.html", **values, opened=opened is not None, score=score)


async def _switch(request: web.Request) -> web.StreamResponse:
    refuse_strangers(request)
    site = request.config_dict[SITE]
    what = str((await sent_form(request)).get("what", ""))
    if what in ("open", "hand-over"):
        await asyncio.to_thread(open_room, site.documents, ROOM, CLOCK.read())
    elif what == "close":
        await asyncio.to_thread(close_room, site.documents, ROOM)
    elif what in ("score", "no-score"):
        await asyncio.to_thread(site.documents.put_setting, SCORE_SETTING, "on" if what == "score" else "")
    site.bus.publish()
    if what == "hand-over":
        return await _handed_over(request)
    raise web.HTTPSeeOther("/self-service")


async def _handed_over(request: web.Request) -> web.StreamResponse:
    """Leave the screen to the pupils: nobody is signed in on it any more."""
    response = web.Response(status=303, headers={"Location": "/self"})
    access, signed = request.config_dict[ACCESS], request.get(SIGNED)
    if signed is not None and access.locked is not None:
        await asyncio.to_thread(access.locked.book.close_session, signed.session)
        forget_cookie(request, response)
        access.gate.sweep(but=request.transport)
    return response
