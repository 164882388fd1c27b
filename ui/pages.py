"""What every page of both programs starts from: templates, language, security headers, static files.

A program makes its web application with `page_application`, adds its routes, and answers with `render`.
"""

from __future__ import annotations

import logging
import re
import secrets
import zlib
from collections.abc import Awaitable, Callable
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, cast

import jinja2
from aiohttp import web
from jinja2.compiler import CodeGenerator
from markupsafe import Markup, escape

from homework.errors import ClassboxError
from ui.assets import SHARED, address_in, served_from
from ui.forms import most_of
from ui.language import LANGUAGES, choose_language, translator
from ui.strangers import SAFE_METHODS

_log = logging.getLogger(__name__)
LANGUAGE_COOKIE = "language"
_MOST_WORDS = 5_000
_PACKED_FROM = 500
"""Bytes; what is shorter goes in one packet anyway."""
_PACK_LEVEL = 3
"""Half the processor's time of zlib's usual 6, and a seventh more bytes."""
SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",  # browsers that do not know frame-ancestors
    # Not "no-referrer": browsers without Fetch Metadata then send `Origin: null` with our own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
    "X-Robots-Tag": "noindex",
    "Server": "Classbox",  # the versions underneath are nobody's business
    "Cache-Control": "no-store",
}
"""No Strict-Transport-Security: with a certificate that no authority signed, browsers ignore it or lock people out."""
SIGNED: Final[web.RequestKey[Any]] = web.RequestKey("signed", object)
"""Who is signed in, as the program's pages show it; not there for anybody else."""
_TEMPLATES = web.AppKey("templates", dict[str, jinja2.Environment])
_BEGUN = web.RequestKey("begun", bool)
"""The answer has begun to go out: nothing else can be said any more."""
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


_to_escape = re.compile("[&<>\"']").search


def _written(value: Any) -> str:
    """A value as it stands on a page. What `markupsafe.escape` gives, without an object around each of thousands."""
    kind = type(value)
    if kind is str:
        return cast("str", value) if _to_escape(value) is None else escape(value)
    return value if kind is Markup else escape(value)


class _Generator(CodeGenerator):
    """Templates as Jinja compiles them, but that they write values with `_written`, and look attributes up in place:
    Jinja's own function is only called for what has none, as the items of a dictionary.
    """

    def visit_Getattr(self, node: jinja2.nodes.Getattr, frame: Any) -> None:  # noqa: N802 - as Jinja calls it
        self.write("(_found if (_found := getattr(_of := ")
        self.visit(node.node, frame)
        name = repr(node.attr)
        self.write(f", {name}, missing)) is not missing else environment.getattr(_of, {name}))")

    def _output_child_pre(self, node: jinja2.nodes.Expr, frame: Any, finalize: Any) -> None:
        if frame.eval_ctx.volatile or not frame.eval_ctx.autoescape or finalize.src is not None:
            super()._output_child_pre(node, frame, finalize)
        else:
            self.write("environment.written(")


class _Environment(jinja2.Environment):
    code_generator_class = _Generator
    written = staticmethod(_written)


