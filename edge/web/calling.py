"""Sheets that are slid in seat order: the number that is called, and what a teacher does about it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from edge.calling import Calling, SlidClass
from edge.documents import Documents
from edge.ledger import FiledPage, Ledger
from edge.order import StepKind
from homework.errors import UsageError
from homework.layout import SheetLayout
from ui.forms import sent_form


@dataclass(frozen=True)
class CallView:
    """The call as it is shown. `seat` is None when everybody was called; `page` is named where a sheet has several.

    `instead`: after the first page of a stack, the seat whose page may come instead (all fronts, then all backs).
    `undo` names the last step and `undo_seat` its number; `skipped`: that step was an absent pupil.
    `missing`: of somebody a page is not there.
    """

    seat: int | None
    name: str
    page: int | None
    instead: int | None
    absent: tuple[int, ...]
    missing: bool
    undo: int | None
    undo_seat: int
    skipped: bool
    worksheet: str | None
    """The worksheet that is called, where it is not the one on the page."""


def slid_class(documents: Documents, class_name: str | None, newest: FiledPage | None) -> SlidClass | None:
    """The class and the worksheet that is slid in seat order now; None when none is.

    It is that of the newest sheet, or the one that was loaded last.
    """
    pupils = documents.roster().of_class(class_name) if class_name is not None else ()
    shown = documents.layout(newest.record.sheet) if newest is not None and newest.record is not None else None
    layouts = documents.layouts()
    for layout in (shown, layouts[-1] if layouts else None):
        if layout is not None and pupils and in_seat_order(layout):
            return SlidClass(pupils, layout, documents.layout)
    return None


def in_seat_order(layout: SheetLayout) -> bool:
    """Whether the sheets of a layout are slid in the order of the seats."""
    return any(page.pupil is not None and page.pupil.kind == "order" for page in layout.pages)


def call_view(now: Calling, slid: SlidClass, documents: Documents) -> CallView:
    """What is called now, as it is shown."""
    call, last = now.call, now.last
    layout = documents.layout(now.sheet) or slid.layout
    pupil = slid.at(call.seat) if call is not None else None
    title = documents.assignment(layout.assignment) if layout.assignment is not None else None
    other = layout.sheet != slid.layout.sheet
    return CallView(
        seat=call.seat if call is not None else None,
        name=pupil.name if pupil is not None else "",
        page=call.pages[0] if call is not None and len(layout.pages) > 1 else None,
        instead=call.instead if call is not None else None,
        absent=tuple(sorted(now.absent)),
        missing=bool(now.lacking),
        undo=last.number if last is not None and last.kind is not StepKind.RESTARTED else None,
        undo_seat=last.seat if last is not None else 0,
        skipped=last is not None and last.kind is StepKind.SKIPPED,
        worksheet=(title.title if title is not None else layout.sheet) if other else None,
    )


def add_calling(
    app: web.Application,
    *,
    ledger: Ledger,
    documents: Documents,
    chosen_class: Callable[[], str | None],
    publish: Callable[[], None],
    guard: Callable[[web.Request], None],
) -> None:
    """Add what a teacher does about a call: skip, undo, call another number, call anew."""

    def do(what: str, number: int) -> None:
        slid = slid_class(documents, chosen_class(), ledger.newest_graded())
        if slid is None:
            raise UsageError("No sheets are slid in seat order here.", remedy="Choose the class of this stack.")
        if what == "skip":
            ledger.skip(slid, number)
        elif what == "undo":
            ledger.undo_step(slid, number)
        elif what == "anew":
            ledger.call_anew(slid)
        elif not ledger.call_seat(slid, number):
            raise UsageError(
                "Nobody in class {name} sits at {seats}.",
                remedy="Choose a number of the class list.",
                name=slid.name,
                seats=number,
            )

    async def answer(request: web.Request) -> web.StreamResponse:
        guard(request)
        text = str((await sent_form(request)).get("number", "0")).strip()
        number = int(text) if text.isdecimal() and len(text) < 9 else 0
        await asyncio.to_thread(do, request.match_info["what"], number)
        publish()
        raise web.HTTPSeeOther("/")

    app.router.add_post("/call/{what:skip|undo|anew|seat}", answer)
