"""A PostgreSQL that was put back is known by its place.

Revision ID: 0007
Revises: 0006
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0007"
down_revision: str | None = "0006"
branch_labels: None = None
depends_on: None = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.add_column("gateway_identity", sa.Column("place", sa.String(), nullable=False, server_default=""))


def downgrade() -> None:
    """Bring it back to the one before."""
    op.drop_column("gateway_identity", "place")
