"""Accounts, sessions, links, grants and the audit, in real databases."""

import asyncio
from contextlib import suppress

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import DBAPIError

from gateway.access import grants as giving
from gateway.access.access import PENDING, Access, WrongError
from gateway.access.audit import lines
from gateway.access.deeds import Deed, Thing
from gateway.access.links import Kind, make_link, use_link, who_by_link
from gateway.access.passwords import checked_password
from gateway.access.people import (
    account,
    account_called,
    add_person,
    checked_login,
    disable,
    set_password,
    set_totp,
    totp_secret,
    use_totp_step,
)
from gateway.access.person import Grant, Role
from gateway.access.rules import HOUR_MS, LENT_AT_MOST_MS, may
from gateway.access.tries import TooOftenError
from gateway.simulated_school import SimulatedSchool
from gateway.store.store import Store
from gateway.store.tables import people as tables
from homework.errors import UsageError
from sync.errors import StoreTrouble
from tests.gateway.access.conftest import GOOD, Clock
from tests.gateway.databases import POSTGRESQL, SQLITE
from ui.sessions import token_digest

on_both = pytest.mark.parametrize("database", [SQLITE, POSTGRESQL], indirect=True)
WRONG = "wrong horse battery"


async def somebody(access: Access, login: str = "wang", password: str | None = GOOD) -> int:
    hashed = None if password is None else await access.passwords.hashed(password)
    async with access.store.writing() as connection:
        person = await add_person(connection, access.store.vault, login=login, name="王老师", now_ms=access.now_ms())
        if hashed is not None:
            await set_password(connection, person, hashed)
    return person


def asks(cookies: dict[str, str] | None = None, address: str = "10.0.0.1") -> web.Request:
    crumbs = "; ".join(f"{name}={value}" for name, value in (cookies or {}).items())
    transport_told = make_mocked_request("POST", "/login", headers={"Cookie": crumbs, "User-Agent": "A browser"})
    return transport_told.clone(remote=address)


async def welcomed(access: Access, person: int, cookies: dict[str, str] | None = None, **how: object) -> dict[str, str]:
    """The cookies of a browser in which somebody has signed in."""
    response = web.Response()
    await access.welcome(asks(cookies), response, person, **{"by": "password", **how})  # type: ignore[arg-type]
    kept = {**(cookies or {}), **{name: morsel.value for name, morsel in response.cookies.items()}}
    return {name: value for name, value in kept.items() if value}


def teacher(school: str = "no-1", class_name: str = "3-1", **more: object) -> Grant:
    values = {"subject": None, "pupil": None, "from_ms": 0, "until_ms": None, **more}
    return Grant(Role.TEACHER, school, class_name, **values)  # type: ignore[arg-type]


# --- accounts -----------------------------------------------------------------------------------------------


async def test_a_name_lies_sealed_in_the_database_and_opens_again(access: Access) -> None:
    person = await somebody(access)
    async with access.store.reading() as connection:
        found = await account(connection, access.store.vault, person)
        kept = await connection.scalar(select(tables.people.c.name_sealed))
    assert found is not None
    assert (found.name, found.login) == ("王老师", "wang")
    assert kept is not None
    assert "王老师".encode() not in kept


@on_both
async def test_two_people_cannot_sign_in_by_the_same_name_however_it_is_typed(access: Access) -> None:
    await somebody(access)
    with pytest.raises(UsageError):
        await somebody(access, "ＷＡＮＧ ")
    async with access.store.reading() as connection:
        assert await account_called(connection, access.store.vault, " Wang") is not None


@pytest.mark.parametrize("login", ["", "w", "a:b", "<script>", "x" * 65, "../etc", "王:老师"])
def test_what_cannot_be_a_name_to_sign_in_with_is_said(login: str) -> None:
    with pytest.raises(UsageError):
        checked_login(login)


@pytest.mark.parametrize(
    "password", ["", "short", "1234567890", "aaaaaaaaaaaa", "9876543210", "x" * 129, "wang-wang-1"]
)
def test_a_password_that_is_guessed_at_once_is_refused(password: str) -> None:
    with pytest.raises(UsageError):
        checked_password(password, password, login="wang")


