"""What a class answered on a page is one row, with the counts of all its fields, and not one for each field.

Revision ID: 0012
Revises: 0011
"""

from __future__ import annotations

import struct
from itertools import groupby

import sqlalchemy as sa
from alembic import op

revision: str = "0012"
down_revision: str | None = "0011"
branch_labels: None = None
depends_on: None = None

_PLACE = ("school_id", "assignment", "class_name", "attempt", "sheet", "page")
_FIELDS = """
SELECT * FROM field_rollups WHERE school_id = :s
ORDER BY assignment, class_name, attempt, sheet, page, position
"""
_COUNTED = ("correct", "wrong", "blank", "review", "read")


def _place() -> list[sa.Column[object]]:
    return [
        sa.Column("school_id", sa.String(32), nullable=False),
        sa.Column("assignment", sa.String(64), nullable=False),
        sa.Column("class_name", sa.String(64), nullable=False),
        sa.Column("attempt", sa.SmallInteger(), nullable=False),
        sa.Column("sheet", sa.String(64), nullable=False),
        sa.Column("page", sa.SmallInteger(), nullable=False),
    ]


def upgrade() -> None:
    """Bring the schema to this revision."""
    made = op.create_table(
        "page_rollups",
        *_place(),
        sa.Column("counts", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["school_id"], ["schools.school_id"], name="fk_page_rollups_schools"),
        sa.PrimaryKeyConstraint(*_PLACE, name="pk_page_rollups"),
    )
    for school in _schools():
        rows = op.get_bind().execute(sa.text(_FIELDS), {"s": school})
        new = []
        for place, fields in groupby(rows, key=lambda row: tuple(getattr(row, name) for name in _PLACE)):
            at = {row.position: [max(getattr(row, name), 0) for name in _COUNTED] for row in fields}
            counts = [n for position in range(1, max(at) + 1) for n in at.get(position, (0,) * len(_COUNTED))]
            new.append(dict(zip(_PLACE, place, strict=True)) | {"counts": struct.pack(f"<{len(counts)}I", *counts)})
        op.bulk_insert(made, new)
    op.drop_table("field_rollups")


def downgrade() -> None:
    """Bring it back to the one before."""
    made = op.create_table(
        "field_rollups",
        *_place(),
        sa.Column("position", sa.SmallInteger(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in _COUNTED),
        sa.ForeignKeyConstraint(["school_id"], ["schools.school_id"], name="fk_field_rollups_schools"),
        sa.PrimaryKeyConstraint(*_PLACE, "position", name="pk_field_rollups"),
    )
    for school in _schools():
        rows = op.get_bind().execute(sa.text("SELECT * FROM page_rollups WHERE school_id = :s"), {"s": school})
        new = [
            {name: getattr(row, name) for name in _PLACE}
            | {"position": position}
            | dict(zip(_COUNTED, five, strict=True))
            for row in rows
            for position, five in enumerate(struct.iter_unpack("<5I", row.counts), 1)
        ]
        op.bulk_insert(made, new)
    op.drop_table("page_rollups")


def _schools() -> list[str]:
    return list(op.get_bind().execute(sa.text("SELECT school_id FROM schools ORDER BY school_id")).scalars())
