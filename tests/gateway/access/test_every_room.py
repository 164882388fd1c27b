"""Every role at every room of the site, with every method, at home and elsewhere. A new room is in it by itself."""

import re

import pytest
from aiohttp import web

from gateway.access.access import Access
from gateway.access.deeds import Deed
from gateway.store.store import Store
from gateway.web.rooms import Room, Rooms, some_class, some_subject, thing_of_address
from tests.gateway.access.town import ASSIGNMENT, CLASS, OTHER, OTHER_CLASS, OWN, Town, town
from ui.pages import Handler
from ui.sessions import token_digest
from ui.strangers import SAFE_METHODS

ANYBODY = {Deed.OPEN}
SIGNED_IN = ANYBODY | {Deed.OWN_ACCOUNT, Deed.SEE_START}
OF_A_CLASS = {Deed.SEE_CLASS, Deed.SEE_PUPIL, Deed.SEE_CROP, Deed.CORRECT, Deed.ASSIGN, Deed.SAY_ABSENT}
TAKES_ALONG = {Deed.EDIT_ROSTER, Deed.RELEASE, Deed.EXPORT, Deed.MANAGE_PEOPLE}
MANAGES = {
    *(Deed.MANAGE_PEOPLE, Deed.MANAGE_KEYS, Deed.MANAGE_DISTRICT_KEYS, Deed.MANAGE_BOXES),
    *(Deed.DECIDE_HELD, Deed.SEE_AUDIT, Deed.FORGET),
}
MAY_AT_HOME = {
    None: ANYBODY,
    "nothing": SIGNED_IN,
    "parent": SIGNED_IN | {Deed.SEE_PUPIL, Deed.SEE_CROP},
    "substitute": SIGNED_IN | OF_A_CLASS | {Deed.SEE_WEEK},
    "maths": SIGNED_IN | OF_A_CLASS | TAKES_ALONG - {Deed.EDIT_ROSTER} | {Deed.SEE_WEEK},
    "chinese": SIGNED_IN | {Deed.SEE_WEEK},
    "whole": SIGNED_IN | OF_A_CLASS | TAKES_ALONG | {Deed.SEE_WEEK},
    "head": SIGNED_IN
    | OF_A_CLASS
    | TAKES_ALONG
    | {Deed.SEE_WEEK, Deed.SEE_SCHOOL, Deed.SEE_AUDIT, Deed.MANAGE_KEYS, Deed.BE_TOLD, Deed.FORGET},
    "district": SIGNED_IN | {Deed.SEE_SCHOOL, Deed.SEE_DISTRICT, Deed.MANAGE_DISTRICT_KEYS},
    "admin": SIGNED_IN | {Deed.SEE_AUDIT},
    "strong": SIGNED_IN | MANAGES,
}
"""By hand, and not by the rules that are tried: what each may where all that an address names is their own."""
EVERYWHERE = {
    "head": {CLASS: MAY_AT_HOME["head"]},  # another class of the own school
    "district": dict.fromkeys((CLASS, OTHER), MAY_AT_HOME["district"]),
    "admin": dict.fromkeys((CLASS, OTHER), MAY_AT_HOME["admin"]),
    "strong": dict.fromkeys((CLASS, OTHER), MAY_AT_HOME["strong"]),
}
"""What each may where the class, or the school, is another."""
BY_ADDRESS = (thing_of_address, some_class, some_subject)


def filled(room: Room, there: Town, *, school: str = OWN, class_name: str = CLASS) -> str:
    """An address that leads to the room."""
    seat = 1 if class_name == CLASS else 13
    own_pupil = there.pupil(school).hex() if seat == 1 else "ab" * 16
    values = {
        "school": school,
        "class_name": class_name,
        "assignment": ASSIGNMENT.id,
        "pupil": own_pupil,
        "item": "1",
        "blank": "1",
        "capture": "cd" * 16,
        "secret": "x" * 43,
    }
    return re.sub(r"\{(\w+)(:[^}]*)?\}", lambda found: values.get(found[1], "1"), room.path)


def names_a_class(room: Room) -> bool:
    return "{class_name}" in room.path or "{pupil}" in room.path


def at_home(who: str | None, room: Room) -> set[Deed]:
    """What somebody may in a room whose address names nothing but their own."""
    if who == "chinese" and "{assignment}" not in room.path:  # no homework of another subject is named
        return at_home("maths", room)
    for_all_schools = room.path.startswith("/people/") and who != "strong"
    of_children = who == "maths" and room.path.startswith("/schools/{school}/people/classes")
    closed = {Deed.MANAGE_PEOPLE} if for_all_schools or of_children else set()
    return MAY_AT_HOME[who] - closed


async def _inside(_request: web.Request) -> web.Response:
    return web.Response(text="inside")


@pytest.fixture
def only_the_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every room answers at once: it is the gate that is tried."""
    page = Rooms.page

    def of_nothing(self: Rooms, method: str, path: str, _handler: Handler, **more: object) -> None:
        page(self, method, path, _inside, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(Rooms, "page", of_nothing)


@pytest.mark.usefixtures("only_the_gate")
async def test_every_role_passes_where_it_may_and_nowhere_else(store: Store, access: Access) -> None:
    wrong: list[str] = []
    async with town(store, access) as there:
        for who, deeds in MAY_AT_HOME.items():
            for room in there.rooms.rooms:
                places = {"own": (filled(room, there), at_home(who, room))}
                beyond = EVERYWHERE.get(who or "", {})
                if names_a_class(room):
                    path = filled(room, there, class_name=OTHER_CLASS)
                    places["class"] = path, beyond.get(CLASS, deeds & SIGNED_IN)
                if "{school}" in room.path:
                    places["school"] = filled(room, there, school=OTHER), beyond.get(OTHER, deeds & SIGNED_IN)
                for place, (path, allowed) in places.items():
                    status = await there.status(who, path, room.method)
                    if status == 404 and room.thing not in BY_ADDRESS:
                        continue  # what this test made up is not there
                    if (status == 200) != (room.deed in allowed):
                        wrong.append(f"{who} {room.method} {path} ({room.deed}, {place}): {status}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.usefixtures("only_the_gate")
async def test_no_other_site_makes_a_browser_change_anything(store: Store, access: Access) -> None:
    async with town(store, access) as there:
        changing = [room for room in there.rooms.rooms if room.method not in SAFE_METHODS]
        assert changing
        for room in changing:
            for headers in (
                {"Sec-Fetch-Site": "cross-site"},
                {"Sec-Fetch-Site": "same-site"},
                {"Sec-Fetch-Site": "cross-site", "Origin": "http://127.0.0.1"},
            ):
                for who in ("strong", "head"):
                    assert await there.status(who, filled(room, there), room.method, headers=headers) == 403, room


@pytest.mark.usefixtures("only_the_gate")
async def test_forged_expired_ended_and_twisted_sessions_open_nothing(store: Store, access: Access) -> None:
    async with town(store, access) as there:
        whole = there.tokens["whole"]
        there.tokens |= {
            "forged": "A" * 43,
            "empty": "",
            "long": "A" * 5000,
            "longer": f"{whole}A",
            "shorter": whole[:-1],
            "twisted": whole.swapcase(),
            "digest": token_digest(whole).hex(),
        }
        await there.end("maths")
        closed = [room for room in there.rooms.rooms if room.deed is not Deed.OPEN]
        for room in closed:
            for who in ("forged", "maths"):
                assert await there.status(who, filled(room, there), room.method) in (401, 303), (who, room)
        for who in ("empty", "long", "longer", "shorter", "twisted", "digest"):
            assert await there.status(who, "/me") in (401, 303, 400), who
