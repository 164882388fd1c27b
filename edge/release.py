"""Tests: what a pupil wrote is taken, and nothing of how it was judged is shown until a teacher says so.

Every page and every slip that a pupil may see asks `is_released` first. Who released an assignment stands in the box's
settings, and can be taken back.
"""

from __future__ import annotations

from edge.documents import Documents

_SETTING = "released:{assignment}"


def is_test(documents: Documents, assignment: str | None) -> bool:
    """Whether an assignment is a test (`mode = "test"`)."""
    found = documents.assignment(assignment) if assignment is not None else None
    return found is not None and found.mode == "test"


def is_released(documents: Documents, assignment: str | None) -> bool:
    """Whether verdicts and scores of an assignment may be shown: of homework at once, of a test once it is released.

    `assignment` is its id. What is not known (None, or not loaded) holds nothing back.
    """
    return not is_test(documents, assignment) or released_by(documents, str(assignment)) is not None


def released_by(documents: Documents, assignment: str) -> str | None:
    """Who released a test; None while it is held back."""
    return documents.setting(_SETTING.format(assignment=assignment)) or None


def release(documents: Documents, assignment: str, *, person: str) -> None:
    """Let the results of a test be seen from now on. Raises `DocumentsError`."""
    documents.put_setting(_SETTING.format(assignment=assignment), person)


def hold_back(documents: Documents, assignment: str) -> None:
    """Take a release back. Raises `DocumentsError`."""
    documents.put_setting(_SETTING.format(assignment=assignment), "")
