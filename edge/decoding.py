"""The bytes of a picture file as upright BGR pictures, whatever a phone, a scanner or a drawing program made of them.

Plain JPEG, which is what cameras give, is decoded by OpenCV, the quickest; all else by Pillow, which knows CMYK and
YCCK (with Adobe's inversion), 16 bits, transparency, palettes, frames and orientations. Sizes are known, and checked,
before a pixel is decoded.
"""

from __future__ import annotations

import io
import warnings
from typing import BinaryIO, Final, NoReturn

import cv2
import numpy as np
from PIL import Image as PillowImage
from PIL import ImageOps, UnidentifiedImageError, features

from edge.frames import Image
from homework.errors import BadFileError

MOST_PIXELS: Final = 120_000_000
"""More than nearly any phone takes; a picture of that size is 360 MB in memory."""

MOST_BYTES: Final = 500_000_000
"""No picture of 120 megapixels is larger. TIFF, whose pages are read one at a time, may be."""

_TIFF: Final = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
_ARCHIVES: Final = (b"PK\x03\x04", b"Rar!", b"7z\xbc\xaf", b"\x1f\x8b", b"\xfd7zXZ", b"BZh")
_HEIC: Final = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_SUBFILE_TYPE: Final = 254  # TIFF 6.0, section 8: bit 0 a smaller copy of another picture, bit 2 a mask
_NOT_A_PAGE: Final = 0b101


class Pictures:
    """The pictures of one file: one, or the pages of a TIFF, decoded one at a time. Of moving pictures the first."""

    def __init__(self, file: BinaryIO, *, name: str) -> None:
        """Read no more than the header, where the format allows. Raises `BadFileError`."""
        self._name = name
        head = file.read(16)
        file.seek(0, io.SEEK_END)
        size = file.tell()
        file.seek(0)
        if size == 0:
            raise BadFileError("{name} is empty.", remedy="Copy the picture again, or take it again.", name=name)
        _refuse_by_head(head, name)
        self._data = b""
        if not head.startswith(_TIFF):
            if size > MOST_BYTES:
                _too_large(name)
            self._data = file.read()
            file = io.BytesIO(self._data)
        self._picture = _opened(file, name)
        self._frames = [0] if self._data else self._pages_of_tiff()

    @property
    def pages(self) -> int:
        return len(self._frames)

    @property
    def plain_jpeg(self) -> bytes | None:
        """The bytes of the file, when any program sees in them what is seen here."""
        return self._data if self._is_plain_jpeg() else None

    def image(self, page: int) -> Image:
        """One page, counted from 1. Raises `BadFileError` when it is damaged or too large."""
        try:
            return self._decoded(page)
        except BadFileError:
            raise
        except PillowImage.DecompressionBombError:
            _too_large(self._name)
        except Exception as error:
            # What a decoder raises at bytes that somebody made up is anybody's guess.
            raise BadFileError(
                "{name} is damaged or incomplete.",
                remedy="Copy it again; if that does not help, take the picture again.",
                name=self._name if self.pages == 1 else f"{self._name}:{page}",
            ) from error

    def _decoded(self, page: int) -> Image:
        # One picture is opened anew, so that Pillow's pixels go when ours are there: they are 4 bytes each.
        picture = _opened(io.BytesIO(self._data), self._name) if self._data else self._picture
        picture.seek(self._frames[page - 1])
        if picture.width * picture.height > MOST_PIXELS:
            _too_large(self._name)
        if self._is_plain_jpeg():
            found = cv2.imdecode(np.frombuffer(self._data, np.uint8), cv2.IMREAD_COLOR)
            if found is None:
                raise OSError
            return np.asarray(found, np.uint8)
        ImageOps.exif_transpose(picture, in_place=True)
        return _bgr(picture)

    def _is_plain_jpeg(self) -> bool:
        return self._picture.format in ("JPEG", "MPO") and self._picture.mode in ("L", "RGB")

    def _pages_of_tiff(self) -> list[int]:
        frames = []
        try:
            for frame in range(getattr(self._picture, "n_frames", 1)):
                self._picture.seek(frame)
                tags = getattr(self._picture, "tag_v2", {})
                if not int(tags.get(_SUBFILE_TYPE, 0)) & _NOT_A_PAGE:
                    frames.append(frame)
        except Exception:  # noqa: BLE001 - the chain of its pages is broken: those before are pages all the same
            return frames or [0]
        return frames or [0]


