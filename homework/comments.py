"""诊断式评语: a comment on a pupil's work that a teacher can take, change or leave, proposed by rules. Pure.

It speaks of this pupil alone: what goes well first, then one or two things to do next, in words that a child can read.
Nobody is compared with anybody, no number of points stands in it, and no name.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from homework.wording import Translate, counted

MOST_POINTS = 2
"""More knowledge points than this in one comment are a list, and nobody works through a list."""


class Trend(StrEnum):
    """进步, 平稳, 退步: beside the same pupil's own work before."""

    UP = "up"
    STEADY = "steady"
    DOWN = "down"


class CommentFacts(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What a comment is made of. `strong` and `weak` are knowledge points, the clearest first.

    `expected` counts the homework that this pupil was to hand in, `handed_in` what came, `late` of it after its time.
    `again_owes` and `again_done` count sheets whose mistakes are still to be put right, and those that are (订正).
    `trend` is None where there is too little to say.
    """

    expected: int
    handed_in: int
    late: int = 0
    strong: tuple[str, ...] = ()
    weak: tuple[str, ...] = ()
    trend: Trend | None = None
    again_owes: int = 0
    again_done: int = 0


def proposed(facts: CommentFacts, _: Translate) -> str:
    """The comment in the language of `_`; "" where nothing has been handed in that could be spoken of."""
    if not facts.handed_in:
        return ""
    text = ""
    for sentence in (*_praise(facts, _), *_next_steps(facts, _)):
        text = sentence if not text else _("{before} {sentence}").format(before=text, sentence=sentence)
    return text


def _praise(facts: CommentFacts, _: Translate) -> list[str]:
    said = []
    if facts.strong:
        said.append(_("You know “{points}” well.").format(points=_points(facts.strong, _)))
    if facts.trend is Trend.UP:
        said.append(_("Your latest work is better than before: well done."))
    if facts.handed_in >= facts.expected and not facts.late:
        said.append(_("All homework came in time: a good habit."))
    if facts.again_done and not facts.again_owes:
        said.append(_("You put your mistakes right with care."))
    return said or [_("Thank you for handing in your work.")]


def _next_steps(facts: CommentFacts, _: Translate) -> list[str]:
    said = []
    if facts.trend is Trend.DOWN:
        said.append(_("There were more slips lately than before: let us look together where they come from."))
    if facts.weak:
        points = _points(facts.weak, _)
        said.append(_("Next, practise “{points}”: a few minutes a day are enough.").format(points=points))
    if facts.again_owes:
        said.append(
            counted(
                _,
                facts.again_owes,
                "One sheet is still waiting to be put right.",
                "{n} sheets are still waiting to be put right.",
            )
        )
    missing = facts.expected - facts.handed_in
    if missing > 0:
        said.append(
            counted(
                _,
                missing,
                "One piece of homework is missing: please bring it.",
                "{n} pieces of homework are missing: please bring them.",
            )
        )
    elif facts.late:
        said.append(_("Try to hand in on the day."))
    return said or [_("Keep going like this.")]


def _points(names: tuple[str, ...], _: Translate) -> str:
    return _("”, “").join(names[:MOST_POINTS])
