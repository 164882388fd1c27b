"""What went wrong, for programs: `application/problem+json` (RFC 9457) with a remedy, for every error under `/api/`."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Annotated, Final

import msgspec
from aiohttp import web
from aiohttp.typedefs import Middleware
from msgspec import Meta

from gateway.reports.cache import NoSuchHomeworkError
from gateway.store.archived import InArchiveError
from homework.errors import ClassboxError, UsageError
from sync.errors import StoreTrouble
from ui.forms import most_of
from ui.language import translator
from ui.pages import Handler, language_of

_log = logging.getLogger(__name__)
PROBLEM: Final = "application/problem+json"
PREFIX: Final = "/api/"
LONGEST_PART: Final = 64
"""Characters of a part of an address: no school, class or assignment is called longer."""

_WORDS: Final = {
    400: ("The request cannot be understood.", "Compare it with /api/1/openapi.json."),
    401: ("Nobody is named who asks.", "Send a key of the school: Authorization: Bearer KEY."),
    403: ("The key, or whoever is signed in, may not do this.", "Take a key that is good for it and for this school."),
    404: ("There is nothing at this address.", "Compare the address with /api/1/openapi.json."),
    405: ("This address does not take that method.", "The Allow header names those that it takes."),
    408: ("The request took too long to arrive.", "Send it again."),
    413: ("The body is too large.", "Send at most {limit} at a time."),
    415: (
        "The body is of another kind than this address takes.",
        "Say in Content-Type what /api/1/openapi.json names.",
    ),
    421: ("Nobody is called that here.", "Ask under one of the gateway's own names."),
    429: ("That was too often.", "Wait a little, then go on more slowly."),
    503: ("The database does not answer.", "Try again in a minute."),
}
_NO_SUCH_KEY: Final = (
    "The key is not known here, or is good no longer.",
    "Send one that the school's page of programs names: Authorization: Bearer KEY.",
)
_UNKNOWN: Final = ("That did not work.", "Try again; if it goes on, tell the technician.")


class Problem(msgspec.Struct, frozen=True):
    """An error. `title` is the status in words, `detail` what happened, `remedy` what to do about it."""

    type: Annotated[str, Meta(description="about:blank: the status says which kind of problem it is (RFC 9457, 4.2.1)")]
    title: str
    status: Annotated[int, Meta(ge=400, le=599)]
    detail: str
    remedy: str


class NotAcceptedError(UsageError):
    """A request whose parameters or body cannot be taken; `status` is what it is answered with."""

    def __init__(self, message: str, *, remedy: str, status: int = 400, **values: object) -> None:
        super().__init__(message, remedy=remedy, **values)
        self.status = status


def problems() -> Middleware:
    """Middleware that answers every error under `/api/` as a problem. It goes outside the gate, inside the headers."""

    @web.middleware
    async def as_problems(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not request.path.startswith(PREFIX):
            return await handler(request)
        if not all(map(_usable, request.match_info.values())):
            return _of_status(request, web.HTTPNotFound())
        try:
            return await handler(request)
        except web.HTTPException as error:
            return _of_status(request, error)
        except StoreTrouble as trouble:
            return _problem(request, 503, *_said(request, trouble))
        except NotAcceptedError as error:
            return _problem(request, error.status, *_said(request, error))
        except InArchiveError as error:
            return _problem(request, 410, *_said(request, error))
        except NoSuchHomeworkError as error:
            return _problem(request, 404, *_said(request, error))
        except ClassboxError as error:
            return _problem(request, 400, *_said(request, error))
        except Exception:  # noqa: BLE001 - whatever it is, a program is to read it as it reads any other error
            # What it was stands in the log and nowhere else: a trace may hold what was asked about.
            _log.exception("a request of the interface failed")
            return _problem(request, 500, *_translated(request, _UNKNOWN))

    return as_problems


def _usable(part: str) -> bool:
    """Whether a part of an address can name anything: control characters and halves of characters cannot."""
    return len(part) <= LONGEST_PART and part.isprintable()


def _of_status(request: web.Request, error: web.HTTPException) -> web.Response:
    # The gate leads people to the sign-in; a program must hear that nobody is named.
    status = 401 if error.status == 303 and error.headers.get("Location", "").startswith("/login") else error.status
    if status == 303:  # the second factor, on a page
        status = 403
    if status < 400:
        raise error
    words = _WORDS.get(status, _UNKNOWN)
    if status == 401 and "Authorization" in request.headers:
        words = _NO_SUCH_KEY
    detail, remedy = _translated(request, words)
    response = _problem(request, status, detail, remedy.replace("{limit}", most_of(request, error)))
    if "Allow" in error.headers:
        response.headers["Allow"] = error.headers["Allow"]
    return response


def _problem(request: web.Request, status: int, detail: str, remedy: str) -> web.Response:
    known = status in HTTPStatus.__members__.values()
    title = HTTPStatus(status).phrase if known else str(status)
    body = msgspec.json.encode(Problem("about:blank", title, status, detail, remedy))
    response = web.Response(body=body, status=status, content_type=PROBLEM)
    response.headers["Content-Language"] = language_of(request)
    if status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="Classbox"'
    if status == 503:
        response.headers["Retry-After"] = "60"
    return response


def _translated(request: web.Request, words: tuple[str, str]) -> tuple[str, str]:
    translate = translator(language_of(request)).gettext
    return translate(words[0]), translate(words[1])


def _said(request: web.Request, error: ClassboxError) -> tuple[str, str]:
    return error.said(translator(language_of(request)).gettext)
