"""What the template is told: sections with their frames and hints, and every item as runs.

Frame sizes are one for all fields of a kind in a section, so that a frame never tells the answer inside.
"""

from __future__ import annotations

import re
from itertools import groupby
from typing import Any, Literal

import msgspec

from homework.assignment import Assignment, Item, letters_of
from homework.results import points
from homework.sheets.prompts import Run, prompt_runs, text_runs
from homework.sheets.words import Words

_FRACTION_FORMS = {"proper", "improper", "mixed", "fraction", "simplest"}
_BUBBLE_MM = 5.2
Shape = Literal["inline", "end", "options", "area"]


class Option(msgspec.Struct, frozen=True, gc=False):
    """One option of a choice: its label and its text."""

    label: str
    runs: tuple[Run, ...]


class PlannedItem(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One item as the template sets it; sizes are the insides of frames, in mm.

    `shape`: fields inside the line, at the end of the line, bubbles with the options, or an area underneath.
    `aligned` items have one field after a prompt that a column can line up. `answers[b]` fills blank b + 1.
    """

    id: str
    kind: str
    label: str
    tag: str
    runs: tuple[Run, ...]
    shape: Shape
    width: float
    height: float
    round: bool
    aligned: bool
    options: tuple[Option, ...]
    bubble: float
    several: bool
    points: str
    answers: tuple[tuple[Run, ...], ...]
    right_labels: tuple[str, ...]


class Section(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A heading and its items; `hint` says how to answer, `layer` what the whole section is for."""

    heading: str
    hint: str
    points: str
    tag: str
    layer: str
    items: tuple[PlannedItem, ...]


def plan_sections(assignment: Assignment, words: Words) -> tuple[Section, ...]:
    """The assignment's items under their headings, each with its frames and words.

    An item that names no section stands under the heading before it, as on any worksheet.
    """
    numbers = all(item.id.isdigit() for item in assignment.items)
    labels = {
        item.id: item.label or (f"{item.id}." if numbers else f"{position}.")
        for position, item in enumerate(assignment.items, 1)
    }
    layered = any(item.layer != "A" for item in assignment.items)
    groups = [list(group) for _, group in groupby(assignment.items, key=_Heading())]
    return tuple(_plan_section(group, labels, words, assignment.grade, layered) for group in groups)


class _Heading:
    """The heading that an item stands under; call it on the items in their order."""

    def __init__(self) -> None:
        self._last: str | None = None

    def __call__(self, item: Item) -> str | None:
        self._last = item.section or self._last
        return self._last


def _plan_section(items: list[Item], labels: dict[str, str], words: Words, grade: int | None, layered: bool) -> Section:
    each = {item.points_hundredths for item in items}
    layers = {item.layer for item in items}
    one_layer = layered and len(layers) == 1
    heading = items[0].section or ""
    tag_items = layered and not (one_layer and heading)
    frames = _Frames(items, grade)
    tell_points = len(each) > 1
    return Section(
        heading=heading,
        hint=_hint(items, heading, words),
        points=_section_points(items, words),
        tag=items[0].layer if one_layer and heading else "",
        layer=words.layers[items[0].layer] if one_layer and heading and items[0].layer != "A" else "",
        items=tuple(
            _plan_item(
                item,
                frames,
                label=labels[item.id],
                tag=item.layer if tag_items else "",
                points=words.item_points.format(points(item.points_hundredths)) if tell_points else "",
                words=words,
            )
            for item in items
        ),
    )


def _hint(items: list[Item], heading: str, words: Words) -> str:
    kinds = dict.fromkeys(item.kind for item in items)
    if "choice" in kinds:
        kinds.pop("choices", None)  # the items themselves say that several may be right
    if ">" in heading or "＞" in heading:
        kinds.pop("compare", None)  # the heading says it already
    hints = [words.hints[kind] for kind in kinds if kind in words.hints]
    return ("；" if words.language == "zh" else "; ").join(hints[:2])


def _section_points(items: list[Item], words: Words) -> str:
    total = points(sum(item.points_hundredths for item in items))
    each = {item.points_hundredths for item in items}
    if len(each) == 1 and len(items) > 1:
        return words.each.format(points(each.pop()), total)
    return words.sum.format(total)


class _Frames:
    """The frame of each kind in one section: widths by the kind of answer, heights by grade and fractions."""

    def __init__(self, items: list[Item], grade: int | None) -> None:
        small = grade is None or grade <= 3
        self.letter = 10.0 if small else 9.0
        numbers = [item for item in items if item.kind == "number"]
        stacked = any(_has_fraction(item) for item in numbers)
        self.number_height = (15.0 if small else 13.0) if stacked else (10.0 if small else 8.5)
        longest = max((_places(item) for item in numbers), default=0)
        wide = 1 if longest <= 3 else 2 if longest <= 6 else 3
        self.number_width = ((24.0, 36.0, 50.0) if small else (21.0, 32.0, 46.0))[wide - 1]
        self.text_height = 11.0 if small else 9.5

    def of(self, item: Item, shape: Shape) -> tuple[float, float]:
        if item.kind in ("letter", "judge", "compare"):
            return self.letter, self.letter
        if item.kind == "number":
            return self.number_width, self.number_height
        if item.kind == "text":
            return (48.0, self.text_height) if shape == "inline" else (0.0, self.text_height + 3)
        return 0.0, min(80.0, max(30.0, 24 + item.points_hundredths / 25 / item.blanks))


def _has_fraction(item: Item) -> bool:
    return item.rule.form in _FRACTION_FORMS or any("/" in text for texts in item.rule.accepted for text in texts)


def _width_in_figures(text: str) -> int:
    """How many figures wide an answer is written: a fraction is stacked, ……  takes the room of two."""
    stacked = re.fullmatch(r"(?:(\d+) )?(\d+)/(\d+)", text)
    if stacked is not None:
        return len(stacked[1] or "") + max(len(stacked[2]), len(stacked[3])) + 1
    return len(re.sub(r"……|\.{3,}", "::", text))


def _places(item: Item) -> int:
    longest = max((_width_in_figures(text) for texts in item.rule.accepted for text in texts), default=3)
    return longest + (2 if item.rule.unit_written else 0)


def _plan_item(item: Item, frames: _Frames, *, label: str, tag: str, points: str, words: Words) -> PlannedItem:
    runs = list(prompt_runs(item.prompt, kind=item.kind, blanks=item.blanks))
    placed = {run.blank for run in runs if run.kind == "field"}
    shape: Shape = "inline"
    if item.kind in ("choice", "choices"):
        shape = "options"
    elif item.kind == "open":
        shape = "area"
        runs = [run for run in runs if run.kind != "field"]
    elif item.kind == "text" and not placed:
        shape = "area"
    elif item.kind in ("judge", "letter") and (not placed or runs[-1].kind == "field") and item.blanks == 1:
        shape = "end"
        runs = [run for run in runs if run.kind != "field"]
    if shape == "inline":
        runs += [Run("field", blank=blank) for blank in range(1, item.blanks + 1) if blank not in placed]
        if item.rule.unit is not None and not item.rule.unit_written:
            runs = _with_units(runs, item.rule.unit)
    width, height = frames.of(item, shape)
    labels = item.letters if item.kind == "letter" else letters_of(len(item.options))
    return PlannedItem(
        id=item.id,
        kind=item.kind,
        label=label,
        tag=tag,
        runs=tuple(_stripped(runs)),
        shape=shape,
        width=width,
        height=height,
        round=item.kind == "compare",
        aligned=shape == "inline"
        and item.blanks == 1
        and item.kind in ("number", "compare")
        and not any(run.kind == "break" for run in runs)
        and (item.kind == "compare" or _is_sum(runs)),
        options=tuple(Option(labels[number], text_runs(option)) for number, option in enumerate(item.options)),
        bubble=_BUBBLE_MM,
        several=item.kind == "choices",
        points=points,
        answers=tuple(_answer(item, blank, words) for blank in range(item.blanks)),
        right_labels=tuple("".join(texts[:1]) for texts in item.rule.accepted) if shape == "options" else (),
    )


def _is_sum(runs: list[Run]) -> bool:
    """The field follows an equals sign: such items line up, sentences do not."""
    at = next(index for index, run in enumerate(runs) if run.kind == "field")
    return at > 0 and runs[at - 1].kind == "text" and runs[at - 1].text.rstrip().endswith(("=", "≈"))


def _with_units(runs: list[Run], unit: str) -> list[Run]:
    # The unit follows each field, unless the prompt already says it there.
    result: list[Run] = []
    for run, after in zip(runs, [*runs[1:], None], strict=True):
        result.append(run)
        says_it = after is not None and after.kind == "text" and after.text.lstrip().startswith(unit)
        if run.kind == "field" and not says_it:
            result.append(Run("text", text=unit))
    return result


def _stripped(runs: list[Run]) -> list[Run]:
    # Spaces beside a field come from the template, the same everywhere.
    result: list[Run] = []
    for index, run in enumerate(runs):
        if run.kind != "text":
            result.append(run)
            continue
        text = run.text
        if index and runs[index - 1].kind in ("field", "gap"):
            text = text.lstrip()
        if index + 1 < len(runs) and runs[index + 1].kind in ("field", "gap"):
            text = text.rstrip()
        if text:
            result.append(Run("text", text=text))
    return result


def _answer(item: Item, blank: int, words: Words) -> tuple[Run, ...]:
    accepted = item.rule.accepted[blank] if blank < len(item.rule.accepted) else ()
    if not accepted:
        return (Run("text", text=words.no_answer),)
    return text_runs(accepted[0])


def as_data(sections: tuple[Section, ...]) -> Any:
    """The sections as plain JSON values for the template, every key present."""
    return msgspec.to_builtins(sections)
