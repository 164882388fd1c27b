"""Who need not hand a piece of homework in (请假, 免做), for programs: read, said, and taken back."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from aiohttp import web
from msgspec import Meta, field
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access.deeds import Deed
from gateway.access.request_keys import NOTED, THING
from gateway.api.operations import JSON, Api, Body, sent_json
from gateway.api.problems import NotAcceptedError
from gateway.ingest import Changed
from gateway.saying_absent import Whose, say_absent
from gateway.store.absences import absences_of
from gateway.store.archived import refuse_archived
from gateway.store.homework import one_homework
from gateway.store.months import known_months
from gateway.store.schools import class_pupils, school_ids
from gateway.web.rooms import REPORT, place_of
from homework.absences import Absence
from sync.clock import SystemClock

Pseudonym = Annotated[str, Meta(pattern="^[0-9a-f]{16}$", description="As the class and the exports give it.")]
Why = Literal["excused", "exempt"]


class AbsenceLine(msgspec.Struct, frozen=True, kw_only=True):
    """A pupil whose sheet is not to come: `excused` is 请假, `exempt` 免做. A sheet that comes after all counts."""

    pupil: Pseudonym
    seat: int
    absence: Why


class AbsenceList(msgspec.Struct, frozen=True, kw_only=True):
    """Of a class's pupils those whose sheets are not to come, by seat; nobody else is named."""

    school: str
    class_name: str = field(name="class")
    assignment: str
    absences: list[AbsenceLine]


class AbsenceWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is said of a pupil; `absence` null: the sheet is to come."""

    pupil: Pseudonym
    absence: Why | None


class AbsenceSaid(msgspec.Struct, frozen=True, kw_only=True):
    """What became of it; not `changed`: it was said already."""

    changed: bool
    pupil: Pseudonym
    absence: Why | None


def add_absence_rooms(api: Api) -> None:
    """Register what can be read and said."""
    absences = _Absences(api)
    path = f"{REPORT}/absences"
    api.add(
        "GET",
        path,
        absences.all_of_class,
        name="absences",
        summary="Who of a class need not hand the homework in",
        deed=Deed.SEE_CLASS,
        gives=AbsenceList,
    )
    api.add(
        "POST",
        path,
        absences.say,
        name="sayAbsent",
        summary="Say who need not hand it in, or take that back: it counts at once, and the boxes hear of it",
        deed=Deed.SAY_ABSENT,
        takes=Body((JSON,), AbsenceWish),
        gives=AbsenceSaid,
    )


class _Absences:
    def __init__(self, api: Api) -> None:
        self._rooms = api.rooms
        self._store = api.rooms.store

    async def all_of_class(self, request: web.Request) -> AbsenceList:
        school, class_name, assignment = place_of(request)
        async with self._store.reading() as connection:
            await _look(connection, school, assignment)
            pupils = await class_pupils(connection, self._store.vault, school, class_name)
            away = (await absences_of(connection, school, [assignment])).get(assignment, {})
        lines = [
            AbsenceLine(pupil=one.pseudonym.hex(), seat=one.pupil.seat, absence=away[one.pseudonym].value)
            for one in sorted(pupils, key=lambda one: one.pupil.seat)
            if one.pseudonym in away
        ]
        return AbsenceList(school=school, class_name=class_name, assignment=assignment, absences=lines)

    async def say(self, request: web.Request) -> AbsenceSaid:
        """As on the page: of a pupil of this class."""
        wish = await sent_json(request, AbsenceWish)
        school, class_name, assignment = place_of(request)
        alias, absence = bytes.fromhex(wish.pupil), None if wish.absence is None else Absence(wish.absence)
        person = self._rooms.person(request)
        changed = Changed(school, assignment, class_name)
        async with self._store.writing() as connection:
            await _look(connection, school, assignment)
            known = await class_pupils(connection, self._store.vault, school, class_name)
            if alias not in {one.pseudonym for one in known}:
                raise NotAcceptedError(
                    "Nobody of that pseudonym is on the list of this class.",
                    remedy="Ask for the class: it names its pupils.",
                    status=404,
                )
            word = await say_absent(
                connection,
                self._store.vault,
                school,
                Whose(assignment, alias),
                absence,
                who=person.name,
                clock=SystemClock().read(),
            )
            await self._store.tell_others(connection, [changed])
        self._rooms.changes.tell([changed])
        request[NOTED] = True
        thing = request[THING]._replace(pupil=alias)
        self._rooms.access.audit.note(person.id, Deed.SAY_ABSENT, thing, wish.absence or "back")
        return AbsenceSaid(changed=word is not None, pupil=wish.pupil, absence=wish.absence)


async def _look(connection: AsyncConnection, school: str, assignment: str) -> None:
    """Raises `HTTPNotFound` for homework that is not here, `InArchiveError` for what went into an archive."""
    if school not in await school_ids(connection):
        raise web.HTTPNotFound
    if not await known_months(connection, school, [assignment]):
        await refuse_archived(connection, school, assignment)
    if await one_homework(connection, school, assignment) is None:
        raise web.HTTPNotFound
