"""The benchmark of what each report costs the processor: a tiny school, every report, cold and again."""

import asyncio
from datetime import date

import pytest

from benchmarks import reports
from benchmarks._district import DAYS, Size
from benchmarks._district_reports import REPORTS
from benchmarks.term import Plan, Site, begun

PLAN = Plan(
    size=Size(schools=1, teachers=3, pupils=40, given=3, sheets=60),
    shares=(1.0,),
    store="sqlite",
    first_day=date(2026, 8, 3),
    seconds=0,
)
_KEPT = [report.name for report in REPORTS if not report.live]


@pytest.fixture(scope="module")
def figures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reports")
    with pytest.MonkeyPatch.context() as patch, Site(folder, begun(folder, PLAN)) as site:
        patch.setattr(reports, "LOOKS", 0)
        patch.setattr(reports, "FEW_AGAIN", 1)
        site.stage(DAYS)
        return asyncio.run(reports.measure(site))


def test_every_report_is_looked_at_cold_and_again(figures):
    assert [row["report"] for row in figures["rows"]] == _KEPT
    assert all(row["looks"] > 0 and row["bytes"] > 200 for row in figures["rows"])
    assert all(row["cold_ms"] > 0 and row["warm_ms"] > 0 for row in figures["rows"])
    assert figures["worksheets"] >= PLAN.size.given


def test_the_mean_look_is_one_of_the_mix(figures):
    cold_ms = [row["cold_ms"] + row["db_ms"] for row in figures["rows"]]
    assert min(cold_ms) <= figures["look_ms"] <= max(cold_ms)
