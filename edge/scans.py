"""PDF scans, page by page. Places on them are told in pixels at 200 dpi, however fine the scan is."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import pypdfium2
import pypdfium2.raw as pdfium

from edge.decoding import MOST_PIXELS
from edge.frames import Capture
from homework.errors import BadFileError

PDF_DPI: Final = 200
FINEST_DPI: Final = 300
"""A scan that is finer than 200 dpi is taken as it is up to here: a field is cut out at 8 px/mm, about 200 dpi."""

_POINTS_AN_INCH: Final = 72
_HARDLY: Final = 1.01  # a scan that is finer by less than this is one at 200 dpi whose page was rounded
_MOST_OBJECTS: Final = 2000
"""So many pictures on a page are looked at; nothing that was scanned has more than a few hundred strips."""


class Scan:
    """An open PDF: a page is rendered when it is asked for, so that 10,000 cost no more memory than one."""

    def __init__(self, path: Path, *, name: str) -> None:
        """Raises `BadFileError` when it is damaged or locked."""
        self._name = name
        try:
            self._document = pypdfium2.PdfDocument(_source(path))
        except (pypdfium2.PdfiumError, OSError) as error:
            if getattr(error, "err_code", None) == pdfium.FPDF_ERR_PASSWORD or "password" in str(error).lower():
                raise BadFileError(
                    "{name} is locked with a password.", remedy="Save or scan it without a password.", name=name
                ) from error
            raise BadFileError(
                "{name} is not a PDF that can be opened.", remedy="Save it or scan it again.", name=name
            ) from error
        self.pages = len(self._document)
        if self.pages == 0:
            self._document.close()
            raise BadFileError("{name} has no pages.", remedy="Save it or scan it again.", name=name)

    def capture(self, number: int, *, source: str) -> Capture:
        """A page, counted from 1. Raises `BadFileError` when it is damaged or too large; others may be fine."""
        try:
            page = self._document[number - 1]
        except (pypdfium2.PdfiumError, IndexError) as error:
            raise self._damaged(number) from error
        try:
            dpi = self._dpi(page, number)
            # The size is rounded up: a hair less, so that 320.00001 pixels are 320, each one of the scanner's.
            bitmap = page.render(scale=dpi / _POINTS_AN_INCH * (1 - 1e-5))
            pixels = bitmap.to_numpy()
            image = cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR) if pixels.ndim == 2 else pixels[..., :3].copy()
            bitmap.close()
        except (pypdfium2.PdfiumError, MemoryError, ValueError) as error:
            raise self._damaged(number) from error
        finally:
            page.close()
        return Capture(np.asarray(image, np.uint8), source, number, told_scale=PDF_DPI / dpi)

    def close(self) -> None:
        self._document.close()

    def _dpi(self, page: Any, number: int) -> float:
        """The resolution to render at: 200 dpi, or that of the scan where it is finer."""
        width, height = page.get_size()
        inches = width * height / _POINTS_AN_INCH**2
        if not (math.isfinite(inches) and min(width, height) >= 1) or inches * PDF_DPI**2 > MOST_PIXELS:
            self._too_large(number)
        finest = float(PDF_DPI)
        for picture in itertools.islice(page.get_objects(filter=[pdfium.FPDF_PAGEOBJ_IMAGE]), _MOST_OBJECTS):
            across, down = picture.get_px_size()
            if across * down > MOST_PIXELS:
                self._too_large(number)
            left, bottom, right, top = picture.get_bounds()
            covers = (right - left) * (top - bottom)
            if covers > width * height / 2:
                finest = max(finest, math.sqrt(across * down / covers) * _POINTS_AN_INCH)
        most = math.sqrt(MOST_PIXELS / inches)
        dpi = min(finest, FINEST_DPI, most)
        return dpi if dpi > PDF_DPI * _HARDLY else float(PDF_DPI)

    def _too_large(self, number: int) -> None:
        raise BadFileError(
            "Page {page} of {name} is too large: more than {most} million pixels.",
            remedy="Scan it again at 300 dpi, on a page as large as the sheet.",
            page=number,
            name=self._name,
            most=MOST_PIXELS // 1_000_000,
        )

    def _damaged(self, number: int) -> BadFileError:
        return BadFileError(
            "Page {page} of {name} is damaged.", remedy="Scan that page again.", page=number, name=self._name
        )


def _source(path: Path) -> Path | bytes:
    """The path, read piece by piece; the bytes where pdfium, which takes names in UTF-8 alone, cannot have it."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return path.read_bytes()
    return path.absolute()
