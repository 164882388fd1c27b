"""Class lists of a OneRoster export: the zip of CSV files that school registers write, version 1.1 or 1.2. Pure.

1EdTech OneRoster 1.1 (CSV Tables, 2017, imsglobal.org/oneroster-v11-final-csv-tables) and OneRoster CSV Binding 1.2.1
(2023, imsglobal.org/spec/oneroster/v1p2/bind/csv). In 1.1 a user's role stands in users.csv, in 1.2 in roles.csv;
end dates are the first day that does not count. Read are manifest, orgs, academicSessions, classes, enrollments,
users and roles; passwords, addresses, telephone numbers and demographics are never looked at.

A line that cannot be used is left out and told, by file and line: it never costs the pupils around it. What cannot be
right as a whole (only changes instead of lists, no class of this school) is refused.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b32encode
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from datetime import date
from typing import NamedTuple

import msgspec

from homework.errors import BadFileError, Phrase
from homework.roster import MAX_PUPILS, MAX_PUPILS_A_CLASS, MAX_TEXT, Roster, looks_national, usable_text
from homework.seating import Unseated, seated
from homework.zipped_tables import ZippedTables, holds

MANIFEST, ORGS, SESSIONS, CLASSES, ENROLMENTS, USERS, ROLES = (
    "manifest.csv",
    "orgs.csv",
    "academicSessions.csv",
    "classes.csv",
    "enrollments.csv",
    "users.csv",
    "roles.csv",
)
VERSIONS = ("1.1", "1.2")
MOST_CLASSES = 50_000
NOBODY = Roster(())
_LINES_TOLD = 5
_SEAT_COLUMN = re.compile(
    r"metadata\.(?:[\w-]+\.)*(?:seat(?:_?no|_?number)?|shussekino|座号|座位号|学号序号)", re.IGNORECASE
)
"""A column of ours, or of the Japanese profile (metadata.jp.ShussekiNo, the number that a pupil has in her class)."""
_CJK = re.compile(r"[⺀-鿿가-힣豈-﫿\U00020000-\U0003ffff]")
_UUID = re.compile(r"\{?[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}\}?")


class School(msgspec.Struct, frozen=True, gc=False):
    """A school of the export. `identifier` is the number that people know it by."""

    id: str
    name: str
    identifier: str


class LeftOut(NamedTuple):
    """What was not taken: of how many lines of a file, the first of them, and why (a message id)."""

    file: str
    why: str
    times: int
    lines: tuple[int, ...]


class OneRoster(msgspec.Struct, frozen=True, gc=False):
    """What was understood: one school's classes, whose seats had to be counted, what was left out, what to know."""

    version: str
    school: School
    roster: Roster
    counted: tuple[str, ...]
    left_out: tuple[LeftOut, ...]
    notes: tuple[Phrase, ...]


class SeveralSchoolsError(BadFileError):
    """The export holds several schools, and nobody said which one is meant."""

    def __init__(self, schools: tuple[School, ...]) -> None:
        super().__init__(
            "The file holds {count} schools: {names}.",
            remedy="Export one school only, or say which one it is, by its name or its number.",
            count=len(schools),
            names=", ".join(school.name or school.id for school in schools[:10]),
        )
        self.schools = schools

    def __reduce__(self) -> tuple[type[SeveralSchoolsError], tuple[tuple[School, ...]]]:
        return type(self), (self.schools,)


class _Class(NamedTuple):
    id: str
    title: str
    code: str
    grade: str
    school: str
    homeroom: bool
    line: int


class _Place(NamedTuple):
    """Where a pupil is enrolled. The smallest of several counts: begun, said to be the main one, first in the file."""

    later: bool
    second: bool
    line: int
    class_id: str
    seat: str


class _Found(NamedTuple):
    """A pupil as the files have her. `ids`: what may name her, best first; none when all look national."""

    line: int
    name: str
    ids: tuple[str, ...]
    seat: str


