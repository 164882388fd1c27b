"""`classgate corrections`: who corrected what, when and from where, and what of it counts."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import click
import msgspec

from gateway.access.deeds import Deed
from gateway.audit import AuditLine, audit
from gateway.clock import unix_ms
from gateway.commands.options import config_option, with_store
from gateway.store.audit_lines import write_line
from gateway.store.store import Store
from homework.merging import Judgement
from homework.results import points
from sync.clock import ClockQuality
from ui.language import terminal_language, translator


@click.command(name="corrections")
@click.argument("school")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@config_option
def command(school: str, as_json: bool, config_path: Path | None) -> None:
    """List every correction of a school, the oldest first: none is ever dropped, and those that count have a star.

    Example: classgate corrections no-1
    """
    _ = translator(terminal_language()).gettext

    async def work(store: Store) -> list[AuditLine]:
        async with store.writing() as connection:  # it names who said what of whom: the line is there, or it is not
            found = await audit(connection, store.vault, school)
            await write_line(connection, school, deed=Deed.EXPORT, at_ms=unix_ms(), detail="corrections")
            return found

    found = with_store(config_path, work)
    for one in found:
        print(json.dumps(_fields(one), ensure_ascii=False) if as_json else _line(one, _))
    if not found and not as_json:
        print(_("Nobody has corrected anything yet."))


def _line(one: AuditLine, words: Callable[[str], str]) -> str:
    page, item = one.page, one.correction.place
    where = f"{page.class_name or '?'} #{page.seat or '?'} {page.assignment or '?'}" if page is not None else "?"
    blank = f".{item[1]}" if item[1] > 1 else ""
    origin = one.kept.origin or words("the school")
    who = f"{origin}: {one.who}" if one.who else origin
    return "  ".join(
        ["*" if one.counts else " ", _time(one, words), who, where, f"{item[0]}{blank}", _said(one, words)]
    )


def _time(one: AuditLine, words: Callable[[str], str]) -> str:
    clock = one.kept.record.clock
    if clock.quality is ClockQuality.UNSET:
        return words("time not known")
    text = datetime.fromtimestamp(clock.wall_ms / 1000).astimezone().strftime("%Y-%m-%d %H:%M")
    return text if clock.quality is ClockQuality.SYNCED else words("about %(time)s") % {"time": text}


def _said(one: AuditLine, words: Callable[[str], str]) -> str:
    correction, found = one.correction, []
    judgement = correction.judgement
    if judgement is not msgspec.UNSET:
        if judgement == Judgement():
            found.append(words("taken back"))
        if judgement.text is not None:
            found.append(f"“{judgement.text}”")
        if judgement.right is not None:
            found.append("✓" if judgement.right else "✗")
        if judgement.score_hundredths is not None:
            found.append(str(points(judgement.score_hundredths)))
    if correction.comment is not msgspec.UNSET:
        found.append(f"“{correction.comment}”")
    if correction.stamp is not msgspec.UNSET:
        found.append(correction.stamp.value if correction.stamp is not None else words("no stamp"))
    return " ".join(found)


def _fields(one: AuditLine) -> dict[str, object]:
    record, correction, page = one.kept.record, one.correction, one.page
    judgement = None if correction.judgement is msgspec.UNSET else correction.judgement
    return {
        "id": record.id.hex(),
        "order": record.order,
        "origin": one.kept.origin or None,
        "who": one.who or None,
        "counts": one.counts,
        "at_box": one.at_box,
        "assignment": page.assignment if page is not None else None,
        "class": page.class_name if page is not None else None,
        "seat": page.seat if page is not None else None,
        "capture": record.capture.hex(),
        "item": record.item,
        "blank": record.blank,
        "judgement": None
        if judgement is None
        else {
            "text": judgement.text,
            "right": judgement.right,
            "points": points(judgement.score_hundredths),
        },
        "comment": None if correction.comment is msgspec.UNSET else correction.comment,
        "stamp": None if correction.stamp is msgspec.UNSET else correction.stamp,
        "replaces": [name.hex() for name in record.replaces],
        "wall_ms": record.clock.wall_ms,
        "clock": record.clock.quality.name.lower(),
        "received_ms": one.kept.received_ms,
    }
