"""Who at a provider is whom here: a tie is made by that person or by an administrator, never by a name or address."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.dialect import add_or_ignore
from gateway.store.tables.people import people, sign_ons
from homework.errors import ClassboxError


class Identity(NamedTuple):
    """Somebody at a provider. A subject is only unique together with its issuer."""

    issuer: str
    subject: str


class TiedElsewhereError(ClassboxError):
    """An identity signs somebody else on."""


async def person_of_identity(connection: AsyncConnection, identity: Identity) -> int | None:
    """Whom an identity is tied to; None for nobody, or for somebody who may no longer come in."""
    found = await connection.execute(
        select(sign_ons.c.person_id)
        .join(people, people.c.person_id == sign_ons.c.person_id)
        .where(
            sign_ons.c.issuer == identity.issuer,
            sign_ons.c.subject == identity.subject,
            people.c.disabled_ms.is_(None),
        )
    )
    person: int | None = found.scalar()
    return person


async def is_tied(connection: AsyncConnection, issuer: str, person: int) -> bool:
    """Whether a person can sign on at that provider."""
    found = await connection.execute(
        select(sign_ons.c.subject).where(sign_ons.c.issuer == issuer, sign_ons.c.person_id == person)
    )
    return found.first() is not None


async def tie(connection: AsyncConnection, identity: Identity, person: int, *, now_ms: int) -> None:
    """Let an identity sign on as a person, instead of any other of that provider.

    Raises `TiedElsewhereError` when it is somebody else's already.
    """
    place = {"issuer": identity.issuer, "subject": identity.subject}
    await connection.execute(add_or_ignore(connection, sign_ons).values(**place, person_id=person, made_ms=now_ms))
    whose = await connection.execute(select(sign_ons.c.person_id).filter_by(**place))
    if whose.scalar() != person:
        raise TiedElsewhereError(
            "That account signs somebody else on here already.",
            remedy="Sign on with your own, or ask an administrator to untie it there.",
        )
    await connection.execute(
        delete(sign_ons).where(
            sign_ons.c.issuer == identity.issuer,
            sign_ons.c.person_id == person,
            sign_ons.c.subject != identity.subject,
        )
    )


async def untie(connection: AsyncConnection, issuer: str, person: int) -> None:
    """Take a person's sign-on at a provider away."""
    await connection.execute(delete(sign_ons).where(sign_ons.c.issuer == issuer, sign_ons.c.person_id == person))
