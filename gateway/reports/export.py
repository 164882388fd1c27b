"""A class report for machines and spreadsheets."""

from __future__ import annotations

import csv
import io
from typing import Any

import msgspec

from gateway.reports.class_report import SchoolReport
from homework.again import AgainState
from homework.results import points
from homework.statistics import item_states
from homework.tables import safe_text
from homework.wording import VERDICT_SIGNS


def report_to_json(report: SchoolReport) -> dict[str, Any]:
    """The contract's object: `pupils`, `items`, `missing`, and the class's figures beside them.

    `corrected` says of how many pupils what has become of their mistakes (订正), all 0 until the first corrected sheet
    came; `turnaround_ms` is the median from the first sheet to the one on which all was right.
    """
    figures = report.figures
    mean = figures.mean_hundredths
    again = {one.pupil.pupil_id: one.state for one in report.again} if report.again_begun else {}
    turnarounds = sorted(report.turnaround_ms.values())
    return {
        "school": report.school,
        "class": report.class_name,
        "assignment": report.assignment_id,
        "title": report.assignment.title if report.assignment else None,
        "sheets": report.sheets,
        "unnamed": report.unnamed,
        "duplicates": report.duplicates,
        "expected": figures.expected,
        "handed_in": figures.handed_in,
        "late": figures.late,
        "time_unknown": len(report.untimed),
        "settled": figures.settled,
        "mean": None if mean is None else round(mean / 100, 2),
        "max_score": points(report.max_score_hundredths),
        "excellent": figures.excellent_n,
        "passing": figures.passing_n,
        "low": figures.low_n,
        "updated_ms": report.updated_ms,
        "boxes": [msgspec.to_builtins(account) for account in report.accounts],
        "corrected": {
            "begun": report.again_begun,
            **{state.value: sum(one is state for one in again.values()) for state in AgainState},
            "turnaround_ms": turnarounds[len(turnarounds) // 2] if turnarounds else None,
        },
        "pupils": [
            {
                "pupil": p.pupil,
                "name": p.name,
                "seat": p.seat,
                "score": points(p.score_hundredths),
                "max_score": points(p.max_score_hundredths),
                "status": p.status,
                "timing": report.notes[p.pupil].timing,
                "corrected": again.get(p.pupil),
                "pending": p.pending,
                "missing_pages": list(report.notes[p.pupil].missing_pages),
                "in_roster": report.notes[p.pupil].matched,
            }
            for p in figures.pupils
        ],
        "items": [
            {
                "item": i.item,
                "n": i.n,
                "correct": i.correct,
                "wrong": i.wrong,
                "blank": i.blank,
                "review": i.review,
                "reteach": i.reteach,
                "borderline": i.borderline,
                "common_wrong": [
                    {"text": w.text, "blank": w.blank, "n": w.n, "pupils": list(w.pupils)} for w in i.common_wrong
                ],
            }
            for i in figures.items
        ],
        "missing": list(figures.missing),
    }


def signs_of(report: SchoolReport) -> dict[str, dict[str, str]]:
    """By pupil and item, how it went: ✓ ✗ – ?, as a workbook has it (`ui.report_files.Signs`)."""
    return {
        result.pupil: {item: VERDICT_SIGNS[state] for item, state in item_states(result.items).items() if state}
        for result in report.results
    }


def report_to_csv(report: SchoolReport) -> str:
    """One line a pupil for programs, always in English and in points (people have `ui.report_files.summary_csv`).

    With a BOM, and no cell that a spreadsheet would run as a formula, because somebody will open it in one.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    marks = ["score", "max_score", "pending", "wrong", "blank"]
    writer.writerow(["class", "seat", "name", "pupil", "status", *marks, "timing"])
    for p in report.figures.pupils:
        writer.writerow(
            [
                safe_text(report.class_name),
                p.seat,
                safe_text(p.name),
                safe_text(p.pupil),
                p.status,
                points(p.score_hundredths),
                points(p.max_score_hundredths),
                p.pending,
                safe_text(" ".join(p.wrong_items)),
                safe_text(" ".join(p.blank_items)),
                report.notes[p.pupil].timing or "",
            ]
        )
    return "\ufeff" + out.getvalue()