class _Told:
    """What was left out, counted."""

    def __init__(self) -> None:
        self._lines: dict[tuple[str, str], list[int]] = defaultdict(list)
        self._counts: Counter[tuple[str, str]] = Counter()

    def leave(self, file: str, line: int, why: str) -> None:
        self._counts[(file, why)] += 1
        if len(self._lines[(file, why)]) < _LINES_TOLD:
            self._lines[(file, why)].append(line)

    def all(self) -> tuple[LeftOut, ...]:
        return tuple(
            LeftOut(file, why, count, tuple(self._lines[(file, why)])) for (file, why), count in self._counts.items()
        )


def is_oneroster(data: bytes) -> bool:
    """Whether these bytes are a zip with a manifest.csv in it. Never raises."""
    return holds(data, MANIFEST)


def read_oneroster(data: bytes, *, today: date, school: str = "", known: Roster = NOBODY) -> OneRoster:
    """The class lists of one school in a OneRoster zip. Whoever is in `known` keeps id and, without a new one, seat.

    `school` is its name, its number or its id in the file; needed only where the file holds several. `today` decides
    which terms and enrolments are over. Homeroom classes are taken where the school has any, else all; a pupil of
    several is in the first. Raises `BadFileError`, and `SeveralSchoolsError` when the school has to be named.
    """
    tables = ZippedTables(data, beside=MANIFEST)
    told = _Told()
    version = _version(tables)
    every = _classes(tables, _over(tables, today), told)
    chosen = _school(tables, {found.school for found in every}, school)
    classes = _named([found for found in every if found.school == chosen.id], told)
    places = _places(tables, classes, {found.id for found in every}, today, told)
    pupils = _pupils(tables, version, places, told)
    roster, counted = seated(_by_class(classes, places, pupils, told), known)
    if not roster.pupils:
        raise BadFileError(
            "The file has no pupil of {school} who is in a class now.",
            remedy="Look whether the enrolments of this year were exported (enrollments.csv).",
            school=chosen.name or chosen.id,
        )
    notes = _notes(tables, counted, hidden=sum(not found.ids for found in pupils.values()))
    return OneRoster(version, chosen, roster, counted, told.all(), notes)


def _version(tables: ZippedTables) -> str:
    """The version that the manifest tells. Refuses a zip of changes: what is not in it would be taken for gone."""
    said = {name: value for _, (name, value) in tables.rows(MANIFEST, ("propertyName", "value"))}
    version = said.get("oneroster.version", "").lstrip("vV")
    found = next((known for known in VERSIONS if version == known or version.startswith(known + ".")), None)
    if found is None:
        raise BadFileError(
            "The file says it is OneRoster {version}.",
            remedy="Export it as OneRoster CSV 1.1 or 1.2.",
            version=version or "?",
        )
    for file in (CLASSES, ENROLMENTS, USERS):
        if said.get("file." + file.removesuffix(".csv")) == "delta":
            raise BadFileError(
                "The file holds only what has changed ({file}).",
                remedy="Export it whole (bulk): who is not in a list counts as gone.",
                file=file,
            )
    return found


def _over(tables: ZippedTables, today: date) -> frozenset[str]:
    """The terms that are over."""
    if SESSIONS not in tables:
        return frozenset()
    rows = tables.rows(SESSIONS, ("sourcedId", "endDate"))
    return frozenset(session for _, (session, end) in rows if _ended(end, today))


def _classes(tables: ZippedTables, over: frozenset[str], told: _Told) -> list[_Class]:
    """The classes of all schools that are held now."""
    found: dict[str, _Class] = {}
    columns = ("sourcedId", "title", "schoolSourcedId")
    more = ("status", "grades", "classCode", "classType", "termSourcedIds")
    for line, (name, title, school, status, grades, code, kind, terms) in tables.rows(CLASSES, columns, more):
        ids = _listed(terms)
        if _deleted(status):
            told.leave(CLASSES, line, "marked as deleted")
        elif ids and all(term in over for term in ids):
            told.leave(CLASSES, line, "its term is over")
        elif not name or name in found:
            told.leave(CLASSES, line, "its sourcedId is missing or stands there twice")
        else:
            grade = (_listed(grades) or [""])[0].lstrip("0")
            found[name] = _Class(name, title, code, grade, school, kind.lower() == "homeroom", line)
        if len(found) > MOST_CLASSES:
            raise _too_large(MOST_CLASSES)
    return list(found.values())


