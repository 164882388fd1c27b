"""The results of a test are shown to families once its teacher has released them, class by class.

Revision ID: 0019
Revises: 0018
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0019"
down_revision: str | None = "0018"
branch_labels: None = None
depends_on: None = None
rolling: bool = True


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "releases",
        sa.Column("school_id", sa.String(32), nullable=False),
        sa.Column("assignment", sa.String(64), nullable=False),
        sa.Column("class_name", sa.String(64), nullable=False),
        sa.Column("person_id", sa.BigInteger(), nullable=False),
        sa.Column("released_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("school_id", "assignment", "class_name", name=op.f("pk_releases")),
        sa.ForeignKeyConstraint(["school_id"], ["schools.school_id"], name=op.f("fk_releases_schools")),
    )


def downgrade() -> None:
    """Bring it back to the one before."""
    op.drop_table("releases")
