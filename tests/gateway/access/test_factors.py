"""The second factor and the ties to a provider, in both databases."""

import asyncio

import pyotp
import pytest
from sqlalchemy import insert, select

from gateway.access.access import Access
from gateway.access.factors import Factor, Used, factor_of, replace_codes, turn_off, turn_on, use_code
from gateway.access.ties import Identity, TiedElsewhereError, is_tied, person_of_identity, tie, untie
from gateway.access.totp import new_recovery_codes, new_secret, recovery_digest
from gateway.access.tries import TooOftenError
from gateway.keys import Vault
from gateway.store.store import Store
from gateway.store.tables.people import people, recovery_codes
from homework.errors import ClassboxError
from tests.gateway.access.conftest import Clock

ON_BOTH = True
NOW_S = 1_796_000_000.0
LIN, WANG = 11, 12
HERE = Identity("https://login.example", "teacher-7")


@pytest.fixture
async def somebody(store: Store) -> Store:
    async with store.writing() as connection:
        for person in (LIN, WANG):
            sealed = store.vault.seal("林老师".encode(), purpose=f"person {person}")
            await connection.execute(
                insert(people).values(person_id=person, login=f"p{person}", name_sealed=sealed, made_ms=0)
            )
    return store


async def tried(store: Store, code: str, person: int = LIN, now_s: float = NOW_S) -> Used | None:
    async with store.writing() as connection:
        return await use_code(connection, store.vault, person, code, now_s=now_s)


