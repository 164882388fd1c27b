"""Roles, deeds and times of people, in the reader's words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from gateway.access.person import Grant, Role
from gateway.access.rules import is_lent
from homework.wording import Translate

ROLES = {
    Role.PUPIL: "Pupil",
    Role.PARENT: "Parent",
    Role.TEACHER: "Teacher",
    Role.HEAD: "Head",
    Role.DISTRICT: "District office",
    Role.ADMIN: "Administrator",
}
SUBJECTS = {"chinese": "Chinese (subject)", "math": "Mathematics", "english": "English (subject)"}
"""Subjects that are called by a word of ours; others are shown as they were typed."""

DEEDS = {
    "see-class": "Class report",
    "see-pupil": "Pupil's page",
    "see-crop": "Picture of an answer",
    "see-audit": "Read what was done",
    "see-school": "Figures of a school",
    "see-district": "Figures of all schools",
    "see-week": "Week",
    "correct": "Corrected",
    "release": "Test released, or taken back",
    "assign": "Homework changed",
    "edit-roster": "Class list changed",
    "say-absent": "Said who was away",
    "export": "File taken along",
    "manage-people": "People changed",
    "manage-boxes": "Boxes changed",
    "manage-keys": "Programs changed",
    "district-keys": "Programs of the district changed",
    "be-told": "Programs that are told changed",
    "decide-held": "Decided a held record",
    "own-account": "Own account",
    "sign-in": "Signed in",
    "forget": "Erased a pupil",
    "readmit": "Let an erased pupil in again",
    "came-erased": "Sheets of an erased pupil came",
    "archive": "Archived a month",
    "unarchive": "Put a month back from the archive",
    "setting": "How reports are wanted changed",
    "school": "School changed",
    "restore": "Database put back from a copy",
}
THINGS = {
    "school": "School",
    "class": "Class",
    "assignment": "Homework",
    "pupil": "Pupil",
    "person": "Account",
    "month": "Month",
    "seat": "Seat",
    "item": "Item",
    "box": "Box",
}


def grant_words(grant: Grant, titles: Mapping[str, str], _: Translate) -> str:
    """A role, where and for how long: 代课 三年级2班 数学, 到今天 24:00. `titles` are what schools are called."""
    role = _("Substitute") if is_lent(grant) else _(ROLES[grant.role])
    parts = [role]
    if grant.school is not None:
        parts.append(titles.get(grant.school, grant.school))
    elif grant.role is Role.ADMIN:
        parts.append(_("all schools"))
    if grant.class_name is not None:
        parts.append(grant.class_name)
    if grant.role is Role.TEACHER:
        parts.append(subject_words(grant.subject, _))
    if grant.until_ms is not None:
        parts.append(_("until {time}").format(time=time_words(grant.until_ms)))
    return " · ".join(parts)


def subject_words(subject: str | None, _: Translate) -> str:
    """A subject as people call it; None: all of a class."""
    if subject is None:
        return _("all subjects")
    return _(SUBJECTS[subject]) if subject in SUBJECTS else subject


def time_words(at_ms: int) -> str:
    """A moment where the gateway stands. The end of a day is called that, and not the beginning of the next."""
    at = datetime.fromtimestamp(at_ms / 1000).astimezone()
    if (at.hour, at.minute) == (0, 0):
        return datetime.fromtimestamp(at_ms / 1000 - 1).astimezone().strftime("%Y-%m-%d 24:00")
    return at.strftime("%Y-%m-%d %H:%M")
