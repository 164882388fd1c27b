"""All that is kept of one pupil, as one file: for whoever asks for it by right. With names: keep it as such."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.keys import Vault
from gateway.reports.comments import stored_comment
from gateway.reports.periods import term_named
from gateway.store.absences import absences_of_pupil
from gateway.store.corrections import corrections_of, field_names
from gateway.store.crops import crops_of, open_crop
from gateway.store.erasing import rows_of_pupil
from gateway.store.pages import PageRow, unpack_items
from gateway.store.reading import assignments_named, layouts_named
from gateway.store.schools import pupils_named, school_key
from gateway.store.tables.people import grants
from gateway.store.tables.sheets import RowState
from gateway.store.tables.summaries import comments
from homework.layout import SheetLayout
from sync.records import DOUBT_CODES, VERDICT_CODES


async def pupil_file(connection: AsyncConnection, vault: Vault, school: str, alias: bytes) -> bytes:
    """A zip: `pupil.json`, and the pictures of answers that there are. Raises `ClassboxError` for no such school."""
    key = await school_key(connection, vault, school)
    rows = await rows_of_pupil(connection, school, alias)
    captures = {page.booked.capture for page, _ in rows.values()}
    layouts = await layouts_named(connection, school, {page.sheet for page, _ in rows.values()})
    worksheets = await assignments_named(
        connection, school, {page.assignment for page, _ in rows.values() if page.assignment is not None}
    )
    words = await corrections_of(connection, school, captures)
    crops = await crops_of(connection, school, captures)
    pictures = [f"crops/{name.capture.hex()}-{number}-{name.blank}.webp" for number, name in enumerate(crops, start=1)]
    said = {
        "school": school,
        "pseudonym": alias.hex(),
        "listed": [
            {"class": one.pupil.class_name, "seat": one.pupil.seat, "name": one.pupil.name, "id": one.pupil.pupil_id}
            for one in await pupils_named(connection, vault, school, {alias})
        ],
        "pages": [
            _page(page, state, layouts.get(page.sheet), worksheets)
            for page, state in sorted(rows.values(), key=lambda each: each[0].booked.arrival)
        ],
        "corrections": [
            _correction(kept.record.capture, kept.opened(key), kept.received_ms)
            for capture in sorted(words)
            for kept in words[capture]
        ],
        "absences": {name: kind.value for name, kind in (await absences_of_pupil(connection, school, alias)).items()},
        "comments": await _comments(connection, vault, school, alias),
        "accounts_that_may_see": await _roles(connection, school, alias),
        "crops": pictures,
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("pupil.json", msgspec.json.format(msgspec.json.encode(said), indent=1))
        for place, name in zip(pictures, crops, strict=True):
            picture = await open_crop(connection, vault, school, name)
            if picture is not None:
                archive.writestr(place, picture)
    return out.getvalue()


def _page(page: PageRow, state: RowState, layout: SheetLayout | None, worksheets: Any) -> dict[str, Any]:
    items, names = unpack_items(page.items), field_names(layout, page.page)
    known = names if len(names) == len(items) else [None] * len(items)
    worksheet = worksheets.get(page.assignment)
    return {
        "assignment": page.assignment,
        "title": worksheet.title if worksheet is not None else None,
        "class": page.class_name,
        "seat": page.seat,
        "page": page.page,
        "attempt": page.attempt,
        "revision": page.booked.revision,
        "counts_as": state.name.lower(),
        "received_ms": page.booked.received_ms,
        "score_hundredths": page.score_hundredths,
        "max_score_hundredths": page.max_score_hundredths,
        "capture": page.booked.capture.hex(),
        "answers": [
            {
                "item": name.item if name is not None else None,
                "blank": name.blank if name is not None else place,
                "reading": item.reading,
                "verdict": VERDICT_CODES[item.verdict].value,
                "score_hundredths": item.score_hundredths,
                "doubt": doubt.value if (doubt := DOUBT_CODES[item.doubt]) is not None else None,
            }
            for place, (item, name) in enumerate(zip(items, known, strict=True), start=1)
        ],
    }


def _correction(capture: bytes, opened: Any, received_ms: int) -> dict[str, Any]:
    one = opened.correction
    said = None if one.judgement is msgspec.UNSET else msgspec.to_builtins(one.judgement)
    comment = None if one.comment is msgspec.UNSET else one.comment
    return {
        "capture": capture.hex(),
        "item": one.place[0],
        "blank": one.place[1],
        "who": opened.who,
        "judgement": said,
        "comment": comment,
        "received_ms": received_ms,
    }


async def _comments(connection: AsyncConnection, vault: Vault, school: str, alias: bytes) -> list[dict[str, Any]]:
    query = select(comments.c.term).where(comments.c.school_id == school, comments.c.pupil == alias)
    found = []
    for name in sorted((await connection.execute(query)).scalars()):
        kept = await stored_comment(connection, vault, school, alias, term_named(name))
        if kept is not None:
            found.append({"term": name, "text": kept.text, "changed_ms": kept.changed_ms})
    return found


async def _roles(connection: AsyncConnection, school: str, alias: bytes) -> list[str]:
    query = select(grants.c.role).where(grants.c.school_id == school, grants.c.pupil == alias)
    return sorted((await connection.execute(query)).scalars())
