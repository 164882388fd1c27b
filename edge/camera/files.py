"""Pictures and scans as captures: JPEG, PNG, WebP, TIFF and every page of a PDF."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pypdfium2

from edge.frames import Capture
from homework.errors import BadFileError

PICTURES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp"})
PDF_DPI = 200
"""What positions in PDF scans refer to (`quad_px`)."""


def is_page_file(path: Path) -> bool:
    """Whether a file of that name may hold pages."""
    return path.suffix.lower() in PICTURES | {".pdf"} and not path.name.startswith(".")


def captures_in(path: Path) -> Iterator[Capture]:
    """Every page of one file, turned as its EXIF tag says. `source` is the file's name.

    Raises `BadFileError` for a file that is missing, empty, or no picture.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadFileError(f"{path.name} cannot be read: {error.strerror}.", remedy="Check the path.") from error
    if path.suffix.lower() == ".pdf" or data.startswith(b"%PDF-"):
        yield from _pages_of_pdf(path, data)
        return
    image = None
    if data:
        try:
            image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        except cv2.error:
            image = None
    if image is None:
        raise BadFileError(f"{path.name} is not a picture that can be read.", remedy="Take or scan it again.")
    yield Capture(image=np.asarray(image, np.uint8), source=path.name, original=data)


def _pages_of_pdf(path: Path, data: bytes) -> Iterator[Capture]:
    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        raise BadFileError(f"{path.name} is not a PDF that can be read.", remedy="Scan it again.") from error
    try:
        for number in range(1, len(document) + 1):
            page = document[number - 1]
            bitmap = page.render(scale=PDF_DPI / 72)
            image = np.ascontiguousarray(bitmap.to_numpy()[..., :3])
            bitmap.close()
            page.close()
            yield Capture(image=image, source=path.name, page_of_source=number, original=data)
    finally:
        document.close()
