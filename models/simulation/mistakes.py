"""The wrong answers that pupils really give: carries forgotten, digits swapped, points misplaced."""

from __future__ import annotations

import re

import numpy as np

from homework.assignment import Item

_INTEGER = re.compile(r"-?\d+")
_DECIMAL = re.compile(r"(-?)(\d+)\.(\d+)")
_FRACTION = re.compile(r"(-?)(?:(\d+) )?(\d+)/(\d+)")
_REMAINDER = re.compile(r"(\d+)(…+)(\d+)")


def plausible_mistake(item: Item, right: str, rng: np.random.Generator) -> str:
    """A wrong answer to one blank of `item`, never `right` itself, in canonical text."""
    for _ in range(20):
        wrong = _try(item, right, rng)
        if wrong != right and wrong:
            return wrong
    return "1" if right != "1" else "2"


def _try(item: Item, right: str, rng: np.random.Generator) -> str:
    if item.kind == "compare":
        return str(rng.choice(["<", ">", "="]))
    if item.kind == "judge":
        return "×" if right == "√" else "√"
    if item.kind == "letter":
        return str(rng.choice(list(item.letters)))
    if item.kind == "choice":
        return str(rng.choice(_labels(item)))
    if item.kind == "choices":
        label = str(rng.choice(_labels(item)))
        return "".join(sorted(set(right) ^ {label}))
    return _wrong_number(right, rng)


def _labels(item: Item) -> list[str]:
    return [chr(ord("A") + k) for k in range(len(item.options))]


def _wrong_number(right: str, rng: np.random.Generator) -> str:
    if right.endswith("%"):
        return right[:-1] if rng.random() < 0.3 else _wrong_number(right[:-1], rng) + "%"
    if match := _REMAINDER.fullmatch(right):
        quotient, dots, rest = match.groups()
        if rng.random() < 0.5:
            return f"{quotient}{dots}{max(0, int(rest) + int(rng.choice([-1, 1, 2])))}"
        return f"{max(1, int(quotient) + int(rng.choice([-1, 1])))}{dots}{rest}"
    if match := _FRACTION.fullmatch(right):
        sign, whole, upper, lower = match.groups()
        a, b = int(upper), int(lower)
        a, b = [(b, a), (a + 1, b), (max(1, a - 1), b), (a, b + 1), (a * 2, b)][int(rng.integers(5))]
        return f"{sign}{whole + ' ' if whole and rng.random() < 0.8 else ''}{a}/{b}"
    if match := _DECIMAL.fullmatch(right):
        sign, whole, part = match.groups()
        slip = int(rng.integers(4))
        if slip == 0 and whole != "0":
            return f"{sign}{whole}{part}"
        if slip == 1:
            return f"{sign}0.{whole}{part}".replace("0.0", "0.")
        return f"{sign}{whole}.{_wrong_digits(part, rng)}" if slip == 2 else f"{sign}{_wrong_digits(whole, rng)}.{part}"
    if _INTEGER.fullmatch(right):
        sign = "-" if right.startswith("-") else ""
        return sign + _wrong_digits(right.lstrip("-"), rng)
    return right


def _wrong_digits(digits: str, rng: np.random.Generator) -> str:
    value = int(digits)
    slip = int(rng.integers(6))
    if slip <= 1 and len(digits) >= 2:  # a carry forgotten, or carried twice
        return str(max(0, value + int(rng.choice([-10, 10]))))
    if slip == 2 and len(digits) >= 2 and digits[-1] != digits[-2]:
        return str(int(digits[:-2] + digits[-1] + digits[-2]))
    if slip == 3 and digits.endswith("0") and len(digits) >= 2:
        return digits[:-1]
    if slip == 4 and len(digits) >= 3:
        place = int(rng.integers(1, len(digits)))
        return digits[:place] + str(int(rng.integers(10))) + digits[place + 1 :]
    return str(max(0, value + int(rng.choice([-2, -1, 1, 2]))))
