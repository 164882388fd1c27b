"""Slips for the pupils, many to an A4 with lines to cut along: what was wrong, the right answer, why, what next."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from homework.sheets.fonts import find_fonts
from homework.sheets.typeset import typeset


class SlipWords(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The words on a slip. `{}` is where a value goes."""

    language: str
    region: str
    seat: str
    wrote: str
    empty: str
    right: str
    why: str
    practise: str
    correct_by: str
    correct: str
    review: str
    praise: str
    corrected: str


CHINESE_SLIPS = SlipWords(
    language="zh",
    region="cn",
    seat="{} 号",
    wrote="你写的",
    empty="没有写",
    right="正确",
    why="为什么",
    practise="再练一练：{}",
    correct_by="请在原卷上订正，{} 前交。",
    correct="请在原卷上订正，再交。",
    review="第 {} 题老师还要看。",
    praise="全对，真棒！",
    corrected="都订正好了，真棒！",
)
ENGLISH_SLIPS = SlipWords(
    language="en",
    region="gb",
    seat="No. {}",
    wrote="You wrote",
    empty="nothing",
    right="Right",
    why="Why",
    practise="Practise again: {}",
    correct_by="Correct it on your sheet and hand it in by {}.",
    correct="Correct it on your sheet and hand it in again.",
    review="Your teacher will look at {}.",
    praise="Everything right. Well done!",
    corrected="All corrected. Well done!",
)


class SlipItem(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One thing that is wrong. `wrote` is "" when nothing was written; `answer` and `why` are "" when not known."""

    label: str
    prompt: str
    wrote: str
    answer: str
    why: str


class Slip(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One pupil's slip. `review` names what nobody has judged yet: it is not called wrong."""

    class_name: str
    seat: int
    name: str
    title: str
    items: tuple[SlipItem, ...]
    review: tuple[str, ...] = ()
    knowledge: tuple[str, ...] = ()
    corrected: bool = False
    """Something was wrong, and is right by now."""


def make_slips(
    slips: Sequence[Slip],
    *,
    correct_by: str = "",
    words: SlipWords = CHINESE_SLIPS,
    fonts: Sequence[Path] | None = None,
) -> bytes:
    """The PDF, slips in the order given, from left to right and down. Nothing on it is smaller than 9 pt.

    `correct_by` is the day by which corrections are to come, as it is printed. Raises `ClassboxError` without a
    Chinese typeface.
    """
    book, families = find_fonts(fonts)
    data = {
        "words": msgspec.to_builtins(words),
        "fonts": list(families),
        "slips": [{**msgspec.to_builtins(slip), "next": _next(slip, correct_by, words)} for slip in slips],
    }
    return typeset(data, book, template="slips.typ")


def _next(slip: Slip, correct_by: str, words: SlipWords) -> list[str]:
    lines = []
    if slip.items:
        lines.append(words.correct_by.replace("{}", correct_by) if correct_by else words.correct)
        if slip.knowledge:
            lines.append(words.practise.replace("{}", "、".join(slip.knowledge)))
    elif not slip.review:
        lines.append(words.corrected if slip.corrected else words.praise)
    if slip.review:
        lines.append(words.review.replace("{}", "、".join(slip.review)))
    return lines