def _school(tables: ZippedTables, with_classes: set[str], wanted: str) -> School:
    """The school that is meant. Raises `BadFileError`."""
    named = {}
    if ORGS in tables:
        for _, (name, title, identifier, status) in tables.rows(ORGS, ("sourcedId", "name"), ("identifier", "status")):
            if name in with_classes and not _deleted(status):
                named[name] = School(name, title, identifier)
    schools = tuple(named.get(name) or School(name, "", "") for name in sorted(with_classes))
    if not schools:
        raise BadFileError(
            "The file has no class that is held now.",
            remedy="Look whether the classes of this year were exported (classes.csv, academicSessions.csv).",
        )
    wanted = wanted.strip()
    fitting = [one for one in schools if wanted and wanted in (one.id, one.name, one.identifier)]
    if len(fitting) == 1 or (not wanted and len(schools) == 1):
        return (fitting or schools)[0]
    raise SeveralSchoolsError(tuple(fitting) or schools)


def _named(classes: Sequence[_Class], told: _Told) -> dict[str, _Class]:
    """The classes to take by their ids, each under a title of its own; those of one title get their grade before it."""
    homerooms = [one for one in classes if one.homeroom]
    for one in classes:
        if homerooms and not one.homeroom:
            told.leave(CLASSES, one.line, "a class of one subject: pupils are taken from their homeroom class")
    taken = homerooms or list(classes)
    names: tuple[Callable[[_Class], str], ...] = (
        lambda one: one.title,
        lambda one: f"{one.grade}-{one.title}" if one.grade else "",
        lambda one: one.code,
    )
    found: dict[str, _Class] = {}
    for name_of in names:
        counts = Counter(name_of(one) for one in taken)
        used = {one.title for one in found.values()}
        fits = [
            one for one in taken if counts[name_of(one)] == 1 and usable_text(name_of(one)) and name_of(one) not in used
        ]
        found |= {one.id: one._replace(title=name_of(one)) for one in fits}
        taken = [one for one in taken if one.id not in found]
    for one in taken:
        told.leave(CLASSES, one.line, "its title cannot be used, or another class is called the same")
    return found


def _places(
    tables: ZippedTables, classes: dict[str, _Class], every: set[str], today: date, told: _Told
) -> dict[str, _Place]:
    """Where each pupil of these classes is enrolled, by the pupil's id in the file."""
    found: dict[str, _Place] = {}
    columns = ("classSourcedId", "userSourcedId", "role")
    more = ("status", "primary", "beginDate", "endDate", *_seat_columns(tables, ENROLMENTS))
    for line, (class_id, user, role, status, primary, begin, end, *seats) in tables.rows(ENROLMENTS, columns, more):
        if class_id not in classes:
            if class_id not in every:
                told.leave(ENROLMENTS, line, "of a class that is not in classes.csv, or not held now")
            continue
        if role.lower() != "student":
            continue
        if _deleted(status):
            told.leave(ENROLMENTS, line, "marked as deleted")
        elif _ended(end, today):
            told.leave(ENROLMENTS, line, "the enrolment is over")
        elif not user:
            told.leave(ENROLMENTS, line, "it names no user")
        else:
            later = not _ended(begin, today) if begin else False
            place = _Place(later, primary.lower() != "true", line, class_id, next(filter(None, seats), ""))
            other = found.get(user)
            if other is not None and other.class_id != class_id:
                told.leave(ENROLMENTS, max(place, other).line, "the pupil is in another class already")
            elif other is not None:
                told.leave(ENROLMENTS, line, "the pupil stands in this class twice")
            found[user] = place if other is None else min(place, other)
        if len(found) > MAX_PUPILS:
            raise _too_large(MAX_PUPILS)
    return found


