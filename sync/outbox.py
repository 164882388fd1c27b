"""The outbox: what still has to reach the gateway, inside the box's own ledger file.

It lives in the caller's SQLite connection and transaction, so that a page and its record are committed
together or not at all. Nothing is cached: a second connection to the file may open a new epoch at any time.

A record is `(epoch, lane, seq)`. `seq` has no gaps; the chain digest at each is kept for ever, also when the
payload is erased. Open the caller's transaction with `BEGIN IMMEDIATE` where two connections write.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterable
from typing import Literal, NamedTuple

from sync.challenges import TABLE as CHALLENGES
from sync.challenges import Challenges
from sync.envelope import Erased
from sync.inbox import Inbox
from sync.inbox import begin as begin_inbox
from sync.lanes import EPOCH_BYTES, Lane, first_link, next_link, record_digest
from sync.receipts import Accept, AskAfresh, Judgement, LaneView, NewEpoch, Receipt, ResendFrom, judge

_TABLES = (
    """CREATE TABLE IF NOT EXISTS outbox_epochs (
        no INTEGER PRIMARY KEY AUTOINCREMENT, epoch BLOB NOT NULL UNIQUE)""",
    """CREATE TABLE IF NOT EXISTS outbox_lanes (
        epoch_no INTEGER NOT NULL REFERENCES outbox_epochs(no), lane INTEGER NOT NULL,
        last_seq INTEGER NOT NULL, chain BLOB NOT NULL, proven INTEGER NOT NULL DEFAULT 0,
        incarnation BLOB, proven_under BLOB, believed_from INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (epoch_no, lane)) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS outbox_records (
        epoch_no INTEGER NOT NULL, lane INTEGER NOT NULL, seq INTEGER NOT NULL,
        payload BLOB, digest BLOB NOT NULL, chain BLOB NOT NULL, subject BLOB, held INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (epoch_no, lane, seq)) WITHOUT ROWID""",
    "CREATE INDEX IF NOT EXISTS outbox_by_subject ON outbox_records (subject) WHERE subject IS NOT NULL",
    "CREATE INDEX IF NOT EXISTS outbox_held ON outbox_records (epoch_no, lane) WHERE held",
    "CREATE TABLE IF NOT EXISTS outbox_meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID",
    CHALLENGES,
)
_STREAMS = "SELECT epoch_no, epoch, lane, last_seq, proven FROM outbox_lanes JOIN outbox_epochs ON no = epoch_no"
_AT_ONCE = 1_000
"""Records whose numbers are in memory together when a backlog moves into a new epoch."""
_CURRENT = "(SELECT max(no) FROM outbox_epochs)"


class LaneCounts(NamedTuple):
    """`captured` = `waiting` + `receipted` + `held`, over all epochs."""

    captured: int
    waiting: int
    receipted: int
    held: int


class Stream(NamedTuple):
    """One (epoch, lane) of the outbox: records up to `proven` are at the gateway, up to `last_seq` exist."""

    epoch_no: int
    epoch: bytes
    lane: Lane
    last_seq: int
    proven: int


def create_tables(connection: sqlite3.Connection) -> None:
    """Make the outbox's tables and its first epoch where they are missing. Does not commit."""
    for statement in _TABLES:
        connection.execute(statement)
    _bring_up_to_date(connection)
    begin_inbox(connection)
    if not Challenges(connection).any():
        Challenges(connection).renew()
    if not connection.execute("SELECT 1 FROM outbox_epochs").fetchall():
        _open_epoch(connection)


