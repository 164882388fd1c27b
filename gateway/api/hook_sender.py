"""Tells programs what waits in the queue, one gateway at a time, until they have it or a week has gone by.

Signed as Standard Webhooks 1.0 says (github.com/standard-webhooks/standard-webhooks, spec): HMAC-SHA256 over id, time
and body, so that a program can check with any of its libraries that it was us, and when. Where an address leads is
looked at for each connection: a name that moves into the school's own network, or back to this machine, is not
followed, and neither is a redirect.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import ipaddress
import logging
import socket
import ssl
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import aiohttp
from sqlalchemy import delete, select, update

from gateway.api.hooks import secret_purpose, told_body
from gateway.clock import unix_ms
from gateway.config import HooksConfig
from gateway.store.leases import give_lease_back, take_lease
from gateway.store.store import Store
from gateway.store.tables.programs import hook_calls, hooks
from homework.errors import BadFileError, ClassboxError, one_line
from sync.errors import StoreTrouble

_log = logging.getLogger(__name__)
_MINUTE_MS: Final = 60_000
AGAIN_AFTER_MS: Final = tuple(_MINUTE_MS * m for m in (1, 5, 15, 60, 180, 360, 720, 1440, 1440, 1440, 1440))
"""How long after each failed try the next one comes; after the last there is none."""
KEPT_MS: Final = 30 * 24 * 60 * _MINUTE_MS
"""How long it can be seen what came of a call."""
_NAME = "hooks"
_LASTS_MS = 60_000
_PATIENCE_S = 10.0
_AT_ONCE = 10
_LOOK_EVERY_S = 5.0
_COMPATIBLE = ipaddress.ip_network("::/96")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class NotThereError(OSError):
    """An address that is not to be connected to."""


class Call(NamedTuple):
    """One that is due."""

    school: str
    id: int
    hook: int
    url: str
    secret_sealed: bytes
    class_name: str
    assignment: str
    finished_ms: int
    tries: int


class Outcome(NamedTuple):
    """What came of a try: in words, and whether it was taken."""

    taken: bool
    words: str


def signature(secret: bytes, name: str, at_s: int, body: bytes) -> str:
    """The header `webhook-signature` of Standard Webhooks 1.0."""
    signed = f"{name}.{at_s}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(secret, signed, "sha256")).decode()


def is_public(host: str) -> bool:
    """Whether an address lies in the open internet, whatever it is wrapped in (IPv4 in IPv6: mapped, 6to4, NAT64)."""
    address: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.ip_address(host.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if address.teredo is not None or address in _COMPATIBLE:
            return False
        address = inner or address
    return address.is_global and not address.is_multicast


def _tls(ca: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError) as error:
        raise BadFileError(
            "The certificates {ca} cannot be used: {reason}.",
            remedy="Check [hooks] ca: a PEM file that is readable for the program.",
            ca=ca,
            reason=error.strerror or error,
        ) from error


class HookSender:
    """`run` it beside the pages. `now_ms` is Unix time."""

    def __init__(self, store: Store, config: HooksConfig, *, now_ms: Callable[[], int] = unix_ms) -> None:
        """Raises `BadFileError` when the certificates of `[hooks] ca` cannot be read."""
        self._store, self._allow_private, self._now_ms = store, config.allow_private, now_ms
        self._tls = _tls(config.ca)

    async def run(self) -> None:
        """Tell what is due, and look again, until cancelled."""
        try:
            while True:
                try:
                    while await self.tell_due():
                        pass
                except StoreTrouble as trouble:
                    _log.info("nobody is told: %s", trouble)
                await asyncio.sleep(_LOOK_EVERY_S)
        finally:
            await self._give_back()

    async def tell_due(self) -> bool:
        """Try some of what is due; whether more may be. False also where another gateway does it."""
        if not await self._due():
            return False
        async with self._store.writing() as connection:
            if not await take_lease(connection, _NAME, self._store.name, lasts_ms=_LASTS_MS):
                return False
        due = await self._due()  # another may just have told it
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(socket_factory=self._socket, ssl=self._tls, limit=_AT_ONCE),
            timeout=aiohttp.ClientTimeout(total=_PATIENCE_S),
            cookie_jar=aiohttp.DummyCookieJar(),
        ) as session:
            outcomes = await asyncio.gather(*(self._tell(session, call) for call in due))
        await self._keep(list(zip(due, outcomes, strict=True)))
        return len(due) == _AT_ONCE

    async def _due(self) -> list[Call]:
        calls = hook_calls.c
        query = (
            select(
                calls.school_id,
                calls.call_id,
                calls.hook_id,
                hooks.c.url,
                hooks.c.secret_sealed,
                calls.class_name,
                calls.assignment,
                calls.finished_ms,
                calls.tries,
            )
            .join(hooks, (hooks.c.school_id == calls.school_id) & (hooks.c.hook_id == calls.hook_id))
            .where(calls.due_ms <= self._now_ms())
            .order_by(calls.due_ms, calls.call_id)
            .limit(_AT_ONCE)
        )
        async with self._store.reading() as connection:
            return [Call(*row) for row in await connection.execute(query)]

    async def _tell(self, session: aiohttp.ClientSession, call: Call) -> Outcome:
        at_s, name = self._now_ms() // 1000, str(call.id)
        body = told_body(call.id, call.school, call.class_name, call.assignment, call.finished_ms)
        try:
            secret = self._store.vault.open(call.secret_sealed, purpose=secret_purpose(call.school, call.hook))
            headers = {
                "Content-Type": "application/json",
                "User-Agent": "Classbox",
                "webhook-id": name,
                "webhook-timestamp": str(at_s),
                "webhook-signature": signature(secret, name, at_s, body),
            }
            async with session.post(call.url, data=body, headers=headers, allow_redirects=False) as answer:
                return Outcome(200 <= answer.status < 300, str(answer.status))
        except NotThereError as error:
            return Outcome(taken=False, words=one_line(error, limit=80))
        except aiohttp.ClientConnectorError as error:
            refused = error.os_error if isinstance(error.os_error, NotThereError) else None
            return Outcome(taken=False, words=one_line(refused or type(error).__name__, limit=80))
        except (TimeoutError, aiohttp.ClientError, OSError, ClassboxError, ValueError) as error:
            return Outcome(taken=False, words=type(error).__name__[:80])

    async def _keep(self, outcomes: list[tuple[Call, Outcome]]) -> None:
        """Write down what came of it. Until then a call is due, and is made again by whoever comes next."""
        now_ms = self._now_ms()
        async with self._store.writing() as connection:
            for call, outcome in outcomes:
                again = not outcome.taken and call.tries < len(AGAIN_AFTER_MS)
                await connection.execute(
                    update(hook_calls)
                    .where(hook_calls.c.school_id == call.school, hook_calls.c.call_id == call.id)
                    .values(
                        tries=call.tries + 1,
                        tried_ms=now_ms,
                        outcome=outcome.words,
                        due_ms=now_ms + AGAIN_AFTER_MS[call.tries] if again else None,
                    )
                )
            old = (hook_calls.c.due_ms.is_(None), hook_calls.c.tried_ms < now_ms - KEPT_MS)
            await connection.execute(delete(hook_calls).where(*old))

    def _socket(self, info: Any) -> socket.socket:
        """The socket of a connection that is about to be made to an address that a name led to."""
        family, kind, protocol, _, address = info
        if not self._allow_private and not is_public(address[0]):
            raise NotThereError("the address is not in the open internet")
        return socket.socket(family, kind, protocol)

    async def _give_back(self) -> None:
        try:
            async with self._store.writing() as connection:
                await give_lease_back(connection, _NAME, self._store.name)
        except StoreTrouble as trouble:
            _log.info("the turn was not given back: %s", trouble)
