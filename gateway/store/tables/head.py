"""What all tables share: the one list of them, and the keys to their school and their box."""

from __future__ import annotations

from sqlalchemy import ForeignKeyConstraint, MetaData

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def school_key() -> ForeignKeyConstraint:
    """Of a row that belongs to a school."""
    return ForeignKeyConstraint(["school_id"], ["schools.school_id"])


def box_key() -> ForeignKeyConstraint:
    """Of a row that belongs to a box."""
    return ForeignKeyConstraint(["school_id", "box_id"], ["boxes.school_id", "boxes.box_id"])
