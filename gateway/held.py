"""Records that could not be read when they came: looked at again by a newer version, taken in or refused by a person.

Until then the box keeps the record and its picture (D5). Deciding changes the lane's state in the same transaction,
so that the next receipt tells the box. Nothing is deleted: what was decided stays, with the decision.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from importlib.metadata import version
from typing import Literal, NamedTuple

from sqlalchemy import ColumnElement, and_, case, func, not_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.arrivals import Arrived
from gateway.booking import RowName
from gateway.clock import unix_ms
from gateway.held_words import HeldWords, held_words
from gateway.intake import read_record, take_in
from gateway.keeping.stragglers import stragglers
from gateway.poison import REFUSED, refuses
from gateway.store.audit_lines import write_line
from gateway.store.crops import drop_crops_of_no_page
from gateway.store.dialect import lock_school
from gateway.store.lanes import ANOTHER_HISTORY, LaneName, load_lane, save_lanes
from gateway.store.store import Store
from gateway.store.tables.sheets import held_records
from homework.errors import ClassboxError
from homework.wording import Translate
from sync.errors import FutureVersion, MalformedRecord, WireError
from sync.lanes import EPOCH_BYTES, Lane
from sync.receipts import LaneState, with_held
from sync.records import Record

_log = logging.getLogger(__name__)
_AT_ONCE = 32
"""Records of one transaction; of the largest that is 32 MiB in memory."""
_HEAD_BYTES = 4
"""A record is an array that begins with its kind: one or three bytes, and a small number."""
_CAPTURE_ENDS_AT = 23
"""Of a page: the head, its version, and the capture behind two bytes that say that it is 16."""
_SHORTEST = 8
"""Hexadecimal digits of a digest that a person must write at least."""

_PAGE = 1
_PAGE_OF = re.compile(rb"(?:[\x90-\x9f]|\xdc..)\x01[\x00-\x7f]\xc4\x10(.{16})", re.DOTALL)
"""An array of a page's kind and some version, and its capture: that one stays where it is (`sync.records`)."""
DEED = "decide-held"
"""What the audit calls it (`gateway.access.deeds`)."""
Decision = Literal["taken", "refused"]


class Held(NamedTuple):
    """A record that is held, why, and what was decided (None: nothing yet). Its bytes stay in the store."""

    lane: LaneName
    seq: int
    digest: bytes
    size: int
    reason: str
    received_ms: int
    decision: Decision | None
    kind: int | None = None
    """Of the record, as its first bytes say; None where they say none."""


class StillUnreadableError(ClassboxError):
    """A record that was to be taken in and cannot be read. `reason` says why, as `Held` does."""

    def __init__(self, one: Held, why: WireError) -> None:
        super().__init__(
            "The record {digest} cannot be taken in: {reason}",
            remedy="Update Classbox and accept it again, or refuse it.",
            digest=one.digest.hex()[:12],
            reason=why.message,
        )
        self.held, self.reason = one, why.message

    def words(self, translate: Translate) -> HeldWords:
        """Why, and what can be done, in the reader's words."""
        return held_words(self.reason, self.held.kind, translate)

    def said(self, translate: Translate) -> tuple[str, str]:
        why, remedy, _detail = self.words(translate)
        message = translate("The record {digest} cannot be taken in: {reason}")
        return message.format(digest=self.held.digest.hex()[:12], reason=why), remedy


class _Readable(NamedTuple):
    held: Held
    record: Record
    payload: bytes

    def arrived(self) -> Arrived:
        return Arrived(_name(self.held), self.record, self.payload, self.held.received_ms)


async def held(connection: AsyncConnection, *, everything: bool = False) -> list[Held]:
    """What waits for a decision, the oldest first.

    With `everything` also what was decided, and what conflicts with the gateway's own history: its box sends that
    again under a new epoch, unless the box is gone.
    """
    wanted = () if everything else (_undecided(), held_records.c.reason != ANOTHER_HISTORY)
    return await _select(connection, *wanted)


