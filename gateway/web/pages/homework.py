"""Homework of a school: what there is, made by typing, pasting or a table, printed, and given to the boxes."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from urllib.parse import quote

from aiohttp import web

from gateway.access.deeds import SOME, Deed, Thing
from gateway.store.dialect import lock_school
from gateway.store.documents import publish
from gateway.store.homework import Homework, homework_of, one_homework
from gateway.store.reading import assignments_named
from gateway.store.schools import class_pupils, class_sizes, school_key
from gateway.web.asking import may_here
from gateway.web.homework_view import SUBJECTS, homework_lines, subject_words
from gateway.web.office import office_address, render_office
from gateway.web.rooms import Rooms, some_class, thing_of_address
from homework.assignment import Assignment, assignment_to_toml
from homework.by_name import by_name
from homework.draft_form import KINDS, MOST_COPIES, copies_of_form, due_for_form, edited, rows_of_items
from homework.drafts import Head, draft_of
from homework.errors import ClassboxError, UsageError
from homework.field_words import KIND_WORDS
from homework.load import subject_of
from homework.print_run import PrintRun
from homework.roster import Pupil
from homework.sheets.printing import Printed, PrintJob, print_job
from ui.apart import apart
from ui.draft_view import Draft, as_data, draft_values, opened, sent_draft
from ui.forms import sent_form
from ui.language import translator
from ui.pages import language_of
from ui.sent import sent_fields, sent_file
from ui.workbooks import questions_workbook

_LIST = "/schools/{school}/homework"
_ONE = _LIST + r"/{assignment:[A-Za-z0-9_.-]{1,64}}"
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_A_PAGE = 50
_PREVIEW_PAGES = 4


def add_homework(rooms: Rooms) -> None:
    """The list, the page on which homework is made, and the page of each."""
    pages = _HomeworkPages(rooms)
    for method, path, handler in (
        ("GET", _LIST, pages.list),
        ("GET", _LIST + "/new", pages.new),
        ("POST", _LIST + "/new", pages.work),
        ("GET", _LIST + "/table.xlsx", pages.table),
    ):
        rooms.page(method, path, handler, deed=Deed.ASSIGN, thing=some_class)
    for method, path, handler in (
        ("GET", _ONE, pages.one),
        ("GET", _ONE + "/edit", pages.edit),
        ("POST", _ONE + "/edit", pages.work),
        ("POST", _ONE + "/worksheets.pdf", pages.worksheets),
        ("POST", _ONE + "/answers.pdf", pages.answers),
        ("GET", _ONE + "/assignment.toml", pages.as_toml),
    ):
        rooms.page(method, path, handler, deed=Deed.ASSIGN, thing=_for_some_class)


def _for_some_class(request: web.Request) -> Thing:
    """Of the homework's own subject, for whichever classes the reader has."""
    return thing_of_address(request)._replace(class_name=SOME)


