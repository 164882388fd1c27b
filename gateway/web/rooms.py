"""The rooms of the gateway's web site: the only way to register a page, and with it what the page does and to what.

A route that is not a room is closed (`Rooms.room_of` is None, and whoever comes is refused), so that no page can be
forgotten by the rules.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from aiohttp import ClientConnectionResetError, web
from aiohttp_sse import sse_response

from gateway.access.access import Access
from gateway.access.deeds import SOME, Deed, Thing
from gateway.access.person import Person
from gateway.access.request_keys import PERSON
from gateway.access.rules import may
from gateway.figures import Figures
from gateway.ingest import Changed
from gateway.store.store import Store
from gateway.web.changes import Changes
from ui.assets import served_from
from ui.pages import SECURITY_HEADERS, Handler

REPORT = "/schools/{school}/classes/{class_name}/assignments/{assignment}"
"""The address of a class report. `-` is the class of pages whose class nobody knows."""
_SHORT_PAUSE_S = 0.25
"""The least time between two messages to one page: a stack of 45 is many small changes, a page needs few."""


class Status(NamedTuple):
    """What the program says of itself beside the store."""

    broker_connected: bool
    counts: dict[str, int]
    broker_shares: bool = False
    """Among several gateways."""
    listens: bool = False
    """Whether it is this one of several that hears the hellos."""
    ending: bool = False
    """It was told to stop, and answers only what has begun."""


ThingOf = Callable[[web.Request], Thing | Awaitable[Thing]]
"""What a request is about. One that has to ask the database is a coroutine."""


class Room(NamedTuple):
    """A route: how it is asked, and what it does."""

    method: str
    path: str
    """As aiohttp writes it, `/schools/{school}`."""
    deed: Deed
    thing: ThingOf


def thing_of_address(request: web.Request) -> Thing:
    """School, class, assignment and pupil as the address names them. Raises `HTTPNotFound` for a pupil that is none."""
    info = request.match_info
    class_name = info.get("class_name")
    try:
        pupil = bytes.fromhex(info["pupil"]) if "pupil" in info else None
    except ValueError as error:
        raise web.HTTPNotFound from error
    return Thing(
        school=info.get("school"),
        class_name="" if class_name == "-" else class_name,
        assignment=info.get("assignment"),
        pupil=pupil,
    )


def some_subject(request: web.Request) -> Thing:
    """As the address names it, for a page about a class that shows only the subjects that the reader may see."""
    return thing_of_address(request)._replace(subject=SOME)


def some_class(request: web.Request) -> Thing:
    """As the address names it, for a page about a school that shows only the classes that the reader may see."""
    return thing_of_address(request)._replace(class_name=SOME, subject=SOME)


def place_of(request: web.Request) -> tuple[str, str, str]:
    """School, class and assignment of a report's address."""
    thing = thing_of_address(request)
    assert isinstance(thing.school, str)
    assert isinstance(thing.class_name, str)
    assert thing.assignment is not None
    return thing.school, thing.class_name, thing.assignment


def report_address(school: str, class_name: str, assignment: str) -> str:
    """The address of a class report's page."""
    return f"/schools/{quote(school, '')}/classes/{quote(class_name, '') or '-'}/assignments/{quote(assignment, '')}"


@dataclass
class Rooms:
    """Registers pages with an application, and hands them what they need."""

    app: web.Application
    store: Store
    changes: Changes
    status: Callable[[], Status]
    figures: Figures
    access: Access
    rooms: list[Room] = field(default_factory=list)
    _by_route: dict[tuple[str, str], Room] = field(default_factory=dict)
    _open: set[str] = field(default_factory=lambda: {"/ui/{name}"})

    def page(
        self,
        method: str,
        path: str,
        handler: Handler,
        *,
        deed: Deed,
        thing: ThingOf = thing_of_address,
    ) -> None:
        """Register a page. `deed` and `thing` are what the rules are asked about before `handler` runs."""
        resource = self.app.router.add_route(method, path, handler).resource
        assert resource is not None
        room = Room(method, resource.canonical, deed, thing)
        self.rooms.append(room)
        for each in (method, "HEAD") if method == "GET" else (method,):
            self._by_route[each, resource.canonical] = room
        if method == "GET":
            self.app.router.add_route("HEAD", path, handler)

    def files(self, prefix: str, folder: Path) -> None:
        """Register a folder of files that say nothing of anybody: scripts, styles."""
        resource = self.app.router.add_get(f"{prefix}/{{name}}", served_from(folder)).resource
        assert resource is not None
        self._open.add(resource.canonical)

    def room_of(self, request: web.Request) -> Room | None:
        """The room that a request was led to; None where there is none."""
        resource = request.match_info.route.resource
        return None if resource is None else self._by_route.get((request.method, resource.canonical))

    def is_open_file(self, request: web.Request) -> bool:
        """Whether the request was led to a shared file."""
        resource = request.match_info.route.resource
        return resource is not None and resource.canonical in self._open

    def person(self, request: web.Request) -> Person:
        """Who asks; not in rooms that are open to everybody."""
        person = request[PERSON]
        assert isinstance(person, Person)
        return person

    def may(self, request: web.Request, deed: Deed, thing: Thing) -> bool:
        """Whether whoever asks may do a further thing, beside what the room is for."""
        return may(request.get(PERSON), deed, thing, self.access.now_ms())

    def require(self, request: web.Request, deed: Deed, thing: Thing) -> None:
        """Raises `HTTPForbidden` unless whoever asks may do that, too."""
        if not self.may(request, deed, thing):
            raise web.HTTPForbidden

    async def stream(self, request: web.Request, watched: Changed | None) -> web.StreamResponse:
        """Says `changed` whenever `watched` has, or with None whenever anything has."""
        self.figures.stream(1)
        try:
            async with sse_response(request, headers=SECURITY_HEADERS) as response:
                with self.changes.watching(watched) as subscription, suppress(ClientConnectionResetError):
                    while await subscription.wait() and response.is_connected():
                        await response.send("now", event="changed")  # raises when the page was closed just now
                        await asyncio.sleep(_SHORT_PAUSE_S)
            return response
        finally:
            self.figures.stream(-1)
