"""The page on which homework is made: lines are typed or pasted, kinds chosen, the paper looked at, all kept."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence
from dataclasses import dataclass, replace

from aiohttp import web

from edge.documents import Documents
from edge.web import homework as views
from edge.web.desk import SITE, Site, refuse_strangers, static_address
from edge.web.forms import sent_fields, sent_file
from homework.assignment import Assignment, parse_assignment
from homework.drafts import Head, draft_of, items_of_table
from homework.errors import BadFileError, ClassboxError, UsageError
from homework.field_words import KIND_WORDS
from homework.roster import Pupil
from homework.sheets.printing import Printed, PrintJob, print_job
from homework.typed_items import TypedItem, checked, typed_items
from ui.apart import apart
from ui.language import translator
from ui.pages import language_of, render
from ui.workbooks import questions_workbook, rows_of

_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_ONE = r"/homework/{assignment:[A-Za-z0-9_-]{1,40}}"
_PREVIEW_PAGES = 4


@dataclass(frozen=True)
class _Draft:
    """What stands on the page."""

    head: Head
    items: tuple[TypedItem, ...] = ()
    text: str = ""
    pictures: tuple[str, ...] = ()
    pages: int = 0
    refused: ClassboxError | None = None


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
        return _page(request, _Draft(Head()))
    return _page(request, _opened(other))


async def _edit(request: web.Request) -> web.Response:
    return _page(request, _opened(await _old(request)))


def _opened(assignment: Assignment) -> _Draft:
    head, items = draft_of(assignment)
    return _Draft(head, tuple(checked(item, grade=assignment.grade) for item in items))


async def _old(request: web.Request) -> Assignment:
    found = await asyncio.to_thread(
        request.config_dict[SITE].documents.assignment, request.match_info.get("assignment", "")
    )
    if found is None:
        raise web.HTTPNotFound
    return found


def _page(request: web.Request, draft: _Draft) -> web.Response:
    words = translator(language_of(request)).gettext
    editing = request.match_info.get("assignment")
    return render(
        request,
        "homework_draft.html",
        status=200 if draft.refused is None else 400,
        own=static_address,
        draft=draft,
        rows=views.rows_of_items(draft.items),
        editing=editing,
        address=f"/homework/{editing}/edit" if editing else "/homework/new",
        due=views.due_for_form(draft.head.due),
        kinds={kind: words(KIND_WORDS[kind]) for kind in views.KINDS},
        pupil_ids={kind: words(views.PUPIL_ID_WORDS[kind]) for kind in views.PUPIL_IDS},
        layers={layer: words(views.LAYER_WORDS[layer]) for layer in views.LAYERS},
        papers=views.PAPERS,
        grades=views.GRADES,
        unanswered=sum(item.unanswered for item in draft.items),
        refused=draft.refused.said(words) if draft.refused is not None else None,
    )


async def _work(request: web.Request) -> web.StreamResponse:
    """Whatever the page's buttons ask for; what stands on the page comes along and is shown again."""
    refuse_strangers(request)
    site = request.config_dict[SITE]
    old = await _old(request) if "assignment" in request.match_info else None
    post = await request.post()
    given = sent_fields(post)
    draft = _Draft(Head(title=given.get("title", "")), text=given.get("text", ""))
    try:
        draft = _Draft(views.head_of(given), tuple(views.items_of(given)), text=given.get("text", ""))
        name, data = sent_file(post, "file")
        if data:
            draft = await asyncio.to_thread(_with_file, draft, name, data)
        if draft.text.strip():
            section = next((item.section for item in reversed(draft.items) if item.section), "")
            grade = int(draft.head.grade) if draft.head.grade in views.GRADES else None
            more = typed_items(draft.text, grade=grade, section=section)
            draft = replace(draft, items=(*draft.items, *more), text="")
        action = given.get("do", "read")
        if action in ("preview", "keep"):
            assignment = await asyncio.to_thread(views.edited, old, draft.head, draft.items, site.documents)
            printed = await asyncio.to_thread(apart, print_job, _job(assignment, site))
            if action == "keep":
                await asyncio.to_thread(_keep, site, old, assignment, printed)
                kept = "answers" if old is not None and old.id == assignment.id else "new"
                raise web.HTTPSeeOther(f"/homework/{assignment.id}?kept={kept}")
            draft = replace(draft, pictures=_as_data(printed.pictures), pages=len(printed.layout.pages))
    except ClassboxError as refused:
        draft = replace(draft, refused=refused)
    return _page(request, draft)


def _with_file(draft: _Draft, name: str, data: bytes) -> _Draft:
    """The draft with the questions of a file: an assignment file brings its head along, a table only its rows."""
    if name.lower().endswith(".toml"):
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise BadFileError(
                "{name} is no text in UTF-8.", remedy="Save it as UTF-8 and try again.", name=name
            ) from error
        head, items = draft_of(parse_assignment(text))
        return replace(draft, head=head if not draft.items else draft.head, items=(*draft.items, *items))
    return replace(draft, items=(*draft.items, *items_of_table(rows_of(data, name=name))))


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


def _as_data(pictures: Sequence[bytes]) -> tuple[str, ...]:
    """Pictures for the page itself: nothing is kept for a preview."""
    return tuple("data:image/png;base64," + base64.b64encode(picture).decode() for picture in pictures)


async def _template(_request: web.Request) -> web.Response:
    """An empty table of questions."""
    body = await asyncio.to_thread(questions_workbook)
    return web.Response(
        body=body, content_type=_XLSX, headers={"Content-Disposition": 'attachment; filename="questions.xlsx"'}
    )
