"""The reports that `benchmarks.term` looks at: the address of each, and how often it is looked at."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import NamedTuple

from benchmarks._district import District
from benchmarks._district_hour import Place
from benchmarks._district_looks import Look
from benchmarks._district_sheets import SchoolTerm
from gateway.web.rooms import report_address


class Targets:
    """What is looked at: anything of the first days of a term alike, and what comes just now."""

    def __init__(
        self, district: District, days: int, live: list[Place], school_keys: Mapping[str, bytes], rng: random.Random
    ) -> None:
        """`live` are the reports that sheets come for."""
        self._district, self._days, self._live, self._keys, self._rng = district, days, live, school_keys, rng
        self._weights = [sum(one.first for one in school.classes) for school in district.schools]

    def class_address(self) -> str:
        """A class report, each of the term as likely as another."""
        while True:
            number = self.school_no()
            given = self._rng.choice(self._district.timetable(number).days[: self._days])
            if given:
                one = self._rng.choice(given)
                term = self._term(number)
                return report_address(term.plan.name, term.plan.classes[one.class_no].name, term.worksheet(one).name)

    def live_address(self) -> str:
        """A class report that changes."""
        return report_address(*self._rng.choice(self._live))

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
    address: Callable[[Targets], str]


CLASS = "class report"
REPORTS = (
    Report(CLASS, 10, lambda t: t.class_address()),
    Report("class report, sheets arriving", 6, lambda t: t.live_address()),
    Report("class report, CSV", 2, lambda t: f"{t.class_address()}.csv"),
    Report("class report, API", 4, lambda t: f"/api/1{t.class_address()}/report"),
    Report("start page", 3, lambda _: "/"),
    Report("list of reports, API", 1, lambda _: "/api/1/schools"),
)
"""Every page that there is to look at, in one place: a new one needs a line here and nothing else."""


def looks(targets: Targets, *, a_second: float, seconds: float, warming_s: float, seed: int) -> list[Look]:
    """Looks at an even pace, the reports mixed. Those of the first `warming_s` seconds do not count."""
    rng = random.Random(seed)
    chosen = rng.choices(REPORTS, [report.share for report in REPORTS], k=round(a_second * (seconds + warming_s)))
    return [
        Look(
            at_s=place / a_second,
            report=report.name if place / a_second >= warming_s else "",
            path=report.address(targets),
        )
        for place, report in enumerate(chosen)
    ]