class HeldCounts(NamedTuple):
    """Undecided records of a box: those that wait for a person, and those of a copied card, which come again."""

    waiting: int
    copies: int


async def held_of_school(
    connection: AsyncConnection, school: str, which: Literal["waiting", "copies", "decided"], *, limit: int
) -> list[Held]:
    """What waits at a school, what conflicts with its history, or what was decided; the oldest first."""
    another = held_records.c.reason == ANOTHER_HISTORY
    condition = {
        "waiting": and_(_undecided(), not_(another)),
        "copies": and_(_undecided(), another),
        "decided": held_records.c.decision.is_not(None),
    }[which]
    return await _select(connection, held_records.c.school_id == school, condition, limit=limit)


async def held_counts(connection: AsyncConnection, school: str) -> dict[str, HeldCounts]:
    """How many are undecided, by box; boxes without any are left out."""
    copy = case((held_records.c.reason == ANOTHER_HISTORY, 1), else_=0)
    query = (
        select(held_records.c.box_id, func.count(), func.sum(copy))
        .where(held_records.c.school_id == school, _undecided())
        .group_by(held_records.c.box_id)
    )
    return {box: HeldCounts(every - copies, copies) for box, every, copies in await connection.execute(query)}


async def look_again(
    store: Store, *, software: str = version("classbox"), now_ms: Callable[[], int] = unix_ms
) -> tuple[int, int]:
    """Take in what this version can read of what an older one held. Each version looks at each record once.

    Returns how many were taken in, and how many are still held. A school whose records the store refuses is logged
    and left for the next start: nothing keeps the gateway from running.
    """
    async with store.reading() as connection:
        schools = {one.lane.school for one in await held(connection)}
    taken = 0
    for school in sorted(schools):
        try:
            while (some := await _look_at_some(store, school, software, now_ms())) is not None:
                taken += some
        except Exception:  # noqa: BLE001 - whatever it is, the sheets of this and other schools go on coming
            _log.exception("held records of %s could not be looked at again", school)
    async with store.reading() as connection:
        left = len(await held(connection))
    if taken or left:
        _log.info("of the records that were held, %d are taken in now; %d wait for `classgate held`", taken, left)
    return taken, left


async def accept(
    store: Store,
    beginnings: Iterable[str],
    *,
    school: str | None = None,
    noted: bool = False,
    now_ms: Callable[[], int] = unix_ms,
) -> list[Held]:
    """Take in the records (of one school, or any) whose digests begin so (hexadecimal), all or none, and return them.

    `noted`: write it into the audit (a page does so itself). One that conflicts with the gateway's own history is taken
    in beside it, under a name of its own. Raises `ClassboxError` for a beginning that is none or not only one record's,
    and for a record that cannot be read.
    """

    async def work(connection: AsyncConnection, found: Sequence[Held]) -> None:
        readable = []
        for one in found:
            read = await _read(connection, one)
            if isinstance(read, WireError):
                raise StillUnreadableError(one, read)
            readable.append(read)
        await _take(connection, readable, now_ms())
        await _note(connection, found, "accept" if noted else None, now_ms())
        await store.tell_others(connection, [(found[0].lane.school, None, None)])

    return await _with_chosen(store, beginnings, work, school)


async def refuse(
    store: Store,
    beginnings: Iterable[str],
    *,
    school: str | None = None,
    noted: bool = False,
    now_ms: Callable[[], int] = unix_ms,
) -> list[Held]:
    """Say that the records whose digests begin so count nowhere, and return them. Their bytes stay here.

    The pictures of answers of a page that is refused go, unless the page is here all the same or is held once more.
    Raises `ClassboxError` as `accept` does.
    """

    async def work(connection: AsyncConnection, found: Sequence[Held]) -> None:
        await _decide(connection, found, "refused", now_ms())
        await _let_pictures_go(connection, found)
        await _note(connection, found, "refuse" if noted else None, now_ms())

    return await _with_chosen(store, beginnings, work, school)


