"""`classgate import-roster`: who sits where."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import click

from gateway.access.deeds import Deed
from gateway.access.person import ANYBODY
from gateway.clock import unix_ms
from gateway.commands.options import config_option, with_store
from gateway.rosters import ClassChange, Given, Wish, class_changes, given_to_command
from gateway.store.audit_lines import write_line
from gateway.store.class_lists import Kept, keep_classes, whole_roster
from gateway.store.dialect import lock_school
from gateway.store.store import Store
from homework.errors import BadFileError
from homework.pasted_roster import Change
from homework.wording import Translate
from ui.language import terminal_language, translator


@click.command(name="import-roster")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--school", required=True, help="Whose pupils they are.")
@click.option("--from-school", default="", help="The school's name or number in a OneRoster zip that holds several.")
@click.option("--dry-run", is_flag=True, help="Say what would change, and change nothing.")
@config_option
def command(file: Path, school: str, from_school: str, dry_run: bool, config_path: Path | None) -> None:
    """Bring a class list in: CSV (class,seat,name,pupil_id), a workbook (.xlsx), or a OneRoster zip (1.1, 1.2).

    Its classes become what it says; others stay. The boxes of the school get it too, sealed under the school's key.

    \b
    Examples:
      classgate import-roster roster.csv --school no-1
      classgate import-roster oneroster.zip --school no-1 --from-school "第一小学" --dry-run
    """  # noqa: D301 - \b is click's
    _ = translator(terminal_language()).gettext
    try:
        data = file.read_bytes()
    except OSError as error:
        raise BadFileError(
            "{file} cannot be read: {reason}.", remedy="Check the path.", file=file, reason=error.strerror
        ) from error

    async def work(store: Store) -> tuple[Given, tuple[ClassChange, ...], Kept]:
        async with store.writing() as connection:
            await lock_school(connection, school)
            known = await whole_roster(connection, store.vault, school)
            today = datetime.now().astimezone().date()
            given = given_to_command(data, file.name, known=known, today=today, school=from_school)
            after = Wish(given.roster.pupils).after(known)
            changed = class_changes(after, known)
            kept = Kept(0, 0)
            if not dry_run:
                kept = await keep_classes(connection, store.vault, school, after, person=ANYBODY)
                await write_line(connection, school, deed=Deed.EDIT_ROSTER, at_ms=unix_ms(), detail="keep")
                await store.tell_others(connection, None)
            return given, changed, kept

    given, changed, kept = with_store(config_path, work)
    for line in _account(given, changed, _):
        print(line)
    roster = given.roster
    print(_("{pupils} pupils in {classes} classes.").format(pupils=len(roster.pupils), classes=len(roster.classes())))
    if dry_run:
        print(_("Nothing was changed."))
    if kept.sheets:
        print(_("{n} sheets that came before have found their pupil.").format(n=kept.sheets))
    if kept.left_out:
        print(_("{n} pupils were left out: they were erased here (`classgate db readmit`).").format(n=kept.left_out))


def _account(given: Given, changed: Iterable[ClassChange], _: Translate) -> Iterable[str]:
    """What was left out, what to know, and what changes in each class. Pupils are counted, never named."""
    for left in given.left_out:
        lines = ", ".join(map(str, left.lines)) + (", …" if left.times > len(left.lines) else "")
        yield _("{file}: {count} left out (line {lines}): {why}.").format(
            file=left.file, count=left.times, lines=lines, why=_(left.why)
        )
    yield from (note.said(_) for note in given.notes)
    for one in changed:
        counts = (
            (_("{n} new"), one.how_many(Change.NEW)),
            (_("{n} gone"), len(one.gone)),
            (_("{n} on another seat or from another class"), one.how_many(Change.MOVED)),
            (_("{n} to another class"), len(one.moved_away)),
            (_("{n} renamed"), one.how_many(Change.RENAMED)),
        )
        said = [words.format(n=n) for words, n in counts if n]
        yield f"{one.name}: " + (", ".join(said) if said else _("as before"))
