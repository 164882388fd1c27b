"""What stands on the pupils' slips, from the newest sheet of each. Nothing that waits for a look is called wrong."""

from __future__ import annotations

from collections.abc import Iterable

from homework.again import WRONG, AgainState, P, PupilAgain
from homework.assignment import Assignment, Item
from homework.results import VerdictKind
from homework.sheets.prompts import set_operators
from homework.sheets.slips import Slip, SlipItem


def slips_of(pupils: Iterable[PupilAgain[P]], assignment: Assignment | None, *, everybody: bool = False) -> list[Slip]:
    """A slip for each pupil with something wrong, in seat order; for `everybody` also for those without."""
    slips = [_slip(one, assignment) for one in pupils]
    return [slip for slip in slips if everybody or slip.items]


def _slip(one: PupilAgain[P], assignment: Assignment | None) -> Slip:
    items, review, knowledge = [], [], dict[str, None]()
    for each in one.items:
        item = assignment.item(each.item) if assignment is not None else None
        label = _label(each.item, each.blank, item)
        kind = each.newest.verdict.kind
        if kind is VerdictKind.REVIEW:
            review.append(label)
        elif kind in WRONG:
            knowledge |= dict.fromkeys(item.knowledge if item is not None else ())
            items.append(
                SlipItem(
                    label=label,
                    prompt=set_operators(item.prompt).replace("\n", " ") if item is not None else "",
                    wrote=_with_option(each.newest.reading.text or "", item),
                    answer=_answer(item, each.blank),
                    why=(item.explanation or "") if item is not None else "",
                )
            )
    return Slip(
        class_name=one.pupil.class_name,
        seat=one.pupil.seat,
        name=one.pupil.name,
        title=assignment.title if assignment is not None else "",
        items=tuple(items),
        review=tuple(review),
        knowledge=tuple(knowledge),
        corrected=one.state is AgainState.DONE,
    )


def _label(item_id: str, blank: int, item: Item | None) -> str:
    number = (item.label if item is not None else None) or item_id
    return number if item is None or item.blanks == 1 else f"{number} ({blank})"


def _answer(item: Item | None, blank: int) -> str:
    if item is None or blank > len(item.rule.accepted):
        return ""
    if item.rule.any_order and item.blanks > 1:
        return "、".join(accepted[0] for accepted in item.rule.accepted if accepted)
    accepted = item.rule.accepted[blank - 1]
    unit = f" {item.rule.unit}" if accepted and item.rule.unit else ""
    return _with_option(accepted[0], item) + unit if accepted else ""


def _with_option(text: str, item: Item | None) -> str:
    """A letter with what stands behind it: B (15)."""
    if item is None or not item.options or len(text) != 1:
        return text
    place = ord(text) - ord("A")
    return f"{text} ({item.options[place]})" if 0 <= place < len(item.options) else text
