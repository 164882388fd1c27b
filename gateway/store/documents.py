"""What a school's boxes are given: worksheets, class lists, settings, each as the box itself would write it down.

The caller holds the school's lock.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.clock import unix_ms
from gateway.keys import Vault
from gateway.store.corrections import captures_judged_by, look_again
from gateway.store.down_log import New, append, append_all
from gateway.store.lanes import add_documents
from gateway.store.rollups import touch_school
from gateway.store.schools import school_key
from homework.assignment import assignment_to_toml
from homework.layout import layout_to_json
from homework.print_run import PrintRun
from homework.report_settings import ReportSettings, settings_to_json
from homework.roster import Pupil, Roster, roster_to_csv
from sync.down_bodies import content_of, sealed_content_of, sealed_roster
from sync.records import DocumentRecord


async def publish(connection: AsyncConnection, school: str, run: PrintRun) -> int:
    """Give the worksheets of a print run to the school and all its boxes. Returns how many documents are new.

    Its class list is another matter (`gateway.store.class_lists`).
    """
    run = run.by_digest()
    new = 0
    if run.reference is not None and run.layout.reference is not None:
        new += await _add(connection, school, "reference", run.layout.reference, run.reference)
    if run.assignment is not None:
        body = assignment_to_toml(run.assignment).encode()
        new += await _document(connection, school, "assignment", run.assignment.id, body)
    new += await _document(connection, school, "layout", run.layout.sheet, layout_to_json(run.layout).encode())
    return new


async def publish_classes(
    connection: AsyncConnection, vault: Vault, school: str, classes: Mapping[str, tuple[Pupil, ...]]
) -> int:
    """Give classes to the boxes, sealed under the school's key; one without pupils goes from their lists.

    Returns how many have changed.
    """
    key = await school_key(connection, vault, school)
    news = []
    for name, pupils in classes.items():
        csv = roster_to_csv(Roster(pupils=pupils)).encode()
        news.append(New("roster", name, sealed_roster(key, name, csv), sealed_content_of(key, csv)))
    return sum(place is not None for place in await append_all(connection, school, news))


async def publish_settings(connection: AsyncConnection, school: str, settings: ReportSettings) -> int:
    """Give every box how the school wants its reports. Returns 1 when that has changed."""
    new = await _add(connection, school, "setting", "report", settings_to_json(settings).encode())
    if new:
        await touch_school(connection, school, "settings")
    return new


async def _document(
    connection: AsyncConnection, school: str, document: Literal["assignment", "layout"], name: str, body: bytes
) -> int:
    """For the boxes, and for the gateway's own reports: what corrections say is judged by it too."""
    record = DocumentRecord(document=document, id=name, digest=content_of(body), body=body)
    await add_documents(connection, school, [(record, unix_ms())])
    await look_again(connection, school, await captures_judged_by(connection, school, [record]))
    return await _add(connection, school, document, name, body)


async def _add(
    connection: AsyncConnection,
    school: str,
    kind: Literal["assignment", "layout", "reference", "setting"],
    key: str,
    body: bytes,
) -> int:
    return await append(connection, school, kind, key, body) is not None
