"""Two facing pages of a bound workbook in one picture: a capture of each, in which the other one is covered."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from edge.frames import Capture
from edge.pipeline import Books, GradedPage
from edge.registration.markers import Pyramid
from edge.registration.print_page import page_quad, print_pages
from edge.registration.unmarked import FACING

_COVER = 128
"""The grey that covers the other page."""


def facing_pages(page: GradedPage, books: Books) -> list[Capture]:
    """The pages of a picture that was refused for showing two, from left to right; none for any other picture.

    They are as large as the picture, so that places in them are places in it.
    """
    capture = page.registered.capture
    if not page.problems or page.problems[-1].code != FACING:
        return []
    learned = [sheet for sheet in books.unmarked() if sheet.layout.register == "print"]
    found = [one for one in print_pages(capture, learned, Pyramid(capture.image)) if not one.refused]
    quads = sorted((page_quad(one) for one in found), key=lambda quad: float(quad[:, 0].mean()))
    parts = []
    for quad in quads:
        image = capture.image.copy()
        for other in quads:
            if other is not quad:
                cv2.fillConvexPoly(image, np.round(other).astype(np.int32), (_COVER,) * 3)
        parts.append(replace(capture, image=image, original=None))
    return parts