async def test_a_password_is_the_same_from_every_keyboard(access: Access) -> None:
    await somebody(access, password="ｃorrect horse battery")
    assert (await access.by_password(asks(), "wang", GOOD)).login == "wang"


# --- signing in ---------------------------------------------------------------------------------------------


@on_both
async def test_the_right_password_signs_in_and_the_session_says_who_and_what(
    access: Access, school: SimulatedSchool
) -> None:
    person = await somebody(access)
    async with access.store.writing() as connection:
        await giving.give(connection, person, teacher(school.school), by=0)
    found = await access.by_password(asks(), "wang", GOOD)
    cookies = await welcomed(access, found.id)
    who = await access.sessions.person(cookies["classbox"])
    assert who is not None
    assert (who.id, who.name, who.strong, len(who.grants)) == (person, "王老师", False, 1)
    assert await access.sessions.person("forged") is None
    async with access.store.reading() as connection:
        kept = await connection.scalar(select(tables.sessions.c.digest))
    assert kept == token_digest(cookies["classbox"]) != cookies["classbox"].encode()


async def test_a_wrong_password_an_unknown_name_a_closed_account_and_an_open_invitation_look_the_same(
    access: Access,
) -> None:
    await somebody(access)
    await somebody(access, "invited", password=None)
    closed = await somebody(access, "closed")
    async with access.store.writing() as connection:
        await disable(connection, closed, now_ms=access.now_ms())
    said = set()
    for login, password in (
        ("wang", WRONG),
        ("nobody", GOOD),
        ("closed", GOOD),
        ("invited", GOOD),
        ("wang", "x" * 500),
    ):
        with pytest.raises(WrongError) as wrong:
            await access.by_password(asks(), login, password)
        said.add(str(wrong.value))
    assert len(said) == 1


async def test_a_session_that_was_planted_in_a_browser_is_never_the_one_that_opens(access: Access) -> None:
    planted = "a" * 43
    cookies = await welcomed(access, await somebody(access), {"classbox": planted})
    assert cookies["classbox"] != planted
    assert await access.sessions.person(planted) is None


async def test_signing_in_anew_ends_what_the_browser_had(access: Access) -> None:
    person = await somebody(access)
    first = await welcomed(access, person)
    second = await welcomed(access, person, first)
    assert await access.sessions.person(first["classbox"]) is None
    assert await access.sessions.person(second["classbox"]) is not None


async def test_a_session_ends_by_itself_without_use_and_at_the_latest_after_its_whole_time(
    access: Access, clock: Clock
) -> None:
    token = (await welcomed(access, await somebody(access)))["classbox"]
    for _ in range(29):
        clock.pass_hours(11)
        assert await access.sessions.person(token) is not None
    clock.pass_hours(12)
    assert await access.sessions.person(token) is None
    other = (await welcomed(access, await somebody(access, "li")))["classbox"]
    for _ in range(66):
        clock.pass_hours(10.9)
        await access.sessions.person(other)
    clock.pass_hours(1)
    assert await access.sessions.person(other) is None


async def test_what_another_gateway_ended_is_over_within_five_seconds(access: Access, clock: Clock) -> None:
    person = await somebody(access)
    token = (await welcomed(access, person))["classbox"]
    assert await access.sessions.person(token) is not None
    async with access.store.writing() as connection:
        await disable(connection, person, now_ms=clock())
    clock.pass_ms(5_000)
    assert await access.sessions.person(token) is None


@on_both
async def test_a_new_password_ends_every_session_but_the_one_that_chose_it(access: Access) -> None:
    person = await somebody(access)
    mine, thiefs = (await welcomed(access, person)), (await welcomed(access, person))
    hashed = await access.passwords.hashed("another fine sentence")
    async with access.store.writing() as connection:
        link = await make_link(connection, Kind.RESET, person, by=0, now_ms=access.now_ms())
        await set_password(connection, person, hashed, but_session=token_digest(mine["classbox"]))
        assert await use_link(connection, Kind.RESET, link, now_ms=access.now_ms()) is None, (
            "an old link is no way back"
        )
    access.sessions.forget(person)
    assert await access.sessions.person(mine["classbox"]) is not None
    assert await access.sessions.person(thiefs["classbox"]) is None


