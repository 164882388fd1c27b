"""Who need not hand a piece of homework in: 请假, 免做, and taking them back, with one tap on a pupil."""

from __future__ import annotations

import re
from typing import NamedTuple

from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access.deeds import Deed
from gateway.access.request_keys import NOTED, THING
from gateway.ingest import Changed
from gateway.reports.class_report import SchoolReport
from gateway.saying_absent import SaidSinceError, Whose, say_absent, take_absence_back
from gateway.store.absences import absences_of, words_on
from gateway.store.schools import class_pupils, seats_of
from gateway.web.asking import may_here, person_of
from gateway.web.found import address_of, report_found
from gateway.web.rooms import REPORT, Rooms, place_of, report_address
from homework.absences import Absence
from homework.errors import UsageError
from homework.merging import winner
from homework.wording import STATUS_WORDS, Translate, called
from sync.absences import word_of
from sync.clock import SystemClock
from ui.forms import sent_form
from ui.language import translator
from ui.pages import language_of, render

_SAID = re.compile(r"([0-9a-f]{16,32}):(excused|exempt|)", re.ASCII)
_DID = re.compile(r"([0-9a-f]{16,32}):([0-9a-f]{32})", re.ASCII)
_HANDED_IN = ("handed-in", "late")


class Choice(NamedTuple):
    """A button at a pupil: what it says, what the form then sends, and whether that is so already."""

    words: str
    value: str
    chosen: bool


class Line(NamedTuple):
    """A pupil, by seat: what is said of them (`away`: that the sheet is not to come), and what may be said.

    `undo` is what the form sends that takes back what was said a moment ago, "" for nothing.
    """

    key: str
    seat: int
    name: str
    words: str
    away: bool
    choices: tuple[Choice, ...]
    undo: str


class AbsencesView(NamedTuple):
    """The page: those without a sheet, and those of whom something was said and whose sheet came after all."""

    lines: tuple[Line, ...]
    after_all: tuple[Line, ...]


def add_absences(rooms: Rooms) -> None:
    """The page, what is said on it, and taking that back."""
    absences = _Absences(rooms)
    rooms.page("GET", f"{REPORT}/absences", absences.page, deed=Deed.SAY_ABSENT)
    rooms.page("POST", f"{REPORT}/absences", absences.say, deed=Deed.SAY_ABSENT)
    rooms.page("POST", f"{REPORT}/absences/undo", absences.undo, deed=Deed.SAY_ABSENT)


def absences_address(request: web.Request, report: SchoolReport) -> str:
    """Where the reader may say who is away, "" where not, or where there is nobody of whom to say it."""
    open_seats = any(pupil.status not in _HANDED_IN for pupil in report.figures.pupils)
    return f"{address_of(report)}/absences" if open_seats and may_here(request, Deed.SAY_ABSENT, request[THING]) else ""


