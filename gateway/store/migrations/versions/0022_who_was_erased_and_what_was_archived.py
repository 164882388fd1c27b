"""Who was erased, and which months were archived. Lines of the audit may go once they are old.

Revision ID: 0022
Revises: 0021
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0022"
down_revision: str | None = "0021"
branch_labels: None = None
depends_on: None = None

_AUDITS = ("audit", "office_audit")
_LEAST_DAYS = 180
_NOW_SQLITE = "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"
_NOW_POSTGRESQL = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "erased_pupils",
        sa.Column("school_id", sa.String(32), nullable=False),
        sa.Column("pseudonym", sa.LargeBinary(16), nullable=False),
        sa.Column("erased_ms", sa.BigInteger(), nullable=False),
        sa.Column("place", sa.LargeBinary(16)),
        sa.PrimaryKeyConstraint("school_id", "pseudonym", name="pk_erased_pupils"),
        sa.ForeignKeyConstraint(["school_id"], ["schools.school_id"], name="fk_erased_pupils_schools"),
    )
    op.create_table(
        "archived_months",
        sa.Column("school_id", sa.String(32), nullable=False),
        sa.Column("month", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("file", sa.String(1024), nullable=False),
        sa.Column("archived_ms", sa.BigInteger(), nullable=False),
        sa.Column("removed_ms", sa.BigInteger()),
        sa.PrimaryKeyConstraint("school_id", "month", "archived_ms", name="pk_archived_months"),
        sa.ForeignKeyConstraint(["school_id"], ["schools.school_id"], name="fk_archived_months_schools"),
    )
    op.create_table(
        "archived_captures",
        sa.Column("school_id", sa.String(32), nullable=False),
        sa.Column("month", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("archived_ms", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("part", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("captures", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("school_id", "month", "archived_ms", "part", name="pk_archived_captures"),
        sa.ForeignKeyConstraint(["school_id"], ["schools.school_id"], name="fk_archived_captures_schools"),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION young_audit_stays() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            f" IF old.at_ms > {_NOW_POSTGRESQL} - {_LEAST_DAYS}::bigint * 86400000 THEN"
            " RAISE EXCEPTION 'the audit is only added to'; END IF; RETURN old; END $$"
        )
        for table in _AUDITS:
            op.execute(f"DROP TRIGGER {table}_stays ON {table}")
            op.execute(
                f"CREATE TRIGGER {table}_stays BEFORE UPDATE OR TRUNCATE ON {table}"
                " FOR EACH STATEMENT EXECUTE FUNCTION audit_stays()"
            )
            op.execute(
                f"CREATE TRIGGER {table}_young_stays BEFORE DELETE ON {table}"
                " FOR EACH ROW EXECUTE FUNCTION young_audit_stays()"
            )
        return
    for table in _AUDITS:
        op.execute(f"DROP TRIGGER {table}_no_delete")
        op.execute(
            f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table}"
            f" WHEN old.at_ms > {_NOW_SQLITE} - {_LEAST_DAYS} * 86400000"
            " BEGIN SELECT RAISE(ABORT, 'the audit is only added to'); END"
        )


def downgrade() -> None:
    """Bring it back to the one before."""
    if op.get_bind().dialect.name == "postgresql":
        for table in _AUDITS:
            op.execute(f"DROP TRIGGER {table}_young_stays ON {table}")
            op.execute(f"DROP TRIGGER {table}_stays ON {table}")
            op.execute(
                f"CREATE TRIGGER {table}_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
                " FOR EACH STATEMENT EXECUTE FUNCTION audit_stays()"
            )
        op.execute("DROP FUNCTION young_audit_stays()")
    else:
        for table in _AUDITS:
            op.execute(f"DROP TRIGGER {table}_no_delete")
            op.execute(
                f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table}"
                " BEGIN SELECT RAISE(ABORT, 'the audit is only added to'); END"
            )
    for table in ("archived_captures", "archived_months", "erased_pupils"):
        op.drop_table(table)
