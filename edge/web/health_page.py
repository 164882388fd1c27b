"""How the box is: `/health` for machines, `/metrics` for a monitoring system, `/technician` for a person."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Callable

import cv2
import msgspec
from aiohttp import web

from edge.access.places import is_loopback
from edge.camera.meter import BRIGHT, DARK
from edge.figures import CONTENT_TYPE
from edge.frames import Image
from edge.health import Check, State
from edge.ward import Report, Ward
from edge.web.desk import static_address
from ui.language import translator
from ui.pages import SIGNED, language_of, render

WARD = web.AppKey("ward", Ward)
METRICS_TOKEN = web.AppKey("metrics_token", str)


def add_health_page(app: web.Application, ward: Ward, *, metrics_token: str | None) -> None:
    """Add the three pages."""
    app[WARD] = ward
    app[METRICS_TOKEN] = metrics_token or ""
    app.router.add_get("/health", _health)
    app.router.add_get("/metrics", _metrics)
    app.router.add_get("/technician", _technician)
    app.router.add_get("/technician/camera.jpg", _camera)


async def _health(request: web.Request) -> web.Response:
    """200 when the box works, 503 when somebody must come. Nothing of any pupil: open to everybody."""
    ward = request.config_dict[WARD]
    report = await ward.report()
    body = {
        "state": report.state.value,
        "version": ward.version,
        "models": ward.models,
        "up_s": round(ward.up_s()),
        "checks": {
            check.name: {"state": check.state.value, "said": check.said.message, "remedy": check.said.remedy or None}
            for check in report.checks
        },
        "figures": _figures(report),
    }
    return web.Response(
        body=msgspec.json.encode(body),
        content_type="application/json",
        status=503 if report.state is State.BAD else 200,
    )


def _figures(report: Report) -> dict[str, float | int | str | None]:
    facts, machine = report.facts, report.facts.machine
    return {
        "disk_free_mb": machine.disk_free_bytes // 1024**2,
        "resident_mb": machine.rss_bytes // 1024**2,
        "memory_free_mb": machine.memory_free_bytes // 1024**2,
        "temperature_c": machine.temperature_c,
        "throttled": machine.throttled,
        "camera_silence_s": _rounded(facts.camera_silence_s),
        "grading_silence_s": _rounded(facts.grading_silence_s),
        "clock": facts.clock.name.lower(),
        "waiting": facts.waiting,
    }


def _rounded(value: float | None) -> float | None:
    return round(value, 1) if value is not None else None


async def _metrics(request: web.Request) -> web.Response:
    """For this machine, whoever is signed in, and whoever has the token of the configuration."""
    ward, token = request.config_dict[WARD], request.config_dict[METRICS_TOKEN]
    said = request.headers.get("Authorization", "").encode("utf-8", "replace")
    has_token = bool(token) and hmac.compare_digest(said, f"Bearer {token}".encode())
    if not (is_loopback(request.remote or "") or request.get(SIGNED) is not None or has_token):
        raise web.HTTPForbidden
    report = await ward.report()
    text = await asyncio.to_thread(ward.figures.text, report.facts, report.checks, report.figures)
    return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE})


async def _technician(request: web.Request) -> web.Response:
    ward = request.config_dict[WARD]
    words = translator(language_of(request)).gettext
    report = await ward.report()
    preview = ward.pulse.preview
    return render(
        request,
        "technician.html",
        own=static_address,
        state=report.state.value,
        checks=[said(check, words) for check in report.checks],
        version=ward.version,
        models=ward.models,
        up_minutes=round(ward.up_s() / 60),
        figures=report.figures,
        lines=ward.log_lines()[-100:],
        has_preview=preview is not None,
        light=_light(preview, words) if preview is not None else None,
    )


def said(check: Check, words: Callable[[str], str]) -> tuple[str, str, str, str]:
    """A check's name, state, message and remedy in the reader's language."""
    message, remedy = check.said.said(words)
    # gettext answers "" with the head of its catalogue.
    return check.name, check.state.value, message, remedy if check.said.remedy else ""


def _light(preview: Image, words: Callable[[str], str]) -> str | None:
    """What the newest picture says of the light; its size is too small to say more."""
    bright = sorted(preview[::8, ::8].ravel().tolist())
    paper = bright[int(len(bright) * 0.95)]
    if paper < DARK:
        return words("It is dark: put a lamp beside the camera.")
    return words("It is too bright: pencil may vanish. Turn the lamp away.") if paper > BRIGHT else None


async def _camera(request: web.Request) -> web.Response:
    """What the camera sees now, small."""
    preview = request.config_dict[WARD].pulse.preview
    if preview is None:
        raise web.HTTPNotFound
    return web.Response(body=await asyncio.to_thread(_jpeg, preview), content_type="image/jpeg")


def _jpeg(image: Image) -> bytes:
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes()
