"""订正: a corrected sheet that is slid again. Which paper comes after which, and what the later one is worth. Pure.

A pupil corrects on the same paper: the ink of what was right stays, and in what was wrong there is other ink. So the
ink is compared field by field, and only what was wrong (or empty, or not read for certain) may have changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from edge.reading.signature import AROUND_GRID, GRID, same_ink
from homework.again import open_places
from homework.assignment import Assignment
from homework.grading import regrade
from homework.marks import SAYS_WRONG
from homework.results import ItemResult, MarkKind, PageRecord, TeacherMark, VerdictKind


class Likeness(StrEnum):
    """What a later look at one pupil's page shows, beside an earlier one."""

    SAME = "same"
    CORRECTED = "corrected"
    UNCLEAR = "unclear"
    """The same paper, and whether anything was corrected on it cannot be told."""
    OTHER = "other"


@dataclass(frozen=True)
class Look:
    """One look at a page: its record, the ink of its fields and seat cells, and that beside its fields (b"": none)."""

    record: PageRecord
    ink: bytes
    around: bytes = b""


def likeness(first: Look, now: Look) -> Likeness:
    """What `now` shows beside `first`: only what was open there may have other ink for the paper to be the same one.

    Figures of how often that is wrong are in `docs/again.md`.
    """
    if first.record.sheet != now.record.sheet or first.record.page != now.record.page:
        return Likeness.OTHER
    size = GRID[0] * GRID[1]
    if len(first.ink) != len(now.ink) or not first.ink or len(first.ink) % size:
        return Likeness.OTHER
    before, after = _softened(first.ink, GRID), _softened(now.ink, GRID)
    open_ = open_places(first.record)
    fixed = [place for place in range(len(before)) if place not in open_]
    changes = [_change(one, other) for one, other in zip(before, after, strict=True)]
    beside, other_words = _changes_beside(first, now), _read_otherwise(first.record, now.record)
    changed = {
        place
        for place, change in enumerate(changes)
        if change is _Change.CLEAR or (change is _Change.UNCLEAR and place in other_words)
    }
    altered = any(place in changed or place in beside for place in open_)
    unclear = any(change is _Change.UNCLEAR for change in changes)
    if not changed.isdisjoint(fixed):
        # A thumb, a shadow: where nothing was corrected it is the same paper if the rest of it is.
        return Likeness.SAME if not altered and same_ink(first.ink, now.ink) else Likeness.OTHER
    if not _is_proof(before[fixed], after[fixed]):
        # Too little that should be unchanged: only a paper on which nothing changed is known again.
        return Likeness.SAME if not altered and not unclear and same_ink(first.ink, now.ink) else Likeness.OTHER
    if altered:
        return Likeness.CORRECTED
    return Likeness.UNCLEAR if unclear else Likeness.SAME


def comes_before(now: Look, later: Look) -> bool:
    """Whether `later`, which came first, is `now` with its answers corrected: the two were slid in the wrong order.

    What `now` has open must be wrong or empty beyond doubt: a bad photo of the later one is no earlier paper.
    """
    righted = open_places(now.record) - open_places(later.record)
    sure = all(now.record.items[place].verdict.kind in (VerdictKind.WRONG, VerdictKind.BLANK) for place in righted)
    return bool(righted) and sure and likeness(now, later) is Likeness.CORRECTED


class _Change(StrEnum):
    NONE = "none"
    UNCLEAR = "unclear"
    CLEAR = "clear"


_EMPTY = 0.5 * 255
"""Less ink than this in a field is none: empty ones had 0.31 at most, in units of a full cell."""

_SAME_FIELD, _OTHER_FIELD = 0.975, 0.95
"""Correlation of one field's ink: from the first on it is unchanged, below the second it is changed."""

_LEAST_RESIDUE, _CLEAR_RESIDUE = 20.0, 24.0
"""The same for the largest difference in one cell (of 255), after both were brought to the same darkness."""

_LEAST_SHARE, _CLEAR_SHARE = 0.25, 0.3
"""And as a share of the darkest cell: what was crossed out is dark, and so are the differences of two photos of it."""

_FAINT_RESIDUE = 8.0
"""Where no cell differs more than this nothing changed: faint ink and the paper's grain do not correlate."""

_CLEAR_BESIDE, _MORE_BESIDE = 4.0, 0.5
"""So much more ink in one cell beside a field (of 255, and as a share of the darkest one there) is new ink."""

_PROOF_FIELDS = 2
"""So many inked fields and seat cells must be unchanged, for a paper to be known again by them."""

_PROOF = 0.97
"""Correlation of all that should be unchanged, together: other pupils' same answers had 0.83 at most."""


