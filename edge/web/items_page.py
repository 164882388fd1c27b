"""The second pass (复批): one tap turns an item's verdict; the list beside the sheet says the rest."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from aiohttp import web

from edge.deeds import Deed, DeedKind
from edge.ledger import FiledPage
from edge.web.deed_words import deed_line
from edge.web.desk import SITE, Site, acting, refuse_strangers
from edge.web.items import change_of, item_rows
from homework.field_words import STAMP_WORDS
from homework.wording import VERDICT_SIGNS
from ui.forms import sent_form
from ui.language import translator
from ui.pages import language_of


def add_items_page(app: web.Application) -> None:
    """Add what a person says of one item of a sheet."""
    app.router.add_post(r"/sheets/{capture:\d{1,12}}/items", _say)


async def item_values(request: web.Request, filed: FiledPage) -> dict[str, Any]:
    """What the page of a sheet shows of its items, and the last thing that was said of them."""
    site = request.config_dict[SITE]
    words = translator(language_of(request)).gettext
    rows = await asyncio.to_thread(item_rows, filed, site.documents)
    asked = request.query.get("item", "")
    last = await asyncio.to_thread(_last_said, site, filed.capture) if rows else None
    return {
        "items": rows,
        "found": int(asked) if asked.isdecimal() and len(asked) < 4 else None,
        "revision": filed.revision,
        "last_said": last,
        "last_line": deed_line(last, words, site.documents, site.ledger.deed) if last is not None else None,
        "mark_signs": VERDICT_SIGNS,
        "stamps": {stamp: words(text) for stamp, text in STAMP_WORDS.items()},
    }


async def _say(request: web.Request) -> web.StreamResponse:
    refuse_strangers(request)
    site = request.config_dict[SITE]
    capture = int(request.match_info["capture"])
    filed = await asyncio.to_thread(site.ledger.page, capture)
    if filed is None:
        raise web.HTTPNotFound
    form = {name: str(value) for name, value in (await sent_form(request)).items()}
    change = await asyncio.to_thread(change_of, filed, form, site.documents)
    done = await asyncio.to_thread(partial(site.ledger.correct, [change], by=acting(request)))
    if done.deed is not None:
        site.bus.publish()
    if "application/json" in request.headers.get("Accept", ""):
        return await _told(request, done.deed)
    place = form.get("place", "")
    raise web.HTTPSeeOther(f"/sheets/{capture}#item-{place}" if place.isdecimal() else f"/sheets/{capture}")


async def _told(request: web.Request, number: int | None) -> web.Response:
    """What was done, for the line that a script shows with its undo."""
    site = request.config_dict[SITE]
    words = translator(language_of(request)).gettext
    deed = await asyncio.to_thread(site.ledger.deed, number) if number is not None else None
    line = (
        deed_line(deed, words, site.documents, site.ledger.deed)
        if deed is not None
        else words("It was changed elsewhere meanwhile.")
    )
    return web.json_response({"deed": number, "line": line, "undo": words("Undo")})


def _last_said(site: Site, capture: int) -> Deed | None:
    """The newest word on a sheet that was not taken back."""
    deeds = site.ledger.deeds_on(capture)
    return next((deed for deed in deeds if deed.kind is DeedKind.CORRECTED and not deed.undone), None)
