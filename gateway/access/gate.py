"""The gate before every page of the school: who asks, and whether the rules let them do that to that.

It decides by the room that a request was led to, not by its address, so that no way of writing an address goes round
it. A route that is no room is closed. What goes on for long (a live page's stream) ends with what let it in: the
session, or the grant.
"""

from __future__ import annotations

import asyncio
import inspect
import ipaddress
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import quote

import msgspec
from aiohttp import web
from aiohttp.typedefs import Middleware
from sqlalchemy import select

from gateway.access.access import Access
from gateway.access.deeds import Deed, Thing
from gateway.access.person import Person, anybody_here
from gateway.access.request_keys import NOTED, PERSON, THING
from gateway.access.rules import lacks_second_factor, may
from gateway.store.reading import assignments_named
from gateway.store.tables.schools import pupils
from gateway.web.rooms import Room, Rooms
from gateway.web.ways import signed_view
from homework.load import subject_of
from sync.errors import StoreTrouble
from ui.pages import SIGNED, Handler
from ui.sessions import read_cookie
from ui.strangers import SAFE_METHODS, is_our_name, refuse_strangers

_log = logging.getLogger(__name__)
LOOKS = frozenset({Deed.SEE_CLASS, Deed.SEE_PUPIL, Deed.SEE_CROP, Deed.SEE_AUDIT})
"""What shows names or single children: each look is written down."""
_OWN = frozenset({Deed.OPEN, Deed.OWN_ACCOUNT, Deed.SEE_START})
_LOOK_EVERY_S = 2.0
_MOST_SUBJECTS = 10_000
_SUBJECT_LASTS_MS = 10_000
"""So long what an assignment says is remembered: another version of it may come."""


class Door(NamedTuple):
    """How the pages are reached. `open`: whoever reaches them may everything. `names`: those that are ours."""

    open: bool = True
    names: Collection[str] = ()
    any_address: bool = False
    behind_proxy: bool = False


class _Held(msgspec.Struct, frozen=True, eq=False):
    """An answer that is being given."""

    session: bytes
    deed: Deed
    thing: Thing
    transport: asyncio.Transport


