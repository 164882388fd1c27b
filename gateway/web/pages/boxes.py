"""The boxes of a school: how each fares, a code for a new one, locking one out that was lost."""

from __future__ import annotations

from datetime import UTC, datetime

from aiohttp import web

from gateway.access.deeds import Deed
from gateway.boxes import boxes_of
from gateway.broker import lock_out, locked_out
from gateway.clock import unix_ms
from gateway.store.schools import box_key, enrol_box, school_key, void_box
from gateway.web.box_view import box_views
from gateway.web.office import office_address, render_office
from gateway.web.rooms import Rooms
from homework.errors import ClassboxError, UsageError
from provisioning.identity import Identity
from provisioning.keys import enrolment_code
from ui.forms import small_form
from ui.language import translator
from ui.pages import language_of

_BOXES = "/schools/{school}/boxes"


def add_boxes(rooms: Rooms) -> None:
    """The page of the boxes and what can be done there."""
    pages = _Boxes(rooms)
    rooms.page("GET", _BOXES, pages.show, deed=Deed.MANAGE_BOXES)
    rooms.page("POST", _BOXES + "/enrol", pages.enrol, deed=Deed.MANAGE_BOXES)
    rooms.page("POST", _BOXES + "/lock-out", pages.lock_out, deed=Deed.MANAGE_BOXES)


class _Boxes:
    def __init__(self, rooms: Rooms) -> None:
        self._store = rooms.store

    async def show(self, request: web.Request) -> web.Response:
        return await self._page(request)

    async def enrol(self, request: web.Request) -> web.Response:
        """The code that makes a box this one, shown once. One for a box that has one voids that: asked about first."""
        school, fields = request.match_info["school"], await small_form(request)
        box, broker = fields.get("box", "").strip(), fields.get("broker", "").strip()
        vault = self._store.vault
        try:
            async with self._store.writing() as connection:
                if "anew" not in fields and await box_key(connection, vault, school, box) is not None:
                    raise UsageError(
                        "The box {box} has a code already. A new one makes the old one useless.",
                        remedy="Tick “a new code”, if its card was lost or replaced.",
                        box=box,
                    )
                identity = Identity(
                    school=school,
                    box=box,
                    school_key=await school_key(connection, vault, school),
                    box_key=await enrol_box(connection, vault, school, box),
                    broker_url=broker,
                )
                # Inside the transaction: an address that is none must not void the box's key.
                code = enrolment_code(identity)
        except ClassboxError as refused:
            return await self._page(request, refused=refused, box=box, broker=broker)
        return render_office(request, "box_code.html", box=box, code=code, address=office_address(school, "boxes"))

    async def lock_out(self, request: web.Request) -> web.StreamResponse:
        """Void the key and the certificates of a box that was lost or stolen."""
        school, fields = request.match_info["school"], await small_form(request)
        box = fields.get("box", "")
        if "sure" not in fields:
            return render_office(request, "box_lock_out.html", box=box, address=office_address(school, "boxes"))
        async with self._store.writing() as connection:
            await void_box(connection, self._store.vault, school, box)
        lock_out(self._store.data, school, box, now=datetime.now(UTC))
        raise web.HTTPSeeOther(office_address(school, "boxes"))

    async def _page(
        self, request: web.Request, *, refused: ClassboxError | None = None, box: str = "", broker: str = ""
    ) -> web.Response:
        school = request.match_info["school"]
        words = translator(language_of(request)).gettext
        async with self._store.reading() as connection:
            await school_key(connection, self._store.vault, school)  # a school that is not there
            denied = locked_out(self._store.data, now=datetime.now(UTC))
            found = await boxes_of(connection, school, denied)
        return render_office(
            request,
            "boxes.html",
            status=200 if refused is None else 400,
            boxes=box_views(found, unix_ms(), words),
            address=office_address(school, "boxes"),
            held=office_address(school, "held"),
            refused=refused.said(words) if refused is not None else None,
            box=box,
            broker=broker,
        )
