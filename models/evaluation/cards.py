"""Puts measured figures into the model cards, between their two marker lines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from models.evaluation.figures import Row
from models.manifest import Manifest

BEGIN, END = "<!-- figures: written by models.evaluation -->", "<!-- end of figures -->"


def write_cards(directory: Path, manifest: Manifest, rows: Sequence[Row]) -> None:
    """Rewrite the figures of every `NAME.md` in `directory` whose NAME is a model of the manifest."""
    for name in manifest.models:
        path = directory / f"{name}.md"
        text = path.read_text(encoding="utf-8")
        before, rest = text.split(BEGIN)
        after = rest.split(END)[1]
        mine = [one for one in rows if manifest.heads[one.kind].model == name]
        path.write_text(f"{before}{BEGIN}\n{_table(manifest, mine)}{END}{after}", encoding="utf-8")


def _table(manifest: Manifest, rows: Sequence[Row]) -> str:
    lines = [
        "| kind | set | n | forced choice (95 %) | silent errors (95 %) | review | strangers | taken | threshold |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {one.kind} | {one.set} | {one.n} | {_rate(one, 'forced_choice')} | {_rate(one, 'silent')} "
        f"| {one.review:.1%} | {one.strangers} | {one.strangers_taken:.1%} | {manifest.heads[one.kind].threshold} |"
        for one in rows
    ]
    return "\n".join(lines) + "\n"


def _rate(one: Row, what: str) -> str:
    if one.n == 0:
        return "-"
    rate, low, high = (getattr(one, what + end) for end in ("", "_low", "_high"))
    return f"{rate:.2%} ({low:.2%}-{high:.2%})"
