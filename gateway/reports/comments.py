"""Comments on pupils that somebody wrote or took over, one for each term; sealed under the school's key."""

from __future__ import annotations

import unicodedata

import msgspec
from sqlalchemy import ColumnElement, bindparam, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.keys import Vault
from gateway.reports.periods import Term
from gateway.store.dialect import add_or_replace
from gateway.store.schools import school_key
from gateway.store.tables.summaries import comments
from homework.errors import UsageError

MAX_COMMENT = 1000
"""Characters; what a slip and a report have room for."""


class StoredComment(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A comment that somebody wrote or took over; `person_id` says who, `changed_ms` when (Unix ms)."""

    text: str
    person_id: int
    changed_ms: int


async def stored_comment(
    connection: AsyncConnection, vault: Vault, school: str, pupil: bytes, term: Term
) -> StoredComment | None:
    """The comment of that term, None where nobody wrote one. Raises `ClassboxError` when there is no such school."""
    given = {"school": school, "pupil": pupil, "term": term.name}
    row = (await connection.execute(_STORED, given)).first()
    if row is None:
        return None
    names = Vault(await school_key(connection, vault, school))
    text = names.open(bytes(row.text_sealed), purpose=_purpose(pupil, term)).decode()
    return StoredComment(text=text, person_id=row.person_id, changed_ms=row.changed_ms)


_STORED = select(comments).where(
    comments.c.school_id == bindparam("school"),
    comments.c.pupil == bindparam("pupil"),
    comments.c.term == bindparam("term"),
)


async def keep_comment(
    connection: AsyncConnection,
    vault: Vault,
    school: str,
    pupil: bytes,
    *,
    term: Term,
    text: str,
    person_id: int,
    at_ms: int,
) -> None:
    """Keep a comment in place of the one before; an empty one takes it away.

    Raises `UsageError` for one that is too long, `ClassboxError` when there is no such school.
    """
    text = _clean(text)
    if len(text) > MAX_COMMENT:
        raise UsageError(
            "The comment has {n} characters; {limit} are the most.",
            remedy="Write it shorter.",
            n=len(text),
            limit=MAX_COMMENT,
        )
    if not text:
        await connection.execute(delete(comments).where(*_is(school, pupil, term)))
        return
    names = Vault(await school_key(connection, vault, school))
    row = {
        "school_id": school,
        "pupil": pupil,
        "term": term.name,
        "text_sealed": names.seal(text.encode(), purpose=_purpose(pupil, term)),
        "person_id": person_id,
        "changed_ms": at_ms,
    }
    await connection.execute(add_or_replace(connection, comments), row)


def _clean(text: str) -> str:
    """Without what no pen writes: control characters, and those that turn a line's direction; line ends stay."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(c for c in lines if c == "\n" or unicodedata.category(c) not in ("Cc", "Cf", "Cs")).strip()


def _purpose(pupil: bytes, term: Term) -> str:
    return f"comment {pupil.hex()} {term.name}"


def _is(school: str, pupil: bytes, term: Term) -> tuple[ColumnElement[bool], ...]:
    return (comments.c.school_id == school, comments.c.pupil == pupil, comments.c.term == term.name)
