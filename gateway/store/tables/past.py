"""The tables of what is here no longer: pupils who were erased, months that were archived."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, PrimaryKeyConstraint, SmallInteger, String, Table

from gateway.store.tables.head import metadata, school_key

erased_pupils = Table(
    "erased_pupils",
    metadata,
    Column("school_id", String(32)),
    Column("pseudonym", LargeBinary(16)),
    Column("erased_ms", BigInteger, nullable=False),
    Column("place", LargeBinary(16)),  # gateway.store.erased.place_digest; NULL once no late sheet is awaited
    PrimaryKeyConstraint("school_id", "pseudonym"),
    school_key(),
)

archived_months = Table(
    "archived_months",
    metadata,
    Column("school_id", String(32)),
    Column("month", Integer, autoincrement=False),
    Column("rows", BigInteger, nullable=False),
    Column("digest", LargeBinary(32), nullable=False),  # of what the file says, row by row
    Column("file", String(1024), nullable=False),
    Column("archived_ms", BigInteger),  # a worksheet that is used again later begins a month anew
    Column("removed_ms", BigInteger),  # when the rows had gone from here; NULL while some may be left
    PrimaryKeyConstraint("school_id", "month", "archived_ms"),
    school_key(),
)

archived_captures = Table(
    "archived_captures",
    metadata,
    Column("school_id", String(32)),
    Column("month", Integer, autoincrement=False),
    Column("archived_ms", BigInteger, autoincrement=False),
    Column("part", SmallInteger, autoincrement=False),  # the first byte of the captures
    Column("captures", LargeBinary, nullable=False),  # in their order, 16 bytes each
    PrimaryKeyConstraint("school_id", "month", "archived_ms", "part"),
    school_key(),
)
