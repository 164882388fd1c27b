"""The reports that `benchmarks.term` looks at: the address of each, and how often it is looked at."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import NamedTuple

from benchmarks._district import District
from benchmarks._district_hour import Place
from benchmarks._district_looks import Look
from benchmarks._district_sheets import SchoolTerm
from gateway.reports.periods import term_of
from gateway.web.found import class_address, pupil_address, school_address
from gateway.web.rooms import report_address

_ARRIVED_S = 15.0
"""So long after the first sheet of a stack went under the camera somebody looks at its report."""


class Targets:
    """What is looked at: anything of the first days of a term alike, and what comes just now."""

    def __init__(
        self, district: District, days: int, live: list[Place], school_keys: Mapping[str, bytes], rng: random.Random
    ) -> None:
        """`live` are the reports that sheets come for."""
        self._district, self._days, self._keys, self._rng = district, days, school_keys, rng
        self._live, self._arriving = deque(sorted(live, key=lambda place: place.from_s)), list[Place]()
        self.term = f"?term={term_of(district.first_day).name}"
        """What a page is asked to tell of this term, whatever day it is."""
        self._weights = [sum(one.first for one in school.classes) for school in district.schools]

    def report_address(self) -> str:
        """A class report, each of the term as likely as another."""
        while True:
            number = self.school_no()
            given = self._rng.choice(self._district.timetable(number).days[: self._days])
            if given:
                one = self._rng.choice(given)
                term = self._term(number)
                return report_address(term.plan.name, term.plan.classes[one.class_no].name, term.worksheet(one).name)

    def live_address(self, at_s: float) -> str:
        """A class report that changes just then; any at all while nothing has come."""
        while self._live and self._live[0].from_s < at_s - _ARRIVED_S:
            self._arriving.append(self._live.popleft())
        if not self._arriving:
            return self.report_address()
        one = self._rng.choice(self._arriving)
        return report_address(one.school, one.class_name, one.assignment)

    def class_address(self) -> str:
        """The page of a class."""
        school = self._district.schools[self.school_no()]
        return class_address(school.name, self._rng.choice(school.classes).name)

    def pupil_address(self) -> str:
        """The page of a pupil."""
        term = self._term(self.school_no())
        return pupil_address(
            term.plan.name, self._rng.choice(term.pseudonyms(self._rng.randrange(len(term.plan.classes))))
        )

    def school(self) -> str:
        """A school's id."""
        return self._district.schools[self.school_no()].name

    def school_address(self, part: str = "") -> str:
        """A page of a school."""
        return school_address(self.school()) + part + self.term

    def school_no(self) -> int:
        """A school, those with many sheets oftener."""
        return self._rng.choices(range(len(self._weights)), self._weights)[0]

    @lru_cache(maxsize=256)  # noqa: B019 - as long as its targets
    def _term(self, number: int) -> SchoolTerm:
        return SchoolTerm(self._district, number, self._keys[self._district.schools[number].name])


class Report(NamedTuple):
    """A kind of page. `share` is in how many of all looks it is the one that is looked at, beside the others'."""

    name: str
    share: float
    address: Callable[[Targets, float], str]
    """What is looked at so many seconds after the beginning."""
    live: bool = False
    """It is there only while sheets arrive."""


CLASS, DISTRICT = "class report", "district"
REPORTS = (
    Report(CLASS, 12, lambda t, _: t.report_address()),
    Report("class report, sheets arriving", 8, lambda t, at_s: t.live_address(at_s), live=True),
    Report("class report, one click deeper", 2, lambda t, _: f"{t.report_address()}/more"),
    Report("class report, one item", 3, lambda t, _: f"{t.report_address()}/items/1"),
    Report("class report, projector", 1, lambda t, _: f"{t.report_address()}/screen"),
    Report("class report, CSV", 1, lambda t, _: f"{t.report_address()}.csv"),
    Report("class report, XLSX", 1, lambda t, _: f"{t.report_address()}.xlsx"),
    Report("class report, API", 3, lambda t, _: f"/api/1{t.report_address()}/report"),
    Report("class", 3, lambda t, _: t.class_address()),
    Report("pupil", 5, lambda t, _: t.pupil_address()),
    Report("start page", 1, lambda *_: "/"),
    Report("start page of a school", 4, lambda t, _: f"/?school={t.school()}"),
    Report("school", 2, lambda t, _: t.school_address()),
    Report("school, knowledge", 1, lambda t, _: t.school_address("/knowledge")),
    Report("school, load", 1, lambda t, _: t.school_address("/load")),
    Report(DISTRICT, 2, lambda t, _: f"/district{t.term}"),
    Report("district, knowledge", 1, lambda t, _: f"/district/knowledge{t.term}"),
    Report("district, load", 1, lambda t, _: f"/district/load{t.term}"),
    Report("district, freshness", 1, lambda t, _: f"/district/freshness{t.term}"),
)
"""Every page that many look at, in one place: a new one needs a line here and nothing else. What is set for paper (PDF)
is made by a program of its own, for one person at a time."""


def looks(targets: Targets, *, a_second: float, seconds: float, warming_s: float, seed: int) -> list[Look]:
    """Looks at an even pace, the reports mixed. Those of the first `warming_s` seconds do not count."""
    rng = random.Random(seed)
    chosen = rng.choices(REPORTS, [report.share for report in REPORTS], k=round(a_second * (seconds + warming_s)))
    return [
        Look(
            at_s=place / a_second,
            report=report.name if place / a_second >= warming_s else "",
            path=report.address(targets, place / a_second),
        )
        for place, report in enumerate(chosen)
    ]
