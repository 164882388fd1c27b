"""A bought workbook: pages in one publisher's style, with none of our frames, markers or codes.

Only drawn here, for tests and figures: every page has the same heads, rules and places, and other exercises.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import msgspec
import numpy as np
import typst
from numpy.typing import NDArray

from homework.assignment import Assignment, parse_assignment
from homework.layout import Box, Bubble, Field, FieldKind, Page, SheetLayout
from homework.sheets.fonts import find_fonts
from models.simulation.paper import PrintedPages

PAGE_MM = (185.0, 260.0)
"""16K, the size of most Chinese workbooks."""

DPI = 254
LEFT_MM, COLUMN_MM, TOP_MM, ROW_MM = 16.0, 79.0, 36.0, 12.5
LETTERS = "ABCD"


@dataclass(frozen=True)
class WorkbookPage:
    """One page: how it looks empty, where a pupil answers, and what is right.

    `image` is BGR at `px_per_mm`; `layout` has the one page, with the places that a careful person would draw.
    """

    image: NDArray[np.uint8]
    px_per_mm: float
    layout: SheetLayout
    assignment: Assignment


class _Place(msgspec.Struct, frozen=True):
    item: str
    blank: int
    kind: str
    box: Box
    label: str = ""
    round: bool = False


def workbook_page(number: int, *, seed: int = 0) -> WorkbookPage:
    """Page `number` of the book of `seed`, always the same one."""
    rng = np.random.default_rng([seed, number, 0xB00C])
    rows, items = _exercises(rng)
    families = find_fonts(None)
    data = {"fonts": families[1], "page": list(PAGE_MM), "number": number, "rows": rows}
    source = (files("models.simulation") / "workbook.typ").read_bytes()

    def compiler() -> typst.Compiler:  # one a question: it forgets a source given as bytes
        inputs = {"data": json.dumps(data, ensure_ascii=False)}
        return typst.Compiler(source, font_paths=families[0], ignore_system_fonts=True, sys_inputs=inputs)

    places = msgspec.json.decode(compiler().query("<place>", field="value"), type=tuple[_Place, ...])
    pdf = compiler().compile(format="pdf")
    assert isinstance(pdf, bytes)
    printed = PrintedPages(pdf, dpi=DPI)
    image = printed.page(1)
    printed.close()
    name = f"book{seed}p{number}"
    layout = SheetLayout(
        sheet=name.upper(), assignment=name, page_mm=PAGE_MM, pages=(Page(1, (), fields=_fields(places)),)
    )
    layout = msgspec.structs.replace(layout, register="print")
    return WorkbookPage(image, printed.px_per_mm, layout, parse_assignment(_assignment(name, items)))


def _exercises(rng: np.random.Generator) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The rows to print, each a place and pieces of text and fields, and the items of the assignment."""
    rows: list[dict[str, Any]] = []
    items: list[dict[str, Any]] = []
    y = TOP_MM

    def heading(text: str) -> None:
        nonlocal y
        rows.append({"x": LEFT_MM, "y": y, "pieces": [text], "bold": True})
        y += ROW_MM - 2

    def ask(column: int, kind: str, pieces: list[Any], answer: str | list[str], **more: Any) -> None:
        item = str(len(items) + 1)
        fields = [piece for piece in pieces if isinstance(piece, dict)]
        for blank, piece in enumerate(fields, start=1):
            piece |= {"item": item, "blank": blank if kind != "choice" else 1, "kind": kind}
        rows.append({"x": LEFT_MM + column * COLUMN_MM, "y": y, "pieces": [f"{item}. ", *pieces], "bold": False})
        prompt = "".join(piece if isinstance(piece, str) else "" for piece in pieces)
        items.append({"kind": kind, "prompt": prompt, "answer": answer, **more})

    heading("一、直接写得数")
    for n in range(10):
        a, b = int(rng.integers(12, 99)), int(rng.integers(2, 10))
        sign = "×+−"[int(rng.integers(3))]
        right = {"×": a * b, "+": a + b, "−": a - b}[sign]
        ask(n % 2, "number", [f"{a} {sign} {b} = ", {"style": "open", "w": 24, "h": 9}], str(right))
        y += ROW_MM if n % 2 else 0
    heading("二、在（ ）里画“√”或“×”")
    for _ in range(2):
        a, b = int(rng.integers(3, 40)), int(rng.integers(3, 40))
        said = int(rng.integers(2)) * 2 + a + b
        text = f"{a} 与 {b} 的和是 {said}。（"
        ask(
            0,
            "judge",
            [text, {"style": "open", "w": 13, "h": 9}, "）"],
            "√" if said == a + b else "×",
        )
        y += ROW_MM
    heading("三、在 ○ 里填 >、< 或 =")
    for n in range(4):
        a, b = int(rng.integers(100, 999)), int(rng.integers(100, 999))
        relation = ">" if a > b else "<" if a < b else "="
        ask(n % 2, "compare", [f"{a} ", {"style": "ring", "w": 8.5, "h": 8.5}, f" {b}"], relation)
        y += ROW_MM if n % 2 else 0
    heading("四、填空")
    for n in range(4):
        a, b = int(rng.integers(11, 60)), int(rng.integers(2, 40))
        style = ("line", "square")[n % 2]
        ask(
            n % 2,
            "number",
            [f"{a} + ", {"style": style, "w": 20 if style == "line" else 16, "h": 9}, f" = {a + b}"],
            str(b),
        )
        y += ROW_MM if n % 2 else 0
    heading("五、选一选")
    for _ in range(2):
        a, b = int(rng.integers(3, 9)), int(rng.integers(3, 9))
        options = [str(a * b + d) for d in (0, 2, 5, 9)]
        pieces: list[Any] = [f"{a} × {b} 得   "]
        for letter, option in zip(LETTERS, options, strict=True):
            pieces += [{"style": "bubble", "w": 4.4, "h": 4.4, "label": letter}, f" {option}    "]
        ask(0, "choice", pieces, "A", options=options)
        y += ROW_MM
    return rows, items


def _fields(places: tuple[_Place, ...]) -> tuple[Field, ...]:
    fields: list[Field] = []
    for place in places:
        if place.label:
            bubble = Bubble(place.label, place.box)
            last = fields[-1] if fields else None
            if last is not None and last.item == place.item:
                fields[-1] = msgspec.structs.replace(last, bubbles=(*last.bubbles, bubble))
                continue
            fields.append(Field(item=place.item, blank=1, kind="choice", bubbles=(bubble,)))
        else:
            kind = msgspec.convert(place.kind, FieldKind)
            fields.append(Field(place.item, place.blank, kind, box_mm=place.box, round=place.round))
    return tuple(fields)


def _assignment(name: str, items: list[dict[str, Any]]) -> str:
    lines = ["[assignment]", f'id = "{name}"', f'title = "{name}"', "grade = 3", 'pupil_id = "order"']
    for item in items:
        lines.append("[[item]]")
        lines += [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in item.items()]
    return "\n".join(lines) + "\n"
