"""What the recognisers make of crops of whole pages (see `crops.py`), and the figures of that."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from homework.answers import AnswerRule, check_answer, is_readable, normalise, unit_in_question
from homework.layout import FieldKind
from homework.units import split_quantity
from models.evaluation.crops import PageCrop, frame_name, photograph_name
from models.evaluation.figures import Judged, Outcome, judged_row
from models.recognisers import KINDS, Kind, Recognisers


@dataclass(frozen=True)
class Read:
    """A crop, what was read in it, and what that is worth."""

    crop: PageCrop
    text: str | None
    confidence: float
    judged: Judged

    @property
    def outcome(self) -> Outcome:
        """For curves and reliability."""
        return Outcome(self.confidence, self.judged.same, stranger=False)


def read_crops(recognisers: Recognisers, crops: Sequence[PageCrop]) -> list[Read]:
    """Every crop read as the box reads it."""
    reads = []
    for crop in crops:
        kind = kind_of(crop)
        [recognition] = recognisers.read(kind, [crop.crop])
        reads.append(judge(crop, recognition.text, recognition.confidence, recognisers.threshold(kind)))
    return reads


def judge(crop: PageCrop, text: str | None, confidence: float, threshold: float) -> Read:
    """What a reading of `text` is worth against the crop's truth and, where there is one, its key."""
    kind = cast(FieldKind, "number" if crop.kind == "digit" else crop.kind)
    same = text is not None and normalise(kind, text) == normalise(kind, crop.text)
    asked = text is None or confidence < threshold
    if not crop.key:
        return Read(crop, text, confidence, Judged(same=same, asked=asked, right=None, ticked=False))
    rule = _rule(kind, crop.key)
    asked = asked or text is None or not is_readable(kind, text, unit=rule.unit) or unit_in_question(rule, 1, text)
    ticked = text is not None and not asked and check_answer(rule, 1, text)
    return Read(
        crop, text, confidence, Judged(same=same, asked=asked, right=check_answer(rule, 1, crop.text), ticked=ticked)
    )


def page_rows(reads: Sequence[Read]) -> list[dict[str, Any]]:
    """A row a kind; of numbers (whole answers, not parts of fractions) also by form, length, pen, photograph, light,
    source, and whether they keep to their frame.

    Each has `kind`, `set` and the figures of `judged_row`.
    """
    whole = [one for one in reads if one.crop.kind == "number" and one.crop.form not in ("part", "seat")]
    integers = [one for one in whole if one.crop.form == "integer"]
    groups: list[tuple[str, Sequence[Read], Callable[[PageCrop], str]]] = [
        ("all", [one for one in reads if one.crop.kind != "judge" and not _extra(one.crop)], lambda crop: crop.kind),
        ("mark", [one for one in reads if one.crop.kind == "judge"], _mark),
        ("form", [one for one in reads if one.crop.kind == "number"], lambda crop: crop.form),
        ("length", integers, lambda crop: f"{crop.digits} digits" if crop.digits != 1 else "1 digit"),
        ("pen", whole, lambda crop: crop.pen),
        ("photograph", whole, lambda crop: photograph_name(crop.megapixels, crop.blur_px)),
        ("light", whole, lambda crop: "dim" if crop.light < 1 else "bright"),
        ("source", whole, lambda crop: crop.source),
        ("frame", whole, lambda crop: frame_name(crop.over_mm)),
    ]
    rows = []
    for group, some, name in groups:
        for value in sorted({name(one.crop) for one in some}):
            members = [one for one in some if name(one.crop) == value]
            title = "pages" if group == "all" else f"pages, {value}"
            rows.append({"kind": members[0].crop.kind, "set": title, **judged_row([m.judged for m in members])})
    return rows


def by_kind(reads: Sequence[Read]) -> dict[str, list[Outcome]]:
    """The outcomes of each kind that was read."""
    found: dict[str, list[Outcome]] = {}
    for kind in KINDS:
        some = [one.outcome for one in reads if one.crop.kind == kind and not _extra(one.crop)]
        if some:
            found[kind] = some
    return found


def kind_of(crop: PageCrop) -> Kind:
    """The crop's kind, checked."""
    return next(kind for kind in KINDS if kind == crop.kind)


def _extra(crop: PageCrop) -> bool:
    """A seat's digit that is also read as a number: it counts as a digit."""
    return crop.kind == "number" and crop.form == "seat"


def _mark(crop: PageCrop) -> str:
    return "√ (synthetic)" if crop.text == "√" else "×"


def _rule(kind: FieldKind, key: str) -> AnswerRule:
    quantity = split_quantity(key) if kind == "number" else None
    if quantity is None:
        return AnswerRule(kind=kind, accepted=((key,),))
    return AnswerRule(kind=kind, accepted=((quantity[0],),), unit=quantity[1], unit_written=True)
