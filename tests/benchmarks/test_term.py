"""The benchmark of a district's term: a tiny district, everything else as in the large one."""

from datetime import date

import pytest

from benchmarks._district import Size
from benchmarks._district_hour import percentile
from benchmarks._district_reports import REPORTS
from benchmarks.term import Plan, measure

PLAN = Plan(
    size=Size(schools=2, teachers=9, pupils=130, given=12, sheets=400),
    shares=(1.0,),
    store="sqlite",
    first_day=date(2026, 8, 3),
    seconds=1.5,
    looks=1,
    warming_s=0.5,
    looks_per_s=20.0,
    sheets_per_s=20.0,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("term")


@pytest.fixture(scope="module")
def figures(folder):
    return measure(folder, PLAN)


def test_every_sheet_of_the_term_and_of_the_hours_between_counts_once(figures):
    hours = [stage["together"] for stage in figures["stages"]]
    assert figures["counted"] == PLAN.size.sheets + sum(hour["sheets"] for hour in hours)
    assert [hour["without_receipt"] for hour in hours] == [0]
    assert all(hour["receipt_s_p50"] > 0 for hour in hours)


def test_every_report_is_looked_at_for_every_share_of_the_term(figures):
    looked_at = {(row["share"], row["report"]) for row in figures["rows"]}
    assert {share for share, _ in looked_at} == set(PLAN.shares)
    assert {report for _, report in looked_at} <= {report.name for report in REPORTS}
    assert figures["errors"] == 0
    assert [row["report"] for row in figures["alone"]] == [report.name for report in REPORTS if not report.live]
    assert all(row["p50_ms"] <= row["p99_ms"] <= row["max_ms"] for row in figures["rows"])


def test_what_was_measured_once_is_not_measured_again(figures, folder):
    again = measure(folder, PLAN)
    assert again["rows"] == figures["rows"]
    assert again["load_s"] == figures["load_s"]


def test_percentiles_are_looks_that_there_were():
    assert percentile([], 0.5) == 0
    assert [percentile([1.0, 2.0, 3.0, 4.0], share) for share in (0.5, 0.75, 0.99)] == [2.0, 3.0, 4.0]
    assert percentile([float(n) for n in range(1, 101)], 0.99) == 99.0
