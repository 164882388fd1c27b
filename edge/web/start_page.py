"""The first morning: three steps and how far each has come, and loading what was made elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from aiohttp import web

from edge.loading import Loadable, loadables_of_files, loadables_of_sticks, stick_folders
from edge.web import homework as views
from edge.web.desk import SITE, Site, refuse_strangers, static_address
from homework.errors import ClassboxError, UsageError
from ui.forms import sent_form
from ui.language import translator
from ui.pages import language_of, render
from ui.sent import sent_files

_FILES_S = 300.0
"""How long the files of a print run may take from a computer on a weak radio."""


def add_start_page(app: web.Application) -> None:
    """Add the first steps and the loading."""
    app.router.add_get("/start", _show)
    app.router.add_get(r"/start/{_:load|stick}", _again)
    app.router.add_post("/start/load", _load_files)
    app.router.add_post("/start/stick", _load_stick)
    app.router.add_post("/start/damage", _damage_seen)


async def _show(request: web.Request) -> web.Response:
    return await _page(request)


async def _again(request: web.Request) -> web.Response:
    """Where a browser comes to when it loads the answer anew, or changes its language."""
    raise web.HTTPSeeOther(request.rel_url.with_path("/start").with_query(request.rel_url.query))


async def _page(
    request: web.Request, loaded: Sequence[Loadable] = (), refused: ClassboxError | None = None
) -> web.Response:
    site = request.config_dict[SITE]
    words = translator(language_of(request)).gettext

    def look() -> dict[str, object]:
        documents = site.documents
        lines = views.listed(documents, site.ledger.handed_in())
        roster = documents.roster()
        damage = documents.trouble()
        return {
            "classes": [(name, len(roster.of_class(name))) for name in roster.classes()],
            "lines": lines,
            "printed": any(line.copies for line in lines),
            "came": site.ledger.counts().captured,
            "sticks": len(stick_folders(site.sticks)),
            "damage": damage.said(words) if damage is not None else None,
        }

    return render(
        request,
        "start.html",
        status=200 if refused is None else 400,
        own=static_address,
        **await asyncio.to_thread(look),
        loaded=[_told(one, words) for one in loaded],
        refused=refused.said(words) if refused is not None else None,
    )


def _told(one: Loadable, words: Callable[[str], str]) -> str:
    said = []
    if one.assignment is not None and one.layout is not None:
        said.append(
            words("Loaded: {title}, {pages} pages, {items} items.").format(
                title=one.assignment.title, pages=len(one.layout.pages), items=len(one.assignment.items)
            )
        )
    elif one.layout is not None:
        said.append(
            words("Loaded: sheet {sheet}, {pages} pages, {fields} fields.").format(
                sheet=one.layout.sheet,
                pages=len(one.layout.pages),
                fields=sum(len(page.fields) for page in one.layout.pages),
            )
        )
    if one.roster is not None:
        said.append(words("Pupils: {count}.").format(count=len(one.roster.pupils)))
    return " ".join(said)


async def _load_files(request: web.Request) -> web.Response:
    """Files from this computer: a zip, or the single files of one print run."""
    refuse_strangers(request)
    files = sent_files(await sent_form(request, patience_s=_FILES_S), "files")

    def found() -> list[Loadable]:
        if not files:
            raise UsageError("No file came.", remedy="Choose at least one, then send.")
        return loadables_of_files(files)

    return await _load(request, found)


async def _load_stick(request: web.Request) -> web.Response:
    """What lies in the folder `classbox` of a stick in the box."""
    refuse_strangers(request)
    await request.read()
    return await _load(request, lambda: loadables_of_sticks(request.config_dict[SITE].sticks))


async def _load(request: web.Request, find: Callable[[], list[Loadable]]) -> web.Response:
    site: Site = request.config_dict[SITE]

    def keep() -> list[Loadable]:
        found = find()
        for one in found:
            one.keep(site.documents)
            if one.assignment is not None and site.documents.setting(views.HIDDEN_SETTING + one.assignment.id):
                site.documents.put_setting(views.HIDDEN_SETTING + one.assignment.id, "")
        return found

    try:
        loaded = await asyncio.to_thread(keep)
    except ClassboxError as refused:
        return await _page(request, refused=refused)
    site.bus.publish()
    return await _page(request, loaded)


async def _damage_seen(request: web.Request) -> web.StreamResponse:
    refuse_strangers(request)
    site = request.config_dict[SITE]
    await asyncio.to_thread(site.documents.damage_seen)
    site.bus.publish()
    raise web.HTTPSeeOther("/start")
