"""The people who may come in: their names, sealed, and what they sign in with."""

from __future__ import annotations

import secrets
import unicodedata
from collections.abc import Collection
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.keys import Vault
from gateway.store.dialect import batched
from gateway.store.tables.people import grants, known_devices, links, offices, people, sessions
from homework.errors import ClassboxError, UsageError, one_line

LONGEST_NAME = 40
LONGEST_LOGIN = 64
_UNLIKE = "23456789abcdefghjkmnpqrstuvwxyz"
"""Signs of made-up names to sign in with: none is taken for another."""


class Account(NamedTuple):
    """A person as the store knows them. `password` is the hash; None until an invitation was taken up."""

    id: int
    login: str
    name: str
    password: str | None
    totp_sealed: bytes | None
    totp_step: int | None
    language: str | None
    made_ms: int
    disabled_ms: int | None


def new_id() -> int:
    """A number for a person, a grant or a line of the audit: random, so that gateways need not agree; never 0."""
    return secrets.randbelow(2**48 - 1) + 1


def known_as(login: str) -> str:
    """A name to sign in with as it is compared: full width or half, any case, any blanks."""
    return "".join(unicodedata.normalize("NFKC", login).casefold().split())


def made_up_login() -> str:
    """A name to sign in with for whoever gets a slip of paper: it says nothing of the person."""
    return "".join(secrets.choice(_UNLIKE) for _ in range(7))


async def add_person(
    connection: AsyncConnection, vault: Vault, *, login: str, name: str, now_ms: int, language: str | None = None
) -> int:
    """Make an account without a password and without any grant; returns its number. Raises `UsageError`."""
    login, name, number = checked_login(login), checked_name(name), new_id()
    row = {
        "person_id": number,
        "login": login,
        "name_sealed": vault.seal(name.encode(), purpose=_purpose(number)),
        "language": language,
        "made_ms": now_ms,
    }
    if (await connection.execute(select(people.c.person_id).where(people.c.login == login))).first() is not None:
        raise _taken(login)
    try:
        await connection.execute(insert(people), row)
    except IntegrityError as error:  # at the same moment, by somebody else
        raise _taken(login) from error
    return number


async def account(connection: AsyncConnection, vault: Vault, person: int) -> Account | None:
    """One of the people, also one who is disabled."""
    return await _one(connection, vault, people.c.person_id == person)


async def account_called(connection: AsyncConnection, vault: Vault, login: str) -> Account | None:
    """The one who signs in with that name, also one who is disabled."""
    return await _one(connection, vault, people.c.login == known_as(login)[: LONGEST_LOGIN + 1])


async def accounts(connection: AsyncConnection, vault: Vault, numbers: Collection[int]) -> dict[int, Account]:
    """Those of these numbers that there are."""
    found: dict[int, Account] = {}
    for some in batched(sorted(numbers)):
        for row in await connection.execute(select(people).where(people.c.person_id.in_(some))):
            found[row.person_id] = _opened(vault, row)
    return found


async def accounts_of(connection: AsyncConnection, vault: Vault, school: str | None) -> list[Account]:
    """Everybody who has or had a role at a school, or with None for all schools; by the name to sign in with."""
    table = offices if school is None else grants
    members = select(table.c.person_id)
    if school is not None:
        members = members.where(grants.c.school_id == school)
    query = select(people).where(people.c.person_id.in_(members)).order_by(people.c.login)
    return [_opened(vault, row) for row in await connection.execute(query)]


async def all_accounts(connection: AsyncConnection, vault: Vault) -> list[Account]:
    """Everybody."""
    return [_opened(vault, row) for row in await connection.execute(select(people).order_by(people.c.login))]


async def set_password(connection: AsyncConnection, person: int, hashed: str, *, but_session: bytes = b"") -> None:
    """A new password (its hash). Everything that was signed in with the old one ends, but for `but_session`."""
    await _update(connection, person, password=hashed)
    await connection.execute(sessions.delete().where(sessions.c.person_id == person, sessions.c.digest != but_session))
    await connection.execute(known_devices.delete().where(known_devices.c.person_id == person))
    await connection.execute(links.delete().where(links.c.person_id == person, links.c.used_ms.is_(None)))


