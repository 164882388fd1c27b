"""Why a page was refused, in words that a teacher understands: what happened, and what to do."""

from __future__ import annotations

from homework.results import Problem

_SENTENCES = {
    "not-a-sheet": "There is no worksheet of ours in this picture: lay one under the lens, face up.",
    "half-sheet": "Only part of the sheet is in the picture: move it so that all four corners can be seen.",
    "corner-missing": "One corner of this sheet is covered; it was read by the other three.",
    "two-corners-missing": "Two corners of this sheet are covered or cut off; it was read by the rest of its print.",
    "mirrored": "This picture is mirrored: turn mirroring off in the camera and take it again.",
    "blurred": "The picture is blurred: hold still, or let the camera focus, and take it again.",
    "too-dark": "The picture is too dark: put more light on the desk and take it again.",
    "too-bright": "The picture is too pale: lower the light or the exposure and take it again.",
    "too-small": "The sheet is too small in the picture: move the camera closer.",
    "code-unreadable": "The small square code cannot be read: uncover it, or smooth the paper, and take it again.",
    "not-flat": "The sheet does not lie flat, or something covers it: smooth it and take it again.",
    "unknown-sheet": "This worksheet is not known here yet: load the folder that it was printed from.",
    "two-pages-fit": "Two of the learned pages fit this picture equally well: lay one page under the lens alone.",
    "facing-pages": "Two learned pages lie side by side in this picture.",
    "unknown-page": "This page looks like the learned ones and is none of them: learn it, or lay it flat, uncovered.",
    "turn-unclear": "This card looks the same in two places or upside down: let the edge of the paper be seen.",
    "no-markers-on-sheet": "This kind of sheet has no corner markers and cannot be found in a photo.",
}


def refusal(code: str) -> Problem:
    """The problem of that code."""
    return Problem(code, _SENTENCES[code])
