"""Which typeface a worksheet is set in: the best one for children among those at hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import typst

from homework.errors import ClassboxError

# In the order that a primary school would choose: a written Kai, then clear Heis, then Songs.
_FAMILIES = (
    "LXGW WenKai",
    "Noto Sans CJK SC",
    "Source Han Sans SC",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "Noto Serif CJK SC",
    "Droid Sans Fallback",
)


def find_fonts(folders: Sequence[Path] | None) -> tuple[typst.Fonts, tuple[str, ...]]:
    """The fonts of `folders` (None: of the system) and the families to set in, best first.

    Raises `ClassboxError` when none of them holds Chinese.
    """
    fonts = typst.Fonts(
        include_system_fonts=folders is None,
        include_embedded_fonts=True,
        font_paths=[str(folder) for folder in folders or ()],
    )
    there = set(fonts.families())
    families = tuple(family for family in _FAMILIES if family in there)
    if not families:
        raise ClassboxError(
            "No Chinese typeface was found on this machine.",
            remedy="Install one: apt install fonts-wqy-microhei",
        )
    return fonts, (*families[:1], "Libertinus Serif")
