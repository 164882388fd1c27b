"""Review at the school: the questions of all boxes, one group after the other; pictures of answers; second marking."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

from aiohttp import ClientConnectionResetError, web
from aiohttp_sse import sse_response
from multidict import MultiDictProxy
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access.deeds import Deed, Thing
from gateway.access.person import Person
from gateway.access.request_keys import PERSON, THING
from gateway.access.rules import may
from gateway.correcting import THE_SCHOOL, Sayer, counting_page
from gateway.ingest import Changed
from gateway.reviewing import (
    MayCorrect,
    NotYoursError,
    ReportName,
    Waiting,
    answer,
    crop_of,
    review_mark,
    split,
    take_back,
    waiting,
)
from gateway.store.crops import CropName, open_crop
from gateway.store.reading import assignments_named
from gateway.store.releases import release_of
from gateway.web.office import office_doors
from gateway.web.rooms import REPORT, Rooms, report_address, some_class, thing_of_address
from homework.assignment import Assignment
from homework.load import subject_of
from homework.review_answers import answers_of
from homework.review_groups import Crop, Group
from sync.clock import SystemClock
from sync.sealing import SealError
from ui.forms import sent_form
from ui.language import translator
from ui.pages import SECURITY_HEADERS, language_of, render
from ui.review_view import CROP_HEIGHT_PX, CropView, group_values

_REVIEW = "/schools/{school}/review"
_CROP = "/schools/{school}/crops/{capture}/{item}/{blank}"
_T = TypeVar("_T")
_SHORT_PAUSE_S = 0.25
"""The least time between two looks for one page: a stack of 45 is many small changes."""
MOST_OTHERS = 30
"""Groups that are named before their turn."""


def add_review(rooms: Rooms) -> None:
    """A school's review, one report's, and the pictures of answers."""
    review = _Review(rooms)
    rooms.page("GET", _REVIEW, review.page, deed=Deed.CORRECT, thing=some_class)
    rooms.page("POST", _REVIEW, review.answer, deed=Deed.CORRECT, thing=some_class)
    rooms.page("POST", f"{_REVIEW}/undo", review.undo, deed=Deed.CORRECT, thing=some_class)
    rooms.page("GET", f"{_REVIEW}/events", review.events, deed=Deed.CORRECT, thing=some_class)
    rooms.page("GET", f"{REPORT}/review", review.page_of_report, deed=Deed.CORRECT)
    rooms.page(
        "GET",
        "/schools/{school}/crops/{capture}/{item}/{blank}",
        review.crop,
        deed=Deed.SEE_CROP,
        thing=review.thing_of_crop,
    )


def review_address(school: str) -> str:
    """The address of a school's review."""
    return f"/schools/{quote(school, '')}/review"


def crop_address(school: str, name: CropName) -> str:
    """The address of the picture of an answer."""
    return f"/schools/{quote(school, '')}/crops/{name.capture.hex()}/{quote(name.item, '')}/{name.blank}"


