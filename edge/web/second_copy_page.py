"""The second copy on a stick: which stick keeps it, and the key that opens it."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import dataclass

from aiohttp import web

from edge.second_copy import SecondCopy
from edge.web.desk import refuse_strangers, static_address
from edge.web.health_page import WARD, said
from homework.errors import UsageError
from ui.forms import small_form
from ui.language import translator
from ui.pages import language_of, render

ADDRESS = "/technician/copy"


@dataclass(frozen=True)
class Stick:
    """One to choose."""

    name: str
    free_mb: int
    keeps_it: bool


def add_second_copy_page(app: web.Application) -> None:
    """Add the page."""
    app.router.add_get(ADDRESS, _show)
    app.router.add_post(ADDRESS, _begin)
    app.router.add_post(f"{ADDRESS}/key", _key)


async def _show(request: web.Request) -> web.Response:
    return await _page(request)


async def _begin(request: web.Request) -> web.Response:
    refuse_strangers(request)
    name = (await small_form(request)).get("stick", "")
    copy = request.config_dict[WARD].second_copy
    stick = next((path for path in await asyncio.to_thread(copy.sticks) if path.name == name), None)
    if stick is None:
        raise UsageError("This stick is no longer in the box.", remedy="Put it in again and wait a moment.")
    key = await asyncio.to_thread(copy.begin, stick)
    return await _page(request, key=key.key)


async def _key(request: web.Request) -> web.Response:
    """By POST, so that no history and no log holds a page with the key."""
    refuse_strangers(request)
    key = await asyncio.to_thread(request.config_dict[WARD].second_copy.key)
    return await _page(request, key=key.key if key is not None else None)


async def _page(request: web.Request, *, key: str | None = None) -> web.Response:
    ward = request.config_dict[WARD]
    report = await ward.report(fresh=True)
    check = next(check for check in report.checks if check.name == "copy")
    words = translator(language_of(request)).gettext
    response = render(
        request,
        "second_copy.html",
        own=static_address,
        check=said(check, words),
        wanted=report.facts.second_copy.wanted,
        sticks=await asyncio.to_thread(_sticks, ward.second_copy, report.facts.second_copy.stick),
        key=key,
    )
    response.headers["Cache-Control"] = "no-store"
    return response


def _sticks(copy: SecondCopy, keeps_it: str | None) -> list[Stick]:
    found = []
    for path in copy.sticks():
        try:
            found.append(Stick(path.name, shutil.disk_usage(path).free // 1024**2, path.name == keeps_it))
        except OSError:  # pulled out just now
            continue
    return found
