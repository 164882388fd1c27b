"""`classgate user code-off`, `tie` and `untie`: for whoever is locked out, and for ties that an administrator makes."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest
from click.testing import CliRunner, Result
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access.access import Access
from gateway.access.factors import factor_of, turn_on
from gateway.access.people import account_called
from gateway.access.ties import Identity, person_of_identity
from gateway.access.totp import new_recovery_codes, new_secret
from gateway.cli import main
from gateway.config import load_config
from gateway.store.store import Store, open_store

T = TypeVar("T")
SSO = '[sso]\nissuer = "https://login.example"\nclient_id = "us"\ntitle = "SSO"\n'


class Office:
    def __init__(self, folder: Path, more: str) -> None:
        self.toml = folder / "gateway.toml"
        self.toml.write_text('data = "data"\n' + more)

    def __call__(self, *words: str) -> Result:
        return CliRunner().invoke(main, ["user", *words, "--config", str(self.toml)], env={"CLASSBOX_LANG": "en"})

    def ask(self, work: Callable[[Store, AsyncConnection], Awaitable[T]]) -> T:
        async def asked() -> T:
            async with open_store(load_config(self.toml)) as store, store.writing() as connection:
                return await work(store, connection)

        return asyncio.run(asked())


@pytest.fixture
def office(tmp_path: Path) -> Office:
    made = Office(tmp_path, SSO)
    for login in ("wang", "lin"):
        assert made("add", "老师", "--login", login, "--role", "admin").exit_code == 0
    return made


async def number(store: Store, connection: AsyncConnection, login: str) -> int:
    who = await account_called(connection, store.vault, login)
    assert who is not None
    return who.id


def test_whoever_lost_phone_and_paper_gets_in_by_the_password_again(office: Office) -> None:
    async def enrol(store: Store, connection: AsyncConnection) -> None:
        wang = await number(store, connection, "wang")
        codes = new_recovery_codes()
        await turn_on(connection, store.vault, wang, secret=new_secret(), step=1, codes=codes)
        await Access(store).sessions.open(connection, wang, "A browser", strong=True)

    async def state(store: Store, connection: AsyncConnection) -> tuple[bool, int]:
        wang = await number(store, connection, "wang")
        return (await factor_of(connection, wang)).on, len(await Access(store).sessions.of(connection, wang))

    office.ask(enrol)
    assert office.ask(state) == (True, 1)
    said = office("code-off", "Wang")
    assert (said.exit_code, said.output) == (0, "The second step of wang is off: the password alone signs in.\n")
    assert office.ask(state) == (False, 0)


def test_an_administrator_ties_and_unties(office: Office) -> None:
    async def whose(store: Store, connection: AsyncConnection) -> tuple[int | None, int]:
        found = await person_of_identity(connection, Identity("https://login.example", "248289761001"))
        return found, await number(store, connection, "wang")

    assert office("tie", "wang", "248289761001").output == "wang signs on with SSO from now on.\n"
    found, wang = office.ask(whose)
    assert found == wang
    taken = office("tie", "lin", "248289761001")
    assert taken.exit_code == 1
    assert "somebody else" in taken.output
    assert office("untie", "wang").exit_code == 0
    assert office.ask(whose)[0] is None


def test_what_cannot_be_done_is_said(office: Office) -> None:
    assert "Nobody signs in as nobody" in office("tie", "nobody", "1").output
    assert "Nobody signs in as nobody" in office("code-off", "nobody").output
    office.toml.write_text('data = "data"\n')
    plain = office("tie", "wang", "1")
    assert plain.exit_code == 2
    assert "no [sso]" in plain.output
