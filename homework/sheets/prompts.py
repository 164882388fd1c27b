"""Prompts as runs: text, fractions, and the places where fields stand."""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from homework.layout import FieldKind

_FIELD = re.compile(r"_{2,}|○|[(（][\s_]*[)）]")
_FRACTION = re.compile(r"(?<![\d/.])(?:(\d{1,4})\s)?(\d{1,4})/(\d{1,4})(?![\d/.]|\s*/)")
_TIMES = re.compile(r"\s*([×÷])\s*")
_OPERAND_BEFORE, _OPERAND_AFTER = r"(?<=[\d)）○_%])", r"(?=[\d(（○_]|$)"
_BINARY = re.compile(rf"{_OPERAND_BEFORE}\s*([-+=≈<>])\s*{_OPERAND_AFTER}")
_NEGATIVE = re.compile(r"(?<![\w.)）○_%])-(?=\d)")
_ARITHMETIC = re.compile(r"[×÷+=≈<>○]")
_BUBBLED = ("choice", "choices")


class Run(msgspec.Struct, frozen=True, gc=False):
    """A piece of a line: `text`, `fraction` (whole part maybe empty), `field` (blank from 1), `gap`, `break`."""

    kind: Literal["text", "fraction", "field", "gap", "break"]
    text: str = ""
    whole: str = ""
    over: str = ""
    under: str = ""
    blank: int = 0


def prompt_runs(prompt: str, *, kind: FieldKind, blanks: int) -> tuple[Run, ...]:
    """The runs of a prompt: `____`, `○` and empty brackets become fields 1, 2, … up to `blanks`.

    Places beyond the last blank, and all places of a bubble item (which answers below), print as an empty
    bracket. Blanks without a place are left to the caller, who sets them after the prompt.
    """
    prompt = set_operators(prompt)
    runs: list[Run] = []
    placed = 0
    position = 0
    for match in _FIELD.finditer(prompt):
        runs += _pieces(prompt[position : match.start()])
        position = match.end()
        if kind not in _BUBBLED and placed < blanks:
            placed += 1
            runs.append(Run("field", blank=placed))
        elif match.group() == "○":
            runs.append(Run("text", text="○"))
        else:
            runs.append(Run("gap"))
    return (*runs, *_pieces(prompt[position:]))


def text_runs(text: str) -> tuple[Run, ...]:
    """Text with its fractions (`3/4`, `1 3/4`) and line breaks as runs of their own, operators set properly."""
    return tuple(_pieces(set_operators(text)))


def set_operators(text: str) -> str:
    """Spaces round × ÷ + − = where they stand between numbers, and the true minus sign.

    A hyphen between digits is a minus only on a line that calculates: pages 2-3 stay as they are.
    """
    return "\n".join(_set_line(line) for line in text.splitlines())


def _set_line(line: str) -> str:
    line = _TIMES.sub(r" \1 ", line)
    if _ARITHMETIC.search(line):
        line = _BINARY.sub(r" \1 ", line).replace(" - ", " − ")
    line = _NEGATIVE.sub("−", line)
    return re.sub(r" {2,}", " ", line).strip()


def _pieces(text: str) -> list[Run]:
    runs: list[Run] = []
    for number, line in enumerate(text.split("\n")):
        if number:
            runs.append(Run("break"))
        position = 0
        for match in _FRACTION.finditer(line):
            runs += _text(line[position : match.start()])
            runs.append(Run("fraction", whole=match[1] or "", over=match[2], under=match[3]))
            position = match.end()
        runs += _text(line[position:])
    return runs


def _text(text: str) -> list[Run]:
    return [Run("text", text=text)] if text else []
