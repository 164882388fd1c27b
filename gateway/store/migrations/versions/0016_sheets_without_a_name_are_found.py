"""Sheets of a bare seat or of no class are found without looking at all of a school's, when its roster comes.

Revision ID: 0016
Revises: 0015
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0016"
down_revision: str | None = "0015"
branch_labels: None = None
depends_on: None = None
rolling: bool = True

_OF_NO_CLASS = "(class_name IS NULL AND pupil IS NOT NULL)"


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_index(
        "ix_page_records_nameless",
        "page_records",
        ["school_id"],
        sqlite_where=sa.text(f"{_OF_NO_CLASS} OR (pupil >= x'7365617400' AND pupil < x'7365617401')"),
        postgresql_where=sa.text(
            _OF_NO_CLASS + r" OR (pupil >= '\x7365617400'::bytea AND pupil < '\x7365617401'::bytea)"
        ),
    )


def downgrade() -> None:
    """Bring it back to the one before."""
    op.drop_index("ix_page_records_nameless", "page_records")
