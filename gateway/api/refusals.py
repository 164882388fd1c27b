"""Why a request cannot be taken, in the reader's words: what the decoder says of it in English stays out of Chinese."""

from __future__ import annotations

import re
from typing import Final

from gateway.api.problems import NotAcceptedError
from homework.errors import Phrase

_AT: Final = re.compile(r" - at `(?:key in )?\$\.?([^`]*)`$")
_BOUND: Final = re.compile(r"Expected `(?:int|float|decimal)(?: \| null)?` (<=|>=|<|>) (-?[\d.e+]+)$")
_LENGTH: Final = re.compile(r"Expected `(str|array|bytes|object)(?: \| null)?` of length (<=|>=) (\d+)$")
_UNKNOWN: Final = re.compile(r"Object contains unknown field `([^`]*)`$")
_MISSING: Final = re.compile(r"Object missing required field `([^`]*)`$")
_KIND: Final = re.compile(r"Expected `([^`]*)`, got `")
_BOUNDS: Final = {
    "<=": "“{name}” may be {limit} at most.",
    ">=": "“{name}” has to be {limit} at least.",
    "<": "“{name}” has to be less than {limit}.",
    ">": "“{name}” has to be more than {limit}.",
}
_KINDS: Final = {
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
}
_LENGTHS: Final = {
    ("str", "<="): "“{name}” may have {limit} characters at most.",
    ("str", ">="): "“{name}” has to have {limit} characters at least.",
    ("array", "<="): "“{name}” may have {limit} entries at most.",
    ("array", ">="): "“{name}” has to have {limit} entries at least.",
}


def refusal(error: Exception) -> NotAcceptedError:
    """What is answered for what `msgspec` says of parameters or a body."""
    said = str(error)
    at = _AT.search(said)
    name, said = ("", said) if at is None else (at[1], said[: at.start()])

    def of(message: str, **values: object) -> NotAcceptedError:
        return NotAcceptedError(message, remedy="Compare it with /api/1/openapi.json.", status=400, **values)

    if (bound := _BOUND.search(said)) is not None:
        return of(_BOUNDS[bound[1]], name=name, limit=bound[2])
    if (length := _LENGTH.search(said)) is not None:
        of_what = "str" if length[1] == "str" else "array"
        return of(_LENGTHS[of_what, length[2]], name=name, limit=length[3])
    if (unknown := _UNKNOWN.search(said)) is not None:
        return of("There is no “{name}” here.", name=_inside(name, unknown[1]))
    if (missing := _MISSING.search(said)) is not None:
        return of("“{name}” is missing.", name=_inside(name, missing[1]))
    if (kind := _KIND.search(said)) is not None:
        wanted = kind[1].removesuffix(" | null")
        return of("“{name}” has to be {kind}.", name=name, kind=Phrase(_KINDS.get(wanted, wanted)))
    if said.startswith(("Invalid enum value", "Invalid value")):
        return of("“{name}” cannot be that.", name=name)
    if name:
        return of("“{name}” is not written as it has to be.", name=name)
    if "malformed" in said or "truncated" in said or "utf-8" in said.lower():
        return of("The body is no JSON that can be read.")
    return of("The request cannot be understood.")


def _inside(outer: str, name: str) -> str:
    return f"{outer}.{name}" if outer else name
