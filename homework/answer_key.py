"""The answer key of one item: `answer` and what goes with it, checked against the item's kind."""

from __future__ import annotations

from homework.answers import RIGHT_MARK, WRONG_MARK, AnswerRule, Credit, normalise
from homework.checked_table import CheckedTable, type_name
from homework.layout import FieldKind
from homework.written_numbers import Form, can_have_form, parse_number

_ANSWER_REMEDIES: dict[FieldKind, str] = {
    "number": "Write one number, like 92, -3, 0.5, 3/4, 1 3/4, 75% or 7……3; its unit goes into `unit`.",
    "judge": "Write √ or × (or true, false).",
    "compare": "Write >, < or =.",
    "letter": "Write one of the letters {letters}.",
    "choice": "Write one of the options' letters {letters}.",
    "choices": 'Write the letters of all right options together, like "AC", out of {letters}.',
}


def parse_rule(table: CheckedTable, kind: FieldKind, *, blanks: int, letters: str) -> AnswerRule:
    """The rule of an item's table. `letters` are the labels that a letter or choice may have.

    Raises `BadFileError` when the answer is missing (but for `open` and `text`), is none for its kind, does not
    fit the number of blanks, or when form, tolerance and unit contradict it.
    """
    accepted = _accepted(table, kind, blanks=blanks, letters=letters)
    form: Form | None = table.one_of("form", Form)
    unit = table.text("unit", longest=20)
    rule = AnswerRule(
        kind=kind,
        accepted=accepted,
        any_order=table.flag("any_order"),
        credit=table.one_of("credit", Credit, "all"),
        form=form,
        tolerance=_tolerance(table),
        unit=unit,
        unit_written=table.flag("unit_written"),
    )
    if rule.any_order and blanks == 1:
        table.fail("{where}: `any_order` needs several blanks.", "Add blanks = 2 (or more), or remove it.")
    if rule.any_order and rule.credit != "all":
        table.fail("{where}: `any_order` and partial `credit` do not go together.", "Remove one of the two.")
    if rule.unit_written and unit is None:
        table.fail("{where}: `unit_written` needs a unit.", 'Add the unit, like unit = "cm".')
    if form is not None and rule.tolerance is None:
        _check_form(table, accepted, form)
    return rule


def _accepted(table: CheckedTable, kind: FieldKind, *, blanks: int, letters: str) -> tuple[tuple[str, ...], ...]:
    raw = table.raw("answer")
    if raw is None:
        if kind in ("open", "text"):
            return ((),) * blanks
        table.fail(
            "{where} has no answer.",
            "Add answer = …; only kinds open and text go without.",
        )
    if blanks == 1:
        return (_alternatives(table, kind, raw, letters),)
    if not isinstance(raw, list) or len(raw) != blanks:
        table.fail(
            "{where} has {blanks} blanks, but its answer has {n} entries.",
            "Write a list with one entry a blank; an entry may be a list of accepted answers.",
            blanks=blanks,
            n=len(raw) if isinstance(raw, list) else 1,
        )
    return tuple(_alternatives(table, kind, entry, letters) for entry in raw)


def _alternatives(table: CheckedTable, kind: FieldKind, raw: object, letters: str) -> tuple[str, ...]:
    entries = raw if isinstance(raw, list) else [raw]
    if not entries:
        table.fail("{where}: the list of accepted answers is empty.", "Write at least one answer into it.")
    if any(isinstance(entry, list) for entry in entries):
        table.fail(
            "{where}: the answer is a list of lists.",
            "One blank takes one answer or a list of accepted ones; for several blanks, add blanks = {n}.",
            n=len(entries),
        )
    found = tuple(dict.fromkeys(_canonical(table, kind, entry, letters) for entry in entries))
    if kind == "choices" and len(found) > 1 and all(len(text) == 1 for text in found):
        table.fail(
            "{where}: the answer could mean all of {found} together or any one of them.",
            'Write "{together}" when all of them have to be marked, or use kind `choice`.',
            found=", ".join(found),
            together="".join(sorted(found)),
        )
    return found


def _canonical(table: CheckedTable, kind: FieldKind, raw: object, letters: str) -> str:
    if kind == "judge" and isinstance(raw, bool):
        return RIGHT_MARK if raw else WRONG_MARK
    if isinstance(raw, bool | dict):
        table.fail("{where}: the answer is {type}.", "Write it as text in quotes.", type=type_name(raw))
    written = table.plain("answer", raw)
    text = written if kind in ("open", "text") else normalise(kind, written)
    match kind:
        case "number":
            good = parse_number(text) is not None
        case "judge":
            good = text in (RIGHT_MARK, WRONG_MARK)
        case "compare":
            good = text in (">", "<", "=")
        case "letter" | "choice":
            good = len(text) == 1 and text in letters
        case "choices":
            good = bool(text) and set(text) <= set(letters)
        case "open" | "text":
            good = bool(text)
    if not good:
        table.fail(
            "{where}: the answer `{answer}` does not go with kind `{kind}`.",
            _ANSWER_REMEDIES.get(kind, "Write something, or leave the line out."),
            answer=written,
            kind=kind,
            letters=letters,
        )
    return text


def _tolerance(table: CheckedTable) -> str | None:
    raw = table.raw("tolerance")
    if raw is None:
        return None
    number = parse_number(table.plain("tolerance", raw))
    if number is None or number.value <= 0 or number.remainder is not None:
        table.fail("{where}: the tolerance `{tolerance}` is no number above 0.", 'Write it like "0.01".', tolerance=raw)
    return number.text


def _check_form(table: CheckedTable, accepted: tuple[tuple[str, ...], ...], form: Form) -> None:
    """A key that nobody could write in the form asked for would make every pupil wrong."""
    for text in (text for blank in accepted for text in blank):
        number = parse_number(text)
        if number is not None and not can_have_form(number, form):
            table.fail(
                "{where}: the answer `{answer}` cannot be written in the form `{form}`.",
                "Change the answer or the form.",
                answer=text,
                form=form,
            )
