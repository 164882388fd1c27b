"""Sheets lie in months: on PostgreSQL in a table for each. Every row is written anew, so stop all gateways first.

Revision ID: 0014
Revises: 0013
"""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision: str = "0014"
down_revision: str | None = "0013"
branch_labels: None = None
depends_on: None = None

# fmt: off
_COLUMNS = [
    "school_id", "box_id", "epoch", "seq", "digest", "capture", "revision", "duplicate_of", "assignment", "class_name",
    "pupil", "seat", "sheet", "page", "attempt", "score_hundredths", "max_score_hundredths", "pending", "items",
    "problems", "clock", "received_ms", "state", "settled", "sent",
]
# fmt: on
_ARRIVALS = """
SELECT school_id, assignment, min(received_ms) FROM page_records WHERE assignment IS NOT NULL
GROUP BY school_id, assignment
"""
_CAPTURES = """
INSERT INTO capture_months
SELECT school_id, capture, month FROM page_records WHERE revision > 1 OR duplicate_of IS NOT NULL
UNION
SELECT school_id, duplicate_of, month FROM page_records WHERE duplicate_of IS NOT NULL
"""
_CURRENT = ("pupil", "assignment", "page", "attempt", "month")
_BEFORE = ("assignment", "pupil", "page", "attempt")
_AT_ONCE = 10_000


def upgrade() -> None:
    """Bring the schema to this revision."""
    months = op.create_table(
        "assignment_months",
        sa.Column("school_id", sa.String(32), nullable=False),
        sa.Column("assignment", sa.String(64), nullable=False),
        sa.Column("month", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["school_id"], ["schools.school_id"], name="fk_assignment_months_schools"),
        sa.PrimaryKeyConstraint("school_id", "assignment", name="pk_assignment_months"),
    )
    op.create_table(
        "capture_months",
        sa.Column("school_id", sa.String(32), nullable=False),
        sa.Column("capture", sa.LargeBinary(16), nullable=False),
        sa.Column("month", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["school_id"], ["schools.school_id"], name="fk_capture_months_schools"),
        sa.PrimaryKeyConstraint("school_id", "capture", "month", name="pk_capture_months"),
    )
    found = [
        {"school_id": school_id, "assignment": assignment, "month": _month_at(came_ms)}
        for school_id, assignment, came_ms in op.get_bind().execute(sa.text(_ARRIVALS))
    ]
    for start in range(0, len(found), _AT_ONCE):
        op.bulk_insert(months, found[start : start + _AT_ONCE])
    _put_aside()
    _make_pages(sa.Column("month", sa.Integer(), nullable=False))
    if op.get_context().dialect.name == "postgresql":
        for month in sorted({0, *(row["month"] for row in found)}):
            op.execute(f"CREATE TABLE page_records_{month} PARTITION OF page_records FOR VALUES IN ({month})")
    before, after = (sa.table(name, *map(sa.column, ["month", *_COLUMNS])) for name in ("before", "page_records"))
    same = (months.c.school_id == before.c.school_id) & (months.c.assignment == before.c.assignment)
    rows = sa.select(sa.func.coalesce(months.c.month, 0), *(before.c[name] for name in _COLUMNS))
    op.execute(after.insert().from_select(["month", *_COLUMNS], rows.select_from(before.outerjoin(months, same))))
    op.drop_table("before")
    _index(_CURRENT)
    op.execute(_CAPTURES)


def downgrade() -> None:
    """Bring it back to the one before."""
    _put_aside()
    _make_pages()
    before, after = (sa.table(name, *map(sa.column, _COLUMNS)) for name in ("before", "page_records"))
    op.execute(after.insert().from_select(_COLUMNS, sa.select(*before.c)))
    op.drop_table("before")
    _index(_BEFORE)
    op.drop_table("capture_months")
    op.drop_table("assignment_months")


def _put_aside() -> None:
    """Under another name, without the names that the new one needs."""
    for name in ("school_id_capture", "school_id_assignment_class_name", "duplicate_of"):
        op.drop_index(f"ix_page_records_{name}", "page_records")
    op.drop_index("ux_page_records_current", "page_records")
    op.rename_table("page_records", "before")
    if op.get_context().dialect.name == "postgresql":
        op.execute("ALTER TABLE before RENAME CONSTRAINT pk_page_records TO pk_before")


def _make_pages(*month: sa.Column[int]) -> None:
    binary, number, small = sa.LargeBinary, sa.BigInteger, sa.SmallInteger
    op.create_table(
        "page_records",
        sa.Column("school_id", sa.String(32), nullable=False),
        *month,
        sa.Column("box_id", sa.String(32), nullable=False),
        sa.Column("epoch", binary(8), nullable=False),
        sa.Column("seq", number(), nullable=False),
        sa.Column("digest", binary(16), nullable=False),
        sa.Column("capture", binary(16), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("duplicate_of", binary(16)),
        sa.Column("assignment", sa.String(64)),
        sa.Column("class_name", sa.String(64)),
        sa.Column("pupil", binary(96)),
        sa.Column("seat", sa.Integer()),
        sa.Column("sheet", sa.String(64), nullable=False),
        sa.Column("page", small(), nullable=False),
        sa.Column("attempt", small(), nullable=False),
        sa.Column("score_hundredths", number()),
        sa.Column("max_score_hundredths", number()),
        sa.Column("pending", sa.Integer(), nullable=False),
        sa.Column("items", binary(), nullable=False),
        sa.Column("problems", sa.String(), nullable=False),
        sa.Column("clock", binary(), nullable=False),
        sa.Column("received_ms", number(), nullable=False),
        sa.Column("state", small(), nullable=False),
        sa.Column("settled", binary()),
        sa.Column("sent", binary()),
        sa.ForeignKeyConstraint(
            ["school_id", "box_id"], ["boxes.school_id", "boxes.box_id"], name="fk_page_records_boxes"
        ),
        sa.PrimaryKeyConstraint(
            "school_id", *(c.name for c in month), "box_id", "epoch", "seq", name="pk_page_records"
        ),
        postgresql_partition_by="LIST (month)" if month else None,
    )


def _index(current: tuple[str, ...]) -> None:
    op.create_index("ix_page_records_school_id_capture", "page_records", ["school_id", "capture"])
    op.create_index(
        "ix_page_records_school_id_assignment_class_name", "page_records", ["school_id", "assignment", "class_name"]
    )
    twins, counts = sa.text("duplicate_of IS NOT NULL"), sa.text("state = 0")
    op.create_index(
        "ix_page_records_duplicate_of",
        "page_records",
        ["school_id", "duplicate_of"],
        sqlite_where=twins,
        postgresql_where=twins,
    )
    op.create_index(
        "ux_page_records_current",
        "page_records",
        ["school_id", *current],
        unique=True,
        sqlite_where=counts,
        postgresql_where=counts,
    )


def _month_at(unix_ms: int) -> int:
    at = datetime.fromtimestamp(unix_ms / 1000, UTC)
    return 100 * at.year + at.month
