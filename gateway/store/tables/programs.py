"""Programs: what reads and writes here with a key of a school or of the district, and what is told of it."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    String,
    Table,
)

from gateway.store.tables.head import metadata, school_key

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
    school_key(),
    Index("ux_tokens_digest", "school_id", "digest", unique=True),
)

office_tokens = Table(
    "office_tokens",
    metadata,
    Column("token_id", BigInteger, primary_key=True, autoincrement=False),
    Column("digest", LargeBinary(32), nullable=False),
    Column("title", String(64), nullable=False),
    Column("scopes", String(255), nullable=False),
    Column("made_by", BigInteger, nullable=False),
    Column("made_ms", BigInteger, nullable=False),
    Column("until_ms", BigInteger, nullable=False),
    Column("used_ms", BigInteger),
    Index("ux_office_tokens_digest", "digest", unique=True),
)
"""Keys of the district: of no one school."""

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
    school_key(),
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
