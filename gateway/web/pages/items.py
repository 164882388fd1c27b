"""One item of a class report: who wrote what, and a second look at it (复批): a tap turns a mark."""

from __future__ import annotations

import re

from aiohttp import web

from gateway.access.audit import written_thing
from gateway.access.deeds import Deed, Thing
from gateway.access.request_keys import NOTED, THING
from gateway.clock import unix_ms
from gateway.correcting import Field, Sayer, correct
from gateway.ingest import Changed
from gateway.reports.class_report import SchoolReport
from gateway.reviewing import split
from gateway.store.audit_lines import write_line
from gateway.store.crops import CropName, crops_of
from gateway.web.asking import may_here, person_of
from gateway.web.found import address_of, crop_address, item_addresses, pupil_addresses, report_found
from gateway.web.item_view import item_page_view
from gateway.web.pages.review import review_address
from gateway.web.rooms import REPORT, Rooms, place_of
from homework.corrections import Word
from homework.errors import UsageError
from sync.clock import SystemClock
from ui.forms import sent_form
from ui.language import translator
from ui.pages import language_of, render
from ui.report_view import report_view

_MARK = re.compile(r"([1-9]\d{0,2}):([1-9]\d{0,2}):(yes|no)", re.ASCII)


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
            pupil_addresses=pupil_addresses(report),
            crops=await _crops(rooms, report, item),
            translate=translator(language).gettext,
        )
        if found is None:
            raise web.HTTPNotFound
        did = split(request.query.getall("did", []))
        return render(
            request,
            "report_item.html",
            view=view,
            page=found,
            address=address_of(report),
            own=request.rel_url.raw_path,
            may_correct=may_here(request, Deed.CORRECT, request[THING]),
            undo_address=f"{review_address(report.school)}/undo",
            did=f"{did[0]}-{did[1]}" if did else None,
        )

    async def mark(request: web.Request) -> web.StreamResponse:
        """`mark` is `SEAT:BLANK:yes` or `:no`: what it shall be, so that a second tap does no more."""
        school, class_name, assignment = place_of(request)
        said = _MARK.fullmatch(str((await sent_form(request)).get("mark", "")))
        if said is None:
            raise UsageError("This answer is not understood.", remedy="Open the page again and answer there.")
        field = Field(assignment, class_name, int(said[1]), (request.match_info["item"], int(said[2])))
        person = person_of(request)
        who = Sayer(person.name, person.id)
        store, clock, word = rooms.store, SystemClock().read(), Word(right=said[3] == "yes")
        changed = [Changed(school, assignment, class_name)]
        async with store.writing() as connection:
            done = await correct(connection, store.vault, school, field, word, who=who, clock=clock)
            await store.tell_others(connection, changed)
            if done.record is not None:
                thing = written_thing(
                    Thing(school, class_name, assignment, pupil=done.pupil), seat=field.seat, item=field.place[0]
                )
                at_ms = unix_ms()
                await write_line(
                    connection, school, deed=Deed.CORRECT, person=person.id, at_ms=at_ms, thing=thing, detail="marks"
                )
        request[NOTED] = True  # in the transaction itself, with the item and whose answer it is
        rooms.changes.tell(changed)
        order = done.record.order if done.record is not None else None
        raise web.HTTPSeeOther(_item_path(request) + (f"?did={order}-{order}" if order is not None else ""))

    rooms.page("GET", f"{REPORT}/items/{{item}}", page, deed=Deed.SEE_CLASS)
    rooms.page("POST", f"{REPORT}/items/{{item}}/marks", mark, deed=Deed.CORRECT)


def _item_path(request: web.Request) -> str:
    return str(request.rel_url.with_query(None).raw_path).removesuffix("/marks")


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
