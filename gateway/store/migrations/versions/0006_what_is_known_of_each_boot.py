"""What is known of each boot of a box, so that records of a clock that was not set can be placed in time.

Revision ID: 0006
Revises: 0005
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0006"
down_revision: str | None = "0005"
branch_labels: None = None
depends_on: None = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "boots",
        sa.Column("school_id", sa.String(32), nullable=False),
        sa.Column("box_id", sa.String(32), nullable=False),
        sa.Column("boot", sa.LargeBinary(16), nullable=False),
        sa.Column("heard_ms", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("school_id", "box_id", "boot", name="pk_boots"),
        sa.ForeignKeyConstraint(["school_id", "box_id"], ["boxes.school_id", "boxes.box_id"], name="fk_boots_boxes"),
    )


def downgrade() -> None:
    """Bring it back to the one before."""
    op.drop_table("boots")
