"""What programs can bring in: class lists, homework, corrections; by the same rules as a person on a page."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from aiohttp import web
from msgspec import UNSET
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access.deeds import SOME, Deed, Thing
from gateway.api.listing import Viewer
from gateway.api.operations import JSON, Api, Body, asked, sent_bytes, sent_json
from gateway.api.paging import Part, cursor_of, place_of_cursor
from gateway.api.problems import NotAcceptedError
from gateway.api.written import (
    AssignmentLine,
    AssignmentList,
    AssignmentMade,
    ChangedClass,
    CorrectionMade,
    CorrectionWish,
    Judged,
    LeftOutLines,
    RosterAnswer,
    RosterWish,
)
from gateway.correcting import TAKEN_BACK, Field, Sayer, correct
from gateway.rosters import ClassChange, Given, Wish, class_changes, given_file
from gateway.store.class_lists import keep_classes, whole_roster
from gateway.store.dialect import lock_school
from gateway.store.documents import publish
from gateway.store.homework import Homework, homework_of, one_homework
from gateway.store.schools import school_ids
from gateway.web.rooms import some_class, thing_of_address
from homework.assignment import Assignment, assignment_to_toml, parse_assignment
from homework.corrections import Word
from homework.errors import BadFileError
from homework.load import subject_of
from homework.pasted_roster import Change
from homework.print_run import PrintRun
from homework.results import ItemResult, points
from homework.roster import Roster, roster_to_csv
from homework.sheets.printing import PrintJob, print_job
from sync.clock import SystemClock
from ui.apart import apart
from ui.language import translator
from ui.pages import language_of

CSV: Final = "text/csv"
XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
ZIP: Final = "application/zip"
TOML: Final = "application/toml"
_FILES: Final = {CSV: "list.csv", XLSX: "list.xlsx", ZIP: "list.zip"}
_MOST_LIST: Final = 16 * 1024**2
_MOST_TOML: Final = 1024**2
_ROSTERS, _ASSIGNMENTS = "/schools/{school}/rosters", "/schools/{school}/assignments"


def add_writing(api: Api) -> None:
    """Register what can be brought in."""
    writing = _Writing(api)
    api.add(
        "GET",
        _ROSTERS,
        writing.rosters,
        name="rosters",
        summary="The class lists that the key may change, as CSV",
        deed=Deed.EDIT_ROSTER,
        thing=some_class,
        gives=Body((CSV,)),
    )
    api.add(
        "POST",
        _ROSTERS,
        writing.keep_roster,
        name="keepRosters",
        summary="Bring class lists in: CSV, a workbook, or a OneRoster 1.1 or 1.2 zip",
        deed=Deed.EDIT_ROSTER,
        thing=some_class,
        query=RosterWish,
        takes=Body(tuple(_FILES)),
        gives=RosterAnswer,
    )
    api.add(
        "GET",
        _ASSIGNMENTS,
        writing.assignments,
        name="assignments",
        summary="Homework of a school",
        deed=Deed.ASSIGN,
        thing=some_class,
        query=Part,
        gives=AssignmentList,
    )
    api.add(
        "POST",
        _ASSIGNMENTS,
        writing.keep_assignment,
        name="keepAssignment",
        summary="Bring homework in, for every box of the school",
        deed=Deed.ASSIGN,
        thing=some_class,
        takes=Body((TOML,)),
        gives=AssignmentMade,
        status=201,
    )
    api.add(
        "GET",
        _ASSIGNMENTS + "/{assignment}",
        writing.assignment,
        name="assignment",
        summary="A piece of homework as its file",
        deed=Deed.ASSIGN,
        thing=_for_some_class,
        gives=Body((TOML,)),
    )
    api.add(
        "POST",
        "/schools/{school}/corrections",
        writing.correct,
        name="correct",
        summary="Correct an answer: it counts at once, and the boxes hear of it",
        deed=Deed.CORRECT,
        thing=some_class,
        takes=Body((JSON,), CorrectionWish),
        gives=CorrectionMade,
    )


def _for_some_class(request: web.Request) -> Thing:
    """Of the homework's own subject, for whichever classes the reader has."""
    return thing_of_address(request)._replace(class_name=SOME)


