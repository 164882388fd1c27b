"""Why a record is held, in the words of whoever decides it, and what can be done: an update helps some and not others.

What the decoder said stays beside it, for a technician. It names a part by its place, `$[5][1]`; which part that is,
the kind of the record says.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from gateway.keeping.stragglers import month_of_reason
from gateway.poison import REFUSED
from gateway.store.lanes import ANOTHER_HISTORY
from homework.wording import Translate
from sync.clock import ClockReading
from sync.lanes import Lane
from sync.records import (
    AbsenceRecord,
    CorrectionRecord,
    CropRecord,
    DocumentRecord,
    HealthRecord,
    PackedItem,
    PackedMark,
    PageResult,
    Tally,
)

_FUTURE: Final = re.compile(r"is of version (\d+), newer")
_PREFIX: Final = "The record cannot be read: "
_AT: Final = re.compile(r" - at `\$((?:\[\d+\])+)`")
_KINDS: Final[Mapping[int, type[Any]]] = {
    1: PageResult,
    2: DocumentRecord,
    3: HealthRecord,
    4: Tally,
    5: CorrectionRecord,
    6: CropRecord,
    7: AbsenceRecord,
}
_INSIDE: Final[Mapping[str, type[Any]]] = {"clock": ClockReading, "items": PackedItem, "marks": PackedMark}
_LISTS: Final = frozenset({"items", "marks"})
_GROW: Final = frozenset({"quality", "verdict", "doubt", "mark", "own", "stamp", "absence", "document"})
"""What newer versions add values to: to those an update can help."""
_PARTS: Final[Mapping[str, str]] = {
    "monotonic_ms": "the time since the box was switched on",
    "wall_ms": "the time on the box's clock",
    "clock": "the box's clock",
    "quality": "how far the box's clock can be believed",
    "seat": "the seat number",
    "pseudonym": "whose it is",
    "assignment": "the homework",
    "sheet": "the worksheet",
    "class_name": "the class",
    "page": "the page number",
    "attempt": "how often it was handed in",
    "score_hundredths": "the points",
    "max_score_hundredths": "the full points",
    "items": "the answers",
    "reading": "what was written",
    "verdict": "whether an answer is right",
    "doubt": "why an answer is in doubt",
    "marks": "the teacher's marks",
    "mark": "the teacher's marks",
    "document": "what kind of file it is",
    "body": "the file itself",
    "software": "the box's version",
    "free_mb": "the room on its card",
    "temperature_c": "its temperature",
    "waiting": "how much waits on it",
    "stamp": "the stamp",
    "absence": "what was said of an absence",
}
"""Others are called a part of it: nobody at a school has to do with them."""
_HOPELESS: Final = "No update helps. Refuse it; if a sheet is missing then, slide it once more."
_MAYBE: Final = "Take it in after an update, or refuse it."


class HeldWords(NamedTuple):
    """Why, what to do, and what the decoder said ("" where the words say all)."""

    why: str
    remedy: str
    detail: str = ""


def what_is_held(lane: Lane, seq: int, size_bytes: int, _: Translate) -> str:
    """What kind of thing it is, its number among those of its box, and how large it is."""
    kinds = {
        Lane.DOCUMENTS: _("a worksheet's file"),
        Lane.RESULTS: _("a graded sheet"),
        Lane.CROPS: _("the picture of an answer"),
        Lane.HEALTH: _("a word of the box about itself"),
    }
    return _("{kind}, No. {number}, {size} bytes").format(kind=kinds[lane], number=seq, size=size_bytes)


def decision_words(decision: str | None, _: Translate) -> str:
    """What was decided; "" while nothing is."""
    return {"taken": _("taken in"), "refused": _("refused"), None: ""}[decision]


def held_words(reason: str, kind: int | None, _: Translate) -> HeldWords:
    """`kind` is the record's, as its bytes say; None where they say none."""
    if (newer := _FUTURE.search(reason)) is not None:
        return HeldWords(
            _("A newer version of the box sent it ({version}).").format(version=newer[1]),
            _("Update Classbox here; then it is taken in by itself."),
        )
    if reason == REFUSED:
        return HeldWords(_("The database refused it."), _("Tell whoever looks after this machine; the box keeps it."))
    if reason == ANOTHER_HISTORY:
        return HeldWords(
            _("It is another than what is here under its number."),
            _("The box sends it again by itself. Take it in only when the box is gone for good."),
        )
    if (month := month_of_reason(reason)) is not None:
        return HeldWords(
            _("It belongs to the archive of {month}.").format(month=month),
            _("It counts nowhere any more. When you have seen it, refuse it: the box keeps it until then."),
        )
    detail = reason.removeprefix(_PREFIX).removesuffix(".")
    why, helps = _of_decoder(detail, kind, _)
    return HeldWords(why, _(_MAYBE) if helps else _(_HOPELESS), detail)


def _of_decoder(detail: str, kind: int | None, _: Translate) -> tuple[str, bool]:
    """What the decoder met, and whether an update can help."""
    at = _AT.search(detail)
    field = None if at is None else _field([int(n) for n in re.findall(r"\d+", at[1])], kind)
    what = _(_PARTS.get(field or "", "a part of it"))
    helps = field in _GROW
    if at is None and "at least length" in detail:
        return _("It is cut short: parts of it are missing."), False
    if "at least length" in detail or "got `" in detail:
        return _("It is not as a record is: {what}.").format(what=what), False
    if "Expected `int`" in detail:
        return _("A number in it cannot be: {what}.").format(what=what), helps
    if "of length" in detail:
        return _("It is too long or too short: {what}.").format(what=what), helps
    if "Invalid enum value" in detail:
        return _("It says something that is not known here: {what}.").format(what=what), True
    if "truncated" in detail or "malformed" in detail or "utf-8" in detail.lower() or detail.startswith("it has "):
        return _("It was damaged on its way or on the box's card."), False
    if detail.startswith("it came in lane"):
        return _("It came among records of another kind."), False
    if detail.startswith("a name in it holds"):
        return _("A name in it has a sign that no name has."), False
    return _("It cannot be read."), True


def _field(path: list[int], kind: int | None) -> str | None:
    """The innermost part that has a name. The array of a struct begins with kind and version where it is a record."""
    struct, name = _KINDS.get(kind or 0), None
    while path and struct is not None:
        place, *path = path
        fields = struct.__struct_fields__
        if place >= len(fields):
            return name
        name = fields[place]
        struct = _INSIDE.get(name)
        if name in _LISTS and path:
            path = path[1:]  # which one of them
    return name
