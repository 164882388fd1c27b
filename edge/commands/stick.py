"""`classbox stick`: a memory stick in the place of a line to the school."""

from __future__ import annotations

from pathlib import Path

import click

from edge.config import load_config
from ui.language import terminal_language, translator


@click.group(
    name="stick",
    help="""Carry results to the school on a memory stick, and its answers back. Nothing counts twice, whatever else
    has come over the network. A stick that the school registered is served by the running box itself.

    \b
    Example:
      classbox stick export /media/stick
    """,
)
def command() -> None:
    """The group."""


@command.command(
    name="export",
    help="""Write what the school is not known to have. It stays on the box, too.

    \b
    Example:
      classbox stick export /media/stick
    """,
)
@click.argument("stick", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.option("--config", type=click.Path(path_type=Path), help="The box's configuration (box.toml).")
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), help="The box's data folder.")
def export(stick: Path, config: Path | None, data: Path | None) -> None:
    """Write."""
    from edge.stick_exchange import put_out  # noqa: PLC0415 - `--help` stays quick

    _ = translator(terminal_language()).gettext
    ledger, identity = _box(config, data)
    try:
        records, _envelopes, size = put_out(ledger, identity, stick, takes_documents=True)
    finally:
        ledger.close()
    print(_("On the stick: {records} records, {kb} kB.").format(records=records, kb=-(-size // 1000)))


@command.command(
    name="import",
    help="""Read what the school answered: what it has for certain needs to go no more.

    \b
    Example:
      classbox stick import /media/stick
    """,
)
@click.argument("stick", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.option("--config", type=click.Path(path_type=Path), help="The box's configuration (box.toml).")
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), help="The box's data folder.")
def import_(stick: Path, config: Path | None, data: Path | None) -> None:
    """Read."""
    from edge.documents import Documents  # noqa: PLC0415
    from edge.downstream import shelf_of  # noqa: PLC0415
    from edge.pictures import Pictures  # noqa: PLC0415
    from edge.stick_exchange import take_answers  # noqa: PLC0415

    _ = translator(terminal_language()).gettext
    ledger, identity = _box(config, data)
    try:
        folder = load_config(config, data=data).data_dir
        documents = Documents(folder)
        shelf = shelf_of(documents, ledger, identity.school_key, Pictures(folder / "pictures"))
        receipts, refused, torn = take_answers(ledger, identity, stick, shelf)
        waiting = sum(lane.waiting for lane in ledger.outbox_counts().values())
    finally:
        ledger.close()
    print(
        _("Receipts: {receipts}. Records that wait for the school: {waiting}.").format(
            receipts=receipts, waiting=waiting
        )
    )
    if refused:
        print(_("{count} answers were not for this box, or were changed; they were left alone.").format(count=refused))
    if torn:
        print(_("The file was not whole; what stood before its end was taken."))


def _box(config: Path | None, data: Path | None):  # type: ignore[no-untyped-def] # noqa: ANN202 - loaded when called
    from edge.ledger import FILE_NAME, Ledger  # noqa: PLC0415
    from homework.errors import UsageError  # noqa: PLC0415
    from provisioning.identity import read_identity  # noqa: PLC0415

    folder = load_config(config, data=data).data_dir
    identity = read_identity(folder)
    if identity is None or not (folder / FILE_NAME).exists():
        raise UsageError(
            "This box belongs to no school, so there is nothing to carry.", remedy="Enrol it: classbox enrol CODE"
        )
    return Ledger(folder, school_key=identity.school_key), identity