class _Writing:
    def __init__(self, api: Api) -> None:
        self._rooms = api.rooms
        self._store = api.rooms.store

    # --- class lists ----------------------------------------------------------------------------------------------

    async def rosters(self, request: web.Request) -> web.Response:
        async with self._store.reading() as connection:
            roster = await self._roster(connection, request)
        mine = Roster(tuple(pupil for pupil in roster.pupils if self._may_edit(request, pupil.class_name)))
        return web.Response(body=b"\xef\xbb\xbf" + roster_to_csv(mine).encode(), headers={"Content-Type": CSV})

    async def keep_roster(self, request: web.Request) -> RosterAnswer:
        wish = asked(request, RosterWish)
        name = _FILES.get(request.content_type)
        if name is None:
            raise web.HTTPUnsupportedMediaType
        data = await sent_bytes(request, most_bytes=_MOST_LIST)
        async with self._store.reading() as connection:
            known = await self._roster(connection, request)
        today = datetime.now().astimezone().date()
        given = await asyncio.to_thread(
            given_file,
            data,
            name,
            known=known,
            today=today,
            class_name=wish.class_name,
            school=wish.from_school,
        )
        after = Wish(given.roster.pupils).after(known)
        self._refuse_others(request, after)
        if wish.keep == "yes":
            school, person = request.match_info["school"], self._rooms.person(request)
            async with self._store.writing() as connection:
                await lock_school(connection, school)
                if await whole_roster(connection, self._store.vault, school) != known:
                    raise NotAcceptedError(
                        "Somebody has changed these classes meanwhile. Nothing was kept.",
                        remedy="Look at the lists, and bring yours in again.",
                        status=409,
                    )
                await keep_classes(connection, self._store.vault, school, after, person=person.id)
                await self._store.tell_others(connection, [(school, None, None)])
            self._rooms.changes.tell_all()
        return _roster_answer(request, class_changes(after, known), given, kept=wish.keep == "yes")

    async def _roster(self, connection: AsyncConnection, request: web.Request) -> Roster:
        """The school's class lists. Raises `HTTPNotFound`."""
        school = request.match_info["school"]
        if school not in await school_ids(connection):
            raise web.HTTPNotFound
        return await whole_roster(connection, self._store.vault, school)

    def _may_edit(self, request: web.Request, class_name: str) -> bool:
        return self._rooms.may(request, Deed.EDIT_ROSTER, Thing(request.match_info["school"], class_name))

    def _refuse_others(self, request: web.Request, after: Iterable[str]) -> None:
        others = [name for name in after if not self._may_edit(request, name)]
        if others:
            raise NotAcceptedError(
                "The list would change classes that are not yours: {classes}.",
                remedy="Leave their pupils out, or ask the head to bring it in.",
                status=403,
                classes=", ".join(others[:10]),
            )

    # --- homework -------------------------------------------------------------------------------------------------

    async def assignments(self, request: web.Request) -> AssignmentList:
        part, school = asked(request, Part), request.match_info["school"]
        before_ms = place_of_cursor(part.after, int)
        async with self._store.reading() as connection:
            if school not in await school_ids(connection):
                raise web.HTTPNotFound
            found = await homework_of(connection, school, before_ms=before_ms, limit=part.limit + 1)
        lines = [_line(one) for one in found[: part.limit] if self._may_assign(request, one.assignment)]
        following = cursor_of(found[part.limit - 1].changed_ms) if len(found) > part.limit else None
        return AssignmentList(lines, following)

    async def assignment(self, request: web.Request) -> web.Response:
        async with self._store.reading() as connection:
            found = await one_homework(connection, request.match_info["school"], request.match_info["assignment"])
        if found is None or not self._may_assign(request, found.assignment):
            raise web.HTTPNotFound
        return web.Response(text=assignment_to_toml(found.assignment), content_type=TOML)

    async def keep_assignment(self, request: web.Request) -> AssignmentMade:
        """Set its sheets, and give both to the boxes."""
        if request.content_type != TOML:
            raise web.HTTPUnsupportedMediaType
        body = await sent_bytes(request, most_bytes=_MOST_TOML)
        try:
            assignment = await asyncio.to_thread(parse_assignment, body.decode())
        except UnicodeDecodeError as error:
            raise BadFileError("The homework is not UTF-8.", remedy="Save it as UTF-8 and try again.") from error
        if not self._may_assign(request, assignment):
            raise web.HTTPForbidden
        if assignment.pupil_id == "printed":
            raise NotAcceptedError(
                "Sheets with printed names are made where they are printed.",
                remedy="Bring it in with another pupil_id, or print it on the school's page.",
            )
        printed = await asyncio.to_thread(apart, print_job, PrintJob(assignment=assignment))
        school = request.match_info["school"]
        async with self._store.writing() as connection:
            if not await lock_school(connection, school):
                raise web.HTTPNotFound
            await publish(connection, school, PrintRun(layout=printed.layout, assignment=assignment, roster=None))
            await self._store.tell_others(connection, [(school, None, None)])
        self._rooms.changes.tell_all()
        return AssignmentMade(assignment.id, printed.layout.sheet)

    def _may_assign(self, request: web.Request, assignment: Assignment) -> bool:
        thing = Thing(request.match_info["school"], SOME, subject=subject_of(assignment.subject))
        return self._rooms.may(request, Deed.ASSIGN, thing)

    # --- corrections ----------------------------------------------------------------------------------------------

    async def correct(self, request: web.Request) -> CorrectionMade:
        wish, school = await sent_json(request, CorrectionWish), request.match_info["school"]
        word = _word(wish)
        where = Field(wish.assignment, wish.class_name, wish.seat, (wish.item, wish.blank), wish.attempt)
        async with self._store.reading() as connection:
            if school not in await school_ids(connection):
                raise web.HTTPNotFound
            found = await one_homework(connection, school, wish.assignment)
        subject = None if found is None else subject_of(found.assignment.subject)
        thing = Thing(school, wish.class_name, wish.assignment, subject=subject)
        self._rooms.require(request, Deed.CORRECT, thing)
        viewer = Viewer(self._rooms.person(request), self._rooms.access.now_ms())
        clock = SystemClock().read()
        async with self._store.writing() as connection:
            done = await correct(
                connection,
                self._store.vault,
                school,
                where,
                word,
                who=Sayer(viewer.person.name, viewer.person.id),
                clock=clock,
            )
            await self._store.tell_others(connection, [(school, wish.assignment, wish.class_name)])
        self._rooms.changes.tell_all()
        return CorrectionMade(done.record is not None, _judged(done.before), _judged(done.after))


