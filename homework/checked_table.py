"""A table of a TOML file, read key by key with the type that each key must have.

Whatever is wrong becomes one `BadFileError` that says where and what to do. Numbers with a point arrive as
`Decimal` (the file is parsed so), never as floats.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, NoReturn, TypeVar, get_args

from homework.errors import BadFileError, Phrase

T = TypeVar("T")

_TYPE_NAMES = {
    bool: "true or false",
    int: "a whole number",
    Decimal: "a number",
    str: "text",
    list: "a list",
    dict: "a table",
}


class CheckedTable:
    """One table; `where` names it in messages (`[assignment]`, `Item 3`)."""

    def __init__(self, values: dict[str, Any], *, where: str | Phrase, known: Iterable[str]) -> None:
        self.where = where
        self._values = values
        known = list(known)
        for key in values:
            if key not in known:
                near = difflib.get_close_matches(key, known, n=1)
                if near:
                    self.fail("{where}: the key `{key}` is unknown.", "Did you mean `{near}`?", key=key, near=near[0])
                self.fail(
                    "{where}: the key `{key}` is unknown.",
                    "Remove it; known are {known}.",
                    key=key,
                    known=", ".join(known),
                )

    def fail(self, message: str, remedy: str, **values: object) -> NoReturn:
        """Raise the error; `{where}` and `values` fill message and remedy."""
        raise BadFileError(message, remedy=remedy, where=self.where, **values)

    def has(self, key: str) -> bool:
        return key in self._values

    def raw(self, key: str) -> Any:
        """The value as the TOML parser gave it, or None when absent."""
        return self._values.get(key)

    def text(self, key: str, *, longest: int = 2000) -> str | None:
        """Text without spaces around it; None when absent; empty or overlong text is an error."""
        value = self._typed(key, str)
        if value is None:
            return None
        value = value.strip()
        if not value:
            self.fail("{where}: `{key}` is empty.", "Write something there, or leave the line out.", key=key)
        if len(value) > longest:
            self.fail("{where}: `{key}` is too long.", "Keep it within {longest} characters.", key=key, longest=longest)
        return value

    def whole(self, key: str, *, lowest: int, highest: int) -> int | None:
        """A whole number within bounds; None when absent."""
        value = self._typed(key, int)
        if value is not None and not lowest <= value <= highest:
            self.fail(
                "{where}: `{key}` is {value}.",
                "Write a whole number from {lowest} to {highest}.",
                key=key,
                value=value,
                lowest=lowest,
                highest=highest,
            )
        return value

    def flag(self, key: str) -> bool:
        """True or false; false when absent."""
        return bool(self._typed(key, bool))

    def one_of(self, key: str, literal: Any, default: Any = None) -> Any:
        """One of a `Literal`'s words; `default` when absent."""
        words = get_args(literal)
        value = self._typed(key, str)
        if value is None:
            return default
        if value not in words:
            near = difflib.get_close_matches(value, words, n=1)
            self.fail(
                "{where}: `{key}` is `{value}`, which is unknown.",
                "Did you mean `{near}`?" if near else "Use one of {words}.",
                key=key,
                value=value,
                near=near[0] if near else "",
                words=", ".join(words),
            )
        return value

    def plain(self, key: str, value: object) -> str:
        """Text, or a number written without quotes, as text."""
        if isinstance(value, str):
            return value.strip()
        if isinstance(value, int) and not isinstance(value, bool):
            if abs(value) < 10**40:
                return str(value)
        elif isinstance(value, Decimal) and value.is_finite() and abs(value.adjusted()) < 40:
            return format(value, "f")
        return self.fail(
            "{where}: `{key}` has {value}, which is neither text nor a number.",
            'Write it in quotes, like {key} = "92".',
            key=key,
            value=value,
        )

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts (numbers are taken as text); one text alone is a list of one; empty when absent."""
        value = self._values.get(key)
        if value is None:
            return ()
        found = tuple(self.plain(key, v) for v in (value if isinstance(value, list) else [value]))
        if "" in found:
            self.fail("{where}: `{key}` has an empty entry.", "Write something there, or remove it.", key=key)
        return found

    def _typed(self, key: str, kind: type[T]) -> T | None:
        value = self._values.get(key)
        if value is None:
            return None
        if isinstance(value, kind) and not (kind is int and isinstance(value, bool)):
            return value
        return self.fail(
            "{where}: `{key}` is {value}.",
            "It should be {wanted}.",
            key=key,
            value=type_name(value),
            wanted=Phrase(_TYPE_NAMES[kind]),
        )


def type_name(value: object) -> Phrase:
    """What a person calls the type of a TOML value."""
    return Phrase(next((name for kind, name in _TYPE_NAMES.items() if isinstance(value, kind)), "a date or time"))
