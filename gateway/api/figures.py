"""What a school and the district are told, and one pupil's term: the values of the pages, for programs."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from gateway.access.deeds import Deed
from gateway.api.listing import ArchivedMonths
from gateway.api.operations import Api, asked
from gateway.reports.figures import DistrictFigures, SchoolFigures
from gateway.reports.periods import Term, day_at, term_named, term_of
from gateway.reports.pupil_report import Punctuality, PupilPoint, PupilReport, PupilSheet
from gateway.store.archived import archived_months_of
from gateway.web.found import REPORTS
from gateway.web.pages.pupil import pupil_as_seen
from gateway.web.rooms import some_subject, thing_of_address
from homework.comments import Trend


class OfTerm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of which term."""

    term: (
        Annotated[
            str,
            Meta(pattern="^[1-9][0-9]{3}-(autumn|spring)$", description="As 2026-autumn; without it the present one."),
        ]
        | None
    ) = None


class OfSubject(OfTerm, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of which term and subject."""

    subject: Annotated[str, Meta(max_length=40, description="Of this subject alone.")] = ""


class OfGrade(OfSubject, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of which term, subject and grade."""

    grade: Annotated[int, Meta(ge=1, le=12, description="Of this grade alone.")] | None = None


class PupilAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A pupil in a term: no rank, and nobody else. `points` go from the weakest up, `sheets` from the latest back."""

    school: str
    pupil: str
    pupil_id: str
    name: str
    seat: int
    class_name: str = msgspec.field(name="class")
    term: Term
    subject: str | None
    sheets: tuple[PupilSheet, ...]
    points: tuple[PupilPoint, ...]
    punctuality: Punctuality
    trend: Trend | None
    as_of_ms: int | None
    archived: ArchivedMonths


def add_figures(api: Api) -> None:
    """Register what is told of schools, the district and a pupil."""
    figures = _Figures(api)
    api.add(
        "GET",
        "/schools/{school}/pupils/{pupil}/report",
        figures.pupil,
        name="pupilReport",
        summary="A pupil's term",
        deed=Deed.SEE_PUPIL,
        thing=some_subject,
        query=OfSubject,
        gives=PupilAnswer,
    )
    api.add(
        "GET",
        "/schools/{school}/figures",
        figures.school,
        name="schoolFigures",
        summary="A school's use, knowledge points and load in a term, without names",
        deed=Deed.SEE_SCHOOL,
        query=OfTerm,
        gives=SchoolFigures,
    )
    api.add(
        "GET",
        "/district/figures",
        figures.district,
        name="districtFigures",
        summary="The same of all schools, for people of the district",
        deed=Deed.SEE_DISTRICT,
        query=OfGrade,
        gives=DistrictFigures,
    )


class _Figures:
    def __init__(self, api: Api) -> None:
        self._rooms = api.rooms
        self._store = api.rooms.store

    async def pupil(self, request: web.Request) -> PupilAnswer:
        wish, thing = asked(request, OfSubject), thing_of_address(request)
        assert isinstance(thing.school, str)
        assert thing.pupil is not None
        now_ms = self._rooms.access.now_ms()
        async with self._store.reading() as connection:
            found = await pupil_as_seen(
                connection,
                self._store.vault,
                self._rooms.person(request),
                thing.school,
                thing.pupil,
                term=_term(wish, now_ms),
                subject=wish.subject or None,
                at_ms=now_ms,
            )
            if found is None:
                raise web.HTTPNotFound
            months = (await archived_months_of(connection, [thing.school])).get(thing.school, [])
        return _answer(
            found, [month for month in months if _month(found.term.first) <= month <= _month(found.term.last)]
        )

    async def school(self, request: web.Request) -> SchoolFigures:
        now_ms, school = self._rooms.access.now_ms(), request.match_info["school"]
        term = _term(asked(request, OfTerm), now_ms)
        async with self._store.reading() as connection:
            found = await self._rooms.app[REPORTS].school_report(connection, school, term, now_ms=now_ms)
        if found is None:
            raise web.HTTPNotFound
        return found

    async def district(self, request: web.Request) -> DistrictFigures:
        wish, now_ms = asked(request, OfGrade), self._rooms.access.now_ms()
        async with self._store.reading() as connection:
            return await self._rooms.app[REPORTS].district_report(
                connection, _term(wish, now_ms), wish.subject or None, wish.grade, now_ms=now_ms
            )


def _term(wish: OfTerm, now_ms: int) -> Term:
    """The term of a request. Raises `UsageError`."""
    return term_named(wish.term) if wish.term is not None else term_of(day_at(now_ms))


def _month(day: date) -> int:
    return day.year * 100 + day.month


def _answer(report: PupilReport, archived: list[int]) -> PupilAnswer:
    others = ("pupil", "archived")
    shared = {name: getattr(report, name) for name in PupilAnswer.__struct_fields__ if name not in others}
    return PupilAnswer(**shared, pupil=report.pupil.hex(), archived=archived)
