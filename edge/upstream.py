"""What the school has to know of the box's documents, so that it can name what it receives."""

from __future__ import annotations

import hashlib
from typing import Literal

from edge.documents import Documents
from edge.ledger import Ledger
from homework.assignment import assignment_to_toml
from homework.layout import layout_to_json
from sync.records import DocumentRecord


def queue_documents(documents: Documents, ledger: Ledger) -> int:
    """Queue every assignment and layout that the school was not told of yet. Returns how many."""
    records = [_record("assignment", a.id, assignment_to_toml(a)) for a in documents.assignments()]
    records += [_record("layout", found.sheet, layout_to_json(found)) for found in documents.layouts()]
    return sum(ledger.queue_document(record) for record in records)


def _record(document: Literal["assignment", "layout"], name: str, body: str) -> DocumentRecord:
    raw = body.encode()
    digest = hashlib.blake2b(raw, digest_size=16).digest()
    return DocumentRecord(document=document, id=name, digest=digest, body=raw)
