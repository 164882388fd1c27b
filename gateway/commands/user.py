"""`classgate user`: who may come in and do what. For the first admin, and where no page can be reached."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import click
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access.audit import Audit
from gateway.access.deeds import Deed, Thing
from gateway.access.doors import address_of
from gateway.access.factors import turn_off
from gateway.access.grants import Given, end, give, grants_of, midnight_ms
from gateway.access.links import Kind, make_link
from gateway.access.people import Account, account_called, add_person, all_accounts, disable, made_up_login
from gateway.access.person import ANYBODY, Grant, Role
from gateway.access.rules import is_sound
from gateway.access.ties import Identity
from gateway.access.ties import tie as tie_to
from gateway.access.ties import untie as untie_from
from gateway.clock import unix_ms
from gateway.commands.options import config_option, with_store
from gateway.config import SsoConfig, load_config
from gateway.store.schools import school_key
from gateway.store.store import Store
from homework.errors import UsageError
from homework.load import subject_of
from sync.pseudonym import pseudonym
from ui.language import terminal_language, translator


class _Wanted(NamedTuple):
    """A grant as the command line says it."""

    role: str
    school: str | None
    class_name: str | None
    subject: str | None
    pupil: str | None
    today: bool


def _grant_options(function: click.decorators.FC) -> click.decorators.FC:
    options = (
        click.option("--role", required=True, type=click.Choice([role.value for role in Role]), help="What they are."),
        click.option("--school", metavar="SCHOOL", help="Where; without it, of all schools (district, admin)."),
        click.option("--class", "class_name", metavar="CLASS", help="A teacher's class."),
        click.option("--subject", metavar="SUBJECT", help="A teacher's subject; without it, all of the class."),
        click.option("--pupil", metavar="ID", help="Of a pupil or a parent: the pupil's number in the class list."),
        click.option("--today", is_flag=True, help="Until midnight: a substitute."),
    )
    for option in reversed(options):
        function = option(function)
    return function


@click.group(name="user")
def command() -> None:
    """Say who may sign in, and what each may see and do.

    \b
    Example: classgate user add 王老师 --login wang --role admin
    """  # noqa: D301 - \b is click's


@command.command()
@click.argument("name")
@click.option("--login", metavar="LOGIN", help="The name to sign in with; without it, one is made up.")
@_grant_options
@config_option
def add(name: str, login: str | None, config_path: Path | None, **wanted: str | bool | None) -> None:
    """Make an account, and print the link with which its owner chooses a password. It works once, for 14 days.

    Example: classgate user add 王老师 --login wang --role teacher --school no-1 --class 三年级2班 --subject math
    """
    _ = translator(terminal_language()).gettext
    login = login or made_up_login()

    async def work(store: Store) -> str:
        now_ms = unix_ms()
        async with store.writing() as connection:
            grant = await _grant(connection, store, _Wanted(**wanted), now_ms)  # type: ignore[arg-type]
            person = await add_person(connection, store.vault, login=login, name=name, now_ms=now_ms)
            await give(connection, person, grant, by=ANYBODY)
            link = await make_link(connection, Kind.INVITE, person, by=ANYBODY, now_ms=now_ms)
        await _note(store, grant.school, person, f"invite {_said(grant)}")
        return link

    link = with_store(config_path, work)
    print(_("Let {name} in: signs in as {login}. This link works once, for 14 days:").format(name=name, login=login))
    print(address_of(load_config(config_path)) + f"/invite/{link}")


@command.command(name="list")
@config_option
def show(config_path: Path | None) -> None:
    """List everybody, and what each may where.

    Example: classgate user list
    """
    _ = translator(terminal_language()).gettext

    async def work(store: Store) -> list[tuple[Account, tuple[Given, ...]]]:
        async with store.reading() as connection:
            every = await all_accounts(connection, store.vault)
            return [(who, await grants_of(connection, who.id, unix_ms())) for who in every]

    for who, held in with_store(config_path, work):
        state = _("closed") if who.disabled_ms is not None else _("invited") if who.password is None else ""
        print("  ".join(filter(None, [who.login, who.name, state])))
        for one in held:
            print(f"    {one.id}  {_said(one.grant)}")


@command.command()
@click.argument("login")
@_grant_options
@config_option
def grant(login: str, config_path: Path | None, **wanted: str | bool | None) -> None:
    """Let somebody do more.

    Example: classgate user grant wang --role head --school no-1
    """

    async def work(store: Store) -> str:
        now_ms = unix_ms()
        async with store.writing() as connection:
            who = await _who(connection, store, login)
            given = await _grant(connection, store, _Wanted(**wanted), now_ms)  # type: ignore[arg-type]
            number = await give(connection, who.id, given, by=ANYBODY)
        await _note(store, given.school, who.id, f"grant {_said(given)}")
        return f"{number}  {_said(given)}"

    print(with_store(config_path, work))


@command.command()
@click.argument("login")
@click.argument("number", type=int)
@config_option
def revoke(login: str, number: int, config_path: Path | None) -> None:
    """End what somebody was granted; NUMBER is the one that `user list` shows.

    Example: classgate user revoke wang 81604378624
    """
    _ = translator(terminal_language()).gettext

    async def work(store: Store) -> str:
        now_ms = unix_ms()
        async with store.writing() as connection:
            who = await _who(connection, store, login)
            one = next((each for each in await grants_of(connection, who.id, now_ms) if each.id == number), None)
            if one is None:
                raise UsageError(
                    "{login} has no role of that number.", remedy="`classgate user list` shows them.", login=login
                )
            await end(connection, one, now_ms=now_ms)
        await _note(store, one.grant.school, who.id, f"revoke {_said(one.grant)}")
        return _said(one.grant)

    print(_("Ended: {what}").format(what=with_store(config_path, work)))


@command.command()
@click.argument("login")
@config_option
def reset(login: str, config_path: Path | None) -> None:
    """Print a link with which somebody chooses a new password. It works once, for a day; the old one works until then.

    Example: classgate user reset wang
    """

    async def work(store: Store) -> str:
        async with store.writing() as connection:
            who = await _who(connection, store, login)
            link = await make_link(connection, Kind.RESET, who.id, by=ANYBODY, now_ms=unix_ms())
        await _note(store, None, who.id, "reset")
        return link

    print(f"{address_of(load_config(config_path))}/reset/{with_store(config_path, work)}")


@command.command(name="disable")
@click.argument("login")
@click.option("--undo", is_flag=True, help="Let them in again.")
@config_option
def close(login: str, undo: bool, config_path: Path | None) -> None:
    """Let somebody in no longer; what is signed in ends within seconds.

    Example: classgate user disable wang
    """

    async def work(store: Store) -> None:
        async with store.writing() as connection:
            who = await _who(connection, store, login)
            await disable(connection, who.id, now_ms=None if undo else unix_ms())
        await _note(store, None, who.id, "let in again" if undo else "close")

    with_store(config_path, work)


@command.command(name="code-off")
@click.argument("login")
@config_option
def code_off(login: str, config_path: Path | None) -> None:
    """Take the second step away from somebody who lost the phone and the paper; what is signed in ends.

    Example: classgate user code-off wang
    """
    _ = translator(terminal_language()).gettext

    async def work(store: Store) -> str:
        async with store.writing() as connection:
            who = await _who(connection, store, login)
            await turn_off(connection, store.vault, who.id)
        await _note(store, None, who.id, "second step off")
        return who.login

    known = with_store(config_path, work)
    print(_("The second step of {login} is off: the password alone signs in.").format(login=known))


@command.command()
@click.argument("login")
@click.argument("subject")
@config_option
def tie(login: str, subject: str, config_path: Path | None) -> None:
    """Let somebody sign on at the house that [sso] names; SUBJECT is what the page shows to a stranger.

    Example: classgate user tie wang 248289761001
    """
    _ = translator(terminal_language()).gettext
    sso = _sso(config_path)

    async def work(store: Store) -> str:
        async with store.writing() as connection:
            who = await _who(connection, store, login)
            await tie_to(connection, Identity(sso.issuer, subject), who.id, now_ms=unix_ms())
        await _note(store, None, who.id, "sign-on tied")
        return who.login

    print(_("{login} signs on with {title} from now on.").format(login=with_store(config_path, work), title=sso.title))


@command.command()
@click.argument("login")
@config_option
def untie(login: str, config_path: Path | None) -> None:
    """Let somebody sign on there no longer.

    Example: classgate user untie wang
    """
    _ = translator(terminal_language()).gettext
    sso = _sso(config_path)

    async def work(store: Store) -> str:
        async with store.writing() as connection:
            who = await _who(connection, store, login)
            await untie_from(connection, sso.issuer, who.id)
        await _note(store, None, who.id, "sign-on untied")
        return who.login

    print(_("{login} signs on with {title} no longer.").format(login=with_store(config_path, work), title=sso.title))


def _sso(config_path: Path | None) -> SsoConfig:
    sso = load_config(config_path).sso
    if sso is None:
        raise UsageError(
            "Nobody signs on elsewhere here: there is no [sso] in the configuration.",
            remedy="Write issuer and client_id into it. See docs/sign-on.md.",
        )
    return sso


async def _who(connection: AsyncConnection, store: Store, login: str) -> Account:
    found = await account_called(connection, store.vault, login)
    if found is None:
        raise UsageError("Nobody signs in as {login}.", remedy="`classgate user list` shows who there is.", login=login)
    return found


async def _grant(connection: AsyncConnection, store: Store, wanted: _Wanted, now_ms: int) -> Grant:
    alias = None
    if wanted.pupil is not None and wanted.school is not None:
        alias = pseudonym(await school_key(connection, store.vault, wanted.school), wanted.pupil)
    made = Grant(
        role=Role(wanted.role),
        school=wanted.school,
        class_name=wanted.class_name,
        subject=None if wanted.subject is None else subject_of(wanted.subject),
        pupil=alias,
        from_ms=now_ms,
        until_ms=midnight_ms(now_ms) if wanted.today else None,
    )
    if not is_sound(made):
        raise UsageError(
            "That is not enough, or too much, for the role {role}.",
            remedy="A teacher needs --school and --class, a head --school, a pupil or parent --school and --pupil;"
            " district and admin none of them.",
            role=wanted.role,
        )
    return made


async def _note(store: Store, school: str | None, person: int, detail: str) -> None:
    audit = Audit(store, now_ms=unix_ms)
    audit.note(ANYBODY, Deed.MANAGE_PEOPLE, Thing(school=school, person=person), detail)
    await audit.flush()


def _said(grant: Grant) -> str:
    words = [grant.role.value, *filter(None, (grant.school, grant.class_name, grant.subject))]
    if grant.pupil is not None:
        words.append(grant.pupil.hex()[:8])
    if grant.until_ms is not None:
        words.append("… " + datetime.fromtimestamp(grant.until_ms / 1000).astimezone().strftime("%Y-%m-%d %H:%M"))
    return " ".join(words)
