"""What worksheets say, kept beside their text in a form that is read thirty times as quickly.

To read a worksheet's TOML and check it takes a millisecond and more, and a pupil's page needs ninety of them. The form
is made of the text, by whatever program finds none that it knows, and nothing rests on it: without it the text is read.
It stands in the row of its text, and is gone when another text takes that row's place.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import Any, Final, NamedTuple

import msgspec
from sqlalchemy import Update, bindparam, case, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.tables.schools import documents
from homework.assignment import Assignment, Mode, parse_assignment
from homework.errors import BadFileError

PARSED_FORMAT: Final = 1
"""Of `pack_assignment`. One more whenever `Assignment` changes, or what its text is read as: a newer program then makes
the forms anew, and an older one reads the texts. A test knows what belongs to which number."""
_decoder = msgspec.msgpack.Decoder(Assignment)
_encoder = msgspec.msgpack.Encoder()


class ItemOutline(msgspec.Struct, frozen=True, gc=False):
    """What an item is called, and what it is about."""

    id: str
    knowledge: tuple[str, ...] = ()


class Outline(msgspec.Struct, frozen=True, gc=False):
    """Of an `Assignment` what reports over many need: a third of the time that it takes to read all of it."""

    title: str
    items: tuple[ItemOutline, ...]
    subject: str = "math"
    due: str | None = None
    mode: Mode = "homework"


class Heading(msgspec.Struct, frozen=True, gc=False):
    """What an `Assignment` is called, and its subject: a tenth."""

    title: str
    subject: str = "math"


class Text(NamedTuple):
    """A worksheet as it came, whose form is missing or of an older program; what names it, and when it came."""

    document_id: str
    digest: bytes
    received_ms: int
    body: bytes


def pack_assignment(assignment: Assignment) -> bytes:
    """Everything but the defaults."""
    return _encoder.encode(_lean(assignment))


def unpack_assignment(packed: bytes) -> Assignment:
    """What `pack_assignment` made."""
    return _decoder.decode(packed)


@lru_cache(maxsize=1024)
def assignment_in(body: bytes, *, is_packed: bool) -> Assignment | None:
    """The worksheet of a text or a form; None for a text that is none. The latest are remembered, 20 kB each."""
    if is_packed:
        try:
            return unpack_assignment(body)
        except msgspec.MsgspecError:  # the text is still there, and the next program makes the form anew
            return None
    try:
        return parse_assignment(body.decode())
    except (BadFileError, UnicodeDecodeError):
        return None


def outline_in(body: bytes, *, is_packed: bool) -> Outline | None:
    """What a text or a form says in short; None for a text that is none."""
    if is_packed:
        try:
            return _outlines.decode(body)
        except msgspec.MsgspecError:
            return None
    found = assignment_in(body, is_packed=False)
    if found is None:
        return None
    items = tuple(ItemOutline(item.id, item.knowledge) for item in found.items)
    return Outline(title=found.title, items=items, subject=found.subject, due=found.due, mode=found.mode)


def heading_in(body: bytes, *, is_packed: bool) -> Heading | None:
    """The title and the subject of a text or a form; None for a text that is none."""
    if is_packed:
        try:
            return _headings.decode(body)
        except msgspec.MsgspecError:
            return None
    found = assignment_in(body, is_packed=False)
    return None if found is None else Heading(found.title, found.subject)


IS_PACKED = (documents.c.parsed_format == PARSED_FORMAT) & documents.c.parsed.is_not(None)
BODY = case((IS_PACKED, documents.c.parsed), else_=documents.c.body)
"""What `assignment_in` reads; whether it is packed says `IS_PACKED`."""


_outlines = msgspec.msgpack.Decoder(Outline)
_headings = msgspec.msgpack.Decoder(Heading)


async def texts_to_pack(connection: AsyncConnection, school: str, *, limit: int = 20) -> list[Text]:
    """Some of the school's worksheets that have no form of this program."""
    columns = documents.c
    query = (
        select(*(columns[name] for name in Text._fields))
        .where(columns.school_id == school, columns.parsed_format < PARSED_FORMAT, columns.kind == "assignment")
        .limit(limit)
    )
    return [Text(r.document_id, bytes(r.digest), r.received_ms, bytes(r.body)) for r in await connection.execute(query)]


async def forms_of(texts: Sequence[Text]) -> list[dict[str, Any]]:
    """Their forms, for `keep_forms`. Others are let in between: a text may be of a hundred items."""
    forms = []
    for text in texts:
        found = assignment_in(text.body, is_packed=False)
        packed = None if found is None else pack_assignment(found)
        forms.append({"id": text.document_id, "of": text.digest, "came_ms": text.received_ms, "form": packed})
        await asyncio.sleep(0)
    return forms


async def keep_forms(connection: AsyncConnection, school: str, forms: Sequence[Mapping[str, Any]]) -> None:
    """Keep forms beside their texts. One whose text has come again meanwhile is not. The school is locked."""
    if forms:
        await connection.execute(_keep(), [{"school": school, **form} for form in forms])


@cache
def _keep() -> Update:
    columns = documents.c
    return (
        update(documents)
        .where(
            columns.school_id == bindparam("school"),
            columns.kind == "assignment",
            columns.document_id == bindparam("id"),
            columns.digest == bindparam("of"),
            columns.received_ms == bindparam("came_ms"),
        )
        .values(parsed=bindparam("form"), parsed_format=PARSED_FORMAT)
    )


def _lean(value: object) -> object:
    if isinstance(value, msgspec.Struct):
        return {
            field.name: _lean(own)
            for field in _fields(type(value))
            if (own := getattr(value, field.name)) != field.default
        }
    return [_lean(one) for one in value] if isinstance(value, tuple) else value


@cache
def _fields(kind: type[msgspec.Struct]) -> tuple[Any, ...]:
    return msgspec.structs.fields(kind)
