"""Numbers as pupils write them, read exactly: no float anywhere.

A `WrittenNumber` keeps both the value (a `Fraction`) and the way it was written, because an item may ask for a
form: 1/2 equals 0.5 equals 50 % in value, but only one of them is a proper fraction.
"""

from __future__ import annotations

import math
import re
import unicodedata
from fractions import Fraction
from typing import Literal

import msgspec

Form = Literal["integer", "proper", "improper", "mixed", "fraction", "decimal", "percent", "simplest"]
Style = Literal["integer", "decimal", "fraction", "mixed", "percent", "remainder"]

MAX_NUMBER_LENGTH = 40
"""Longer texts are no numbers that a child writes in a box; also bounds the cost of exact arithmetic."""

REMAINDER = "……"
"""What stands between quotient and remainder in Chinese schools (7……3)."""

_MINUS = dict.fromkeys(map(ord, "\u2212\u2012\u2013\ufe63\uff0d"), "-")
_SUPERSCRIPT = {ord(c): f"^{d}" for c, d in zip("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789", strict=True)}
_VULGAR = {ord(c): f" {unicodedata.normalize('NFKC', c)}" for c in "¼½¾⅐⅑⅒⅓⅔⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞"}
_DIGITS = r"(?:[0-9]{1,3}(?:[, ][0-9]{3})+|[0-9]{1,4}(?:,[0-9]{4})+|[0-9]+)"
_DECIMAL = rf"(?:{_DIGITS}(?:\.[0-9]*)?|\.[0-9]+)"
_PLAIN = re.compile(rf"(?P<sign>[-+]?) ?(?P<number>{_DECIMAL}) ?(?P<percent>%?)")
_FRACTION = re.compile(r"(?P<sign>[-+]?) ?(?:(?P<whole>[0-9]+) ?(?: |又) ?)?(?P<top>[0-9]+) ?/ ?(?P<bottom>[0-9]+)")
_REMAINDER = re.compile(rf"(?P<quotient>{_DECIMAL}) ?(?:…+|⋯+|[.·・]{{3,}}|[rR]|余) ?(?P<remainder>{_DECIMAL})")


class WrittenNumber(msgspec.Struct, frozen=True, gc=False):
    """A number and how it was written.

    `text` is its canonical text. `top` and `bottom` are set for fractions and for the fraction of a mixed
    number, `remainder` for a quotient with remainder (then `value` is the quotient).
    """

    text: str
    value: Fraction
    style: Style
    top: int = 0
    bottom: int = 1
    remainder: Fraction | None = None


def clean(text: str) -> str:
    """`text` with width, spaces, minus signs and superscripts made uniform. Idempotent.

    Compatibility forms fold as in Unicode's NFKC (UAX #15), except where NFKC would change what is meant:
    `1½` must not become `11/2`, nor `5²` `52`, nor `…` three full stops.
    """
    text = text.translate(_VULGAR).translate(_SUPERSCRIPT).translate(_MINUS)
    folded = (part if part in "…⋯" else unicodedata.normalize("NFKC", part) for part in re.split("([…⋯])", text))
    return " ".join("".join(folded).replace("\u2044", "/").replace("，", ",").translate(_MINUS).split())


def parse_number(text: str) -> WrittenNumber | None:
    """The number that `text` writes, or None when it writes none (a letter, two numbers, x/0, over 40 characters).

    Understood: integers, decimals (`.5`, `5.`), percent, `3/4`, `1 3/4`, `1又3/4`, `7……3` (also `7...3`, `7r3`,
    `7余3`), thousands separators (groups of three, or of four with commas), full-width digits, any Unicode minus.
    """
    if len(text) > MAX_NUMBER_LENGTH:
        return None
    text = clean(text)
    if len(text) > MAX_NUMBER_LENGTH:
        return None
    if match := _PLAIN.fullmatch(text):
        return _plain(match)
    if match := _FRACTION.fullmatch(text):
        return _fraction(match)
    if match := _REMAINDER.fullmatch(text):
        quotient, remainder = _decimal_text(match["quotient"]), _decimal_text(match["remainder"])
        written = f"{quotient}{REMAINDER}{remainder}"
        return WrittenNumber(written, Fraction(quotient), "remainder", remainder=Fraction(remainder))
    return None


