"""Keys of programs, and the addresses of programs that are told when a class has finished, with what they are told.

Revision ID: 0018
Revises: 0017
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0018"
down_revision: str | None = "0017"
branch_labels: None = None
depends_on: None = None
rolling: bool = True


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "tokens",
        sa.Column("school_id", sa.String(32), nullable=False),
        sa.Column("token_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("title", sa.String(64), nullable=False),
        sa.Column("scopes", sa.String(255), nullable=False),
        sa.Column("made_by", sa.BigInteger(), nullable=False),
        sa.Column("made_ms", sa.BigInteger(), nullable=False),
        sa.Column("until_ms", sa.BigInteger(), nullable=False),
        sa.Column("used_ms", sa.BigInteger()),
        sa.PrimaryKeyConstraint("school_id", "token_id", name="pk_tokens"),
        sa.ForeignKeyConstraint(["school_id"], ["schools.school_id"], name="fk_tokens_schools"),
    )
    op.create_index("ux_tokens_digest", "tokens", ["school_id", "digest"], unique=True)
    op.create_table(
        "hooks",
        sa.Column("school_id", sa.String(32), nullable=False),
        sa.Column("hook_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("url", sa.String(500), nullable=False),
        sa.Column("secret_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("made_by", sa.BigInteger(), nullable=False),
        sa.Column("made_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("school_id", "hook_id", name="pk_hooks"),
        sa.ForeignKeyConstraint(["school_id"], ["schools.school_id"], name="fk_hooks_schools"),
    )
    op.create_table(
        "hook_calls",
        sa.Column("school_id", sa.String(32), nullable=False),
        sa.Column("call_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hook_id", sa.BigInteger(), nullable=False),
        sa.Column("class_name", sa.String(64), nullable=False),
        sa.Column("assignment", sa.String(64), nullable=False),
        sa.Column("finished_ms", sa.BigInteger(), nullable=False),
        sa.Column("due_ms", sa.BigInteger()),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(80), nullable=False),
        sa.Column("tried_ms", sa.BigInteger()),
        sa.PrimaryKeyConstraint("school_id", "call_id", name="pk_hook_calls"),
        sa.ForeignKeyConstraint(
            ["school_id", "hook_id"], ["hooks.school_id", "hooks.hook_id"], name="fk_hook_calls_hooks"
        ),
    )
    op.create_index("ix_hook_calls_due_ms", "hook_calls", ["due_ms"])


def downgrade() -> None:
    """Bring it back to the one before."""
    for table in ("hook_calls", "hooks", "tokens"):
        op.drop_table(table)
