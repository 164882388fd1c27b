"""What the pages of corrections (订正) show: who still owes, and each wrong answer beside the corrected one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edge.again import STACK_SETTING, again_in_class
from edge.documents import Documents
from edge.filed import FiledPage
from edge.ledger import Ledger
from edge.web.drawing import crop_size_px
from homework.again import STATE_WORDS, AgainState, ItemAgain, PupilAgain, owing
from homework.assignment import Assignment
from homework.layout import Box
from homework.results import ItemResult, VerdictKind

CROP_HEIGHT_PX = 72
Translate = Callable[[str], str]


@dataclass(frozen=True)
class Crop:
    """The picture of one field on one sheet; `place` is its place among that sheet's items, from 0."""

    capture: int
    revision: int
    place: int
    version: str
    size_px: tuple[int, int]
    verdict: VerdictKind
    reading: str | None


@dataclass(frozen=True)
class ItemView:
    """One field that was open, then and now (None: no corrected sheet yet). `answer` is the right one, where known."""

    item: str
    blank: int
    label: str
    prompt: str
    answer: str | None
    first: Crop
    now: Crop | None


@dataclass(frozen=True)
class PupilView:
    """One pupil with what is to correct."""

    seat: int
    name: str
    state: AgainState
    attempts: int
    items: tuple[ItemView, ...]


@dataclass(frozen=True)
class AgainView:
    """The page: `owing` first, then everybody else by seat. `stack`: this stack is corrected sheets."""

    assignment: str
    title: str
    class_name: str | None
    owing: tuple[PupilView, ...]
    others: tuple[PupilView, ...]
    counts: dict[AgainState, int]
    stack: bool
    seat_order: bool


def again_view(ledger: Ledger, documents: Documents, assignment_id: str, class_name: str | None) -> AgainView:
    """How the corrections of a class stand now."""
    assignment = documents.assignment(assignment_id)
    pupils = again_in_class(ledger.pages_of_attempts(assignment_id), documents.roster(), class_name)
    owe = owing(pupils)
    hulls = _hulls(documents, assignment_id)
    others = sorted(
        (one for one in pupils if one not in owe), key=lambda one: (one.state is not AgainState.REVIEW, one.pupil.seat)
    )
    return AgainView(
        assignment=assignment_id,
        title=assignment.title if assignment is not None else "",
        class_name=class_name,
        owing=tuple(_pupil(one, assignment, hulls) for one in owe),
        others=tuple(_pupil(one, assignment, hulls) for one in others),
        counts={state: sum(one.state is state for one in pupils) for state in AgainState},
        stack=documents.setting(STACK_SETTING) == assignment_id,
        seat_order=assignment is not None and assignment.pupil_id == "order",
    )


def owing_text(view: AgainView, words: Translate) -> str:
    """Who still owes corrections, as text to copy."""
    lines = [" · ".join(filter(None, (view.class_name, view.title)))]
    for state in (AgainState.OWES, AgainState.STILL_WRONG):
        names = [f"{one.seat:02d} {one.name}".strip() for one in view.owing if one.state is state]
        if names:
            lines.append(f"{words(STATE_WORDS[state])} {len(names)}: " + "  ".join(names))
    if len(lines) == 1:
        lines.append(words("Nobody owes a correction."))
    return "\n".join(lines)


def _pupil(one: PupilAgain[FiledPage], assignment: Assignment | None, hulls: dict[tuple[str, int], Box]) -> PupilView:
    return PupilView(
        seat=one.pupil.seat,
        name=one.pupil.name,
        state=one.state,
        attempts=one.attempts,
        items=tuple(_item(item, assignment, hulls) for item in one.items),
    )


def _item(one: ItemAgain[FiledPage], assignment: Assignment | None, hulls: dict[tuple[str, int], Box]) -> ItemView:
    item = assignment.item(one.item) if assignment is not None else None
    accepted = item.rule.accepted if item is not None else ()
    answers = accepted[one.blank - 1] if one.blank <= len(accepted) else ()
    size = crop_size_px(hulls.get((one.item, one.blank), (0, 0, 30, 10)), CROP_HEIGHT_PX)
    number = (item.label if item is not None else None) or one.item
    return ItemView(
        item=one.item,
        blank=one.blank,
        label=number if item is None or item.blanks == 1 else f"{number} ({one.blank})",
        prompt=item.prompt if item is not None else "",
        answer=answers[0] if answers else None,
        first=_crop(one.first_page, one.first, size),
        now=_crop(one.now_page, one.now, size) if one.now_page is not None and one.now is not None else None,
    )


def _crop(page: FiledPage, result: ItemResult, size_px: tuple[int, int]) -> Crop:
    assert page.record is not None
    names = [(item.item, item.blank) for item in page.record.items]
    return Crop(
        capture=page.capture,
        revision=page.revision,
        place=names.index((result.item, result.blank)),
        version=page.digest[:8],
        size_px=size_px,
        verdict=result.verdict.kind,
        reading=result.reading.text,
    )


def _hulls(documents: Documents, assignment_id: str) -> dict[tuple[str, int], Box]:
    return {
        (field.item, field.blank): field.hull_mm()
        for layout in documents.layouts()
        if layout.assignment == assignment_id
        for page in layout.pages
        for field in page.fields
    }
