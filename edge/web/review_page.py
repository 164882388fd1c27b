"""The page of what waits for a look."""

from __future__ import annotations

import asyncio

from aiohttp import web

from edge.web.desk import SITE, page_values
from edge.web.review import review_list
from edge.web.words import DOUBT_WORDS
from ui.pages import render


def add_review_page(app: web.Application) -> None:
    """Add the review."""
    app.router.add_get("/review", _review)


async def _review(request: web.Request) -> web.Response:
    site = request.config_dict[SITE]
    pages = await asyncio.to_thread(review_list, site.ledger, site.documents, class_name=site.chosen_class())
    values = await page_values(request)
    doubts = {doubt: values["words"](text) for doubt, text in DOUBT_WORDS.items()}
    return render(request, "review.html", **values, pages=pages, doubts=doubts)
