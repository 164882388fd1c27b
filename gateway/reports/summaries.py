"""What is kept of a class's report, so that lists, weeks, schools and districts need not make it again."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import date, datetime, tzinfo
from typing import NamedTuple

import msgspec

from gateway.reports.class_report import SchoolReport, report_from
from gateway.reports.periods import day_at, day_number
from gateway.reports.shelf import Digests, Shelf, Work
from gateway.store.reading import ReportVersion
from homework.again import AgainState
from homework.knowledge import Count, of_class
from homework.lateness import due_ms
from homework.load import minutes, subject_of

_points = msgspec.msgpack.Decoder(dict[str, Count])


class Place(NamedTuple):
    """A class's work on an assignment, in a school. The class is "" where nobody knows it."""

    school: str
    class_name: str
    assignment: str

    @property
    def work(self) -> Work:
        """It, within its school."""
        return Work(self.class_name, self.assignment)


class Summary(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A row of `class_summaries`, but for its key and `finished_ms`. What each column means stands at the table."""

    rows_version: int
    roster_version: int
    settings_version: int
    made_of: bytes
    sheets: str
    title: str
    subject: str
    grade: int | None
    day: int
    due_ms: int | None
    limit_ms: int | None
    minutes: int
    minutes_estimated: bool
    size: int
    expected: int
    handed_in: int
    late: int
    time_unknown: int
    excused: int
    settled: int
    rate_sum_ppm: int
    excellent_n: int
    passing_n: int
    low_n: int
    items_n: int
    reteach_n: int
    pending: int
    under_way: int
    again_owes: int | None
    again_done: int | None
    again_ms_sum: int | None
    behind: str
    told_ms: int | None
    first_ms: int | None
    last_ms: int | None
    knowledge: bytes

    @property
    def all_in(self) -> bool:
        """Whether everybody of the class list has handed in or is excused, every page, and nothing waits for a look."""
        return self.size > 0 and 0 < self.handed_in == self.expected == self.settled


async def summarise(shelf: Shelf, work: Work, *, zone: tzinfo | None = None) -> Summary:
    """The summary as of now, of one snapshot of the store. Raises `ClassboxError` when there is no such school."""
    version = await shelf.version(work)
    report = await report_from(shelf, work)
    digests = await shelf.digests(work.assignment, report.layouts)
    return summary_of(report, version, made_of(work.assignment, report.layouts, digests), zone=zone)


def summary_of(report: SchoolReport, version: ReportVersion, digest: bytes, *, zone: tzinfo | None = None) -> Summary:
    """What is kept of a report."""
    document, figures = report.assignment, report.figures
    length = minutes(document) if document is not None else None
    begun = report.again_begun
    behind = sorted(account.box for account in report.accounts if account.under_way)
    told_ms = max((account.told_ms for account in report.accounts), default=None)
    points = of_class(document.items, figures) if document is not None else {}
    return Summary(
        rows_version=version.rows,
        roster_version=version.roster,
        settings_version=version.settings,
        made_of=digest,
        sheets="\n".join(report.layouts),
        title=plain(report.title, 200),
        subject=plain(subject_of(document.subject), 40) if document is not None else "",
        grade=document.grade if document is not None and document.grade else grade_of_class(report.class_name),
        day=day_number(
            homework_day(document.due if document is not None else None, report.first_ms or told_ms or 0, zone)
        ),
        due_ms=due_ms(document.due) if document is not None else None,
        limit_ms=report.limit_ms,
        minutes=length.value if length else 0,
        minutes_estimated=length.estimated if length else True,
        size=report.size,
        expected=figures.expected,
        handed_in=figures.handed_in,
        late=figures.late,
        time_unknown=len(report.untimed),
        excused=len(figures.excused) + len(figures.exempt),
        settled=figures.settled,
        rate_sum_ppm=round(sum(pupil.rate or 0.0 for pupil in figures.pupils) * 1_000_000),
        excellent_n=figures.excellent_n,
        passing_n=figures.passing_n,
        low_n=figures.low_n,
        items_n=len(figures.items),
        reteach_n=len(report.reteach),
        pending=sum(pupil.pending for pupil in figures.pupils),
        under_way=sum(len(account.under_way) for account in report.accounts),
        again_owes=len(report.again_in(AgainState.OWES, AgainState.STILL_WRONG)) if begun else None,
        again_done=len(report.again_in(AgainState.DONE)) if begun else None,
        again_ms_sum=sum(report.turnaround_ms.values()) if begun else None,
        behind="\n".join(behind),
        told_ms=told_ms,
        first_ms=report.first_ms,
        last_ms=report.updated_ms,
        knowledge=msgspec.msgpack.encode({plain(name, 200): count for name, count in points.items()}),
    )


def points_of(knowledge: bytes) -> dict[str, Count]:
    """The knowledge points of a summary."""
    return _points.decode(knowledge)


def homework_day(due: str | None, first_ms: int, zone: tzinfo | None = None) -> date:
    """The day on which homework is counted: the one on which it is due, where it is due; else that of its first sheet.

    A due time has its own offset, so that the day is the school's wherever this machine stands.
    """
    if due is not None:
        return datetime.fromisoformat(due).date()
    return day_at(first_ms, zone)


def plain(text: str, most: int) -> str:
    """Text as a column holds it: no control characters (PostgreSQL takes no NUL), no more than so many characters."""
    return "".join(letter for letter in text if letter.isprintable())[:most]


_GRADES = {"一": 1, "二": 2, "三": 3, "四": 4, "五": 5, "六": 6, "七": 7, "八": 8, "九": 9}


def grade_of_class(name: str) -> int | None:
    """The grade that a class's name begins with (3-1, 三年级2班, 三(2)班), None where it begins with none."""
    first, second = name[:1], name[1:2]
    grade = _GRADES.get(first) or (int(first) if first in set("123456789") else None)
    return None if second.isdigit() or second in _GRADES else grade


def made_of(assignment: str, sheets: Sequence[str], digests: Digests) -> bytes:
    """A digest of the documents that a report was made of: it is another one when one of them came or changed."""
    whole = hashlib.blake2b(digest_size=16)
    for name in (("assignment", assignment), *(("layout", sheet) for sheet in sorted(sheets))):
        whole.update(repr((name, digests.get(name))).encode())
    return whole.digest()
