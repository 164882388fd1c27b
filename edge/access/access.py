"""Who may see what on this box, put together: what the rooms of the site and the program need of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from aiohttp import web

from edge.access.book import AccessBook
from edge.access.gate import Gate
from edge.access.links import Links
from edge.access.places import Sign, is_loopback
from edge.access.sign_in import SignIn
from homework.errors import UsageError
from ui.strangers import host_of


@dataclass(frozen=True)
class Locked:
    """What a box has that asks who is there."""

    book: AccessBook
    sign_in: SignIn
    links: Links = field(default_factory=Links)
    session_days: int = 30


@dataclass(frozen=True)
class Access:
    """`locked` is None on a box that only its own computer reaches, and that is open to whoever sits there."""

    gate: Gate = field(default_factory=lambda: Gate(sessions=None, any_address=False))
    locked: Locked | None = None
    sign: Callable[[], Sign] = lambda: Sign(urls=(), certificate=None)


ACCESS = web.AppKey("access", Access)


def locked(request: web.Request) -> Locked:
    """What the box has to let people in. Raises `UsageError` on an open box."""
    found = request.config_dict[ACCESS].locked
    if found is None:
        raise UsageError(
            "This box is open to whoever sits at it.",
            remedy='It asks for a PIN once it listens on an address of the network, or with `access = "pin"`.',
        )
    return found


def own_address(request: web.Request) -> str:
    """Where another device reaches this site: as the asker does; from the box itself, by the first of its addresses."""
    if is_loopback(host_of(request.headers.get("Host", ""))):
        urls = request.config_dict[ACCESS].sign().urls
        if urls:
            return urls[0]
    return f"{request.scheme}://{request.host}/"