async def rehash(connection: AsyncConnection, person: int, *, old: str, new: str) -> None:
    """Keep the same password by a stronger hash, unless it was changed meanwhile."""
    query = update(people).where(people.c.person_id == person, people.c.password == old).values(password=new)
    await connection.execute(query)


async def set_totp(connection: AsyncConnection, vault: Vault, person: int, secret: bytes | None) -> None:
    """Keep the secret of a second factor, or with None do without one."""
    sealed = None if secret is None else vault.seal(secret, purpose=_totp_purpose(person))
    await _update(connection, person, totp_sealed=sealed, totp_step=None)


def totp_secret(vault: Vault, who: Account) -> bytes | None:
    """The secret of a person's second factor; None for one who has none."""
    return None if who.totp_sealed is None else vault.open(who.totp_sealed, purpose=_totp_purpose(who.id))


async def use_totp_step(connection: AsyncConnection, person: int, step: int) -> bool:
    """Use a step of the second factor. False when it, or a later one, was used before: two at once do not both pass."""
    unused = or_(people.c.totp_step.is_(None), people.c.totp_step < step)
    result = await connection.execute(update(people).where(people.c.person_id == person, unused).values(totp_step=step))
    return result.rowcount == 1


async def set_language(connection: AsyncConnection, person: int, language: str | None) -> None:
    """In which language this person reads; None: as the browser says."""
    await _update(connection, person, language=language)


async def disable(connection: AsyncConnection, person: int, *, now_ms: int | None) -> None:
    """Let a person in no longer, and end what is signed in; None lets them in again."""
    await _update(connection, person, disabled_ms=now_ms)
    if now_ms is not None:
        for table in (sessions, known_devices, links):
            await connection.execute(table.delete().where(table.c.person_id == person))


def checked_login(login: str) -> str:
    """A name to sign in with as it is kept. Raises `UsageError`."""
    known = known_as(one_line(login, limit=LONGEST_LOGIN + 1))
    if not 2 <= len(known) <= LONGEST_LOGIN or not all(sign.isalnum() or sign in "._-@+" for sign in known):
        raise UsageError(
            "“{login}” cannot be a name to sign in with.",
            remedy="Take two letters or digits or more; . _ - @ + may stand among them.",
            login=one_line(login, limit=LONGEST_LOGIN),
        )
    return known


def checked_name(name: str) -> str:
    """A person's name as it is shown. Raises `UsageError`."""
    name = " ".join(one_line(name, limit=LONGEST_NAME + 1).split())
    if not name or len(name) > LONGEST_NAME:
        raise UsageError(
            "A name is missing or too long.", remedy="Give one of at most {most} characters.", most=LONGEST_NAME
        )
    return name


async def _one(connection: AsyncConnection, vault: Vault, which: ColumnElement[bool]) -> Account | None:
    row = (await connection.execute(select(people).where(which))).first()
    return None if row is None else _opened(vault, row)


async def _update(connection: AsyncConnection, person: int, **values: Any) -> None:
    result = await connection.execute(update(people).where(people.c.person_id == person).values(**values))
    if result.rowcount != 1:
        raise ClassboxError("There is no such person.", remedy="`classgate user list` shows who there is.")


def _opened(vault: Vault, row: Any) -> Account:
    return Account(
        id=row.person_id,
        login=row.login,
        name=vault.open(row.name_sealed, purpose=_purpose(row.person_id)).decode(),
        password=row.password,
        totp_sealed=None if row.totp_sealed is None else bytes(row.totp_sealed),
        totp_step=row.totp_step,
        language=row.language,
        made_ms=row.made_ms,
        disabled_ms=row.disabled_ms,
    )


def _taken(login: str) -> UsageError:
    return UsageError("{login} signs in here already.", remedy="Choose another name to sign in with.", login=login)


def _purpose(person: int) -> str:
    return f"person {person}"


def _totp_purpose(person: int) -> str:
    return f"second factor {person}"
