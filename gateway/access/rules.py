"""Who may do what to what: the one place that decides. Pure; the gate, the pages and the queries all ask here.

What stands in no rule is refused. The same rules are said twice, for one thing (`may`) and for the rows of a query
(`rows_visible`); a test holds both equal.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, and_, false, or_, true

from gateway.access.deeds import SOME, Deed, Thing
from gateway.access.person import Grant, Person, Role
from gateway.store.schools import KnownPupil
from homework.roster import Pupil


class RowColumns(NamedTuple):
    """The columns of a query that say whose a row is. A query without a subject is taken for one of unknown subject.

    Subjects are kept as `homework.load.subject_of` calls them, in grants and in columns.
    """

    school: ColumnElement[str]
    class_name: ColumnElement[str]
    subject: ColumnElement[str] | None = None
    pupil: ColumnElement[bytes] | None = None


HOUR_MS: Final = 3_600_000
LENT_AT_MOST_MS: Final = 16 * HOUR_MS
"""A teacher lends a class for a day and no longer."""

_OF_A_CLASS: Final = frozenset(
    {
        *(Deed.SEE_CLASS, Deed.SEE_PUPIL, Deed.SEE_CROP, Deed.CORRECT, Deed.ASSIGN, Deed.EDIT_ROSTER),
        *(Deed.SAY_ABSENT, Deed.RELEASE, Deed.EXPORT, Deed.MANAGE_PEOPLE),
    }
)
_DEEDS: Final = {
    Role.PUPIL: frozenset({Deed.SEE_PUPIL, Deed.SEE_CROP}),
    Role.PARENT: frozenset({Deed.SEE_PUPIL, Deed.SEE_CROP}),
    Role.TEACHER: _OF_A_CLASS,
    Role.HEAD: _OF_A_CLASS | {Deed.SEE_SCHOOL, Deed.SEE_AUDIT, Deed.MANAGE_KEYS, Deed.BE_TOLD, Deed.FORGET},
    Role.DISTRICT: frozenset({Deed.SEE_SCHOOL, Deed.SEE_DISTRICT, Deed.MANAGE_DISTRICT_KEYS}),
    Role.ADMIN: frozenset(
        {
            *(Deed.MANAGE_PEOPLE, Deed.MANAGE_KEYS, Deed.MANAGE_DISTRICT_KEYS, Deed.MANAGE_BOXES),
            *(Deed.DECIDE_HELD, Deed.SEE_AUDIT, Deed.FORGET),
        }
    ),
}
_NEVER_LENT: Final = frozenset({Deed.EDIT_ROSTER, Deed.RELEASE, Deed.EXPORT, Deed.MANAGE_PEOPLE})
_OF_THE_WHOLE_CLASS: Final = frozenset({Deed.EDIT_ROSTER})
"""Not for whoever teaches one subject of it."""
_NEED_A_SECOND_FACTOR: Final = frozenset(
    {
        *(Deed.MANAGE_PEOPLE, Deed.MANAGE_KEYS, Deed.MANAGE_DISTRICT_KEYS, Deed.MANAGE_BOXES),
        *(Deed.DECIDE_HELD, Deed.FORGET),
    }
)
"""Of an admin, whose password opens every school."""


def may(person: Person | None, deed: Deed, thing: Thing, now_ms: int) -> bool:
    """Whether a person (None: not signed in) may do that to that, now."""
    return _may(person, deed, thing, now_ms, strong=person is not None and person.strong)


def lacks_second_factor(person: Person | None, deed: Deed, thing: Thing, now_ms: int) -> bool:
    """Whether nothing but a second factor keeps the person from it."""
    return not may(person, deed, thing, now_ms) and _may(person, deed, thing, now_ms, strong=True)


def _may(person: Person | None, deed: Deed, thing: Thing, now_ms: int, *, strong: bool) -> bool:
    if deed is Deed.OPEN:
        return True
    if person is None or (person.scopes is not None and deed.value not in person.scopes):
        return False
    if deed is Deed.SEE_START:
        return True
    if deed is Deed.OWN_ACCOUNT:
        return thing.person in (None, person.id)
    held = [grant for grant in person.grants if grant.holds(now_ms)]
    if deed is Deed.SEE_WEEK:
        return thing.person == person.id and any(grant.role in (Role.TEACHER, Role.HEAD) for grant in held)
    return any(_grants(grant, deed, strong=strong) and _reaches(grant, thing) for grant in held)


def _grants(grant: Grant, deed: Deed, *, strong: bool) -> bool:
    if deed not in _DEEDS[grant.role]:
        return False
    if grant.role is Role.ADMIN and deed in _NEED_A_SECOND_FACTOR:
        return strong
    if grant.role is Role.TEACHER and grant.subject is not None and deed in _OF_THE_WHOLE_CLASS:
        return False
    return not (is_lent(grant) and deed in _NEVER_LENT)


def _reaches(grant: Grant, thing: Thing) -> bool:
    """Whether a thing lies inside what a grant is about."""
    if thing.school is not SOME and grant.school not in (None, thing.school):
        return False
    match grant.role:
        case Role.TEACHER:
            return grant.class_name is not None and (
                thing.class_name in (SOME, grant.class_name)
                and (grant.subject is None or thing.subject in (SOME, grant.subject))
            )
        case Role.PUPIL | Role.PARENT:
            return grant.pupil is not None and thing.pupil == grant.pupil
        case Role.HEAD | Role.DISTRICT | Role.ADMIN:
            return True


def is_lent(grant: Grant) -> bool:
    """Whether it is a substitute's."""
    return grant.role is Role.TEACHER and grant.until_ms is not None


