"""The class lists of a school: bring one in, look at what it changes, keep it; change one; take a change back."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import quote

import msgspec
from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access.deeds import Deed, Thing
from gateway.rosters import Given, Wish, class_changes, given_file, given_text, sent_wish, wish_of
from gateway.store.class_lists import keep_classes, whole_roster
from gateway.store.dialect import lock_school
from gateway.store.past_lists import Classes, all_past, one_past
from gateway.web.asking import may_here, person_of
from gateway.web.office import render_office
from gateway.web.rooms import Rooms, some_class, some_subject
from gateway.web.roster_view import (
    class_address,
    class_views,
    left_out_lines,
    moment,
    past_lines,
    rosters_address,
    summary_of,
    tiles,
)
from homework.edited_lists import edited_class, rows_to_edit
from homework.errors import ClassboxError, UsageError
from homework.oneroster import SeveralSchoolsError
from homework.pasted_roster import without_national
from homework.roster import MAX_SEAT, MAX_TEXT, Roster, roster_to_csv
from ui.forms import sent_form
from ui.language import translator
from ui.pages import language_of
from ui.sent import sent_fields, sent_file
from ui.workbooks import as_pasted

_LISTS = "/schools/{school}/rosters"
_CLASS = _LISTS + "/classes/{class_name}"


def add_rosters(rooms: Rooms) -> None:
    """The page of the lists, the preview, one class, the list as a file, and earlier lists."""
    pages = _Rosters(rooms)
    rooms.page("GET", _LISTS, pages.show, deed=Deed.EDIT_ROSTER, thing=some_class)
    rooms.page("POST", _LISTS, pages.preview, deed=Deed.EDIT_ROSTER, thing=some_class)
    rooms.page("POST", _LISTS + "/keep", pages.keep, deed=Deed.EDIT_ROSTER, thing=some_class)
    rooms.page("POST", _LISTS + r"/past/{number:\d{1,9}}", pages.look_back, deed=Deed.EDIT_ROSTER, thing=some_class)
    rooms.page("GET", _LISTS + "/list.csv", pages.as_csv, deed=Deed.EXPORT, thing=some_class)
    rooms.page("GET", _CLASS + "/list.csv", pages.class_as_csv, deed=Deed.EXPORT, thing=some_subject)
    rooms.page("GET", _CLASS, pages.one, deed=Deed.EDIT_ROSTER)
    rooms.page("POST", _CLASS, pages.change, deed=Deed.EDIT_ROSTER)


class _Rosters:
    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        self._store = rooms.store

    async def show(self, request: web.Request) -> web.Response:
        return await self._page(request)

    async def preview(self, request: web.Request) -> web.Response:
        """What was understood, before anything is kept."""
        post = await sent_form(request)
        fields = sent_fields(post)
        if "again" in fields:
            return await self._page(request, fields)
        known = await self._everybody(request)
        class_name, text = fields.get("class", ""), fields.get("list", "")
        try:
            name, data = sent_file(post, "file")
            if data:
                today = datetime.now().astimezone().date()
                given = await asyncio.to_thread(
                    given_file,
                    data,
                    name,
                    known=known,
                    today=today,
                    class_name=class_name,
                    school=fields.get("from_school", ""),
                )
            else:
                given = await asyncio.to_thread(given_text, text, known=known, class_name=class_name)
            wish = Wish(given.roster.pupils)
            _refuse_others(request, wish.after(known))
        except ClassboxError as refused:
            return await self._page(request, fields, refused)
        back = as_pasted([(p.class_name, str(p.seat), p.name) for p in given.roster.pupils]) if not data else ""
        return _preview(request, wish, known, given, back=back)

    async def look_back(self, request: web.Request) -> web.Response:
        """What taking a change back would do."""
        school = request.match_info["school"]
        async with self._store.reading() as connection:
            past = await one_past(connection, self._store.vault, school, int(request.match_info["number"]))
        if past is None:
            raise web.HTTPNotFound
        known = await self._everybody(request)
        wish = wish_of(past.classes)
        try:
            _refuse_others(request, wish.after(known))
        except UsageError as refused:
            return await self._page(request, refused=refused)
        words = translator(language_of(request)).gettext
        title = words("The lists as they were before {when}").format(when=moment(past.changed_ms))
        return _preview(request, wish, known, Given(known), title=title)

    async def keep(self, request: web.Request) -> web.StreamResponse:
        """Make the classes what was looked at."""
        school, body = request.match_info["school"], sent_fields(await sent_form(request)).get("body", "")
        try:
            async with self._store.writing() as connection:
                known = await self._locked(connection, school)
                after = (await asyncio.to_thread(sent_wish, body, known)).after(known)
                await self._keep(request, connection, after)
        except UsageError as refused:
            return await self._page(request, refused=refused)
        self._rooms.changes.tell_all()
        kept = quote(translator(language_of(request)).gettext(", ").join(name for name in after if after[name]))
        raise web.HTTPSeeOther(f"{rosters_address(school)}?kept={kept}")

    async def one(self, request: web.Request) -> web.Response:
        """One class to edit."""
        return self._class_page(request, await self._everybody(request))

    async def change(self, request: web.Request) -> web.StreamResponse:
        """Keep a class as it was edited."""
        school, name = request.match_info["school"], request.match_info["class_name"]
        fields = sent_fields(await sent_form(request))
        known = Roster(())
        try:
            async with self._store.writing() as connection:
                known = await self._locked(connection, school)
                if fields.get("before") != wish_of({name: known.of_class(name)}).looked_at(known).before:
                    raise UsageError("The list was changed on another page.", remedy="Load the page again.")
                after = wish_of(edited_class(name, fields, known)).after(known)
                await self._keep(request, connection, after)
        except ClassboxError as refused:
            return self._class_page(request, known, fields, refused)
        self._rooms.changes.tell_all()
        raise web.HTTPSeeOther(f"{class_address(school, name)}?kept=1" if after[name] else rosters_address(school))

    async def as_csv(self, request: web.Request) -> web.Response:
        """All classes that the reader may edit, for Excel."""
        return _csv(await self._mine(request), "classes.csv")

    async def class_as_csv(self, request: web.Request) -> web.Response:
        """One class."""
        name = request.match_info["class_name"]
        pupils = (await self._mine(request)).of_class(name)
        if not pupils:
            raise web.HTTPNotFound
        return _csv(Roster(pupils), f"{name}.csv")

    async def _everybody(self, request: web.Request) -> Roster:
        async with self._store.reading() as connection:
            return await whole_roster(connection, self._store.vault, request.match_info["school"])

    async def _mine(self, request: web.Request) -> Roster:
        """The pupils of the classes that the reader may edit."""
        roster = await self._everybody(request)
        mine = {name for name in roster.classes() if _may_edit(request, name)}
        return Roster(tuple(pupil for pupil in roster.pupils if pupil.class_name in mine))

    async def _locked(self, connection: AsyncConnection, school: str) -> Roster:
        await lock_school(connection, school)
        return await whole_roster(connection, self._store.vault, school)

    async def _keep(self, request: web.Request, connection: AsyncConnection, after: Classes) -> None:
        _refuse_others(request, after)
        school, person = request.match_info["school"], person_of(request).id
        await keep_classes(connection, self._store.vault, school, after, person=person)
        await self._store.tell_others(connection, [(school, None, None)])

    async def _page(
        self, request: web.Request, fields: Mapping[str, str] | None = None, refused: ClassboxError | None = None
    ) -> web.Response:
        """The classes, the field to paste another list into, and what can be put back."""
        school = request.match_info["school"]
        words = translator(language_of(request)).gettext
        roster = await self._mine(request)
        async with self._store.reading() as connection:
            past = await all_past(connection, self._store.vault, school)
        fields = fields or {}
        mine = [one for one in past if all(_may_edit(request, name) for name in one.classes)]
        return render_office(
            request,
            "rosters.html",
            status=200 if refused is None else 400,
            address=rosters_address(school),
            classes=tiles(roster, school, words),
            kept=request.query.get("kept", ""),
            class_name=fields.get("class", ""),
            text=without_national(fields.get("list", "")),
            schools=refused.schools if isinstance(refused, SeveralSchoolsError) else (),
            refused=refused.said(words) if refused is not None else None,
            past=past_lines(mine, words),
            most_text=MAX_TEXT,
        )

    def _class_page(
        self,
        request: web.Request,
        roster: Roster,
        fields: Mapping[str, str] | None = None,
        refused: ClassboxError | None = None,
    ) -> web.Response:
        """One class to edit."""
        school, name = request.match_info["school"], request.match_info["class_name"]
        pupils = roster.of_class(name)
        if not pupils:
            raise web.HTTPNotFound
        words = translator(language_of(request)).gettext
        return render_office(
            request,
            "roster_class.html",
            status=200 if refused is None else 400,
            lists=rosters_address(school),
            address=class_address(school, name),
            class_name=name,
            rows=rows_to_edit(pupils, fields),
            before=wish_of({name: pupils}).looked_at(roster).before,
            classes=[other for other in roster.classes() if other == name or _may_edit(request, other)],
            refused=refused.said(words) if refused is not None else None,
            kept="kept" in request.query,
            most_seat=MAX_SEAT,
            most_text=MAX_TEXT,
        )


def _preview(
    request: web.Request, wish: Wish, known: Roster, given: Given, *, title: str = "", back: str = ""
) -> web.Response:
    """What keeping a wish would do. `back`: the pasted list, to change it."""
    school = request.match_info["school"]
    words = translator(language_of(request)).gettext
    changes = class_changes(wish.after(known), known)
    return render_office(
        request,
        "roster_preview.html",
        address=rosters_address(school),
        title=title,
        classes=class_views(changes, words),
        summary=summary_of(changes, words),
        notes=[note.said(words) for note in given.notes],
        left_out=left_out_lines(given, words),
        body=msgspec.json.encode(wish.looked_at(known)).decode(),
        back=back,
    )


def _may_edit(request: web.Request, class_name: str) -> bool:
    return may_here(request, Deed.EDIT_ROSTER, Thing(school=request.match_info["school"], class_name=class_name))


def _refuse_others(request: web.Request, after: Classes) -> None:
    """Raises `UsageError` where a list would change classes that the reader may not."""
    others = [name for name in after if not _may_edit(request, name)]
    if others:
        raise UsageError(
            "The list would change classes that are not yours: {classes}.",
            remedy="Leave their pupils out, or ask the head to bring it in.",
            classes=", ".join(others[:10]),
        )


def _csv(roster: Roster, name: str) -> web.Response:
    return web.Response(
        body=b"\xef\xbb\xbf" + roster_to_csv(roster).encode(),
        content_type="text/csv",
        charset="utf-8",
        headers={"Content-Disposition": f"attachment; filename=\"classes.csv\"; filename*=UTF-8''{quote(name)}"},
    )
