"""What was done, in the words of whoever runs a school: of each line of the audit what it was, and to what."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from gateway.access.person import Role
from gateway.store.audit_lines import who_at_terminal
from gateway.web.people_words import DEEDS, ROLES, THINGS, subject_words
from homework.wording import Translate

DONE: Mapping[tuple[str, str], str] = {
    ("export", ".csv"): "Class report taken along as a table",
    ("export", ".xlsx"): "Class report taken along as an Excel file",
    ("export", ".pdf"): "Class report printed",
    ("export", "slips.pdf"): "Slips for the parents printed",
    ("export", "list.csv"): "Class list taken along",
    ("export", "answers.csv"): "Answers taken along",
    ("export", "answers.parquet"): "Answers taken along",
    ("export", "results.csv"): "Results taken along",
    ("export", "results.parquet"): "Results taken along",
    ("export", "oneroster.zip"): "Results taken along",
    ("export", "xapi.jsonl"): "Results taken along",
    ("correct", "review"): "Answers in doubt settled",
    ("correct", "undo"): "A word on answers taken back",
    ("correct", "marks"): "A mark turned",
    ("correct", "comment"): "Comment on a pupil written",
    ("correct", "corrections"): "Answers corrected by a program",
    ("correct", "answer"): "An answer corrected",
    ("see-crop", "open"): "Picture of an answer written to a file",
    ("export", ".json"): "Class report taken along as JSON",
    ("export", "corrections"): "List of all corrections taken along",
    ("export", "backup"): "Copy of the database made",
    ("setting", "report"): "How reports are wanted changed",
    ("school", "add"): "School added",
    ("school", "rename"): "School renamed",
    ("assign", "new"): "Homework made",
    ("assign", "load"): "Worksheets given to the boxes",
    ("assign", "edit"): "Homework changed",
    ("assign", "worksheets.pdf"): "Worksheets printed",
    ("assign", "answers.pdf"): "Answers of a worksheet printed",
    ("assign", "assignments"): "Homework brought in by a program",
    ("release", "release"): "Test released to parents and pupils",
    ("release", "hold-back"): "Results of a test taken back",
    ("say-absent", "excused"): "Said that a pupil is on leave",
    ("say-absent", "exempt"): "Said that a pupil need not hand it in",
    ("say-absent", "back"): "Said that a pupil is to hand it in after all",
    ("say-absent", "undo"): "What was said of an absence taken back",
    ("export", "all of one pupil"): "All that is kept of a pupil taken along",
    ("edit-roster", "rosters"): "Class list looked through",
    ("edit-roster", "keep"): "Class list brought in",
    ("edit-roster", "classes"): "Class list changed",
    ("edit-roster", "past"): "Earlier class list looked at",
    ("manage-boxes", "enrol"): "Code for a box made",
    ("manage-boxes", "lock-out"): "Box locked out",
    ("manage-boxes", "certificate"): "Certificate for a box made",
    ("manage-boxes", "stick"): "Memory stick made the school's",
    ("decide-held", "accept"): "Held records taken in",
    ("decide-held", "refuse"): "Held records refused",
    ("manage-keys", "keys"): "Key for a program made",
    ("manage-keys", "told"): "Address to be told named",
    ("manage-keys", "end"): "Key or address of a program taken away",
    ("district-keys", "keys"): "Key for a program made",
    ("district-keys", "end"): "Key or address of a program taken away",
    ("manage-people", "invite"): "Link to an account made",
    ("manage-people", "reset"): "Link to a new password made",
    ("manage-people", "close"): "Account closed",
    ("manage-people", "let in again"): "Account opened again",
    ("own-account", "password changed"): "Own password changed",
    ("own-account", "password"): "Own password changed",
    ("own-account", "signout"): "Signed out",
    ("own-account", "devices"): "Signed out elsewhere",
    ("own-account", "language"): "Language chosen",
    ("own-account", "code"): "Second step switched on",
    ("own-account", "second step on"): "Second step switched on",
    ("own-account", "off"): "Second step switched off",
    ("own-account", "second step off"): "Second step switched off",
    ("own-account", "paper"): "New codes on paper made",
    ("own-account", "new paper codes"): "New codes on paper made",
    ("own-account", "paper code"): "Signed in with a code on paper",
    ("own-account", "sign-on tied"): "Sign-on elsewhere linked",
    ("own-account", "sign-on untied"): "Sign-on elsewhere unlinked",
    ("sign-in", "password"): "Signed in with a password",
    ("sign-in", "code"): "Signed in with the second step",
    ("sign-in", "sign-on"): "Signed in elsewhere",
    ("sign-in", "invite"): "Took up an invitation",
    ("sign-in", "reset"): "Chose a new password",
    ("sign-in", "wrong password"): "Gave a wrong password",
}
_ABOUT_A_ROLE: Mapping[str, str] = {
    "invite": "Let somebody in: {role}",
    "grant": "Gave a role: {role}",
    "end": "Ended a role: {role}",
    "slips": "Printed invitations: {role}",
}
COUNTED: Mapping[str, str] = {
    "forget": "Erased a pupil: {n} sheets",
    "came-erased": "Sheets of an erased pupil came and were not kept: {n}",
    "archive": "Archived a month: {n} sheets",
    "unarchive": "Put a month back from the archive: {n} sheets",
}
"""Deeds whose detail says of how many records."""
_COUNT = re.compile(r"(?:pages|records|rows)=([0-9]{1,15})")
REFUSED = "refused"


def deed_words(deed: str, detail: str, _: Translate) -> str:
    """What was done. A detail that has no words of its own (of a newer version) leaves the deed's."""
    _user, detail = who_at_terminal(detail)
    known = DONE.get((deed, detail))
    if known is not None:
        return _(known)
    if deed in COUNTED and (count := _COUNT.fullmatch(detail)) is not None:
        return _(COUNTED[deed]).format(n=count[1])
    first, _blank, rest = detail.partition(" ")
    if deed == "manage-people" and first in _ABOUT_A_ROLE and rest:
        return _(_ABOUT_A_ROLE[first]).format(role=_role_words(rest.split(":")[0], _))
    return _(DEEDS[deed]) if deed in DEEDS else deed


def thing_words(parts: Mapping[str, str], called: Mapping[str, Callable[[str], str]], _: Translate) -> str:
    """To what, from the widest to the narrowest. `called` says what a thing of each kind is called."""
    said = []
    for name, value in parts.items():
        if name in ("class", "seat") and "pupil" in parts:
            continue  # the pupil's words say it
        words = called[name](value) if name in called else value
        said.append(words if name in ("class", "pupil") and words else f"{_(THINGS[name])} {words or '–'}")
    return " · ".join(said)


def _role_words(rest: str, _: Translate) -> str:
    """`teacher 3-1 math` as a person reads it. A class whose name has blanks stays whole."""
    role, *where = rest.split()
    words = [_(ROLES[Role(role)])] if role in {one.value for one in Role} else [role]
    if where and where[-1] in ("math", "chinese", "english"):
        where[-1] = subject_words(where[-1], _)
    return " · ".join([*words, *where])
