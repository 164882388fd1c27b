"""What an address names: the report of a class, and the addresses that lead on from it."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple
from urllib.parse import quote

from aiohttp import web

from gateway.access.person import Person
from gateway.access.request_keys import PERSON
from gateway.clock import unix_ms
from gateway.reports.cache import NoSuchHomeworkError, ReportCache
from gateway.reports.class_report import AnswerKey, SchoolReport
from gateway.reports.periods import FIRST_YEAR, LAST_YEAR, Term, day_at, term_named, term_of
from gateway.reports.summaries import Place
from gateway.store.crops import CropName
from gateway.store.schools import is_here
from gateway.web.rooms import Rooms, place_of, report_address, thing_of_address
from homework.errors import ClassboxError

REPORTS = web.AppKey("reports", ReportCache)
"""The reports that this site has made a moment ago."""
_MOST_CROPS = 3
"""Of one wrong answer; so many hands show whether it is one mistake."""


async def report_found(rooms: Rooms, request: web.Request) -> SchoolReport:
    """The report that an address names, empty before its first sheet. Raises `HTTPNotFound` for what never was here."""
    school, class_name, assignment = place_of(request)
    async with rooms.store.reading() as connection:
        try:
            return await rooms.app[REPORTS].class_report(connection, Place(school, class_name, assignment))
        except NoSuchHomeworkError as error:
            raise web.HTTPNotFound from error
        except ClassboxError as error:
            if not await is_here(connection, school):
                raise web.HTTPNotFound from error
            raise


def address_of(report: SchoolReport) -> str:
    """The report's own address."""
    return report_address(report.school, report.class_name, report.assignment_id)


def item_addresses(report: SchoolReport) -> dict[str, str]:
    """From the report's items, in their order, to their pages."""
    return {item.item: f"{address_of(report)}/items/{quote(item.item, '')}" for item in report.figures.items}


class Crop(NamedTuple):
    """The picture of an answer: its address, where it leads, and whose it is. How large it is, is sealed with it."""

    picture: str
    sheet: str
    who: str
    size_px: tuple[int, int] | None = None


def report_crops(report: SchoolReport) -> dict[AnswerKey, tuple[Crop, ...]]:
    """The pictures that there are of the wrong answers that a report lists."""
    names = {place.first_page: one.pupil.name for one in report.again for place in one.items}
    pages = item_addresses(report)
    return {
        key: tuple(
            Crop(crop_address(report.school, name), pages.get(name.item, ""), names.get(name.capture, ""))
            for name in found[:_MOST_CROPS]
        )
        for key, found in report.crops.items()
    }


def crop_address(school: str, name: CropName) -> str:
    """The address of one field's picture."""
    return f"/schools/{quote(school, '')}/crops/{name.capture.hex()}/{quote(name.item, '')}/{name.blank}"


def pupil_addresses(report: SchoolReport) -> dict[str, str]:
    """From the pupils of the report's class list, by their id at the school, to their pages."""
    return {pupil: pupil_address(report.school, pseudonym) for pupil, pseudonym in report.pseudonyms.items()}


def pupil_address(school: str, pseudonym: bytes) -> str:
    """The address of a pupil's page."""
    return f"/schools/{quote(school, '')}/pupils/{pseudonym.hex()}"


def class_address(school: str, class_name: str) -> str:
    """The address of a class's page."""
    return f"/schools/{quote(school, '')}/classes/{quote(class_name, '') or '-'}"


def school_address(school: str) -> str:
    """The address of a school's page."""
    return f"/schools/{quote(school, '')}"


def attachment(name: str, ending: str, *, plain: str = "report") -> str:
    """A Content-Disposition for a file called `name`, in any script (RFC 6266); `plain` where that is not known."""
    return f"attachment; filename=\"{plain}.{ending}\"; filename*=UTF-8''{quote(f'{name}.{ending}', '')}"


def place_in(request: web.Request) -> tuple[str, str]:
    """School and class of an address that has both."""
    thing = thing_of_address(request)
    assert isinstance(thing.school, str)
    assert isinstance(thing.class_name, str)
    return thing.school, thing.class_name


def term_asked(request: web.Request) -> Term:
    """The term of `?term=`, this one where there is none. Raises `UsageError` for what is none."""
    named = request.query.get("term")
    return term_named(named) if named else term_of(today())


def day_asked(request: web.Request, name: str) -> date | None:
    """The day that a query names; None where there is none, or what is there is no day that could be meant."""
    try:
        day = date.fromisoformat(request.query.get(name, ""))
    except ValueError:
        return None
    return day if FIRST_YEAR < day.year < LAST_YEAR else None


def today() -> date:
    """The day in this machine's zone."""
    return day_at(unix_ms())


def person_of(request: web.Request) -> Person:
    """Whoever asks, as the gate found out."""
    person = request[PERSON]
    assert isinstance(person, Person)
    return person
