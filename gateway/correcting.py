"""A correction that is made at the school counts here at once, and goes down to the boxes in the same transaction."""

from __future__ import annotations

import secrets
from typing import NamedTuple

import msgspec
from sqlalchemy import and_, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.booking import seat_key
from gateway.clock import unix_ms
from gateway.keys import Vault
from gateway.store.archived import refuse_archived
from gateway.store.corrections import Told, corrections_of, field_names, keep_corrections, look_again
from gateway.store.dialect import lock_school
from gateway.store.down_log import append
from gateway.store.months import month_of_assignment
from gateway.store.pages import PageRow, pages_where, unpack_items
from gateway.store.reading import assignments_named, layouts_named
from gateway.store.schools import school_key, seats_of
from gateway.store.tables.sheets import RowState, page_records
from homework.corrections import Place, Word, said_after
from homework.errors import ClassboxError
from homework.grading import share_points
from homework.merging import correction_between, said_after_all
from homework.results import ItemResult
from homework.wording import points_text
from sync.clock import ClockQuality, ClockReading
from sync.corrections import ID_BYTES, correction_record
from sync.pseudonym import PSEUDONYM_BYTES
from sync.records import CorrectionRecord, encode_record, unpack_item

TAKEN_BACK = Word(text=None, right=None, score_hundredths=None, comment="", stamp=None)
"""Nothing is said of a field any more: it is again what the box had read."""


class Field(NamedTuple):
    """One field of the page that counts for a pupil, by class and seat. `attempt` is 1, and 2 and on after 订正."""

    assignment: str
    class_name: str
    seat: int
    place: Place
    attempt: int = 1


class SeenPage(NamedTuple):
    """One field of a page as a person saw it: `place` is its place among the page's items, from 0."""

    capture: bytes
    revision: int
    place: int


class Sayer(NamedTuple):
    """Who says it: the name that goes along, sealed ("" for the school), and the account whose word it is.

    0 is whoever sits at this machine. Names are no proof: two people may have one.
    """

    name: str
    person_id: int


THE_SCHOOL = Sayer("", 0)


class Done(NamedTuple):
    """A correction that was made, the field as it was and as it is; None where that was said already."""

    record: CorrectionRecord | None
    before: ItemResult
    after: ItemResult
    pupil: bytes | None
    """Whose it is, by pseudonym; None where nobody knows."""


async def correct(
    connection: AsyncConnection,
    vault: Vault,
    school: str,
    field: Field | SeenPage,
    word: Word,
    *,
    who: Sayer,
    clock: ClockReading,
) -> Done:
    """Say `word` of a field; `who` says it, and `clock` is the gateway's.

    One transaction: the correction, the page and the report's sums with it, and the entry for the boxes. What was known
    here of the field it replaces; with what a box says at the same time `homework.merging` decides. Raises
    `ClassboxError` for a field that is not here or cannot be judged here.
    """
    if not await lock_school(connection, school):
        raise ClassboxError(
            "There is no school {school} here.", remedy="Add it with `classgate school add {school}`.", school=school
        )
    key = await school_key(connection, vault, school)
    found = await _found(connection, school, field)
    capture, before = found.row.booked.capture, found.item
    await _look_at_points(connection, school, found, word)
    known = [
        one.opened(key).correction
        for one in (await corrections_of(connection, school, [capture])).get(capture, ())
        if (one.record.item, one.record.blank) == found.place
    ]
    said = said_after_all(before, known)
    now = said_after(msgspec.structs.replace(before, said=said), word)
    if now == said:
        return Done(None, before, before, _whose(found.row))
    correction = correction_between(
        said,
        now,
        known=known,
        name=secrets.token_bytes(ID_BYTES),
        place=found.place,
        read=before.reading,
        synced=clock.quality is ClockQuality.SYNCED,
        wall_ms=clock.wall_ms,
    )
    record = correction_record(
        correction, capture=capture, revision=found.row.booked.revision, who=who.name, clock=clock, school_key=key
    )
    (kept,) = await keep_corrections(connection, school, [Told(record, "", unix_ms(), who.person_id)])
    await look_again(connection, school, [capture])
    await append(connection, school, "correction", record.id.hex(), encode_record(kept.record))
    return Done(kept.record, before, (await _found(connection, school, field)).item, _whose(found.row))


def _whose(row: PageRow) -> bytes | None:
    """The pseudonym; where only class and seat are known, they stand in its place (`seat_key`)."""
    return row.pupil if row.pupil is not None and len(row.pupil) == PSEUDONYM_BYTES else None


