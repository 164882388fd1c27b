"""`python -m models.evaluation --data DIR [--json]`: development figures on writers set aside."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import msgspec
from rich.console import Console
from rich.table import Table

from models.evaluation.cards import write_cards
from models.evaluation.cases import cases_of
from models.evaluation.crops import PageCrop, load_crops
from models.evaluation.curves import REVIEWS
from models.evaluation.figures import Outcome, Row, outcomes, row
from models.evaluation.foreign import foreign_rows
from models.evaluation.isolated import isolated_rows
from models.evaluation.pages import Read, by_kind, page_rows, read_crops
from models.evaluation.report import Report, report_of
from models.evaluation.worst import write_worst
from models.recognisers import Kind, Recognisers
from models.training.hands import Hand, load_hands

PAGES = Path(__file__).resolve().parents[2] / "benchmarks" / "hands.py"
SYNTHETIC = "development, strangers partly synthetic"
"""Crossed-out and scribbled marks are drawn by rules, and so is every √."""


def development_rows(recognisers: Recognisers, data: Path, *, n: int, seed: int) -> list[Row]:
    """The figures of every kind on the writers of the check split (neither learned from nor calibrated on)."""
    return composite_rows(recognisers, composites(recognisers, load_hands(data)["check"], n=n, seed=seed))


def composites(recognisers: Recognisers, hands: Sequence[Hand], *, n: int, seed: int) -> dict[Kind, list[Outcome]]:
    """The outcomes of composed crops of those hands, by kind."""
    found: dict[Kind, list[Outcome]] = {}
    for kind, cases in cases_of(list(hands), n, seed).items():
        looks = [recognisers.look(kind, case.crop) for case in cases]
        found[kind] = outcomes(kind, recognisers.manifest.heads[kind], cases, looks)
    return found


def composite_rows(recognisers: Recognisers, found: Mapping[Kind, Sequence[Outcome]]) -> list[Row]:
    """A row a kind."""
    return [
        row(kind, f"{SYNTHETIC}, √ synthetic" if kind == "judge" else SYNTHETIC, some, recognisers.threshold(kind))
        for kind, some in found.items()
    ]


def evaluate(recognisers: Recognisers, data: Path, reads: Sequence[Read], *, n: int, seed: int) -> Report:
    """Everything that can be measured on the handwriting in `data` and on crops of pages that were read, if any."""
    hands = load_hands(data)["check"]
    composed = composites(recognisers, hands, n=n, seed=seed)
    rows = [
        *composite_rows(recognisers, composed),
        *isolated_rows(recognisers, hands, seed),
        *foreign_rows(recognisers, data),
    ]
    sets: dict[str, Mapping[str, Sequence[Outcome]]] = {"development": {str(k): v for k, v in composed.items()}}
    if reads:
        sets["pages"] = by_kind(reads)
    return report_of(rows, page_rows(reads), sets)


def made_pages(data: Path, file: Path, count: int) -> list[PageCrop]:
    """Crops of pages filled in and photographed now, by another program: the pipeline is not the models' to know."""
    subprocess.run(  # noqa: S603  # our own program
        [sys.executable, "-m", "benchmarks.hands", "--data", str(data), "--pages", str(count), "--out", str(file)],
        check=True,
        cwd=PAGES.parents[1],
        stdout=subprocess.DEVNULL,
    )
    return load_crops(file)


@click.command(epilog="Example: python -m models.evaluation --data ~/handwriting --json")
@click.option("--data", type=click.Path(path_type=Path, exists=True, file_okay=False), required=True)
@click.option("--models", type=click.Path(path_type=Path, exists=True, file_okay=False), help="default: the shipped")
@click.option("-n", default=6000, help="answers, and marks, to compose")
@click.option("--seed", default=1000)
@click.option("--pages", type=click.Path(path_type=Path, exists=True), help="crops of `benchmarks.hands --out`")
@click.option("--fresh-pages", default=200, help="without --pages: so many pages are made (0: none)")
@click.option("--cards", type=click.Path(path_type=Path, exists=True), help="folder of cards to put the figures into")
@click.option("--pictures", type=click.Path(path_type=Path, exists=True), help="folder for the cards' curves")
@click.option("--worst", type=click.Path(path_type=Path), help="the worst page crops as .html or .png; never publish")
@click.option("--json", "as_json", is_flag=True)
def main(
    *,
    data: Path,
    models: Path | None,
    n: int,
    seed: int,
    pages: Path | None,
    fresh_pages: int,
    cards: Path | None,
    pictures: Path | None,
    worst: Path | None,
    as_json: bool,
) -> None:
    """Print what the recognisers can do on handwriting of writers set aside, and on collections never learned from."""
    recognisers = Recognisers.load(models)
    reads = read_crops(recognisers, _crops(data, pages, fresh_pages))
    report = evaluate(recognisers, data, reads, n=n, seed=seed)
    if cards is not None:
        write_cards(cards, recognisers.manifest, report, pictures)
    if worst is not None:
        write_worst(worst, reads)
    if as_json:
        print(msgspec.json.encode(report.printed()).decode())
        return
    _print(report)


def _crops(data: Path, pages: Path | None, count: int) -> list[PageCrop]:
    if pages is not None:
        return load_crops(pages)
    if count == 0 or not PAGES.exists():
        return []
    with TemporaryDirectory() as folder:
        return made_pages(data, Path(folder) / "pages.npz", count)


def _print(report: Report) -> None:
    console = Console()
    if not console.is_terminal:
        console = Console(width=200)  # a file has no edge to wrap at
    table = Table("kind", "set", "n", "forced choice", "silent", "95 %", "review", "strangers", "taken")
    for one in report.rows:
        table.add_row(
            one.kind, one.set, str(one.n), f"{one.forced_choice:.2%}", f"{one.silent:.2%}",
            f"{one.silent_low:.2%}-{one.silent_high:.2%}", f"{one.review:.1%}",
            str(one.strangers), f"{one.strangers_taken:.1%}",
        )  # fmt: skip
    console.print(table)
    if report.page_rows:
        table = Table("kind", "set", "n", "forced choice", "silent", "95 %", "review", "false ticks", "false crosses")
        for page in report.page_rows:
            low, high = page["silent_95"]
            table.add_row(
                page["kind"], page["set"], str(page["n"]), f"{page['forced_choice']:.2%}", f"{page['silent']:.2%}",
                f"{low:.2%}-{high:.2%}", f"{page['review']:.1%}",
                f"{page['false_ticks']} of {page['wrong']}", f"{page['false_crosses']} of {page['right']}",
            )  # fmt: skip
        console.print(table)
    table = Table("kind", "set", *(f"silent at {review:.0%} review" for review in REVIEWS))
    for trade in report.trades:
        table.add_row(trade.kind, trade.set, *(f"{at.silent:.2%}" for at in trade.at))
    console.print(table)
    table = Table("kind", "set", "confidence", "n", "mean said", "right", "95 %")
    for honest in report.reliability:
        for part in honest.bins:
            table.add_row(
                honest.kind, honest.set, f"{part.low:g} to {part.high:g}", str(part.n), f"{part.said:.2%}",
                f"{part.right:.2%}", f"{part.right_low:.2%}-{part.right_high:.2%}",
            )  # fmt: skip
    console.print(table)


if __name__ == "__main__":
    main()
