"""The tables of what is worked out ahead: summaries of classes, and what schools and districts are told from them.

Nothing in them is true by itself: all but the comments can be made again from the page records, the class lists, the
worksheets and the settings (`gateway.reports.worker`). `day` is a number like 20261130, `term` a name like 2026-autumn.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    String,
    Table,
    text,
)

from gateway.store.tables.head import metadata, school_key


def _key(*names_and_types: object) -> list[Column[object]]:
    names, types = names_and_types[::2], names_and_types[1::2]
    pairs = zip(names, types, strict=True)
    return [Column("school_id", String(32)), *(Column(str(name), kind) for name, kind in pairs)]  # type: ignore[arg-type]


def _counts(*names: str) -> list[Column[int]]:
    return [Column(name, Integer, nullable=False) for name in names]


class_summaries = Table(
    "class_summaries",
    metadata,
    *_key("assignment", String(64), "class_name", String(64)),
    # What it was made of (`gateway.store.reading.ReportVersion`); `made_of` is a digest of the documents in it.
    *(Column(f"{what}_version", BigInteger, nullable=False) for what in ("rows", "roster", "settings")),
    Column("made_of", LargeBinary(16), nullable=False),
    Column("sheets", String, nullable=False),  # the layouts that its pages need, a line each
    Column("title", String(200), nullable=False),
    Column("subject", String(40), nullable=False),
    Column("grade", SmallInteger),
    Column("day", Integer, nullable=False),
    Column("due_ms", BigInteger),
    Column("limit_ms", BigInteger),  # until when a sheet was in time (`homework.lateness.limit_ms`)
    Column("minutes", Integer, nullable=False),
    Column("minutes_estimated", Boolean, nullable=False),
    *_counts("size", "expected", "handed_in", "late", "time_unknown", "excused", "settled", "rate_sum_ppm"),
    *_counts("excellent_n", "passing_n", "low_n", "items_n", "reteach_n", "pending", "under_way"),
    Column("again_owes", Integer),  # NULL: no corrected sheet of the class has come
    Column("again_done", Integer),
    Column("again_ms_sum", BigInteger),
    Column("behind", String, nullable=False),  # boxes with pages under way, a line each
    Column("told_ms", BigInteger),
    Column("first_ms", BigInteger),
    Column("last_ms", BigInteger),
    Column("finished_ms", BigInteger),
    Column("knowledge", LargeBinary, nullable=False),  # gateway.reports.summaries.Points
    PrimaryKeyConstraint("school_id", "assignment", "class_name"),
    school_key(),
    Index(None, "school_id", "class_name", "day"),
    Index(None, "school_id", "day"),
    Index(
        "ix_class_summaries_open",
        "school_id",
        "due_ms",
        sqlite_where=text("finished_ms IS NULL AND due_ms IS NOT NULL"),
        postgresql_where=text("finished_ms IS NULL AND due_ms IS NOT NULL"),
    ),
)

class_terms = Table(
    "class_terms",
    metadata,
    *_key("class_name", String(64), "subject", String(40), "term", String(16)),
    Column("grade", SmallInteger),
    *_counts("assignments", "handed_in", "expected", "late"),
    Column("pupils", Integer, nullable=False),  # the most that handed in one of them: a lower bound
    PrimaryKeyConstraint("school_id", "class_name", "subject", "term"),
    school_key(),
    Index(None, "school_id", "term"),
)

class_knowledge = Table(
    "class_knowledge",
    metadata,
    *_key("class_name", String(64), "subject", String(40), "term", String(16), "knowledge", String(200)),
    Column("grade", SmallInteger),
    *_counts("correct", "n", "pupils"),  # `pupils` as in class_terms, of assignments with this point
    PrimaryKeyConstraint("school_id", "class_name", "subject", "term", "knowledge"),
    school_key(),
    Index(None, "school_id", "term", "subject"),
)

class_days = Table(
    "class_days",
    metadata,
    *_key("class_name", String(64), "day", Integer),
    Column("grade", SmallInteger),
    *_counts("minutes"),
    Column("estimated", Boolean, nullable=False),
    Column("subjects", String(400), nullable=False),  # a line each
    Column("complete", Boolean, nullable=False),
    PrimaryKeyConstraint("school_id", "class_name", "day"),
    school_key(),
    Index(None, "school_id", "day"),
)

school_days = Table(
    "school_days",
    metadata,
    # `grade` 0: not known
    *_key("day", Integer, "grade", SmallInteger),
    *_counts("classes", "assignments", "handed_in", "expected"),
    *_counts("load_classes", "load_minutes", "load_judged", "load_over", "load_estimated"),
    # Who had homework for the day, once each; 0 beside classes: nobody counted them yet (before revision 0025).
    Column("pupils", Integer, nullable=False, server_default="0"),
    PrimaryKeyConstraint("school_id", "day", "grade"),
    school_key(),
)

school_freshness = Table(
    "school_freshness",
    metadata,
    Column("school_id", String(32)),
    *_counts("under_way", "behind"),
    Column("told_ms", BigInteger),
    PrimaryKeyConstraint("school_id"),
    school_key(),
)

comments = Table(
    "comments",
    metadata,
    *_key("pupil", LargeBinary(16), "term", String(16)),
    Column("text_sealed", LargeBinary, nullable=False),  # under the school's key
    Column("person_id", BigInteger, nullable=False),
    Column("changed_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("school_id", "pupil", "term"),
    school_key(),
)
