"""`classgate setting`: what a school decides for all its boxes."""

from __future__ import annotations

from pathlib import Path

import click

from gateway.clock import unix_ms
from gateway.commands.options import config_option, with_store
from gateway.store.audit_lines import write_line
from gateway.store.dialect import lock_school
from gateway.store.documents import publish_settings
from gateway.store.schools import school_key
from gateway.store.store import Store
from homework.report_settings import GRADE_FIELDS, ReportSettings, as_form, settings_from_form
from ui.language import terminal_language, translator


@click.group(name="setting")
def command() -> None:
    """Decide something for all boxes of a school.

    Example: classgate setting report no-1 --excellent 85
    """


@command.command()
@click.argument("school")
@click.option("--excellent", help="From how many percent work is excellent (优秀率).")
@click.option("--passing", help="From how many percent it passes (合格率).")
@click.option("--low", help="Below how many percent it is low (低分率).")
@click.option("--reteach", help="Below how many percent right an item is taught again.")
@click.option("--marks", type=click.Choice(["points", "grades"]), help="Points, or one of four words (等第).")
@click.option("--grades", nargs=len(GRADE_FIELDS), help="From how many percent 优, 良 and 合格.")
@config_option
def report(school: str, grades: tuple[str, ...] | None, config_path: Path | None, **given: str | None) -> None:
    """How class reports are wanted: on every box; what is not named is as usual.

    A box where somebody chooses otherwise later keeps that until the school decides anew.

    Example: classgate setting report no-1 --excellent 85 --marks grades
    """
    _ = translator(terminal_language()).gettext
    form = as_form(ReportSettings()) | {name: value for name, value in given.items() if value is not None}
    settings = settings_from_form(form | dict(zip(GRADE_FIELDS, grades or (), strict=False)))

    async def work(store: Store) -> int:
        async with store.writing() as connection:
            if not await lock_school(connection, school):
                await school_key(connection, store.vault, school)
            new = await publish_settings(connection, school, settings)
            if new:
                await write_line(connection, school, deed="setting", at_ms=unix_ms(), detail="report")
                await store.tell_others(connection, None)
            return new

    new = with_store(config_path, work)
    print(_("Goes to the boxes of {school}.").format(school=school) if new else _("The boxes have it so already."))
