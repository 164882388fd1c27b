"""`classgate load`: worksheets for all boxes of a school."""

from __future__ import annotations

from pathlib import Path

import click

from gateway.access.audit import written_thing
from gateway.access.deeds import Deed, Thing
from gateway.access.person import ANYBODY
from gateway.clock import unix_ms
from gateway.commands.options import config_option, with_store
from gateway.rosters import Wish
from gateway.store.audit_lines import write_line
from gateway.store.class_lists import keep_classes, whole_roster
from gateway.store.dialect import lock_school
from gateway.store.documents import publish
from gateway.store.schools import school_key
from gateway.store.store import Store
from homework.errors import BadFileError
from homework.print_run import LAYOUT, parse_print_run
from ui.language import terminal_language, translator


@click.command(name="load")
@click.argument("school")
@click.argument("what", metavar="FOLDER|LAYOUT.json", type=click.Path(path_type=Path))
@config_option
def command(school: str, what: Path, config_path: Path | None) -> None:
    """Give every box of SCHOOL the worksheets in FOLDER, as `classbox print` wrote them, or a learned LAYOUT.json.

    The boxes fetch them when they have a line. Sheets that came before grade themselves then.

    Example: classgate load no-1 sheets/
    """
    _ = translator(terminal_language()).gettext
    folder, layout_name = (what.parent, what.name) if what.is_file() else (what, LAYOUT)
    run = parse_print_run(
        lambda name: _read(folder / name) if (folder / name).exists() or name == layout_name else None,
        where=str(folder),
        layout_name=layout_name,
    )

    async def work(store: Store) -> int:
        async with store.writing() as connection:
            if not await lock_school(connection, school):
                await school_key(connection, store.vault, school)
            documents = await publish(connection, school, run)
            if run.roster is not None:
                known = await whole_roster(connection, store.vault, school)
                after = Wish(run.roster.pupils).after(known)
                documents += (await keep_classes(connection, store.vault, school, after, person=ANYBODY)).documents
            if documents:
                thing = written_thing(Thing(school, assignment=run.layout.assignment))
                await write_line(connection, school, deed=Deed.ASSIGN, at_ms=unix_ms(), thing=thing, detail="load")
                await store.tell_others(connection, None)
            return documents

    new = with_store(config_path, work)
    title = run.assignment.title if run.assignment is not None else run.layout.sheet
    if new:
        print(_("{title} goes to the boxes of {school}: {n} documents.").format(title=title, school=school, n=new))
    else:
        print(_("{title} is there already, as it is.").format(title=title))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadFileError(
            "{path} cannot be read: {reason}.",
            remedy="Name the folder that `classbox print` wrote.",
            path=path,
            reason=error.strerror,
        ) from error