class _Review:
    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    async def page(self, request: web.Request) -> web.Response:
        return await self._shown(request, None)

    async def page_of_report(self, request: web.Request) -> web.Response:
        thing = thing_of_address(request)
        return await self._shown(request, ReportName(str(thing.class_name), thing.assignment or ""))

    async def _shown(self, request: web.Request, only: ReportName | None) -> web.Response:
        school = request.match_info["school"]
        async with self._rooms.store.reading() as connection:
            found = await waiting(connection, school, self._rule(request), only=only)
        words = translator(language_of(request)).gettext
        to = request.rel_url.raw_path if only is not None else None
        group = found.group(request.query.get("group"))
        others = [one for one in found.groups if group is None or one.key != group.key]
        did = split(request.query.getall("did", []))
        return render(
            request,
            "review.html",
            office=office_doors(request, school, words) if only is None else [],
            school=school,
            back=report_address(school, *only) if only is not None else "/",
            waiting=found,
            others=others[:MOST_OTHERS],
            more_others=max(0, len(others) - MOST_OTHERS),
            did=f"{did[0]}-{did[1]}" if did else None,
            did_count=_number(request.query.get("count")),
            undone=_number(request.query.get("undone")),
            refused=_number(request.query.get("refused")),
            **group_values(
                group,
                _crops(school, group, found),
                words,
                address=review_address(school),
                to=to,
            ),
        )

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Say it, and go back to where it was said."""
        school = request.match_info["school"]
        form = await sent_form(request)
        words = answers_of(_texts(form))
        said = await self._write(request, partial(answer, words=words))
        after: dict[str, str] = {}
        if said.orders is not None:
            after = {"did": f"{said.orders[0]}-{said.orders[1]}", "count": str(len(said.done))}
        if said.refused:
            after["refused"] = str(said.refused)
        raise web.HTTPSeeOther(_with(_back(form, school), after))

    async def undo(self, request: web.Request) -> web.StreamResponse:
        """Take back what the same person said a moment ago."""
        school = request.match_info["school"]
        form = await sent_form(request)
        orders = split([str(value) for value in form.getall("did", [])])
        if orders is None:
            raise web.HTTPBadRequest
        count = await self._write(request, partial(take_back, orders=orders))
        raise web.HTTPSeeOther(_with(_back(form, school), {"undone": str(count)}))

    async def _write(self, request: web.Request, work: Callable[..., Awaitable[_T]]) -> _T:
        """Do it in one transaction, by the reader's rules and in the reader's name; open pages hear of it."""
        school, store = request.match_info["school"], self._rooms.store
        changed = [Changed(school, None, None)]
        try:
            async with store.writing() as connection:
                done = await work(
                    connection,
                    store.vault,
                    school,
                    may_correct=self._rule(request),
                    who=_who(request),
                    clock=SystemClock().read(),
                )
                await store.tell_others(connection, changed)
        except NotYoursError as error:
            raise web.HTTPForbidden from error
        self._rooms.changes.tell(changed)
        return done

    async def events(self, request: web.Request) -> web.StreamResponse:
        """Says when what waits has changed: answered by another person, or more came in."""
        school = request.match_info["school"]
        told = request.query.get("mark")
        async with sse_response(request, headers=SECURITY_HEADERS) as response:
            with self._rooms.changes.watching(Changed(school, None, None)) as subscription:
                while response.is_connected():
                    async with self._rooms.store.reading() as connection:
                        mark = await review_mark(connection, school)
                    if mark != told:
                        told = mark
                        with suppress(ClientConnectionResetError):
                            await response.send(mark, event="waiting")
                    if not await subscription.wait():
                        break
                    await asyncio.sleep(_SHORT_PAUSE_S)
        return response

    async def crop(self, request: web.Request) -> web.Response:
        """The picture of one answer, as the box cut it out."""
        name = _crop_name(request)
        store = self._rooms.store
        try:
            async with store.reading() as connection:
                if not await self._may_be_seen(connection, request):
                    raise web.HTTPNotFound
                picture = await open_crop(connection, store.vault, request.match_info["school"], name)
        except SealError as error:
            raise web.HTTPNotFound from error
        if picture is None:
            raise web.HTTPNotFound
        headers = {"Cache-Control": "private, max-age=3600", "Content-Disposition": "inline"}
        return web.Response(body=picture, content_type="image/webp", headers=headers)

    async def _may_be_seen(self, connection: AsyncConnection, request: web.Request) -> bool:
        """Of a test that was not released the family sees no answer either."""
        thing: Thing = request[THING]
        if thing.assignment is None or self._rooms.may(request, Deed.SEE_CLASS, thing._replace(pupil=None)):
            return True
        school = request.match_info["school"]
        document = (await assignments_named(connection, school, {thing.assignment})).get(thing.assignment)
        if document is None or document.mode != "test":
            return True
        return await release_of(connection, school, str(thing.class_name), thing.assignment) is not None

    async def thing_of_crop(self, request: web.Request) -> Thing:
        """Whose picture it is: what the rules are asked about. Raises `HTTPNotFound` where there is no such page."""
        if request.get(PERSON) is None:
            return Thing(request.match_info["school"])
        school, name = request.match_info["school"], _crop_name(request)
        async with self._rooms.store.reading() as connection:
            row = await counting_page(connection, school, name.capture)
            keys = await assignments_named(connection, school, {row.assignment or ""} if row is not None else set())
        if row is None:
            raise web.HTTPNotFound
        return _thing(school, row.class_name or "", keys.get(row.assignment or ""))._replace(pupil=row.pupil)

    def _rule(self, request: web.Request) -> MayCorrect:
        person: Person | None = request.get(PERSON)
        school = request.match_info["school"]
        now_ms = self._rooms.access.now_ms()

        def may_correct(class_name: str, assignment: Assignment | None) -> bool:
            return may(person, Deed.CORRECT, _thing(school, class_name, assignment), now_ms)

        return may_correct


def _thing(school: str, class_name: str, assignment: Assignment | None) -> Thing:
    if assignment is None:
        return Thing(school, class_name)
    return Thing(
        school, class_name, assignment.id, subject=subject_of(assignment.subject) if assignment.subject else None
    )


def _crop_name(request: web.Request) -> CropName:
    info = request.match_info
    if not (info["blank"].isdecimal() and len(info["blank"]) < 4):
        raise web.HTTPNotFound
    return crop_of(info["capture"], info["item"], int(info["blank"]))


def _crops(school: str, group: Group | None, found: Waiting) -> list[CropView]:
    return [_view(school, crop, found) for crop in group.crops] if group is not None else []


def _view(school: str, crop: Crop, found: Waiting) -> CropView:
    name = crop_of(crop.key, crop.item, crop.blank)
    picture = f"{crop_address(school, name)}?{crop.version}" if name in found.crops else None
    return CropView(crop, picture, None, _size(crop))


def _size(crop: Crop) -> tuple[int, int]:
    if crop.field is None:
        return (CROP_HEIGHT_PX, CROP_HEIGHT_PX)
    _x, _y, width_mm, height_mm = crop.field.hull_mm()
    return (max(24, round(CROP_HEIGHT_PX * width_mm / height_mm)), CROP_HEIGHT_PX)


def _who(request: web.Request) -> Sayer:
    person: Person | None = request.get(PERSON)
    return THE_SCHOOL if person is None else Sayer(person.name, person.id)


def _texts(form: MultiDictProxy[Any]) -> dict[str, list[str]]:
    return {name: [str(value) for value in form.getall(name)] for name in form}


def _back(form: MultiDictProxy[Any], school: str) -> str:
    """Where the answer was given: a page of this school, or its review."""
    to = str(form.get("to", ""))
    return (
        to
        if to.startswith(f"/schools/{quote(school, '')}/") and "//" not in to and "\\" not in to
        else review_address(school)
    )


def _with(address: str, values: dict[str, str]) -> str:
    if not values:
        return address
    return f"{address}{'&' if '?' in address else '?'}{urlencode(values)}"


def _number(text: str | None) -> int:
    return int(text) if text is not None and text.isdecimal() and len(text) < 12 else 0
