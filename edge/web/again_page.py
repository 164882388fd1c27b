"""The page of corrections (订正): who owes, ✓ and ✗ by hand, and whether the stack on the desk is corrected sheets."""

from __future__ import annotations

import asyncio
from functools import partial
from urllib.parse import urlencode

from aiohttp import web

from edge.again import STACK_SETTING
from edge.correcting import Change
from edge.web.again import AgainView, again_view, owing_text
from edge.web.desk import SITE, Site, acting, page_values, place_of, refuse_strangers
from edge.web.summary_page import current_assignment
from homework.again import STATE_WORDS
from homework.corrections import Word
from homework.errors import UsageError
from ui.forms import sent_form
from ui.pages import render


def add_again_page(app: web.Application) -> None:
    """Add the corrections."""
    app.router.add_get("/again", _again)
    app.router.add_post("/again/stack", _set_stack)
    app.router.add_post("/again/verdict", _set_verdict)
    app.router.add_post(r"/sheets/{capture:\d{1,12}}/again", _say_again)


def chosen_assignment(site: Site, request: web.Request) -> str | None:
    """The assignment that the address names, else the one of the last sheet."""
    wanted = request.query.get("assignment")
    return wanted if wanted and site.documents.assignment(wanted) is not None else current_assignment(site)


async def _again(request: web.Request) -> web.Response:
    site = request.config_dict[SITE]
    view = await asyncio.to_thread(_view, request)
    values = await page_values(request)
    words = values["words"]
    return render(
        request,
        "again.html",
        **values,
        again=view,
        state_words={state: words(text) for state, text in STATE_WORDS.items()},
        text=owing_text(view, words) if view is not None else "",
        assignments=[(one.id, one.title) for one in reversed(site.documents.assignments()[-60:])],
    )


def _view(request: web.Request) -> AgainView | None:
    site = request.config_dict[SITE]
    assignment = chosen_assignment(site, request)
    if assignment is None:
        return None
    return again_view(site.ledger, site.documents, assignment, site.chosen_class())


async def _set_stack(request: web.Request) -> web.StreamResponse:
    """Say that the stack on the desk is corrected sheets, or that it is not any more."""
    refuse_strangers(request)
    site = request.config_dict[SITE]
    form = await sent_form(request)
    wanted = str(form.get("assignment", ""))
    if wanted and site.documents.assignment(wanted) is None:
        raise UsageError("This worksheet is not loaded.", remedy="Choose one of the list.")
    await asyncio.to_thread(site.documents.put_setting, STACK_SETTING, wanted)
    site.bus.publish()
    raise web.HTTPSeeOther("/" if form.get("back") == "live" else _address(str(form.get("shown", "")) or wanted))


async def _set_verdict(request: web.Request) -> web.StreamResponse:
    """A person's ✓ or ✗ on one field of one sheet, as she saw it."""
    refuse_strangers(request)
    site = request.config_dict[SITE]
    form = await sent_form(request)
    try:
        capture, revision, blank = (_number(str(form[name])) for name in ("capture", "revision", "blank"))
        place, right = (str(form["item"]), blank), {"right": True, "wrong": False}[str(form["verdict"])]
    except (KeyError, ValueError) as error:
        raise UsageError("This is no verdict.", remedy="Go back and tap ✓ or ✗.") from error
    change = Change(capture, revision, place, Word(right=right))
    done = await asyncio.to_thread(partial(site.ledger.correct, [change], by=acting(request)))
    if done.refused:
        raise UsageError("Somebody has changed this answer since.", remedy="Look at it again.")
    site.bus.publish()
    raise web.HTTPSeeOther(f"{_address(str(form.get('shown', '')))}#seat-{str(form.get('seat', ''))[:4]}")


async def _say_again(request: web.Request) -> web.StreamResponse:
    """The teacher's answer to a sheet with other ink: it is the correction."""
    refuse_strangers(request)
    site = request.config_dict[SITE]
    capture = int(request.match_info["capture"])
    if await asyncio.to_thread(partial(site.ledger.say_again, capture, by=acting(request))) is None:
        raise web.HTTPNotFound
    site.bus.publish()
    raise web.HTTPSeeOther(await place_of(site, capture))


def _number(text: str) -> int:
    """A whole number as our own forms send it. Raises `ValueError` for any other text."""
    if not text.isdecimal() or len(text) > 12:
        raise ValueError(text)
    return int(text)


def _address(assignment: str) -> str:
    return "/again?" + urlencode({"assignment": assignment}) if assignment else "/again"