class _HomeworkPages:
    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        self._store = rooms.store

    async def list(self, request: web.Request) -> web.Response:
        school = request.match_info["school"]
        before = request.query.get("before", "")
        async with self._store.reading() as connection:
            await school_key(connection, self._store.vault, school)  # a school that is not there
            found = await homework_of(
                connection,
                school,
                before_ms=int(before) if before.isdecimal() and len(before) < 16 else None,
                limit=_A_PAGE,
            )
        words = translator(language_of(request)).gettext
        mine = [one for one in found if _may_assign(request, one.assignment)]
        return render_office(
            request,
            "homework.html",
            address=office_address(school, "homework"),
            rosters=office_address(school, "rosters"),
            lines=homework_lines(mine, office_address(school, "homework"), words),
            older=found[-1].changed_ms if len(found) == _A_PAGE else None,
            first=not before,
        )

    async def new(self, request: web.Request) -> web.Response:
        """An empty page; or, with `?like=`, a copy of other homework."""
        like = await self._found(request, request.query.get("like", ""))
        mine = like is not None and _may_assign(request, like.assignment)
        return self._draft_page(request, opened(like.assignment) if like is not None and mine else Draft(Head()))

    async def edit(self, request: web.Request) -> web.Response:
        return self._draft_page(request, opened((await self._known(request)).assignment))

    async def table(self, _request: web.Request) -> web.Response:
        """An empty table of questions."""
        return _file(await asyncio.to_thread(questions_workbook), _XLSX, "questions.xlsx")

    async def work(self, request: web.Request) -> web.StreamResponse:
        """Whatever the buttons of the draft ask for; what stands on the page comes along and is shown again."""
        school = request.match_info["school"]
        old = (await self._known(request)).assignment if "assignment" in request.match_info else None
        post = await sent_form(request)
        fields = sent_fields(post)
        draft = await asyncio.to_thread(sent_draft, fields, *sent_file(post, "file"))
        action = fields.get("do", "read")
        try:
            if action in ("preview", "keep") and draft.refused is None:
                assignment = await self._edited(school, old, draft)
                _ensure_may_assign(request, assignment)
                pictures = _PREVIEW_PAGES if action == "preview" else 0
                printed = await self._printed(request, assignment, pictures=pictures)
                if action == "keep":
                    await self._publish(school, assignment, printed)
                    kept = "answers" if old is not None and old.id == assignment.id else "new"
                    raise web.HTTPSeeOther(f"{_address(school, assignment.id)}?kept={kept}")
                draft = replace(draft, pictures=as_data(printed.pictures), pages=len(printed.layout.pages))
        except ClassboxError as refused:
            draft = replace(draft, refused=refused)
        return self._draft_page(request, draft)

    async def one(self, request: web.Request) -> web.Response:
        return await self._page(request)

    async def worksheets(self, request: web.Request) -> web.Response:
        """The sheets to hand out; the boxes are given what is printed before it leaves the house."""
        school, assignment = request.match_info["school"], (await self._known(request)).assignment
        fields = sent_fields(await sent_form(request))
        try:
            printed = await self._printed(
                request,
                assignment,
                class_name=fields.get("class", ""),
                copies=copies_of_form(fields.get("copies", "1")),
                duplex="duplex" in fields,
            )
            await self._publish(school, assignment, printed)
        except ClassboxError as refused:
            return await self._page(request, refused)
        return _file(printed.worksheets_pdf, "application/pdf", f"{assignment.title}.pdf")

    async def answers(self, request: web.Request) -> web.Response:
        """The key, filled in."""
        assignment = (await self._known(request)).assignment
        try:
            printed = await self._printed(request, assignment, key_only=True)
        except ClassboxError as refused:
            return await self._page(request, refused)
        name = translator(language_of(request)).gettext("{title} (answers)").format(title=assignment.title)
        return _file(printed.answers_pdf, "application/pdf", f"{name}.pdf")

    async def as_toml(self, request: web.Request) -> web.Response:
        """The assignment file."""
        assignment = (await self._known(request)).assignment
        return _file(assignment_to_toml(assignment).encode(), "application/toml", f"{assignment.title}.toml")

    async def _found(self, request: web.Request, name: str) -> Homework | None:
        async with self._store.reading() as connection:
            return await one_homework(connection, request.match_info["school"], name) if name else None

    async def _known(self, request: web.Request) -> Homework:
        found = await self._found(request, request.match_info["assignment"])
        if found is None or not _may_assign(request, found.assignment):
            raise web.HTTPNotFound
        return found

    async def _edited(self, school: str, old: Assignment | None, draft: Draft) -> Assignment:
        """The assignment of a draft, under an id that no other homework of the school has."""
        fresh = await asyncio.to_thread(edited, old, draft.head, draft.items, lambda _name: None)
        if old is not None and fresh.id == old.id:
            return fresh
        async with self._store.reading() as connection:
            names = [fresh.id, *(f"{fresh.id}-{serial}" for serial in range(2, 100))]
            known = await assignments_named(connection, school, names)
        return await asyncio.to_thread(edited, old, draft.head, draft.items, known.get)

    async def _printed(
        self,
        request: web.Request,
        assignment: Assignment,
        *,
        class_name: str = "",
        copies: int = 1,
        duplex: bool = False,
        pictures: int = 0,
        key_only: bool = False,
    ) -> Printed:
        pupils = await self._pupils(request, assignment, class_name)
        pupils = pupils[:1] if key_only else pupils  # the key is the same for everybody
        job = PrintJob(
            assignment=assignment,
            pupils=pupils,
            class_name=class_name or (pupils[0].class_name if pupils else None),
            copies=1 if pupils else copies,
            duplex=duplex,
            pictures=pictures,
        )
        return await asyncio.to_thread(apart, print_job, job)

    async def _pupils(self, request: web.Request, assignment: Assignment, class_name: str) -> tuple[Pupil, ...]:
        """The pupils whose names are printed; none on a master. Raises `UsageError` without a class list."""
        if assignment.pupil_id != "printed":
            return ()
        school = request.match_info["school"]
        async with self._store.reading() as connection:
            mine = [name for name in await class_sizes(connection, school) if _may_see(request, name)]
            name = class_name or next(iter(sorted(mine)), "")
            found = await class_pupils(connection, self._store.vault, school, name) if name in mine else ()
        if not found:
            raise UsageError(
                "Sheets with printed names need a class list.", remedy="Paste it first under “Class lists”."
            )
        return tuple(known.pupil for known in found)

    async def _publish(self, school: str, assignment: Assignment, printed: Printed) -> None:
        run = PrintRun(layout=printed.layout, assignment=assignment, roster=None)
        async with self._store.writing() as connection:
            await lock_school(connection, school)
            await publish(connection, school, run)
            await self._store.tell_others(connection, [(school, None, None)])
        self._rooms.changes.tell_all()  # answers that were changed judge what was corrected

    async def _page(self, request: web.Request, refused: ClassboxError | None = None) -> web.Response:
        """One homework: its answers to look over, and the buttons that print."""
        school, found = request.match_info["school"], await self._known(request)
        words = translator(language_of(request)).gettext
        async with self._store.reading() as connection:
            sizes = await class_sizes(connection, school)
        classes = sorted((name for name in sizes if _may_see(request, name)), key=by_name)
        assignment = found.assignment
        return render_office(
            request,
            "homework_one.html",
            status=200 if refused is None else 400,
            address=_address(school, assignment.id),
            list=office_address(school, "homework"),
            rosters=office_address(school, "rosters"),
            assignment=assignment,
            line=homework_lines([found], office_address(school, "homework"), words)[0],
            rows=rows_of_items(draft_of(assignment)[1]),
            kinds={kind: words(KIND_WORDS[kind]) for kind in KINDS},
            due=due_for_form(assignment.due or "").replace("T", " "),
            classes=classes,
            most_copies=MOST_COPIES,
            kept=request.query.get("kept", ""),
            refused=refused.said(words) if refused is not None else None,
        )

    def _draft_page(self, request: web.Request, draft: Draft) -> web.Response:
        school, editing = request.match_info["school"], request.match_info.get("assignment")
        words = translator(language_of(request)).gettext
        list_address = office_address(school, "homework")
        values = draft_values(
            draft,
            words,
            address=f"{_address(school, editing)}/edit" if editing else f"{list_address}/new",
            table_address=f"{list_address}/table.xlsx",
            editing=editing is not None,
            subjects=_subjects(request, draft.head.subject),
        )
        return render_office(
            request,
            "homework_draft.html",
            status=200 if draft.refused is None else 400,
            list=list_address,
            back=_address(school, editing) if editing else list_address,
            **values,
        )


