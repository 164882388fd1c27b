"""The second factor as the database keeps it: a sealed secret, the step that was used last, codes for a lost phone."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import ColumnElement, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access.people import account, set_totp, totp_secret, use_totp_step
from gateway.access.totp import matched_step, recovery_digest
from gateway.keys import Vault
from gateway.store.tables.people import people, recovery_codes, sessions


class Used(StrEnum):
    """What somebody proved the second factor with."""

    PHONE = "phone"
    PAPER = "paper"


class Factor(NamedTuple):
    """The state of a person's second factor."""

    on: bool
    codes_left: int
    """On paper."""


async def factor_of(connection: AsyncConnection, person: int) -> Factor:
    """Whether a person has a second factor, and how many codes on paper."""
    sealed = await connection.scalar(select(people.c.totp_sealed).where(people.c.person_id == person))
    count = select(func.count()).select_from(recovery_codes).where(*_unused(person))
    return Factor(sealed is not None, await connection.scalar(count) or 0)


async def use_code(connection: AsyncConnection, vault: Vault, person: int, code: str, *, now_s: float) -> Used | None:
    """Prove the second factor by a code of the phone or of the paper, which is not good again. None: it is wrong.

    Right for one of several that try the same code at once, at whatever gateway: the database decides.
    """
    who = await account(connection, vault, person)
    secret = None if who is None else totp_secret(vault, who)
    if who is None or secret is None:
        return None
    step = matched_step(secret.decode(), code, now_s=now_s, last_step=who.totp_step)
    if step is not None:
        return Used.PHONE if await use_totp_step(connection, person, step) else None
    digest = recovery_digest(code)
    if digest is None:
        return None
    query = update(recovery_codes).where(*_unused(person), recovery_codes.c.digest == digest)
    used = await connection.execute(query.values(used_ms=int(now_s * 1000)))
    return Used.PAPER if used.rowcount == 1 else None


async def turn_on(
    connection: AsyncConnection, vault: Vault, person: int, *, secret: str, step: int, codes: Iterable[str]
) -> None:
    """Give a person a second factor, of which `step` was used already to show that the phone has it."""
    await set_totp(connection, vault, person, secret.encode())
    await use_totp_step(connection, person, step)
    await replace_codes(connection, person, codes)


async def turn_off(connection: AsyncConnection, vault: Vault, person: int) -> None:
    """Take a person's second factor away. What is signed in ends: some of it was stronger than a password is."""
    await set_totp(connection, vault, person, None)
    await replace_codes(connection, person, ())
    await connection.execute(delete(sessions).where(sessions.c.person_id == person))


async def replace_codes(connection: AsyncConnection, person: int, codes: Iterable[str]) -> None:
    """Other codes on paper; those from before are good no more."""
    await connection.execute(delete(recovery_codes).where(recovery_codes.c.person_id == person))
    rows = [{"person_id": person, "digest": recovery_digest(code)} for code in codes]
    if rows:
        await connection.execute(insert(recovery_codes), rows)


def _unused(person: int) -> tuple[ColumnElement[bool], ...]:
    return recovery_codes.c.person_id == person, recovery_codes.c.used_ms.is_(None)
