"""What the gateway has of every lane, records that it holds back, and the documents that came."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Select, bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.asking import Asked
from gateway.store.dialect import add_or_ignore, add_or_replace
from gateway.store.rollups import touch_school
from gateway.store.tables.schools import boxes, documents
from gateway.store.tables.sheets import held_records, lanes, raw_records
from sync.lanes import Lane
from sync.receipts import LaneState, decode_state, encode_state
from sync.records import DocumentRecord

_EPOCHS = Asked("epochs", school_id="TEXT", box_id="TEXT", epoch="BYTEA")
_HEARD = (
    update(boxes)
    .where(boxes.c.school_id == bindparam("of_school"), boxes.c.box_id == bindparam("of_box"))
    .values(heard_ms=bindparam("heard"))
)
ANOTHER_HISTORY = "another history"
"""Why a record is kept that conflicts with what the gateway has under its number. Its box sends it again by itself."""


class LaneName(NamedTuple):
    """A lane of one box's epoch."""

    school: str
    box: str
    epoch: bytes
    lane: Lane


class HeldRecord(NamedTuple):
    """A record kept as it came, and why it could not be taken in."""

    lane: LaneName
    seq: int
    digest: bytes
    payload: bytes
    reason: str


class RawRecord(NamedTuple):
    """A record that was taken in, as it came, because the columns hold less than it says."""

    school: str
    box: str
    epoch: bytes
    lane: Lane
    seq: int
    payload: bytes


async def load_lane(connection: AsyncConnection, name: LaneName) -> LaneState | None:
    """The state of a lane, None when nothing of it has come yet."""
    found = await connection.execute(
        select(lanes.c.state).where(
            lanes.c.school_id == name.school,
            lanes.c.box_id == name.box,
            lanes.c.epoch == name.epoch,
            lanes.c.lane == int(name.lane),
        )
    )
    state = found.scalar_one_or_none()
    return None if state is None else decode_state(state)


async def load_lanes(
    connection: AsyncConnection, epochs: Collection[tuple[str, str, bytes]]
) -> dict[LaneName, LaneState]:
    """The states of the lanes of epochs (school, box, epoch); what nothing has come of yet is missing."""
    if not epochs:
        return {}
    dialect = connection.dialect.name
    rows = await connection.execute(_of_epochs(dialect), _EPOCHS.values(dialect, sorted(epochs)))
    return {LaneName(r.school_id, r.box_id, bytes(r.epoch), Lane(r.lane)): decode_state(r.state) for r in rows}


@cache
def _of_epochs(dialect: str) -> Select[Any]:
    return _EPOCHS.matching(dialect, lanes)


async def save_lanes(connection: AsyncConnection, states: Mapping[LaneName, LaneState]) -> None:
    """Remember the states of lanes."""
    rows = [
        {
            "school_id": name.school,
            "box_id": name.box,
            "epoch": name.epoch,
            "lane": int(name.lane),
            "mark": state.mark,
            "state": encode_state(state),
        }
        for name, state in states.items()
    ]
    if rows:
        await connection.execute(add_or_replace(connection, lanes), rows)


async def hold(connection: AsyncConnection, records: Iterable[HeldRecord], received_ms: int) -> None:
    """Keep records as they came. The same record twice is kept once."""
    rows = [
        {
            "school_id": r.lane.school,
            "box_id": r.lane.box,
            "epoch": r.lane.epoch,
            "lane": int(r.lane.lane),
            "seq": r.seq,
            "digest": r.digest,
            "payload": r.payload,
            "reason": r.reason.replace(
                "\0", "\ufffd"
            ),  # it may repeat what came; PostgreSQL has no text with zero bytes
            "received_ms": received_ms,
        }
        for r in records
    ]
    if rows:
        await connection.execute(add_or_ignore(connection, held_records), rows)


async def keep_raw(connection: AsyncConnection, records: Iterable[RawRecord]) -> None:
    """Keep records as they came, for a version that understands more of them."""
    rows = [
        {
            "school_id": r.school,
            "box_id": r.box,
            "epoch": r.epoch,
            "lane": int(r.lane),
            "seq": r.seq,
            "payload": r.payload,
        }
        for r in records
    ]
    if rows:
        await connection.execute(add_or_ignore(connection, raw_records), rows)


async def add_documents(
    connection: AsyncConnection, school: str, records: Iterable[tuple[DocumentRecord, int]]
) -> None:
    """Keep documents, each with the time (ms) at which it came; every version stays, the latest counts.

    The caller holds the school's lock.
    """
    rows = [
        {
            "school_id": school,
            "kind": r.document,
            "document_id": r.id,
            "digest": r.digest,
            "body": r.body,
            "received_ms": received_ms,
        }
        for r, received_ms in records
    ]
    if rows:
        await connection.execute(add_or_replace(connection, documents), rows)
        await touch_school(connection, school, "documents")


async def note_heard(connection: AsyncConnection, heard: Collection[tuple[str, str]], *, heard_ms: int) -> None:
    """Remember that boxes (school, box) were heard just now."""
    if heard:
        rows = [{"of_school": school, "of_box": box, "heard": heard_ms} for school, box in sorted(heard)]
        await connection.execute(_HEARD, rows)


async def note_health(connection: AsyncConnection, school: str, box: str, health: bytes) -> None:
    """Remember how a box said it was."""
    mine = boxes.c.school_id == school, boxes.c.box_id == box
    await connection.execute(update(boxes).where(*mine).values(health=health))
