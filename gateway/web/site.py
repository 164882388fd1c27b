"""Routes: start page, class report, their streams of changes, the JSON API, `/health`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from aiohttp import web
from aiohttp_sse import sse_response

from gateway.config import LOOPBACK
from gateway.ingest import Changed
from gateway.reports.class_report import SchoolReport, class_report
from gateway.reports.export import report_to_csv, report_to_json
from gateway.reports.overview import Overview, overview
from gateway.store.schools import school_ids
from gateway.store.store import Store
from gateway.web.changes import Changes
from gateway.web.views import notices, overview_view
from homework.wording import report_text
from sync.errors import StoreTrouble
from ui.language import translator
from ui.pages import SECURITY_HEADERS, Handler, language_of, page_application, render
from ui.report_view import report_view

_HERE = Path(__file__).parent
_SHORT_PAUSE_S = 0.25
"""The least time between two messages to one page: a stack of 45 is many small changes, a page needs few."""
_PATH = "/schools/{school}/classes/{class_name}/assignments/{assignment}"


class Status(NamedTuple):
    """What `/health` says of the gateway beside the store."""

    broker_connected: bool
    counts: dict[str, int]
    broker_shares: bool = False
    """Among several gateways."""
    listens: bool = False
    """Whether it is this one of several that hears the hellos."""


def report_address(school: str, class_name: str, assignment: str) -> str:
    """The address of a class report's page."""
    return f"/schools/{quote(school, '')}/classes/{quote(class_name, '') or '-'}/assignments/{quote(assignment, '')}"


def make_site(store: Store, changes: Changes, status: Callable[[], Status]) -> web.Application:
    """The web application of a gateway."""
    site = _Site(store, changes, status)
    app = page_application(_HERE / "templates")
    app.middlewares.append(_for_this_machine_only)
    app.middlewares.append(_with_a_store)
    app.router.add_static("/static", _HERE / "static")
    app.on_shutdown.append(site.let_go)
    app.router.add_get("/", site.start)
    app.router.add_get("/live", site.start_live)
    app.router.add_get("/health", site.health)
    app.router.add_get(f"{_PATH}.csv", site.report_csv)
    app.router.add_get(_PATH, site.report)
    app.router.add_get(f"{_PATH}/live", site.report_live)
    app.router.add_get("/api/1/schools", site.api_schools)
    app.router.add_get(f"/api/1{_PATH}/report", site.api_report)
    return app


@web.middleware
async def _with_a_store(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Say in words what keeps a page from being shown when the database is away."""
    try:
        return await handler(request)
    except StoreTrouble as trouble:
        text = "\n".join(trouble.said(translator(language_of(request)).gettext))
        raise web.HTTPServiceUnavailable(text=text) from trouble


@web.middleware
async def _for_this_machine_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse requests under a foreign name: a website could point its own name here (DNS rebinding) and read."""
    if request.url.host not in LOOPBACK:
        raise web.HTTPMisdirectedRequest
    return await handler(request)


class _Site:
    def __init__(self, store: Store, changes: Changes, status: Callable[[], Status]) -> None:
        self._store = store
        self._changes = changes
        self._status = status

    async def let_go(self, app: web.Application) -> None:
        """End the streams, so that stopping does not wait for open pages."""
        self._changes.close()

    async def start(self, request: web.Request) -> web.Response:
        """Classes and assignments with their counts."""
        view = overview_view(await self._overview(), language_of(request), report_address)
        return render(request, "start.html", view=view, live="/live")

    async def start_live(self, request: web.Request) -> web.StreamResponse:
        """Says `changed` whenever anything has."""
        return await self._stream(request, None)

    async def report(self, request: web.Request) -> web.Response:
        """The class report."""
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

    async def report_live(self, request: web.Request) -> web.StreamResponse:
        """Says `changed` whenever the report has."""
        school, class_name, assignment = _place(request)
        return await self._stream(request, Changed(school=school, assignment=assignment, class_name=class_name))

    async def report_csv(self, request: web.Request) -> web.Response:
        """The pupils' lines for a spreadsheet."""
        report = await self._report(request)
        name = quote(f"{report.class_name} {report.assignment_id}.csv", "")
        return web.Response(
            body=report_to_csv(report).encode(),
            content_type="text/csv",
            charset="utf-8",
            headers={"Content-Disposition": f"attachment; filename=\"report.csv\"; filename*=UTF-8''{name}"},
        )

    async def api_schools(self, request: web.Request) -> web.Response:
        """Schools, classes and assignments."""
        lines = (await self._overview()).lines
        return web.json_response(
            {
                "lines": [
                    {
                        "school": line.school,
                        "class": line.class_name,
                        "assignment": line.assignment,
                        "title": line.title,
                        "sheets": line.pages,
                        "pending": line.pending,
                    }
                    for line in lines
                ]
            }
        )

    async def api_report(self, request: web.Request) -> web.Response:
        """The report as the contract's JSON."""
        return web.json_response(report_to_json(await self._report(request)))

    async def health(self, request: web.Request) -> web.Response:
        """200 while the store answers, else 503 with what to do; whether the broker is there stands inside."""
        status = self._status()
        try:
            async with self._store.reading() as connection:
                schools = len(await school_ids(connection))
        except StoreTrouble as trouble:
            return web.json_response({"ok": False, "store": str(trouble), **_said(status)}, status=503)
        return web.json_response({"ok": True, "schools": schools, **_said(status)})

    async def _overview(self) -> Overview:
        async with self._store.reading() as connection:
            return await overview(connection)

    async def _report(self, request: web.Request) -> SchoolReport:
        school, class_name, assignment = _place(request)
        async with self._store.reading() as connection:
            if school not in await school_ids(connection):
                raise web.HTTPNotFound
            return await class_report(connection, self._store.vault, school, class_name, assignment)

    async def _stream(self, request: web.Request, watched: Changed | None) -> web.StreamResponse:
        async with sse_response(request, headers=SECURITY_HEADERS) as response:
            with self._changes.watching(watched) as subscription:
                while await subscription.wait() and response.is_connected():
                    await response.send("now", event="changed")
                    await asyncio.sleep(_SHORT_PAUSE_S)
        return response


def _place(request: web.Request) -> tuple[str, str, str]:
    """School, class and assignment of an address; `-` is the class of pages whose class nobody knows."""
    info = request.match_info
    return info["school"], "" if info["class_name"] == "-" else info["class_name"], info["assignment"]


def _said(status: Status) -> dict[str, object]:
    return {
        "broker": status.broker_connected,
        "shares": status.broker_shares,
        "listens": status.listens,
        "counts": status.counts,
    }
