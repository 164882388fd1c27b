"""`python -m models.evaluation --data DIR [--json]`: development figures on writers set aside."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.table import Table

from models.evaluation.cards import write_cards
from models.evaluation.cases import cases_of
from models.evaluation.figures import Row, outcomes, row
from models.evaluation.foreign import foreign_rows
from models.recognisers import Recognisers
from models.training.hands import load_hands


def development_rows(recognisers: Recognisers, data: Path, *, n: int, seed: int) -> list[Row]:
    """The figures of every kind on the writers of the check split (neither learned from nor calibrated on)."""
    rows = []
    for kind, cases in cases_of(load_hands(data)["check"], n, seed).items():
        head = recognisers.manifest.heads[kind]
        logits = [recognisers.logits(kind, case.crop) for case in cases]
        rows.append(row(kind, "development", outcomes(kind, head, cases, logits), head.threshold))
    return rows


@click.command(epilog="Example: python -m models.evaluation --data ~/handwriting --json")
@click.option("--data", type=click.Path(path_type=Path, exists=True, file_okay=False), required=True)
@click.option("--models", type=click.Path(path_type=Path, exists=True, file_okay=False), help="default: the shipped")
@click.option("-n", default=6000, help="answers, and marks, to compose")
@click.option("--seed", default=1000)
@click.option("--cards", type=click.Path(path_type=Path, exists=True), help="folder of cards to put the figures into")
@click.option("--json", "as_json", is_flag=True)
def main(data: Path, models: Path | None, n: int, seed: int, cards: Path | None, *, as_json: bool) -> None:
    """Print what the recognisers can do on handwriting of writers set aside, and on collections never learned from."""
    recognisers = Recognisers.load(models)
    rows = [*development_rows(recognisers, data, n=n, seed=seed), *foreign_rows(recognisers, data)]
    if cards is not None:
        write_cards(cards, recognisers.manifest, rows)
    if as_json:
        print(msgspec.json.encode({"rows": rows}).decode())
        return
    table = Table("kind", "set", "n", "forced choice", "silent", "95 %", "review", "strangers", "taken")
    for one in rows:
        table.add_row(
            one.kind, one.set, str(one.n), f"{one.forced_choice:.2%}", f"{one.silent:.2%}",
            f"{one.silent_low:.2%}-{one.silent_high:.2%}", f"{one.review:.1%}",
            str(one.strangers), f"{one.strangers_taken:.1%}",
        )  # fmt: skip
    Console().print(table)


if __name__ == "__main__":
    main()
