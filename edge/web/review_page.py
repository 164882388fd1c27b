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
from edge.web.review import ReviewList, review_list
from edge.web.review_answers import changes_of
from edge.web.review_groups import Crop, Group
from edge.web.words import DOUBT_WORDS, STAMP_WORDS
from homework.results import points
from ui.pages import SECURITY_HEADERS, render

CROP_HEIGHT_PX = 88
MOST_OTHERS = 30
"""Groups that are named before their turn; after a term without a look there may be hundreds."""

KEYS = (*"1234567890", ".", "/", "-", "%", "……", "⌫")
"""For a number on a phone, whose own keys have no fraction and no remainder."""


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
        waiting=waiting,
        group=group,
        others=others[:MOST_OTHERS],
        more_others=max(0, len(others) - MOST_OTHERS),
        crops=_crops(group),
        keys=KEYS,
        mark=await asyncio.to_thread(site.ledger.review_mark),
        did=did,
        did_line=deed_line(did, words, site.documents, site.ledger.deed) if did is not None else None,
        refused=_number(request.query.get("refused")) or 0,
        doubts={doubt: words(text) for doubt, text in DOUBT_WORDS.items()},
        stamps={stamp: words(text) for stamp, text in STAMP_WORDS.items()},
        points=points,
    )


def _waiting(site: Site) -> ReviewList:
    return review_list(site.ledger, site.documents, class_name=site.chosen_class())


def _crops(group: Group | None) -> list[dict[str, Any]]:
    """The crops of a group with their size on the page, so that it keeps its place while they load."""
    return [{"crop": crop, "size_px": _size(crop)} for crop in group.crops] if group is not None else []


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
    form = await request.post()
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