def decode(data: bytes, *, name: str) -> list[Image]:
    """The BGR pictures in the bytes of a file (a TIFF may hold several), upright. Raises `BadFileError`."""
    pictures = Pictures(io.BytesIO(data), name=name)
    return [pictures.image(page) for page in range(1, pictures.pages + 1)]


def _refuse_by_head(head: bytes, name: str) -> None:
    """Say what it is, where that is no picture but may well be taken for one."""
    if head.startswith(_ARCHIVES):
        raise BadFileError("{name} is an archive.", remedy="Unpack it, and name the folder.", name=name)
    if head[4:8] != b"ftyp":
        return
    if head[8:12] in _HEIC:
        raise BadFileError(
            "{name} is a HEIC picture, which cannot be opened here.",
            remedy="Save it as JPEG; on an iPhone: Settings, Camera, Formats, Most Compatible.",
            name=name,
        )
    if head[8:12] in (b"avif", b"avis") and not features.check("avif"):
        raise BadFileError(
            "{name} is an AVIF picture, which cannot be opened here.", remedy="Save it as JPEG.", name=name
        )


def _opened(file: BinaryIO, name: str) -> PillowImage.Image:
    # Between Pillow's own warning and ours there is nothing that a person should be told.
    warnings.filterwarnings("ignore", category=PillowImage.DecompressionBombWarning)
    try:
        picture = PillowImage.open(file)
    except PillowImage.DecompressionBombError:
        _too_large(name)
    except UnidentifiedImageError as error:
        raise _not_a_picture(name) from error
    except Exception as error:  # a damaged header
        raise _not_a_picture(name) from error
    if picture.width * picture.height > MOST_PIXELS:
        _too_large(name)
    return picture


def _not_a_picture(name: str) -> BadFileError:
    return BadFileError(
        "{name} is not a picture that can be opened.", remedy="Save it as JPEG or PNG, or take it again.", name=name
    )


def _too_large(name: str) -> NoReturn:
    raise BadFileError(
        "{name} is too large: more than {most} million pixels.",
        remedy="Take it again with at most 100 megapixels, or scan at 300 dpi.",
        name=name,
        most=MOST_PIXELS // 1_000_000,
    )


def _bgr(picture: PillowImage.Image) -> Image:
    if picture.mode in ("I", "F") or picture.mode.startswith("I;16"):
        return np.asarray(cv2.cvtColor(_eight_bits(np.asarray(picture)), cv2.COLOR_GRAY2BGR), np.uint8)
    if picture.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in picture.info:
        # Where there is nothing there is paper.
        seen = picture.convert("RGBA")
        paper = PillowImage.new("RGBA", seen.size, "white")
        picture = PillowImage.alpha_composite(paper, seen)
    colours = picture if picture.mode == "RGB" else picture.convert("RGB")
    pixels = np.array(colours)
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR, dst=pixels), np.uint8)


def _eight_bits(grey: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> Image:
    """Grey of 16 or 32 bits or of real numbers as 0..255; what is more than 16 bits is measured by its largest."""
    values = np.nan_to_num(grey.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    most = float(values.max(initial=0.0))
    full = 65535.0 if np.issubdtype(grey.dtype, np.integer) and most <= 65535.0 else max(most, 1e-6)
    return np.asarray(np.clip(values * (255.0 / full), 0, 255), np.uint8)
