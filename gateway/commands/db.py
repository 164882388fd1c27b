"""`classgate db`: look after the database."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from gateway.commands.options import config_option, with_store
from gateway.store.check import CheckResult, check
from gateway.store.store import Store
from ui.language import terminal_language, translator


@click.group(name="db")
def command() -> None:
    """Look after the database.

    Example: classgate db check
    """


@command.command(name="check")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@config_option
def check_command(as_json: bool, config_path: Path | None) -> None:
    """Compute what counts and every sum again from the records, and compare. Exit code 1 when they differ.

    Example: classgate db check
    """
    _ = translator(terminal_language()).gettext

    async def work(store: Store) -> CheckResult:
        async with store.reading() as connection:
            return await check(connection)

    result = with_store(config_path, work)
    if as_json:
        print(json.dumps({**result_fields(result), "ok": not result.faults}, ensure_ascii=False))
    else:
        for fault in result.faults:
            print(fault)
        print(
            _("{pages} page records, {counted} counted, {faults} faults.").format(
                pages=result.pages, counted=result.counted, faults=len(result.faults)
            )
        )
    sys.exit(1 if result.faults else 0)


def result_fields(result: CheckResult) -> dict[str, object]:
    """The result as plain values."""
    return {
        "schools": result.schools,
        "pages": result.pages,
        "counted": result.counted,
        "faults": list(result.faults),
    }
