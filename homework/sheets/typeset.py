"""Runs Typst: the same source once to ask where everything landed, and once more to print it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import msgspec
import typst

from homework.errors import ClassboxError
from homework.layout import Box

_BEFORE = {"slips.typ": ("cut_apart.typ",), "invites.typ": ("cut_apart.typ",)}
"""What templates share stands before them: Typst is given one source, and reads no file."""


class Spot(msgspec.Struct, frozen=True, gc=False):
    """One place as the template reported it; `box` is x, y, width, height in mm on `page` (from 1)."""

    what: str
    page: int
    box: Box
    item: str = ""
    blank: int = 0
    kind: str = ""
    label: str = ""
    index: int = 0
    round: bool = False


def find_spots(data: dict[str, Any], fonts: typst.Fonts) -> tuple[Spot, ...]:
    """Where every frame, bubble, cell and line of one copy stands, in the order of the pages."""
    compiler = _compiler({**data, "measuring": True}, fonts)
    try:
        found = compiler.query("<spot>", field="value")
    except typst.TypstError as error:
        raise _unsettable(error) from error
    return msgspec.json.decode(found, type=tuple[Spot, ...])


def typeset(data: dict[str, Any], fonts: typst.Fonts, *, template: str = "worksheet.typ") -> bytes:
    """The PDF of all copies, or of what else a template beside the worksheet's makes of its data."""
    try:
        compiler = _compiler({**data, "measuring": False}, fonts, template)
        pdf = compiler.compile(format="pdf", timestamp=0, pdf_tags=False)
    except typst.TypstError as error:
        raise _unsettable(error) from error
    assert isinstance(pdf, bytes)
    return pdf


def _compiler(data: dict[str, Any], fonts: typst.Fonts, template: str = "worksheet.typ") -> typst.Compiler:
    names = (*_BEFORE.get(template, ()), template)
    source = b"\n".join((files("homework.sheets") / name).read_bytes() for name in names)
    return typst.Compiler(
        source, font_paths=fonts, ignore_system_fonts=True, sys_inputs={"data": json.dumps(data, ensure_ascii=False)}
    )


def _unsettable(error: typst.TypstError) -> ClassboxError:
    first: Sequence[str] = str(error.message).splitlines() or ("",)
    return ClassboxError(
        "The worksheet could not be set: {reason}.",
        remedy="Look for unusual characters in the assignment's prompts.",
        reason=first[0],
    )
