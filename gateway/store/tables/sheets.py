"""What comes in: page records with what goes with them, and the sums over them.

`page_records` has one row a page record; its items lie packed in the order of the layout's fields. `state` says
whether the row counts. Rollups are the sums over rows that count, kept in the transaction that adds the row.
"""

from __future__ import annotations

from enum import IntEnum

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    String,
    Table,
    text,
)

from gateway.store.tables.head import box_key, metadata, school_key


class RowState(IntEnum):
    """What a page record counts for. Only `CURRENT` rows are in rollups and reports; no row is ever dropped."""

    CURRENT = 0
    DUPLICATE = 1
    """The box says that it is the same sheet again (`duplicate_of`)."""
    SUPERSEDED = 2
    """A greater revision of the same capture has come."""
    SECOND = 3
    """Another capture of the same pupil's page and attempt; the one that came first stands."""
    UNBOOKED = 4
    """Nobody knows whose page it is, or of what assignment."""
    ERASED = 5
    """Of a pupil who was erased: its name, digest and capture stay, and nothing that it said (D9)."""


NAMELESS = {
    "sqlite": "(class_name IS NULL AND pupil IS NOT NULL) OR (pupil >= x'7365617400' AND pupil < x'7365617401')",
    "postgresql": (
        "(class_name IS NULL AND pupil IS NOT NULL)"
        r" OR (pupil >= '\x7365617400'::bytea AND pupil < '\x7365617401'::bytea)"
    ),
}
"""Which rows of `page_records` may find their pupil or their class in a roster that comes later: those of a bare seat
(`gateway.booking.seat_key`) and those of no class. By dialect, word by word: only so its planner finds the index."""

