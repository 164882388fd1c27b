"""Sheets of a class that does not exist, graded for real: what tests and benchmarks send to a gateway."""

from __future__ import annotations

import hashlib
import random
import secrets
from collections.abc import Sequence
from typing import Literal

from homework.assignment import Assignment, Item, assignment_to_toml
from homework.grading import grade_page
from homework.layout import Field, Page, SheetLayout, layout_to_json
from homework.results import Doubt, PageRecord, Reading, WhoWroteIt
from homework.roster import Pupil, Roster
from sync.clock import ClockQuality, ClockReading
from sync.envelope import Envelope, chain_after
from sync.lanes import CHALLENGE_BYTES, EPOCH_BYTES, Lane, first_link
from sync.records import DocumentRecord, PageResult, Record, encode_record, page_result_from

_MISTAKES = {">": "<", "<": ">", "=": ">", "√": "×", "×": "√"}


def make_roster(class_name: str, size: int) -> Roster:
    """A class of generated pupils."""
    return Roster(
        tuple(Pupil(class_name, seat, f"学生{seat:02d}", f"{class_name}-S{seat:03d}") for seat in range(1, size + 1))
    )


def plain_layout(assignment: Assignment, *, sheet: str = "SIMU") -> SheetLayout:
    """A layout of one page with the assignment's fields in order, in a column; nobody prints it."""
    fields = [(item, blank) for item in assignment.items for blank in range(1, item.blanks + 1)]
    return SheetLayout(
        sheet=sheet,
        assignment=assignment.id,
        page_mm=(210.0, 297.0),
        pages=(
            Page(
                page=1,
                markers=(),
                fields=tuple(
                    Field(item=item.id, blank=blank, kind=item.kind, box_mm=(20.0, 20.0 + 5 * row, 30.0, 4.0))
                    for row, (item, blank) in enumerate(fields)
                ),
            ),
        ),
    )


class SimulatedClass:
    """Pupils who answer with some probability rightly, blankly or illegibly; every item has its own difficulty."""

    def __init__(
        self, assignment: Assignment, roster: Roster, *, school_key: bytes, sheet: str = "SIMU", seed: int = 1
    ) -> None:
        self.assignment = assignment
        self.roster = roster
        self.layout = plain_layout(assignment, sheet=sheet)
        self._key = school_key
        self._random = random.Random(seed)  # noqa: S311 - repeatable, not secret
        self._difficulty = {item.id: self._random.uniform(0.03, 0.5) for item in assignment.items}

    def documents(self) -> tuple[DocumentRecord, ...]:
        """What a box tells first: the assignment and its layout."""
        return (
            _document("assignment", self.assignment.id, assignment_to_toml(self.assignment)),
            _document("layout", self.layout.sheet, layout_to_json(self.layout)),
        )

    def graded(self, pupil: Pupil, *, attempt: int = 1) -> PageRecord:
        """One pupil's page, graded."""
        page = self.layout.pages[0]
        items = {item.id: item for item in self.assignment.items}
        return grade_page(
            self.assignment,
            self.layout.sheet,
            page.page,
            [(field, self._reading(items[field.item], field)) for field in page.fields],
            WhoWroteIt(class_name=pupil.class_name, seat=pupil.seat, pupil=pupil.pupil_id, confidence=0.99),
            attempt=attempt,
        )

    def result(
        self,
        pupil: Pupil,
        *,
        capture: bytes | None = None,
        duplicate_of: bytes | None = None,
        attempt: int = 1,
        revision: int = 1,
        named: bool = True,
    ) -> PageResult:
        """The record of one pupil's page. Not `named`: made by a box without the school's key."""
        return page_result_from(
            self.graded(pupil, attempt=attempt),
            capture=capture or secrets.token_bytes(16),
            clock=_clock(),
            school_key=self._key if named else None,
            duplicate_of=duplicate_of,
            revision=revision,
        )

    def results(self) -> tuple[PageResult, ...]:
        """A page of every pupil, in seat order."""
        return tuple(self.result(pupil) for pupil in self.roster.pupils)

    def _reading(self, item: Item, field: Field) -> Reading:
        right = item.rule.accepted[field.blank - 1][0] if item.rule.accepted else ""
        chance = self._random.random()
        difficulty = self._difficulty[item.id]
        if chance < 0.02:
            return Reading(None, 0.4, Doubt.UNSURE)
        if chance < 0.02 + 0.15 * difficulty:
            return Reading("", 0.99)
        if chance < 0.02 + difficulty:
            return Reading(self._mistake(item, right), 0.98)
        return Reading(right, 0.99)

    def _mistake(self, item: Item, right: str) -> str:
        if right in _MISTAKES:
            return _MISTAKES[right]
        if right.isdigit():  # a few pupils slip in the same place, others anywhere
            slip = self._random.choice([10, 10, 10, -10, 1, 2, 9])
            return str(abs(int(right) + slip))
        letters = [letter for letter in item.letters if letter != right]
        return self._random.choice(letters or ["1"])


class SimulatedBox:
    """Numbers a box's records and packs them into envelopes, each lane with its own chain."""

    def __init__(self, school: str, box: str) -> None:
        self.school, self.box = school, box
        self.epoch = secrets.token_bytes(EPOCH_BYTES)
        self._last = {lane: (0, first_link(self.epoch, lane)) for lane in Lane}

    def envelope(self, lane: Lane, records: Sequence[Record] | Sequence[bytes]) -> Envelope:
        """The next envelope of a lane."""
        entries = tuple(r if isinstance(r, bytes) else encode_record(r) for r in records)
        last, chain = self._last[lane]
        self._last[lane] = (last + len(entries), chain_after(chain, entries))
        return Envelope(
            school=self.school,
            box=self.box,
            epoch=self.epoch,
            lane=lane,
            first_seq=last + 1,
            before=chain,
            challenge=secrets.token_bytes(CHALLENGE_BYTES),
            entries=entries,
        )


def _document(kind: Literal["assignment", "layout"], name: str, text: str) -> DocumentRecord:
    body = text.encode()
    digest = hashlib.blake2b(body, digest_size=16).digest()
    return DocumentRecord(document=kind, id=name, digest=digest, body=body)


def _clock() -> ClockReading:
    return ClockReading(monotonic_ms=1_000, wall_ms=1_790_000_000_000, boot=bytes(16), quality=ClockQuality.SYNCED)
