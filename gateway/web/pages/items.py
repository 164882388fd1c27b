"""One item of a class report: who wrote what."""

from __future__ import annotations

from aiohttp import web

from gateway.access.deeds import Deed
from gateway.web.found import address_of, item_addresses, report_found
from gateway.web.item_view import item_page_view
from gateway.web.rooms import REPORT, Rooms
from ui.language import translator
from ui.pages import language_of, render
from ui.report_view import report_view


def add_items(rooms: Rooms) -> None:
    """The page of an item."""

    async def page(request: web.Request) -> web.Response:
        report = await report_found(rooms, request)
        language = language_of(request)
        view = report_view(report, language)
        found = item_page_view(
            report,
            view,
            request.match_info["item"],
            addresses=item_addresses(report),
            pupil_addresses={},
            crops={},
            translate=translator(language).gettext,
        )
        if found is None:
            raise web.HTTPNotFound
        return render(request, "report_item.html", view=view, page=found, address=address_of(report))

    rooms.page("GET", f"{REPORT}/items/{{item}}", page, deed=Deed.SEE_CLASS)
