"""People, what each may do where, their sessions, and what was done.

Revision ID: 0013
Revises: 0012
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision: str = "0013"
down_revision: str | None = "0012"
branch_labels: None = None
depends_on: None = None
rolling: bool = True

_AUDITS = ("audit", "office_audit")


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "people",
        sa.Column("person_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("login", sa.String(64), nullable=False),
        sa.Column("name_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("password", sa.String(256)),
        sa.Column("totp_sealed", sa.LargeBinary()),
        sa.Column("totp_step", sa.BigInteger()),
        sa.Column("language", sa.String(8)),
        sa.Column("made_ms", sa.BigInteger(), nullable=False),
        sa.Column("disabled_ms", sa.BigInteger()),
        sa.PrimaryKeyConstraint("person_id", name="pk_people"),
    )
    op.create_index("ux_people_login", "people", ["login"], unique=True)
    _of_people(
        "sessions",
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("person_id", sa.BigInteger(), nullable=False),
        sa.Column("made_ms", sa.BigInteger(), nullable=False),
        sa.Column("used_ms", sa.BigInteger(), nullable=False),
        sa.Column("strong", sa.Boolean(), nullable=False),
        sa.Column("device", sa.String(80), nullable=False),
        key=["digest"],
    )
    _of_people(
        "known_devices",
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("person_id", sa.BigInteger(), nullable=False),
        sa.Column("used_ms", sa.BigInteger(), nullable=False),
        key=["digest"],
    )
    _of_people(
        "links",
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("person_id", sa.BigInteger(), nullable=False),
        sa.Column("made_by", sa.BigInteger(), nullable=False),
        sa.Column("made_ms", sa.BigInteger(), nullable=False),
        sa.Column("until_ms", sa.BigInteger(), nullable=False),
        sa.Column("used_ms", sa.BigInteger()),
        key=["digest"],
    )
    _of_people(
        "recovery_codes",
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("person_id", sa.BigInteger(), nullable=False),
        sa.Column("used_ms", sa.BigInteger()),
        key=["digest"],
    )
    _of_people(
        "sign_ons",
        sa.Column("issuer", sa.String(255), nullable=False),
        sa.Column("subject", sa.String(255), nullable=False),
        sa.Column("person_id", sa.BigInteger(), nullable=False),
        sa.Column("made_ms", sa.BigInteger(), nullable=False),
        key=["issuer", "subject"],
    )
    op.create_table(
        "wrong_tries",
        sa.Column("key", sa.LargeBinary(32), nullable=False),
        sa.Column("full_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_wrong_tries"),
    )
    _of_people(
        "offices",
        sa.Column("grant_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("person_id", sa.BigInteger(), nullable=False),
        sa.Column("role", sa.String(8), nullable=False),
        sa.Column("from_ms", sa.BigInteger(), nullable=False),
        sa.Column("until_ms", sa.BigInteger()),
        sa.Column("granted_by", sa.BigInteger(), nullable=False),
        key=["grant_id"],
    )
    op.create_table(
        "grants",
        sa.Column("school_id", sa.String(32), nullable=False),
        sa.Column("grant_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("person_id", sa.BigInteger(), nullable=False),
        sa.Column("role", sa.String(8), nullable=False),
        sa.Column("class_name", sa.String(64)),
        sa.Column("subject", sa.String(40)),
        sa.Column("pupil", sa.LargeBinary(16)),
        sa.Column("from_ms", sa.BigInteger(), nullable=False),
        sa.Column("until_ms", sa.BigInteger()),
        sa.Column("granted_by", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("school_id", "grant_id", name="pk_grants"),
        sa.ForeignKeyConstraint(["school_id"], ["schools.school_id"], name="fk_grants_schools"),
    )
    op.create_index("ix_grants_person_id", "grants", ["person_id"])
    op.create_table(
        "audit",
        sa.Column("school_id", sa.String(32), nullable=False),
        *_audit_columns(),
        sa.PrimaryKeyConstraint("school_id", "at_ms", "audit_id", name="pk_audit"),
        sa.ForeignKeyConstraint(["school_id"], ["schools.school_id"], name="fk_audit_schools"),
    )
    op.create_table(
        "office_audit", *_audit_columns(), sa.PrimaryKeyConstraint("at_ms", "audit_id", name="pk_office_audit")
    )
    _keep_what_was_written()


def downgrade() -> None:
    """Bring it back to the one before."""
    for table in (
        *_AUDITS,
        "grants",
        "offices",
        "wrong_tries",
        "sign_ons",
        "recovery_codes",
        "links",
        "known_devices",
        "sessions",
    ):
        op.drop_table(table)  # with its triggers
    op.drop_table("people")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION audit_stays()")


def _of_people(name: str, *columns: sa.Column[Any], key: list[str]) -> None:
    op.create_table(
        name,
        *columns,
        sa.PrimaryKeyConstraint(*key, name=f"pk_{name}"),
        sa.ForeignKeyConstraint(["person_id"], ["people.person_id"], name=f"fk_{name}_people"),
    )
    op.create_index(f"ix_{name}_person_id", name, ["person_id"])


def _audit_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("audit_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("person_id", sa.BigInteger(), nullable=False),
        sa.Column("deed", sa.String(16), nullable=False),
        sa.Column("thing", sa.String(255), nullable=False),
        sa.Column("detail", sa.String(80), nullable=False),
    ]


def _keep_what_was_written() -> None:
    """Let no statement change or delete a line, not even one of ours that has a mistake."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION audit_stays() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'the audit is only added to'; END $$"
        )
        for table in _AUDITS:
            op.execute(
                f"CREATE TRIGGER {table}_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
                " FOR EACH STATEMENT EXECUTE FUNCTION audit_stays()"
            )
        return
    for table in _AUDITS:
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table}"
                " BEGIN SELECT RAISE(ABORT, 'the audit is only added to'); END"
            )
