"""Results as a OneRoster gradebook: the zip of CSV files that school registers take in. Pure: rows of each file.

1EdTech OneRoster 1.1 (CSV Tables, 2017, imsglobal.org/oneroster-v11-final-csv-tables), bulk files, which leave status
and dateLastModified empty; readers of 1.2 take them too. There are no names in it: a pupil is the school's own number
(`identifier` of users.csv), a class what it is called in the class list.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import date
from typing import Final, Literal, NamedTuple

from homework.tables import safe_text

ScoreStatus = Literal["fully graded", "partially graded", "submitted"]
Cells = tuple[str, ...]
MANIFEST: Final = "manifest.csv"
SESSIONS: Final = "academicSessions.csv"
CATEGORIES: Final = "categories.csv"
LINE_ITEMS: Final = "lineItems.csv"
RESULTS: Final = "results.csv"
_THERE: Final = (SESSIONS, CATEGORIES, LINE_ITEMS, RESULTS)
_KNOWN: Final = (
    "academicSessions",
    "categories",
    "classes",
    "classResources",
    "courses",
    "courseResources",
    "demographics",
    "enrollments",
    "lineItems",
    "orgs",
    "resources",
    "results",
    "users",
)
HEADERS: Final[dict[str, Cells]] = {
    MANIFEST: ("propertyName", "value"),
    SESSIONS: (
        *("sourcedId", "status", "dateLastModified", "title", "type", "startDate", "endDate"),
        *("parentSourcedId", "schoolYear"),
    ),
    CATEGORIES: ("sourcedId", "status", "dateLastModified", "title"),
    LINE_ITEMS: (
        *("sourcedId", "status", "dateLastModified", "title", "description", "assignDate", "dueDate"),
        *("classSourcedId", "categorySourcedId", "gradingPeriodSourcedId", "resultValueMin", "resultValueMax"),
    ),
    RESULTS: (
        *("sourcedId", "status", "dateLastModified", "lineItemSourcedId", "studentSourcedId", "scoreStatus"),
        *("score", "scoreDate", "comment"),
    ),
}
"""The columns of each file, in the order and the case of the standard."""
CATEGORY: Final[dict[str, str]] = {"homework": "Homework", "test": "Test"}


class LineItem(NamedTuple):
    """A class's homework. `term` is the id of an academic session; `due` stands in for an unknown due date."""

    class_name: str
    assignment: str
    title: str
    mode: str
    given: date
    due: date
    term: str
    max_score: str

    @property
    def id(self) -> str:
        """The same for the same homework of the same class, whenever it is told."""
        return _id("lineItem", self.class_name, self.assignment)

    def cells(self) -> Cells:
        """Its line of lineItems.csv."""
        days = (self.given.isoformat(), self.due.isoformat())
        texts = (safe_text(self.title), "", *days, safe_text(self.class_name), self.mode, self.term)
        return (self.id, "", "", *texts, "0", self.max_score)


class Result(NamedTuple):
    """What a pupil's first sheet of a line item was worth. `score` is empty while it is open."""

    line_item: str
    student: str
    status: ScoreStatus
    score: str
    day: date

    def cells(self) -> Cells:
        """Its line of results.csv."""
        name = _id("result", self.line_item, self.student)
        return (
            name,
            "",
            "",
            self.line_item,
            safe_text(self.student),
            self.status,
            self.score,
            self.day.isoformat(),
            "",
        )


def manifest(system: str, code: str) -> Iterator[Cells]:
    """The lines of manifest.csv: which files are there. `system` and `code` say whose data it is."""
    yield ("manifest.version", "1.0")
    yield ("oneroster.version", "1.1")
    for name in _KNOWN:
        yield (f"file.{name}", "bulk" if f"{name}.csv" in _THERE else "absent")
    yield ("source.systemName", system)
    yield ("source.systemCode", code)


def session(name: str, title: str, first: date, last: date) -> Cells:
    """A term as a line of academicSessions.csv. End dates are the first day that does not count."""
    year = first.year if first.month >= 8 else first.year - 1
    end = date.fromordinal(last.toordinal() + 1)
    return (name, "", "", title, "gradingPeriod", first.isoformat(), end.isoformat(), "", str(year + 1))


def categories() -> Iterator[Cells]:
    """The lines of categories.csv: homework and tests."""
    for name, title in CATEGORY.items():
        yield (name, "", "", title)


def _id(*parts: str) -> str:
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()
