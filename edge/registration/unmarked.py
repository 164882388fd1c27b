"""Pages without our markers: learned pages, found by their own print, and imported cards.

A picture with no code of ours is held against every such sheet that the box knows. One of them must be proven, and
only one, or the picture is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from edge.frames import Capture, Image, RegisteredPage
from edge.registration.markers import Pyramid
from edge.registration.problems import refusal
from homework.layout import SheetLayout


@dataclass(frozen=True, eq=False)
class UnmarkedSheet:
    """A sheet that is found without our markers, with the grey pictures that its layout names.

    Of `register = "print"` they are the empty pages, in the order of `layout.pages`, each filling `page_mm`; of
    `marker-image` the picture of the card's marker; of `page-edge` there are none. Two are the same only when they
    are one object, so that what is worked out of a sheet can be kept beside it.
    """

    layout: SheetLayout
    references: tuple[Image, ...] = ()


def register_unmarked(capture: Capture, sheets: Sequence[UnmarkedSheet], pyramid: Pyramid) -> RegisteredPage:
    """The one page of the known sheets that the picture is proven to show; else a refusal without a layout.

    `not-a-sheet` when none of them fits, `two-pages-fit` when more than one does.
    """
    nothing = RegisteredPage(capture, None, None, None, None, 0.0, 0.0)
    found = [_not_yet(capture) for _ in sheets] if pyramid.image.size else []
    proven = [page for page in found if not page.refused]
    if len(proven) == 1:
        return proven[0]
    if proven:
        return replace(nothing, problems=(refusal("two-pages-fit"),), refused=True)
    return found[0] if found else replace(nothing, problems=(refusal("not-a-sheet"),), refused=True)


def _not_yet(capture: Capture) -> RegisteredPage:
    """The refusal of a way of registering that this program does not have."""
    problems = (refusal("no-markers-on-sheet"),)
    return RegisteredPage(capture, None, None, None, None, 0.0, 0.0, problems, refused=True)
