"""Corrections travel both ways, and stand over pages whose box does not know of them yet.

Revision ID: 0009
Revises: 0008
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0009"
down_revision: str | None = "0008"
branch_labels: None = None
depends_on: None = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.add_column("page_records", sa.Column("settled", sa.LargeBinary()))
    op.add_column("page_records", sa.Column("sent", sa.LargeBinary()))
    op.create_table(
        "corrections",
        sa.Column("school_id", sa.String(32), nullable=False),
        sa.Column("capture", sa.LargeBinary(16), nullable=False),
        sa.Column("correction_id", sa.LargeBinary(16), nullable=False),
        sa.Column("order_no", sa.BigInteger(), nullable=False),
        sa.Column("origin", sa.String(32), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("received_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("school_id", "capture", "correction_id", name="pk_corrections"),
        sa.ForeignKeyConstraint(["school_id"], ["schools.school_id"], name="fk_corrections_schools"),
    )
    op.create_index("ux_corrections_order", "corrections", ["school_id", "order_no"], unique=True)


def downgrade() -> None:
    """Bring it back to the one before."""
    op.drop_index("ux_corrections_order", "corrections")
    op.drop_table("corrections")
    for name in ("sent", "settled"):
        op.drop_column("page_records", name)