async def test_nobody_ends_another_persons_session(access: Access) -> None:
    wang, li = await somebody(access), await somebody(access, "li")
    token = (await welcomed(access, wang))["classbox"]
    async with access.store.writing() as connection:
        assert not await access.sessions.close(connection, li, token_digest(token))
        assert await access.sessions.close(connection, wang, token_digest(token))
    assert await access.sessions.person(token) is None


@on_both
async def test_of_many_sessions_the_oldest_end(access: Access, clock: Clock) -> None:
    person = await somebody(access)
    tokens = []
    for _ in range(22):
        clock.pass_ms(1000)
        tokens.append((await welcomed(access, person))["classbox"])
    alive = [await access.sessions.person(token) is not None for token in tokens]
    assert alive == [False] * 2 + [True] * 20


async def test_a_hash_of_less_work_than_todays_is_made_anew(access: Access) -> None:
    person = await somebody(access)
    access.passwords.is_weaker_than_now = lambda _kept: True  # type: ignore[method-assign]
    before = (await access.by_password(asks(), "wang", GOOD)).password
    async with access.store.reading() as connection:
        after = await account(connection, access.store.vault, person)
    assert after is not None
    assert after.password not in (before, None)
    assert await access.passwords.matches(GOOD, after.password)


# --- tries --------------------------------------------------------------------------------------------------


async def tried(access: Access, request: web.Request, password: str, login: str = "wang") -> str:
    try:
        await access.by_password(request, login, password)
    except TooOftenError:
        return "wait"
    except WrongError:
        return "wrong"
    return "in"


@on_both
async def test_a_thousand_wrong_passwords_keep_the_right_person_out_neither_at_home_nor_for_ever(
    access: Access, clock: Clock
) -> None:
    own = await welcomed(access, await somebody(access))
    strangers = [asks(address=f"10.0.{n}.1") for n in range(50)]
    passed = 0
    async with access.store.writing() as connection:
        for n in range(1000):
            with suppress(TooOftenError):
                await access.tries.charge(connection, strangers[n % 50], "wang", None)
                passed += 1
    assert passed == 30
    assert await tried(access, asks(own), GOOD) == "in", "from the own browser"
    assert await tried(access, asks(), GOOD) == "wait", "from a strange one"
    clock.pass_ms(5 * 60_000)
    assert await tried(access, asks(), GOOD) == "in", "later also from there"


async def test_a_restart_gives_no_new_tries(access: Access, store: Store, clock: Clock) -> None:
    await somebody(access)
    for n in range(30):
        await tried(access, asks(address=f"10.0.{n}.1"), WRONG)
    fresh = Access(store, passwords=access.passwords, now_ms=clock)
    assert await tried(fresh, asks(address="10.9.9.9"), GOOD) == "wait"


async def test_an_address_that_tries_many_names_waits_and_others_do_not(access: Access) -> None:
    await somebody(access)
    said = [await tried(access, asks(), WRONG, f"name-{n}") for n in range(40)]
    assert said.count("wrong") == 20
    assert await tried(access, asks(address="10.0.0.2"), GOOD) == "in"


@on_both
async def test_tries_at_once_do_not_all_pass_as_the_first(access: Access) -> None:
    await somebody(access)
    said = await asyncio.gather(*(tried(access, asks(address=f"10.0.{n}.1"), WRONG) for n in range(40)))
    assert said.count("wrong") == 30


async def test_another_persons_browser_is_a_strange_one(access: Access) -> None:
    await somebody(access)
    lis = await welcomed(access, await somebody(access, "li"))
    for n in range(30):
        await tried(access, asks(address=f"10.0.{n}.1"), WRONG)
    assert await tried(access, asks({"classbox-device": lis["classbox-device"]}), GOOD) == "wait"


# --- second factor's hooks ------------------------------------------------------------------------------------


