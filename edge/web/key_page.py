"""The page on which a filled-in sheet becomes the key."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial

from aiohttp import web

from edge.ledger import FiledPage
from edge.web.desk import SITE, acting, page_values, refuse_strangers
from edge.web.key import keep_key, key_fields, may_be_key
from homework.errors import BadFileError, ClassboxError, UsageError
from homework.layout import SheetLayout
from ui.forms import sent_form
from ui.pages import render


def add_key_page(app: web.Application) -> None:
    """Add the key's page."""
    app.router.add_get(r"/sheets/{capture:\d{1,12}}/key", _key)
    app.router.add_post(r"/sheets/{capture:\d{1,12}}/key", _keep_key)


async def _key(request: web.Request) -> web.Response:
    """The answers of a sheet, to be confirmed: then it is the key."""
    site = request.config_dict[SITE]
    filed = await asyncio.to_thread(site.ledger.page, int(request.match_info["capture"]))
    layout = may_be_key(filed, site.documents) if filed is not None else None
    if filed is None or layout is None:
        raise web.HTTPNotFound
    return await _key_page(request, filed, layout)


async def _key_page(
    request: web.Request,
    filed: FiledPage,
    layout: SheetLayout,
    given: Mapping[str, str] | None = None,
    refused: ClassboxError | None = None,
) -> web.Response:
    values = await page_values(request)
    said = refused.said(values["words"]) if refused is not None else None
    fields = key_fields(filed, layout, given)
    title = given.get("title", "") if given is not None else ""
    status = 200 if refused is None else 400
    return render(
        request, "key.html", status=status, **values, capture=filed.capture, fields=fields, title=title, refused=said
    )


async def _keep_key(request: web.Request) -> web.StreamResponse:
    refuse_strangers(request)
    site = request.config_dict[SITE]
    filed = await asyncio.to_thread(site.ledger.page, int(request.match_info["capture"]))
    layout = may_be_key(filed, site.documents) if filed is not None else None
    if filed is None or layout is None:
        raise web.HTTPNotFound
    given = {name: str(value) for name, value in (await sent_form(request)).items()}
    try:
        keep = partial(keep_key, filed, layout, given, site.documents, site.ledger, by=acting(request))
        await asyncio.to_thread(keep)
    except (UsageError, BadFileError) as refused:
        return await _key_page(request, filed, layout, given, refused)
    site.bus.publish()
    raise web.HTTPSeeOther("/")
