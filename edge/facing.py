"""Two facing pages of a bound workbook in one picture: a capture of each, in which the other one is covered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import msgspec
import numpy as np

from edge.frames import Capture
from edge.pipeline import Books, GradedPage, slid_by_order
from edge.reading.who import WHO_UNKNOWN
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


def of_one_pupil(parts: Sequence[tuple[Capture, GradedPage]]) -> list[tuple[Capture, GradedPage]]:
    """The facing pages of one book: where a sticker on one of them names a pupil, the others are that pupil's too."""
    owners = [page.record.who for _, page in parts if page.record is not None and page.record.who.pupil is not None]
    if len({who.pupil for who in owners}) != 1:
        return list(parts)
    named = []
    for capture, page in parts:
        record = page.record
        free = record is not None and not any(problem.code == WHO_UNKNOWN for problem in record.problems)
        if record is not None and free and record.who.pupil is None and slid_by_order(page.registered):
            named.append((capture, replace(page, record=msgspec.structs.replace(record, who=owners[0]))))
        else:
            named.append((capture, page))
    return named
