"""A sheet that is found without our markers, with the pictures that its layout names."""

from __future__ import annotations

from dataclasses import dataclass

from edge.frames import Image
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
