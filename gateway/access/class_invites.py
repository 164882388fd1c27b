"""Accounts for a whole class: each pupil's, or each pupil's parents', to be handed over on slips of paper.

An account says nothing of the child: it is called as it signs in, and whose it is stands in its grant.
"""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access.grants import Given, give, grants_at
from gateway.access.links import Kind, make_link
from gateway.access.people import accounts, add_person, made_up_login
from gateway.access.person import Grant, Role
from gateway.keys import Vault
from gateway.store.dialect import lock_school
from gateway.store.schools import KnownPupil, class_pupils


class Invited(NamedTuple):
    """A pupil, and the link with which the account's owner chooses a password. `secret` is shown once."""

    known: KnownPupil
    login: str
    secret: str


class PupilAccount(NamedTuple):
    """Whether a pupil, or the pupil's parents, have an account. `taken_up`: a password was chosen."""

    known: KnownPupil
    person: int
    login: str
    taken_up: bool


async def invite_class(
    connection: AsyncConnection, vault: Vault, school: str, class_name: str, role: Role, *, by: int, now_ms: int
) -> list[Invited]:
    """Make the accounts that a class lacks; an invitation for each that has no password yet, by seat."""
    await lock_school(connection, school)  # two who print at once must not make two accounts for one child
    found: list[Invited] = []
    kept = {
        one.known.pseudonym: one
        for one in await class_accounts(connection, vault, school, class_name, role, now_ms=now_ms)
    }
    for known in await class_pupils(connection, vault, school, class_name):
        old = kept.get(known.pseudonym)
        if old is not None and old.taken_up:
            continue
        if old is None:
            login = made_up_login()
            person = await add_person(connection, vault, login=login, name=login, now_ms=now_ms)
            grant = Grant(role, school, class_name, None, known.pseudonym, now_ms, None)
            await give(connection, person, grant, by=by)
        else:
            person, login = old.person, old.login
        found.append(Invited(known, login, await make_link(connection, Kind.INVITE, person, by=by, now_ms=now_ms)))
    return found


async def class_accounts(
    connection: AsyncConnection, vault: Vault, school: str, class_name: str, role: Role, *, now_ms: int
) -> list[PupilAccount]:
    """The accounts that the pupils of a class have, or their parents; by seat. Closed ones count as taken up."""
    of_pupil: dict[bytes, list[Given]] = {}
    for one in await grants_at(connection, school, now_ms, roles=(role,)):
        if one.grant.pupil is not None:
            of_pupil.setdefault(one.grant.pupil, []).append(one)
    here = [known for known in await class_pupils(connection, vault, school, class_name) if known.pseudonym in of_pupil]
    wanted = {one.person for known in here for one in of_pupil[known.pseudonym]}
    who = await accounts(connection, vault, wanted)
    return [
        PupilAccount(known, found.id, found.login, found.password is not None or found.disabled_ms is not None)
        for known in here
        for one in of_pupil[known.pseudonym]
        if (found := who.get(one.person)) is not None
    ]
