"""What was done: who looked at what, changed what, took what along; for heads and administrators."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import urlencode

from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access.audit import Line, lines
from gateway.access.deeds import SOME, Deed, Thing
from gateway.access.people import Account, accounts
from gateway.access.person import ANYBODY
from gateway.access.rules import names_for
from gateway.store.schools import KnownPupil, pupils_named, school_ids
from gateway.web.people_words import DEEDS, THINGS, time_words
from gateway.web.rooms import Rooms
from homework.wording import Translate
from ui.language import translator
from ui.pages import language_of, render

_A_PAGE = 100
_PART = re.compile(r"(school|class|assignment|pupil|person)=(.*?)(?= (?:class|assignment|pupil|person)=|$)")


class _Shown(NamedTuple):
    """A line on the page."""

    when: str
    who: str
    deed: str
    thing: str
    detail: str
    refused: bool


def add_audit(rooms: Rooms) -> None:
    """`/audit`."""
    page = _Audit(rooms)
    rooms.page("GET", "/audit", page.show, deed=Deed.SEE_AUDIT, thing=_asked)


def _asked(request: web.Request) -> Thing:
    school = request.query.get("school")
    return Thing(SOME if school is None else school)


class _Audit:
    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    async def show(self, request: web.Request) -> web.Response:
        school, store = request.query.get("school"), self._rooms.store
        await self._rooms.access.audit.flush()  # what was done a moment ago stands in it
        async with store.reading() as connection:
            schools = [name for name in await school_ids(connection) if self._may(request, name)]
            wide = self._may(request, None)
            if school is None and not wide:
                school = schools[0] if schools else None
            if school is not None and school not in schools:
                raise web.HTTPNotFound
            found = await lines(connection, school, before=_before(request), limit=_A_PAGE)
            shown = await self._shown(connection, request, school, found)
        older = None
        if len(found) == _A_PAGE:
            last = found[-1]
            older = "/audit?" + urlencode(
                {**({"school": school} if school is not None else {}), "before": f"{last.at_ms}-{last.id}"}
            )
        return render(
            request,
            "audit.html",
            school=school,
            schools=[(name, "/audit?" + urlencode({"school": name})) for name in schools],
            wide=wide,
            lines=shown,
            older=older,
        )

    def _may(self, request: web.Request, school: str | None) -> bool:
        return self._rooms.may(request, Deed.SEE_AUDIT, Thing(school))

    async def _shown(
        self, connection: AsyncConnection, request: web.Request, school: str | None, found: list[Line]
    ) -> list[_Shown]:
        words, vault = translator(language_of(request)).gettext, self._rooms.store.vault
        parts = [_parts(line.thing) for line in found]
        people = {line.person for line in found} | {int(p["person"]) for p in parts if p.get("person", "").isdigit()}
        who = await accounts(connection, vault, people - {ANYBODY})
        pupils: dict[str, KnownPupil] = {}
        if school is not None:
            aliases = {bytes.fromhex(p["pupil"]) for p in parts if re.fullmatch("[0-9a-f]{32}", p.get("pupil", ""))}
            names = names_for(self._rooms.person(request), school, self._rooms.access.now_ms())
            known = names.open(await pupils_named(connection, vault, school, aliases))
            pupils = {one.pseudonym.hex(): one for one in known}
        return [
            _Shown(
                when=time_words(line.at_ms),
                who=_called(who, line.person, words),
                deed=words(DEEDS.get(line.deed, line.deed)),
                thing=_thing_words(part, who, pupils, words),
                detail="" if line.detail == "refused" else line.detail,
                refused=line.detail == "refused",
            )
            for line, part in zip(found, parts, strict=True)
        ]


def _before(request: web.Request) -> tuple[int, int] | None:
    at_ms, _, number = request.query.get("before", "").partition("-")
    if not (at_ms.isascii() and at_ms.isdigit() and number.isascii() and number.isdigit() and len(at_ms) < 16):
        return None
    return int(at_ms), min(int(number[:16]), 2**62)


def _parts(thing: str) -> dict[str, str]:
    return {found[1]: found[2] for found in _PART.finditer(thing)}


def _called(who: dict[int, Account], number: int, _: Translate) -> str:
    if number == ANYBODY:
        return _("At this machine")
    found = who.get(number)
    return (
        f"{found.name} ({found.login})"
        if found is not None and found.name != found.login
        else (found.login if found is not None else str(number))
    )


def _thing_words(parts: dict[str, str], who: dict[int, Account], pupils: dict[str, KnownPupil], _: Translate) -> str:
    said = []
    for name, value in parts.items():
        shown = value
        if name == "person" and value.isdigit():
            shown = _called(who, int(value), _)
        elif name == "pupil":
            known = pupils.get(value)
            shown = value[:8] if known is None else f"{known.pupil.class_name} {known.pupil.seat} {known.pupil.name}"
        said.append(f"{_(THINGS[name])} {shown or '–'}")
    return " · ".join(said)
