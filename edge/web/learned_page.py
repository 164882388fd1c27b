"""The page of learned sheets and of their places to answer."""

from __future__ import annotations

import asyncio

from aiohttp import web

from edge.registration.unmarked_sheet import UnmarkedSheet
from edge.web import learned
from edge.web.desk import SITE, page_values, refuse_strangers
from homework.errors import ClassboxError, UsageError
from homework.field_words import KIND_WORDS
from ui.forms import sent_form
from ui.pages import render

_PAGE = r"/learned/{sheet:[A-Za-z0-9_-]{1,32}}/{page:\d{1,3}}"


def add_learned_page(app: web.Application) -> None:
    """Add the learned sheets' pages."""
    app.router.add_get("/learned", _learned)
    app.router.add_get(_PAGE, _learned_page)
    app.router.add_post(_PAGE, _keep_places)
    app.router.add_get(_PAGE + "/picture.jpg", _learned_picture)


async def _learned(request: web.Request) -> web.Response:
    """The sheets that were learned."""
    sheets = await asyncio.to_thread(learned.learned_sheets, request.config_dict[SITE].documents)
    return render(request, "learned.html", **await page_values(request), sheets=sheets, layout=None)


async def _sheet_to_correct(request: web.Request) -> tuple[UnmarkedSheet, int]:
    name, page = request.match_info["sheet"], int(request.match_info["page"])
    sheet = await asyncio.to_thread(learned.sheet_to_correct, request.config_dict[SITE].documents, name)
    if sheet is None or sheet.layout.page(page) is None:
        raise web.HTTPNotFound
    return sheet, page


async def _learned_page(request: web.Request, refused: ClassboxError | None = None) -> web.Response:
    """The places to answer of one learned page."""
    sheet, page = await _sheet_to_correct(request)
    values = await page_values(request)
    return render(
        request,
        "learned.html",
        **values,
        status=200 if refused is None else 400,
        layout=sheet.layout,
        page=page,
        places=learned.places_of(sheet.layout, page),
        fixed=learned.has_key(sheet.layout, request.config_dict[SITE].documents),
        kind_words={kind: values["words"](text) for kind, text in KIND_WORDS.items()},
        written=learned.WRITTEN_KINDS,
        refused=refused.said(values["words"]) if refused is not None else None,
    )


async def _keep_places(request: web.Request) -> web.StreamResponse:
    refuse_strangers(request)
    documents = request.config_dict[SITE].documents
    sheet, page = await _sheet_to_correct(request)
    given = {name: str(value) for name, value in (await sent_form(request)).items()}
    if learned.has_key(sheet.layout, documents):
        raise web.HTTPNotFound
    try:
        layout = await asyncio.to_thread(learned.corrected, sheet, page, given)
    except UsageError as refused:
        return await _learned_page(request, refused)
    await asyncio.to_thread(documents.put_layout, layout)
    raise web.HTTPSeeOther(request.path)


async def _learned_picture(request: web.Request) -> web.Response:
    sheet, page = await _sheet_to_correct(request)
    body = await asyncio.to_thread(learned.picture, sheet, page)
    if body is None:
        raise web.HTTPNotFound
    return web.Response(body=body, content_type="image/jpeg", headers={"Cache-Control": "private, max-age=60"})
