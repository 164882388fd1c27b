"""One pupil: the page, the comment that a teacher leaves on it, and the slips for the parents' meeting."""

from __future__ import annotations

import asyncio
from functools import cache
from urllib.parse import urlencode

from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access.deeds import SOME, Deed, Thing
from gateway.access.person import Person
from gateway.access.rules import may, names_for, visible_subjects
from gateway.clock import unix_ms
from gateway.keys import Vault
from gateway.reports.comments import keep_comment
from gateway.reports.periods import Term
from gateway.reports.pupil_report import Opened, PupilReport, PupilSheet, Sees, pupil_report
from gateway.reports.settings import report_settings
from gateway.store.schools import KnownPupil, class_pupils, pupils_named
from gateway.web.asking import is_welcomed
from gateway.web.found import attachment, class_address, person_of, place_in, pupil_address, term_asked
from gateway.web.pupil_view import OPENED, parents_slip, parents_words, pupil_page
from gateway.web.rooms import Rooms, report_address, some_subject, thing_of_address
from gateway.web.words import subject_text
from homework.report_settings import ReportSettings
from homework.sheets.parents_slip import make_parents_slips
from homework.sheets.printing import font_folders
from homework.wording import Translate
from ui.apart import apart
from ui.forms import small_form
from ui.language import translator
from ui.pages import language_of, render
from ui.strangers import refuse_strangers

PUPIL = "/schools/{school}/pupils/{pupil}"
NOT_OPENED = Opened(0)
"""No sheet's items: a slip has none."""
LONGEST_COMMENT = 400
"""Characters that the page offers room for: what an A5 slip holds beside the rest."""


def add_pupils(rooms: Rooms) -> None:
    """A pupil's page, slip and comment, and the slips of a class."""
    pupils = _Pupils(rooms)
    rooms.page("GET", PUPIL, pupils.page, deed=Deed.SEE_PUPIL, thing=some_subject)
    rooms.page("GET", f"{PUPIL}/slip.pdf", pupils.slip, deed=Deed.SEE_PUPIL, thing=some_subject)
    rooms.page("POST", f"{PUPIL}/comment", pupils.comment, deed=Deed.CORRECT, thing=some_subject)
    rooms.page(
        "GET",
        "/schools/{school}/classes/{class_name}/slips.pdf",
        pupils.class_slips,
        deed=Deed.EXPORT,
        thing=some_subject,
    )