def _may_assign(request: web.Request, assignment: Assignment) -> bool:
    thing = Thing(school=request.match_info["school"], class_name=SOME, subject=subject_of(assignment.subject))
    return may_here(request, Deed.ASSIGN, thing)


def _subjects(request: web.Request, chosen: str) -> dict[str, str]:
    """The subjects that the reader may give homework in, and the one that it is in."""
    words = translator(language_of(request)).gettext
    mine = [
        subject
        for subject in SUBJECTS
        if may_here(request, Deed.ASSIGN, Thing(school=request.match_info["school"], class_name=SOME, subject=subject))
    ]
    return {subject: subject_words(subject, words) for subject in dict.fromkeys([*mine, *filter(None, [chosen])])}


def _ensure_may_assign(request: web.Request, assignment: Assignment) -> None:
    if not _may_assign(request, assignment):
        raise UsageError("This subject is not yours.", remedy="Choose a subject that you teach.")


def _may_see(request: web.Request, class_name: str) -> bool:
    thing = Thing(school=request.match_info["school"], class_name=class_name, subject=SOME)
    return may_here(request, Deed.SEE_CLASS, thing)


def _address(school: str, assignment: str) -> str:
    return f"{office_address(school, 'homework')}/{quote(assignment, '')}"


def _file(body: bytes, kind: str, name: str) -> web.Response:
    suffix = name.rpartition(".")[2]
    headers = {"Content-Disposition": f"attachment; filename=\"homework.{suffix}\"; filename*=UTF-8''{quote(name, '')}"}
    return web.Response(body=body, content_type=kind, headers=headers)
