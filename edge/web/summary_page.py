"""The pages of the class summary: for the teacher, for the classroom screen (no name, no score), and its files."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from aiohttp import web

from edge.release import is_released
from edge.web.desk import SITE, Site, static_address
from edge.web.summary import Summary, summary_of
from homework.again import STATE_WORDS
from homework.errors import ClassboxError
from homework.wording import Translate, report_text, report_text_by_name, untimed_notice
from sync.lanes import Lane
from ui.language import translator
from ui.pages import language_of, render
from ui.report_files import summary_csv, summary_xlsx
from ui.report_view import report_view

_LISTED = 60
"""So many assignments stand in the chooser, the newest first; a term has hundreds."""
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@dataclass(frozen=True)
class Badge:
    """What the bar says of the box: troubles, sheets that wait for the school (None: no school), a stick to pull."""

    troubles: tuple[ClassboxError, ...]
    waiting: int | None
    stick_done: bool


def add_summary_page(app: web.Application) -> None:
    """Add the summary."""
    app.router.add_get("/summary", _summary)
    app.router.add_get("/summary/{assignment}", _summary)
    app.router.add_get("/summary/{assignment}/{form:class.csv|class.xlsx}", _file)


def badge(site: Site) -> Badge:
    """The state of the box, without what the live page reads beside it."""
    waiting = site.ledger.outbox_counts()[Lane.RESULTS].waiting if site.belongs_to_school() else None
    return Badge(tuple(site.troubles()), waiting, site.stick_done())


def current_assignment(site: Site) -> str | None:
    """What the last graded sheet is of; before any, the assignment loaded last."""
    graded = site.ledger.newest_graded()
    if graded is not None and graded.record is not None:
        layout = site.documents.layout(graded.record.sheet)
        known = graded.record.assignment or (layout.assignment if layout is not None else None)
        return known or f"sheet:{graded.record.sheet}"
    assignments = site.documents.assignments()
    return assignments[-1].id if assignments else None


async def _summary(request: web.Request) -> web.Response:
    site = request.config_dict[SITE]
    language = language_of(request)
    found = await asyncio.to_thread(_found, request)
    values: dict[str, Any] = {"badge": await asyncio.to_thread(badge, site), "own": static_address}
    if found is None:
        return render(request, "summary_empty.html", **values)
    report = found.report
    words = translator(language).gettext
    where = f"/summary/{quote(report.assignment_id, '')}"
    query = "?" + urlencode({"class": report.class_name}) if report.class_name else ""
    values |= {
        "view": report_view(report, language, notices=_notices(found, words)),
        "address": where + query,
        "screen": f"{where}?{urlencode({'class': report.class_name, 'screen': 'class'})}",
    }
    if request.query.get("screen") == "class":
        held_back = not is_released(site.documents, report.assignment_id)
        return render(request, "summary_screen.html", **values, held_back=held_back)
    return render(
        request,
        "summary.html",
        **values,
        crops=found.crops,
        again_address="/again?" + urlencode({"assignment": report.assignment_id}),
        again={f"pupil-{pupil}": (state, words(STATE_WORDS[state])) for pupil, state in found.again.items()},
        waiting=found.waiting,
        account=f"/account/{quote(report.assignment_id, '')}{query}",
        text=report_text(report, words),
        text_by_name=report_text_by_name(report, words),
        csv=f"{where}/class.csv{query}",
        xlsx=f"{where}/class.xlsx{query}",
        assignments=_listed(site, report.assignment_id, report.title),
        classes=site.documents.roster().classes(),
        chosen=report.assignment_id,
        chosen_class=report.class_name,
    )


async def _file(request: web.Request) -> web.Response:
    found = await asyncio.to_thread(_found, request)
    if found is None:
        raise web.HTTPNotFound
    words = translator(language_of(request)).gettext
    as_csv = request.match_info["form"] == "class.csv"
    body = await asyncio.to_thread(summary_csv if as_csv else summary_xlsx, found.report, words)
    ending = "csv" if as_csv else "xlsx"
    name = quote(f"{found.report.class_name} {found.report.title}.{ending}".strip(), "")
    return web.Response(
        body=body,
        headers={
            "Content-Type": "text/csv; charset=utf-8" if as_csv else _XLSX,
            "Content-Disposition": f"attachment; filename=\"class.{ending}\"; filename*=UTF-8''{name}",
        },
    )


def _found(request: web.Request) -> Summary | None:
    """The summary that the address names; of the current assignment and class where it does not.

    None when there is no assignment at all. Raises `HTTPNotFound` for one that never was, and for a class that no
    class list has.
    """
    site = request.config_dict[SITE]
    named = request.match_info.get("assignment") or request.query.get("assignment")
    assignment = named or current_assignment(site)
    if assignment is None:
        return None
    wanted = request.query.get("class") or None
    if wanted is not None and wanted not in site.documents.roster().classes():
        raise web.HTTPNotFound
    found = summary_of(site.ledger, site.documents, assignment, wanted or site.chosen_class())
    if found.report.assignment is None and not found.report.sheets:
        raise web.HTTPNotFound
    return found


def _listed(site: Site, chosen: str, title: str) -> list[tuple[str, str]]:
    """Assignments to choose from, the newest first; the chosen one is always among them."""
    newest = [(each.id, each.title) for each in reversed(site.documents.assignments())]
    listed = newest[:_LISTED]
    return listed if any(each[0] == chosen for each in listed) else [(chosen, title), *listed]


def _notices(found: Summary, _: Translate) -> tuple[tuple[str, str], ...]:
    notices = []
    if found.report.assignment is None:
        notices.append(
            (
                _("The answers of this sheet are not known yet, so nothing is judged."),
                _("Slide the filled-in key, or load the worksheet."),
            )
        )
    if found.report.untimed:
        notices.append(untimed_notice(found.report, _))
    if found.strangers:
        notices.append(
            (
                _("Sheets of pupils who are not in this class list: {n}.").format(n=found.strangers),
                _("Check the seat number on the paper, or bring in the newest class list."),
            )
        )
    return tuple(notices)
