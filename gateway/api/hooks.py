"""Programs that are told when a class has finished: who, and the queue of what they are to be told.

What is to be told is written in the transaction in which it becomes true, so nothing is told that is not, and nothing
is forgotten (at least once). It names school, class and homework, and no pupil.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from typing import Final, NamedTuple
from urllib.parse import urlsplit

import msgspec
from sqlalchemy import and_, delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access.people import new_id
from gateway.api.listing import api_report_address
from gateway.keys import Vault
from gateway.reports.worker import Finished
from gateway.store.tables.programs import hook_calls, hooks
from homework.errors import ClassboxError, UsageError, one_line

EVENT: Final = "class.finished"
SECRET_BYTES: Final = 32
_SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - what a secret of this standard begins with
LONGEST_URL: Final = 500
MOST_HOOKS: Final = 10
"""Of one school."""


class Hook(NamedTuple):
    """A program that is told. `waiting` counts what is still to be told, `outcome` is what came of the last try."""

    id: int
    url: str
    made_by: int
    made_ms: int
    waiting: int
    outcome: str


class FinishedBody(msgspec.Struct, frozen=True, kw_only=True):
    """What is told."""

    school: str
    class_name: str = msgspec.field(name="class")
    assignment: str
    finished_ms: int
    report: str


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a call. `id` is the same each time it is tried: one that came twice is known by it."""

    id: str
    type: str
    data: FinishedBody


class NoSuchHookError(ClassboxError):
    """There is no such hook (any more)."""


def checked_url(url: str) -> str:
    """An address that may be told: over TLS, or on this machine. Raises `UsageError`.

    Where its name leads is looked at when it is connected to (`gateway.api.hook_sender`), for a name can move.
    """
    try:
        parts = urlsplit(url)
        port_is_one = parts.port is None or parts.port > 0
    except ValueError:
        parts, port_is_one = urlsplit(""), False
    plain = parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1", "localhost")
    sound = (
        *(len(url) <= LONGEST_URL, url.isascii(), url.isprintable(), " " not in url, bool(parts.hostname), port_is_one),
        *(parts.username is None, parts.password is None, not parts.fragment, plain or parts.scheme == "https"),
    )
    if not all(sound):
        raise UsageError(
            "“{url}” is no address that can be told.",
            remedy="Take one that begins with https:// and holds no password.",
            url=one_line(url, limit=80),
        )
    return url


async def add_hook(
    connection: AsyncConnection, vault: Vault, school: str, url: str, *, made_by: int, now_ms: int
) -> tuple[int, str]:
    """Let a program be told from now on: its number, and the secret of its signatures, shown once.

    `url` was checked (`checked_url`). Raises `UsageError` when the school has as many as it may have. The caller holds
    the school's lock.
    """
    if len(await hooks_of(connection, school)) >= MOST_HOOKS:
        raise UsageError("The school has {most} of them already.", remedy="Take some away.", most=MOST_HOOKS)
    number, secret = new_id(), secrets.token_bytes(SECRET_BYTES)
    row = {
        "school_id": school,
        "hook_id": number,
        "url": url,
        "secret_sealed": vault.seal(secret, purpose=secret_purpose(school, number)),
        "made_by": made_by,
        "made_ms": now_ms,
    }
    await connection.execute(insert(hooks), row)
    return number, _SECRET_PREFIX + base64.b64encode(secret).decode()


def secret_purpose(school: str, hook: int) -> str:
    """What a hook's sealed secret is tied to."""
    return f"hook {school}/{hook}"


async def hooks_of(connection: AsyncConnection, school: str) -> list[Hook]:
    """A school's hooks, the oldest first."""
    calls = hook_calls.c
    waits = and_(calls.school_id == hooks.c.school_id, calls.hook_id == hooks.c.hook_id, calls.due_ms.is_not(None))
    tried = and_(calls.school_id == hooks.c.school_id, calls.hook_id == hooks.c.hook_id, calls.tries > 0)
    waiting = select(func.count()).where(waits).scalar_subquery()
    outcome = select(calls.outcome).where(tried).order_by(calls.tried_ms.desc()).limit(1).scalar_subquery()
    query = (
        select(hooks.c.hook_id, hooks.c.url, hooks.c.made_by, hooks.c.made_ms, waiting, outcome)
        .where(hooks.c.school_id == school)
        .order_by(hooks.c.made_ms, hooks.c.hook_id)
    )
    return [Hook(*row[:5], row[5] or "") for row in await connection.execute(query)]


async def end_hook(connection: AsyncConnection, school: str, hook: int) -> None:
    """Tell a program nothing more, not even what waits. Raises `NoSuchHookError`."""
    await connection.execute(delete(hook_calls).where(hook_calls.c.school_id == school, hook_calls.c.hook_id == hook))
    ended = await connection.execute(delete(hooks).where(hooks.c.school_id == school, hooks.c.hook_id == hook))
    if ended.rowcount != 1:
        raise NoSuchHookError("There is no such address any more.", remedy="Load the page again.")


async def queue_finished(connection: AsyncConnection, finished: Sequence[Finished]) -> None:
    """With the commit, let every program of these schools be told: an `OnFinished` of the summaries' worker."""
    schools = sorted({one.place.school for one in finished})
    known = await connection.execute(select(hooks.c.school_id, hooks.c.hook_id).where(hooks.c.school_id.in_(schools)))
    by_school: dict[str, list[int]] = {}
    for school, hook in known:
        by_school.setdefault(school, []).append(hook)
    rows = [
        {
            "school_id": one.place.school,
            "call_id": new_id(),
            "hook_id": hook,
            "class_name": one.place.class_name,
            "assignment": one.place.assignment,
            "finished_ms": one.at_ms,
            "due_ms": one.at_ms,
            "tries": 0,
            "outcome": "",
        }
        for one in finished
        for hook in by_school.get(one.place.school, ())
    ]
    if rows:
        await connection.execute(insert(hook_calls), rows)


def told_body(call: int, school: str, class_name: str, assignment: str, finished_ms: int) -> bytes:
    """The body of a call, the same each time it is tried."""
    return msgspec.json.encode(
        Told(
            id=str(call),
            type=EVENT,
            data=FinishedBody(
                school=school,
                class_name=class_name,
                assignment=assignment,
                finished_ms=finished_ms,
                report=api_report_address(school, class_name, assignment),
            ),
        )
    )
