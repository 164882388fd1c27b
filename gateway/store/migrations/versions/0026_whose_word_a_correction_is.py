"""A correction made at the school says whose word it is by account: two people may have one name.

Revision ID: 0026
Revises: 0021
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0026"
down_revision: str | None = "0021"
branch_labels: None = None
depends_on: None = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    with op.batch_alter_table("corrections") as table:
        table.add_column(sa.Column("person_id", sa.BigInteger()))


def downgrade() -> None:
    """Bring it back to the one before."""
    with op.batch_alter_table("corrections") as table:
        table.drop_column("person_id")