async def with_factor(store: Store, person: int = LIN) -> tuple[pyotp.TOTP, tuple[str, ...]]:
    secret, codes = new_secret(), new_recovery_codes()
    async with store.writing() as connection:
        await turn_on(connection, store.vault, person, secret=secret, step=int(NOW_S // 30) - 5, codes=codes)
    return pyotp.TOTP(secret), codes


async def test_a_code_of_the_phone_is_good_once(somebody: Store) -> None:
    phone, _codes = await with_factor(somebody)
    assert await tried(somebody, phone.at(NOW_S)) is Used.PHONE
    assert await tried(somebody, phone.at(NOW_S)) is None
    assert await tried(somebody, phone.at(NOW_S - 30)) is None
    assert await tried(somebody, phone.at(NOW_S + 30), now_s=NOW_S + 30) is Used.PHONE


async def test_of_many_that_try_one_code_at_once_one_comes_in(somebody: Store) -> None:
    phone, codes = await with_factor(somebody)
    for code, kind in ((phone.at(NOW_S), Used.PHONE), (codes[3], Used.PAPER)):
        came_in = await asyncio.gather(*(tried(somebody, code) for _ in range(6)))
        assert sorted(came_in, key=str) == [None] * 5 + [kind]


async def test_a_code_that_is_being_used_is_not_good_at_another_gateway(somebody: Store) -> None:
    phone, codes = await with_factor(somebody)
    for code in (phone.at(NOW_S), codes[0]):
        async with somebody.writing() as connection:
            assert await use_code(connection, somebody.vault, LIN, code, now_s=NOW_S) is not None
            beside = asyncio.create_task(tried(somebody, code))
            await asyncio.sleep(0.2)
        assert await beside is None


async def test_the_code_that_turned_it_on_is_used_up(somebody: Store) -> None:
    secret = new_secret()
    async with somebody.writing() as connection:
        await turn_on(connection, somebody.vault, LIN, secret=secret, step=int(NOW_S // 30), codes=())
    assert await tried(somebody, pyotp.TOTP(secret).at(NOW_S)) is None


async def test_each_code_on_paper_is_good_once_and_for_its_owner(somebody: Store) -> None:
    _phone, codes = await with_factor(somebody)
    await with_factor(somebody, WANG)
    assert await tried(somebody, codes[0], person=WANG) is None
    assert await tried(somebody, codes[0].lower().replace("-", " ")) is Used.PAPER
    assert await tried(somebody, codes[0]) is None
    async with somebody.reading() as connection:
        assert await factor_of(connection, LIN) == Factor(True, 9)


async def test_new_codes_on_paper_end_the_old(somebody: Store) -> None:
    _phone, old = await with_factor(somebody)
    new = new_recovery_codes()
    async with somebody.writing() as connection:
        await replace_codes(connection, LIN, new)
    assert await tried(somebody, old[0]) is None
    assert await tried(somebody, new[0]) is Used.PAPER


async def test_without_a_second_factor_no_code_is_right(somebody: Store) -> None:
    phone, codes = await with_factor(somebody)
    async with somebody.writing() as connection:
        await turn_off(connection, somebody.vault, LIN)
    for code in (phone.at(NOW_S), codes[0], "", "000000"):
        assert await tried(somebody, code) is None
    assert await tried(somebody, phone.at(NOW_S), person=99) is None
    async with somebody.reading() as connection:
        assert await factor_of(connection, LIN) == Factor(False, 0)


async def test_the_database_alone_makes_no_code(somebody: Store) -> None:
    """Sealed under the gateway's key and tied to its person; the codes on paper are there as digests."""
    phone, codes = await with_factor(somebody)
    async with somebody.reading() as connection:
        sealed = (await connection.execute(select(people.c.totp_sealed).where(people.c.person_id == LIN))).scalar()
        digests = {row.digest for row in await connection.execute(select(recovery_codes.c.digest))}
    assert sealed is not None
    assert phone.secret.encode() not in sealed
    assert digests == {recovery_digest(code) for code in codes}
    with pytest.raises(ClassboxError):
        Vault(b"x" * 32).open(sealed, purpose=f"second factor {LIN}")
    with pytest.raises(ClassboxError):
        somebody.vault.open(sealed, purpose=f"second factor {WANG}")


async def charged(access: Access, times: int, person: int = LIN) -> None:
    for _ in range(times):
        async with access.store.writing() as connection:
            await access.tries.charge_code(connection, person)


async def test_codes_can_be_tried_ten_times_and_then_once_in_a_while(access: Access, clock: Clock) -> None:
    await charged(access, 10)
    with pytest.raises(TooOftenError):
        await charged(access, 1)
    await charged(access, 10, person=WANG)
    clock.pass_hours(0.25)
    await charged(access, 1)
    with pytest.raises(TooOftenError):
        await charged(access, 1)


async def test_whoever_gives_right_codes_never_waits(access: Access) -> None:
    for _ in range(30):
        await charged(access, 1)
        async with access.store.writing() as connection:
            await access.tries.forgive_code(connection, LIN)


async def test_a_restart_gives_no_new_tries_of_codes(access: Access, clock: Clock) -> None:
    await charged(access, 10)
    again = Access(access.store, now_ms=clock)
    with pytest.raises(TooOftenError):
        await charged(again, 1)


async def test_an_identity_is_one_persons_and_a_person_has_one(somebody: Store) -> None:
    async with somebody.writing() as connection:
        assert await person_of_identity(connection, HERE) is None
        await tie(connection, HERE, LIN, now_ms=1)
        await tie(connection, HERE, LIN, now_ms=2)
        assert await person_of_identity(connection, HERE) == LIN
        with pytest.raises(TiedElsewhereError, match="somebody else"):
            await tie(connection, HERE, WANG, now_ms=3)
        another = HERE._replace(subject="teacher-8")
        await tie(connection, another, LIN, now_ms=4)
        assert await person_of_identity(connection, HERE) is None
        assert await person_of_identity(connection, another) == LIN
        await tie(connection, HERE, WANG, now_ms=5)


async def test_a_subject_is_somebody_only_at_its_own_provider(somebody: Store) -> None:
    async with somebody.writing() as connection:
        await tie(connection, HERE, LIN, now_ms=1)
        assert await person_of_identity(connection, HERE._replace(issuer="https://evil.example")) is None
        await untie(connection, "https://evil.example", LIN)
        assert await is_tied(connection, HERE.issuer, LIN)
        await untie(connection, HERE.issuer, LIN)
        assert not await is_tied(connection, HERE.issuer, LIN)


async def test_whoever_may_no_longer_come_in_does_not_by_another_door(somebody: Store) -> None:
    async with somebody.writing() as connection:
        await tie(connection, HERE, LIN, now_ms=1)
        await connection.execute(people.update().where(people.c.person_id == LIN).values(disabled_ms=2))
        assert await person_of_identity(connection, HERE) is None