async def test_between_password_and_second_factor_nothing_is_open(access: Access) -> None:
    person = await somebody(access)
    async with access.store.reading() as connection:
        who = await account(connection, access.store.vault, person)
    assert who is not None
    response = web.Response()
    await access.ask_for_code(asks(), response, who)
    kept = {f"classbox{PENDING}": response.cookies[f"classbox{PENDING}"].value}
    found = await access.pending(asks(kept))
    assert found is not None
    assert found.id == person
    assert await access.sessions.person(kept[f"classbox{PENDING}"]) is None
    cookies = await welcomed(access, person, kept, by="code", strong=True)
    signed = await access.sessions.person(cookies["classbox"])
    assert signed is not None
    assert signed.strong
    with pytest.raises(WrongError):
        await welcomed(access, person, kept, by="code", strong=True)
    with pytest.raises(WrongError):
        await welcomed(access, person, by="code", strong=True)


@on_both
async def test_a_secret_lies_sealed_and_a_step_counts_once(access: Access) -> None:
    person = await somebody(access)
    async with access.store.writing() as connection:
        await set_totp(connection, access.store.vault, person, b"SECRET")
        who = await account(connection, access.store.vault, person)
        assert who is not None
        assert totp_secret(access.store.vault, who) == b"SECRET"
        assert b"SECRET" not in (who.totp_sealed or b"")
        assert [await use_totp_step(connection, person, step) for step in (7, 7, 6, 8)] == [True, False, False, True]


# --- links --------------------------------------------------------------------------------------------------


async def test_a_link_lets_in_once_for_what_it_was_made_and_not_for_ever(access: Access, clock: Clock) -> None:
    person = await somebody(access, password=None)
    async with access.store.writing() as connection:
        secret = await make_link(connection, Kind.INVITE, person, by=0, now_ms=clock())
        assert await use_link(connection, Kind.RESET, secret, now_ms=clock()) is None
        assert await use_link(connection, Kind.INVITE, secret + "x", now_ms=clock()) is None
        assert await who_by_link(connection, Kind.INVITE, secret, now_ms=clock()) == person
        assert await use_link(connection, Kind.INVITE, secret, now_ms=clock()) == person
        assert await use_link(connection, Kind.INVITE, secret, now_ms=clock()) is None
        late = await make_link(connection, Kind.INVITE, person, by=0, now_ms=clock())
        assert await use_link(connection, Kind.INVITE, late, now_ms=clock() + 14 * 24 * HOUR_MS) is None


@on_both
async def test_of_two_who_open_a_link_at_once_one_comes_in(access: Access) -> None:
    person = await somebody(access, password=None)
    async with access.store.writing() as connection:
        secret = await make_link(connection, Kind.INVITE, person, by=0, now_ms=access.now_ms())

    async def used() -> int | None:
        async with access.store.writing() as connection:
            return await use_link(connection, Kind.INVITE, secret, now_ms=access.now_ms())

    async with access.store.writing() as connection:
        assert await use_link(connection, Kind.INVITE, secret, now_ms=access.now_ms()) == person
        second = asyncio.create_task(used())
        await asyncio.sleep(0.2)  # it has looked, where it can, before this one is committed
    assert await second is None


# --- grants -------------------------------------------------------------------------------------------------


@on_both
async def test_grants_are_kept_by_school_and_an_ended_one_holds_no_longer(
    access: Access, school: SimulatedSchool
) -> None:
    person, now_ms = await somebody(access), access.now_ms()
    office = Grant(Role.ADMIN, None, None, None, None, now_ms, None)
    async with access.store.writing() as connection:
        first = await giving.give(connection, person, teacher(school.school, subject="数学"), by=7)
        assert await giving.give(connection, person, teacher(school.school, subject="math"), by=8) == first, "the same"
        await giving.give(connection, person, office, by=7)
        held = await giving.grants_of(connection, person, now_ms)
        assert [one.grant for one in held] == [office, teacher(school.school, subject="math")]
        (one,) = await giving.grants_at(connection, school.school, now_ms)
        assert (one.id, one.by) == (first, 7)
        await giving.end(connection, one, now_ms=now_ms)
        assert [each.grant.role for each in await giving.grants_of(connection, person, now_ms)] == [Role.ADMIN]
        assert await connection.scalar(select(func.count()).select_from(tables.grants)) == 1, "it stays written down"


async def test_no_grant_is_of_a_school_or_a_pupil_that_there_is_not(access: Access, school: SimulatedSchool) -> None:
    person = await somebody(access)
    (pupil, *_) = school.pupils.roster.pupils
    parent = Grant(Role.PARENT, school.school, pupil.class_name, None, b"x" * 16, 0, None)
    for bad in (teacher("no-such"), parent):
        with pytest.raises(UsageError):
            async with access.store.writing() as connection:
                await giving.give(connection, person, bad, by=0)


