"""Boxes tell what they have of each class, so that what is under way can be named.

Revision ID: 0004
Revises: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: None = None
depends_on: None = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "tallies",
        sa.Column("school_id", sa.String(32), nullable=False),
        sa.Column("assignment", sa.String(64), nullable=False),
        sa.Column("class_name", sa.String(64), nullable=False),
        sa.Column("box_id", sa.String(32), nullable=False),
        sa.Column("epoch", sa.LargeBinary(8), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("received_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("school_id", "assignment", "class_name", "box_id", name="pk_tallies"),
        sa.ForeignKeyConstraint(["school_id", "box_id"], ["boxes.school_id", "boxes.box_id"], name="fk_tallies_boxes"),
    )


def downgrade() -> None:
    """Bring it back to the one before."""
    op.drop_table("tallies")
