"""The page that anybody may see: where this box is, and how to know that it is this box."""

from __future__ import annotations

import asyncio

from aiohttp import web

from edge.access.access import ACCESS
from edge.access.certificate import grouped
from edge.web.desk import static_address
from edge.web.people_page import qr_picture
from ui.pages import render


def add_hello_page(app: web.Application) -> None:
    """Add the page for the box's own screen."""
    app.router.add_get("/hello", _show)


async def _show(request: web.Request) -> web.Response:
    access = request.config_dict[ACCESS]
    sign = await asyncio.to_thread(access.sign)
    certificate = sign.certificate
    return render(
        request,
        "hello.html",
        own=static_address,
        urls=sign.urls,
        code=qr_picture(sign.urls[0]) if sign.urls and access.locked is not None else None,
        locked=access.locked is not None,
        first=access.locked is not None and not access.locked.book.has_teacher(),
        fingerprint=grouped(certificate.fingerprint) if certificate is not None else (),
        key_fingerprint=grouped(certificate.key_fingerprint) if certificate is not None else (),
    )
