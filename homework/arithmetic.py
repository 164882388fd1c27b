"""Sums as teachers type them, worked out exactly: `23×4`, `3/4 + 1 1/2`, `(12-4)÷0.2`, `12 ÷ ( ) = 4`.

A parser of its own, never Python's: what it does not know is no sum. A fraction without spaces (`3/4`, `1 3/4`) is
one number, as it is printed; `3 / 4` and `12/4/3` divide. All values are fractions, so that nothing is rounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from typing import Literal

import msgspec

from homework.written_numbers import REMAINDER, clean

MAX_LENGTH = 200
"""A sum on a worksheet fits a line; it bounds the work."""

_MAX_DEPTH = 20
_MAX_DIGITS = 15
_MAX_POWER = 6
_MAX_DEGREE = 8
_PLACE = re.compile(r"_{2,}|□|\([\s_]*\)")
_UNKNOWN = "?"
_TOKEN = re.compile(
    r"\s*(?:"
    r"(?<![\d/.])(?:(?P<whole>\d+)(?:\s|又\s?))?(?P<top>\d+)/(?P<bottom>\d+)(?![\d/.]|\s*/)"
    r"|(?P<number>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+)"
    r"|(?P<sign>[-+×÷/^%()?])"
    r")"
)
_SAME = str.maketrans({"*": "×", "✕": "×", "·": "×", "[": "(", "]": ")", "【": "(", "】": ")", "{": "(", "}": ")"})

Relation = Literal["<", "=", ">"]


class NoSumError(ValueError):
    """The text is no sum that can be worked out."""


class Calculated(msgspec.Struct, frozen=True, gc=False):
    """A sum's value. `division` is (dividend, divisor) of a sum that is one division of whole numbers.

    `fractions` says that fractions stand in the sum: then its result is written as one.
    """

    value: Fraction
    division: tuple[int, int] | None = None
    fractions: bool = False

    @property
    def remainder_text(self) -> str | None:
        """`8……1` for 17 ÷ 2; None when it is no division of whole numbers, or goes without remainder."""
        if self.division is None:
            return None
        dividend, divisor = self.division
        quotient, rest = divmod(dividend, divisor)
        return f"{quotient}{REMAINDER}{rest}" if rest else None

    @property
    def texts(self) -> tuple[str, ...]:
        """How the value can be written, the likeliest first; all of them name the same number."""
        decimal, fraction = decimal_text(self.value), fraction_text(self.value)
        both = (fraction, decimal) if self.fractions or decimal is None else (decimal, fraction)
        return tuple(dict.fromkeys(text for text in both if text is not None))


def calculate(text: str) -> Calculated | None:
    """The value of a sum without its `=`, or None when the text is no sum or divides by nothing."""
    try:
        tokens = list(_tokens(text))
        value = None if ("sign", _UNKNOWN) in tokens else _Parser(tokens).whole().constant()
    except (NoSumError, ZeroDivisionError):
        return None
    if value is None:
        return None
    return Calculated(value, _plain_division(tokens), any(token[0] == "fraction" for token in tokens))


def compare(left: str, right: str) -> Relation | None:
    """Which sign stands between two sums, or None when one of them is none."""
    one, other = calculate(left), calculate(right)
    if one is None or other is None:
        return None
    return "<" if one.value < other.value else ">" if one.value > other.value else "="


def solve(left: str, right: str) -> Calculated | None:
    """What belongs into the one empty place (`____`, `( )`, `□`) of `left = right`; None when it is not one number."""
    try:
        tokens = [*_tokens(left), *_tokens(right)]
        if sum(token[1] == _UNKNOWN for token in tokens) != 1:
            return None
        one, other = _Parser(list(_tokens(left))).whole(), _Parser(list(_tokens(right))).whole()
        above = one.minus(other).above
        if len(above) != 2:
            return None
        value = -above[0] / above[1]
        # Where the found number would divide by zero it is no solution.
        if one.at(value) != other.at(value):
            return None
    except (NoSumError, ZeroDivisionError):
        return None
    return Calculated(value, None, any(token[0] == "fraction" for token in tokens))


def has_place(text: str) -> bool:
    """Whether a text has an empty place to write in."""
    return _PLACE.search(clean(text)) is not None


def decimal_text(value: Fraction) -> str | None:
    """The number as an integer or finite decimal; None when it has no such form or a very long one."""
    if value.denominator == 1:
        return str(value.numerator)
    rest, places = value.denominator, 0
    for prime in (2, 5):
        count = 0
        while rest % prime == 0:
            rest //= prime
            count += 1
        places = max(places, count)
    if rest != 1 or places > 9:
        return None
    digits = str(abs(value.numerator) * 10**places // value.denominator).rjust(places + 1, "0")
    return f"{'-' if value < 0 else ''}{digits[:-places]}.{digits[-places:]}"


def fraction_text(value: Fraction) -> str:
    """The number as an integer or a fraction in lowest terms."""
    return str(value.numerator) if value.denominator == 1 else f"{value.numerator}/{value.denominator}"


Token = tuple[Literal["number", "fraction", "sign"], str]


def _tokens(text: str) -> Iterator[Token]:
    if len(text) > MAX_LENGTH:
        raise NoSumError
    # A lone x between figures is how a keyboard without × writes it.
    text = re.sub(r"(?<=[\d)])\s*[xX]\s*(?=[\d(])", "×", clean(text).translate(_SAME))
    text = _PLACE.sub(_UNKNOWN, text).rstrip()
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise NoSumError
        position = match.end()
        if max((len(run) for run in re.findall(r"\d+", match.group())), default=0) > _MAX_DIGITS:
            raise NoSumError
        if match["top"] is not None:
            yield "fraction", f"{match['whole'] or 0} {match['top']}/{match['bottom']}"
        elif match["number"] is not None:
            yield "number", match["number"].replace(",", "")
        else:
            yield "sign", match["sign"].replace("/", "÷")


def _plain_division(tokens: list[Token]) -> tuple[int, int] | None:
    kinds = [kind for kind, _ in tokens]
    texts = [text for _, text in tokens]
    if kinds != ["number", "sign", "number"] or texts[1] != "÷" or not (texts[0] + texts[2]).isdigit():
        return None
    return int(texts[0]), int(texts[2])


Polynomial = tuple[Fraction, ...]
"""Coefficients, the constant first; no zero at the end, so that nothing at all is 0."""


class _Ratio(msgspec.Struct, frozen=True, gc=False):
    """A value in which the unknown may stand: one polynomial over another."""

    above: Polynomial
    below: Polynomial = (Fraction(1),)

    def plus(self, other: _Ratio) -> _Ratio:
        above = _added(_times(self.above, other.below), _times(other.above, self.below))
        return _Ratio(above, _times(self.below, other.below))

    def minus(self, other: _Ratio) -> _Ratio:
        return self.plus(_Ratio(_times(other.above, (Fraction(-1),)), other.below))

    def times(self, other: _Ratio) -> _Ratio:
        return _Ratio(_times(self.above, other.above), _times(self.below, other.below))

    def over(self, other: _Ratio) -> _Ratio:
        if not other.above:
            raise ZeroDivisionError
        return _Ratio(_times(self.above, other.below), _times(self.below, other.above))

    def constant(self) -> Fraction | None:
        """The value where no unknown stands in it."""
        if len(self.above) > 1 or len(self.below) > 1:
            return None
        return self.at(Fraction(0))

    def at(self, unknown: Fraction) -> Fraction:
        """The value for one unknown. Raises `ZeroDivisionError`."""
        return _value(self.above, unknown) / _value(self.below, unknown)


def _added(one: Polynomial, other: Polynomial) -> Polynomial:
    longer, shorter = (one, other) if len(one) >= len(other) else (other, one)
    return _trimmed([c + (shorter[i] if i < len(shorter) else 0) for i, c in enumerate(longer)])


def _times(one: Polynomial, other: Polynomial) -> Polynomial:
    if len(one) + len(other) > _MAX_DEGREE:
        raise NoSumError
    product = [Fraction(0)] * max(0, len(one) + len(other) - 1)
    for i, a in enumerate(one):
        for j, b in enumerate(other):
            product[i + j] += a * b
    return _trimmed(product)


def _trimmed(coefficients: list[Fraction]) -> Polynomial:
    while coefficients and coefficients[-1] == 0:
        coefficients.pop()
    return tuple(coefficients)


def _value(polynomial: Polynomial, unknown: Fraction) -> Fraction:
    return sum((c * unknown**power for power, c in enumerate(polynomial)), Fraction(0))


class _Parser:
    """Recursive descent over the tokens: + − below × ÷ below signs below powers and percent."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0

    def whole(self) -> _Ratio:
        """The value of all tokens. Raises `NoSumError`, `ZeroDivisionError`."""
        value = self._sum()
        if self._at != len(self._tokens):
            raise NoSumError
        return value

    def _next(self, *signs: str) -> str | None:
        kind, text = self._tokens[self._at] if self._at < len(self._tokens) else ("end", "")
        if kind != "sign" or text not in signs:
            return None
        self._at += 1
        return text

    def _sum(self) -> _Ratio:
        value = self._product()
        while sign := self._next("+", "-"):
            other = self._product()
            value = value.plus(other) if sign == "+" else value.minus(other)
        return value

    def _product(self) -> _Ratio:
        value = self._signed()
        while sign := self._next("×", "÷"):
            other = self._signed()
            value = value.times(other) if sign == "×" else value.over(other)
        return value

    def _signed(self) -> _Ratio:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise NoSumError
        sign = self._next("-", "+")
        value = self._signed() if sign else self._powered()
        self._depth -= 1
        return _Ratio(()).minus(value) if sign == "-" else value

    def _powered(self) -> _Ratio:
        value = self._atom()
        while sign := self._next("^", "%"):
            if sign == "%":
                value = value.over(_constant(Fraction(100)))
                continue
            kind, text = self._tokens[self._at] if self._at < len(self._tokens) else ("end", "")
            if kind != "number" or not text.isdigit() or not 1 <= int(text) <= _MAX_POWER:
                raise NoSumError
            self._at += 1
            base = value
            for _ in range(int(text) - 1):
                value = value.times(base)
        return value

    def _atom(self) -> _Ratio:
        if self._at >= len(self._tokens):
            raise NoSumError
        kind, text = self._tokens[self._at]
        self._at += 1
        if kind == "number":
            return _constant(Fraction(text))
        if kind == "fraction":
            whole, part = text.split(" ")
            return _constant(int(whole) + Fraction(part))
        if text == _UNKNOWN:
            return _Ratio((Fraction(0), Fraction(1)))
        if text != "(":
            raise NoSumError
        value = self._sum()
        if not self._next(")"):
            raise NoSumError
        return value


def _constant(value: Fraction) -> _Ratio:
    return _Ratio(_trimmed([value]))
