"""What the school has to know of the box's documents, so that it can name what it receives."""

from __future__ import annotations

from typing import Literal

from edge.documents import Documents
from edge.ledger import Ledger
from homework.assignment import assignment_to_toml
from homework.layout import layout_to_json
from homework.print_run import reference_of
from sync.down_bodies import content_of
from sync.records import MAX_DOCUMENT_BYTES, DocumentRecord


def queue_documents(documents: Documents, ledger: Ledger) -> int:
    """Queue every assignment and layout, with its picture, that the school was not told of yet. Returns how many."""
    stamp = documents.stamp()
    records = [_record("assignment", a.id, assignment_to_toml(a).encode()) for a in documents.assignments()]
    for layout in documents.layouts():
        name = reference_of(layout)
        picture = documents.picture(name) if name is not None and not ledger.has_queued("reference", name) else None
        if name is not None and picture is not None and len(picture) <= MAX_DOCUMENT_BYTES:
            records.append(_record("reference", name, picture))
        records.append(_record("layout", layout.sheet, layout_to_json(layout).encode()))
    # What comes down meanwhile is no news for the school, and what it replaced even less.
    return ledger.queue_documents(records, still=lambda: documents.stamp() == stamp)


def _record(document: Literal["assignment", "layout", "reference"], name: str, body: bytes) -> DocumentRecord:
    return DocumentRecord(document=document, id=name, digest=content_of(body), body=body)