# --- the same for many --------------------------------------------------------------------------------------


def visible_classes(person: Person | None, school: str, now_ms: int) -> frozenset[str] | None:
    """The classes of a school of which the person may see something; None: all, also the unknown one."""
    reports = _grants_of(person, Deed.SEE_CLASS, school, now_ms)
    if any(grant.role is not Role.TEACHER for grant in reports):
        return None
    return frozenset(grant.class_name for grant in reports if grant.class_name is not None)


def visible_subjects(person: Person | None, school: str, class_name: str, now_ms: int) -> frozenset[str] | None:
    """The subjects of a class that the person may see; None: all, also unknown ones."""
    of_class = Thing(school, class_name, subject=SOME)
    reports = [g for g in _grants_of(person, Deed.SEE_CLASS, school, now_ms) if _reaches(g, of_class)]
    if any(grant.role is not Role.TEACHER or grant.subject is None for grant in reports):
        return None
    return frozenset(grant.subject for grant in reports if grant.subject is not None)


def rows_visible(person: Person | None, columns: RowColumns, now_ms: int) -> ColumnElement[bool]:
    """`may` (SEE_CLASS of the row's class and subject, or SEE_PUPIL of its pupil) as a condition of a query."""
    if person is None:
        return false()
    conditions: list[ColumnElement[bool]] = []
    for grant in person.grants:
        if not grant.holds(now_ms):
            continue
        deed = Deed.SEE_PUPIL if grant.role in (Role.PUPIL, Role.PARENT) else Deed.SEE_CLASS
        if not _grants(grant, deed, strong=person.strong) or not _in_scopes(person, deed):
            continue
        reach = _reach_in_rows(grant, columns)
        if reach is not None:
            conditions.append(reach if grant.school is None else and_(columns.school == grant.school, reach))
    return or_(*conditions) if conditions else false()


def _reach_in_rows(grant: Grant, columns: RowColumns) -> ColumnElement[bool] | None:
    """`_reaches`, but for the school; None for nothing."""
    match grant.role:
        case Role.TEACHER:
            if grant.class_name is None:
                return None
            of_class = columns.class_name == grant.class_name
            if grant.subject is None:
                return of_class
            return None if columns.subject is None else and_(of_class, columns.subject == grant.subject)
        case Role.PUPIL | Role.PARENT:
            return None if grant.pupil is None or columns.pupil is None else columns.pupil == grant.pupil
        case _:
            return true()


def _grants_of(person: Person | None, deed: Deed, school: str, now_ms: int) -> list[Grant]:
    if person is None or not _in_scopes(person, deed):
        return []
    held = [g for g in person.grants if g.holds(now_ms) and g.school in (None, school)]
    return [grant for grant in held if _grants(grant, deed, strong=person.strong)]


def _in_scopes(person: Person, deed: Deed) -> bool:
    return person.scopes is None or deed.value in person.scopes


