"""What a person can want to do, and what with: the words in which the rules speak (`gateway/access/rules.py`)."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Deed(StrEnum):
    """What a page or a command does. Each route names one."""

    OPEN = "open"
    """Says nothing of anybody: signing in, `/health`."""
    SEE_CLASS = "see-class"
    SEE_PUPIL = "see-pupil"
    SEE_CROP = "see-crop"
    CORRECT = "correct"
    ASSIGN = "assign"
    EDIT_ROSTER = "edit-roster"
    SAY_ABSENT = "say-absent"
    EXPORT = "export"
    SEE_SCHOOL = "see-school"
    SEE_DISTRICT = "see-district"
    SEE_WEEK = "see-week"
    SEE_START = "see-start"
    """The start page: shows to each what that person may see, and nothing else."""
    MANAGE_PEOPLE = "manage-people"
    MANAGE_BOXES = "manage-boxes"
    DECIDE_HELD = "decide-held"
    SEE_AUDIT = "see-audit"
    OWN_ACCOUNT = "own-account"


class Thing(NamedTuple):
    """What a deed is done to, as far as an address says it. None: not a matter of one school, one class and so on."""

    school: str | None = None
    class_name: str | None = None
    assignment: str | None = None
    pupil: bytes | None = None
    person: int | None = None
