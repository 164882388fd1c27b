"""The page on which homework is made: lines are typed or pasted, kinds chosen, the paper looked at, all kept."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from aiohttp import web

from edge.documents import Documents
from edge.web import homework as views
from edge.web.desk import SITE, Site, refuse_strangers, static_address
from homework.assignment import Assignment
from homework.draft_form import edited
from homework.drafts import Head
from homework.errors import ClassboxError, UsageError
from homework.roster import Pupil
from homework.sheets.printing import Printed, PrintJob, print_job
from ui.apart import apart
from ui.draft_view import Draft, as_data, draft_values, opened, sent_draft
from ui.forms import sent_form
from ui.language import translator
from ui.pages import language_of, render
from ui.sent import sent_fields, sent_file
from ui.workbooks import questions_workbook

_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_ONE = r"/homework/{assignment:[A-Za-z0-9_-]{1,40}}"
_PREVIEW_PAGES = 4


def add_homework_draft_page(app: web.Application) -> None:
    """Add the page on which homework is made and changed."""
    app.router.add_get("/homework/new", _new)
    app.router.add_post("/homework/new", _work)
    app.router.add_get("/homework/template.xlsx", _template)
    app.router.add_get(_ONE + "/edit", _edit)
    app.router.add_post(_ONE + "/edit", _work)


async def _new(request: web.Request) -> web.Response:
    """An empty page; or, with `?like=`, a copy of other homework."""
    site = request.config_dict[SITE]
    other = await asyncio.to_thread(site.documents.assignment, request.query.get("like", ""))
    if other is None:
        return _page(request, Draft(Head()))
    return _page(request, opened(other))


async def _edit(request: web.Request) -> web.Response:
    return _page(request, opened(await _old(request)))


async def _old(request: web.Request) -> Assignment:
    found = await asyncio.to_thread(
        request.config_dict[SITE].documents.assignment, request.match_info.get("assignment", "")
    )
    if found is None:
        raise web.HTTPNotFound
    return found


def _page(request: web.Request, draft: Draft) -> web.Response:
    words = translator(language_of(request)).gettext
    editing = request.match_info.get("assignment")
    address = f"/homework/{editing}/edit" if editing else "/homework/new"
    return render(
        request,
        "homework_draft.html",
        status=200 if draft.refused is None else 400,
        own=static_address,
        **draft_values(
            draft, words, address=address, table_address="/homework/template.xlsx", editing=editing is not None
        ),
    )


async def _work(request: web.Request) -> web.StreamResponse:
    """Whatever the page's buttons ask for; what stands on the page comes along and is shown again."""
    refuse_strangers(request)
    site = request.config_dict[SITE]
    old = await _old(request) if "assignment" in request.match_info else None
    post = await sent_form(request)
    given = sent_fields(post)
    draft = await asyncio.to_thread(sent_draft, given, *sent_file(post, "file"))
    action = given.get("do", "read")
    try:
        if action in ("preview", "keep") and draft.refused is None:
            known = site.documents.assignment
            assignment = await asyncio.to_thread(edited, old, draft.head, draft.items, known)
            printed = await asyncio.to_thread(apart, print_job, _job(assignment, site))
            if action == "keep":
                await asyncio.to_thread(_keep, site, old, assignment, printed)
                kept = "answers" if old is not None and old.id == assignment.id else "new"
                raise web.HTTPSeeOther(f"/homework/{assignment.id}?kept={kept}")
            draft = replace(draft, pictures=as_data(printed.pictures), pages=len(printed.layout.pages))
    except ClassboxError as refused:
        draft = replace(draft, refused=refused)
    return _page(request, draft)


def _job(assignment: Assignment, site: Site) -> PrintJob:
    return PrintJob(assignment=assignment, pupils=pupils_for(assignment, site, None), pictures=_PREVIEW_PAGES)


def pupils_for(assignment: Assignment, site: Site, class_name: str | None) -> tuple[Pupil, ...]:
    """The pupils whose names are printed; none on a master. Raises `UsageError` without a class list."""
    if assignment.pupil_id != "printed":
        return ()
    roster = site.documents.roster()
    name = class_name or site.chosen_class() or next(iter(roster.classes()), None)
    pupils = roster.of_class(name) if name is not None else ()
    if not pupils:
        raise UsageError("Sheets with printed names need a class list.", remedy="Paste it first under “Class lists”.")
    return pupils


def _keep(site: Site, old: Assignment | None, assignment: Assignment, printed: Printed) -> None:
    """Keep it, so that its sheets are known as soon as they are slid. Sheets that were graded are judged anew."""
    documents = site.documents
    documents.put_assignment(assignment)
    if documents.layout(printed.layout.sheet) is None:
        documents.put_layout(printed.layout)
    if documents.setting(views.HIDDEN_SETTING + assignment.id):
        documents.put_setting(views.HIDDEN_SETTING + assignment.id, "")
    if old is not None and old.id != assignment.id and not _used(documents, site, old.id):
        # It was made a minute ago, never printed and never handed in: this one is what was meant.
        documents.put_setting(views.HIDDEN_SETTING + old.id, "1")
    site.bus.publish()


def _used(documents: Documents, site: Site, assignment_id: str) -> bool:
    return bool(views.copies_of(documents, assignment_id)) or handed_in(site, assignment_id) > 0


def handed_in(site: Site, assignment_id: str) -> int:
    """How many have handed in an assignment."""
    came = site.ledger.handed_in()
    return sum(came.get(layout.sheet, 0) for layout in site.documents.layouts() if layout.assignment == assignment_id)


async def _template(_request: web.Request) -> web.Response:
    """An empty table of questions."""
    body = await asyncio.to_thread(questions_workbook)
    return web.Response(
        body=body, content_type=_XLSX, headers={"Content-Disposition": 'attachment; filename="questions.xlsx"'}
    )
