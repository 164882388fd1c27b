"""A correction made at the school says whose word it is by account: two people may have one name.

Revision ID: 0023
Revises: 0022
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0023"
down_revision: str | None = "0022"
branch_labels: None = None
depends_on: None = None
rolling: bool = True


def upgrade() -> None:
    """Bring the schema to this revision."""
    with op.batch_alter_table("corrections") as table:
        table.add_column(sa.Column("person_id", sa.BigInteger()))


def downgrade() -> None:
    """Bring it back to the one before."""
    with op.batch_alter_table("corrections") as table:
        table.drop_column("person_id")
