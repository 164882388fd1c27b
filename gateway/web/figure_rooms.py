"""The rooms in which figures are read, from the start page to one pupil's answer."""

from __future__ import annotations

from gateway.reports.cache import ReportCache
from gateway.web.found import REPORTS
from gateway.web.pages.absences import add_absences
from gateway.web.pages.classes import add_classes
from gateway.web.pages.district import add_district
from gateway.web.pages.items import add_items
from gateway.web.pages.pupil import add_pupils
from gateway.web.pages.releases import add_releases
from gateway.web.pages.report_files import add_report_files
from gateway.web.pages.reports import add_reports
from gateway.web.pages.review import add_review
from gateway.web.pages.school import add_schools
from gateway.web.pages.start import add_start
from gateway.web.pages.week import add_week
from gateway.web.rooms import Rooms


def add_figure_rooms(rooms: Rooms) -> None:
    """All of them, and the reports that they share."""
    rooms.app[REPORTS] = ReportCache(rooms.store.vault)
    add_start(rooms)
    add_report_files(rooms)  # before the reports: `…/A.xlsx` is no assignment called A.xlsx
    add_reports(rooms)
    add_releases(rooms)
    add_items(rooms)
    add_absences(rooms)
    add_week(rooms)
    add_district(rooms)
    add_schools(rooms)
    add_classes(rooms)
    add_pupils(rooms)
    add_review(rooms)