async def _note(connection: AsyncConnection, found: Sequence[Held], what: str | None, now_ms: int) -> None:
    """Write down that the records of a school were decided; None: whoever asked does it."""
    if what is not None:
        await write_line(connection, found[0].lane.school, deed=DEED, at_ms=now_ms, detail=what)


async def _with_chosen(
    store: Store,
    beginnings: Iterable[str],
    work: Callable[[AsyncConnection, Sequence[Held]], Awaitable[None]],
    school: str | None,
) -> list[Held]:
    """Let `work` have the chosen records of each school, locked, in one transaction."""
    wanted = list(beginnings)
    async with store.writing() as connection:
        of_it = (_undecided(),) if school is None else (_undecided(), held_records.c.school_id == school)
        schools = (await connection.execute(select(held_records.c.school_id).where(*of_it).distinct())).scalars()
        for each in sorted(schools):  # first: two who decide at once must not both find it undecided
            await lock_school(connection, each)
        every = await _select(connection, *of_it)
        chosen = {one.digest: None for beginning in wanted for one in _beginning_with(beginning, every)}
        by_school: dict[str, list[Held]] = defaultdict(list)
        for one in every:
            if one.digest in chosen:
                by_school[one.lane.school].append(one)
        for _, found in sorted(by_school.items()):
            await work(connection, found)
    return [one for found in by_school.values() for one in found]


def _beginning_with(beginning: str, every: Sequence[Held]) -> list[Held]:
    found = [one for one in every if len(beginning) >= _SHORTEST and one.digest.hex().startswith(beginning.lower())]
    if not found:
        raise ClassboxError(
            "No held record's name begins with “{name}”.",
            remedy="classgate held list shows the names; write at least 8 letters of one.",
            name=beginning[:40],
        )
    if len({one.digest for one in found}) > 1:
        raise ClassboxError(
            "Several held records' names begin with “{name}”.", remedy="Write more of it.", name=beginning[:40]
        )
    return found


async def _look_at_some(store: Store, school: str, software: str, now_ms: int) -> int | None:
    """Look at a few; how many of them were taken in, None when none was left to look at."""
    async with store.writing() as connection:
        await lock_school(connection, school)
        found = await _select(
            connection,
            held_records.c.school_id == school,
            _undecided(),
            held_records.c.reason != ANOTHER_HISTORY,
            held_records.c.looked_under != software,
            limit=_AT_ONCE,
        )
        if not found:
            return None
        readable: list[_Readable] = []
        for one in found:
            read = await _read(connection, one)
            if isinstance(read, WireError):
                reason = read.message
            elif await refuses(connection, school, read.arrived()):
                reason = REFUSED
            else:
                readable.append(read)
                continue
            await connection.execute(update(held_records).where(_is(one)).values(looked_under=software, reason=reason))
        await _take(connection, readable, now_ms)
        return len(readable)


async def _read(connection: AsyncConnection, one: Held) -> _Readable | WireError:
    payload = (await connection.execute(select(held_records.c.payload).where(_is(one)))).scalar_one()
    try:
        record = read_record(payload, one.lane.lane)
        reasons = await stragglers(connection, {one.lane.school: [record]})
        if reasons:
            return MalformedRecord(next(iter(reasons.values())))
        return _Readable(one, record, payload)
    except (FutureVersion, MalformedRecord) as error:
        return error


async def _take(connection: AsyncConnection, readable: Sequence[_Readable], now_ms: int) -> None:
    """Take in records of one school, and write that down."""
    if readable:
        await take_in(connection, readable[0].held.lane.school, [r.arrived() for r in readable])
        await _decide(connection, [r.held for r in readable], "taken", now_ms)


