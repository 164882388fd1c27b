"""订正 on the box: whose the filed pages of an assignment are, and how far each pupil has come (`homework.again`)."""

from __future__ import annotations

from collections.abc import Iterable

from edge.filed import FiledPage
from edge.stack import owner_of
from homework.again import Attempt, PupilAgain, again_of
from homework.roster import Roster

STACK_SETTING = "again_stack"
"""The setting that holds the assignment of which the stack on the desk is corrected sheets; "" while it is not."""


def again_in_class(
    pages: Iterable[FiledPage], roster: Roster, class_name: str | None
) -> tuple[PupilAgain[FiledPage], ...]:
    """The pupils of a class by seat, from every page of an assignment that counts (all attempts)."""
    attempts = []
    for page in pages:
        owner = owner_of(page.record, roster, class_name) if page.record is not None else None
        if page.record is not None and owner is not None and class_name in (None, owner.class_name):
            attempts.append(Attempt(owner, page.record, page))
    return again_of(attempts)