class _Absences:
    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    async def page(self, request: web.Request) -> web.Response:
        report = await self._report(request)
        words = translator(language_of(request)).gettext
        return render(
            request,
            "absences.html",
            view=await self._view(request, report, words),
            title=report.title,
            class_name=report.class_name or words("Class unknown"),
            address=address_of(report),
            has_list=report.size > 0,
            since="since" in request.query,
        )

    async def _report(self, request: web.Request) -> SchoolReport:
        """The report whose pupils it is about. Raises `HTTPNotFound` for homework of which nothing is here."""
        report = await report_found(self._rooms, request)
        if report.assignment is None and report.updated_ms is None:
            raise web.HTTPNotFound
        return report

    async def _view(self, request: web.Request, report: SchoolReport, _: Translate) -> AbsencesView:
        statuses = {pupil.pupil: pupil.status for pupil in report.figures.pupils}
        did = _DID.fullmatch(request.query.get("did", ""))
        async with self._rooms.store.reading() as connection:
            pupils = await class_pupils(connection, self._rooms.store.vault, report.school, report.class_name)
            away = (await absences_of(connection, report.school, [report.assignment_id])).get(report.assignment_id, {})
            undo = await _still_counts(connection, report, did) if did is not None else ("", "")
        lines: dict[bool, list[Line]] = {True: [], False: []}
        for alias, pupil in pupils:
            absence, name = away.get(alias), alias.hex()
            here = statuses.get(pupil.pupil_id, "missing") in _HANDED_IN
            if here and absence is None and name != undo[0]:
                continue
            choices = [(_("to hand in"), None), *((_(STATUS_WORDS[one.value]), one) for one in Absence)]
            lines[here].append(
                Line(
                    key=f"p-{pupil.seat}",
                    seat=pupil.seat,
                    name=called(pupil.name, _),
                    words=_(STATUS_WORDS[absence.value]) if absence is not None else _("to hand in"),
                    away=absence is not None,
                    choices=tuple(
                        Choice(words, f"{name}:{one.value if one is not None else ''}", absence is one)
                        for words, one in choices
                    ),
                    undo=f"{name}:{undo[1]}" if name == undo[0] else "",
                )
            )
        return AbsencesView(tuple(lines[False]), tuple(lines[True]))

    async def say(self, request: web.Request) -> web.StreamResponse:
        """`say` is `PUPIL:excused`, `PUPIL:exempt` or `PUPIL:`: what it shall be, so that a second tap does no more."""
        said = _SAID.fullmatch(str((await sent_form(request)).get("say", "")))
        if said is None:
            raise _not_ours()
        await self._report(request)
        absence = Absence(said[2]) if said[2] else None
        async with self._rooms.store.writing() as connection:
            whose, seat = await self._whose(connection, request, said[1])
            name = await say_absent(
                connection, self._rooms.store.vault, request.match_info["school"], whose, absence,
                who=person_of(request).name, clock=SystemClock().read(),
            )  # fmt: skip
            await self._rooms.store.tell_others(connection, _changed(request))
        self._done(request, whose, absence.value if absence is not None else "back")
        did = f"?did={said[1]}:{name.hex()}" if name is not None else ""
        raise web.HTTPSeeOther(f"{report_address(*place_of(request))}/absences{did}#p-{seat}")

    async def undo(self, request: web.Request) -> web.StreamResponse:
        """`did` is `PUPIL:WORD`. What somebody else has said since stays, and the page says so."""
        did = _DID.fullmatch(str((await sent_form(request)).get("did", "")))
        if did is None:
            raise _not_ours()
        await self._report(request)
        back = f"{report_address(*place_of(request))}/absences"
        try:
            async with self._rooms.store.writing() as connection:
                whose, seat = await self._whose(connection, request, did[1])
                await take_absence_back(
                    connection, self._rooms.store.vault, request.match_info["school"], whose, bytes.fromhex(did[2]),
                    who=person_of(request).name, clock=SystemClock().read(),
                )  # fmt: skip
                await self._rooms.store.tell_others(connection, _changed(request))
        except SaidSinceError:
            raise web.HTTPSeeOther(f"{back}?since") from None
        self._done(request, whose, "undo")
        raise web.HTTPSeeOther(f"{back}#p-{seat}")

    async def _whose(self, connection: AsyncConnection, request: web.Request, name: str) -> tuple[Whose, int]:
        """The pupil of that pseudonym, of the class that the address names, and the seat."""
        school, class_name, assignment = place_of(request)
        alias = bytes.fromhex(name)
        seats = await seats_of(connection, school, ({alias}, ()))
        if seats.class_of.get(alias) != class_name:
            raise _not_ours()
        return Whose(assignment, alias), next(seat for (_, seat), pupil in seats.pupil_at.items() if pupil == alias)

    def _done(self, request: web.Request, whose: Whose, detail: str) -> None:
        """Tell open pages, and write down of whom it was said."""
        self._rooms.changes.tell(_changed(request))
        request[NOTED] = True
        thing = request[THING]._replace(pupil=whose.pupil)
        self._rooms.access.audit.note(person_of(request).id, Deed.SAY_ABSENT, thing, detail)


def _changed(request: web.Request) -> list[Changed]:
    school, class_name, assignment = place_of(request)
    return [Changed(school, assignment, class_name)]


async def _still_counts(connection: AsyncConnection, report: SchoolReport, did: re.Match[str]) -> tuple[str, str]:
    """The pupil and the word of an undo's address, where that is still the last one; two empty ones where not."""
    words = await words_on(connection, report.school, report.assignment_id, bytes.fromhex(did[1]))
    counts = winner([word_of(record) for record in words])
    return (did[1], did[2]) if counts is not None and counts.id.hex() == did[2] else ("", "")


def _not_ours() -> UsageError:
    return UsageError("Nobody of that name is on the class list.", remedy="Go back to the page and tap a seat.")
