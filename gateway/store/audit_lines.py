"""A line of the audit in the transaction of what it tells: both are there, or neither.

What a command of `classgate` does is told with who did it, as the system calls them.
"""

from __future__ import annotations

import os
import pwd
import re
import secrets
from contextvars import ContextVar

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.tables.people import audit, office_audit
from homework.errors import one_line

_AT_TERMINAL: ContextVar[str | None] = ContextVar("at the terminal", default=None)
_SAID = re.compile(r"classgate(?:\(([^()]*)\))?: ")
_LONGEST_USER = 32


def at_the_terminal() -> None:
    """From here on, in this task, whoever runs the program does what is written down."""
    _AT_TERMINAL.set(system_user())


def system_user() -> str:
    """Who runs this program; behind sudo, who called it. The environment of others is not believed: it may say all."""
    uid = os.getuid()
    if uid == 0 and os.environ.get("SUDO_USER"):
        return os.environ["SUDO_USER"]
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:  # in a container
        return str(uid)


def detail_said(detail: str, person: int) -> str:
    """A detail as it is written down: 80 characters at most, at a terminal behind who sits there."""
    user = _AT_TERMINAL.get()
    if user is not None and not person:
        name = re.sub(r"[()]", "", one_line(user, limit=_LONGEST_USER))
        detail = f"classgate({name}): {detail}"
    return one_line(detail, limit=80)


def who_at_terminal(detail: str) -> tuple[str | None, str]:
    """Who did it at a terminal ("" where that was not written down, None for a page), and the detail without them."""
    found = _SAID.match(detail)
    return (None, detail) if found is None else (found[1] or "", detail[found.end() :])


async def write_line(
    connection: AsyncConnection,
    school: str | None,
    *,
    deed: str,
    at_ms: int,
    person: int = 0,
    thing: str = "",
    detail: str = "",
) -> None:
    """Write it. `person` 0: the program itself, or whoever sits at this machine. It holds no name of a child.

    `school` None: of no one school.
    """
    row = {
        "at_ms": at_ms,
        "audit_id": secrets.randbelow(2**48 - 1) + 1,
        "person_id": person,
        "deed": deed,
        "thing": one_line(thing, limit=255),
        "detail": detail_said(detail, person),
    }
    if school is None:
        await connection.execute(insert(office_audit), row)
    else:
        await connection.execute(insert(audit), row | {"school_id": school})
