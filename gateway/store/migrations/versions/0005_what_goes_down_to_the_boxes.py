"""What goes down to a school's boxes stands in one log, and how far each box has come in it beside the box.

Revision ID: 0005
Revises: 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: None = None
depends_on: None = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "down_heads",
        sa.Column("school_id", sa.String(32), nullable=False),
        sa.Column("place", sa.BigInteger(), nullable=False),
        sa.Column("chain", sa.LargeBinary(16), nullable=False),
        sa.PrimaryKeyConstraint("school_id", name="pk_down_heads"),
        sa.ForeignKeyConstraint(["school_id"], ["schools.school_id"], name="fk_down_heads_schools"),
    )
    op.create_table(
        "down_log",
        sa.Column("school_id", sa.String(32), nullable=False),
        sa.Column("place", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("content", sa.LargeBinary(16), nullable=False),
        sa.Column("digest", sa.LargeBinary(16), nullable=False),
        sa.Column("chain", sa.LargeBinary(16), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("packed", sa.LargeBinary()),
        sa.Column("origin", sa.String(32)),
        sa.Column("added_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("school_id", "place", name="pk_down_log"),
        sa.ForeignKeyConstraint(["school_id"], ["schools.school_id"], name="fk_down_log_schools"),
    )
    op.create_index("ix_down_log_school_id_kind_key_place", "down_log", ["school_id", "kind", "key", "place"])
    op.add_column("boxes", sa.Column("down_place", sa.BigInteger()))
    op.add_column("boxes", sa.Column("down_waiting", sa.Integer()))
    op.add_column("boxes", sa.Column("down_refused", sa.Integer()))


def downgrade() -> None:
    """Bring it back to the one before."""
    op.drop_column("boxes", "down_refused")
    op.drop_column("boxes", "down_waiting")
    op.drop_column("boxes", "down_place")
    op.drop_table("down_log")
    op.drop_table("down_heads")
