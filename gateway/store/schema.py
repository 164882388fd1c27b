"""The one schema, for SQLite and PostgreSQL. Every key leads with `school_id`, so that tables shard by school.

`page_records` has one row a page record; its items lie packed in the order of the layout's fields. `state` says
whether the row counts. Rollups are the sums over rows that count, kept in the transaction that adds the row.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    String,
    Table,
    text,
)

from gateway.store.summary_tables import summary_tables


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


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _school_key() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["school_id"], ["schools.school_id"])


def _box_key() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["school_id", "box_id"], ["boxes.school_id", "boxes.box_id"])


gateway_identity = Table(
    "gateway_identity",
    metadata,
    Column("one", SmallInteger, primary_key=True),  # always 1
    Column("incarnation", LargeBinary(8), nullable=False),
    Column("generation", BigInteger, nullable=False, server_default="0"),  # see gateway/store/generation.py
    Column("place", String, nullable=False, server_default=""),  # where the server keeps this table; "" on SQLite
)

leases = Table(
    "leases",
    metadata,
    Column("name", String(32), primary_key=True),  # of what only one gateway does at a time
    Column("holder", String(32), nullable=False),
    Column("until_ms", BigInteger, nullable=False),  # by the database's clock
)

schools = Table(
    "schools",
    metadata,
    Column("school_id", String(32), primary_key=True),
    Column("key_sealed", LargeBinary, nullable=False),
    Column("added_ms", BigInteger, nullable=False),
    Column("title", String(128), nullable=False, server_default=""),  # what people call it; "" where nobody said
    # Each grows by one whenever something of its kind has changed, so that a report that was made before can be told.
    Column("roster_version", BigInteger, nullable=False, server_default="0"),
    Column("settings_version", BigInteger, nullable=False, server_default="0"),
    Column("documents_version", BigInteger, nullable=False, server_default="0"),
)

boxes = Table(
    "boxes",
    metadata,
    Column("school_id", String(32)),
    Column("box_id", String(32)),
    Column("key_sealed", LargeBinary, nullable=False),
    Column("added_ms", BigInteger, nullable=False),
    Column("heard_ms", BigInteger),
    Column("health", LargeBinary),  # the latest health record as it came
    Column("down_place", BigInteger),  # up to which place of `down_log` it said that it was told
    Column("down_waiting", Integer),  # how many entries up to there are still on their way into their places
    Column("down_refused", Integer),  # how many it cannot use
    PrimaryKeyConstraint("school_id", "box_id"),
    _school_key(),
)

pupils = Table(
    "pupils",
    metadata,
    Column("school_id", String(32)),
    Column("pseudonym", LargeBinary(16)),
    Column("class_name", String(64), nullable=False),
    Column("seat", Integer, nullable=False),
    Column("name_sealed", LargeBinary, nullable=False),
    Column("pupil_id_sealed", LargeBinary, nullable=False),
    PrimaryKeyConstraint("school_id", "pseudonym"),
    _school_key(),
    Index(None, "school_id", "class_name", "seat"),
)

past_lists = Table(
    "past_lists",
    metadata,
    Column("school_id", String(32)),
    Column("list_no", Integer),  # from 1; the oldest go
    Column("changed_ms", BigInteger, nullable=False),
    Column("person_id", BigInteger, nullable=False),  # who changed it; 0: on the terminal
    Column("sealed", LargeBinary, nullable=False),  # the changed classes as they were before, under the school key
    PrimaryKeyConstraint("school_id", "list_no"),
    _school_key(),
)

documents = Table(
    "documents",
    metadata,
    Column("school_id", String(32)),
    Column("kind", String(16)),
    Column("document_id", String(64)),
    Column("digest", LargeBinary(16)),
    Column("body", LargeBinary, nullable=False),
    Column("received_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("school_id", "kind", "document_id", "digest"),
    _school_key(),
)

down_heads = Table(
    "down_heads",
    metadata,
    Column("school_id", String(32)),
    Column("place", BigInteger, nullable=False),  # the last one of the school's log
    Column("chain", LargeBinary(16), nullable=False),
    PrimaryKeyConstraint("school_id"),
    _school_key(),
)

down_log = Table(
    "down_log",
    metadata,
    Column("school_id", String(32)),
    Column("place", BigInteger),  # from 1, without gaps
    Column("kind", String(16), nullable=False),
    Column("key", String(64), nullable=False),
    Column("content", LargeBinary(16), nullable=False),  # of what it says: what a box compares with its own
    Column("digest", LargeBinary(16), nullable=False),  # of `packed`
    Column("chain", LargeBinary(16), nullable=False),  # of all entries up to here
    Column("size", Integer, nullable=False),  # of `packed`
    Column("packed", LargeBinary),  # NULL once a newer entry of the same kind and key stands
    Column("origin", String(32)),  # the box that it came from
    Column("added_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("school_id", "place"),
    _school_key(),
    Index(None, "school_id", "kind", "key", "place"),
)

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
    _box_key(),
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
    _school_key(),
)

capture_months = Table(
    "capture_months",
    metadata,
    Column("school_id", String(32)),
    Column("capture", LargeBinary(16)),
    Column("month", Integer, autoincrement=False),
    PrimaryKeyConstraint("school_id", "capture", "month"),
    _school_key(),
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
    _box_key(),
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
    _box_key(),
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
    _box_key(),
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
    _box_key(),
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
    _box_key(),
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
    _school_key(),
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
    PrimaryKeyConstraint("school_id", "capture", "correction_id"),
    _school_key(),
    Index("ux_corrections_order", "school_id", "order_no", unique=True),
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
    _school_key(),
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
    _school_key(),
)

# --- people: whoever may come in is known to all schools; what they may is said school by school ---------------

people = Table(
    "people",
    metadata,
    Column("person_id", BigInteger, primary_key=True, autoincrement=False),  # random, never 0
    Column("login", String(64), nullable=False),  # as it is compared (`gateway.access.people.known_as`)
    Column("name_sealed", LargeBinary, nullable=False),  # under the gateway's key
    Column("password", String(256)),  # Argon2id in PHC format; NULL until an invitation is taken up
    Column("totp_sealed", LargeBinary),  # the secret of the second factor, under the gateway's key
    Column("totp_step", BigInteger),  # the last step of it that was used: none counts twice
    Column("language", String(8)),
    Column("made_ms", BigInteger, nullable=False),
    Column("disabled_ms", BigInteger),
    Index("ux_people_login", "login", unique=True),
)


def _person_key() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["person_id"], ["people.person_id"])


sessions = Table(
    "sessions",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),  # of the secret that only the browser has
    Column("person_id", BigInteger, nullable=False),
    Column("made_ms", BigInteger, nullable=False),
    Column("used_ms", BigInteger, nullable=False),
    Column("strong", Boolean, nullable=False),  # a second factor was given
    Column("device", String(80), nullable=False),
    _person_key(),
    Index(None, "person_id"),
)

known_devices = Table(
    "known_devices",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),
    Column("person_id", BigInteger, nullable=False),
    Column("used_ms", BigInteger, nullable=False),
    _person_key(),
    Index(None, "person_id"),
)

links = Table(
    "links",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),
    Column("kind", String(8), nullable=False),  # `gateway.access.links.Kind`
    Column("person_id", BigInteger, nullable=False),
    Column("made_by", BigInteger, nullable=False),
    Column("made_ms", BigInteger, nullable=False),
    Column("until_ms", BigInteger, nullable=False),
    Column("used_ms", BigInteger),
    _person_key(),
    Index(None, "person_id"),
)

recovery_codes = Table(
    "recovery_codes",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),  # `gateway.access.totp.recovery_digest`
    Column("person_id", BigInteger, nullable=False),
    Column("used_ms", BigInteger),
    _person_key(),
    Index(None, "person_id"),
)

sign_ons = Table(
    "sign_ons",
    metadata,
    Column("issuer", String(255)),
    Column("subject", String(255)),
    Column("person_id", BigInteger, nullable=False),
    Column("made_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("issuer", "subject"),
    _person_key(),
    Index(None, "person_id"),
)

wrong_tries = Table(
    "wrong_tries",
    metadata,
    Column("key", LargeBinary(32), primary_key=True),  # digest of the name that was tried
    Column("full_ms", BigInteger, nullable=False),  # when all tries are free again
)

offices = Table(
    "offices",
    metadata,
    Column("grant_id", BigInteger, primary_key=True, autoincrement=False),
    Column("person_id", BigInteger, nullable=False),
    Column("role", String(8), nullable=False),  # a role for all schools
    Column("from_ms", BigInteger, nullable=False),
    Column("until_ms", BigInteger),
    Column("granted_by", BigInteger, nullable=False),
    _person_key(),
    Index(None, "person_id"),
)

grants = Table(
    "grants",
    metadata,
    Column("school_id", String(32)),
    Column("grant_id", BigInteger, autoincrement=False),
    Column("person_id", BigInteger, nullable=False),
    Column("role", String(8), nullable=False),
    Column("class_name", String(64)),
    Column("subject", String(40)),
    Column("pupil", LargeBinary(16)),
    Column("from_ms", BigInteger, nullable=False),
    Column("until_ms", BigInteger),
    Column("granted_by", BigInteger, nullable=False),
    PrimaryKeyConstraint("school_id", "grant_id"),
    _school_key(),
    Index(None, "person_id"),
)


def _audit_columns() -> list[Column[Any]]:
    """What was done, by whom, when; no names. Rows are added and never changed (triggers of the migration)."""
    return [
        Column("at_ms", BigInteger),
        Column("audit_id", BigInteger, autoincrement=False),
        Column("person_id", BigInteger, nullable=False),  # 0: whoever sits at this machine
        Column("deed", String(16), nullable=False),
        Column("thing", String(255), nullable=False),
        Column("detail", String(80), nullable=False),
    ]


audit = Table(
    "audit",
    metadata,
    Column("school_id", String(32)),
    *_audit_columns(),
    PrimaryKeyConstraint("school_id", "at_ms", "audit_id"),
    _school_key(),
)

office_audit = Table("office_audit", metadata, *_audit_columns(), PrimaryKeyConstraint("at_ms", "audit_id"))
"""What is of no one school: signing in, people, the district's pages."""

