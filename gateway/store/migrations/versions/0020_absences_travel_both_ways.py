"""What people say of pupils' absence, on boxes and at the school, has a place of its own.

Revision ID: 0020
Revises: 0019
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0020"
down_revision: str | None = "0019"
branch_labels: None = None
depends_on: None = None
rolling: bool = True


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "absences",
        sa.Column("school_id", sa.String(32), nullable=False),
        sa.Column("assignment", sa.String(64), nullable=False),
        sa.Column("pupil", sa.LargeBinary(16), nullable=False),
        sa.Column("absence_id", sa.LargeBinary(16), nullable=False),
        sa.Column("order_no", sa.BigInteger(), nullable=False),
        sa.Column("origin", sa.String(32), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("received_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["school_id"], ["schools.school_id"], name="fk_absences_schools"),
        sa.PrimaryKeyConstraint("school_id", "assignment", "pupil", "absence_id", name="pk_absences"),
    )
    op.create_index("ux_absences_id", "absences", ["school_id", "absence_id"], unique=True)
    op.create_index("ux_absences_order", "absences", ["school_id", "order_no"], unique=True)
    op.create_index("ix_absences_school_id_pupil", "absences", ["school_id", "pupil"])


def downgrade() -> None:
    """Bring it back to the one before."""
    op.drop_table("absences")
