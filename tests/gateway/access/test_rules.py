"""Who may do what: the rules for one thing, for the rows of a query, and for names."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Column, Integer, LargeBinary, MetaData, String, Table, create_engine, insert, select

from gateway.access.deeds import SOME, Deed, Thing
from gateway.access.person import Grant, Person, Role, anybody_here
from gateway.access.rules import (
    HOUR_MS,
    RowColumns,
    lacks_second_factor,
    may,
    may_grant,
    may_reset,
    names_for,
    rows_visible,
    visible_classes,
    visible_subjects,
)
from gateway.store.schools import KnownPupil
from homework.roster import Pupil

NOW = 1_000 * HOUR_MS
LI, WANG = b"l" * 16, b"w" * 16


def grant(role: Role, school: str | None = "no-1", class_name: str | None = None, **more) -> Grant:
    rest = {"subject": None, "pupil": None, "from_ms": 0, "until_ms": None, **more}
    return Grant(role, school, class_name, **rest)


def person(*grants: Grant, strong: bool = False, scopes: frozenset[str] | None = None) -> Person:
    return Person(id=7, login="wang", name="王老师", grants=grants, strong=strong, scopes=scopes)


MATHS = person(grant(Role.TEACHER, class_name="3-1", subject="math"))
WHOLE = person(grant(Role.TEACHER, class_name="3-1"))
LENT = person(grant(Role.TEACHER, class_name="3-1", from_ms=NOW - HOUR_MS, until_ms=NOW + HOUR_MS))
HEAD = person(grant(Role.HEAD))
PARENT = person(grant(Role.PARENT, class_name="3-1", pupil=LI))
DISTRICT = person(grant(Role.DISTRICT, school=None))
ADMIN = person(grant(Role.ADMIN, school=None))
SURE = person(grant(Role.ADMIN, school=None), strong=True)
EVERYBODY = (None, MATHS, WHOLE, LENT, HEAD, PARENT, DISTRICT, ADMIN, SURE)
OF_CHILDREN = (Deed.SEE_CLASS, Deed.SEE_PUPIL, Deed.SEE_CROP, Deed.CORRECT, Deed.SAY_ABSENT, Deed.EXPORT)
REPORT = Thing("no-1", "3-1", subject="math")


def test_whoever_is_not_signed_in_may_only_what_is_open() -> None:
    assert [deed for deed in Deed if may(None, deed, REPORT, NOW)] == [Deed.OPEN]


def test_a_teacher_sees_the_own_class_and_subject_and_no_other() -> None:
    assert may(MATHS, Deed.SEE_CLASS, REPORT, NOW)
    assert not may(MATHS, Deed.SEE_CLASS, Thing("no-1", "3-1", subject="chinese"), NOW)
    assert not may(MATHS, Deed.SEE_CLASS, Thing("no-1", "3-2", subject="math"), NOW)
    assert not may(MATHS, Deed.SEE_CLASS, Thing("no-2", "3-1", subject="math"), NOW)


def test_what_nobody_knows_the_subject_or_class_of_is_for_teachers_of_the_whole_class_and_for_heads() -> None:
    assert [may(who, Deed.SEE_CLASS, Thing("no-1", "3-1", subject=None), NOW) for who in (MATHS, WHOLE, HEAD)] == [
        False,
        True,
        True,
    ]
    assert [may(who, Deed.SEE_CLASS, Thing("no-1", "", subject="math"), NOW) for who in (MATHS, WHOLE, HEAD)] == [
        False,
        False,
        True,
    ]


def test_a_page_that_shows_each_what_is_theirs_opens_to_whoever_has_some() -> None:
    some = Thing("no-1", SOME, subject=SOME)
    assert [may(who, Deed.SEE_CLASS, some, NOW) for who in (MATHS, HEAD, DISTRICT, PARENT)] == [
        True,
        True,
        False,
        False,
    ]
    assert not may(MATHS, Deed.SEE_CLASS, Thing("no-2", SOME, subject=SOME), NOW)
    assert not may(MATHS, Deed.SEE_CLASS, Thing("no-1", "some", subject="some"), NOW), "no class's name stands for any"


def test_no_class_at_all_is_not_a_teachers() -> None:
    assert not may(MATHS, Deed.SEE_CLASS, Thing("no-1"), NOW)
    nameless = person(grant(Role.TEACHER, class_name=None))
    assert not any(may(nameless, deed, Thing("no-1"), NOW) for deed in OF_CHILDREN)


def test_a_substitute_teaches_until_the_end_and_takes_nothing_along() -> None:
    assert may(LENT, Deed.CORRECT, REPORT, NOW)
    for deed in (Deed.EDIT_ROSTER, Deed.EXPORT, Deed.MANAGE_PEOPLE):
        assert may(WHOLE, deed, REPORT, NOW)
        assert not may(LENT, deed, REPORT, NOW)
    assert not may(MATHS, Deed.EDIT_ROSTER, Thing("no-1", "3-1", subject=SOME), NOW), (
        "the class list is not a subject's"
    )


def test_a_grant_ends_with_the_millisecond_and_begins_with_it() -> None:
    end = LENT.grants[0].until_ms
    assert end is not None
    assert may(LENT, Deed.SEE_CLASS, REPORT, end - 1)
    assert not may(LENT, Deed.SEE_CLASS, REPORT, end)
    assert not may(LENT, Deed.SEE_CLASS, REPORT, LENT.grants[0].from_ms - 1)


def test_a_parent_sees_one_child_and_never_the_class() -> None:
    assert may(PARENT, Deed.SEE_PUPIL, Thing("no-1", "3-1", subject=None, pupil=LI), NOW)
    assert not may(PARENT, Deed.SEE_PUPIL, Thing("no-1", "3-1", subject=None, pupil=WANG), NOW)
    assert not may(PARENT, Deed.SEE_PUPIL, Thing("no-2", "3-1", subject=None, pupil=LI), NOW), (
        "the same pseudonym at another school"
    )
    assert not may(PARENT, Deed.SEE_CLASS, REPORT._replace(pupil=LI), NOW)


def test_the_district_sees_figures_and_nothing_of_any_child() -> None:
    assert may(DISTRICT, Deed.SEE_DISTRICT, Thing(), NOW)
    assert may(DISTRICT, Deed.SEE_SCHOOL, Thing("no-1"), NOW)
    assert not any(
        may(DISTRICT, deed, thing, NOW) for deed in OF_CHILDREN for thing in (REPORT, REPORT._replace(pupil=LI))
    )
    assert not may(HEAD, Deed.SEE_DISTRICT, Thing(), NOW)


def test_an_admin_sees_nothing_of_any_child_and_manages_only_with_a_second_factor() -> None:
    for who in (ADMIN, SURE):
        assert not any(
            may(who, deed, thing, NOW) for deed in OF_CHILDREN for thing in (REPORT, REPORT._replace(pupil=LI))
        )
    for deed in (Deed.MANAGE_PEOPLE, Deed.MANAGE_BOXES, Deed.DECIDE_HELD):
        assert not may(ADMIN, deed, Thing("no-1"), NOW)
        assert lacks_second_factor(ADMIN, deed, Thing("no-1"), NOW)
        assert may(SURE, deed, Thing("no-1"), NOW)
    assert not lacks_second_factor(ADMIN, Deed.SEE_CLASS, REPORT, NOW)


def test_a_week_is_seen_by_its_own_teacher_alone() -> None:
    assert may(MATHS, Deed.SEE_WEEK, Thing(person=7), NOW)
    assert not may(HEAD, Deed.SEE_WEEK, Thing(person=8), NOW)
    assert not may(PARENT, Deed.SEE_WEEK, Thing(person=7), NOW)


def test_a_key_for_programs_does_what_it_is_for_and_nothing_that_its_owner_may_not() -> None:
    key = person(*HEAD.grants, scopes=frozenset({"see-class", "see-district"}))
    assert [deed for deed in Deed if may(key, deed, REPORT, NOW)] == [Deed.OPEN, Deed.SEE_CLASS]
    assert visible_classes(key, "no-1", NOW) is None
    none = person(*HEAD.grants, scopes=frozenset())
    assert visible_classes(none, "no-1", NOW) == frozenset()
    assert not names_for(none, "no-1", NOW).shows(LI)


def test_whoever_sits_at_an_open_machine_may_everything() -> None:
    for deed in Deed:
        assert may(anybody_here(), deed, REPORT._replace(pupil=LI, person=0), NOW), deed


# --- many at once -------------------------------------------------------------------------------------------


def test_classes_and_subjects_to_show() -> None:
    two = person(*MATHS.grants, grant(Role.TEACHER, class_name="3-2"), grant(Role.TEACHER, "no-2", "9-9"))
    assert visible_classes(two, "no-1", NOW) == {"3-1", "3-2"}
    assert visible_subjects(two, "no-1", "3-1", NOW) == {"math"}
    assert visible_subjects(two, "no-1", "3-2", NOW) is None
    assert visible_subjects(two, "no-1", "3-3", NOW) == frozenset()
    assert visible_classes(HEAD, "no-1", NOW) is None
    assert visible_classes(HEAD, "no-2", NOW) == visible_classes(DISTRICT, "no-1", NOW) == frozenset()


SCHOOLS, CLASSES, SUBJECTS, PUPILS = ("no-1", "no-2"), ("3-1", "3-2", ""), ("math", "chinese", None), (LI, WANG, None)
ROWS = list(product(SCHOOLS, (*CLASSES, None), SUBJECTS, PUPILS))
_table = Table(
    *(
        "rows",
        MetaData(),
        Column("id", Integer, primary_key=True),
        Column("school", String),
        Column("class_name", String),
    ),
    *(Column("subject", String), Column("pupil", LargeBinary)),
)
_engine = create_engine("sqlite://")
_table.metadata.create_all(_engine)
with _engine.begin() as _connection:
    _names = ("id", "school", "class_name", "subject", "pupil")
    _connection.execute(insert(_table), [dict(zip(_names, (n, *row), strict=True)) for n, row in enumerate(ROWS)])

moments = st.sampled_from([NOW - 1, NOW, NOW + 1])
grants = st.builds(
    Grant,
    role=st.sampled_from(Role),
    school=st.sampled_from((*SCHOOLS, None)),
    class_name=st.sampled_from(("3-1", "3-2", None)),
    subject=st.sampled_from(SUBJECTS),
    pupil=st.sampled_from(PUPILS),
    from_ms=moments,
    until_ms=moments | st.none(),
)
scopes = st.none() | st.frozensets(st.sampled_from(["see-class", "see-pupil", "export"]))
people = st.builds(
    person_of := lambda held, strong, key: person(*held, strong=strong, scopes=key),
    st.lists(grants, max_size=4),
    st.booleans(),
    scopes,
)


@given(people, st.booleans(), st.booleans())
def test_a_query_shows_exactly_the_rows_that_may_be_seen_one_by_one(
    who: Person, by_subject: bool, by_pupil: bool
) -> None:
    c = _table.c
    columns = RowColumns(c.school, c.class_name, c.subject if by_subject else None, c.pupil if by_pupil else None)
    with _engine.connect() as connection:
        shown = set(connection.scalars(select(c.id).where(rows_visible(who, columns, NOW))))
    expected = set()
    for number, (school, class_name, subject, pupil) in enumerate(ROWS):
        thing = Thing(school, class_name, subject=subject if by_subject else None, pupil=pupil if by_pupil else None)
        if may(who, Deed.SEE_CLASS, thing, NOW) or (by_pupil and may(who, Deed.SEE_PUPIL, thing, NOW)):
            expected.add(number)
    assert shown == expected


@given(people)
def test_no_class_is_shown_of_which_nothing_may_be_seen(who: Person) -> None:
    for school, class_name in product(SCHOOLS, CLASSES):
        classes = visible_classes(who, school, NOW)
        shown = classes is None or class_name in classes
        assert shown == may(who, Deed.SEE_CLASS, Thing(school, class_name, subject=SOME), NOW)
        for subject in SUBJECTS:
            subjects = visible_subjects(who, school, class_name, NOW)
            seen = subjects is None or subject in subjects
            assert seen == may(who, Deed.SEE_CLASS, Thing(school, class_name, subject=subject), NOW)


# --- names --------------------------------------------------------------------------------------------------


def test_names_are_for_the_own_school_alone() -> None:
    known = [KnownPupil(LI, Pupil("3-1", 4, "李雷", "2026004")), KnownPupil(WANG, Pupil("3-1", 9, "王芳", "2026009"))]

    def read(who: Person | None, school: str = "no-1") -> list[str]:
        return [pupil.name for _, pupil in names_for(who, school, NOW).open(known)]

    assert read(MATHS) == read(LENT) == read(HEAD) == ["李雷", "王芳"]
    assert read(PARENT) == ["李雷", "#9"]
    for who in (None, DISTRICT, ADMIN, SURE):
        assert read(who) == ["#4", "#9"]
    assert read(HEAD, "no-2") == ["#4", "#9"]
    assert [pupil.pupil_id for _, pupil in names_for(DISTRICT, "no-1", NOW).open(known)] == [LI.hex(), WANG.hex()]


@given(people)
def test_no_name_is_shown_to_whoever_may_see_nothing_of_that_pupil(who: Person) -> None:
    for school, pupil in product(SCHOOLS, (LI, WANG)):
        if names_for(who, school, NOW).shows(pupil):
            some, own = (Thing(school, SOME, subject=SOME, pupil=one) for one in (None, pupil))
            see = [may(who, Deed.SEE_CLASS, some, NOW), *(may(who, Deed.SEE_PUPIL, each, NOW) for each in (some, own))]
            assert any(see)


# --- who may let whom in ------------------------------------------------------------------------------------

FOR_A_DAY = grant(Role.TEACHER, class_name="3-1", subject="math", from_ms=NOW, until_ms=NOW + 8 * HOUR_MS)
CHILD = grant(Role.PUPIL, class_name="3-1", pupil=LI)
GIFTS = {
    "substitute": FOR_A_DAY,
    "teacher": grant(Role.TEACHER, class_name="3-1"),
    "pupil": CHILD,
    "head": grant(Role.HEAD),
    "school's admin": grant(Role.ADMIN),
    "district": grant(Role.DISTRICT, school=None),
    "admin": grant(Role.ADMIN, school=None),
}


@pytest.mark.parametrize(
    ("giver", "gifts"),
    [
        (None, []),
        (MATHS, ["substitute"]),
        (WHOLE, ["substitute", "pupil"]),
        (LENT, []),
        (PARENT, []),
        (DISTRICT, []),
        (HEAD, ["substitute", "teacher", "pupil"]),
        (ADMIN, []),
        (person(grant(Role.ADMIN), strong=True), ["substitute", "teacher", "pupil", "head", "school's admin"]),
        (SURE, list(GIFTS)),
    ],
)
def test_nobody_gives_more_than_their_own_place_allows(giver: Person | None, gifts: list[str]) -> None:
    assert [name for name, gift in GIFTS.items() if may_grant(giver, gift, NOW)] == gifts


def test_nobody_gets_at_an_account_that_may_more_than_they_could_give() -> None:
    teacher, office = GIFTS["teacher"], GIFTS["admin"]
    assert may_reset(HEAD, [teacher, CHILD], NOW)
    assert not may_reset(HEAD, [teacher, office], NOW), "a head would be an admin"
    assert not may_reset(HEAD, [teacher, grant(Role.TEACHER, "no-2", "9-9")], NOW)
    assert not may_reset(WHOLE, [teacher], NOW)
    assert may_reset(WHOLE, [CHILD], NOW)
    assert not may_reset(HEAD, [], NOW)
    assert may_reset(SURE, [], NOW)
    over = grant(Role.ADMIN, school=None, from_ms=0, until_ms=NOW)
    assert not may_reset(HEAD, [over], NOW)


def test_a_class_is_lent_for_a_day_and_to_nobody_elses_lesson() -> None:
    def lent(class_name: str = "3-1", subject: str | None = "math", hours: int = 16, school: str = "no-1") -> Grant:
        until = NOW + hours * HOUR_MS
        return grant(Role.TEACHER, school, class_name, subject=subject, from_ms=NOW, until_ms=until)

    assert may_grant(MATHS, lent(), NOW)
    for wrong in (lent(hours=17), lent("3-2"), lent(subject="chinese"), lent(subject=None), lent(school="no-2")):
        assert not may_grant(MATHS, wrong, NOW)


def test_what_does_not_say_what_its_role_needs_is_given_by_nobody() -> None:
    for bad in (
        *(grant(Role.TEACHER), grant(Role.TEACHER, class_name=""), grant(Role.TEACHER, school=None, class_name="3-1")),
        *(
            grant(Role.PUPIL, class_name="3-1"),
            grant(Role.HEAD, school=None),
            grant(Role.DISTRICT),
            grant(Role.HEAD, class_name="3-1"),
        ),
    ):
        assert not any(may_grant(who, bad, NOW) for who in EVERYBODY)