def _pupils(tables: ZippedTables, version: str, places: dict[str, _Place], told: _Told) -> dict[str, _Found]:
    """The enrolled pupils as users.csv has them, by their ids there."""
    students = _students(tables) if version == "1.2" else None
    found: dict[str, _Found] = {}
    columns = ("sourcedId", "givenName", "familyName")
    more = ("status", "role", "identifier", *_seat_columns(tables, USERS))
    for line, (user, given, family, status, role, identifier, *seats) in tables.rows(USERS, columns, more):
        if user not in places:
            continue
        name = _full_name(given, family)
        if user in found:
            told.leave(USERS, line, "its sourcedId stands there twice: the first one counts")
        elif _deleted(status):
            told.leave(USERS, line, "marked as deleted")
        elif (role.lower() or "student") != "student" or (students is not None and user not in students):
            told.leave(USERS, line, "enrolled as a pupil, but without the role of one")
        elif looks_national(name) or not usable_text(name):
            told.leave(USERS, line, "the name cannot be used: it is empty, too long, or has special signs")
        else:
            ids = tuple(one for one in (identifier, _short(user)) if usable_text(one) and not looks_national(one))
            found[user] = _Found(line, name, ids, next(filter(None, seats), ""))
    for user, place in places.items():
        if user not in found:
            told.leave(ENROLMENTS, place.line, "the pupil is not in users.csv, or was left out there")
    return found


def _students(tables: ZippedTables) -> set[str] | None:
    """Who has the role of a student; None where no roles were exported."""
    if ROLES not in tables:
        return None
    rows = tables.rows(ROLES, ("userSourcedId", "role"), ("status",))
    return {user for _, (user, role, status) in rows if role.lower() == "student" and not _deleted(status)}


def _by_class(
    classes: dict[str, _Class], places: dict[str, _Place], pupils: dict[str, _Found], told: _Told
) -> list[Unseated]:
    """The pupils class by class, in the order of their enrolments; a class that is too large for one is left out."""
    users: dict[str, list[str]] = {class_id: [] for class_id in classes}
    for user, place in places.items():
        if user in pupils:
            users[place.class_id].append(user)
    found: list[Unseated] = []
    for class_id, one in classes.items():
        if len(users[class_id]) > MAX_PUPILS_A_CLASS:
            told.leave(CLASSES, one.line, "it has more pupils than a class can have")
            continue
        for user in users[class_id]:
            pupil = pupils[user]
            found.append(Unseated(one.title, pupil.name, pupil.ids, places[user].seat or pupil.seat))
    return found


def _notes(tables: ZippedTables, counted: Sequence[str], *, hidden: int) -> tuple[Phrase, ...]:
    """What a person should know of a list that was taken."""
    notes = []
    if counted:
        notes.append(
            Phrase(
                "Seats were counted in the order of the file in: {classes}. Look them over before you print.",
                classes=", ".join(counted),
            )
        )
    if hidden:
        notes.append(
            Phrase("{count} pupils have no number but what looks like a national one; it was left out.", count=hidden)
        )
    files = [file for file in (CLASSES, USERS) if tables.encoding(file) != "utf-8-sig"]
    if files:
        notes.append(
            Phrase(
                "Not written in UTF-8, as the standard asks: {files}. Look whether the names are right.",
                files=", ".join(files),
            )
        )
    return tuple(notes)


def _seat_columns(tables: ZippedTables, file: str) -> list[str]:
    return [column for column in tables.columns(file) if _SEAT_COLUMN.fullmatch(column)]


def _full_name(given: str, family: str) -> str:
    """A name as it is said: 王小明, but Anna Berg."""
    if _CJK.search(family + given):
        return family + given
    return " ".join(filter(None, (given, family)))


def _short(user: str) -> str:
    """An id of the file as one of ours: as it is, or a digest of a UUID (whose digits can look like any number).

    One that looks national stays as it is, to be refused: a digest of it would only hide it.
    """
    if not _UUID.fullmatch(user) and (len(user) <= MAX_TEXT or looks_national(user)):
        return user
    return "o" + b32encode(hashlib.sha256(user.strip("{}").lower().encode()).digest()).decode().lower()[:15]


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _deleted(status: str) -> bool:
    return status.lower() in ("tobedeleted", "inactive")


def _ended(text: str, today: date) -> bool:
    """Whether a day has come; a day that cannot be read has not."""
    try:
        return bool(text) and date.fromisoformat(text[:10]) <= today
    except ValueError:
        return False


def _too_large(most: int) -> BadFileError:
    return BadFileError(
        "The file has more classes or pupils than one school can: {most} are the most.",
        remedy="Export one school at a time.",
        most=most,
    )
