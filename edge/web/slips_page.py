"""The page of slips, and the slips as a PDF. Of a test there are none until it is released."""

from __future__ import annotations

import asyncio
import datetime as dt
from dataclasses import dataclass
from urllib.parse import urlencode

from aiohttp import web

from edge.again import again_in_class
from edge.filed import FiledPage
from edge.release import is_released
from edge.web.again_page import chosen_assignment
from edge.web.desk import SITE, Site, page_values
from homework.again import PupilAgain
from homework.errors import UsageError
from homework.sheets.slips import CHINESE_SLIPS, ENGLISH_SLIPS, Slip, make_slips
from homework.slips import slips_of
from ui.apart import apart
from ui.pages import language_of, render

HELD_BACK = UsageError(
    "This is a test: nothing goes to the pupils before you release it.", remedy="Release it on the newest sheet's page."
)


@dataclass(frozen=True)
class _Found:
    assignment: str
    title: str
    pupils: tuple[PupilAgain[FiledPage], ...]
    released: bool


def add_slips_page(app: web.Application) -> None:
    """Add the slips."""
    app.router.add_get("/slips", _slips)
    app.router.add_get("/slips.pdf", _pdf)


async def _slips(request: web.Request) -> web.Response:
    site = request.config_dict[SITE]
    found = await asyncio.to_thread(_found, site, request)
    by = dt.datetime.now().astimezone().date() + dt.timedelta(days=1)
    everybody = request.query.get("who") == "all"
    values = await page_values(request)
    slips = _made(site, found, everybody=everybody) if found is not None and found.released else []
    return render(
        request,
        "slips.html",
        **values,
        found=found,
        slips=slips,
        everybody=everybody,
        by=request.query.get("by", by.isoformat()),
        pdf="/slips.pdf?" + urlencode({"assignment": found.assignment}) if found is not None else "",
    )


async def _pdf(request: web.Request) -> web.Response:
    site = request.config_dict[SITE]
    found = await asyncio.to_thread(_found, site, request)
    if found is None:
        raise web.HTTPNotFound
    if not found.released:
        raise HELD_BACK
    slips = _made(site, found, everybody=request.query.get("who") == "all")
    if not slips:
        raise UsageError("Nobody has anything wrong: there is no slip to print.", remedy="Choose slips for everybody.")
    chinese = language_of(request) != "en"
    words = CHINESE_SLIPS if chinese else ENGLISH_SLIPS
    by = _day(request.query.get("by", ""), chinese=chinese)
    pdf = await asyncio.to_thread(apart, make_slips, slips, correct_by=by, words=words)
    headers = {"Content-Disposition": 'inline; filename="slips.pdf"'}
    return web.Response(body=pdf, content_type="application/pdf", headers=headers)


def _found(site: Site, request: web.Request) -> _Found | None:
    wanted = chosen_assignment(site, request)
    if wanted is None:
        return None
    assignment = site.documents.assignment(wanted)
    pupils = again_in_class(site.ledger.pages_of_attempts(wanted), site.documents.roster(), site.chosen_class())
    title = assignment.title if assignment is not None else wanted
    return _Found(wanted, title, pupils, is_released(site.documents, wanted))


def _made(site: Site, found: _Found, *, everybody: bool) -> list[Slip]:
    return slips_of(found.pupils, site.documents.assignment(found.assignment), everybody=everybody)


def _day(text: str, *, chinese: bool) -> str:
    """A day as it is printed; "" for none, and for what is no day."""
    try:
        day = dt.date.fromisoformat(text)
    except ValueError:
        return ""
    return f"{day.month}月{day.day}日" if chinese else f"{day.day}/{day.month}"
