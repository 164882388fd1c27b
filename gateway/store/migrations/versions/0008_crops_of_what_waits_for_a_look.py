"""Pictures of fields that wait for a person's look come from the boxes, sealed.

Revision ID: 0008
Revises: 0007
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0008"
down_revision: str | None = "0007"
branch_labels: None = None
depends_on: None = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "crops",
        sa.Column("school_id", sa.String(32), nullable=False),
        sa.Column("capture", sa.LargeBinary(16), nullable=False),
        sa.Column("item", sa.String(64), nullable=False),
        sa.Column("blank", sa.SmallInteger(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("received_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("school_id", "capture", "item", "blank", name="pk_crops"),
        sa.ForeignKeyConstraint(["school_id"], ["schools.school_id"], name="fk_crops_schools"),
    )


def downgrade() -> None:
    """Bring it back to the one before."""
    op.drop_table("crops")
