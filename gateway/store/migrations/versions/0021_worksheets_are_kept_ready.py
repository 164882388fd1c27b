"""What worksheets say is kept beside their text, ready to be read (`gateway.store.parsed`).

Revision ID: 0021
Revises: 0020
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0021"
down_revision: str | None = "0020"
branch_labels: None = None
depends_on: None = None
rolling: bool = True


def upgrade() -> None:
    """Bring the schema to this revision. It rewrites nothing: gateways of the version before may run on."""
    op.add_column("documents", sa.Column("parsed", sa.LargeBinary()))
    op.add_column("documents", sa.Column("parsed_format", sa.SmallInteger(), nullable=False, server_default="0"))
    op.create_index(
        "ix_documents_unread",
        "documents",
        ["school_id", "parsed_format"],
        sqlite_where=sa.text("kind = 'assignment'"),
        postgresql_where=sa.text("kind = 'assignment'"),
    )


def downgrade() -> None:
    """Bring it back to the one before."""
    op.drop_index("ix_documents_unread", "documents")
    with op.batch_alter_table("documents") as table:
        table.drop_column("parsed_format")
        table.drop_column("parsed")
