"""The sums over pages that count, by class and by field, and the versions of what reports are made of.

The counts of all fields of a page lie in one column, in the order of the layout, five 32-bit numbers each (little
endian): how many pupils' answers are right, wrong, blank, in review, and read without being judged. A class and its
worksheet of 20 items are one row then and not 21.

They change in the transaction that changes the rows. The caller holds the school's lock (`lock_school`), so that what
is read here and written again is nobody else's meanwhile.
"""

from __future__ import annotations

import logging
import struct
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from itertools import zip_longest
from typing import Any, Literal, NamedTuple

import msgspec
from sqlalchemy import ColumnElement, Select, case, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.asking import Asked
from gateway.store.dialect import add_or_replace, insert_into
from gateway.store.tables.schools import schools
from gateway.store.tables.sheets import class_rollups, page_rollups
from homework.results import VerdictKind
from sync.records import VERDICT_CODES

COUNTED = ("correct", "wrong", "blank", "review", "read")
"""What a field's five counts are of, in their order."""
_log = logging.getLogger(__name__)
_MOST = (1 << 32) - 1
_CODES: tuple[int, ...] = tuple([kind.value for kind in VERDICT_CODES].index(name) for name in COUNTED)
_NO_FIELD = b"\xff"
_PAGE_KEY = ("school_id", "assignment", "class_name", "attempt", "sheet", "page")
_PAGES = Asked(
    "pages", school_id="TEXT", assignment="TEXT", class_name="TEXT", attempt="INTEGER", sheet="TEXT", page="INTEGER"
)
_PageKey = tuple[str, str, str, int, str, int]
_SUMS = ("pages", "score_hundredths", "max_score_hundredths", "pending", "version")


class ClassPlace(NamedTuple):
    """One class's work on one assignment; `class_name` is "" where nobody knows the class."""

    assignment: str
    class_name: str
    attempt: int


class PagePlace(NamedTuple):
    """One page of a sheet, as one class has answered it in one attempt."""

    assignment: str
    class_name: str
    attempt: int
    sheet: str
    page: int


class PageTotals(msgspec.Struct):
    """The sums of one class's pages of one assignment and attempt, as `class_rollups` has them.

    `first_ms` and `last_ms` say when the first and the latest page came of those that were looked at.
    """

    pages: int = 0
    score_hundredths: int = 0
    max_score_hundredths: int = 0
    pending: int = 0
    first_ms: int | None = None
    last_ms: int | None = None

    def saw(self, received_ms: int) -> None:
        """A page of the class came then, whether it counts or not."""
        self.first_ms = received_ms if self.first_ms is None else min(self.first_ms, received_ms)
        self.last_ms = received_ms if self.last_ms is None else max(self.last_ms, received_ms)


class Totals:
    """Sums over pages that count, by class and by field; pages can be taken out again."""

    def __init__(self) -> None:
        self.classes: dict[ClassPlace, PageTotals] = defaultdict(PageTotals)
        self._counted: dict[PagePlace, tuple[list[bytes], list[bytes]]] = defaultdict(lambda: ([], []))

    def add_fields(self, place: ClassPlace, sheet: str, page: int, verdicts: Sequence[bytes], sign: int) -> None:
        """Count the fields of pages by the codes of their verdicts, in the order of the layout; -1 counts them out."""
        counted_in, counted_out = self._counted[PagePlace(*place, sheet, page)]
        (counted_in if sign > 0 else counted_out).extend(verdicts)

    def fields(self) -> dict[PagePlace, list[int]]:
        """The counts of the fields of each page: five (`COUNTED`) of the first, five of the second and so on."""
        sums = {}
        for place, (counted_in, counted_out) in self._counted.items():
            pairs = zip_longest(_counts(counted_in), _counts(counted_out), fillvalue=0)
            sums[place] = [more - less for more, less in pairs]
        return sums


def _counts(pages: Sequence[bytes]) -> list[int]:
    """By field and kind. A class's pages are laid over one another: to count in a column of bytes is quick."""
    width = max(map(len, pages), default=0)
    columns = b"".join(page.ljust(width, _NO_FIELD) for page in pages)
    return [columns[at::width].count(code) for at in range(width) for code in _CODES]


