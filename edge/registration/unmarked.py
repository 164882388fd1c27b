"""Pages without our markers: learned pages, found by their own print, and imported cards.

A picture with no code of ours is held against every such sheet that the box knows. One of them must be proven, and
only one, or the picture is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from edge.frames import Capture, RegisteredPage
from edge.registration.card import register_card
from edge.registration.markers import Pyramid
from edge.registration.print_page import print_pages
from edge.registration.problems import refusal
from edge.registration.unmarked_sheet import UnmarkedSheet

__all__ = ["FACING", "UnmarkedSheet", "register_unmarked"]
FACING = "facing-pages"
"""Two learned pages lie side by side, each proven: the picture has to be graded page by page (`edge/facing.py`)."""


def register_unmarked(capture: Capture, sheets: Sequence[UnmarkedSheet], pyramid: Pyramid) -> RegisteredPage:
    """The one page of the known sheets that the picture is proven to show; else a refusal.

    `not-a-sheet` when none of them fits, `two-pages-fit` when more than one does, `facing-pages` when two learned
    ones lie side by side.
    """
    nothing = RegisteredPage(capture, None, None, None, None, 0.0, 0.0)
    learned = [sheet for sheet in sheets if sheet.layout.register == "print"]
    found = print_pages(capture, learned, pyramid) if learned else []
    cards = [sheet for sheet in sheets if sheet.layout.register in ("page-edge", "marker-image")]
    found += [page for sheet in cards if (page := register_card(capture, sheet, pyramid)) is not None]
    proven = [page for page in found if not page.refused]
    if len(proven) == 1:
        return proven[0]
    if proven:
        code = "two-pages-fit" if any(page.layout in [card.layout for card in cards] for page in proven) else FACING
        return replace(nothing, problems=(refusal(code),), refused=True)
    return found[0] if found else replace(nothing, problems=(refusal("not-a-sheet"),), refused=True)
