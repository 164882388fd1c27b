"""People: whoever may come in is known to all schools; what they may is said school by school."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    String,
    Table,
)

from gateway.store.tables.head import metadata, school_key

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
    school_key(),
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
    school_key(),
)

office_audit = Table("office_audit", metadata, *_audit_columns(), PrimaryKeyConstraint("at_ms", "audit_id"))
"""What is of no one school: signing in, people, the district's pages."""
