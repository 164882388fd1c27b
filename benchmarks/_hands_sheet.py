"""Two worksheets with every form of answer, and answer keys for them that change from page to page."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from homework.answers import check_answer
from homework.assignment import Assignment, parse_assignment
from homework.layout import FieldKind, SheetLayout
from homework.sheets import make_sheets
from models.simulation.mistakes import plausible_mistake
from models.simulation.paper import PrintedPages, written_page

GRADES = (3, 5)
"""Younger children write in frames of 10 mm, older ones in 8.5 mm."""

DPI = 254
UNITS = ("cm", "m", "kg", "g", "km", "mm", "t", "dm")

Slot = Literal[
    "short", "long", "decimal", "negative", "percent", "line", "remainder", "unit", "stacked", "mixed",
    "judge", "letter", "compare",
]  # fmt: skip

_LONGEST = {
    "short": "105", "long": "183000", "decimal": "123.4", "negative": "-18", "percent": "100%", "line": "12/35",
    "remainder": "24……15", "unit": "105", "stacked": "12/35", "mixed": "1 3/4", "judge": "√", "letter": "A",
    "compare": ">",
}  # fmt: skip
SECTIONS: tuple[tuple[Slot, ...], ...] = (
    ("short",) * 14,
    ("long",) * 4,
    ("decimal",) * 3 + ("negative",) * 2 + ("percent",) * 2 + ("line",) + ("remainder",) * 2 + ("unit",) * 2,
    ("stacked",) * 3 + ("mixed",),
    ("judge",) * 3 + ("letter",) * 4 + ("compare",) * 3,
)


@dataclass(frozen=True)
class Sheet:
    """A printed worksheet: `pages` are its sides as paper, (height, width, 3) BGR at `px_per_mm`."""

    grade: int
    layout: SheetLayout
    pages: tuple[NDArray[np.uint8], ...]
    px_per_mm: float


@dataclass(frozen=True)
class Task:
    """What one child answers in one field. `right` is whether the key agrees, `form` how it is written."""

    kind: FieldKind
    text: str
    key: str
    right: bool
    form: str


def kind_of(slot: Slot) -> FieldKind:
    """The kind of field that a slot is."""
    return slot if slot in ("judge", "letter", "compare") else "number"


def print_sheet(grade: int) -> Sheet:
    """Lay the worksheet of a grade out and print it."""
    sheets = make_sheets(_assignment(grade, [(slot, _LONGEST[slot], "cm") for part in SECTIONS for slot in part]))
    printed = PrintedPages(sheets.worksheets_pdf, dpi=DPI)
    pages = tuple(written_page(printed.page(n), (), printed.px_per_mm) for n in range(1, len(printed) + 1))
    printed.close()
    return Sheet(grade, sheets.layout, pages, printed.px_per_mm)


def answers_of(grade: int, rng: Generator) -> tuple[Assignment, dict[str, Task]]:
    """A key for the worksheet, and what a child writes by item: half of it right, half of it tempting and wrong."""
    slots = [slot for part in SECTIONS for slot in part]
    keys = [(slot, _a_key(slot, rng), str(rng.choice(UNITS))) for slot in slots]
    assignment = _assignment(grade, keys)
    tasks = {}
    for item, (slot, key, unit) in zip(assignment.items, keys, strict=True):
        text = key if rng.random() < 0.5 else plausible_mistake(item, key, rng)
        behind = unit if slot == "unit" else ""
        right = check_answer(item.rule, 1, text + behind)
        tasks[item.id] = Task(kind_of(slot), text + behind, key + behind, right, _form(slot, text + behind))
    return assignment, tasks


def _a_key(slot: Slot, rng: Generator) -> str:
    def number(*digits: int, p: tuple[float, ...] | None = None) -> str:
        n = int(rng.choice(digits, p=p))
        return str(rng.integers(10 ** (n - 1) if n > 1 else 0, 10**n))

    def part() -> str:
        return str(rng.integers(1, 10) if rng.random() < 0.6 else rng.integers(10, 100))

    match slot:
        case "short":
            return number(1, 2, 3, p=(0.3, 0.4, 0.3))
        case "long":
            return number(4, 5, 6, p=(0.5, 0.3, 0.2))
        case "decimal":
            whole = "0" if rng.random() < 0.3 else number(1, 2, 3, p=(0.5, 0.35, 0.15))
            return f"{whole}.{number(1, 2, p=(0.6, 0.4))}"
        case "negative":
            return f"-{rng.integers(1, 100)}" + (f".{rng.integers(1, 10)}" if rng.random() < 0.15 else "")
        case "percent":
            return (
                f"{rng.integers(1, 101)}%" if rng.random() < 0.8 else f"{rng.integers(1, 100)}.{rng.integers(1, 10)}%"
            )
        case "line" | "stacked":
            return f"{part()}/{rng.integers(2, 10) if rng.random() < 0.6 else rng.integers(10, 100)}"
        case "mixed":
            return f"{rng.integers(1, 10)} {rng.integers(1, 10)}/{rng.integers(2, 10)}"
        case "remainder":
            return f"{number(1, 2)}……{rng.integers(1, 16)}"
        case "unit":
            return number(1, 2, 3)
        case "judge":
            return str(rng.choice(["√", "×"]))
        case "letter":
            return str(rng.choice(list("ABCD")))
        case "compare":
            return str(rng.choice([">", "<", "="]))


def _form(slot: Slot, text: str) -> str:
    """How `text` is written; a mistake may have another form than the right answer."""
    if kind_of(slot) != "number":
        return slot
    if "/" in text:
        return "a/b in line" if slot == "line" else "mixed" if " " in text else "stacked"
    for form, pattern in (
        ("integer", r"\d+"),
        ("decimal", r"\d*\.\d+"),
        ("negative", r"-.*"),
        ("percent", r".*%"),
        ("remainder", r".*…….*"),
    ):
        if re.fullmatch(pattern, text):
            return form
    return "unit"


def _assignment(grade: int, keys: list[tuple[Slot, str, str]]) -> Assignment:
    prompts = {"number": "算一算 =", "judge": "对不对", "letter": "选一选", "compare": "大 ○ 小"}
    lines = [f'[assignment]\nid = "hands-{grade}"\ntitle = "识读"\ngrade = {grade}\ncolumns = 2']
    places = [section for section, part in enumerate(SECTIONS, start=1) for _ in part]
    for section, (slot, key, unit) in zip(places, keys, strict=True):
        kind = kind_of(slot)
        lines += ["[[item]]", f'section = "第{section}部分"', f'kind = "{kind}"', f'prompt = "{prompts[kind]}"']
        lines += [f'answer = "{key}"', *([f'unit = "{unit}"', "unit_written = true"] if slot == "unit" else [])]
    return parse_assignment("\n".join(lines))
