"""The pictures that a layout names: a learned page while it was empty, the marker of an imported card."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edge.frames import Image
from edge.picture_files import decode
from edge.registration.markers import grey_of
from edge.registration.unmarked_sheet import UnmarkedSheet
from homework.errors import BadFileError
from homework.layout import SheetLayout
from homework.print_run import reference_of

MOST_ASPECT_ERROR = 0.02
"""A picture fills the page that it shows: their sides stand in the same ratio, but for rounding."""


def reference_path(layout: SheetLayout, folder: Path) -> Path | None:
    """Where the picture of a layout lies; None when it needs none. Raises `BadFileError` when its name is no name."""
    name = reference_of(layout)
    return None if name is None else folder / name


def unmarked_sheet(layout: SheetLayout, picture: bytes | None) -> UnmarkedSheet:
    """A sheet with its pictures, from the bytes of the file that holds them (a TIFF may hold several).

    Raises `BadFileError` when they are missing, cannot be opened, or are not those of the layout's pages.
    """
    if layout.register not in ("print", "marker-image"):
        return UnmarkedSheet(layout)
    remedy = "Learn the page again with `classbox learn`."
    if picture is None:
        raise BadFileError("The picture of the empty page is missing.", remedy=remedy)
    images = tuple(grey_of(image) for image in decode(picture, name=layout.reference or "reference"))
    if layout.register == "print":
        if len(images) != len(layout.pages):
            raise BadFileError("The layout and its picture have different numbers of pages.", remedy=remedy)
        if any(not _fills(image, layout.page_mm) for image in images):
            raise BadFileError("The layout and its picture have different shapes.", remedy=remedy)
    return UnmarkedSheet(layout, images)


def read_unmarked_sheet(layout: SheetLayout, folder: Path) -> UnmarkedSheet:
    """The sheet of a layout whose picture lies in `folder`. Raises `BadFileError`."""
    path = reference_path(layout, folder)
    return unmarked_sheet(layout, read_reference(path) if path is not None else None)


def read_reference(path: Path) -> bytes:
    """The bytes of a layout's picture. Raises `BadFileError`."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadFileError(
            "{name} cannot be read: {reason}.",
            remedy="Keep the picture of the empty page beside its layout.",
            name=path,
            reason=error.strerror or error,
        ) from error


def _fills(image: Image, page_mm: tuple[float, float]) -> bool:
    height, width = image.shape
    return bool(abs(np.log((width / height) / (page_mm[0] / page_mm[1]))) <= MOST_ASPECT_ERROR)
