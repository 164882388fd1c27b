"""The printed page as a picture, with what was written on it."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
import pypdfium2
from numpy.typing import NDArray

from homework.errors import BadFileError
from models.simulation.ink import draw_strokes
from models.simulation.strokes import Stroke

DPI = 230
MM_PER_INCH = 25.4


class PrintedPages:
    """The pages of a PDF, rasterised one at a time; the page asked for last is kept.

    Raises `BadFileError` when the bytes are no PDF.
    """

    def __init__(self, pdf: bytes, *, dpi: int = DPI) -> None:
        try:
            self._document = pypdfium2.PdfDocument(pdf)
        except pypdfium2.PdfiumError as error:
            raise BadFileError(
                "The worksheets are not a PDF that can be read.", remedy="Print them again with `classbox print`."
            ) from error
        self.px_per_mm = dpi / MM_PER_INCH
        self._scale = dpi / 72
        self._last: tuple[int, NDArray[np.uint8]] | None = None

    def __len__(self) -> int:
        return len(self._document)

    def page(self, number: int) -> NDArray[np.uint8]:
        """Page `number` (from 1) as the printer left it: (height, width, 3) BGR, a copy to draw on."""
        if self._last is None or self._last[0] != number:
            page = self._document[number - 1]
            bitmap = page.render(scale=self._scale)
            self._last = (number, np.ascontiguousarray(bitmap.to_numpy()[..., :3]))
            bitmap.close()
            page.close()
        return self._last[1].copy()

    def close(self) -> None:
        """Let the document go."""
        self._document.close()


def written_page(blank: NDArray[np.uint8], strokes: Iterable[Stroke], px_per_mm: float) -> NDArray[np.uint8]:
    """`blank` (BGR) as paper looks: not quite white, toner not quite black, and `strokes` on it."""
    # Copier paper reflects about 90 % of what a camera calls white; toner about 10 %.
    table = np.linspace(26, 243, 256).astype(np.uint8)
    page = np.asarray(cv2.LUT(blank, table), np.uint8)
    draw_strokes(page, strokes, px_per_mm)
    return page
