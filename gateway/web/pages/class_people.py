"""The accounts of a class's pupils and parents, and their invitations on slips of paper."""

from __future__ import annotations

import asyncio
import io
from datetime import datetime
from typing import NamedTuple
from urllib.parse import quote

import segno
from aiohttp import web

from gateway.access.class_invites import PupilAccount, class_accounts, invite_class
from gateway.access.deeds import Deed, Thing
from gateway.access.links import LASTS_MS, Kind
from gateway.access.person import Grant, Role
from gateway.access.request_keys import NOTED
from gateway.access.rules import may_grant, names_for
from gateway.store.schools import KnownPupil, class_pupils, school_ids
from gateway.web.found import attachment
from gateway.web.pages.people import leads_here_only, people_address
from gateway.web.people_words import ROLES
from gateway.web.rooms import Rooms
from homework.sheets.invites import CHINESE_INVITES, ENGLISH_INVITES, Invite, make_invites
from ui.apart import apart
from ui.forms import small_form
from ui.language import translator
from ui.pages import language_of, render

_PLACE = "/schools/{school}/people/classes/{class_name}"
_OF_CHILDREN = (Role.PUPIL, Role.PARENT)


class _Line(NamedTuple):
    """A pupil on the page, with the accounts that there are."""

    seat: int
    name: str
    accounts: tuple[tuple[str, PupilAccount], ...]


def add_class_people(rooms: Rooms) -> None:
    """The page of a class's accounts, and its slips."""
    people = _ClassPeople(rooms)
    rooms.page("GET", _PLACE, people.show, deed=Deed.MANAGE_PEOPLE)
    rooms.page("POST", f"{_PLACE}/slips", people.slips, deed=Deed.MANAGE_PEOPLE)


class _ClassPeople:
    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    async def show(self, request: web.Request) -> web.Response:
        school, class_name = request.match_info["school"], request.match_info["class_name"]
        store, now_ms = self._rooms.store, self._rooms.access.now_ms()
        async with store.reading() as connection:
            if school not in await school_ids(connection):
                raise web.HTTPNotFound
            pupils = await class_pupils(connection, store.vault, school, class_name)
            found = {
                role: await class_accounts(connection, store.vault, school, class_name, role, now_ms=now_ms)
                for role in _OF_CHILDREN
            }
        return render(
            request,
            "class_people.html",
            school=school,
            class_name=class_name,
            lines=[self._line(request, school, known, found) for known in pupils],
            open_invitations={role.value: len(pupils) - sum(a.taken_up for a in found[role]) for role in _OF_CHILDREN},
            place=f"{people_address(school)}/classes/{quote(class_name, '')}",
            people=people_address(school),
            only_here=leads_here_only(request),
        )

    async def slips(self, request: web.Request) -> web.Response:
        """A PDF with an invitation for every pupil, or every pupil's parents, who has not taken one up yet."""
        school, class_name = request.match_info["school"], request.match_info["class_name"]
        role, person = (await small_form(request)).get("role", ""), self._rooms.person(request)
        if role not in _OF_CHILDREN:
            raise web.HTTPBadRequest
        chosen, now_ms, store = Role(role), self._rooms.access.now_ms(), self._rooms.store
        if not may_grant(person, Grant(chosen, school, class_name, None, b"", now_ms, None), now_ms):
            raise web.HTTPForbidden
        async with store.writing() as connection:
            if school not in await school_ids(connection):
                raise web.HTTPNotFound
            made = await invite_class(connection, store.vault, school, class_name, chosen, by=person.id, now_ms=now_ms)
        self._rooms.access.audit.note(
            person.id, Deed.MANAGE_PEOPLE, Thing(school, class_name), f"slips {chosen.value}: {len(made)}"
        )
        request[NOTED] = True
        language = language_of(request)
        words = translator(language).gettext
        names = names_for(person, school, now_ms)
        invites = [
            Invite(
                class_name=class_name,
                seat=one.known.pupil.seat,
                name=one.known.pupil.name if names.shows(one.known.pseudonym) else "",
                whose=words(ROLES[chosen]),
                login=one.login,
                address=(address := f"{request.scheme}://{request.host}/{Kind.INVITE.value}/{one.secret}"),
                qr=_qr(address),
            )
            for one in made
        ]
        until = datetime.fromtimestamp((now_ms + LASTS_MS[Kind.INVITE]) / 1000).astimezone().strftime("%Y-%m-%d")
        printed = CHINESE_INVITES if language == "zh-CN" else ENGLISH_INVITES
        body = await asyncio.to_thread(apart, make_invites, invites, until=until, words=printed)
        name = f"{class_name} {words(ROLES[chosen])}"
        headers = {"Content-Disposition": attachment(name, "pdf"), "Content-Type": "application/pdf"}
        return web.Response(body=body, headers=headers)

    def _line(
        self, request: web.Request, school: str, known: KnownPupil, found: dict[Role, list[PupilAccount]]
    ) -> _Line:
        names = names_for(self._rooms.person(request), school, self._rooms.access.now_ms())
        (shown,) = names.open([known])
        accounts = tuple(
            (ROLES[role], one) for role in _OF_CHILDREN for one in found[role] if one.known.pseudonym == known.pseudonym
        )
        return _Line(known.pupil.seat, shown.pupil.name, accounts)


def _qr(address: str) -> str:
    """The address as a picture that can be printed."""
    picture = io.BytesIO()
    segno.make(address, error="m", micro=False).save(picture, kind="svg", border=2, xmldecl=False)
    return picture.getvalue().decode()