def pack_counts(counts: Sequence[int]) -> bytes:
    """The counts of a page's fields as one column."""
    return struct.pack(f"<{len(counts)}I", *counts)


def unpack_counts(packed: bytes) -> tuple[int, ...]:
    """The counts of a page's fields: five (`COUNTED`) of the first, five of the second and so on."""
    return struct.unpack(f"<{len(packed) // 4}I", packed)


async def add_totals(connection: AsyncConnection, totals: Mapping[str, Totals]) -> None:
    """Add sums of schools to the rollups.

    Every class that is named has another version afterwards, whatever its sums are.
    """
    classes = [
        {"school_id": school, **place._asdict(), **msgspec.structs.asdict(sums), "version": 1}
        for school, mine in sorted(totals.items())
        for place, sums in sorted(mine.classes.items())
    ]
    if classes:
        await connection.execute(_add_to_classes(connection.dialect.name), classes)
    fields = {
        (school, *place): counts for school, mine in sorted(totals.items()) for place, counts in mine.fields().items()
    }
    if fields:
        await _add_to_pages(connection, fields)


async def _add_to_pages(connection: AsyncConnection, totals: Mapping[_PageKey, Sequence[int]]) -> None:
    dialect, keys = connection.dialect.name, sorted(totals)
    stored = {
        tuple(key): unpack_counts(counts)
        for *key, counts in await connection.execute(_counted(dialect), _PAGES.values(dialect, keys))
    }
    rows = [
        {**dict(zip(_PAGE_KEY, key, strict=True)), "counts": pack_counts(_sum(stored.get(key, ()), totals[key]))}
        for key in keys
    ]
    await connection.execute(add_or_replace(connection, page_rollups), rows)


@cache
def _counted(dialect: str) -> Select[Any]:
    return _PAGES.matching(dialect, page_rollups)


def _sum(stored: Sequence[int], more: Sequence[int]) -> list[int]:
    sums = [a + b for a, b in zip_longest(stored, more, fillvalue=0)]
    if sums and not (min(sums) >= 0 and max(sums) <= _MOST):
        # Nothing that a box sends leads here. Its sheets are not to wait for a person; `classgate db check` tells.
        _log.error("a page's sums were wrong before: `classgate db check` says which")
        return [min(max(n, 0), _MOST) for n in sums]
    return sums


async def touch_classes(connection: AsyncConnection, places: Mapping[str, Collection[tuple[str, str]]]) -> None:
    """Say that something else that these (assignment, class) reports of schools show has changed than their pages."""
    totals: dict[str, Totals] = defaultdict(Totals)
    for school, mine in places.items():
        for assignment, class_name in mine:
            totals[school].classes[ClassPlace(assignment, class_name, 1)] = PageTotals()
    await add_totals(connection, totals)


async def touch_school(
    connection: AsyncConnection, school: str, what: Literal["roster", "settings", "documents"]
) -> None:
    """Say that something has changed that all of a school's reports may show.

    `documents`: worksheets and layouts, and what is known of the clocks of boxes.
    """
    version = schools.c[f"{what}_version"]
    await connection.execute(update(schools).where(schools.c.school_id == school).values({version: version + 1}))


@cache
def _add_to_classes(dialect: str) -> Any:
    statement = insert_into(dialect, class_rollups)
    old, new = class_rollups.c, statement.excluded
    changes: dict[str, Any] = {name: old[name] + new[name] for name in _SUMS}
    changes["first_ms"] = _chosen(old.first_ms, new.first_ms, new.first_ms < old.first_ms)
    changes["last_ms"] = _chosen(old.last_ms, new.last_ms, new.last_ms > old.last_ms)
    return statement.on_conflict_do_update(index_elements=list(class_rollups.primary_key.columns), set_=changes)


def _chosen(old: ColumnElement[Any], new: ColumnElement[Any], better: ColumnElement[bool]) -> ColumnElement[Any]:
    """The new one where it is `better` or there was none; a comparison with NULL is never true."""
    return case((old.is_(None) | better, new), else_=old)


assert {kind.value for kind in VerdictKind} == set(COUNTED)
