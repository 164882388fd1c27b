"""A person who is signed in, and what was granted to them. Values only; `gateway.access.rules` says what follows."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Role(StrEnum):
    """What somebody is at a school, or (`DISTRICT`, `ADMIN`) for all schools."""

    PUPIL = "pupil"
    PARENT = "parent"
    TEACHER = "teacher"
    HEAD = "head"
    DISTRICT = "district"
    ADMIN = "admin"


class Grant(msgspec.Struct, frozen=True):
    """One role of a person. It holds from `from_ms` until before `until_ms` (Unix time; None: until it is taken away).

    `school` None: all schools. A teacher's grant names a class; `subject` None: every subject of it, and also what
    nobody knows the subject of. `pupil` is the pseudonym of the one whom a pupil's or parent's grant is about. A
    teacher's grant with an end is a substitute's.
    """

    role: Role
    school: str | None
    class_name: str | None
    subject: str | None
    pupil: bytes | None
    from_ms: int
    until_ms: int | None

    def holds(self, now_ms: int) -> bool:
        """Whether it holds at that moment."""
        return self.from_ms <= now_ms and (self.until_ms is None or now_ms < self.until_ms)


class Person(msgspec.Struct, frozen=True):
    """Somebody who is signed in. `session` is the digest of the session's secret, never the secret.

    `strong`: a second factor was given in this session. `scopes`: of a key for programs, the only deeds that it is
    good for (values of `Deed`); None for a person at a page.
    """

    id: int
    login: str
    name: str
    grants: tuple[Grant, ...]
    session: bytes = b""
    strong: bool = False
    scopes: frozenset[str] | None = None
    language: str | None = None


ANYBODY = 0
"""The id of whoever sits at a machine whose pages are open (`[web] access = "open"`)."""


def anybody_here() -> Person:
    """Whoever sits at a machine whose pages are open: everything, as `classgate` on its terminal."""

    def everywhere(role: Role) -> Grant:
        return Grant(role, school=None, class_name=None, subject=None, pupil=None, from_ms=0, until_ms=None)

    grants = tuple(everywhere(role) for role in (Role.HEAD, Role.DISTRICT, Role.ADMIN))
    return Person(id=ANYBODY, login="", name="", grants=grants, strong=True)
