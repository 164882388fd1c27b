"""The class report: as a page, live, for a spreadsheet and as JSON."""

from __future__ import annotations

from urllib.parse import quote

from aiohttp import web

from gateway.access.deeds import Deed
from gateway.ingest import Changed
from gateway.reports.class_report import SchoolReport, class_report
from gateway.reports.export import report_to_csv, report_to_json
from gateway.store.schools import school_ids
from gateway.web.rooms import REPORT, Rooms, place_of, report_address
from gateway.web.views import notices
from homework.wording import report_text
from ui.language import translator
from ui.pages import language_of, render
from ui.report_view import report_view


def add_reports(rooms: Rooms) -> None:
    """The report's page, its stream of changes, CSV, and the contract's JSON."""
    reports = _Reports(rooms)
    rooms.page("GET", f"{REPORT}.csv", reports.as_csv, deed=Deed.EXPORT)
    rooms.page("GET", REPORT, reports.page, deed=Deed.SEE_CLASS)
    rooms.page("GET", f"{REPORT}/live", reports.live, deed=Deed.SEE_CLASS)
    rooms.page("GET", f"/api/1{REPORT}/report", reports.as_json, deed=Deed.SEE_CLASS)


class _Reports:
    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    async def page(self, request: web.Request) -> web.Response:
        report = await self._report(request)
        language = language_of(request)
        address = report_address(report.school, report.class_name, report.assignment_id)
        return render(
            request,
            "report.html",
            view=report_view(report, language, notices=notices(report, language)),
            text=report_text(report, translator(language).gettext),
            accounts=report.accounts,
            live=f"{address}/live",
            csv=f"{address}.csv",
        )

    async def live(self, request: web.Request) -> web.StreamResponse:
        school, class_name, assignment = place_of(request)
        watched = Changed(school=school, assignment=assignment, class_name=class_name)
        return await self._rooms.stream(request, watched)

    async def as_csv(self, request: web.Request) -> web.Response:
        report = await self._report(request)
        name = quote(f"{report.class_name} {report.assignment_id}.csv", "")
        return web.Response(
            body=report_to_csv(report).encode(),
            content_type="text/csv",
            charset="utf-8",
            headers={"Content-Disposition": f"attachment; filename=\"report.csv\"; filename*=UTF-8''{name}"},
        )

    async def as_json(self, request: web.Request) -> web.Response:
        return web.json_response(report_to_json(await self._report(request)))

    async def _report(self, request: web.Request) -> SchoolReport:
        school, class_name, assignment = place_of(request)
        store = self._rooms.store
        async with store.reading() as connection:
            if school not in await school_ids(connection):
                raise web.HTTPNotFound
            return await class_report(connection, store.vault, school, class_name, assignment)
