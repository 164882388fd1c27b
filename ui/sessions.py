"""Who is signed in, as both programs' pages know it: a random token in a cookie, its digest in a store.

The store is the program's own (a file on the box, a table in the school); this is what they agree on.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import Protocol

from aiohttp import web

TOKEN_BYTES = 32
_LONGEST_TOKEN = 64
_NAME = "classbox"


@dataclass(frozen=True)
class Signed:
    """A person who is signed in. `session` is the digest of the token, never the token."""

    session: bytes
    person: int
    name: str
    role: str


class SessionStore(Protocol):
    """Where sessions are kept. A token is known to the browser only; what is kept cannot be turned into one."""

    def open_session(self, person: int, device: str) -> str:
        """A new token for that person."""

    def signed(self, token: str) -> Signed | None:
        """Who holds that token; None for one that is unknown, has ended, or whose person may no longer come in."""

    def close_session(self, session: bytes) -> None:
        """Sign out."""


def new_token() -> str:
    """256 random bits, for a cookie or an address."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def token_digest(token: str) -> bytes:
    """What is kept of a token. It is random, so one round is enough."""
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()


def cookie_name(request: web.Request, purpose: str = "") -> str:
    """`__Host-` over TLS, so that no other host and no plain page can plant one; a plain name without."""
    return f"{'__Host-' if request.secure else ''}{_NAME}{purpose}"


def read_cookie(request: web.Request, purpose: str = "") -> str | None:
    """The token that a browser sends, when it can be one."""
    token = request.cookies.get(cookie_name(request, purpose))
    return token if token and len(token) <= _LONGEST_TOKEN and token.isascii() else None


def give_cookie(
    request: web.Request, response: web.StreamResponse, token: str, *, max_age_s: int, purpose: str = ""
) -> None:
    """Hand a token to the browser: no script reads it, no other site's form sends it."""
    response.set_cookie(
        cookie_name(request, purpose),
        token,
        max_age=max_age_s,
        path="/",
        secure=request.secure,
        httponly=True,
        samesite="Lax",
    )


def forget_cookie(request: web.Request, response: web.StreamResponse, purpose: str = "") -> None:
    """Take the token back from the browser."""
    response.del_cookie(cookie_name(request, purpose), path="/", secure=request.secure, httponly=True, samesite="Lax")
