"""One sheet: what stands on it, whose it is, taking it back; and the pictures of it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial

from aiohttp import web

from edge.web.calling import in_seat_order
from edge.web.desk import SITE, acting, page_values, place_of, refuse_strangers
from edge.web.items_page import item_values
from edge.web.live import LiveView, sheet_view, with_lateness, with_question
from edge.web.sheet_pictures import draw_kept_field, draw_kept_sheet, draw_kept_written
from edge.web.whose import Written
from homework.errors import UsageError
from homework.results import WhoWroteIt
from ui.forms import sent_form
from ui.pages import render

_IMMUTABLE = {"Cache-Control": "private, max-age=31536000, immutable"}


def add_sheet_page(app: web.Application) -> None:
    """Add the page of one sheet and its pictures."""
    app.router.add_get(r"/sheets/{capture:\d{1,12}}", _one_sheet)
    app.router.add_post(r"/sheets/{capture:\d{1,12}}/{what:withdraw|restore}", _withdraw)
    app.router.add_post(r"/sheets/{capture:\d{1,12}}/owner", _say_whose)
    app.router.add_get(r"/sheets/{key:\d{1,12}|unsaved}/picture.jpg", _sheet_picture)
    app.router.add_get(r"/sheets/{capture:\d{1,12}}/fields/{place:\d{1,3}}.jpg", _field_picture)
    app.router.add_get(r"/sheets/{capture:\d{1,12}}/written/{what:name|seat}.jpg", _written_picture)


async def _one_sheet(request: web.Request) -> web.Response:
    site = request.config_dict[SITE]
    filed = await asyncio.to_thread(site.ledger.page, _capture(request))
    if filed is None:
        raise web.HTTPNotFound
    values = await page_values(request)
    sheet = await asyncio.to_thread(sheet_view, filed, site.documents, class_name=site.chosen_class())
    sheet = await asyncio.to_thread(with_lateness, sheet, filed, site.ledger, site.documents)
    if site.belongs_to_school():
        sheet = replace(sheet, at_school=await asyncio.to_thread(site.ledger.at_school, filed.digest))
    before = await asyncio.to_thread(site.ledger.newest_page, filed.capture)
    sheet = replace(sheet, previous=before.capture if before is not None else None)
    view: LiveView = values["view"]
    ask = partial(with_question, pupils=view.pupils, missing=view.stack.missing, now=view.calling)
    sheet = await asyncio.to_thread(ask, sheet, filed, site.ledger, site.documents)
    items = await item_values(request, filed)
    return render(request, "sheet.html", **{**values, "one": True}, sheet=sheet, **items)


async def _withdraw(request: web.Request) -> web.StreamResponse:
    refuse_strangers(request)
    site = request.config_dict[SITE]
    capture = _capture(request)
    step = site.ledger.withdraw if request.match_info["what"] == "withdraw" else site.ledger.restore
    if await asyncio.to_thread(partial(step, capture, by=acting(request))) is None:
        raise web.HTTPNotFound
    site.bus.publish()
    raise web.HTTPSeeOther(await place_of(site, capture))


async def _say_whose(request: web.Request) -> web.StreamResponse:
    """The teacher's answer to “whose sheet is this?”: a pupil of the class list."""
    refuse_strangers(request)
    site = request.config_dict[SITE]
    capture = _capture(request)
    pupil = site.documents.roster().by_id(str((await sent_form(request)).get("pupil", "")))
    if pupil is None:
        raise UsageError("Nobody of that name is on the class list.", remedy="Choose one of the list.")
    who = WhoWroteIt(pupil.class_name, pupil.seat, pupil.pupil_id, 1.0)
    filed = await asyncio.to_thread(site.ledger.page, capture)
    layout = site.documents.layout(filed.record.sheet) if filed is not None and filed.record is not None else None
    in_order = layout is not None and in_seat_order(layout)
    say = partial(site.ledger.say_whose, capture, who, pupil=pupil.pupil_id, in_order=in_order, by=acting(request))
    if await asyncio.to_thread(say) is None:
        raise web.HTTPNotFound
    site.bus.publish()
    raise web.HTTPSeeOther(await place_of(site, capture))


async def _sheet_picture(request: web.Request) -> web.Response:
    site, key = request.config_dict[SITE], request.match_info["key"]
    picture = site.sheets.get(key)
    if picture is None and key.isdecimal():
        picture = await asyncio.to_thread(draw_kept_sheet, site.ledger, site.documents, site.pictures, int(key))
    return _picture(request, picture)


async def _field_picture(request: web.Request) -> web.Response:
    site, capture, place = request.config_dict[SITE], _capture(request), int(request.match_info["place"])
    wide = "wide" in request.query
    draw = partial(draw_kept_field, site.ledger, site.documents, site.decoded, capture, place, wide=wide)
    return _picture(request, await asyncio.to_thread(draw))


async def _written_picture(request: web.Request) -> web.Response:
    site = request.config_dict[SITE]
    what: Written = "name" if request.match_info["what"] == "name" else "seat"
    draw = partial(draw_kept_written, site.ledger, site.documents, site.decoded, _capture(request))
    return _picture(request, await asyncio.to_thread(draw, what))


def _capture(request: web.Request) -> int:
    return int(request.match_info["capture"])


def _picture(request: web.Request, picture: bytes | None) -> web.Response:
    if picture is None:
        raise web.HTTPNotFound
    return web.Response(body=picture, content_type="image/jpeg", headers=_IMMUTABLE if request.query_string else {})