class _Pupils:
    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    async def page(self, request: web.Request) -> web.Response:
        opened = request.query.get("sheet")
        report, settings = await self._found(request, opened=Opened(OPENED, opened))
        language = language_of(request)
        words = translator(language).gettext
        address = pupil_address(report.school, report.pupil)
        person, at_ms = person_of(request), unix_ms()
        of_class = Thing(school=report.school, class_name=report.class_name, subject=SOME)
        editable = may(person, Deed.CORRECT, of_class, at_ms)

        @cache
        def leads(class_name: str, subject: str) -> bool:
            thing = Thing(school=report.school, class_name=class_name, subject=subject)
            return may(person, Deed.SEE_CLASS, thing, at_ms)

        def class_report(sheet: PupilSheet) -> str:
            if not leads(sheet.class_name, sheet.subject):
                return ""
            return report_address(report.school, sheet.class_name, sheet.assignment)

        page = pupil_page(
            report,
            settings,
            language,
            sheet_address=class_report,
            proposes=editable,
            opened=opened,
        )
        await asyncio.sleep(0)  # a term's sheets took long: others have their turn
        return render(
            request,
            "pupil.html",
            page=page,
            address=address,
            query=_query(request),
            class_address=class_address(report.school, report.class_name)
            if may(person, Deed.SEE_CLASS, of_class, at_ms)
            else "",
            choices=_choices(report, request, address, words),
            editable=editable,
            forget=f"{address}/forget"
            if may(person, Deed.FORGET, Thing(school=report.school, pupil=report.pupil), at_ms)
            else "",
            longest=LONGEST_COMMENT,
            welcome=is_welcomed(request),
        )

    async def slip(self, request: web.Request) -> web.Response:
        report, _ = await self._found(request, on_paper=True)
        return await self._slips(request, [report], report.name)

    async def class_slips(self, request: web.Request) -> web.Response:
        """A slip of each pupil of the class, by seat, in one file."""
        school, class_name = place_in(request)
        store = self._rooms.store
        async with store.reading() as connection:
            known = await class_pupils(connection, store.vault, school, class_name)
            reports = [await self._report(connection, request, school, one.pseudonym, on_paper=True) for one in known]
        found = [report for report in reports if report is not None]
        if not found:
            raise web.HTTPNotFound
        return await self._slips(request, found, class_name)

    async def comment(self, request: web.Request) -> web.Response:
        """Keep what the teacher wrote; an empty comment lets the proposal stand again."""
        refuse_strangers(request)
        report, _ = await self._found(request)
        text = (await small_form(request)).get("comment", "")
        store = self._rooms.store
        async with store.writing() as connection:
            await keep_comment(
                connection,
                store.vault,
                report.school,
                report.pupil,
                term=report.term,
                text=text,
                person_id=person_of(request).id,
                at_ms=unix_ms(),
            )
        raise web.HTTPSeeOther(f"{pupil_address(report.school, report.pupil)}{_query(request)}#comment")

    async def _slips(self, request: web.Request, reports: list[PupilReport], name: str) -> web.Response:
        language = language_of(request)
        person, at_ms = person_of(request), unix_ms()

        def teaches(report: PupilReport) -> bool:
            return may(person, Deed.CORRECT, Thing(report.school, report.class_name, subject=SOME), at_ms)

        slips = [parents_slip(report, language, summary=teaches(report)) for report in reports]
        body = await asyncio.to_thread(
            apart, make_parents_slips, slips, words=parents_words(language), fonts=font_folders()
        )
        disposition = attachment(name, "pdf", plain="slips")
        return web.Response(body=body, headers={"Content-Type": "application/pdf", "Content-Disposition": disposition})

    async def _report(
        self,
        connection: AsyncConnection,
        request: web.Request,
        school: str,
        pupil: bytes,
        *,
        on_paper: bool = False,
        opened: Opened = NOT_OPENED,
    ) -> PupilReport | None:
        return await pupil_as_seen(
            connection,
            self._rooms.store.vault,
            person_of(request),
            school,
            pupil,
            term=term_asked(request),
            subject=request.query.get("subject") or None,
            at_ms=unix_ms(),
            on_paper=on_paper,
            opened=opened,
        )

    async def _found(
        self, request: web.Request, *, on_paper: bool = False, opened: Opened = NOT_OPENED
    ) -> tuple[PupilReport, ReportSettings]:
        thing = thing_of_address(request)
        assert isinstance(thing.school, str)
        assert thing.pupil is not None
        async with self._rooms.store.reading() as connection:
            report = await self._report(
                connection, request, thing.school, thing.pupil, on_paper=on_paper, opened=opened
            )
            if report is None:
                raise web.HTTPNotFound
            return report, await report_settings(connection, thing.school)


async def pupil_as_seen(
    connection: AsyncConnection,
    vault: Vault,
    person: Person,
    school: str,
    pupil: bytes,
    *,
    term: Term,
    subject: str | None,
    at_ms: int,
    on_paper: bool = False,
    opened: Opened | None = None,
) -> PupilReport | None:
    """The pupil as the reader may see it: a teacher of the class in the own subjects, a family in all of them, who is
    both in all. Tests that were not released are for teachers alone, and never `on_paper` that goes to the parents.
    """
    known = await pupils_named(connection, vault, school, {pupil})
    if not known:
        return None
    sees = seen_of(person, school, known[0], at_ms)
    if on_paper:
        sees = sees._replace(unreleased=frozenset())
    if subject is None and sees.subjects is not None and len(sees.subjects) == 1:
        (subject,) = sees.subjects
    return await pupil_report(
        connection, vault, school, pupil, term=term, subject=subject, sees=sees, opened=opened, known=known[0]
    )


def seen_of(person: Person, school: str, one: KnownPupil, at_ms: int) -> Sees:
    """What of a pupil that person may see, who may see something: as a teacher of the class, as the family, as both."""
    taught = visible_subjects(person, school, one.pupil.class_name, at_ms)
    is_family = one.pseudonym in names_for(person, school, at_ms).pupils
    # Who teaches nothing there was let in as the family, or as a program for pupils alone.
    return Sees(subjects=None if is_family or not taught else taught, unreleased=taught)


def _choices(report: PupilReport, request: web.Request, address: str, _: Translate) -> list[tuple[str, str, bool]]:
    """The subjects to choose from: words, address, whether it is chosen. None where there is but one."""
    chosen = report.subject
    subjects = sorted({sheet.subject for sheet in report.sheets})
    if chosen is None and len(subjects) < 2:
        return []
    kept = {"term": request.query["term"]} if request.query.get("term") else {}

    def where(**more: str) -> str:
        query = urlencode({**kept, **more})
        return f"{address}?{query}" if query else address

    every = (_("All subjects"), where(), chosen is None)
    return [every, *((subject_text(one, _), where(subject=one), one == chosen) for one in subjects)]


def _query(request: web.Request) -> str:
    kept = {name: request.query[name] for name in ("subject", "term") if request.query.get(name)}
    return f"?{urlencode(kept)}" if kept else ""