async def test_a_substitute_is_out_at_midnight_without_anybody_doing_anything(
    access: Access, school: SimulatedSchool, clock: Clock
) -> None:
    person = await somebody(access)
    lent = teacher(school.school, from_ms=clock(), until_ms=giving.midnight_ms(clock()))
    async with access.store.writing() as connection:
        await giving.give(connection, person, lent, by=0)
    token = (await welcomed(access, person))["classbox"]
    assert lent.until_ms is not None
    while clock.now_ms < lent.until_ms - 2 * HOUR_MS:
        clock.pass_hours(2)
        assert await access.sessions.person(token) is not None
    clock.now_ms = lent.until_ms - 1
    who = await access.sessions.person(token)
    here = Thing(school.school, "3-1", subject="math")
    assert may(who, Deed.SEE_CLASS, here, clock())
    clock.pass_ms(1)
    assert not may(await access.sessions.person(token), Deed.SEE_CLASS, here, clock()), "also while it is remembered"


@pytest.mark.parametrize("hour_ms", range(0, 24 * HOUR_MS, 3 * HOUR_MS))
def test_a_day_ends_at_midnight_or_after_sixteen_hours(hour_ms: int, clock: Clock) -> None:
    end_ms = giving.midnight_ms(clock() + hour_ms)
    assert clock() + hour_ms < end_ms <= clock() + hour_ms + LENT_AT_MOST_MS


# --- the audit ------------------------------------------------------------------------------------------------


@on_both
async def test_what_was_done_is_written_by_school_and_cannot_be_changed(
    access: Access, school: SimulatedSchool
) -> None:
    access.audit.note(7, Deed.EXPORT, Thing(school.school, "3-1", "homework-1"))
    access.audit.note(7, "sign-in", Thing(person=7), "password")
    access.audit.note(7, Deed.SEE_CLASS, Thing("no-such", "3-1"), "refused")
    await access.audit.flush()
    await access.audit.flush()
    async with access.store.reading() as connection:
        (export,) = await lines(connection, school.school)
        wide = await lines(connection, None)
    assert (export.deed, export.thing, export.person) == ("export", "class=3-1 assignment=homework-1", 7)
    assert {line.thing for line in wide} == {"person=7", "school=no-such class=3-1"}
    for statement in (delete(tables.audit), update(tables.audit).values(person_id=8), delete(tables.office_audit)):
        with pytest.raises((DBAPIError, StoreTrouble)):
            async with access.store.writing() as connection:
                await connection.execute(statement)


@on_both
async def test_a_page_that_is_fetched_with_each_sheet_is_one_look(
    access: Access, school: SimulatedSchool, clock: Clock
) -> None:
    for _ in range(45):
        access.audit.note_look(7, Deed.SEE_CLASS, Thing(school.school, "3-1"))
        clock.pass_ms(1000)
    access.audit.note_look(8, Deed.SEE_CLASS, Thing(school.school, "3-1"))
    clock.pass_ms(10 * 60_000)
    access.audit.note_look(7, Deed.SEE_CLASS, Thing(school.school, "3-1"))
    await access.audit.flush()
    async with access.store.reading() as connection:
        found = await lines(connection, school.school, limit=2)
        rest = await lines(connection, school.school, before=(found[-1].at_ms, found[-1].id))
    assert sorted(line.person for line in (*found, *rest)) == [7, 7, 8]


async def test_what_could_not_be_written_waits(access: Access, school: SimulatedSchool) -> None:
    access.audit.note(7, Deed.EXPORT, Thing(school.school))
    writing = access.store.writing

    def away() -> None:
        raise StoreTrouble("Away.", remedy="Wait.")

    access.store.writing = away  # type: ignore[method-assign,assignment]
    with pytest.raises(StoreTrouble):
        await access.audit.flush()
    access.store.writing = writing  # type: ignore[method-assign]
    await access.audit.flush()
    async with access.store.reading() as connection:
        assert len(await lines(connection, school.school)) == 1
