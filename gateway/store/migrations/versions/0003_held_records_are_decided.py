"""Held records are decided, and what the columns cannot hold is kept as it came.

Revision ID: 0003
Revises: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: None = None
depends_on: None = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.add_column("held_records", sa.Column("looked_under", sa.String(64), nullable=False, server_default=""))
    op.add_column("held_records", sa.Column("decision", sa.String(8)))
    op.add_column("held_records", sa.Column("decided_ms", sa.BigInteger()))
    op.create_table(
        "raw_records",
        sa.Column("school_id", sa.String(32), nullable=False),
        sa.Column("box_id", sa.String(32), nullable=False),
        sa.Column("epoch", sa.LargeBinary(8), nullable=False),
        sa.Column("lane", sa.SmallInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("school_id", "box_id", "epoch", "lane", "seq", name="pk_raw_records"),
        sa.ForeignKeyConstraint(
            ["school_id", "box_id"], ["boxes.school_id", "boxes.box_id"], name="fk_raw_records_boxes"
        ),
    )


def downgrade() -> None:
    """Bring it back to the one before."""
    op.drop_table("raw_records")
    for name in ("decided_ms", "decision", "looked_under"):
        op.drop_column("held_records", name)
