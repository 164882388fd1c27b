"""The class report as files: CSV, an Excel workbook with chosen columns, a PDF to print, plain text."""

from __future__ import annotations

import asyncio

from aiohttp import web

from gateway.access.deeds import Deed
from gateway.reports.class_report import SchoolReport
from gateway.reports.export import signs_of
from gateway.web.found import attachment, report_found
from gateway.web.report_paper import report_paper
from gateway.web.rooms import REPORT, Rooms
from gateway.web.views import notices
from homework.sheets.printing import font_folders
from homework.sheets.report import make_report
from homework.wording import report_text
from ui.apart import apart
from ui.language import translator
from ui.pages import language_of
from ui.report_files import PUPIL_COLUMNS, summary_csv, summary_xlsx
from ui.report_view import report_view

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def add_report_files(rooms: Rooms) -> None:
    """The files of a report."""
    files = _Files(rooms)
    rooms.page("GET", f"{REPORT}.csv", files.as_csv, deed=Deed.EXPORT)
    rooms.page("GET", f"{REPORT}.xlsx", files.as_xlsx, deed=Deed.EXPORT)
    rooms.page("GET", f"{REPORT}.pdf", files.as_pdf, deed=Deed.EXPORT)
    rooms.page("GET", f"{REPORT}.txt", files.as_text, deed=Deed.SEE_CLASS)


class _Files:
    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    async def as_csv(self, request: web.Request) -> web.Response:
        """The table of pupils in the reader's words; for programs there is `classgate report --csv`."""
        report = await report_found(self._rooms, request)
        body = summary_csv(report, translator(language_of(request)).gettext)
        return _file(body, "text/csv; charset=utf-8", attachment(_name(report), "csv"))

    async def as_xlsx(self, request: web.Request) -> web.Response:
        """The workbook; `column=` (as often as wished) chooses what stands of each pupil, in the usual order."""
        report = await report_found(self._rooms, request)
        asked = request.query.getall("column", ())
        columns = [column for column in PUPIL_COLUMNS if column in asked] or [*PUPIL_COLUMNS]
        words = translator(language_of(request)).gettext
        body = await asyncio.to_thread(summary_xlsx, report, words, columns=columns, signs=signs_of(report))
        return _file(body, XLSX, attachment(_name(report), "xlsx"))

    async def as_pdf(self, request: web.Request) -> web.Response:
        """The report on paper, set in a process that ends with it."""
        report = await report_found(self._rooms, request)
        language = language_of(request)
        view = report_view(report, language, notices=notices(report, language))
        body = await asyncio.to_thread(apart, make_report, report_paper(report, view, language), fonts=font_folders())
        return _file(body, "application/pdf", attachment(_name(report), "pdf"))

    async def as_text(self, request: web.Request) -> web.Response:
        """What is pasted into a group of parents: no names, no scores."""
        report = await report_found(self._rooms, request)
        return web.Response(text=report_text(report, translator(language_of(request)).gettext) + "\n")


def _name(report: SchoolReport) -> str:
    return f"{report.class_name} {report.title}".strip()


def _file(body: bytes, kind: str, disposition: str) -> web.Response:
    return web.Response(body=body, headers={"Content-Type": kind, "Content-Disposition": disposition})
