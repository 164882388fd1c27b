"""`classbox status`: what the box has, and what still waits."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from edge.config import load_config
from edge.documents import Documents
from edge.ledger import FILE_NAME, Counts, Ledger
from provisioning.identity import read_identity
from sync.allowance import month_of, restraint_of, spent_so_far
from sync.clock import SystemClock
from sync.known_time import KnownTime
from sync.lanes import Lane
from ui.language import terminal_language, translator


@click.command(
    name="status",
    help="""Say how many sheets the box has, and how many of them the school has.

    \b
    Example:
      classbox status --json
    """,
)
@click.option("--config", type=click.Path(path_type=Path), help="The box's configuration (box.toml).")
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), help="The box's data folder.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for machines.")
def command(config: Path | None, data: Path | None, *, as_json: bool) -> None:
    """Print the counts."""
    _ = translator(terminal_language()).gettext
    settings = load_config(config, data=data)
    status = read_status(settings.data_dir) | read_month(settings.data_dir, settings.sync.monthly_mb)
    if as_json:
        print(msgspec.json.encode(status).decode())
        return
    print(_("Captured {captured}, graded {graded}, duplicates {duplicates}.").format(**status))
    print(
        _("Fields to look at {review}, sheets without an owner {asked}, sheets not loaded yet {unknown_sheet}.").format(
            **status
        )
    )
    if status["enrolled"]:
        print(_("At the school {receipted}, waiting {waiting}.").format(**status))
    if "monthly_mb" in status:
        print(_("Over the line this month: {used_mb} of {monthly_mb} MB.").format(**status))


def read_month(data: Path, monthly_mb: float | None) -> dict[str, float | str]:
    """What the line has carried this month, where that is limited: `month`, `used_mb`, `monthly_mb`, `restraint`."""
    if monthly_mb is None:
        return {}
    month = month_of(KnownTime(data, SystemClock()).surely_ms())
    used = 0
    if (data / FILE_NAME).exists():
        ledger = Ledger(data)
        try:
            with ledger.outbox() as outbox:
                used = spent_so_far(outbox).of(month)
        finally:
            ledger.close()
    restraint = restraint_of(used, round(monthly_mb * 1_000_000)).name.lower().replace("_", "-")
    return {"month": month, "used_mb": round(used / 1_000_000, 2), "monthly_mb": monthly_mb, "restraint": restraint}


def read_status(data: Path) -> dict[str, int | bool]:
    """The figures of `status --json`: counts of captures, of what became of them, and of records on their way.

    `waiting`, `receipted` and `held` count records of every kind; `results_waiting` only those of sheets.
    """
    counts = Counts()
    lanes = {}
    if (data / FILE_NAME).exists():
        ledger = Ledger(data)
        try:
            counts, lanes = ledger.counts(), ledger.outbox_counts()
        finally:
            ledger.close()
    documents = Documents(data)
    return {
        **{name: getattr(counts, name) for name in counts.__dataclass_fields__},
        "waiting": sum(lane.waiting for lane in lanes.values()),
        "receipted": sum(lane.receipted for lane in lanes.values()),
        "held": sum(lane.held for lane in lanes.values()),
        "results_waiting": lanes[Lane.RESULTS].waiting if lanes else 0,
        "assignments": len(documents.assignments()),
        "pupils": len(documents.roster().pupils),
        "enrolled": read_identity(data) is not None,
    }
