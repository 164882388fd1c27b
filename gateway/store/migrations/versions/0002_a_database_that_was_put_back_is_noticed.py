"""A database that was put back is noticed.

Revision ID: 0002
Revises: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: None = None
depends_on: None = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.add_column("gateway_identity", sa.Column("generation", sa.BigInteger(), nullable=False, server_default="0"))


def downgrade() -> None:
    """Bring it back to the one before."""
    op.drop_column("gateway_identity", "generation")
