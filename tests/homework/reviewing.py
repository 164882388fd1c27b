"""Pages of one small assignment with chosen readings in doubt, and the groups they make."""

from __future__ import annotations

import operator
from collections.abc import Mapping

from homework.assignment import parse_assignment
from homework.grading import grade_page
from homework.layout import Field
from homework.results import Candidate, Doubt, Reading, TeacherMark, WhoWroteIt
from homework.review_groups import Group, OpenPage, groups_of

KEY = parse_assignment("""
[assignment]
id = "g3"
title = "7 × 8"
[[item]]
kind = "number"
prompt = "7 × 8 ="
answer = "56"
[[item]]
kind = "number"
prompt = "6 × 9 ="
answer = "54"
[[item]]
kind = "judge"
prompt = "3 是奇数"
answer = "√"
[[item]]
kind = "number"
prompt = "how long?"
answer = "12"
unit = "cm"
unit_written = true
[[item]]
kind = "open"
prompt = "why?"
points = 2
[[item]]
kind = "text"
prompt = "the capital"
answer = "Paris"
""")
FIELDS = [Field(item.id, 1, item.kind, (9.0, 9.0, 20.0, 9.0)) for item in KEY.items]
SURE = [Reading(text, 0.999) for text in ("56", "54", "√", "12cm", "", "")]


def doubt(text: str | None, confidence: float, *candidates: str, why: Doubt = Doubt.UNSURE) -> Reading:
    return Reading(text, confidence, why, tuple(Candidate(one, 0.4) for one in candidates))


def opened(
    number: int,
    *,
    key: bool = True,
    marks: dict[int, TeacherMark] | None = None,
    inks: Mapping[int, bytes] | None = None,
    **read: Reading,
) -> OpenPage:
    """A page with those readings in doubt: `i1=` is the first item's."""
    readings = [read.get(f"i{n}", SURE[n - 1]) for n in range(1, len(FIELDS) + 1)]
    on_fields = [(marks or {}).get(n) for n in range(1, len(FIELDS) + 1)]
    pairs = list(zip(FIELDS, readings, strict=True))
    record = grade_page(KEY if key else None, "SHEET", 1, pairs, WhoWroteIt("3-1", number), marks=on_fields)
    return OpenPage(str(number), 1, record, "v", number, inks or {})


def grouped(*pages: OpenPage, first: str | None = None) -> list[Group]:
    fields = {("SHEET", 1): {(field.item, 1): field for field in FIELDS}}
    return groups_of(pages, keys={KEY.id: KEY}, fields=fields, alike=operator.eq, first=first)


def asked(groups: list[Group]) -> list[tuple[str, str | None, int]]:
    return [(group.question.value, group.text, len(group.crops)) for group in groups]