def _change(before: NDArray[np.float32], after: NDArray[np.float32]) -> _Change:
    inked = (float(before.sum()) >= _EMPTY, float(after.sum()) >= _EMPTY)
    if not any(inked):
        return _Change.NONE
    alike = _correlation(before, after)
    gain = min(max(float((before * after).sum()) / max(float((before * before).sum()), 1e-6), 0.5), 2.0)
    residue = float(np.abs(after - gain * before).max())
    darkest = float(before.max())
    if residue < _FAINT_RESIDUE:
        return _Change.NONE
    if alike < _OTHER_FIELD or residue >= max(_CLEAR_RESIDUE, _CLEAR_SHARE * darkest):
        return _Change.CLEAR
    slight = alike >= _SAME_FIELD and residue < max(_LEAST_RESIDUE, _LEAST_SHARE * darkest)
    return _Change.NONE if slight else _Change.UNCLEAR


def _changes_beside(first: Look, now: Look) -> frozenset[int]:
    """The places with more ink beside the field than before."""
    size = AROUND_GRID[0] * AROUND_GRID[1]
    length = max(len(first.around), len(now.around))
    one, other = first.around or bytes(length), now.around or bytes(length)
    if not length or len(one) != len(other) or length % size:
        return frozenset()
    before, after = _softened(one, AROUND_GRID), _softened(other, AROUND_GRID)
    more = (after - before).max(axis=(1, 2)) - _MORE_BESIDE * before.max(axis=(1, 2))
    return frozenset(int(place) for place in np.flatnonzero(more >= _CLEAR_BESIDE))


def _read_otherwise(first: PageRecord, now: PageRecord) -> frozenset[int]:
    """The places where another text is read than before, both times for certain: a 6 that became an 8 in its place."""
    return frozenset(
        place
        for place, (one, other) in enumerate(zip(first.items, now.items, strict=False))
        if one.read.doubt is None and other.read.doubt is None and one.read.text != other.read.text
    )


def _is_proof(before: NDArray[np.float32], after: NDArray[np.float32]) -> bool:
    """Whether what should be unchanged shows that it is the same paper."""
    inked = before.sum(axis=(1, 2)) >= _EMPTY
    return int(inked.sum()) >= _PROOF_FIELDS and _correlation(before, after) >= _PROOF


def _correlation(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    spread = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float((one * other).sum()) / spread if spread else 0.0


def _softened(signature: bytes, grid: tuple[int, int]) -> NDArray[np.float32]:
    """The fields' grids, each blurred, so that half a cell of displacement is no change."""
    cells = np.frombuffer(signature, np.uint8).reshape(-1, *grid).astype(np.float32)
    soft = [cv2.GaussianBlur(each, (3, 3), 0.8) for each in cells]
    return np.asarray(soft, np.float32).reshape(-1, *grid)


def take_over(
    first: PageRecord, now: PageRecord, assignment: Assignment | None, *, attempt: int
) -> tuple[PageRecord, tuple[int, ...]]:
    """The record of a corrected page, and the places (from 0) that it took over from the attempt before.

    Only what was open is compared: the rest keeps its reading, its mark and what was said of it, so that nothing which
    was right can come into doubt. A fault-finding mark on what was open was made before the pupil corrected it, and
    counts no more; nor does any mark that was there before. What a person said of this attempt stands.
    """
    before = {_name(item): item for item in first.items}
    open_ = {_name(first.items[place]) for place in open_places(first)}
    taken = tuple(
        place
        for place, item in enumerate(now.items)
        if item.said is None and _name(item) in before and _name(item) not in open_
    )
    items = tuple(
        before[_name(item)] if place in taken else _unmarked(item, before.get(_name(item)))
        for place, item in enumerate(now.items)
    )
    put_together = msgspec.structs.replace(now, items=items, attempt=attempt)
    if assignment is not None and assignment.id == now.assignment:
        return regrade(put_together, assignment), taken
    scored = now.score_hundredths is not None
    return (
        msgspec.structs.replace(
            put_together,
            score_hundredths=sum(i.verdict.score_hundredths or 0 for i in items) if scored else None,
            pending=sum(i.verdict.kind is VerdictKind.REVIEW for i in items),
        ),
        taken,
    )


def own_record(record: PageRecord, read: PageRecord | None, taken: Sequence[int]) -> PageRecord:
    """What a corrected page says by itself: `read` is how it was read, `taken` what it took over from before."""
    if read is None:
        return msgspec.structs.replace(record, attempt=1)
    items = tuple(read.items[place] if place in taken else item for place, item in enumerate(record.items))
    return msgspec.structs.replace(read, items=items, who=record.who, problems=record.problems, attempt=1)


def _name(item: ItemResult) -> tuple[str, int]:
    return (item.item, item.blank)


def _unmarked(item: ItemResult, before: ItemResult | None) -> ItemResult:
    """The field without the marks that speak of its old answer."""
    mark = item.mark
    if mark is None:
        return item
    old = before.mark if before is not None else None
    if mark.kind in SAYS_WRONG or (old is not None and _says(old) == _says(mark)):
        return msgspec.structs.replace(item, mark=None, own=None)
    return item


def _says(mark: TeacherMark) -> tuple[MarkKind, int | None]:
    return (mark.kind, mark.score_hundredths)
