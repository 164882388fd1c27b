"""The addresses of a school that are told when a class has finished, for programs."""

from __future__ import annotations

from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from gateway.access.deeds import Deed
from gateway.api.hooks import (
    EVENT,
    LONGEST_URL,
    Hook,
    NoSuchHookError,
    add_hook,
    checked_url,
    end_hook,
    hooks_of,
)
from gateway.api.operations import JSON, Api, Body, sent_json
from gateway.store.dialect import lock_school
from gateway.store.schools import school_ids

_HOOKS = "/schools/{school}/hooks"


class HookLine(msgspec.Struct, frozen=True, kw_only=True):
    """An address that is told. `waiting` counts what is still to be told; `outcome` is what came of the last try."""

    hook: Annotated[str, Meta(pattern="^[0-9]{1,18}$")]
    url: str
    event: str
    made_ms: int
    waiting: int
    outcome: str


class HookList(msgspec.Struct, frozen=True):
    """All of a school's."""

    hooks: list[HookLine]


class NewHook(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An address that is to be told."""

    url: Annotated[str, Meta(min_length=9, max_length=LONGEST_URL)]


class MadeHook(msgspec.Struct, frozen=True):
    """One that was made. `secret` proves its calls (Standard Webhooks 1.0); it is told this once."""

    hook: str
    url: str
    secret: str


def add_hook_rooms(api: Api) -> None:
    """Register what can be done with hooks."""
    hooks = _Hooks(api)
    api.add(
        "GET",
        _HOOKS,
        hooks.all,
        name="hooks",
        summary="Addresses that are told when a class has finished",
        deed=Deed.BE_TOLD,
        gives=HookList,
    )
    api.add(
        "POST",
        _HOOKS,
        hooks.make,
        name="makeHook",
        summary="Have an address told",
        deed=Deed.BE_TOLD,
        takes=Body((JSON,), NewHook),
        gives=MadeHook,
        status=201,
    )
    api.add(
        "DELETE",
        _HOOKS + r"/{hook:\d{1,18}}",
        hooks.end,
        name="endHook",
        summary="Have an address told no more",
        deed=Deed.BE_TOLD,
        status=204,
    )


class _Hooks:
    def __init__(self, api: Api) -> None:
        self._rooms = api.rooms
        self._store = api.rooms.store

    async def all(self, request: web.Request) -> HookList:
        school = request.match_info["school"]
        async with self._store.reading() as connection:
            if school not in await school_ids(connection):
                raise web.HTTPNotFound
            return HookList([_line(hook) for hook in await hooks_of(connection, school)])

    async def make(self, request: web.Request) -> MadeHook:
        school, wish = request.match_info["school"], await sent_json(request, NewHook)
        url = checked_url(wish.url)
        person, now_ms = self._rooms.person(request), self._rooms.access.now_ms()
        async with self._store.writing() as connection:
            if not await lock_school(connection, school):
                raise web.HTTPNotFound
            number, secret = await add_hook(
                connection, self._store.vault, school, url, made_by=person.id, now_ms=now_ms
            )
        return MadeHook(str(number), url, secret)

    async def end(self, request: web.Request) -> web.Response:
        try:
            async with self._store.writing() as connection:
                await end_hook(connection, request.match_info["school"], int(request.match_info["hook"]))
        except NoSuchHookError as error:
            raise web.HTTPNotFound from error
        return web.Response(status=204)


def _line(hook: Hook) -> HookLine:
    return HookLine(
        hook=str(hook.id),
        url=hook.url,
        event=EVENT,
        made_ms=hook.made_ms,
        waiting=hook.waiting,
        outcome=hook.outcome,
    )
