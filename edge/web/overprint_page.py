"""The page from which ✓ and ✗ are printed onto the sheets, and on which a printer is measured."""

from __future__ import annotations

import asyncio
from functools import partial
from urllib.parse import urlencode

import msgspec
from aiohttp import web

from edge.booking import Standing
from edge.frames import Capture
from edge.lenses import lens_of
from edge.overprint import Measured, measure
from edge.registration.register import register
from edge.release import is_released
from edge.web.again_page import chosen_assignment
from edge.web.desk import SITE, Site, acting, page_values, refuse_strangers
from edge.web.overprint import (
    TEST_SETTING,
    Printer,
    Stack,
    TestPage,
    keep_printer,
    printers,
    sides,
    stack_to_print,
    test_page,
)
from edge.web.slips_page import HELD_BACK
from homework.errors import UsageError
from homework.sheets.overprint import Alignment, make_overprint, make_test_page
from ui.apart import apart
from ui.forms import sent_form
from ui.pages import render

LONGEST_NAME = 40
_NOTHING = UsageError("No sheet of this worksheet has come yet.", remedy="Slide the stack first.")


def add_overprint_page(app: web.Application) -> None:
    """Add the overprint."""
    app.router.add_get("/overprint", _overprint)
    app.router.add_get("/overprint.pdf", _pdf)
    app.router.add_post("/overprint/test.pdf", _test)
    app.router.add_post("/overprint/measure", _measure)


async def _overprint(request: web.Request) -> web.Response:
    site = request.config_dict[SITE]
    assignment = chosen_assignment(site, request)
    page = _page(request)
    stack = await asyncio.to_thread(_stack, site, assignment, page) if assignment is not None else None
    known = printers(site.documents)
    test = test_page(site.documents)
    chosen = request.query.get("printer", test.printer if test is not None else next(iter(known), ""))
    values = await page_values(request)
    found = site.documents.assignment(assignment) if assignment is not None else None
    return render(
        request,
        "overprint.html",
        **values,
        assignment=assignment,
        title=found.title if found is not None else assignment,
        stack=stack,
        page_number=page,
        released=is_released(site.documents, assignment),
        printers=known,
        chosen=chosen,
        test=test,
        measured="measured" in request.query,
    )


async def _pdf(request: web.Request) -> web.Response:
    site = request.config_dict[SITE]
    assignment = chosen_assignment(site, request)
    if not is_released(site.documents, assignment):
        raise HELD_BACK
    stack = await asyncio.to_thread(_stack, site, assignment, _page(request)) if assignment is not None else None
    kept = {int(text) for text in request.query.getall("sheet", []) if text.isdecimal()}
    if stack is None or not kept:
        raise _NOTHING
    ticks, score = request.query.get("ticks") == "on", request.query.get("score") == "on"
    made = sides(stack, kept, ticks=ticks, score=score)
    if request.query.get("order") == "reverse":
        made.reverse()
    printer = printers(site.documents).get(request.query.get("printer", ""), Printer())
    pdf = await asyncio.to_thread(
        apart,
        make_overprint,
        made,
        stack.layout.page_mm,
        alignment=printer.alignment,
        ink="black" if request.query.get("ink") == "black" else "colour",
    )
    return _pdf_answer(pdf, "overprint.pdf")


async def _test(request: web.Request) -> web.Response:
    """The test page for a printer, as it would be printed with what is known of it."""
    refuse_strangers(request)
    site = request.config_dict[SITE]
    form = await sent_form(request)
    assignment, name = str(form.get("assignment", "")), _name(str(form.get("printer", "")))
    layout = next((one for one in reversed(site.documents.layouts()) if one.assignment == assignment), None)
    if layout is None:
        raise UsageError("This worksheet is not loaded.", remedy="Choose one of the list.")
    alignment = printers(site.documents).get(name, Printer()).alignment
    test = msgspec.json.encode(TestPage(name, alignment)).decode()
    await asyncio.to_thread(site.documents.put_setting, TEST_SETTING, test)
    pdf = await asyncio.to_thread(apart, make_test_page, layout.page_mm, alignment=alignment, words=f"{name} · 100 %")
    return _pdf_answer(pdf, "test.pdf")


async def _measure(request: web.Request) -> web.StreamResponse:
    """Measure the printer on the sheet that lies under the camera."""
    refuse_strangers(request)
    site = request.config_dict[SITE]
    test = test_page(site.documents)
    if test is None:
        raise UsageError("No test page was printed yet.", remedy="Print one onto a worksheet first.")
    measured = await asyncio.to_thread(partial(_measured, site, test.alignment))
    printer = Printer(measured.alignment, measured.off_mm, measured.residue_mm)
    await asyncio.to_thread(keep_printer, site.documents, test.printer, printer)
    newest = await asyncio.to_thread(site.ledger.newest_page)
    if newest is not None and newest.standing in (Standing.ASK, Standing.DUPLICATE):
        # The test sheet is nobody's homework.
        await asyncio.to_thread(partial(site.ledger.withdraw, newest.capture, by=acting(request)))
    site.bus.publish()
    shown = str((await sent_form(request)).get("assignment", ""))
    query = {"printer": test.printer, "measured": "1", **({"assignment": shown} if shown else {})}
    raise web.HTTPSeeOther("/overprint?" + urlencode(query))


def _measured(site: Site, used: Alignment) -> Measured:
    newest = site.ledger.newest_page()
    image = site.decoded.image(newest.digest) if newest is not None else None
    if newest is None or image is None:
        raise UsageError("No picture of the test page is there.", remedy="Lay it under the camera.")
    documents = site.documents
    lens = lens_of(documents, newest.source)
    page = register(Capture(image, newest.source), documents.layout, documents.unmarked(), lens)
    if page.refused or page.mm_to_px is None:
        raise UsageError("The sheet under the camera could not be found.", remedy="Lay the test page flat, all of it.")
    return measure(page, used)


def _stack(site: Site, assignment: str, page: int) -> Stack | None:
    return stack_to_print(site.ledger, site.documents, assignment, page, site.chosen_class())


def _page(request: web.Request) -> int:
    text = request.query.get("page", "1")
    return int(text) if text.isdecimal() and len(text) <= 2 else 1


def _name(text: str) -> str:
    return " ".join(text.split())[:LONGEST_NAME] or "1"


def _pdf_answer(pdf: bytes, name: str) -> web.Response:
    headers = {"Content-Disposition": f'inline; filename="{name}"'}
    return web.Response(body=pdf, content_type="application/pdf", headers=headers)
