"""What waits at the school for a person's look, in the groups in which it is asked; and what becomes of an answer.

The same questions as on the box (`homework.review_groups`), of all boxes at once. Pictures are there of what the boxes
sent; where one is missing, the text alone is asked about.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.correcting import TAKEN_BACK, ChangedPageError, Done, Sayer, SeenPage, correct, counting_page
from gateway.keys import Vault
from gateway.reports.graded import graded
from gateway.store.corrections import Kept, corrections_between, corrections_of, field_names
from gateway.store.crops import CropName, crops_of
from gateway.store.pages import PageRow
from gateway.store.reading import assignments_named, class_pages, layouts_named
from gateway.store.tables.sheets import RowState, class_rollups
from homework.assignment import Assignment
from homework.corrections import Word
from homework.errors import ClassboxError
from homework.layout import Field, SheetLayout
from homework.review_answers import SeenField, not_ours
from homework.review_groups import Group, OpenPage, groups_of
from sync.clock import ClockReading

_CAPTURE_BYTES = 16
MOST_REPORTS = 40
"""Reports that are looked through at once, the newest first; after a term without a look there may be hundreds."""
MayCorrect = Callable[[str, Assignment | None], bool]
"""Whether who asks may correct sheets of that class and homework."""


class NotYoursError(ClassboxError):
    """Somebody answers for a class that is not theirs."""


class ReportName(NamedTuple):
    """A class's homework."""

    class_name: str
    assignment: str


class Waiting(NamedTuple):
    """What waits. `crops` are the fields of which there is a picture; `more` reports were not looked through."""

    groups: tuple[Group, ...]
    titles: Mapping[str, str]
    crops: frozenset[CropName]
    more: int
    mark: str

    @property
    def fields(self) -> int:
        """How many fields wait."""
        return sum(len(group.crops) for group in self.groups)

    def group(self, key: str | None) -> Group | None:
        """The group of that key, else the first one."""
        return next((group for group in self.groups if group.key == key), self.groups[0] if self.groups else None)


async def waiting(
    connection: AsyncConnection, school: str, may_correct: MayCorrect, *, only: ReportName | None = None
) -> Waiting:
    """What waits in the reports that the person may correct, or in `only` that one; the most doubtful group first."""
    columns = class_rollups.c
    query = (
        select(columns.class_name, columns.assignment)
        .where(columns.school_id == school, columns.pending > 0)
        .group_by(columns.class_name, columns.assignment)
    )
    if only is not None:
        query = query.where(columns.class_name == only.class_name, columns.assignment == only.assignment)
    query = query.order_by(func.max(columns.last_ms).desc())
    found = [ReportName(r.class_name, r.assignment) for r in await connection.execute(query)]
    keys = await assignments_named(connection, school, {name.assignment for name in found})
    mine = [name for name in found if may_correct(name.class_name, keys.get(name.assignment))]
    rows: list[PageRow] = []
    for name in mine[:MOST_REPORTS]:
        pages = await class_pages(connection, school, name.class_name, name.assignment, attempt=None)
        rows += [row for row, state in pages if state is RowState.CURRENT and row.pending]
    layouts = await layouts_named(connection, school, {row.sheet for row in rows})
    known = [row for row in rows if row.score_hundredths is not None and _fits(row, layouts.get(row.sheet))]
    groups = groups_of(
        [_open_page(row, layouts[row.sheet]) for row in known],
        keys=keys,
        fields=_printed(known, layouts),
        alike=_never,
        first=mine[0].assignment if mine else None,
    )
    return Waiting(
        groups=tuple(groups),
        titles={name: key.title for name, key in keys.items()},
        crops=frozenset(await crops_of(connection, school, {row.booked.capture for row in known})),
        more=max(0, len(mine) - MOST_REPORTS),
        mark=await review_mark(connection, school),
    )


async def review_mark(connection: AsyncConnection, school: str) -> str:
    """Another text whenever something of the school's reports has changed."""
    query = select(func.coalesce(func.sum(class_rollups.c.version), 0)).where(class_rollups.c.school_id == school)
    return str((await connection.execute(query)).scalar_one())


class Answered(NamedTuple):
    """What became of answers: the corrections made, in the school's order, and how many had been overtaken."""

    done: tuple[Done, ...]
    refused: int

    @property
    def orders(self) -> tuple[int, int] | None:
        """The first and the last of the corrections among the school's; None where nothing was changed."""
        orders = [one.record.order or 0 for one in self.done if one.record is not None]
        return (min(orders), max(orders)) if orders else None


