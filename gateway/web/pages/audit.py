"""What was done: who looked at what, changed what, took what along; for heads and administrators."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from datetime import timedelta
from typing import NamedTuple
from urllib.parse import urlencode

from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access.audit import Line, Wanted, lines
from gateway.access.deeds import SOME, Deed, Thing
from gateway.access.people import Account, account_called, accounts, accounts_of, known_as
from gateway.access.person import ANYBODY
from gateway.access.program_keys import keys_of
from gateway.access.rules import names_for
from gateway.reports.periods import start_ms
from gateway.store.audit_lines import who_at_terminal
from gateway.store.reading import assignments_named
from gateway.store.schools import pupils_named, school_titles
from gateway.web.audit_words import REFUSED, deed_words, thing_words
from gateway.web.found import day_asked
from gateway.web.people_words import time_words
from gateway.web.rooms import Rooms
from homework.wording import Translate
from sync.pseudonym import PSEUDONYM_BYTES
from ui.language import translator
from ui.pages import language_of, render

_A_PAGE = 100
_PARTS = "school|class|assignment|pupil|person|month|seat|item|box"
_PART = re.compile(rf"({_PARTS})=(.*?)(?= (?:{_PARTS})=|$)")
_PUPIL = re.compile(f"[0-9a-f]{{{2 * PSEUDONYM_BYTES}}}")


class _Shown(NamedTuple):
    """A line on the page. `person` leads to what else the same one did."""

    when: str
    who: str
    person: str
    deed: str
    thing: str
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
        """`person` is a number, a name to sign in with or a name, `day` a day; both may be left out."""
        school, store = request.query.get("school"), self._rooms.store
        person, day = request.query.get("person", "").strip()[:64], day_asked(request, "day")
        await self._rooms.access.audit.flush()  # what was done a moment ago stands in it
        async with store.reading() as connection:
            titles = await school_titles(connection)
            schools = [name for name in titles if self._may(request, name)]
            wide = self._may(request, None)
            if school is None and not wide:
                school = schools[0] if schools else None
            if school is not None and school not in schools:
                raise web.HTTPNotFound
            people = await self._people(connection, school, person) if person else None
            wanted = Wanted(people)
            if day is not None:
                wanted = Wanted(people, start_ms(day), start_ms(day + timedelta(days=1)))
            found = await lines(connection, school, wanted, before=_before(request), limit=_A_PAGE)
            shown = await self._shown(connection, request, school, found)
        kept = {"school": school, "person": person, "day": "" if day is None else day.isoformat()}

        def where(**more: str) -> str:
            query = {name: value for name, value in (kept | more).items() if value}
            return "/audit?" + urlencode(query) if query else "/audit"

        last = found[-1] if len(found) == _A_PAGE else None
        return render(
            request,
            "audit.html",
            school=school,
            title=titles.get(school or "", ""),
            schools=[(name, titles[name], "/audit?" + urlencode({"school": name})) for name in schools],
            wide=wide,
            lines=shown,
            person=person,
            day=kept["day"],
            nobody=people is not None and not people,
            all_of_it=where(person="", day=""),
            of_person={line.person: where(person=line.person) for line in shown},
            newest=where() if _before(request) is not None else "",
            older="" if last is None else where(before=f"{last.at_ms}-{last.id}"),
        )

    def _may(self, request: web.Request, school: str | None) -> bool:
        return self._rooms.may(request, Deed.SEE_AUDIT, Thing(school))

    async def _people(self, connection: AsyncConnection, school: str | None, person: str) -> Collection[int]:
        """Whom that may be: a number, a name to sign in with, or everybody of that name."""
        if person.isascii() and person.isdecimal() and len(person) <= _LONGEST_NUMBER:
            return {int(person)}
        vault = self._rooms.store.vault
        everybody = await accounts_of(connection, vault, school)
        named = {one.id for one in everybody if known_as(person) in (one.login, known_as(one.name))}
        one = await account_called(connection, vault, person) if school is None else None
        return named | ({one.id} if one is not None else set())

    async def _shown(
        self, connection: AsyncConnection, request: web.Request, school: str | None, found: list[Line]
    ) -> list[_Shown]:
        words, vault = translator(language_of(request)).gettext, self._rooms.store.vault
        parts = [_parts(line.thing) for line in found]
        people = {line.person for line in found} | {int(p["person"]) for p in parts if p.get("person", "").isdecimal()}
        who = await accounts(connection, vault, people - {ANYBODY})
        called: dict[str, Callable[[str], str]] = {
            "person": lambda value: _called(who, programs, int(value), words) if value.isdecimal() else value
        }
        programs = {key.id: key.title for key in await keys_of(connection, school)}
        if school is not None:
            called |= await self._of_school(connection, request, school, parts)
        return [
            _Shown(
                when=time_words(line.at_ms),
                who=_who(line, who, programs, words),
                person=str(line.person),
                deed=deed_words(line.deed, line.detail, words),
                thing=thing_words(part, called, words),
                refused=line.detail == REFUSED,
            )
            for line, part in zip(found, parts, strict=True)
        ]

    async def _of_school(
        self, connection: AsyncConnection, request: web.Request, school: str, parts: list[dict[str, str]]
    ) -> Mapping[str, Callable[[str], str]]:
        """What homework and pupils are called: those whose names the reader may see."""
        vault, now_ms = self._rooms.store.vault, self._rooms.access.now_ms()
        named = await assignments_named(connection, school, {p["assignment"] for p in parts if "assignment" in p})
        aliases = {bytes.fromhex(p["pupil"]) for p in parts if _PUPIL.fullmatch(p.get("pupil", ""))}
        names = names_for(self._rooms.person(request), school, now_ms)
        known = names.open(await pupils_named(connection, vault, school, aliases))
        pupils = {one.pseudonym.hex(): f"{one.pupil.class_name} {one.pupil.name}" for one in known}
        return {
            "assignment": lambda value: named[value].title if value in named else value,
            "pupil": lambda value: pupils.get(value, value[:8]),
        }


_LONGEST_NUMBER = 18
"""Digits: what the database holds."""


def _before(request: web.Request) -> tuple[int, int] | None:
    at_ms, _, number = request.query.get("before", "").partition("-")
    if not (at_ms.isascii() and at_ms.isdigit() and number.isascii() and number.isdigit() and len(at_ms) < 16):
        return None
    return int(at_ms), min(int(number[:16]), 2**62)


def _parts(thing: str) -> dict[str, str]:
    return {found[1]: found[2] for found in _PART.finditer(thing)}


def _who(line: Line, who: dict[int, Account], programs: dict[int, str], _: Translate) -> str:
    user, _detail = who_at_terminal(line.detail)
    if user is None or line.person != ANYBODY:
        return _called(who, programs, line.person, _)
    return _("At the terminal: {user}").format(user=user) if user else _("At the terminal")


def _called(who: dict[int, Account], programs: dict[int, str], number: int, _: Translate) -> str:
    if number == ANYBODY:
        return _("At this machine")
    if number in programs:
        return _("Program {title}").format(title=programs[number])
    found = who.get(number)
    if found is None:
        return str(number)
    return f"{found.name} ({found.login})" if found.name != found.login else found.login
