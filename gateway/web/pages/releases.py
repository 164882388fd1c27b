"""A test's results are let out to the pupils and parents of a class, and taken back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access.deeds import Deed
from gateway.access.people import account
from gateway.access.request_keys import THING
from gateway.clock import unix_ms
from gateway.reports.class_report import SchoolReport
from gateway.store.dialect import lock_school
from gateway.store.releases import hold_back, release, release_of
from gateway.store.store import Store
from gateway.web.asking import may_here, person_of
from gateway.web.people_words import time_words
from gateway.web.rooms import REPORT, Rooms, place_of, report_address


class ReleaseView(NamedTuple):
    """What a test's page says of it. `when` is "" while it is held back; `who` "" where nobody signed in."""

    when: str
    who: str
    may: bool


def add_releases(rooms: Rooms) -> None:
    """Both words, each with an address of its own: a second tap says nothing else."""

    async def let_out(connection: AsyncConnection, request: web.Request) -> None:
        school, class_name, assignment = place_of(request)
        who = person_of(request).id
        await release(connection, school, class_name, assignment, person_id=who, at_ms=unix_ms())

    async def take_back(connection: AsyncConnection, request: web.Request) -> None:
        school, class_name, assignment = place_of(request)
        await hold_back(connection, school, class_name, assignment)

    rooms.page("POST", f"{REPORT}/release", _said(rooms, let_out), deed=Deed.RELEASE)
    rooms.page("POST", f"{REPORT}/hold-back", _said(rooms, take_back), deed=Deed.RELEASE)


def _said(
    rooms: Rooms, work: Callable[[AsyncConnection, web.Request], Awaitable[None]]
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handler(request: web.Request) -> web.StreamResponse:
        async with rooms.store.writing() as connection:
            if not await lock_school(connection, request.match_info["school"]):
                raise web.HTTPNotFound
            await work(connection, request)
        raise web.HTTPSeeOther(report_address(*place_of(request)))

    return handler


async def release_view(store: Store, request: web.Request, report: SchoolReport) -> ReleaseView | None:
    """What stands on the report of a test; None for homework, which everybody sees at once."""
    if report.assignment is None or report.assignment.mode != "test":
        return None
    async with store.reading() as connection:
        found = await release_of(connection, report.school, report.class_name, report.assignment_id)
        who = await account(connection, store.vault, found.person_id) if found is not None else None
    return ReleaseView(
        when=time_words(found.released_ms) if found is not None else "",
        who=who.name if who is not None else "",
        may=may_here(request, Deed.RELEASE, request[THING]),
    )
