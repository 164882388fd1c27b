"""The class report: its page, live while sheets arrive, for the whole class on a screen, and one click deeper."""

from __future__ import annotations

from aiohttp import web

from gateway.access.deeds import Deed
from gateway.ingest import Changed
from gateway.reports.class_report import SchoolReport
from gateway.web.corrections_view import corrections_view
from gateway.web.found import address_of, item_addresses, pupil_addresses, report_crops, report_found
from gateway.web.more_view import more_view
from gateway.web.pages.absences import absences_address
from gateway.web.pages.releases import release_view
from gateway.web.rooms import REPORT, Rooms, place_of
from gateway.web.views import notices
from homework.again import STATE_WORDS, AgainState
from homework.wording import report_text
from ui.language import translator
from ui.pages import language_of, render
from ui.report_files import PUPIL_COLUMNS
from ui.report_view import report_view


def add_reports(rooms: Rooms) -> None:
    """The report's pages, and its stream of changes."""
    reports = _Reports(rooms)
    rooms.page("GET", REPORT, reports.page, deed=Deed.SEE_CLASS)
    rooms.page("GET", f"{REPORT}/live", reports.live, deed=Deed.SEE_CLASS)
    rooms.page("GET", f"{REPORT}/screen", reports.screen, deed=Deed.SEE_CLASS)
    rooms.page("GET", f"{REPORT}/more", reports.more, deed=Deed.SEE_CLASS)


class _Reports:
    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    async def page(self, request: web.Request) -> web.Response:
        report = await report_found(self._rooms, request)
        language = language_of(request)
        words = translator(language).gettext
        return render(
            request,
            "report.html",
            view=report_view(report, language, notices=notices(report, language)),
            text=report_text(report, words),
            accounts=report.accounts,
            release=await release_view(self._rooms.store, request, report),
            to_look_at=sum(item.review for item in report.figures.items),
            pupil_addresses={f"pupil-{pupil}": address for pupil, address in pupil_addresses(report).items()},
            crops=report_crops(report),
            again={f"pupil-{pupil}": (state, words(STATE_WORDS[state])) for pupil, state in _again(report).items()},
            corrections=corrections_view(report, words),
            address=address_of(report),
            absences_address=absences_address(request, report),
            item_addresses=item_addresses(report),
            columns=[(column, words(heading)) for column, heading in PUPIL_COLUMNS.items()],
        )

    async def live(self, request: web.Request) -> web.StreamResponse:
        school, class_name, assignment = place_of(request)
        watched = Changed(school=school, assignment=assignment, class_name=class_name)
        return await self._rooms.stream(request, watched)

    async def screen(self, request: web.Request) -> web.Response:
        """For everybody's eyes: no name, no score, no handwriting."""
        report = await report_found(self._rooms, request)
        view = report_view(report, language_of(request))
        return render(request, "report_screen.html", view=view, address=address_of(report))

    async def more(self, request: web.Request) -> web.Response:
        """Intervals, the S-P table, and whose answers do not fit into it."""
        report = await report_found(self._rooms, request)
        language = language_of(request)
        addresses = item_addresses(report)
        return render(
            request,
            "report_more.html",
            view=report_view(report, language),
            more=more_view(report, addresses, translator(language).gettext),
            address=address_of(report),
            item_addresses=addresses,
        )


def _again(report: SchoolReport) -> dict[str, AgainState]:
    """How far each pupil's corrections are; nobody is said to owe one before the first of the class has come."""
    return {one.pupil.pupil_id: one.state for one in report.again} if report.again_begun else {}
