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