def has_form(number: WrittenNumber, form: Form) -> bool:
    """Whether a number was written in the form that an item asks for.

    `integer`: digits alone. `proper`, `improper`: a/b below 1, or not. `mixed`: a whole and a proper fraction.
    `fraction`: any of these three. `decimal`: no fraction, no percent (3 is a decimal without decimals).
    `percent`: with %. `simplest`: an integer, or a fraction (mixed: its part below 1) in lowest terms.
    """
    style = number.style
    proper_part = style == "mixed" and abs(number.value) > 1 and 0 < number.top < number.bottom
    match form:
        case "integer" | "percent":
            return style == form
        case "decimal":
            return style in ("integer", "decimal")
        case "proper":
            return style == "fraction" and number.top < number.bottom
        case "improper":
            return style == "fraction" and number.top >= number.bottom
        case "mixed":
            return proper_part
        case "fraction":
            return style == "fraction" or proper_part
        case "simplest":
            lowest = number.bottom > 1 and math.gcd(number.top, number.bottom) == 1
            return style == "integer" or (lowest and (style == "fraction" or proper_part))


def can_have_form(number: WrittenNumber, form: Form) -> bool:
    """Whether the value of `number` can be written in `form` at all: 0.5 can be proper, 2 cannot."""
    if number.remainder is not None:
        return False
    size = abs(number.value)
    match form:
        case "integer":
            return size.denominator == 1
        case "proper":
            return size < 1
        case "improper":
            return size >= 1
        case "mixed":
            return size > 1 and size.denominator > 1
        case "decimal" | "percent":
            return _terminates(size.denominator)
        case "fraction" | "simplest":
            return True


def same_number(written: str, expected: str, *, form: Form | None = None, tolerance: str | None = None) -> bool:
    """Whether `written` is the number `expected`, exactly, or within an absolute `tolerance`.

    `form` is asked of `written` alone: a key may say 0.5 and ask for a fraction. A quotient with remainder is
    only itself: both parts must agree, and no tolerance applies. False when either is no number.
    """
    one, other = parse_number(written), parse_number(expected)
    if one is None or other is None or (form is not None and not has_form(one, form)):
        return False
    if one.remainder is not None or other.remainder is not None:
        return (one.value, one.remainder) == (other.value, other.remainder)
    return close(one.value, other.value, tolerance)


def close(one: Fraction, other: Fraction, tolerance: str | None) -> bool:
    """Whether two values are equal, or differ by no more than `tolerance` (a number in text)."""
    if tolerance is None:
        return one == other
    allowed = parse_number(tolerance)
    return allowed is not None and abs(one - other) <= allowed.value


def _plain(match: re.Match[str]) -> WrittenNumber:
    digits = _decimal_text(match["number"])
    value = Fraction(digits)
    sign = "-" if match["sign"] == "-" and value else ""
    value = -value if sign else value
    if match["percent"]:
        return WrittenNumber(f"{sign}{digits}%", value / 100, "percent")
    return WrittenNumber(f"{sign}{digits}", value, "decimal" if "." in digits else "integer")


def _fraction(match: re.Match[str]) -> WrittenNumber | None:
    top, bottom = int(match["top"]), int(match["bottom"])
    if bottom == 0:
        return None
    whole = int(match["whole"] or 0)
    value = whole + Fraction(top, bottom)
    sign = "-" if match["sign"] == "-" and value else ""
    mixed = match["whole"] is not None
    text = f"{sign}{whole} {top}/{bottom}" if mixed else f"{sign}{top}/{bottom}"
    return WrittenNumber(text, -value if sign else value, "mixed" if mixed else "fraction", top, bottom)


def _decimal_text(digits: str) -> str:
    """Without separators and leading zeros, with a digit before the point and none lonely after it.

    Zeros at the end stay: "to two places" makes 0.50 another writing than 0.5, though the same number.
    """
    whole, point, rest = digits.replace(",", "").replace(" ", "").partition(".")
    whole = whole.lstrip("0") or "0"
    return f"{whole}.{rest}" if point and rest else whole


def _terminates(denominator: int) -> bool:
    """Whether a fraction in lowest terms over `denominator` is a finite decimal: no prime but 2 and 5."""
    for prime in (2, 5):
        while denominator % prime == 0:
            denominator //= prime
    return denominator == 1
