"""Records of a school's boxes that could not be taken in: what, since when, why; take them in, or refuse them."""

from __future__ import annotations

from aiohttp import web

from gateway.access.deeds import Deed
from gateway.held import StillUnreadableError, accept, held_of_school, refuse
from gateway.store.schools import school_key
from gateway.web.box_view import held_views
from gateway.web.office import office_address, render_office
from gateway.web.rooms import Rooms
from homework.errors import ClassboxError
from homework.wording import Translate
from ui.forms import sent_form
from ui.language import translator
from ui.pages import language_of
from ui.sent import sent_fields

_HELD = "/schools/{school}/held"
_AT_MOST = 50
"""So many are shown and decided at once: each may be a megabyte."""


def add_held(rooms: Rooms) -> None:
    """The page of the records, and the decision."""
    pages = _HeldRecords(rooms)
    rooms.page("GET", _HELD, pages.show, deed=Deed.DECIDE_HELD)
    rooms.page("POST", _HELD, pages.decide, deed=Deed.DECIDE_HELD)


class _HeldRecords:
    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        self._store = rooms.store

    async def show(self, request: web.Request) -> web.Response:
        return await self._page(request)

    async def decide(self, request: web.Request) -> web.StreamResponse:
        """Take the ticked ones in, all or none; or refuse them, after a question."""
        school = request.match_info["school"]
        post = await sent_form(request)
        chosen = [str(name) for name in post.getall("record", ())][:_AT_MOST]
        if not chosen:
            return await self._page(request)
        if sent_fields(post).get("do") == "accept":
            try:
                found = await accept(self._store, chosen, school=school)
            except ClassboxError as refused:
                return await self._page(request, refused)
            self._rooms.changes.tell_all()
            raise web.HTTPSeeOther(f"{office_address(school, 'held')}?taken={len(found)}")
        if "sure" not in post:
            return render_office(request, "held_refuse.html", address=office_address(school, "held"), chosen=chosen)
        try:
            found = await refuse(self._store, chosen, school=school)
        except ClassboxError as refused:
            return await self._page(request, refused)
        raise web.HTTPSeeOther(f"{office_address(school, 'held')}?refused={len(found)}")

    async def _page(self, request: web.Request, refused: ClassboxError | None = None) -> web.Response:
        school = request.match_info["school"]
        words = translator(language_of(request)).gettext
        async with self._store.reading() as connection:
            await school_key(connection, self._store.vault, school)  # a school that is not there
            waiting = await held_of_school(connection, school, "waiting", limit=_AT_MOST + 1)
            copies = await held_of_school(connection, school, "copies", limit=_AT_MOST + 1)
            decided = await held_of_school(connection, school, "decided", limit=_AT_MOST)
        return render_office(
            request,
            "held.html",
            status=200 if refused is None else 400,
            address=office_address(school, "held"),
            boxes=office_address(school, "boxes"),
            groups=[
                (key, held_views(found[:_AT_MOST], words), len(found) > _AT_MOST)
                for key, found in (("waiting", waiting), ("copies", copies))
            ],
            decided=held_views(decided, words),
            most=_AT_MOST,
            taken=_number(request, "taken"),
            refused_count=_number(request, "refused"),
            refused=_said(refused, words) if refused is not None else None,
        )


def _said(refused: ClassboxError, _: Translate) -> tuple[str, str]:
    if not isinstance(refused, StillUnreadableError):
        return refused.said(_)
    words = refused.words(_)
    return _("Nothing was taken in.") + " " + words.why, words.remedy


def _number(request: web.Request, name: str) -> int:
    text = request.query.get(name, "")
    return int(text) if text.isdecimal() and len(text) < 6 else 0