async def answer(
    connection: AsyncConnection,
    vault: Vault,
    school: str,
    words: Mapping[SeenField, Word],
    may_correct: MayCorrect,
    *,
    who: Sayer,
    clock: ClockReading,
) -> Answered:
    """Say all of that in one transaction. What somebody else has answered meanwhile stays as it is, and is counted.

    Raises `UsageError` for a name that no form of ours sends, and `NotYoursError` for a sheet that the person may
    not correct: then nothing is said at all.
    """
    allowed: dict[bytes, bool] = {}
    done: list[Done] = []
    refused = 0
    for seen, word in words.items():
        capture = _capture(seen.key)
        if capture not in allowed:
            row = await counting_page(connection, school, capture)
            if row is None:
                refused += 1
                continue
            keys = await assignments_named(connection, school, {row.assignment or ""})
            allowed[capture] = may_correct(row.class_name or "", keys.get(row.assignment or ""))
        if not allowed[capture]:
            raise NotYoursError("This sheet is not yours to correct.", remedy="Ask its teacher.")
        field = SeenPage(capture, seen.revision, seen.place)
        try:
            done.append(await correct(connection, vault, school, field, word, who=who, clock=clock))
        except ChangedPageError:
            refused += 1
    return Answered(tuple(done), refused)


async def take_back(
    connection: AsyncConnection,
    vault: Vault,
    school: str,
    orders: tuple[int, int],
    may_correct: MayCorrect,
    *,
    who: Sayer,
    clock: ClockReading,
) -> int:
    """Take back what the same person said, by its places among the school's corrections; returns of how many fields.

    Each of these fields is again what the box had read. What somebody else said of a field since then stands.
    """
    own = [kept for kept in await corrections_between(connection, school, *orders) if _is_of(kept, who)]
    newest = await _newest(connection, school, {kept.record.capture for kept in own})
    count = 0
    for kept in own:
        if not _is_of(newest[_field_of(kept)], who):
            continue
        row = await counting_page(connection, school, kept.record.capture)
        place = await _place(connection, school, row, kept)
        if row is None or place is None:
            continue
        keys = await assignments_named(connection, school, {row.assignment or ""})
        if not may_correct(row.class_name or "", keys.get(row.assignment or "")):
            raise NotYoursError("This sheet is not yours to correct.", remedy="Ask its teacher.")
        field = SeenPage(kept.record.capture, row.booked.revision, place)
        done = await correct(connection, vault, school, field, TAKEN_BACK, who=who, clock=clock)
        count += done.record is not None
    return count


def _is_of(kept: Kept, who: Sayer) -> bool:
    """Whether it was said at the school by that person; a name alone would not tell."""
    return not kept.origin and kept.person_id == who.person_id


def _field_of(kept: Kept) -> tuple[bytes, str, int]:
    return kept.record.capture, kept.record.item, kept.record.blank


async def _newest(
    connection: AsyncConnection, school: str, captures: Collection[bytes]
) -> dict[tuple[bytes, str, int], Kept]:
    """Of each field of these captures the last word."""
    found = await corrections_of(connection, school, captures)
    return {_field_of(kept): kept for words in found.values() for kept in words}


async def _place(connection: AsyncConnection, school: str, row: PageRow | None, kept: Kept) -> int | None:
    if row is None:
        return None
    layouts = await layouts_named(connection, school, {row.sheet})
    names = field_names(layouts.get(row.sheet), row.page)
    wanted = (kept.record.item, kept.record.blank)
    return next((place for place, name in enumerate(names) if (name.item, name.blank) == wanted), None)


def crop_of(row_key: str, item: str, blank: int) -> CropName:
    """The name of the picture of a field of the review."""
    return CropName(_capture(row_key), item, blank)


def _capture(key: str) -> bytes:
    try:
        capture = bytes.fromhex(key)
    except ValueError as error:
        raise not_ours() from error
    if len(capture) != _CAPTURE_BYTES:
        raise not_ours()
    return capture


def _open_page(row: PageRow, layout: SheetLayout) -> OpenPage:
    record = graded(row, layout)
    return OpenPage(row.booked.capture.hex(), row.booked.revision, record, str(row.booked.revision), row.seat)


def _fits(row: PageRow, layout: SheetLayout | None) -> bool:
    """Whether the fields have names: without the layout nobody can say what is asked."""
    names = field_names(layout, row.page)
    return bool(names) and len(graded(row, layout).items) == len(names)


def _printed(
    rows: Collection[PageRow], layouts: Mapping[str, SheetLayout]
) -> dict[tuple[str, int], dict[tuple[str, int], Field]]:
    printed: dict[tuple[str, int], dict[tuple[str, int], Field]] = {}
    for row in rows:
        page = layouts[row.sheet].page(row.page)
        printed[row.sheet, row.page] = {(f.item, f.blank): f for f in page.fields} if page is not None else {}
    return printed


def _never(_one: bytes, _other: bytes) -> bool:
    """The ink of answers in words stays on the box, so each is asked by itself."""
    return False


def split(values: Sequence[str]) -> tuple[int, int] | None:
    """The first and last place of an undo's address, `3-7`."""
    first, _, last = (values[0] if values else "").partition("-")
    if not (first.isdecimal() and last.isdecimal() and len(first) < 12 and len(last) < 12):
        return None
    return int(first), int(last)