def environment(*template_dirs: Path, language: str, static: Path | None = None) -> jinja2.Environment:
    """Jinja templates of a program in a language, with the shared ones behind them; everything is escaped."""
    shared = Path(str(files("ui"))) / "templates"
    env = _Environment(
        loader=jinja2.FileSystemLoader([*template_dirs, shared]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    env.globals["asset"] = asset_address
    if static is not None:
        env.globals["static"] = partial(address_in, static, "/static")
    env.install_gettext_translations(translator(language), newstyle=True)  # type: ignore[attr-defined]
    env.globals["_"] = _remembering(cast("Callable[..., str]", env.globals["_"]))
    return env


def _remembering(translate: Callable[..., str]) -> Callable[..., str]:
    """Jinja's `_`, which looks up, marks as safe and formats each word anew: a page has hundreds, and they stay."""
    known: dict[str, str] = {}

    @jinja2.pass_context
    def remembering(context: jinja2.runtime.Context, words: str, **values: object) -> str:
        if values:
            return translate(context, words, **values)
        found = known.get(words)
        if found is None:
            found = translate(context, words)
            if len(known) < _MOST_WORDS:
                known[words] = found
        return found

    return remembering


def asset_address(name: str) -> str:
    """The address of a shared static file, with its digest, so that a changed file is fetched anew."""
    return address_in(SHARED, "/ui", name)


def language_of(request: web.Request) -> str:
    """`?language=`, else the cookie, else the browser's wish, else Chinese."""
    return choose_language(
        request.query.get("language"), request.cookies.get(LANGUAGE_COOKIE), request.headers.get("Accept-Language")
    )


def page_text(request: web.Request, template: str, **values: Any) -> str:
    """A page, or a piece of one that its script puts in place, in the reader's language."""
    language = language_of(request)
    env = request.config_dict[_TEMPLATES][language]
    other = next(name for name in LANGUAGES if name != language)
    # What answers a form cannot be opened again by its address: a link would lose what stands there, or lead nowhere.
    again = request.method in SAFE_METHODS
    return env.get_template(template).render(
        language=language,
        other_language=other,
        other_language_address=str(request.rel_url.update_query({"language": other})) if again else None,
        signed=request.get(SIGNED),
        **values,
    )


def render(request: web.Request, template: str, *, status: int = 200, **values: Any) -> web.Response:
    """A page in the reader's language; a language asked for in the address is remembered."""
    text = page_text(request, template, **values)
    # A class report is 60 kB of much the same words: a seventh on the wire. No page shows a secret beside words that
    # somebody else chose, which is what compression would give away (BREACH).
    body, headers = packed(request, text.encode())
    response = web.Response(body=body, headers=headers, content_type="text/html", charset="utf-8", status=status)
    if "language" in request.query:
        response.set_cookie(LANGUAGE_COOKIE, language_of(request), max_age=31536000, samesite="Lax", httponly=True)
    return response


def packed(request: web.Request, body: bytes) -> tuple[bytes, dict[str, str]]:
    """An answer as it goes out to whoever asks, with the header that says so. Here and now: a thread costs more."""
    if len(body) < _PACKED_FROM or "gzip" not in request.headers.get("Accept-Encoding", ""):
        return body, {}
    packer = zlib.compressobj(_PACK_LEVEL, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush(), {"Content-Encoding": "gzip"}


@web.middleware
async def _with_security_headers(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every answer that is not a stream carries the headers; streams set them before they start."""
    try:
        response = await handler(request)
    except web.HTTPException as error:
        if error.status < 400:
            error.headers.update(SECURITY_HEADERS)
            raise
        response = _problem(request, error)
    except ClassboxError as error:
        message, remedy = error.said(translator(language_of(request)).gettext)
        response = render(request, "problem.html", status=400, message=message, remedy=remedy)
    except Exception:
        if request.get(_BEGUN):
            raise
        response = _our_mistake(request)
    if not response.prepared:
        for name, value in SECURITY_HEADERS.items():
            response.headers.setdefault(name, value)
    return response


async def _has_begun(request: web.Request, _response: web.StreamResponse) -> None:
    request[_BEGUN] = True


def _our_mistake(request: web.Request) -> web.Response:
    """What nobody has thought of. What it was stands in the log alone, under a number: it may hold what was asked."""
    number = secrets.token_hex(3)
    resource = request.match_info.route.resource
    where = "" if resource is None else resource.canonical  # without the names in the address
    _log.exception("page failed, number %s: %s %s", number, request.method, where)
    _ = translator(language_of(request)).gettext
    message = _("This page has failed. That is our mistake, not yours.")
    remedy = _("Go back and try again. If it goes on, tell the technician the number {number}: the log says more.")
    remedy = remedy.format(number=number)
    try:
        return render(request, "problem.html", status=500, message=message, remedy=remedy)
    except Exception:  # noqa: BLE001 - it may be what all pages share that has failed
        _log.exception("the page that says so failed, too")
        return web.Response(text=f"{message}\n{remedy}\n", status=500)


def _problem(request: web.Request, error: web.HTTPException) -> web.Response:
    status = error.status
    words = {
        401: ("Nobody is signed in.", "Sign in, then try again."),
        403: ("This is not open to you.", "Sign in, then go on from the start page."),
        404: ("This page does not exist.", "Check the address, or go to the start page."),
        405: ("This page does not take that.", "Go back and try again."),
        408: ("The request took too long to arrive.", "Send it again."),
        413: ("That file is too large.", "Send one of at most {limit}."),
        421: ("Nobody is called that here.", "Open the page by one of its own addresses."),
        429: ("That was too often.", "Wait a little, then try again."),
        503: ("Too many pages are open.", "Close some, then try again."),
    }
    if status == web.HTTPForbidden.status_code and request.get(SIGNED) is not None:
        words[status] = (
            "This page is not yours to see.",
            "Go back to the start page; whoever let you in can open more to you.",
        )
    message, remedy = words.get(status, ("That did not work.", "Try again; if it goes on, tell the technician."))
    translate = translator(language_of(request)).gettext
    said = translate(remedy).replace("{limit}", most_of(request, error))
    return render(request, "problem.html", status=status, message=translate(message), remedy=said)


def page_application(*template_dirs: Path, static: Path | None = None) -> web.Application:
    """A web application with the shared pages, static files under `/ui/` and security headers.

    `static` is the program's own folder of files, which its templates name by `static("NAME")`; the program itself
    serves them under `/static/` (`ui.assets.served_from`).
    """
    app = web.Application(middlewares=[_with_security_headers], client_max_size=32 * 1024**2)
    # One for each language: to compile the templates of one page takes 45 ms, which no page may cost each time.
    app[_TEMPLATES] = {name: environment(*template_dirs, language=name, static=static) for name in LANGUAGES}
    app.on_response_prepare.append(_has_begun)
    app.router.add_get("/ui/{name}", served_from(SHARED))
    return app
