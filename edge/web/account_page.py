"""Where every sheet of a homework is: slid, counting, at the school, missing; each that is not, by its number."""

from __future__ import annotations

import asyncio
from urllib.parse import quote, urlencode

from aiohttp import web

from edge.accounts import box_account
from edge.web.desk import SITE, static_address
from edge.web.summary_page import badge, current_assignment
from homework.accounts import Fate, Way
from ui.pages import render


def add_account_page(app: web.Application) -> None:
    """Add the page."""
    app.router.add_get("/account", _account)
    app.router.add_get("/account/{assignment}", _account)


async def _account(request: web.Request) -> web.Response:
    site = request.config_dict[SITE]
    documents = site.documents
    chosen = request.match_info.get("assignment") or await asyncio.to_thread(current_assignment, site)
    if chosen is None:
        raise web.HTTPSeeOther("/summary")
    classes = documents.roster().classes()
    class_name = request.query.get("class") or site.chosen_class()
    if class_name is not None and request.query.get("class") and class_name not in classes:
        raise web.HTTPNotFound
    account = await asyncio.to_thread(
        box_account, site.ledger, documents, chosen, class_name, of_a_school=site.belongs_to_school()
    )
    assignment = documents.assignment(chosen)
    if assignment is None and not account.slid:
        raise web.HTTPNotFound
    return render(
        request,
        "account.html",
        own=static_address,
        badge=await asyncio.to_thread(badge, site),
        account=account,
        fates=Fate,
        ways=Way,
        counts=await asyncio.to_thread(site.ledger.counts),
        title=assignment.title if assignment is not None else chosen,
        class_name=class_name,
        summary=f"/summary/{quote(chosen, '')}" + (f"?{urlencode({'class': class_name})}" if class_name else ""),
    )
