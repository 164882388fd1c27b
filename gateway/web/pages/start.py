"""The start page: classes and assignments with their counts."""

from __future__ import annotations

from aiohttp import web

from gateway.access.deeds import Deed
from gateway.reports.overview import Overview, overview
from gateway.web.rooms import Rooms, report_address
from gateway.web.views import overview_view
from ui.pages import language_of, render


def add_start(rooms: Rooms) -> None:
    """`/`, its stream of changes, and the same as JSON."""
    start = _Start(rooms)
    rooms.page("GET", "/", start.page, deed=Deed.SEE_START)
    rooms.page("GET", "/live", start.live, deed=Deed.SEE_START)
    rooms.page("GET", "/api/1/schools", start.as_json, deed=Deed.SEE_START)


class _Start:
    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    async def page(self, request: web.Request) -> web.Response:
        view = overview_view(await self._overview(), language_of(request), report_address)
        return render(request, "start.html", view=view, live="/live")

    async def live(self, request: web.Request) -> web.StreamResponse:
        return await self._rooms.stream(request, None)

    async def as_json(self, request: web.Request) -> web.Response:
        lines = (await self._overview()).lines
        return web.json_response(
            {
                "lines": [
                    {
                        "school": line.school,
                        "class": line.class_name,
                        "assignment": line.assignment,
                        "title": line.title,
                        "sheets": line.pages,
                        "pending": line.pending,
                    }
                    for line in lines
                ]
            }
        )

    async def _overview(self) -> Overview:
        async with self._rooms.store.reading() as connection:
            return await overview(connection)