(
    class_summaries,
    class_terms,
    class_knowledge,
    class_days,
    school_days,
    school_freshness,
    comments,
) = summary_tables(metadata)

# --- programs: what reads and writes here with a key of a school, and what is told of it --------------------------

tokens = Table(
    "tokens",
    metadata,
    Column("school_id", String(32)),
    Column("token_id", BigInteger, autoincrement=False),  # random, never 0: who did it, in the audit
    Column("digest", LargeBinary(32), nullable=False),  # of the secret that only the program has
    Column("title", String(64), nullable=False),
    Column("scopes", String(255), nullable=False),  # values of `gateway.access.deeds.Deed`, between blanks
    Column("made_by", BigInteger, nullable=False),
    Column("made_ms", BigInteger, nullable=False),
    Column("until_ms", BigInteger, nullable=False),
    Column("used_ms", BigInteger),
    PrimaryKeyConstraint("school_id", "token_id"),
    _school_key(),
    Index("ux_tokens_digest", "school_id", "digest", unique=True),
)

hooks = Table(
    "hooks",
    metadata,
    Column("school_id", String(32)),
    Column("hook_id", BigInteger, autoincrement=False),
    Column("url", String(500), nullable=False),
    Column("secret_sealed", LargeBinary, nullable=False),  # under the gateway's key
    Column("made_by", BigInteger, nullable=False),
    Column("made_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("school_id", "hook_id"),
    _school_key(),
)

hook_calls = Table(
    "hook_calls",
    metadata,
    Column("school_id", String(32)),
    Column("call_id", BigInteger, autoincrement=False),  # random: by it the other side knows one that came twice
    Column("hook_id", BigInteger, nullable=False),
    Column("class_name", String(64), nullable=False),
    Column("assignment", String(64), nullable=False),
    Column("finished_ms", BigInteger, nullable=False),
    Column("due_ms", BigInteger),  # when it is tried next; NULL once it was taken or given up
    Column("tries", Integer, nullable=False),
    Column("outcome", String(80), nullable=False),  # of the last try, "" before the first
    Column("tried_ms", BigInteger),
    PrimaryKeyConstraint("school_id", "call_id"),
    ForeignKeyConstraint(["school_id", "hook_id"], ["hooks.school_id", "hooks.hook_id"]),
    Index(None, "due_ms"),
)
