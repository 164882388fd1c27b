"""A class on one assignment as it is told to people: figures with names, and what stands beside the figures.

The box and the school build it from what each of them keeps; from here on both say the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from homework.assignment import Assignment
from homework.lateness import Timing
from homework.layout import SheetLayout
from homework.report_settings import ReportSettings
from homework.results import PageRecord, VerdictKind
from homework.statistics import ClassFigures, PupilResult, WrongAnswer, pupil_result


class PupilNote(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What a report says of a pupil beside the figures.

    `matched`: the roster has this pupil in this class. `missing_pages`: pages of the sheet that have not come.
    `timing`: whether it came in time, None where there is no due time or no sheet.
    """

    matched: bool
    missing_pages: tuple[int, ...] = ()
    review_items: tuple[str, ...] = ()
    timing: Timing | None = None


class ErrorGroup(msgspec.Struct, frozen=True, gc=False):
    """Pupils who made the same mistake in an item."""

    item: str
    answer: WrongAnswer
    pupils: tuple[str, ...]


class ClassReport(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A class on one assignment. `assignment` is None until its document has come.

    `sheets` counts the pages that count; `unnamed` those of which nobody knows whose they are; `second` other
    captures of a pupil's page that count nowhere and are not called duplicates. `size` is the class's roster,
    0 when there is none. `names` and `notes` are keyed by the pupil ids of `figures`.
    """

    class_name: str
    assignment_id: str
    assignment: Assignment | None
    size: int
    sheets: int
    unnamed: int
    duplicates: int = 0
    second: tuple[str, ...] = ()
    max_score_hundredths: int | None
    updated_ms: int | None = None
    figures: ClassFigures
    names: Mapping[str, str]
    notes: Mapping[str, PupilNote]
    settings: ReportSettings = ReportSettings()

    @property
    def title(self) -> str:
        """What the assignment is called."""
        return self.assignment.title if self.assignment is not None else self.assignment_id

    @property
    def reteach(self) -> tuple[str, ...]:
        """Items below the line, in the assignment's order."""
        return tuple(item.item for item in self.figures.items if item.reteach)

    @property
    def untimed(self) -> tuple[str, ...]:
        """Pupils who handed in, and nobody can tell whether in time."""
        return tuple(p.pupil for p in self.figures.pupils if self.notes[p.pupil].timing is Timing.UNKNOWN)


def pupil_line(
    pupil: str,
    name: str,
    seat: int | None,
    pages: Sequence[PageRecord],
    *,
    missing_pages: tuple[int, ...],
    matched: bool = True,
    timing: Timing | None = None,
) -> tuple[PupilResult, PupilNote]:
    """One pupil's result and what is said beside it."""
    result = pupil_result(pupil, name, seat, pages, late=timing is Timing.LATE)
    if missing_pages:
        # Half a sheet has no score yet: it would pull the mean down for a page that lies somewhere.
        result = msgspec.structs.replace(result, score_hundredths=None)
    review = dict.fromkeys(i.item for i in result.items if i.verdict.kind is VerdictKind.REVIEW)
    return result, PupilNote(matched=matched, missing_pages=missing_pages, review_items=tuple(review), timing=timing)


def missing_pages(pages: Iterable[tuple[str, int]], layouts: Mapping[str, SheetLayout]) -> tuple[int, ...]:
    """Pages that a pupil's sheets should have and did not bring; `pages` are (sheet, page) of those that came."""
    there = tuple(pages)
    have = {page for _, page in there}
    expected = {page.page for sheet, _ in there if sheet in layouts for page in layouts[sheet].pages if page.fields}
    return tuple(sorted(expected - have))


def same_error_groups(figures: ClassFigures, *, least: int = 2, most: int = 8) -> tuple[ErrorGroup, ...]:
    """同错小组: who made the same mistake in items that are not taught again to all, the largest group first.

    `least` pupils make a group; at most `most` groups are listed. A pupil who made it twice (free order) is one.
    """
    found = [
        ErrorGroup(item.item, answer, pupils)
        for item in figures.items
        if not item.reteach
        for answer in item.common_wrong
        if len(pupils := tuple(dict.fromkeys(answer.pupils))) >= least
    ]
    return tuple(sorted(found, key=lambda group: -len(group.pupils))[:most])
