"""One item of a class report: what was written, by whom, and how it looks where a picture is here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from gateway.reports.class_report import SchoolReport
from gateway.web.words import VERDICT_STYLES, answer_text
from homework.answers import normalise
from homework.layout import FieldKind
from homework.results import ItemResult, VerdictKind
from homework.statistics import PupilResult
from homework.wording import VERDICT_SIGNS, Translate, called, counted
from ui.report_view import ItemView, ReportView

_ORDER = (VerdictKind.WRONG, VerdictKind.REVIEW, VerdictKind.BLANK, VerdictKind.READ, VerdictKind.CORRECT)
"""What a teacher wants to see first."""

FieldOf = tuple[str, int]
"""A pupil's field of the item: pupil id and blank."""


class Written(NamedTuple):
    """What stands in one field: the sign, the style, the text, and the address of its picture where one is here.

    `mark` is what a tap on it says (`gateway.web.pages.items`): ✓ becomes ✗, everything else ✓. "": it says nothing.
    """

    sign: str
    style: str
    text: str
    crop: str
    mark: str = ""


class AnswerGroup(NamedTuple):
    """The same answer with the same verdict: who wrote it, and some of the pictures with their writers."""

    sign: str
    style: str
    text: str
    n: str
    names: str
    crops: tuple[tuple[str, str], ...]


class AnswerLine(NamedTuple):
    """One pupil's answer."""

    key: str
    seat: str
    name: str
    address: str
    fields: tuple[Written, ...]


class ItemPageView(NamedTuple):
    """The page of one item."""

    item: ItemView
    before: str
    after: str
    groups: tuple[AnswerGroup, ...]
    lines: tuple[AnswerLine, ...]
    line_percent: int
    has_crops: bool


def item_page_view(
    report: SchoolReport,
    view: ReportView,
    item_id: str,
    *,
    addresses: Mapping[str, str],
    pupil_addresses: Mapping[str, str],
    crops: Mapping[FieldOf, str],
    translate: Translate,
) -> ItemPageView | None:
    """The page of an item of a report; None where the report has no such item.

    `addresses` leads to the items' pages in their order, `pupil_addresses` from pupils to theirs, `crops` from fields
    to their pictures.
    """
    item = next((one for one in view.items if one.item == item_id), None)
    if item is None:
        return None
    order = list(addresses)
    place = order.index(item_id)
    answered = [
        (result, [one for one in result.items if one.item == item_id])
        for result in report.results
        if any(one.item == item_id for one in result.items)
    ]
    return ItemPageView(
        item=item,
        before=addresses[order[place - 1]] if place else "",
        after=addresses[order[place + 1]] if place + 1 < len(order) else "",
        groups=_groups(answered, crops, translate),
        lines=tuple(
            AnswerLine(
                key=f"line-{result.pupil}",
                seat="" if result.seat is None else f"{result.seat:02d}",
                name=called(result.name, translate),
                address=pupil_addresses.get(result.pupil, ""),
                fields=tuple(
                    _written(result, one, len(given) > 1, crops, translate)._replace(mark=_mark(report, result, one))
                    for one in given
                ),
            )
            for result, given in answered
        ),
        line_percent=view.line_percent,
        has_crops=bool(crops),
    )


def _groups(
    answered: list[tuple[PupilResult, list[ItemResult]]], crops: Mapping[FieldOf, str], _: Translate
) -> tuple[AnswerGroup, ...]:
    found: dict[tuple[VerdictKind, str | None, int], list[PupilResult]] = {}
    several = any(len(given) > 1 for _result, given in answered)
    for result, given in answered:
        for one in given:
            text = (
                normalise(msgspec.convert(one.kind, FieldKind), one.reading.text)
                if one.reading.text
                else one.reading.text
            )
            found.setdefault((one.verdict.kind, text, one.blank if several else 0), []).append(result)
    ordered = sorted(found.items(), key=lambda pair: (_ORDER.index(pair[0][0]), -len(pair[1])))
    return tuple(
        AnswerGroup(
            sign=VERDICT_SIGNS[kind],
            style=VERDICT_STYLES[kind],
            text=_text(text, kind, blank, _),
            n=counted(_, len(pupils), "{n} pupil", "{n} pupils"),
            names=_(", ").join(called(pupil.name, _) for pupil in pupils),
            crops=tuple(
                (crops[pupil.pupil, blank or 1], called(pupil.name, _))
                for pupil in pupils
                if (pupil.pupil, blank or 1) in crops
            ),
        )
        for (kind, text, blank), pupils in ordered
    )


def _written(
    result: PupilResult, one: ItemResult, several: bool, crops: Mapping[FieldOf, str], _: Translate
) -> Written:
    kind = one.verdict.kind
    return Written(
        sign=VERDICT_SIGNS[kind],
        style=VERDICT_STYLES[kind],
        text=_text(one.reading.text, kind, one.blank if several else 0, _),
        crop=crops.get((result.pupil, one.blank), ""),
    )


def _mark(report: SchoolReport, result: PupilResult, one: ItemResult) -> str:
    """Only of pupils of this class's list: a seat of another class would name somebody else."""
    if result.seat is None or not report.notes[result.pupil].matched:
        return ""
    return f"{result.seat}:{one.blank}:{'no' if one.verdict.kind is VerdictKind.CORRECT else 'yes'}"


def _text(text: str | None, kind: VerdictKind, blank: int, _: Translate) -> str:
    text = answer_text(text, kind, _)
    return f"({blank}) {text}" if blank else text
