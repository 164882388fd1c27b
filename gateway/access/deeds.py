"""What a person can want to do, and what with: the words in which the rules speak (`gateway/access/rules.py`)."""

from __future__ import annotations

from enum import Enum, StrEnum
from typing import Final, NamedTuple


class Deed(StrEnum):
    """What a page or a command does. Each route names one. The values are also the scopes of keys for programs."""

    OPEN = "open"
    """Says nothing of anybody: signing in, `/health`."""
    SEE_CLASS = "see-class"
    """A class's report, with names."""
    SEE_PUPIL = "see-pupil"
    SEE_CROP = "see-crop"
    """The picture of an answer."""
    CORRECT = "correct"
    ASSIGN = "assign"
    """Bring homework in."""
    EDIT_ROSTER = "edit-roster"
    RELEASE = "release"
    """Let the pupils and parents of a class see the results of a test, or take that back."""
    SAY_ABSENT = "say-absent"
    FORGET = "forget"
    """Erase a pupil for good."""
    EXPORT = "export"
    """A file with more than one pupil's results."""
    SEE_SCHOOL = "see-school"
    """A school's figures, without names."""
    SEE_DISTRICT = "see-district"
    SEE_WEEK = "see-week"
    """A teacher's own week."""
    SEE_START = "see-start"
    """The start page: shows to each what that person may see, and nothing else."""
    MANAGE_PEOPLE = "manage-people"
    MANAGE_KEYS = "manage-keys"
    """Keys of a school's programs, and the programs that are told of it."""
    MANAGE_DISTRICT_KEYS = "district-keys"
    """Keys of programs that read the district's figures."""
    BE_TOLD = "be-told"
    """Name an address that is told when a class has finished."""
    MANAGE_BOXES = "manage-boxes"
    DECIDE_HELD = "decide-held"
    SEE_AUDIT = "see-audit"
    OWN_ACCOUNT = "own-account"


class Some(Enum):
    """In a `Thing`: any one that the person may. The page itself must then show only those."""

    ONE = "some"


SOME: Final = Some.ONE


class Thing(NamedTuple):
    """What a deed is done to, as far as an address says it. None: not a matter of one school, one class and so on.

    `class_name` "": pages whose class nobody knows. `pupil` is a pseudonym, `person` the id of an account. `subject`
    is the assignment's; the gate looks it up where an address names an assignment. None: unknown, or more than one.
    A page about several classes or subjects says `SOME`, and shows only what `visible_classes`, `visible_subjects` or
    `rows_visible` let through.
    """

    school: str | Some | None = None
    class_name: str | Some | None = None
    assignment: str | None = None
    pupil: bytes | None = None
    person: int | None = None
    subject: str | Some | None = None
