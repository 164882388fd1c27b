"""Units of Chinese school mathematics: which are the same, which measure the same thing, and how they convert.

Factors are exact. Sources: the Chinese legal units of measurement (GB 3100-93); 亩 = 2000/3 m²; 斤 = 500 g.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Literal

from homework.written_numbers import WrittenNumber, clean, close, parse_number

UnitMatch = Literal["match", "compatible", "missing", "different"]

# dimension → (names of one unit, how many of the dimension's base it is)
_TABLE: dict[str, list[tuple[str, str]]] = {
    "length": [
        ("mm 毫米", "1/1000"),
        ("cm 厘米 公分", "1/100"),
        ("dm 分米", "1/10"),
        ("m 米", "1"),
        ("km 千米 公里", "1000"),
        ("里", "500"),
    ],
    "area": [
        ("mm² mm2 mm^2 平方毫米", "1/1000000"),
        ("cm² cm2 cm^2 平方厘米", "1/10000"),
        ("dm² dm2 dm^2 平方分米", "1/100"),
        ("m² m2 m^2 平方米", "1"),
        ("亩", "2000/3"),
        ("ha hm² hm2 hm^2 公顷", "10000"),
        ("km² km2 km^2 平方千米 平方公里", "1000000"),
    ],
    "volume": [
        ("mm³ mm3 mm^3 立方毫米", "1/1000000000"),
        ("mL ml cm³ cm3 cm^3 毫升 立方厘米", "1/1000000"),
        ("L l dm³ dm3 dm^3 升 立方分米", "1/1000"),
        ("m³ m3 m^3 立方米", "1"),
    ],
    "mass": [
        ("mg 毫克", "1/1000000"),
        ("g 克", "1/1000"),
        ("两", "1/20"),
        ("斤", "1/2"),
        ("kg 千克 公斤", "1"),
        ("t 吨", "1000"),
    ],
    "time": [
        ("s 秒 秒钟", "1"),
        ("min 分 分钟", "60"),
        ("h 时 小时", "3600"),
        ("d 天 日", "86400"),
        ("周 星期", "604800"),
    ],
    "months": [("月 个月", "1"), ("季度", "3"), ("年", "12")],
    "money": [("分", "1/100"), ("角 毛", "1/10"), ("元 块 圆 ¥ 人民币", "1"), ("万元", "10000")],
    "angle": [("° 度", "1"), ("周角", "360"), ("平角", "180"), ("直角", "90")],
    "temperature": [("°C ℃ 摄氏度", "1")],
    "speed": [("m/s 米/秒 米每秒", "1"), ("m/min 米/分 米每分", "1/60"), ("km/h 千米/时 千米每时 千米/小时", "5/18")],
}


def _meanings() -> dict[str, dict[str, tuple[int, Fraction]]]:
    meanings: dict[str, dict[str, tuple[int, Fraction]]] = {}
    for dimension, units in _TABLE.items():
        for index, (names, factor) in enumerate(units):
            for name in names.split():
                meanings.setdefault(clean(name), {})[dimension] = (index, Fraction(factor))
    return meanings


_MEANINGS = _meanings()
"""Cleaned name → what it can be: dimension → (unit, factor). 分 is both money and time."""

_QUANTITY = re.compile(r"(?P<number>[-+0-9.,/%][-+0-9.,/% 又]*?) ?(?P<unit>[^-+0-9.,/% ][^ ]*)")
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?([^-+0-9.,/% ]+)")


def is_unit(text: str) -> bool:
    """Whether `text` is the name of a unit that schools use."""
    return clean(text) in _MEANINGS


def compare_unit(written: str | None, expected: str) -> UnitMatch:
    """How the unit that a pupil wrote stands to the one expected.

    `match`: the same unit, in whatever script (cm, 厘米). `compatible`: measures the same thing (mm for cm).
    `missing`: none written. `different`: measures something else, or is unknown and not letter for letter the same.
    """
    if written is None or not written.strip():
        return "missing"
    one, other = clean(written), clean(expected)
    if one == other:
        return "match"
    mine, theirs = _MEANINGS.get(one, {}), _MEANINGS.get(other, {})
    shared = mine.keys() & theirs.keys()
    if not shared:
        return "different"
    return "match" if any(mine[d][0] == theirs[d][0] for d in shared) else "compatible"


def split_quantity(text: str) -> tuple[str, str] | None:
    """`5cm` as `("5", "cm")`; None when `text` is not one number with one unit after it."""
    match = _QUANTITY.fullmatch(clean(text))
    if match is None or parse_number(match["number"]) is None:
        return None
    return match["number"].strip(), match["unit"]


def quantity_in(text: str, unit: str) -> Fraction | None:
    """The value of a quantity in `unit`, exactly: `3元5角` in 元 is 7/2, `1时30分` in 分 is 90.

    None when `text` is no quantity or measures something else. Parts of a compound go from large to small.
    """
    target = _MEANINGS.get(clean(unit), {})
    single = split_quantity(text)
    number = parse_number(single[0]) if single else None
    parts: list[tuple[WrittenNumber | None, str]]
    if single is not None and number is not None and single[1] in _MEANINGS:
        parts = [(number, single[1])]
    else:
        cleaned = clean(text)
        found = _PART.findall(cleaned)
        if not found or re.sub(_PART, "", cleaned).strip():
            return None
        parts = [(parse_number(n), u) for n, u in found]
    for dimension, (_, target_factor) in target.items():
        total, last = Fraction(0), None
        for value, name in parts:
            meaning = _MEANINGS.get(name, {}).get(dimension)
            if value is None or value.remainder is not None or meaning is None:
                break
            if last is not None and meaning[1] >= last:
                break
            total, last = total + value.value * meaning[1], meaning[1]
        else:
            return total / target_factor
    return None


def same_quantity(text: str, expected: str, unit: str, *, tolerance: str | None = None) -> bool:
    """Whether a quantity as written equals `expected` (a number) in `unit`."""
    value, number = quantity_in(text, unit), parse_number(expected)
    return (
        value is not None and number is not None and number.remainder is None and close(value, number.value, tolerance)
    )
