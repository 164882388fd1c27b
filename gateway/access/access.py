"""What the pages need to let people in: sessions, passwords, tries, the audit. Put together once for the program."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from aiohttp import web
from sqlalchemy import delete

from gateway.access.audit import Audit
from gateway.access.deeds import Thing
from gateway.access.links import LASTS_MS, Kind, make_link, use_link, who_by_link
from gateway.access.passwords import Passwords
from gateway.access.people import Account, account, account_called, rehash
from gateway.access.sessions import Lasting, Sessions
from gateway.access.tries import Tries
from gateway.clock import unix_ms
from gateway.store.store import Store
from gateway.store.tables.people import sessions as sessions_table
from homework.errors import ClassboxError
from ui.sessions import forget_cookie, give_cookie, read_cookie, token_digest

if TYPE_CHECKING:  # 5 MB and an eighth of a second, for a gateway whose people sign on elsewhere
    from gateway.access.sso import SignOn

DEVICE, PENDING, THERE = "-device", "-pending", "-there"
"""Purposes of cookies: a browser that has signed in before; one whose second factor is still to come; one that has been
signed on at the other house, and may still be."""
DEVICE_LASTS_S = 365 * 24 * 3600


class WrongError(ClassboxError):
    """Not the right name and password."""


class Access:
    """Lives in one event loop.

    For other ways of signing in: judge who it is, then call `welcome` with the answer that is to carry the cookies.
    A second factor: `pending` says whose code is awaited, `welcome(…, strong=True)` ends the wait. `sign_on` is where
    people can sign on at another house, if they can.
    """

    def __init__(
        self,
        store: Store,
        *,
        passwords: Passwords | None = None,
        now_ms: Callable[[], int] = unix_ms,
        lasting: Lasting | None = None,
        sign_on: SignOn | None = None,
    ) -> None:
        self.store, self.now_ms, self.sign_on = store, now_ms, sign_on
        self.passwords = passwords or Passwords()
        self.sessions = Sessions(store, now_ms=now_ms, lasting=lasting)
        self.audit = Audit(store, now_ms=now_ms)
        self.tries = Tries(now_ms=now_ms)

    async def by_password(self, request: web.Request, login: str, password: str) -> Account:
        """The account of that name and password. Raises `WrongError`, `TooOftenError`, `StoreTrouble`."""
        device = read_cookie(request, DEVICE)
        async with self.store.writing() as connection:
            found = await account_called(connection, self.store.vault, login)
            if device is not None and not (found and await self.sessions.knows_device(connection, found.id, device)):
                device = None
            await self.tries.charge(connection, request, login, device)
        kept = found.password if found is not None and found.disabled_ms is None else None
        if not await self.passwords.matches(password, kept) or found is None or kept is None:
            if found is not None:
                self.audit.note_look(found.id, "sign-in", Thing(person=found.id), "wrong password")
            raise WrongError(
                "The name or the password is not right.",
                remedy="Try again; after some wrong tries you have to wait.",
            )
        stronger = await self.passwords.hashed(password) if self.passwords.is_weaker_than_now(kept) else None
        async with self.store.writing() as connection:
            await self.tries.forgive(connection, request, login, device)
            if stronger is not None:
                await rehash(connection, found.id, old=kept, new=stronger)
        return found

    async def ask_for_code(self, request: web.Request, response: web.StreamResponse, who: Account) -> None:
        """The password was right, and a second factor is to come: the browser keeps a secret that says for whom."""
        async with self.store.writing() as connection:
            secret = await make_link(connection, Kind.CODE, who.id, by=who.id, now_ms=self.now_ms())
        give_cookie(request, response, secret, max_age_s=LASTS_MS[Kind.CODE] // 1000, purpose=PENDING)

    async def pending(self, request: web.Request) -> Account | None:
        """Whose second factor this browser is to give; None when it was not asked, or too long ago."""
        secret = read_cookie(request, PENDING)
        if secret is None:
            return None
        async with self.store.reading() as connection:
            person = await who_by_link(connection, Kind.CODE, secret, now_ms=self.now_ms())
            return None if person is None else await account(connection, self.store.vault, person)

    async def welcome(
        self, request: web.Request, response: web.StreamResponse, person: int, *, by: str, strong: bool = False
    ) -> None:
        """Sign somebody in: a new session whose secret goes out with `response`; what the browser had before ends.

        `by` is how (`password`, `code`, `sign-on`, `link`), for the audit. With `code` the wait that `ask_for_code`
        began ends, and one that nobody began signs nobody in. Raises `WrongError` for one who is not let in (any more).
        """
        now_ms, device, before = self.now_ms(), read_cookie(request, DEVICE), read_cookie(request)
        async with self.store.writing() as connection:
            who = await account(connection, self.store.vault, person)
            if who is None or who.disabled_ms is not None:
                raise WrongError("This account is closed.", remedy="Ask whoever let you in.")
            if by == "code":
                pending = read_cookie(request, PENDING) or ""
                if await use_link(connection, Kind.CODE, pending, now_ms=now_ms) != person:
                    raise WrongError("That took too long.", remedy="Sign in again.")
            if before is not None:
                digest = token_digest(before)
                await connection.execute(delete(sessions_table).where(sessions_table.c.digest == digest))
            token = await self.sessions.open(connection, person, request.headers.get("User-Agent", ""), strong=strong)
            if device is None or not await self.sessions.knows_device(connection, person, device):
                device = await self.sessions.know_device(connection, person)
        self.sessions.forget(person)
        give_cookie(request, response, token, max_age_s=self.sessions.lasting.whole_ms // 1000)
        give_cookie(request, response, device, max_age_s=DEVICE_LASTS_S, purpose=DEVICE)
        forget_cookie(request, response, PENDING)
        self.audit.note(person, "sign-in", Thing(person=person), by)
