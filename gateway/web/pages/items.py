"""One item of a class report: who wrote what."""

from __future__ import annotations

from aiohttp import web

from gateway.access.deeds import Deed
from gateway.reports.class_report import SchoolReport
from gateway.store.crops import CropName, crops_of
from gateway.web.found import address_of, crop_address, item_addresses, pupil_addresses, report_found
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
        item = request.match_info["item"]
        found = item_page_view(
            report,
            view,
            item,
            addresses=item_addresses(report),
            pupil_addresses=await pupil_addresses(rooms, report.school, report.class_name),
            crops=await _crops(rooms, report, item),
            translate=translator(language).gettext,
        )
        if found is None:
            raise web.HTTPNotFound
        return render(request, "report_item.html", view=view, page=found, address=address_of(report))

    rooms.page("GET", f"{REPORT}/items/{{item}}", page, deed=Deed.SEE_CLASS)


async def _crops(rooms: Rooms, report: SchoolReport, item: str) -> dict[tuple[str, int], str]:
    """Where the pictures of the item's fields are that were wrong or in doubt, as far as there are any."""
    fields = {
        CropName(place.first_page, item, place.blank): one.pupil.pupil_id
        for one in report.again
        for place in one.items
        if place.item == item
    }
    async with rooms.store.reading() as connection:
        there = await crops_of(connection, report.school, {name.capture for name in fields})
    return {(fields[name], name.blank): crop_address(report.school, name) for name in there if name in fields}
