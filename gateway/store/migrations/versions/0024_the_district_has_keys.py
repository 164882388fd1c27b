"""Keys of programs that read the district's figures: of no one school.

Revision ID: 0024
Revises: 0023
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0024"
down_revision: str | None = "0023"
branch_labels: None = None
depends_on: None = None
rolling: bool = True


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "office_tokens",
        sa.Column("token_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("title", sa.String(64), nullable=False),
        sa.Column("scopes", sa.String(255), nullable=False),
        sa.Column("made_by", sa.BigInteger(), nullable=False),
        sa.Column("made_ms", sa.BigInteger(), nullable=False),
        sa.Column("until_ms", sa.BigInteger(), nullable=False),
        sa.Column("used_ms", sa.BigInteger()),
        sa.PrimaryKeyConstraint("token_id", name=op.f("pk_office_tokens")),
    )
    op.create_index("ux_office_tokens_digest", "office_tokens", ["digest"], unique=True)


def downgrade() -> None:
    """Bring it back to the one before."""
    op.drop_table("office_tokens")
