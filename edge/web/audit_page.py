"""The list of who changed what and when, and taking one of it back."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from functools import partial

from aiohttp import web

from edge.deeds import Deed, DeedKind
from edge.stack import owner_of
from edge.web.deed_words import Words, deed_line, person_line, time_line
from edge.web.desk import SITE, Site, acting, page_values, refuse_strangers
from homework.errors import UsageError
from ui.forms import sent_form
from ui.pages import render

AT_ONCE = 50
MOST_SHEETS = 8
"""Of one change shown by their numbers; of more, how many there are."""

_BACK = re.compile(r"/(?:review|audit(?:\?sheet=\d{1,12})?|sheets/\d{1,12})?")


@dataclass(frozen=True)
class SheetLink:
    """A sheet that a change was about, by the number of its pupil where that is known."""

    capture: int
    seat: int | None


@dataclass(frozen=True)
class Line:
    """One change. `may_undo`: nothing is known yet that stands against taking it back."""

    number: int
    when: str
    person: str
    what: str
    undone: bool
    may_undo: bool
    sheets: tuple[SheetLink, ...]
    more: int


def add_audit_page(app: web.Application) -> None:
    """Add the list of changes."""
    app.router.add_get("/audit", _audit)
    app.router.add_post(r"/deeds/{deed:\d{1,12}}/undo", _undo)


async def _audit(request: web.Request) -> web.Response:
    site = request.config_dict[SITE]
    values = await page_values(request)
    sheet, before = (_number(request.query.get(name)) for name in ("sheet", "before"))
    lines = await asyncio.to_thread(partial(_lines, site, values["words"], sheet=sheet, before=before))
    turn = lines[-1].number if sheet is None and len(lines) == AT_ONCE else None
    return render(request, "audit.html", **values, lines=lines, sheet_filter=sheet, turn=turn)


def _lines(site: Site, words: Words, *, sheet: int | None, before: int | None) -> list[Line]:
    ledger = site.ledger
    deeds = ledger.deeds_on(sheet) if sheet is not None else ledger.newest_deeds(before=before, limit=AT_ONCE)
    return [_line(site, deed, words) for deed in deeds]


def _line(site: Site, deed: Deed, words: Words) -> Line:
    captures = list(dict.fromkeys(capture for capture, _ in deed.pages))
    return Line(
        number=deed.number,
        when=time_line(deed.clock, words),
        person=person_line(deed, words),
        what=deed_line(deed, words, site.documents, site.ledger.deed),
        undone=deed.undone,
        may_undo=not deed.undone and _can_be_undone(deed) and site.ledger.is_newest(deed),
        sheets=tuple(SheetLink(capture, _seat(site, capture)) for capture in captures[:MOST_SHEETS]),
        more=max(0, len(captures) - MOST_SHEETS),
    )


def _can_be_undone(deed: Deed) -> bool:
    """Whether it did anything that can be taken back: the school's word does nothing where a later one stands."""
    return deed.kind is not DeedKind.UNDONE and bool(deed.about.get("counts", 1))


def _seat(site: Site, capture: int) -> int | None:
    filed = site.ledger.page(capture)
    if filed is None or filed.record is None:
        return None
    owner = owner_of(filed.record, site.documents.roster(), site.chosen_class())
    return owner.seat if owner is not None else filed.record.who.seat


async def _undo(request: web.Request) -> web.StreamResponse:
    """Take a change back, and go where the person was. A second tap does nothing more."""
    refuse_strangers(request)
    site = request.config_dict[SITE]
    number = int(request.match_info["deed"])
    back = str((await sent_form(request)).get("to", "/audit"))
    undoing = await asyncio.to_thread(partial(site.ledger.undo, number, by=acting(request)))
    if undoing is None:
        deed = await asyncio.to_thread(site.ledger.deed, number)
        if deed is None or not deed.undone:
            raise UsageError(
                "This cannot be undone any more: something of it was changed since.",
                remedy="Undo the later change first; the list of changes shows it.",
            )
    else:
        site.bus.publish()
    where = back if _BACK.fullmatch(back) else "/audit"
    raise web.HTTPSeeOther(f"/review?did={number}" if where == "/review" else where)


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() and len(text) < 12 else None
