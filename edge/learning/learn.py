"""Pictures of empty pages → a layout and its reference picture. Pure: bytes in, bytes out."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from edge.frames import Image
from edge.learning.flatten import FlatPage, flat_page
from edge.learning.propose import propose_fields, room_around
from homework.assignment import Paper
from homework.errors import BadFileError
from homework.layout import Field, Page, PupilField, SheetLayout

MOST_PAGES = 40


@dataclass(frozen=True, eq=False)
class Learned:
    """Flattened pages of one paper, in their order, before they have fields."""

    pages: tuple[FlatPage, ...]

    @property
    def picture(self) -> bytes:
        """The file of the reference: a PNG of one page, a TIFF of several."""
        images = [page.image for page in self.pages]
        if len(images) == 1:
            return bytes(cv2.imencode(".png", images[0])[1])
        done, data = cv2.imencodemulti(".tif", images)
        assert done
        return bytes(np.asarray(data, np.uint8))

    @property
    def suffix(self) -> str:
        """What the reference's file is called at its end."""
        return ".png" if len(self.pages) == 1 else ".tif"


def learn_pages(pictures: Sequence[Image], *, paper: Paper | None = None) -> Learned:
    """Flatten the pages of one sheet. Raises `BadFileError` when there are none, too many, or of two sizes."""
    if not 1 <= len(pictures) <= MOST_PAGES:
        raise BadFileError(
            "{count} pages cannot be one sheet.", remedy="Name the pictures of one empty sheet.", count=len(pictures)
        )
    pages = [flat_page(pictures[0], paper=paper)]
    for picture in pictures[1:]:
        page = flat_page(picture, paper=paper)
        if page.page_mm != pages[0].page_mm:
            raise BadFileError(
                "The pages have different sizes.", remedy="Learn pages of different sizes one by one, or give --paper."
            )
        pages.append(page)
    return Learned(tuple(pages))


def layout_of(
    learned: Learned, given: Mapping[int, tuple[Field, ...]] | None, *, reference: str, assignment: str | None = None
) -> SheetLayout:
    """The layout of learned pages: with the fields that a person gave, else with those proposed.

    Items are numbered on from page to page. The sheet's id is a digest of the pages' pictures.
    """
    pages = []
    count = 0
    for number, flat in enumerate(learned.pages, start=1):
        if given is not None:
            fields = given.get(number, ())
            fields = room_around(fields, flat.image, flat.px_per_mm)
        else:
            fields = propose_fields(flat.image, flat.px_per_mm, first=count + 1)
            count += len(fields)
        pages.append(Page(page=number, markers=(), pupil=PupilField("order"), fields=fields))
    digest = hashlib.blake2b(b"".join(page.image.tobytes() for page in learned.pages), digest_size=5).hexdigest()
    return SheetLayout(
        sheet="L" + digest.upper(),
        assignment=assignment,
        page_mm=learned.pages[0].page_mm,
        pages=tuple(pages),
        register="print",
        reference=reference,
    )
