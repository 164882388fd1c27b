"""The homework on the box: what there is, its worksheets to print, and what to take to another box."""

from __future__ import annotations

import asyncio
import io
import zipfile
from urllib.parse import quote

from aiohttp import web

from edge.web import homework as views
from edge.web.desk import SITE, Site, refuse_strangers, static_address
from edge.web.homework_draft_page import handed_in, pupils_for
from homework.assignment import Assignment, assignment_to_toml
from homework.draft_form import KINDS, MOST_COPIES, copies_of_form, due_for_form, rows_of_items
from homework.drafts import draft_of
from homework.errors import ClassboxError, UsageError
from homework.field_words import KIND_WORDS
from homework.layout import layout_to_json
from homework.print_run import ASSIGNMENT, LAYOUT, ROSTER
from homework.roster import Roster, roster_to_csv
from homework.sheets.printing import Printed, PrintJob, print_job
from ui.apart import apart
from ui.forms import sent_form
from ui.language import translator
from ui.pages import language_of, render
from ui.sent import sent_fields

_ONE = r"/homework/{assignment:[A-Za-z0-9_-]{1,40}}"


def add_homework_page(app: web.Application) -> None:
    """Add the list of homework and the page of each."""
    app.router.add_get("/homework", _list)
    app.router.add_get(_ONE, _show)
    app.router.add_post(_ONE + "/worksheets.pdf", _worksheets)
    app.router.add_post(_ONE + "/answers.pdf", _answers)
    app.router.add_get(_ONE + "/assignment.toml", _toml)
    app.router.add_post(_ONE + "/classbox.zip", _bundle)
    app.router.add_post(_ONE + "/hide", _hide)


async def _list(request: web.Request) -> web.Response:
    site = request.config_dict[SITE]
    lines = await asyncio.to_thread(lambda: views.listed(site.documents, site.ledger.handed_in()))
    return render(request, "homework.html", own=static_address, lines=lines)


async def _known(request: web.Request) -> Assignment:
    name = request.match_info["assignment"]
    found = await asyncio.to_thread(request.config_dict[SITE].documents.assignment, name)
    if found is None:
        raise web.HTTPNotFound
    return found


async def _show(request: web.Request, refused: ClassboxError | None = None) -> web.Response:
    """One homework: its answers to look over, and the buttons that print."""
    site = request.config_dict[SITE]
    assignment = await _known(request)
    words = translator(language_of(request)).gettext
    roster = await asyncio.to_thread(site.documents.roster)
    came = await asyncio.to_thread(handed_in, site, assignment.id)
    of_it = [layout for layout in site.documents.layouts() if layout.assignment == assignment.id]
    class_name = site.chosen_class()
    return render(
        request,
        "homework_one.html",
        status=200 if refused is None else 400,
        own=static_address,
        assignment=assignment,
        rows=rows_of_items(draft_of(assignment)[1]),
        kinds={kind: words(KIND_WORDS[kind]) for kind in KINDS},
        due=due_for_form(assignment.due or "").replace("T", " "),
        pages=len(of_it[-1].pages) if of_it else 0,
        ours=not of_it or of_it[-1].register == "markers",
        copies=views.copies_of(site.documents, assignment.id),
        handed_in=came,
        classes=roster.classes(),
        class_name=class_name,
        wanted=len(roster.of_class(class_name)) if class_name is not None else 1,
        most_copies=MOST_COPIES,
        kept=request.query.get("kept", ""),
        refused=refused.said(words) if refused is not None else None,
    )


async def _worksheets(request: web.Request) -> web.Response:
    """The sheets to hand out; what their layout says is kept before they leave the box."""
    refuse_strangers(request)
    site = request.config_dict[SITE]
    assignment = await _known(request)
    given = sent_fields(await sent_form(request))
    try:
        copies = copies_of_form(given.get("copies", "1"))
        class_name = given.get("class", "") or None
        pupils = await asyncio.to_thread(pupils_for, assignment, site, class_name)
        job = PrintJob(
            assignment=assignment,
            pupils=pupils,
            class_name=class_name or (pupils[0].class_name if pupils else None),
            copies=1 if pupils else copies,
            duplex="duplex" in given,
        )
        printed = await asyncio.to_thread(_print, site, job)
    except ClassboxError as refused:
        return await _show(request, refused)
    made = views.copies_of(site.documents, assignment.id) + (len(pupils) or copies)
    await asyncio.to_thread(site.documents.put_setting, views.COPIES_SETTING + assignment.id, str(made))
    return _attachment(printed.worksheets_pdf, "application/pdf", f"{assignment.title}.pdf")


async def _answers(request: web.Request) -> web.Response:
    """The key, filled in."""
    refuse_strangers(request)
    site = request.config_dict[SITE]
    assignment = await _known(request)
    try:
        pupils = await asyncio.to_thread(pupils_for, assignment, site, None)
        printed = await asyncio.to_thread(_print, site, PrintJob(assignment=assignment, pupils=pupils[:1]))
    except ClassboxError as refused:
        return await _show(request, refused)
    name = translator(language_of(request)).gettext("{title} (answers)").format(title=assignment.title)
    return _attachment(printed.answers_pdf, "application/pdf", f"{name}.pdf")


def _print(site: Site, job: PrintJob) -> Printed:
    """Set the sheets. Answers that were changed, or another typeface, make another print run: it is known as well."""
    printed = apart(print_job, job)
    if site.documents.layout(printed.layout.sheet) is None:
        site.documents.put_layout(printed.layout)
        site.bus.publish()
    return printed


async def _toml(request: web.Request) -> web.Response:
    assignment = await _known(request)
    return _attachment(assignment_to_toml(assignment).encode(), "application/toml", f"{assignment.title}.toml")


async def _bundle(request: web.Request) -> web.Response:
    """Everything that another box needs to grade these sheets, class lists included, as one zip to load there."""
    refuse_strangers(request)
    site = request.config_dict[SITE]
    assignment = await _known(request)

    def packed() -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as parts:
            for layout in site.documents.layouts():
                if layout.assignment == assignment.id and layout.register == "markers":
                    parts.writestr(f"{layout.sheet}/{LAYOUT}", layout_to_json(layout))
                    parts.writestr(f"{layout.sheet}/{ASSIGNMENT}", assignment_to_toml(assignment))
            roster = site.documents.roster()
            if roster.pupils:
                parts.writestr(f"classes/{ROSTER}", roster_to_csv(Roster(roster.pupils)).encode("utf-8-sig"))
        return out.getvalue()

    return _attachment(await asyncio.to_thread(packed), "application/zip", f"{assignment.title}.zip")


async def _hide(request: web.Request) -> web.StreamResponse:
    """Take homework off the list, while nobody has handed it in. Its sheets are still known."""
    refuse_strangers(request)
    site = request.config_dict[SITE]
    assignment = await _known(request)
    if await asyncio.to_thread(handed_in, site, assignment.id):
        refused = UsageError("Somebody has handed this in.", remedy="It stays on the list with its results.")
        return await _show(request, refused)
    await asyncio.to_thread(site.documents.put_setting, views.HIDDEN_SETTING + assignment.id, "1")
    raise web.HTTPSeeOther("/homework")


def _attachment(body: bytes, content_type: str, name: str) -> web.Response:
    plain = f"worksheet.{name.rpartition('.')[2]}"
    said = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
    return web.Response(body=body, content_type=content_type, headers={"Content-Disposition": said})
