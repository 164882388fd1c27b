"""What waits for a person's look, as the ledger has it: groups of fields, and sheets of which nobody knows whose.

And what becomes of an answer: changes of fields.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from zlib import crc32

import numpy as np

from edge.booking import Standing
from edge.correcting import Change
from edge.documents import Documents
from edge.ledger import FiledPage, Ledger
from edge.reading.signature import GRID
from edge.stack import owner_of
from edge.web.whose import WrittenCrop, written_crops
from homework.assignment import Assignment
from homework.corrections import Word
from homework.layout import Field
from homework.results import VerdictKind
from homework.review_answers import SeenField, answers_of, not_ours
from homework.review_groups import Group, OpenPage, groups_of

ALIKE = 0.75
"""Correlation of two answers' ink, on the signature's grid of 8 by 20, from which they are put into one group. Whether
they do say the same is for the person to see: it only saves her looking back and forth."""

LONGEST_CAPTURE = 12
"""Digits of a capture's number, at most."""


@dataclass(frozen=True)
class Unowned:
    """A sheet of which nobody knows whose it is; `crops` show the written name and number."""

    capture: int
    seat: int | None
    linked: int | None
    crops: tuple[WrittenCrop, ...]
    version: str


@dataclass(frozen=True)
class ReviewList:
    """Everything that waits: the most doubtful group first, then the sheets without an owner."""

    groups: tuple[Group, ...]
    unowned: tuple[Unowned, ...]
    titles: dict[str, str]
    """The name of each group's homework, by what its sheets are booked under."""

    @property
    def fields(self) -> int:
        """How many fields wait."""
        return sum(len(group.crops) for group in self.groups)

    def group(self, key: str | None) -> Group | None:
        """The group of that key, else the first one."""
        return next((group for group in self.groups if group.key == key), self.groups[0] if self.groups else None)


def review_list(ledger: Ledger, documents: Documents, *, class_name: str | None) -> ReviewList:
    """What waits now. The fields of a sheet that is nobody's yet wait until it is somebody's."""
    pages = ledger.pages_for_review()
    counting = [page for page in pages if page.standing is not Standing.ASK and page.record is not None]
    keys = _keys(documents, counting)
    inks = ledger.inks([page.capture for page in counting if _has_words(page)])
    newest = ledger.newest_graded()
    groups = groups_of(
        [_open_page(page, documents, class_name, inks.get(page.capture, b"")) for page in counting],
        keys=keys,
        fields=_printed(documents, counting),
        alike=alike,
        first=newest.record.assignment if newest is not None and newest.record is not None else None,
    )
    return ReviewList(
        groups=tuple(groups),
        unowned=tuple(_unowned(page, documents) for page in pages if page.standing is Standing.ASK),
        titles={name: key.title for name, key in keys.items()},
    )


def changes_of(form: Mapping[str, Sequence[str]], ledger: Ledger) -> list[Change]:
    """The changes that an answer asks for. Raises `UsageError` for what no form of ours sends, or no number."""
    changes = (_change(seen, word, ledger) for seen, word in answers_of(form).items())
    return [change for change in changes if change is not None]


def _change(seen: SeenField, word: Word, ledger: Ledger) -> Change | None:
    if not seen.key.isdecimal() or len(seen.key) > LONGEST_CAPTURE:
        raise not_ours()
    filed = ledger.page(int(seen.key))
    if filed is None or filed.record is None or seen.place >= len(filed.record.items):
        return None
    item = filed.record.items[seen.place]
    return Change(filed.capture, seen.revision, (item.item, item.blank), word)


def picture_version(filed: FiledPage) -> str:
    """Changes when the picture of a field of the sheet would: another photo, or another place of it in the photo."""
    where = filed.mm_to_px.tobytes() if filed.mm_to_px is not None else b""
    return f"{filed.digest[:8]}-{crc32(where):08x}"


def _open_page(filed: FiledPage, documents: Documents, class_name: str | None, ink: bytes) -> OpenPage:
    assert filed.record is not None
    owner = owner_of(filed.record, documents.roster(), class_name)
    seat = owner.seat if owner is not None else filed.record.who.seat
    words = [place for place, item in enumerate(filed.record.items) if item.kind == "text"]
    inks = {place: ink_of(ink, place) for place in words}
    return OpenPage(str(filed.capture), filed.revision, filed.record, picture_version(filed), seat, inks)


def ink_of(signature: bytes, place: int) -> bytes:
    """One field's ink in the signature of its page; b"" where it has none."""
    size = GRID[0] * GRID[1]
    cells = signature[place * size : (place + 1) * size]
    return cells if len(cells) == size else b""


def alike(one: bytes, other: bytes) -> bool:
    """Whether the ink of two answers in words looks alike."""
    a, b = (np.frombuffer(ink, np.uint8).astype(np.float32) for ink in (one, other))
    spread = float(np.linalg.norm(a) * np.linalg.norm(b))
    return bool(spread) and float((a * b).sum()) / spread >= ALIKE


def _unowned(filed: FiledPage, documents: Documents) -> Unowned:
    seat = filed.record.who.seat if filed.record is not None else None
    return Unowned(filed.capture, seat, filed.linked, written_crops(filed, documents), picture_version(filed))


def _has_words(filed: FiledPage) -> bool:
    assert filed.record is not None
    return any(item.kind == "text" and item.verdict.kind is VerdictKind.REVIEW for item in filed.record.items)


def _keys(documents: Documents, pages: Iterable[FiledPage]) -> dict[str, Assignment]:
    names = {page.record.assignment for page in pages if page.record is not None}
    found = {name: documents.assignment(name) for name in names if name is not None}
    return {name: key for name, key in found.items() if key is not None}


def _printed(documents: Documents, pages: Iterable[FiledPage]) -> dict[tuple[str, int], dict[tuple[str, int], Field]]:
    printed: dict[tuple[str, int], dict[tuple[str, int], Field]] = {}
    for filed in pages:
        assert filed.record is not None
        name = (filed.record.sheet, filed.record.page)
        if name not in printed:
            layout = documents.layout(name[0])
            page = layout.page(name[1]) if layout is not None else None
            printed[name] = {(field.item, field.blank): field for field in page.fields} if page is not None else {}
    return printed
