"""What a person answered on the review page: from a form to a word on each field. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from homework.corrections import Word
from homework.errors import UsageError
from homework.results import Stamp

MOST_CHANGES = 2000
"""Of one answer: more than a class of sixty writes into one item of several blanks."""

_IDENT = re.compile(r"([0-9A-Za-z]{1,64})-(\d{1,9})-(\d{1,3})", re.ASCII)
_POINTS = re.compile(r"\d{1,4}(?:[.,]\d{1,2})?")


@dataclass(frozen=True)
class SeenField:
    """A field as a person saw it: its page, as of which revision, and its place among the record's items, from 0."""

    key: str
    revision: int
    place: int


def answers_of(form: Mapping[str, Sequence[str]]) -> dict[SeenField, Word]:
    """What is said of which field. Raises `UsageError` for what no form of ours sends, or no number.

    One field by its own button (`one`), or the whole group: those that are ticked (`in`) get the group's answer, and
    those where something was typed get that, ticked or not.
    """
    if form.get("one"):
        ident, kind, value = [*form["one"][0].split("/", 2), "", ""][:3]
        words = {_field(ident): _single(kind, value)}
    else:
        words = _of_group(form)
    if len(words) > MOST_CHANGES:
        raise not_ours()
    return words


def _single(kind: str, value: str) -> Word:
    if kind == "text":
        return Word(text=value)
    if kind == "right":
        return Word(right=value == "yes")
    if kind == "points":
        return Word(score_hundredths=points_in(value))
    raise not_ours()


def _of_group(form: Mapping[str, Sequence[str]]) -> dict[SeenField, Word]:
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
        raise not_ours()
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


def _field(ident: str) -> SeenField:
    found = _IDENT.fullmatch(ident)
    if found is None:
        raise not_ours()
    key, revision, place = found.groups()
    return SeenField(key, int(revision), int(place))


def not_ours() -> UsageError:
    """The refusal of an answer that no form of ours sends."""
    return UsageError("This answer is not understood.", remedy="Open the page again and answer there.")
