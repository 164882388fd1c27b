"""A gateway with two schools, reached with keys of programs and by people who are signed in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest_asyncio
from aiohttp import ClientResponse, DummyCookieJar, web
from aiohttp.test_utils import TestClient, TestServer
from argon2 import PasswordHasher

from gateway.access import grants as giving
from gateway.access.access import Access
from gateway.access.gate import Door
from gateway.access.passwords import Passwords
from gateway.access.people import add_person
from gateway.access.person import Grant, Role, anybody_here
from gateway.access.program_keys import make_key
from gateway.config import load_config
from gateway.simulated_school import SimulatedSchool, make_school
from gateway.store.store import Store, open_store
from gateway.web.changes import Changes
from gateway.web.rooms import Rooms, Status
from gateway.web.site import make_rooms
from homework.assignment import parse_assignment
from sync.lanes import Lane
from tests.gateway.databases import store_lines

OWN, OTHER, CLASS = "no-1", "no-2", "3-1"
ASSIGNMENT = parse_assignment(
    (Path(__file__).resolve().parents[3] / "examples" / "g3-mul-2x1.toml").read_text(encoding="utf-8")
)
REPORT = f"/api/1/schools/{OWN}/classes/{CLASS}/assignments/{ASSIGNMENT.id}/report"
QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@dataclass
class Office:
    """`ask` with a key, or as somebody who is signed in."""

    store: Store
    access: Access
    rooms: Rooms
    client: TestClient[web.Request, web.Application]
    schools: dict[str, SimulatedSchool]
    cookies: dict[str, str] = field(default_factory=dict)
    reader: str = ""
    """A key that sees the classes of the own school."""
    taker: str = ""
    """A key that takes the results of the own school out."""
    both: str = ""
    writer: str = ""

    async def key(self, *scopes: str, school: str = OWN, days: int = 1) -> str:
        """A new key of a school."""
        async with self.store.writing() as connection:
            return await make_key(
                connection,
                school,
                anybody_here(),
                title="The register",
                scopes=scopes,
                days=days,
                now_ms=self.access.now_ms(),
            )

    async def ask(
        self, key: str | None, path: str, method: str = "GET", *, headers: Mapping[str, str] | None = None, **more: Any
    ) -> ClientResponse:
        """What a program is answered."""
        sent = {} if key is None else {"Authorization": f"Bearer {key}"}
        headers = {"Accept-Language": "en", **sent, **(headers or {})}
        return await self.client.request(method, path, headers=headers, allow_redirects=False, **more)

    async def json(self, key: str | None, path: str, method: str = "GET", **more: Any) -> Any:
        """The JSON of an answer that has to be good."""
        response = await self.ask(key, path, method, **more)
        assert response.status < 300, await response.text()
        return await response.json()

    async def let_in(self, who: str, *grants: Grant, strong: bool = False) -> None:
        """Somebody with a browser that is signed in."""
        async with self.store.writing() as connection:
            now_ms = self.access.now_ms()
            person = await add_person(connection, self.store.vault, login=who, name=f"Name of {who}", now_ms=now_ms)
            for grant in grants:
                await giving.give(connection, person, grant, by=0)
            self.cookies[who] = await self.access.sessions.open(connection, person, "A browser", strong=strong)

    async def visit(self, who: str, path: str, method: str = "GET", **more: Any) -> ClientResponse:
        """What somebody's browser is answered."""
        headers = {"Cookie": f"classbox={self.cookies[who]}", "Sec-Fetch-Site": "same-origin", "Accept-Language": "en"}
        return await self.client.request(method, path, headers=headers, allow_redirects=False, **more)


def granted(role: Role, school: str | None = OWN, class_name: str | None = None, subject: str | None = None) -> Grant:
    """A role that goes on."""
    return Grant(role, school, class_name, subject, None, from_ms=0, until_ms=None)


async def opened(folder: Path, database: str | None = None) -> AsyncIterator[Office]:
    """Everything running: two schools, each with a class that has handed in."""
    config = folder / "gateway.toml"
    config.write_text('data = "data"\n' + store_lines(database))
    async with open_store(load_config(config)) as store:
        schools = {name: await make_school(store, ASSIGNMENT, school=name) for name in (OWN, OTHER)}
        for made in schools.values():
            documents = made.box.envelope(Lane.DOCUMENTS, made.pupils.documents())
            await made.ingest.take([documents, made.box.envelope(Lane.RESULTS, made.pupils.results())])
        access = Access(store, passwords=Passwords(QUICK))
        rooms = make_rooms(
            store,
            Changes(),
            lambda: Status(broker_connected=True, counts={}),
            access=access,
            door=Door(open=False),
        )
        async with TestClient(TestServer(rooms.app), cookie_jar=DummyCookieJar()) as client:
            office = Office(store, access, rooms, client, schools)
            await office.let_in("head", granted(Role.HEAD))
            await office.let_in("teacher", granted(Role.TEACHER, class_name=CLASS))
            await office.let_in("chinese", granted(Role.TEACHER, class_name=CLASS, subject="chinese"))
            await office.let_in("weak", granted(Role.ADMIN, None))
            await office.let_in("district", granted(Role.DISTRICT, None))
            await office.let_in("admin", granted(Role.ADMIN, None), strong=True)
            office.reader = await office.key("see-class")
            office.taker = await office.key("export")
            office.both = await office.key("export", "see-class")
            yield office


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def office(tmp_path_factory: Any) -> AsyncIterator[Office]:
    async for each in opened(tmp_path_factory.mktemp("office")):
        yield each