async def _let_pictures_go(connection: AsyncConnection, refused: Sequence[Held]) -> None:
    """Of the pages of one school among these. Pictures of what cannot be read so far as to say its capture stay."""
    school, columns = refused[0].lane.school, held_records.c
    beginning = func.substr(columns.payload, 1, _CAPTURE_ENDS_AT)
    pages = columns.school_id == school, columns.lane == int(Lane.RESULTS)
    captures: set[bytes] = set()
    for one in refused:
        if one.kind == _PAGE and one.lane.lane is Lane.RESULTS:
            captures |= _captures(await connection.scalars(select(beginning).where(_is(one))))
    if captures:
        captures -= _captures(await connection.scalars(select(beginning).where(*pages, _undecided())))
    await drop_crops_of_no_page(connection, school, captures)


def _captures(beginnings: Iterable[bytes]) -> set[bytes]:
    """What the pages that begin so are of; those that are cut short, or no pages, say nothing."""
    found = (_PAGE_OF.match(bytes(one)) for one in beginnings)
    return {one[1] for one in found if one is not None}


def _name(one: Held) -> RowName:
    if one.reason != ANOTHER_HISTORY:
        return RowName(one.lane.box, one.lane.epoch, one.seq)
    # Its own name is taken, by the record that it conflicts with.
    epoch = hashlib.blake2b(one.lane.epoch + one.digest, digest_size=EPOCH_BYTES, person=b"classbox-history").digest()
    return RowName(one.lane.box, epoch, one.seq)


async def _decide(connection: AsyncConnection, found: Sequence[Held], decision: Decision, now_ms: int) -> None:
    """Write the decision down, and let the lanes go on without these records being held."""
    for one in found:
        change = update(held_records).where(_is(one)).values(decision=decision, decided_ms=now_ms)
        await connection.execute(change)
    await let_lanes_go_on(connection, {one.lane for one in found if one.reason != ANOTHER_HISTORY})


async def let_lanes_go_on(connection: AsyncConnection, names: Collection[LaneName]) -> None:
    """Say in the states of these lanes what is still held of them: the next receipts tell the boxes."""
    states: dict[LaneName, LaneState] = {}
    for name in names:
        state = await load_lane(connection, name)
        if state is not None:
            states[name] = with_held(state, await _still_held(connection, name))
    await save_lanes(connection, states)


async def _still_held(connection: AsyncConnection, name: LaneName) -> Sequence[int]:
    columns = held_records.c
    query = select(columns.seq).where(
        columns.school_id == name.school,
        columns.box_id == name.box,
        columns.epoch == name.epoch,
        columns.lane == int(name.lane),
        columns.reason != ANOTHER_HISTORY,
        _undecided(),
    )
    return (await connection.execute(query)).scalars().all()


def _undecided() -> ColumnElement[bool]:
    return held_records.c.decision.is_(None)


def _is(one: Held) -> ColumnElement[bool]:
    columns = held_records.c
    return and_(
        columns.school_id == one.lane.school,
        columns.box_id == one.lane.box,
        columns.epoch == one.lane.epoch,
        columns.lane == int(one.lane.lane),
        columns.seq == one.seq,
        columns.digest == one.digest,
    )


def _kind(first: bytes) -> int | None:
    place = 3 if first.startswith(b"\xdc") else 1
    return first[place] if place < len(first) and first[place] < 128 else None


async def _select(connection: AsyncConnection, *where: ColumnElement[bool], limit: int | None = None) -> list[Held]:
    columns = held_records.c
    order = (columns.received_ms, columns.school_id, columns.box_id, columns.epoch, columns.lane, columns.seq)
    shown = [c for c in columns if c is not columns.payload]
    first = func.substr(columns.payload, 1, _HEAD_BYTES).label("first")
    query = select(*shown, func.length(columns.payload).label("size"), first)
    found = await connection.execute(query.where(*where).order_by(*order).limit(limit))
    return [
        Held(
            lane=LaneName(r.school_id, r.box_id, bytes(r.epoch), Lane(r.lane)),
            seq=r.seq,
            digest=bytes(r.digest),
            size=r.size,
            reason=r.reason,
            received_ms=r.received_ms,
            decision=r.decision,
            kind=_kind(bytes(r.first)),
        )
        for r in found
    ]
