"""`classgate db forget` and `readmit`: one pupil is erased, here and on the boxes."""

from __future__ import annotations

from pathlib import Path

import click

from gateway.clock import unix_ms
from gateway.commands.options import config_option, with_store
from gateway.keeping.clean_archives import clean_archives
from gateway.keeping.forgetting import Forgotten, forget, pupil_called, readmit
from gateway.store.store import Store
from homework.errors import UsageError
from ui.language import terminal_language, translator


@click.command(name="forget")
@click.argument("school")
@click.argument("pupil")
@click.option("--yes", is_flag=True, help="It is really to be done: nothing brings it back.")
@config_option
def forget_command(school: str, pupil: str, yes: bool, config_path: Path | None) -> None:
    """Erase a PUPIL of SCHOOL: sheets, pictures of answers, comments, list entries, the family's accounts.

    PUPIL is class and seat, or the pseudonym in the address of the pupil's page. The boxes erase too, each as soon as
    it is there; what comes of this pupil later is not kept. Copies of the database still have it until they go.

    \b
    Example: classgate db forget no-1 3-1#7 --yes
    """  # noqa: D301 - \b is click's
    _ = translator(terminal_language()).gettext

    async def work(store: Store) -> tuple[Forgotten, list[Path]]:
        async with store.writing() as connection:
            alias = await pupil_called(connection, store.vault, school, pupil)
            if not yes:
                raise UsageError(
                    "Nothing was erased: pupil {pseudonym} of {school} would be, for good.",
                    remedy="Say --yes when that is meant.",
                    pseudonym=alias.hex(),
                    school=school,
                )
            gone = await forget(connection, store.vault, school, alias, now_ms=unix_ms())
            await store.tell_others(connection, None)  # the class list is another, too: every page may say so
        return gone, await clean_archives(store, school)

    gone, unread = with_store(config_path, work)
    print(
        _(
            "Erased pupil {pseudonym}: {pages} records of pages, {crops} pictures of answers, {words} corrections, "
            "{accounts} accounts. The boxes do the same as soon as each is there (`classgate box list`)."
        ).format(
            pseudonym=gone.pseudonym.hex(),
            pages=gone.pages,
            crops=gone.crops,
            words=gone.corrections,
            accounts=gone.accounts,
        )
    )
    for path in unread:
        print(_("The archive {path} cannot be reached; it is looked into again every day.").format(path=path))


@click.command(name="readmit")
@click.argument("school")
@click.argument("pseudonym")
@config_option
def readmit_command(school: str, pseudonym: str, config_path: Path | None) -> None:
    """Let a pupil who was erased be taken into a class list again. What was erased does not come back.

    Example: classgate db readmit no-1 8f3a5c0011223344
    """
    _ = translator(terminal_language()).gettext
    try:
        alias = bytes.fromhex(pseudonym)
    except ValueError as error:
        raise UsageError(
            "“{text}” is no pseudonym.", remedy="Take the one that `classgate db forget` said.", text=pseudonym[:40]
        ) from error

    async def work(store: Store) -> None:
        async with store.writing() as connection:
            await readmit(connection, school, alias, now_ms=unix_ms())

    with_store(config_path, work)
    print(_("Bring the class list in again: the pupil is taken into it now."))
