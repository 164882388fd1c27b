"""Two schools with classes, sheets and people of every role: what the gate is tried with."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import ClientResponse, DummyCookieJar, web
from aiohttp.test_utils import TestClient, TestServer

from gateway.access import grants as giving
from gateway.access.access import Access
from gateway.access.gate import Door
from gateway.access.people import add_person, set_password
from gateway.access.person import Grant, Role
from gateway.simulated_class import make_roster
from gateway.simulated_school import SimulatedSchool, make_school
from gateway.store.rosters import bring_in
from gateway.store.store import Store
from gateway.web.changes import Changes
from gateway.web.rooms import Rooms, Status
from gateway.web.site import make_rooms
from homework.assignment import parse_assignment
from sync.lanes import Lane
from sync.pseudonym import pseudonym
from tests.gateway.access.conftest import GOOD
from ui.sessions import token_digest

ROOT = Path(__file__).resolve().parents[3]
OWN, OTHER = "no-1", "no-2"
CLASS, OTHER_CLASS = "3-1", "3-2"
ASSIGNMENT = parse_assignment((ROOT / "examples" / "g3-mul-2x1.toml").read_text(encoding="utf-8"))
SIGN_IN = Door(open=False)


@dataclass
class Town:
    """`tokens` are the secrets of signed-in browsers, by who holds them."""

    store: Store
    access: Access
    rooms: Rooms
    client: TestClient[web.Request, web.Application]
    schools: dict[str, SimulatedSchool]
    ids: dict[str, int] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)

    def pupil(self, school: str = OWN, seat: int = 1) -> bytes:
        """A pupil's pseudonym."""
        made = self.schools[school]
        return pseudonym(made.school_key, made.pupils.roster.pupils[seat - 1].pupil_id)

    async def let_in(self, everybody: Mapping[str, tuple[Grant, ...]]) -> None:
        """Accounts, each with a browser that is signed in; "strong" with a second factor."""
        password, now_ms = await self.access.passwords.hashed(GOOD), self.access.now_ms()
        async with self.store.writing() as connection:
            for who, grants in everybody.items():
                name = f"Name of {who}"
                person = await add_person(connection, self.store.vault, login=who, name=name, now_ms=now_ms)
                await set_password(connection, person, password)
                for grant in grants:
                    await giving.give(connection, person, grant, by=0)
                strong = who == "strong"
                self.tokens[who] = await self.access.sessions.open(connection, person, "A browser", strong=strong)
                self.ids[who] = person

    async def ask(
        self,
        who: str | None,
        path: str,
        method: str = "GET",
        *,
        headers: Mapping[str, str] | None = None,
        **more: object,
    ) -> ClientResponse:
        """An answer, not followed and not read."""
        cookies = {} if who is None else {"Cookie": f"classbox={self.tokens[who]}"}
        sent = {"Sec-Fetch-Site": "same-origin", **cookies, **(headers or {})}
        return await self.client.request(method, path, headers=sent, allow_redirects=False, **more)  # type: ignore[arg-type]

    async def status(self, who: str | None, path: str, method: str = "GET", **more: object) -> int:
        """What the answer begins with; streams are let go of."""
        response = await self.ask(who, path, method, **more)  # type: ignore[arg-type]
        response.close()
        return response.status

    async def end(self, who: str) -> None:
        """Sign out from elsewhere."""
        async with self.store.writing() as connection:
            await self.access.sessions.close(connection, self.ids[who], token_digest(self.tokens[who]))


def granted(role: Role, school: str | None = OWN, class_name: str | None = None, **more: object) -> Grant:
    values = {"subject": None, "pupil": None, "from_ms": 0, "until_ms": None, **more}
    return Grant(role, school, class_name, **values)  # type: ignore[arg-type]


@asynccontextmanager
async def town(store: Store, access: Access, *, door: Door = SIGN_IN) -> AsyncIterator[Town]:
    """Everything running, and everybody signed in."""
    schools = {name: await make_school(store, ASSIGNMENT, school=name) for name in (OWN, OTHER)}
    async with store.writing() as connection:
        await bring_in(connection, store.vault, OWN, make_roster(OTHER_CLASS, 3))
    own = schools[OWN]
    sheets = own.box.envelope(Lane.RESULTS, own.pupils.results())
    await own.ingest.take([own.box.envelope(Lane.DOCUMENTS, own.pupils.documents()), sheets])
    rooms = make_rooms(store, Changes(), lambda: Status(broker_connected=True, counts={}), access=access, door=door)
    async with TestClient(TestServer(rooms.app), cookie_jar=DummyCookieJar()) as client:
        made = Town(store, access, rooms, client, schools)
        day_ms = giving.midnight_ms(access.now_ms())
        everybody = {
            "parent": (granted(Role.PARENT, class_name=CLASS, pupil=made.pupil()),),
            "maths": (granted(Role.TEACHER, class_name=CLASS, subject="math"),),
            "chinese": (granted(Role.TEACHER, class_name=CLASS, subject="chinese"),),
            "whole": (granted(Role.TEACHER, class_name=CLASS),),
            "substitute": (granted(Role.TEACHER, class_name=CLASS, until_ms=day_ms),),
            "head": (granted(Role.HEAD),),
            "district": (granted(Role.DISTRICT, None),),
            "admin": (granted(Role.ADMIN, None),),
            "strong": (granted(Role.ADMIN, None),),
            "nothing": (),
        }
        await made.let_in(everybody)
        yield made