# --- names --------------------------------------------------------------------------------------------------


class Names(NamedTuple):
    """Whose names somebody may read at one school."""

    everybody: bool
    pupils: frozenset[bytes]

    def shows(self, pseudonym: bytes) -> bool:
        """Whether the name of that pupil may be shown."""
        return self.everybody or pseudonym in self.pupils

    def open(self, pupils: Iterable[KnownPupil]) -> tuple[KnownPupil, ...]:
        """The pupils, those as `#seat` and without their number whose names are not to be shown."""
        return tuple(known if self.shows(known.pseudonym) else _nameless(known) for known in pupils)


def names_for(person: Person | None, school: str, now_ms: int) -> Names:
    """Whose names a person may read. Teachers and heads: those of their own school; pupils and parents: the child's."""
    some = Thing(school, SOME, subject=SOME)
    own = [g.pupil for g in _grants_of(person, Deed.SEE_PUPIL, school, now_ms) if g.role in (Role.PUPIL, Role.PARENT)]
    return Names(
        everybody=any(may(person, deed, some, now_ms) for deed in (Deed.SEE_CLASS, Deed.SEE_PUPIL)),
        pupils=frozenset(pupil for pupil in own if pupil is not None),
    )


def _nameless(known: KnownPupil) -> KnownPupil:
    pupil = known.pupil
    return KnownPupil(known.pseudonym, Pupil(pupil.class_name, pupil.seat, f"#{pupil.seat}", known.pseudonym.hex()))


# --- who may let whom in ------------------------------------------------------------------------------------


def may_grant(giver: Person | None, grant: Grant, now_ms: int) -> bool:
    """Whether a person may give that grant to somebody, or end it.

    An admin any within the own reach; a head what is of the own school, but no head; a teacher a class (and subject) of
    the own for a day, and of the own whole class its pupils' and parents' accounts. That a pupil is of the class that
    the grant names is for the caller to see.
    """
    if giver is None or not _in_scopes(giver, Deed.MANAGE_PEOPLE) or not is_sound(grant):
        return False
    givers = [g for g in giver.grants if g.holds(now_ms) and _grants(g, Deed.MANAGE_PEOPLE, strong=giver.strong)]
    return any(_may_give(own, grant, now_ms) for own in givers)


def may_reset(giver: Person | None, held: Iterable[Grant], now_ms: int) -> bool:
    """Whether a person may hand over a link to somebody's account, or close it: whoever has the link is that person.

    So only who could give all that it holds (`held`); an account without anything is an admin's of all schools.
    """
    lasting = [grant for grant in held if grant.until_ms is None or now_ms < grant.until_ms]
    if not lasting:
        return may(giver, Deed.MANAGE_PEOPLE, Thing(), now_ms)
    return all(may_grant(giver, grant, now_ms) for grant in lasting)


def _may_give(own: Grant, grant: Grant, now_ms: int) -> bool:
    if own.school not in (None, grant.school):
        return False
    match own.role:
        case Role.ADMIN:
            return True
        case Role.HEAD:
            return grant.school is not None and grant.role in (Role.TEACHER, Role.PUPIL, Role.PARENT)
        case Role.TEACHER if grant.class_name != own.class_name:
            return False
        case Role.TEACHER if grant.role is Role.TEACHER:
            short = grant.until_ms is not None and grant.until_ms <= now_ms + LENT_AT_MOST_MS
            return short and own.subject in (None, grant.subject)
        case Role.TEACHER:
            return own.subject is None and grant.role in (Role.PUPIL, Role.PARENT)
        case _:
            return False


def is_sound(grant: Grant) -> bool:
    """Whether a grant says what its role needs."""
    match grant.role:
        case Role.TEACHER:
            return grant.school is not None and bool(grant.class_name) and grant.pupil is None
        case Role.PUPIL | Role.PARENT:
            return grant.school is not None and grant.pupil is not None and grant.subject is None
        case Role.HEAD:
            return grant.school is not None and (grant.class_name, grant.subject, grant.pupil) == (None, None, None)
        case Role.DISTRICT:
            return (grant.school, grant.class_name, grant.subject, grant.pupil) == (None, None, None, None)
        case Role.ADMIN:
            return (grant.class_name, grant.subject, grant.pupil) == (None, None, None)