page_records = Table(
    "page_records",
    metadata,
    Column("school_id", String(32)),
    Column("month", Integer, autoincrement=False),  # gateway/store/months.py
    Column("box_id", String(32)),
    Column("epoch", LargeBinary(8)),
    Column("seq", BigInteger),
    Column("digest", LargeBinary(16), nullable=False),
    Column("capture", LargeBinary(16), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("duplicate_of", LargeBinary(16)),
    Column("assignment", String(64)),
    Column("class_name", String(64)),
    Column("pupil", LargeBinary(96)),
    Column("seat", Integer),
    Column("sheet", String(64), nullable=False),
    Column("page", SmallInteger, nullable=False),
    Column("attempt", SmallInteger, nullable=False),
    Column("score_hundredths", BigInteger),
    Column("max_score_hundredths", BigInteger),
    Column("pending", Integer, nullable=False),
    Column("items", LargeBinary, nullable=False),
    Column("problems", String, nullable=False),
    Column("clock", LargeBinary, nullable=False),
    Column("received_ms", BigInteger, nullable=False),
    Column("state", SmallInteger, nullable=False),
    Column("settled", LargeBinary),  # the corrections that it accounts for: the beginnings of their ids
    Column("sent", LargeBinary),  # items and sums as the box sent them, where corrections stand over them
    PrimaryKeyConstraint("school_id", "month", "box_id", "epoch", "seq"),
    box_key(),
    Index(None, "school_id", "capture"),
    Index(None, "school_id", "assignment", "class_name"),
    Index(
        "ix_page_records_duplicate_of",
        "school_id",
        "duplicate_of",
        sqlite_where=text("duplicate_of IS NOT NULL"),
        postgresql_where=text("duplicate_of IS NOT NULL"),
    ),
    Index(
        "ix_page_records_nameless",
        "school_id",
        sqlite_where=text(NAMELESS["sqlite"]),
        postgresql_where=text(NAMELESS["postgresql"]),
    ),
    # The law that reports rest on, kept by the database itself: one row counts. The month changes nothing in that,
    # since all rows of a school's assignment lie in one.
    Index(
        "ux_page_records_current",
        "school_id",
        "pupil",
        "assignment",
        "page",
        "attempt",
        "month",
        unique=True,
        sqlite_where=text("state = 0"),
        postgresql_where=text("state = 0"),
    ),
    postgresql_partition_by="LIST (month)",  # gateway/store/partitions.py
)

assignment_months = Table(
    "assignment_months",
    metadata,
    Column("school_id", String(32)),
    Column("assignment", String(64)),
    Column("month", Integer, nullable=False),
    PrimaryKeyConstraint("school_id", "assignment"),
    school_key(),
)

capture_months = Table(
    "capture_months",
    metadata,
    Column("school_id", String(32)),
    Column("capture", LargeBinary(16)),
    Column("month", Integer, autoincrement=False),
    PrimaryKeyConstraint("school_id", "capture", "month"),
    school_key(),
)

boots = Table(
    "boots",
    metadata,
    Column("school_id", String(32)),
    Column("box_id", String(32)),
    Column("boot", LargeBinary(16)),
    Column("heard_ms", BigInteger, nullable=False),  # when something of it came last
    Column("body", LargeBinary, nullable=False),  # sync.placing.Boot
    PrimaryKeyConstraint("school_id", "box_id", "boot"),
    box_key(),
)

lanes = Table(
    "lanes",
    metadata,
    Column("school_id", String(32)),
    Column("box_id", String(32)),
    Column("epoch", LargeBinary(8)),
    Column("lane", SmallInteger),
    Column("mark", BigInteger, nullable=False),
    Column("state", LargeBinary, nullable=False),  # sync.receipts.LaneState, from which the receipt is made
    PrimaryKeyConstraint("school_id", "box_id", "epoch", "lane"),
    box_key(),
)

held_records = Table(
    "held_records",
    metadata,
    Column("school_id", String(32)),
    Column("box_id", String(32)),
    Column("epoch", LargeBinary(8)),
    Column("lane", SmallInteger),
    Column("seq", BigInteger),
    Column("digest", LargeBinary(16)),
    Column("payload", LargeBinary, nullable=False),
    Column("reason", String, nullable=False),
    Column("received_ms", BigInteger, nullable=False),
    Column("looked_under", String(64), nullable=False, server_default=""),  # the latest version that tried to read it
    Column("decision", String(8)),  # "taken", "refused", NULL while nobody has decided
    Column("decided_ms", BigInteger),
    PrimaryKeyConstraint("school_id", "box_id", "epoch", "lane", "seq", "digest"),
    box_key(),
)

raw_records = Table(
    "raw_records",
    metadata,
    Column("school_id", String(32)),
    Column("box_id", String(32)),
    Column("epoch", LargeBinary(8)),
    Column("lane", SmallInteger),
    Column("seq", BigInteger),
    Column("payload", LargeBinary, nullable=False),  # of a record that says more than the columns hold
    PrimaryKeyConstraint("school_id", "box_id", "epoch", "lane", "seq"),
    box_key(),
)

tallies = Table(
    "tallies",
    metadata,
    Column("school_id", String(32)),
    Column("assignment", String(64)),
    Column("class_name", String(64)),
    Column("box_id", String(32)),
    Column("epoch", LargeBinary(8), nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),  # sync.records.Tally
    Column("received_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("school_id", "assignment", "class_name", "box_id"),
    box_key(),
)

crops = Table(
    "crops",
    metadata,
    Column("school_id", String(32)),
    Column("capture", LargeBinary(16)),
    Column("item", String(64)),
    Column("blank", SmallInteger),
    Column("revision", Integer, nullable=False),
    Column("sealed", LargeBinary, nullable=False),  # as it came, under the school key
    Column("received_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("school_id", "capture", "item", "blank"),
    school_key(),
)

corrections = Table(
    "corrections",
    metadata,
    Column("school_id", String(32)),
    Column("capture", LargeBinary(16)),
    Column("correction_id", LargeBinary(16)),
    Column("order_no", BigInteger, nullable=False),  # its place among the school's corrections, from 1
    Column("origin", String(32), nullable=False),  # the box that it came from, "" for the school itself
    Column("body", LargeBinary, nullable=False),  # sync.records.CorrectionRecord, as it came
    Column("received_ms", BigInteger, nullable=False),
    Column("person_id", BigInteger),  # whose word it is (an account, 0: at this machine); NULL: a box's, nobody knows
    PrimaryKeyConstraint("school_id", "capture", "correction_id"),
    school_key(),
    Index("ux_corrections_order", "school_id", "order_no", unique=True),
)

absences = Table(
    "absences",
    metadata,
    Column("school_id", String(32)),
    Column("assignment", String(64)),
    Column("pupil", LargeBinary(16)),
    Column("absence_id", LargeBinary(16)),
    Column("order_no", BigInteger, nullable=False),  # its place among the school's words on absences, from 1
    Column("origin", String(32), nullable=False),  # the box that it came from, "" for the school itself
    Column("body", LargeBinary, nullable=False),  # sync.records.AbsenceRecord with its order and origin
    Column("received_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("school_id", "assignment", "pupil", "absence_id"),
    school_key(),
    Index("ux_absences_id", "school_id", "absence_id", unique=True),
    Index("ux_absences_order", "school_id", "order_no", unique=True),
    Index(None, "school_id", "pupil"),
)

class_rollups = Table(
    "class_rollups",
    metadata,
    Column("school_id", String(32)),
    Column("assignment", String(64)),
    Column("class_name", String(64)),
    Column("attempt", SmallInteger),
    Column("pages", BigInteger, nullable=False),
    Column("score_hundredths", BigInteger, nullable=False),
    Column("max_score_hundredths", BigInteger, nullable=False),
    Column("pending", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False, server_default="0"),  # grows with every change of what is reported
    Column("first_ms", BigInteger),  # when its first and its latest page came; NULL while none has
    Column("last_ms", BigInteger),
    PrimaryKeyConstraint("school_id", "assignment", "class_name", "attempt"),
    school_key(),
    Index(None, "school_id", "last_ms"),
)

page_rollups = Table(
    "page_rollups",
    metadata,
    Column("school_id", String(32)),
    Column("assignment", String(64)),
    Column("class_name", String(64)),
    Column("attempt", SmallInteger),
    Column("sheet", String(64)),
    Column("page", SmallInteger),
    Column("counts", LargeBinary, nullable=False),  # of each field of the page five numbers: gateway/store/rollups.py
    PrimaryKeyConstraint("school_id", "assignment", "class_name", "attempt", "sheet", "page"),
    school_key(),
)

releases = Table(
    "releases",
    metadata,
    Column("school_id", String(32)),
    Column("assignment", String(64)),
    Column("class_name", String(64)),
    Column("person_id", BigInteger, nullable=False),  # who let the families see it; 0: whoever sits at this machine
    Column("released_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("school_id", "assignment", "class_name"),
    school_key(),
)
