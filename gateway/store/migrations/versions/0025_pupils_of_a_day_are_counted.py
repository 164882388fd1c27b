"""A school's day says of how many pupils it is: sheets say nothing of whether a group is small.

Revision ID: 0025
Revises: 0024
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0025"
down_revision: str | None = "0024"
branch_labels: None = None
depends_on: None = None
rolling: bool = False  # an older gateway knows one lease for all summaries, and would write beside ours


def upgrade() -> None:
    """Bring the schema to this revision. The days that are there are counted by the worker of the summaries."""
    op.add_column("school_days", sa.Column("pupils", sa.Integer(), nullable=False, server_default="0"))


def downgrade() -> None:
    """Bring it back to the one before."""
    with op.batch_alter_table("school_days") as table:
        table.drop_column("pupils")
