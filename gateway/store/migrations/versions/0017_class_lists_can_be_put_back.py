"""Class lists as they were before each change are kept, so that one can be put back.

Revision ID: 0017
Revises: 0016
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0017"
down_revision: str | None = "0016"
branch_labels: None = None
depends_on: None = None
rolling: bool = True


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "past_lists",
        sa.Column("school_id", sa.String(32), nullable=False),
        sa.Column("list_no", sa.Integer(), nullable=False),
        sa.Column("changed_ms", sa.BigInteger(), nullable=False),
        sa.Column("person_id", sa.BigInteger(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("school_id", "list_no", name=op.f("pk_past_lists")),
        sa.ForeignKeyConstraint(["school_id"], ["schools.school_id"], name=op.f("fk_past_lists_schools")),
    )


def downgrade() -> None:
    """Bring it back to the one before."""
    op.drop_table("past_lists")
