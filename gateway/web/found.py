"""What an address names: the report of a class, and the addresses that lead on from it."""

from __future__ import annotations

from urllib.parse import quote

from aiohttp import web

from gateway.reports.class_report import SchoolReport, class_report
from gateway.store.schools import school_ids
from gateway.web.rooms import Rooms, place_of, report_address


async def report_found(rooms: Rooms, request: web.Request) -> SchoolReport:
    """The report that an address names, empty before its first sheet. Raises `HTTPNotFound` for a school not here."""
    school, class_name, assignment = place_of(request)
    async with rooms.store.reading() as connection:
        if school not in await school_ids(connection):
            raise web.HTTPNotFound
        return await class_report(connection, rooms.store.vault, school, class_name, assignment)


def address_of(report: SchoolReport) -> str:
    """The report's own address."""
    return report_address(report.school, report.class_name, report.assignment_id)


def item_addresses(report: SchoolReport) -> dict[str, str]:
    """From the report's items, in their order, to their pages."""
    return {item.item: f"{address_of(report)}/items/{quote(item.item, '')}" for item in report.figures.items}


def attachment(name: str, ending: str) -> str:
    """A Content-Disposition for a file called `name`, in any script (RFC 6266); "report" where that is not known."""
    return f"attachment; filename=\"report.{ending}\"; filename*=UTF-8''{quote(f'{name}.{ending}', '')}"