def _roster_answer(request: web.Request, changes: tuple[ClassChange, ...], given: Given, *, kept: bool) -> RosterAnswer:
    _ = translator(language_of(request)).gettext
    return RosterAnswer(
        kept=kept,
        classes=[
            ChangedClass(
                class_name=one.name,
                is_new=one.is_new,
                new=one.how_many(Change.NEW),
                same=one.how_many(Change.SAME),
                moved=one.how_many(Change.MOVED),
                renamed=one.how_many(Change.RENAMED),
                gone=len(one.gone),
                moved_away=len(one.moved_away),
            )
            for one in changes
        ],
        left_out=[LeftOutLines(one.file, _(one.why), one.times, list(one.lines)) for one in given.left_out],
        notes=[note.said(_) for note in given.notes],
    )


def _line(one: Homework) -> AssignmentLine:
    assignment = one.assignment
    return AssignmentLine(
        assignment=assignment.id,
        title=assignment.title,
        subject=subject_of(assignment.subject),
        grade=assignment.grade,
        due=assignment.due,
        changed_ms=one.changed_ms,
        sheets=one.pages,
    )


def _word(wish: CorrectionWish) -> Word:
    """What is said. Raises `NotAcceptedError` for nothing, and for what does not go together."""
    said = [value for value in (wish.right, wish.text, wish.score) if value is not None]
    if (wish.undo and (said or wish.comment is not None)) or len(said) > 1:
        raise NotAcceptedError("These do not go together.", remedy="Send one of right, text, score and undo.")
    if wish.undo:
        return TAKEN_BACK
    if not said and wish.comment is None:
        raise NotAcceptedError(
            "It is not said what the answer is.", remedy="Send one of right, text, score, comment and undo."
        )
    return Word(
        text=UNSET if wish.text is None else wish.text,
        right=UNSET if wish.right is None else wish.right,
        score_hundredths=UNSET if wish.score is None else round(wish.score * 100),
        comment=UNSET if wish.comment is None else wish.comment,
    )


def _judged(item: ItemResult) -> Judged:
    return Judged(item.reading.text, item.verdict.kind, points(item.verdict.score_hundredths))