async def _look_at_points(connection: AsyncConnection, school: str, found: _Found, word: Word) -> None:
    """Raises `ClassboxError` for more points than the field is worth: they would count as all of it, and no more."""
    given, name = word.score_hundredths, found.row.assignment or ""
    if not isinstance(given, int):
        return
    document = (await assignments_named(connection, school, {name})).get(name)
    item = document.item(found.item.item) if document is not None else None
    if item is None:
        return
    worth = share_points(item.points_hundredths, item.blanks)[found.item.blank - 1]
    if given > worth:
        raise ClassboxError(
            "{given} points are more than item {item} is worth.",
            remedy="Give at most {most}.",
            given=points_text(given),
            item=item.label or item.id,
            most=points_text(worth),
        )


class ChangedPageError(ClassboxError):
    """What a person saw of a page no longer counts: another look at it came, or another page took its place."""


class _Found(NamedTuple):
    row: PageRow
    item: ItemResult

    @property
    def place(self) -> Place:
        return self.item.item, self.item.blank


async def _found(connection: AsyncConnection, school: str, field: Field | SeenPage) -> _Found:
    """The page that counts and has the field, and what it says there. Raises `ClassboxError`."""
    if isinstance(field, SeenPage):
        return await _seen(connection, school, field)
    seats = await seats_of(connection, school, ((), [(field.class_name, field.seat)]))
    at_seat = (field.class_name, field.seat)
    pupil = seats.pupil_at.get(at_seat) or seat_key(*at_seat)
    columns = page_records.c
    query = select(page_records).where(
        columns.school_id == school,
        columns.month == month_of_assignment(school, field.assignment),
        columns.assignment == field.assignment,
        columns.attempt == field.attempt,
        columns.state == int(RowState.CURRENT),
        or_(columns.pupil == pupil, and_(columns.class_name == field.class_name, columns.seat == field.seat)),
    )
    rows = [row for row, _ in await pages_where(connection, query)]
    if not rows:
        await refuse_archived(connection, school, field.assignment)
        raise ClassboxError(
            "No sheet of seat {seat} in class {class_name} counts for {assignment} here.",
            remedy="classgate report shows whose sheets have come.",
            seat=field.seat,
            class_name=field.class_name,
            assignment=field.assignment,
        )
    layouts = await layouts_named(connection, school, {row.sheet for row in rows})
    key = (await assignments_named(connection, school, {field.assignment})).get(field.assignment)
    judged = [row for row in rows if key is not None and row.score_hundredths is not None]
    for row in judged:
        names, items = field_names(layouts.get(row.sheet), row.page), unpack_items(row.items)
        for name, item in zip(names, items, strict=False):
            if (name.item, name.blank) == field.place and len(names) == len(items):
                return _Found(row, unpack_item(item, name))
    if not judged or any(row.sheet not in layouts for row in judged):
        raise ClassboxError(
            "The questions or the answers of {assignment} have not come here yet.",
            remedy="Wait until the box has sent them, or correct it on the box.",
            assignment=field.assignment,
        )
    raise ClassboxError(
        "The worksheet {assignment} has no item {item} with a blank {blank}.",
        remedy="classgate report --json names its items.",
        assignment=field.assignment,
        item=field.place[0],
        blank=field.place[1],
    )


async def _seen(connection: AsyncConnection, school: str, field: SeenPage) -> _Found:
    row = await counting_page(connection, school, field.capture)
    if row is None or row.booked.revision != field.revision:
        raise ChangedPageError("This sheet has changed meanwhile.", remedy="Look at it again.")
    layouts = await layouts_named(connection, school, {row.sheet})
    names, items = field_names(layouts.get(row.sheet), row.page), unpack_items(row.items)
    if len(names) != len(items) or row.score_hundredths is None:
        raise ClassboxError(
            "The questions or the answers of {assignment} have not come here yet.",
            remedy="Wait until the box has sent them, or correct it on the box.",
            assignment=row.assignment or row.sheet,
        )
    if field.place >= len(items):
        raise ChangedPageError("This sheet has changed meanwhile.", remedy="Look at it again.")
    return _Found(row, unpack_item(items[field.place], names[field.place]))


async def counting_page(connection: AsyncConnection, school: str, capture: bytes) -> PageRow | None:
    """The page that counts of a capture; None where none does."""
    query = select(page_records).where(
        page_records.c.school_id == school,
        page_records.c.capture == capture,
        page_records.c.state == int(RowState.CURRENT),
    )
    return next((row for row, _ in await pages_where(connection, query)), None)