class Outbox:
    """The outbox in a connection whose tables exist. No method begins or commits a transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection
        self._challenges = Challenges(connection)

    @property
    def epoch(self) -> bytes:
        """The current epoch, 8 random bytes."""
        ((epoch,),) = self._db.execute("SELECT epoch FROM outbox_epochs ORDER BY no DESC LIMIT 1").fetchall()
        return bytes(epoch)

    @property
    def epochs(self) -> tuple[bytes, ...]:
        """Every epoch that this ledger had, oldest first."""
        return tuple(bytes(e) for (e,) in self._db.execute("SELECT epoch FROM outbox_epochs ORDER BY no").fetchall())

    @property
    def challenge(self) -> bytes:
        """The number that the gateway has to repeat for a receipt to count as fresh."""
        return self._challenges.newest

    @property
    def inbox(self) -> Inbox:
        """What came down from the school, in the same connection and transaction."""
        return Inbox(self._db)

    def noted(self, name: str) -> bytes | None:
        """What was written down last under that name; None when nothing was."""
        found = self._db.execute("SELECT value FROM outbox_meta WHERE name = ?", (name,)).fetchall()
        return bytes(found[0][0]) if found else None

    def note(self, name: str, value: bytes | None) -> None:
        """Write something down under a name, in the place of what stood there; None forgets it."""
        if value is None:
            self._db.execute("DELETE FROM outbox_meta WHERE name = ?", (name,))
        elif value != self.noted(name):
            self._db.execute("INSERT OR REPLACE INTO outbox_meta VALUES (?, ?)", (name, value))

    def append(self, lane: Lane, payload: bytes, *, subject: bytes | None = None) -> int:
        """Add a record and return its number, from 1 and without gaps in the lane of the current epoch.

        `subject` (a capture's digest) finds the record again for `state_of` and `erase`; numbers may change
        when a new epoch opens.
        """
        # An UPDATE first takes SQLite's write lock before anything is read.
        ((epoch_no, seq, chain),) = self._db.execute(
            f"UPDATE outbox_lanes SET last_seq = last_seq + 1 WHERE epoch_no = {_CURRENT} AND lane = ?"  # noqa: S608
            " RETURNING epoch_no, last_seq, chain",
            (lane,),
        ).fetchall()
        digest = record_digest(payload)
        link = next_link(chain, digest)
        self._db.execute(
            "INSERT INTO outbox_records (epoch_no, lane, seq, payload, digest, chain, subject)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (epoch_no, lane, seq, payload, digest, link, subject),
        )
        self._db.execute("UPDATE outbox_lanes SET chain = ? WHERE epoch_no = ? AND lane = ?", (link, epoch_no, lane))
        return int(seq)

    def streams(self) -> tuple[Stream, ...]:
        """All lanes of all epochs, the oldest epoch first."""
        return self._streams("1")

    def unproven(self) -> tuple[Stream, ...]:
        """The lanes in which something waits, the oldest epoch first."""
        return self._streams("last_seq > proven")

    def stream(self, epoch: bytes, lane: Lane) -> Stream | None:
        """One lane, None of an epoch that is not this ledger's."""
        return next(iter(self._streams("epoch = ? AND lane = ?", epoch, lane)), None)

    def _streams(self, where: str, *values: object) -> tuple[Stream, ...]:
        rows = self._db.execute(f"{_STREAMS} WHERE {where} ORDER BY epoch_no, lane", values).fetchall()
        return tuple(Stream(no, bytes(epoch), Lane(lane), last, proven) for no, epoch, lane, last, proven in rows)

    def records(
        self, stream: Stream, *, first_seq: int, max_records: int, max_bytes: int = 1 << 62
    ) -> tuple[bytes | Erased, ...]:
        """Consecutive records from `first_seq` on: at most so many, and at most so many bytes (one at least)."""
        rows = self._db.execute(
            "SELECT payload, digest FROM outbox_records WHERE epoch_no = ? AND lane = ? AND seq >= ?"
            " ORDER BY seq LIMIT ?",
            (stream.epoch_no, stream.lane, first_seq, max_records),
        ).fetchall()
        entries: list[bytes | Erased] = []
        size = 0
        for payload, digest in rows:
            size += len(digest) if payload is None else len(payload)
            if entries and size > max_bytes:
                break
            entries.append(Erased(bytes(digest)) if payload is None else bytes(payload))
        return tuple(entries)

    def waiting(self, lane: Lane, limit: int) -> tuple[tuple[int, bytes | Erased], ...]:
        """Number and content of records of the current epoch that the gateway is not yet known to have."""
        stream = self.stream(self.epoch, lane)
        assert stream is not None  # an epoch has every lane from its start
        entries = self.records(stream, first_seq=stream.proven + 1, max_records=limit)
        return tuple(enumerate(entries, stream.proven + 1))

    def chain_at(self, lane: Lane, seq: int, *, epoch: bytes | None = None) -> bytes | None:
        """The chain digest after record `seq` (0: before the first), None where the lane never got that far."""
        epoch = self.epoch if epoch is None else epoch
        if seq == 0:
            return first_link(epoch, lane)
        rows = self._db.execute(
            "SELECT chain FROM outbox_records JOIN outbox_epochs ON no = epoch_no"
            " WHERE epoch = ? AND lane = ? AND seq = ?",
            (epoch, lane, seq),
        ).fetchall()
        return bytes(rows[0][0]) if rows else None

    def accept(self, receipt: Receipt) -> Judgement:
        """Judge a receipt and write down what follows: proof moved on or back, held records, a new epoch.

        After `AskAfresh` the challenge is a new one, and the box should say hello with it.
        """
        rows = self._db.execute(
            f"SELECT no, no < {_CURRENT}, last_seq, proven, incarnation, proven_under, believed_from"  # noqa: S608
            " FROM outbox_lanes JOIN outbox_epochs ON no = epoch_no WHERE epoch = ? AND lane = ?",
            (receipt.epoch, receipt.lane),
        ).fetchall()
        if not rows:
            return judge(receipt, None)
        epoch_no, closed, last_seq, proven, incarnation, proven_under, believed_from = rows[0]
        view = LaneView(
            closed=bool(closed),
            last_seq=last_seq,
            proven=proven,
            chain_at_mark=self.chain_at(receipt.lane, receipt.mark, epoch=receipt.epoch),
            incarnation=incarnation,
            answers=self._challenges.number_of(receipt.challenge),
            proven_under=self._challenges.number_of(proven_under),
            believed_from=believed_from,
        )
        judgement = judge(receipt, view)
        match judgement:
            case Accept(mark, _, held):
                self._prove(epoch_no, receipt, mark, held, moved=mark != proven or incarnation != receipt.incarnation)
            case ResendFrom(mark, held):
                self._prove(epoch_no, receipt, mark, held, moved=True)
                # What was said until now may be about what the gateway has lost: only a number that nobody has
                # seen yet can tell an answer of today from that.
                self._db.execute(
                    "UPDATE outbox_lanes SET believed_from = ? WHERE epoch_no = ? AND lane = ?",
                    (self._challenges.renew(), epoch_no, receipt.lane),
                )
            case NewEpoch(after):
                self._diverge(epoch_no, receipt, after)
            case AskAfresh() if proven_under == self.challenge:
                self._challenges.renew()
        return judgement

    def counts(self) -> dict[Lane, LaneCounts]:
        """How many records each lane has, over all epochs, and where they are."""
        rows = self._db.execute(
            "SELECT lane, sum(last_seq), sum(proven), (SELECT count(*) FROM outbox_records r"
            " WHERE r.held AND r.lane = outbox_lanes.lane) FROM outbox_lanes GROUP BY lane"
        ).fetchall()
        return {Lane(lane): LaneCounts(last, last - proven, proven - held, held) for lane, last, proven, held in rows}

    def subjects(self, lane: Lane, after: int) -> list[bytes]:
        """What the records of the current epoch after that number are about, each once."""
        rows = self._db.execute(
            f"SELECT DISTINCT subject FROM outbox_records WHERE epoch_no = {_CURRENT} AND lane = ? AND seq > ?"  # noqa: S608
            " AND subject IS NOT NULL",
            (lane, after),
        ).fetchall()
        return [bytes(subject) for (subject,) in rows]

    def state_of(self, subject: bytes) -> Literal["waiting", "receipted", "held"] | None:
        """Where the records of a subject are: the least advanced of them counts. None when there is none."""
        rows = self._db.execute(
            "SELECT max(seq > proven), max(held) FROM outbox_records r JOIN outbox_lanes l"
            " ON l.epoch_no = r.epoch_no AND l.lane = r.lane WHERE subject = ?",
            (subject,),
        ).fetchall()
        waiting, held = rows[0]
        if waiting is None:
            return None
        return "waiting" if waiting else "held" if held else "receipted"

    def restored(self) -> None:
        """Say that this file is a copy put back: what the box it was taken from said since then is not known here.

        New records get an epoch of their own, so that no number is used for two of them, and a challenge that no
        receipt has answered yet. What was not proven goes again as the gateway's receipts for the old epochs ask.
        """
        _open_epoch(self._db)
        self._challenges.renew()

    def receipted_subjects(self) -> list[bytes]:
        """Every subject of which all records are at the gateway, and none is held."""
        rows = self._db.execute(
            "SELECT subject FROM outbox_records r JOIN outbox_lanes l ON l.epoch_no = r.epoch_no AND l.lane = r.lane"
            " WHERE subject IS NOT NULL GROUP BY subject HAVING max(seq > proven) = 0 AND max(held) = 0"
        ).fetchall()
        return [bytes(subject) for (subject,) in rows]

    def erase(self, subject: bytes) -> int:
        """Drop the payloads of a subject's records, keep numbers and digests; return how many there were."""
        return self._db.execute("UPDATE outbox_records SET payload = NULL WHERE subject = ?", (subject,)).rowcount

    def _prove(
        self, epoch_no: int, receipt: Receipt, mark: int, held: Iterable[tuple[int, int]], *, moved: bool
    ) -> None:
        lane = receipt.lane
        if moved:
            self._db.execute(
                "UPDATE outbox_lanes SET proven = ?, incarnation = ?, proven_under = ? WHERE epoch_no = ? AND lane = ?",
                (mark, receipt.incarnation, self.challenge, epoch_no, lane),
            )
        told = [(first, min(last, mark)) for first, last in held if first <= mark]
        if told == self._held(epoch_no, lane):  # nearly always, and then nothing is written
            return
        self._db.execute(
            "UPDATE outbox_records INDEXED BY outbox_held SET held = 0 WHERE held AND epoch_no = ? AND lane = ?",
            (epoch_no, lane),
        )
        for first, last in told:
            self._db.execute(
                "UPDATE outbox_records SET held = 1 WHERE epoch_no = ? AND lane = ? AND seq BETWEEN ? AND ?",
                (epoch_no, lane, first, last),
            )

    def _held(self, epoch_no: int, lane: Lane) -> list[tuple[int, int]]:
        """The ranges of records that are marked as held: neighbours have the same distance to their rank."""
        rows = self._db.execute(
            "SELECT min(seq), max(seq) FROM (SELECT seq, seq - row_number() OVER (ORDER BY seq) AS island"
            # SQLite alone would walk through the whole lane.
            " FROM outbox_records INDEXED BY outbox_held WHERE held AND epoch_no = ? AND lane = ?)"
            " GROUP BY island ORDER BY 1",
            (epoch_no, lane),
        )
        return [(first, last) for first, last in rows]

    def _diverge(self, epoch_no: int, receipt: Receipt, after: int) -> None:
        """Re-queue what is unproven. A current epoch is closed with all its lanes; an old one lost only this lane."""
        current = receipt.epoch == self.epoch
        if current:
            _open_epoch(self._db)
        for stream in self.streams():
            if stream.epoch_no == epoch_no and (current or stream.lane == receipt.lane):
                self._requeue(stream, after if stream.lane == receipt.lane else stream.proven)
        self._db.execute(
            "UPDATE outbox_lanes SET incarnation = ? WHERE epoch_no = ? AND lane = ?",
            (receipt.incarnation, epoch_no, receipt.lane),
        )

    def _requeue(self, stream: Stream, after: int) -> None:
        """Move the records after a number to the end of the lane in the current epoch.

        They are moved where they lie, a few at a time: a box may have a term's sheets waiting, and little memory.
        """
        old = (stream.epoch_no, stream.lane)
        chain_there = self.chain_at(stream.lane, after, epoch=stream.epoch)
        self._db.execute(
            "UPDATE outbox_lanes SET last_seq = ?, proven = ?, chain = ? WHERE epoch_no = ? AND lane = ?",
            (after, min(after, stream.proven), chain_there, *old),
        )
        ((epoch_no, seq, chain),) = self._db.execute(
            f"SELECT epoch_no, last_seq, chain FROM outbox_lanes WHERE epoch_no = {_CURRENT} AND lane = ?",  # noqa: S608
            (stream.lane,),
        ).fetchall()
        next_seq = after + 1
        while digests := self._db.execute(
            "SELECT digest FROM outbox_records WHERE epoch_no = ? AND lane = ? AND seq >= ? ORDER BY seq LIMIT ?",
            (*old, next_seq, _AT_ONCE),
        ).fetchall():
            moved = []
            for (digest,) in digests:
                seq += 1
                chain = next_link(chain, digest)
                moved.append((epoch_no, seq, chain, *old, next_seq))
                next_seq += 1
            self._db.executemany(
                "UPDATE outbox_records SET epoch_no = ?, seq = ?, chain = ?, held = 0"
                " WHERE epoch_no = ? AND lane = ? AND seq = ?",
                moved,
            )
        self._db.execute(
            "UPDATE outbox_lanes SET last_seq = ?, chain = ? WHERE epoch_no = ? AND lane = ?",
            (seq, chain, epoch_no, stream.lane),
        )


def _open_epoch(connection: sqlite3.Connection) -> None:
    epoch = secrets.token_bytes(EPOCH_BYTES)
    number = connection.execute("INSERT INTO outbox_epochs (epoch) VALUES (?)", (epoch,)).lastrowid
    for lane in Lane:
        connection.execute(
            "INSERT INTO outbox_lanes (epoch_no, lane, last_seq, chain) VALUES (?, ?, 0, ?)",
            (number, lane, first_link(epoch, lane)),
        )


def _bring_up_to_date(connection: sqlite3.Connection) -> None:
    """What version 0.1 kept otherwise: one challenge without a number, and lanes that were never turned back."""
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'outbox_challenge'").fetchall():
        connection.execute("INSERT INTO outbox_challenges SELECT one, challenge FROM outbox_challenge")
        connection.execute("DROP TABLE outbox_challenge")
        connection.execute("ALTER TABLE outbox_lanes ADD COLUMN believed_from INTEGER NOT NULL DEFAULT 0")
