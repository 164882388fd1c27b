"""Puts measured figures into the model cards, between their two marker lines."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from models.evaluation.curves import REVIEWS
from models.evaluation.drawing import curves_svg, reliability_svg
from models.evaluation.figures import Row
from models.evaluation.report import Report, Trades
from models.manifest import Manifest

BEGIN, END = "<!-- figures: written by models.evaluation -->", "<!-- end of figures -->"

_CAPTIONS = {
    "reading": "Silent errors against review; the dots are the thresholds that ship",
    "reliability": "How often answers were wrong, against how often they were said to be; the bars are 95 %",
}


def write_cards(directory: Path, manifest: Manifest, report: Report, pictures: Path | None = None) -> None:
    """Rewrite the figures of every `NAME.md` in `directory` whose NAME is a model that reads a kind.

    With `pictures` also draw what its thresholds buy and whether its confidences are honest, as `reading-NAME.svg` and
    `reliability-NAME.svg` in that folder.
    """
    for name in sorted({head.model for head in manifest.heads.values()}):
        path = directory / f"{name}.md"
        text = path.read_text(encoding="utf-8")
        before, rest = text.split(BEGIN)
        after = rest.split(END)[1]
        kinds = [kind for kind, head in manifest.heads.items() if head.model == name]
        parts = _parts(manifest, report, kinds)
        if pictures is not None:
            curves = {kind: report.curves[kind] for kind in kinds if kind in report.curves}
            thresholds = {kind: manifest.heads[kind].threshold for kind in kinds}
            honest = {one.kind: one.bins for one in report.reliability if one.kind in kinds}  # of the last set
            drawings = (
                ("reading", curves_svg(f"{name}: silent errors against review", curves, thresholds)),
                ("reliability", reliability_svg(f"{name}: how often wrong against how often said to be", honest)),
            )
            for what, svg in drawings:
                drawn = pictures / f"{what}-{name}.svg"
                drawn.write_text(svg, encoding="utf-8")
                link = Path(os.path.relpath(drawn, directory)).as_posix()
                parts.append(f"![{_CAPTIONS[what]}]({link})\n")
        path.write_text(before + BEGIN + "\n" + "\n".join(parts) + END + after, encoding="utf-8")


def _parts(manifest: Manifest, report: Report, kinds: Sequence[str]) -> list[str]:
    parts = [_table(manifest, [one for one in report.rows if one.kind in kinds])]
    pages = [one for one in report.page_rows if one["kind"] in kinds]
    if pages:
        parts.append(
            "Crops of whole pages, filled in by hands set aside, photographed, and cut by the pipeline "
            "(false ticks of wrong answers, false crosses of right ones):\n"
        )
        parts.append(_page_table(pages))
    trades = [one for one in report.trades if one.kind in kinds]
    if trades:
        parts.append("Silent errors, had the threshold been set to send so many answers to review at most:\n")
        parts.append(_trade_table(trades))
    honest = [one for one in report.reliability if one.kind in kinds]
    if honest:
        parts.append("Whether confidences are honest:\n")
        lines = ["| kind | set | confidence | n | mean said | right (95 %) |", "| --- | --- | --- | --- | --- | --- |"]
        lines += [
            f"| {one.kind} | {one.set} | {part.low:g} to {part.high:g} | {part.n} | {part.said:.2%} "
            f"| {part.right:.2%} ({part.right_low:.2%}-{part.right_high:.2%}) |"
            for one in honest
            for part in one.bins
        ]
        parts.append("\n".join(lines) + "\n")
    return parts


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


def _page_table(rows: Sequence[dict[str, Any]]) -> str:
    lines = [
        "| kind | set | n | forced choice (95 %) | silent errors (95 %) | review | false ticks | false crosses |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for one in rows:
        rates = [
            f"{one[name]:.2%} ({one[f'{name}_95'][0]:.2%}-{one[f'{name}_95'][1]:.2%})"
            for name in ("forced_choice", "silent")
        ]
        lines.append(
            f"| {one['kind']} | {one['set']} | {one['n']} | {rates[0]} | {rates[1]} | {one['review']:.1%} "
            f"| {_of(one['false_ticks'], one['wrong'])} | {_of(one['false_crosses'], one['right'])} |"
        )
    return "\n".join(lines) + "\n"


def _trade_table(trades: Sequence[Trades]) -> str:
    lines = [
        f"| kind | set | {' | '.join(f'{review:.0%}' for review in REVIEWS)} |",
        f"| --- | --- | {' | '.join('---' for _ in REVIEWS)} |",
    ]
    lines += [f"| {one.kind} | {one.set} | {' | '.join(f'{at.silent:.2%}' for at in one.at)} |" for one in trades]
    return "\n".join(lines) + "\n"


def _of(k: int, n: int) -> str:
    return f"{k} of {n}" if n else "-"


def _rate(one: Row, what: str) -> str:
    if one.n == 0:
        return "-"
    rate, low, high = (getattr(one, what + end) for end in ("", "_low", "_high"))
    return f"{rate:.2%} ({low:.2%}-{high:.2%})"
