"""Who may make a browser ask for something: our own pages, under a name that is ours."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection

from aiohttp import web

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


def refuse_strangers(request: web.Request) -> None:
    """Only our own pages may change something: the browser says where a form came from.

    Fetch Metadata decides where the browser sends it; `Origin` where it does not. Raises `HTTPForbidden`.
    """
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    ours = (
        site in ("same-origin", "none") if site is not None else origin in (None, f"{request.scheme}://{request.host}")
    )
    if not ours:
        raise web.HTTPForbidden


_LONGEST_ADDRESS = 1000
_NOT_AFTERWARDS = ("//", "/login", "/in/", "/signout", "/invite/", "/reset/")


def local_address(text: str | None) -> str:
    """Where to go after signing in: a place of this site, whatever the address said; never back to a way of signing in.

    Two slashes begin another host's address, and to browsers a backslash is one.
    """
    if not text or len(text) > _LONGEST_ADDRESS or not text.isprintable() or "\\" in text:
        return "/"
    return text if text.startswith("/") and not text.startswith(_NOT_AFTERWARDS) else "/"


def host_of(header: str) -> str:
    """The name in a Host header: without port, brackets and a root dot, in small letters."""
    name = header.strip().lower()
    if name.startswith("["):
        return name[1:].partition("]")[0]
    return name.partition(":")[0].rstrip(".")


def is_our_name(header: str, names: Collection[str], *, any_address: bool) -> bool:
    """Whether a Host header names this machine, so that no foreign name that leads here counts as ours.

    Loopback always does; any other address when `any_address` (a name can be pointed anywhere by a stranger, an address
    cannot); else `names`. (Against DNS rebinding: Jackson et al., "Protecting Browsers from DNS Rebinding", 2007.)
    """
    host = host_of(header)
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host in names
    return address.is_loopback or any_address