@dataclass(eq=False)
class Gate:
    """Middleware. `others` are further ways to say who asks (keys of programs), looked at where no session is."""

    access: Access
    rooms: Rooms
    door: Door = field(default_factory=Door)
    others: list[Callable[[web.Request], Awaitable[Person | None]]] = field(default_factory=list)
    _held: set[_Held] = field(default_factory=set)
    _subjects: OrderedDict[tuple[str, str], tuple[int, str | None]] = field(default_factory=OrderedDict)

    def middleware(self) -> Middleware:
        """What goes into `app.middlewares`, inside the one that adds the security headers."""

        @web.middleware
        async def gate(request: web.Request, handler: Handler) -> web.StreamResponse:
            if self.door.behind_proxy:
                request = _as_the_proxy_saw(request)
            if not is_our_name(request.headers.get("Host", ""), self.door.names, any_address=self.door.any_address):
                raise web.HTTPMisdirectedRequest
            if request.method not in SAFE_METHODS:
                refuse_strangers(request)
            room = self.rooms.room_of(request)
            if room is None:
                if request.match_info.route.resource is None or self.rooms.is_open_file(request):
                    return await handler(request)  # nowhere at all (404, 405), or a file that says nothing of anybody
                raise web.HTTPForbidden
            return await self._pass(room, request, handler)

        return gate

    async def _pass(self, room: Room, request: web.Request, handler: Handler) -> web.StreamResponse:
        person = await self._who(room, request)
        if person is not None:
            request[PERSON], request[SIGNED] = person, signed_view(person, self.access.now_ms())
        elif room.deed is not Deed.OPEN:  # the database is not asked about anything for whoever is not signed in
            raise self._refused(None, room, request, Thing())
        thing = await self._what(person, room, request)
        request[THING] = thing
        now_ms = self.access.now_ms()
        if not may(person, room.deed, thing, now_ms):
            raise self._refused(person, room, request, thing)
        if person is None or room.deed in _OWN:
            return await self._given(person, room.deed, thing, request, handler)
        if room.deed is Deed.EXPORT:
            self.access.audit.note(person.id, room.deed, thing, _written(room))
            await self.access.audit.flush()  # before the first byte of it goes out
        status = 500
        try:
            response = await self._given(person, room.deed, thing, request, handler)
            status = response.status
        except web.HTTPException as raised:
            status = raised.status
            raise
        finally:
            if request.get(NOTED):  # by the page itself, in more detail
                pass
            elif status < 400 and request.method not in SAFE_METHODS:
                self.access.audit.note(person.id, room.deed, thing, _written(room))
            elif status < 400 and room.deed in LOOKS:
                self.access.audit.note_look(person.id, room.deed, thing)
        return response

    # --- who, and what --------------------------------------------------------------------------------------------

    async def _who(self, room: Room, request: web.Request) -> Person | None:
        if self.door.open:
            return anybody_here()
        token = read_cookie(request)
        try:
            person = await self.access.sessions.person(token) if token is not None else None
            for other in self.others if person is None else ():
                person = await other(request)
                if person is not None:
                    break
        except StoreTrouble:
            if room.deed is Deed.OPEN:  # `/health` and the sign-in page say themselves what is wrong
                return None
            raise
        return person

    async def _what(self, person: Person | None, room: Room, request: web.Request) -> Thing:
        """What it is about, with what only the database knows: the class of a pupil, the subject of an assignment."""
        found = room.thing(request)
        thing = await found if inspect.isawaitable(found) else found
        school = thing.school
        if person is None or not isinstance(school, str) or may(person, room.deed, thing, self.access.now_ms()):
            return thing
        if thing.pupil is not None and thing.class_name is None:
            thing = thing._replace(class_name=await self._class_of(school, thing.pupil))
        if thing.assignment is not None and thing.subject is None:
            thing = thing._replace(subject=await self._subject_of(school, thing.assignment))
        return thing

    async def _class_of(self, school: str, pupil: bytes) -> str | None:
        async with self.access.store.reading() as connection:
            query = select(pupils.c.class_name).where(pupils.c.school_id == school, pupils.c.pseudonym == pupil)
            return await connection.scalar(query)

    async def _subject_of(self, school: str, assignment: str) -> str | None:
        now_ms = self.access.now_ms()
        known = self._subjects.pop((school, assignment), None)
        if known is None or not 0 <= now_ms - known[0] < _SUBJECT_LASTS_MS:
            async with self.access.store.reading() as connection:
                document = (await assignments_named(connection, school, {assignment})).get(assignment)
            known = now_ms, None if document is None else subject_of(document.subject)
        self._subjects[school, assignment] = known
        while len(self._subjects) > _MOST_SUBJECTS:
            self._subjects.popitem(last=False)
        return known[1]

    # --- no -------------------------------------------------------------------------------------------------------

    def _refused(self, person: Person | None, room: Room, request: web.Request, thing: Thing) -> web.HTTPException:
        visit = request.method in ("GET", "HEAD") and _is_page_visit(request)
        if person is None:
            if visit:
                return web.HTTPSeeOther(f"/login?next={_quoted(request)}")
            return web.HTTPUnauthorized()
        if lacks_second_factor(person, room.deed, thing, self.access.now_ms()):
            if visit:
                return web.HTTPSeeOther("/me?second")
        else:
            self.access.audit.note_look(person.id, room.deed, thing, "refused")
        return web.HTTPForbidden()

    # --- what goes on ends with what let it in ----------------------------------------------------------------------

    async def _given(
        self, person: Person | None, deed: Deed, thing: Thing, request: web.Request, handler: Handler
    ) -> web.StreamResponse:
        if person is None or not person.session or request.transport is None:
            return await handler(request)
        held = _Held(person.session, deed, thing, request.transport)
        self._held.add(held)
        try:
            return await handler(request)
        finally:
            self._held.discard(held)

    async def watch(self) -> None:
        """Close, every two seconds, what is still open of sessions and grants that have ended; until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            try:
                await self.sweep()
            except StoreTrouble as trouble:
                _log.info("open pages are not looked at: %s", trouble)

    async def sweep(self) -> None:
        """Close what is still open of sessions and grants that have ended. Raises `StoreTrouble`."""
        for held in list(self._held):
            person = await self.access.sessions.person_by(held.session)
            if person is None or not may(person, held.deed, held.thing, self.access.now_ms()):
                held.transport.abort()


def _as_the_proxy_saw(request: web.Request) -> web.Request:
    """The request with the caller's address and scheme as our own proxy wrote them down: the last of each list.

    What comes before the last the caller may have written, also in a header of the same name of its own: some proxies
    add a line and leave that one. Nobody out on the internet is our proxy, whatever they say.
    """
    if not may_be_our_proxy(request.remote):
        return request
    remote = _last(request, "X-Forwarded-For") or request.remote or ""
    scheme = _last(request, "X-Forwarded-Proto") or "https"
    return request.clone(remote=remote, scheme=scheme if scheme in ("http", "https") else "https")


def _last(request: web.Request, name: str) -> str:
    return ",".join(request.headers.getall(name, [])).rpartition(",")[2].strip()


def may_be_our_proxy(remote: str | None) -> bool:
    """On this machine (also through a socket without addresses) or in a private network."""
    try:
        address = ipaddress.ip_address((remote or "127.0.0.1").partition("%")[0])
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_private


def _written(room: Room) -> str:
    """How the audit calls what was done there: the last of the address that names nothing, as `keep` or `.csv`."""
    last = next((part for part in reversed(room.path.split("/")) if not part.endswith("}")), "")
    return last.rpartition("}")[2]


def _is_page_visit(request: web.Request) -> bool:
    """Whether a person opens a page, who is best led to the sign-in."""
    mode = request.headers.get("Sec-Fetch-Mode")
    return mode == "navigate" if mode is not None else "text/html" in request.headers.get("Accept", "")


def _quoted(request: web.Request) -> str:
    return quote(request.rel_url.raw_path_qs, safe="/")
