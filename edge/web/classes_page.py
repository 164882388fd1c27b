"""The pages of the class lists: paste or send one, look at it, keep it; change one; take it away as a file."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from aiohttp import web

from edge.class_lists import sent_class_list
from edge.web.desk import SITE, refuse_strangers, static_address
from homework.edited_lists import (
    CHANGE_WORDS,
    edited_class,
    list_to_keep,
    preview_of,
    rows_to_edit,
)
from homework.errors import ClassboxError, UsageError
from homework.pasted_roster import pasted_roster, without_national
from homework.roster import MAX_SEAT, MAX_TEXT, Pupil, Roster, roster_to_csv
from ui.forms import sent_form
from ui.language import translator
from ui.pages import language_of, render
from ui.sent import sent_fields, sent_file
from ui.workbooks import as_pasted


def add_classes_page(app: web.Application) -> None:
    """Add the pages of the class lists."""
    app.router.add_get("/classes", _show)
    app.router.add_post("/classes", _preview)
    app.router.add_post("/classes/keep", _keep)
    app.router.add_get("/classes/one", _one)
    app.router.add_post("/classes/one", _change)
    app.router.add_get("/classes/list.csv", _export)


async def _show(request: web.Request) -> web.Response:
    return await _page(request)


async def _page(
    request: web.Request, given: Mapping[str, str] | None = None, refused: ClassboxError | None = None
) -> web.Response:
    """The classes on the box, and the field to paste another into."""
    roster = await asyncio.to_thread(request.config_dict[SITE].documents.roster)
    words = translator(language_of(request)).gettext
    given = given or {}
    return render(
        request,
        "classes.html",
        status=200 if refused is None else 400,
        own=static_address,
        classes=[(name, len(roster.of_class(name)), quote(name)) for name in roster.classes()],
        kept=request.query.get("kept", ""),
        class_name=given.get("class", ""),
        text=without_national(given.get("list", "")),
        refused=refused.said(words) if refused is not None else None,
        most_text=MAX_TEXT,
    )


async def _preview(request: web.Request) -> web.Response:
    """What the box understood, before anything is kept."""
    refuse_strangers(request)
    documents = request.config_dict[SITE].documents
    post = await sent_form(request)
    given = sent_fields(post)
    if "again" in given:
        return await _page(request, given)
    try:
        name, data = sent_file(post, "file")
        class_name = given.get("class", "")
        if data:
            known = await asyncio.to_thread(documents.roster)
            found = await asyncio.to_thread(sent_class_list, data, name=name, class_name=class_name, known=known)
        else:
            found = pasted_roster(given.get("list", ""), class_name=class_name)
    except ClassboxError as refused:
        return await _page(request, given, refused)
    preview = preview_of(found.roster, await asyncio.to_thread(documents.roster))
    words = translator(language_of(request)).gettext
    return render(
        request,
        "class_preview.html",
        own=static_address,
        preview=preview,
        numbered=found.numbered,
        left_out=found.left_out,
        change_words={change: words(text) for change, text in CHANGE_WORDS.items()},
        text=as_pasted([(p.class_name, str(p.seat), p.name) for p, _ in preview.pupils]),
    )


async def _keep(request: web.Request) -> web.StreamResponse:
    refuse_strangers(request)
    site = request.config_dict[SITE]
    given = sent_fields(await sent_form(request))

    def keep() -> list[str]:
        kept = list_to_keep(given.get("body", ""), site.documents.roster())
        for name, pupils in kept.items():
            site.documents.put_class(name, pupils)
        return [name for name, pupils in kept.items() if pupils]

    names = await asyncio.to_thread(keep)
    site.bus.publish()
    raise web.HTTPSeeOther(f"/classes?kept={quote('、'.join(names))}")


async def _one(request: web.Request) -> web.Response:
    roster = await asyncio.to_thread(request.config_dict[SITE].documents.roster)
    return _class_page(request, roster, request.query.get("class", ""))


def _class_page(
    request: web.Request,
    roster: Roster,
    name: str,
    given: Mapping[str, str] | None = None,
    refused: ClassboxError | None = None,
) -> web.Response:
    """One class to edit."""
    if name not in roster.classes():
        raise web.HTTPNotFound
    words = translator(language_of(request)).gettext
    values: dict[str, Any] = {
        "class_name": name,
        "address": quote(name),
        "rows": rows_to_edit(roster.of_class(name), given),
        "classes": roster.classes(),
        "refused": refused.said(words) if refused is not None else None,
        "kept": "kept" in request.query,
        "most_seat": MAX_SEAT,
        "most_text": MAX_TEXT,
    }
    return render(request, "class_one.html", status=200 if refused is None else 400, own=static_address, **values)


async def _change(request: web.Request) -> web.StreamResponse:
    refuse_strangers(request)
    site = request.config_dict[SITE]
    name = request.query.get("class", "")
    given = sent_fields(await sent_form(request))
    roster = await asyncio.to_thread(site.documents.roster)
    if name not in roster.classes():
        raise web.HTTPNotFound

    def keep() -> Mapping[str, tuple[Pupil, ...]]:
        kept = edited_class(name, given, roster)
        for class_name, pupils in kept.items():
            site.documents.put_class(class_name, pupils)
        return kept

    try:
        if any(key.startswith("pupil-") and value and roster.by_id(value) is None for key, value in given.items()):
            raise UsageError("The list was changed on another page.", remedy="Load the page again.")
        kept = await asyncio.to_thread(keep)
    except ClassboxError as refused:
        return _class_page(request, roster, name, given, refused)
    site.bus.publish()
    raise web.HTTPSeeOther(f"/classes/one?class={quote(name)}&kept=1" if kept[name] else "/classes")


async def _export(request: web.Request) -> web.Response:
    """One class (`?class=`) or all of them, for Excel."""
    roster = await asyncio.to_thread(request.config_dict[SITE].documents.roster)
    name = request.query.get("class")
    if name is not None:
        if name not in roster.classes():
            raise web.HTTPNotFound
        roster = Roster(roster.of_class(name))
    file = f"{name or 'classes'}.csv"
    return web.Response(
        body=b"\xef\xbb\xbf" + roster_to_csv(roster).encode(),
        content_type="text/csv",
        charset="utf-8",
        headers={"Content-Disposition": f"attachment; filename=\"classes.csv\"; filename*=UTF-8''{quote(file)}"},
    )
