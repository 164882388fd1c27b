"""What counts as the same answer: canonical texts, and when two of them are equivalent."""

from __future__ import annotations

from typing import Literal

import msgspec

from homework.layout import FieldKind
from homework.units import UnitMatch, compare_unit, is_unit, quantity_in, same_quantity, split_quantity
from homework.written_numbers import Form, clean, has_form, parse_number, same_number

__all__ = [
    "AnswerRule",
    "Credit",
    "Form",
    "UnitMatch",
    "check_answer",
    "compare_unit",
    "is_readable",
    "normalise",
    "same_number",
    "unit_in_question",
]

Credit = Literal["all", "proportional", "no-wrong"]

RIGHT_MARK, WRONG_MARK = "√", "×"

_JUDGE = {
    **dict.fromkeys(("√", "✓", "✔", "☑", "对", "對", "正确", "t", "true", "y", "yes", "right", "correct"), RIGHT_MARK),
    **dict.fromkeys(
        ("×", "✗", "✘", "✕", "✖", "╳", "❌", "x", "错", "錯", "错误", "f", "false", "n", "no", "wrong"), WRONG_MARK
    ),
}


class AnswerRule(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What counts as the same answer for one item.

    `accepted[b]` are the accepted canonical texts of blank b (from 0). `form` demands a way of writing
    (see `homework/written_numbers.py`), `tolerance` is an exact decimal or fraction in text, absolute.
    """

    kind: FieldKind
    accepted: tuple[tuple[str, ...], ...]
    any_order: bool = False
    credit: Credit = "all"
    form: Form | None = None
    tolerance: str | None = None
    unit: str | None = None
    unit_written: bool = False


def normalise(kind: FieldKind, text: str) -> str:
    """The canonical text of what was written. Idempotent; what cannot be understood is only cleaned.

    Canonical is not equivalent: 0.50 and 1/2 stay as they were written, so that an item can ask for a form.
    """
    if kind in ("open", "text"):
        return " ".join(text.split())  # words keep their own punctuation
    text = clean(text)
    match kind:
        case "number":
            return _number_text(text)
        case "judge":
            return _JUDGE.get(text.lower(), text)
        case "letter" | "choice":
            return text.upper() if text.isascii() else text
        case "choices":
            picks = set(text.upper()) - set(" ,、;/")
            return "".join(sorted(picks)) if all(p.isascii() and p.isalnum() for p in picks) else text
        case _:
            return text


def is_readable(kind: FieldKind, text: str, *, unit: str | None = None) -> bool:
    """Whether `text` is something that this kind of field can hold; if not, a person must look.

    A wrong number is readable; `5/` and `5x` in a number's box are not. `unit` is one to allow beside the known.
    """
    text = normalise(kind, text)
    match kind:
        case "number":
            quantity = split_quantity(text)
            has_unit = quantity is not None and (
                is_unit(quantity[1]) or compare_unit(quantity[1], unit or "") == "match"
            )
            return parse_number(text) is not None or has_unit or _is_compound(text)
        case "judge":
            return text in (RIGHT_MARK, WRONG_MARK)
        case "letter" | "choice":
            return len(text) == 1 and text.isalnum()
        case "choices":
            return text.isalnum()
        case "compare":
            return text in (">", "<", "=")
        case "open" | "text":
            return False


def check_answer(rule: AnswerRule, blank: int, text: str) -> bool:
    """Whether `text` counts as right in `blank` (from 1). With `any_order`, whether it fits that one slot.

    For `choices` this is full credit; partial credit is grading's. A number with a unit counts when the unit
    measures the same and the quantity is equal; a unit that should have been written and was not, never.
    """
    return any(_same(rule, text, expected) for expected in rule.accepted[blank - 1])


def unit_in_question(rule: AnswerRule, blank: int, text: str) -> bool:
    """Whether the number is right and only its unit is not: none where one is asked for, or one nobody asked for.

    What that costs is the teacher's to say, so grading sends it to review.
    """
    if rule.kind != "number" or check_answer(rule, blank, text):
        return False
    quantity = split_quantity(text)
    number = quantity[0] if quantity else text
    return any(same_number(number, e, form=rule.form, tolerance=rule.tolerance) for e in rule.accepted[blank - 1])


def _same(rule: AnswerRule, text: str, expected: str) -> bool:
    if rule.kind == "number":
        return _same_number(rule, text, expected)
    return normalise(rule.kind, text) == normalise(rule.kind, expected)


def _same_number(rule: AnswerRule, text: str, expected: str) -> bool:
    if rule.unit is None or (not rule.unit_written and parse_number(text) is not None):
        return same_number(text, expected, form=rule.form, tolerance=rule.tolerance)
    quantity = split_quantity(text)
    if quantity is not None and compare_unit(quantity[1], rule.unit) == "match":
        return same_number(quantity[0], expected, form=rule.form, tolerance=rule.tolerance)
    # A printed unit leaves no room for another; a written one may be any that measures the same.
    if not rule.unit_written:
        return False
    number = parse_number(quantity[0]) if quantity else None
    if rule.form is not None and (number is None or not has_form(number, rule.form)):
        return False
    return same_quantity(text, expected, rule.unit, tolerance=rule.tolerance)


def _number_text(text: str) -> str:
    number = parse_number(text)
    if number is not None:
        return number.text
    quantity = split_quantity(text)
    if quantity is not None:
        number = parse_number(quantity[0])
        if number is not None:
            return f"{number.text}{quantity[1]}"
    return text


def _is_compound(text: str) -> bool:
    return any(quantity_in(text, unit) is not None for unit in ("元", "时", "m", "kg", "L", "年"))
