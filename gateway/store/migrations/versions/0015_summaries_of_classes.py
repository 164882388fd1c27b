"""What a class's report comes to is kept, and the sums over it that schools and districts are shown.

Revision ID: 0015
Revises: 0014
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0015"
down_revision: str | None = "0014"
branch_labels: None = None
depends_on: None = None
rolling: bool = True

_OPEN = sa.text("finished_ms IS NULL AND due_ms IS NOT NULL")
_TABLES = (
    "class_summaries",
    "class_terms",
    "class_knowledge",
    "class_days",
    "school_days",
    "school_freshness",
    "comments",
)


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "class_summaries",
        sa.Column("school_id", sa.String(32), nullable=False),
        sa.Column("assignment", sa.String(64), nullable=False),
        sa.Column("class_name", sa.String(64), nullable=False),
        sa.Column("rows_version", sa.BigInteger(), nullable=False),
        sa.Column("roster_version", sa.BigInteger(), nullable=False),
        sa.Column("settings_version", sa.BigInteger(), nullable=False),
        sa.Column("made_of", sa.LargeBinary(16), nullable=False),
        sa.Column("sheets", sa.String(), nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("subject", sa.String(40), nullable=False),
        sa.Column("grade", sa.SmallInteger()),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("due_ms", sa.BigInteger()),
        sa.Column("limit_ms", sa.BigInteger()),
        sa.Column("minutes", sa.Integer(), nullable=False),
        sa.Column("minutes_estimated", sa.Boolean(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("expected", sa.Integer(), nullable=False),
        sa.Column("handed_in", sa.Integer(), nullable=False),
        sa.Column("late", sa.Integer(), nullable=False),
        sa.Column("time_unknown", sa.Integer(), nullable=False),
        sa.Column("excused", sa.Integer(), nullable=False),
        sa.Column("settled", sa.Integer(), nullable=False),
        sa.Column("rate_sum_ppm", sa.Integer(), nullable=False),
        sa.Column("excellent_n", sa.Integer(), nullable=False),
        sa.Column("passing_n", sa.Integer(), nullable=False),
        sa.Column("low_n", sa.Integer(), nullable=False),
        sa.Column("items_n", sa.Integer(), nullable=False),
        sa.Column("reteach_n", sa.Integer(), nullable=False),
        sa.Column("pending", sa.Integer(), nullable=False),
        sa.Column("under_way", sa.Integer(), nullable=False),
        sa.Column("again_owes", sa.Integer()),
        sa.Column("again_done", sa.Integer()),
        sa.Column("again_ms_sum", sa.BigInteger()),
        sa.Column("behind", sa.String(), nullable=False),
        sa.Column("told_ms", sa.BigInteger()),
        sa.Column("first_ms", sa.BigInteger()),
        sa.Column("last_ms", sa.BigInteger()),
        sa.Column("finished_ms", sa.BigInteger()),
        sa.Column("knowledge", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("school_id", "assignment", "class_name", name=op.f("pk_class_summaries")),
        sa.ForeignKeyConstraint(["school_id"], ["schools.school_id"], name=op.f("fk_class_summaries_schools")),
    )
    op.create_index(
        op.f("ix_class_summaries_open"),
        "class_summaries",
        ["school_id", "due_ms"],
        sqlite_where=_OPEN,
        postgresql_where=_OPEN,
    )
    op.create_index(
        op.f("ix_class_summaries_school_id_class_name_day"), "class_summaries", ["school_id", "class_name", "day"]
    )
    op.create_index(op.f("ix_class_summaries_school_id_day"), "class_summaries", ["school_id", "day"])
    op.create_table(
        "class_terms",
        sa.Column("school_id", sa.String(32), nullable=False),
        sa.Column("class_name", sa.String(64), nullable=False),
        sa.Column("subject", sa.String(40), nullable=False),
        sa.Column("term", sa.String(16), nullable=False),
        sa.Column("grade", sa.SmallInteger()),
        sa.Column("assignments", sa.Integer(), nullable=False),
        sa.Column("handed_in", sa.Integer(), nullable=False),
        sa.Column("expected", sa.Integer(), nullable=False),
        sa.Column("late", sa.Integer(), nullable=False),
        sa.Column("pupils", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("school_id", "class_name", "subject", "term", name=op.f("pk_class_terms")),
        sa.ForeignKeyConstraint(["school_id"], ["schools.school_id"], name=op.f("fk_class_terms_schools")),
    )
    op.create_index(op.f("ix_class_terms_school_id_term"), "class_terms", ["school_id", "term"])
    op.create_table(
        "class_knowledge",
        sa.Column("school_id", sa.String(32), nullable=False),
        sa.Column("class_name", sa.String(64), nullable=False),
        sa.Column("subject", sa.String(40), nullable=False),
        sa.Column("term", sa.String(16), nullable=False),
        sa.Column("knowledge", sa.String(200), nullable=False),
        sa.Column("grade", sa.SmallInteger()),
        sa.Column("correct", sa.Integer(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("pupils", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint(
            "school_id", "class_name", "subject", "term", "knowledge", name=op.f("pk_class_knowledge")
        ),
        sa.ForeignKeyConstraint(["school_id"], ["schools.school_id"], name=op.f("fk_class_knowledge_schools")),
    )
    op.create_index(
        op.f("ix_class_knowledge_school_id_term_subject"), "class_knowledge", ["school_id", "term", "subject"]
    )
    op.create_table(
        "class_days",
        sa.Column("school_id", sa.String(32), nullable=False),
        sa.Column("class_name", sa.String(64), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("grade", sa.SmallInteger()),
        sa.Column("minutes", sa.Integer(), nullable=False),
        sa.Column("estimated", sa.Boolean(), nullable=False),
        sa.Column("subjects", sa.String(400), nullable=False),
        sa.Column("complete", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("school_id", "class_name", "day", name=op.f("pk_class_days")),
        sa.ForeignKeyConstraint(["school_id"], ["schools.school_id"], name=op.f("fk_class_days_schools")),
    )
    op.create_index(op.f("ix_class_days_school_id_day"), "class_days", ["school_id", "day"])
    op.create_table(
        "school_days",
        sa.Column("school_id", sa.String(32), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("grade", sa.SmallInteger(), nullable=False),
        sa.Column("classes", sa.Integer(), nullable=False),
        sa.Column("assignments", sa.Integer(), nullable=False),
        sa.Column("handed_in", sa.Integer(), nullable=False),
        sa.Column("expected", sa.Integer(), nullable=False),
        sa.Column("load_classes", sa.Integer(), nullable=False),
        sa.Column("load_minutes", sa.Integer(), nullable=False),
        sa.Column("load_judged", sa.Integer(), nullable=False),
        sa.Column("load_over", sa.Integer(), nullable=False),
        sa.Column("load_estimated", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("school_id", "day", "grade", name=op.f("pk_school_days")),
        sa.ForeignKeyConstraint(["school_id"], ["schools.school_id"], name=op.f("fk_school_days_schools")),
    )
    op.create_table(
        "school_freshness",
        sa.Column("school_id", sa.String(32), nullable=False),
        sa.Column("under_way", sa.Integer(), nullable=False),
        sa.Column("behind", sa.Integer(), nullable=False),
        sa.Column("told_ms", sa.BigInteger()),
        sa.PrimaryKeyConstraint("school_id", name=op.f("pk_school_freshness")),
        sa.ForeignKeyConstraint(["school_id"], ["schools.school_id"], name=op.f("fk_school_freshness_schools")),
    )
    op.create_table(
        "comments",
        sa.Column("school_id", sa.String(32), nullable=False),
        sa.Column("pupil", sa.LargeBinary(16), nullable=False),
        sa.Column("term", sa.String(16), nullable=False),
        sa.Column("text_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("person_id", sa.BigInteger(), nullable=False),
        sa.Column("changed_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("school_id", "pupil", "term", name=op.f("pk_comments")),
        sa.ForeignKeyConstraint(["school_id"], ["schools.school_id"], name=op.f("fk_comments_schools")),
    )


def downgrade() -> None:
    """Bring it back to the one before."""
    for name in _TABLES:
        op.drop_table(name)
