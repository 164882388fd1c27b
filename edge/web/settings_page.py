"""What a school settles once: points or grades, where the lines are drawn, the class of the stacks here."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web

from edge.web.desk import SITE, refuse_strangers, static_address
from edge.web.summary import REPORT_SETTING, report_settings
from edge.web.summary_page import badge
from homework.errors import ClassboxError
from homework.report_settings import (
    GRADE_FIELDS,
    LINE_FIELDS,
    SettingsError,
    as_form,
    settings_from_form,
    settings_to_json,
)
from ui.forms import sent_form
from ui.language import translator
from ui.pages import language_of, render

_LABELS = {
    "excellent": "Excellent from",
    "passing": "Passed from",
    "low": "Low below",
    "reteach": "Teach an item again below",
    "grade_excellent": "“Excellent” from",
    "grade_good": "“Good” from",
    "grade_passing": "“Pass” from",
}


def add_settings_page(app: web.Application) -> None:
    """Add the settings."""
    app.router.add_get("/settings", _settings)
    app.router.add_post("/settings", _keep)


async def _settings(request: web.Request) -> web.Response:
    form = as_form(report_settings(request.config_dict[SITE].documents))
    return await _page(request, form, {}, kept="kept" in request.query)


async def _keep(request: web.Request) -> web.Response:
    """Keep all of it, or none and say at each field what is wrong with it."""
    refuse_strangers(request)
    site = request.config_dict[SITE]
    form = {name: value for name, value in (await sent_form(request)).items() if isinstance(value, str)}
    try:
        settings = settings_from_form(form)
    except SettingsError as error:
        return await _page(request, form, error.problems)
    await asyncio.to_thread(site.documents.put_setting, REPORT_SETTING, settings_to_json(settings))
    site.bus.publish()
    raise web.HTTPSeeOther("/settings?kept=1")


async def _page(
    request: web.Request, form: dict[str, str], problems: dict[str, ClassboxError], *, kept: bool = False
) -> web.Response:
    site = request.config_dict[SITE]
    words = translator(language_of(request)).gettext

    def field(name: str) -> dict[str, Any]:
        problem = problems.get(name)
        return {
            "name": name,
            "label": words(_LABELS[name]),
            "value": form.get(name, ""),
            "problem": " ".join(problem.said(words)) if problem is not None else "",
        }

    return render(
        request,
        "settings.html",
        status=400 if problems else 200,
        badge=await asyncio.to_thread(badge, site),
        own=static_address,
        lines=[field(name) for name in LINE_FIELDS],
        grades=[field(name) for name in GRADE_FIELDS],
        marks=form.get("marks", "points"),
        marks_problem=" ".join(problems["marks"].said(words)) if "marks" in problems else "",
        refused=bool(problems),
        kept=kept,
        classes=site.documents.roster().classes(),
        chosen_class=site.chosen_class(),
    )
