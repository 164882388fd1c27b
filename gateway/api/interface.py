"""The interface for programs, put together: everything under `/api/1`, and its description."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.metadata import version
from typing import Any, Final

import msgspec
from aiohttp import web

from gateway.access.deeds import Deed
from gateway.api.absences import add_absence_rooms
from gateway.api.exports import add_exports
from gateway.api.figures import add_figures
from gateway.api.hook_rooms import add_hook_rooms
from gateway.api.openapi import OPENAPI, openapi_document
from gateway.api.operations import Api, Body, conditional_headers, is_known
from gateway.api.reading import add_reading
from gateway.api.writing import add_writing
from gateway.web.rooms import Rooms

INTERFACE: Final = web.AppKey("interface", Api)


def document_of(api: Api) -> dict[str, Any]:
    """The description of an interface. Raises `KeyError` for a room under `/api/` that says nothing of itself."""
    return openapi_document(api.rooms.rooms, api.operations, version=version("classbox"))


def add_interface(rooms: Rooms) -> None:
    """Register the interface's rooms, and the interface under `INTERFACE` with the application."""
    api = rooms.app[INTERFACE] = Api(rooms)
    add_reading(api)
    add_figures(api)
    add_writing(api)
    add_absence_rooms(api)
    add_exports(api)
    add_hook_rooms(api)

    @cache
    def described() -> tuple[bytes, str]:
        body = msgspec.json.encode(document_of(api))
        return body, hashlib.blake2b(body, digest_size=16).hexdigest()

    async def description(request: web.Request) -> web.StreamResponse:
        body, tag = described()
        headers = conditional_headers(tag)
        if is_known(request, headers["ETag"]):
            return web.Response(status=304, headers=headers)
        response = web.Response(body=body, headers={"Content-Type": OPENAPI, **headers})
        response.enable_compression()
        return response

    api.add(
        "GET",
        "/openapi.json",
        description,
        name="description",
        summary="This description",
        deed=Deed.OPEN,
        gives=Body((OPENAPI,)),
    )
