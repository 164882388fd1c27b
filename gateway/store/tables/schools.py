"""The gateway itself, schools with their boxes and pupils, and the papers that go up and down between them."""

from __future__ import annotations

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
    Text,
    text,
)

from gateway.store.tables.head import metadata, school_key

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

told = Table(
    "told",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),  # SQLite counts it up by itself
    Column("body", Text, nullable=False),  # see `gateway.store.news`
)
"""What programs on one SQLite file tell one another, the newest of it. On a server it stays empty: that has NOTIFY."""

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
    school_key(),
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
    school_key(),
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
    school_key(),
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
    # What the body of an assignment says, by the program of that number (`gateway.store.parsed`).
    Column("parsed", LargeBinary),
    Column("parsed_format", SmallInteger, nullable=False, server_default="0"),
    PrimaryKeyConstraint("school_id", "kind", "document_id", "digest"),
    school_key(),
    Index(
        "ix_documents_unread",
        "school_id",
        "parsed_format",
        sqlite_where=text("kind = 'assignment'"),
        postgresql_where=text("kind = 'assignment'"),
    ),
)

down_heads = Table(
    "down_heads",
    metadata,
    Column("school_id", String(32)),
    Column("place", BigInteger, nullable=False),  # the last one of the school's log
    Column("chain", LargeBinary(16), nullable=False),
    PrimaryKeyConstraint("school_id"),
    school_key(),
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
    school_key(),
    Index(None, "school_id", "kind", "key", "place"),
)
