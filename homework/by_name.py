"""Names in the order in which people look for them: 2班 before 10班, 第二小学 before 第十小学. Pure."""

from __future__ import annotations

import re
from functools import lru_cache

_NUMBERS = re.compile("([0-9]+|[零〇一二三四五六七八九十百]+)")
_DIGITS = {sign: value for value, sign in enumerate("零一二三四五六七八九")} | {"〇": 0}
_TENS = {"十": 10, "百": 100}

Key = tuple[tuple[int, int, str], ...]


@lru_cache(4096)
def by_name(name: str) -> Key:
    """What to sort a name by: its numbers by their size, in digits or Chinese (below a thousand), the rest by signs.

    Names that differ have keys that differ.
    """
    parts = tuple(_part(part, place % 2 == 1) for place, part in enumerate(_NUMBERS.split(name)) if part)
    return (*parts, (-1, 0, name))


def _part(part: str, is_number: bool) -> tuple[int, int, str]:
    if not is_number:
        return (1, 0, part)
    digits = part if part.isascii() else str(_chinese(part))
    digits = digits.lstrip("0")
    return (0, len(digits), digits)


def _chinese(part: str) -> int:
    """三十二 is 32, and so is 三二, as years and rooms are said."""
    total, digits = 0, 0
    if not _TENS.keys() & set(part):
        return int("".join(str(_DIGITS[sign]) for sign in part[:1000]))
    for sign in part:
        if sign in _TENS:
            total, digits = total + (digits or 1) * _TENS[sign], 0
        else:
            digits = _DIGITS[sign]
    return total + digits
