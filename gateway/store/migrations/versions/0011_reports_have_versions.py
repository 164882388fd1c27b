"""What a report was made of can be told from what is there now; reports are listed by when their latest page came.

Revision ID: 0011
Revises: 0010
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0011"
down_revision: str | None = "0010"
branch_labels: None = None
depends_on: None = None

_ARRIVALS = """
UPDATE class_rollups SET ({columns}) = (
    SELECT {values} FROM page_records p
    WHERE p.school_id = class_rollups.school_id AND p.assignment = class_rollups.assignment
    AND coalesce(p.class_name, '') = class_rollups.class_name AND p.attempt = class_rollups.attempt)
"""


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.add_column("schools", sa.Column("title", sa.String(128), nullable=False, server_default=""))
    for what in ("roster", "settings", "documents"):
        op.add_column("schools", sa.Column(f"{what}_version", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("class_rollups", sa.Column("version", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("class_rollups", sa.Column("first_ms", sa.BigInteger()))
    op.add_column("class_rollups", sa.Column("last_ms", sa.BigInteger()))
    op.execute(_ARRIVALS.format(columns="first_ms, last_ms", values="min(p.received_ms), max(p.received_ms)"))
    op.create_index(op.f("ix_class_rollups_school_id_last_ms"), "class_rollups", ["school_id", "last_ms"])


def downgrade() -> None:
    """Bring it back to the one before."""
    op.drop_index(op.f("ix_class_rollups_school_id_last_ms"), "class_rollups")
    for name in ("last_ms", "first_ms", "version"):
        op.drop_column("class_rollups", name)
    for name in ("documents_version", "settings_version", "roster_version", "title"):
        op.drop_column("schools", name)
