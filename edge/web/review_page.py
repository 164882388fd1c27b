"""The page of what waits for a look: one group after the other, answered with one tap and taken back with another."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any
from urllib.parse import urlencode

from aiohttp import ClientConnectionResetError, web
from aiohttp_sse import sse_response
from multidict import MultiDictProxy

from edge.deeds import Deed
from edge.reading.crops import surroundings_mm
from edge.web.deed_words import deed_line
from edge.web.desk import SITE, Site, acting, page_values, refuse_strangers
from edge.web.drawing import crop_size_px
from edge.web.review import ReviewList, changes_of, review_list
from homework.review_groups import Crop, Group
from ui.forms import sent_form
from ui.pages import SECURITY_HEADERS, render
from ui.review_view import CROP_HEIGHT_PX, CropView, group_values

MOST_OTHERS = 30
"""Groups that are named before their turn; after a term without a look there may be hundreds."""


def add_review_page(app: web.Application) -> None:
    """Add the review."""
    app.router.add_get("/review", _review)
    app.router.add_post("/review", _answer)
    app.router.add_get("/review/events", _events)


async def _review(request: web.Request) -> web.Response:
    site = request.config_dict[SITE]
    waiting = await asyncio.to_thread(_waiting, site)
    values = await page_values(request)
    words = values["words"]
    group = waiting.group(request.query.get("group"))
    did = await asyncio.to_thread(_deed_asked_for, site, request)
    others = [one for one in waiting.groups if group is None or one.key != group.key]
    return render(
        request,
        "review.html",
        **values,
        **group_values(group, _crops(group), words, address="/review"),
        waiting=waiting,
        others=others[:MOST_OTHERS],
        more_others=max(0, len(others) - MOST_OTHERS),
        mark=await asyncio.to_thread(site.ledger.review_mark),
        did=did,
        did_line=deed_line(did, words, site.documents, site.ledger.deed) if did is not None else None,
        refused=_number(request.query.get("refused")) or 0,
    )


def _waiting(site: Site) -> ReviewList:
    return review_list(site.ledger, site.documents, class_name=site.chosen_class())


def _crops(group: Group | None) -> list[CropView]:
    return [_view(crop) for crop in group.crops] if group is not None else []


def _view(crop: Crop) -> CropView:
    sheet = f"/sheets/{crop.key}"
    picture = f"{sheet}/fields/{crop.place}.jpg?{crop.version}{'&wide' if crop.wide else ''}"
    return CropView(crop, picture, f"{sheet}?item={crop.place}", _size(crop))


def _size(crop: Crop) -> tuple[int, int]:
    if crop.field is None:
        return (CROP_HEIGHT_PX, CROP_HEIGHT_PX)
    if crop.wide:
        return crop_size_px(surroundings_mm(crop.field), CROP_HEIGHT_PX, margin_mm=0.0)
    return crop_size_px(crop.field.hull_mm(), CROP_HEIGHT_PX)


def _deed_asked_for(site: Site, request: web.Request) -> Deed | None:
    number = _number(request.query.get("did"))
    return site.ledger.deed(number) if number is not None else None


async def _answer(request: web.Request) -> web.StreamResponse:
    refuse_strangers(request)
    site = request.config_dict[SITE]
    form = await sent_form(request)
    changes = await asyncio.to_thread(changes_of, _texts(form), site.ledger)
    done = await asyncio.to_thread(partial(site.ledger.correct, changes, by=acting(request)))
    if done.deed is not None:
        site.bus.publish()
    after = {"did": done.deed, "refused": len(done.refused) or None}
    query = urlencode({name: value for name, value in after.items() if value is not None})
    raise web.HTTPSeeOther(f"/review?{query}" if query else "/review")


async def _events(request: web.Request) -> web.StreamResponse:
    """Says when what waits has changed: answered in another tab, or more came in. Pages fetch it themselves."""
    site = request.config_dict[SITE]
    told = request.query.get("mark")
    number = -1
    async with sse_response(request, headers=SECURITY_HEADERS) as response:
        while response.is_connected() and not site.ending():
            await site.bus.after(number)
            number = site.bus.number
            mark = await asyncio.to_thread(site.ledger.review_mark)
            if mark == told:
                continue
            told = mark
            try:
                await response.send(mark, event="waiting")
            except ClientConnectionResetError:
                break  # the page was closed
    return response


def _texts(form: MultiDictProxy[Any]) -> dict[str, list[str]]:
    return {name: [str(value) for value in form.getall(name)] for name in form}


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() and len(text) < 12 else None
