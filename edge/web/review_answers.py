"""What a person answered on the review page, from a form to changes of fields."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from edge.correcting import Change
from edge.ledger import Ledger
from homework.corrections import Word
from homework.errors import UsageError
from homework.results import Stamp

MOST_CHANGES = 2000
"""Of one answer: more than a class of sixty writes into one item of several blanks."""

_IDENT = re.compile(r"(\d{1,12})-(\d{1,9})-(\d{1,3})")
_POINTS = re.compile(r"\d{1,4}(?:[.,]\d{1,2})?")


@dataclass(frozen=True)
class _Field:
    capture: int
    revision: int
    place: int


def changes_of(form: Mapping[str, Sequence[str]], ledger: Ledger) -> list[Change]:
    """The changes that an answer asks for. Raises `UsageError` for what no form of ours sends, or no number.

    One field by its own button (`one`), or the whole group: those that are ticked (`in`) get the group's answer, and
    those where something was typed get that, ticked or not.
    """
    if form.get("one"):
        ident, kind, value = [*form["one"][0].split("/", 2), "", ""][:3]
        words = {_field(ident): _single(kind, value)}
    else:
        words = _of_group(form)
    if len(words) > MOST_CHANGES:
        raise _not_ours()
    return [change for field, word in words.items() if (change := _change(field, word, ledger)) is not None]


def _single(kind: str, value: str) -> Word:
    if kind == "text":
        return Word(text=value)
    if kind == "right":
        return Word(right=value == "yes")
    if kind == "points":
        return Word(score_hundredths=points_in(value))
    raise _not_ours()


def _of_group(form: Mapping[str, Sequence[str]]) -> dict[_Field, Word]:
    do = form.get("do", [""])[0]
    ticked = [_field(ident) for ident in form.get("in", ())]
    said = form.get("as")
    answers = {
        "say": Word(text=said[0]) if said else Word(),
        "right": Word(right=True),
        "wrong": Word(right=False),
        "keep": Word(),
    }
    if do not in answers:
        raise _not_ours()
    words = dict.fromkeys(ticked, answers[do])
    for name, values in form.items():
        what, _, ident = name.partition(":")
        value = values[0].strip()
        if not ident or not value:
            continue
        field = _field(ident)
        word = words.get(field, Word()) if do == "keep" else Word()
        if what == "text":
            words[field] = Word(text=value)
        elif what == "points":
            words[field] = msgspec.structs.replace(word, score_hundredths=points_in(value))
        elif what == "comment":
            words[field] = msgspec.structs.replace(word, comment=value)
        elif what == "stamp" and value in [*Stamp]:
            words[field] = msgspec.structs.replace(word, stamp=Stamp(value))
    return {field: word for field, word in words.items() if word != Word()}


def points_in(text: str) -> int:
    """Points as a person writes them (3.5, 3,5), in hundredths. Raises `UsageError` for anything else."""
    if not _POINTS.fullmatch(text.strip()):
        raise UsageError("{text} is no number of points.", remedy="Write it like 3 or 3.5.", text=text[:20])
    whole, _, part = text.strip().replace(",", ".").partition(".")
    return int(whole) * 100 + int(part.ljust(2, "0") or 0)


def _field(ident: str) -> _Field:
    found = _IDENT.fullmatch(ident)
    if found is None:
        raise _not_ours()
    capture, revision, place = map(int, found.groups())
    return _Field(capture, revision, place)


def _change(field: _Field, word: Word, ledger: Ledger) -> Change | None:
    filed = ledger.page(field.capture)
    if filed is None or filed.record is None or field.place >= len(filed.record.items):
        return None
    item = filed.record.items[field.place]
    return Change(field.capture, field.revision, (item.item, item.blank), word)


def _not_ours() -> UsageError:
    return UsageError("This answer is not understood.", remedy="Open the page again and answer there.")
