"""Every page of the gateway is a room that names its deed; what is none is closed."""

from __future__ import annotations

from unittest.mock import MagicMock

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from gateway.access.deeds import Deed
from gateway.web.changes import Changes
from gateway.web.rooms import Rooms, Status
from gateway.web.site import make_rooms


def _rooms() -> Rooms:
    return make_rooms(MagicMock(), Changes(), lambda: Status(broker_connected=True, counts={}))


async def _answer(_request: web.Request) -> web.Response:
    return web.Response(text="inside")


def test_every_route_of_the_site_is_a_room_or_a_shared_file() -> None:
    rooms = _rooms()
    named = {room.path for room in rooms.rooms} | {"/ui/{name}", "/static/{name}"}
    assert {resource.canonical for resource in rooms.app.router.resources()} == named


async def test_a_route_that_goes_round_the_rooms_is_closed() -> None:
    rooms = _rooms()
    rooms.app.router.add_get("/secret", _answer)
    rooms.page("GET", "/said", _answer, deed=Deed.OPEN)
    async with TestClient(TestServer(rooms.app)) as client:
        assert (await client.get("/secret")).status == 403
        assert await (await client.get("/said")).text() == "inside"
        assert (await client.head("/said")).status == 200
        assert (await client.post("/said")).status == 405
        assert (await client.get("/nowhere")).status == 404
        assert (await client.get("/static/gateway.css")).status == 200
