"""Files that a person names, as captures: pictures turned as their EXIF says, scans, videos, folders."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import imagesize
import numpy as np
import pypdfium2

from edge.camera.camera import CameraError
from edge.camera.video import VideoFile
from edge.camera.watching import WatchedCamera
from edge.frames import Capture, Image
from homework.errors import BadFileError

PICTURES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".heic", ".heif", ".avif"})
VIDEOS = frozenset({".avi", ".mp4", ".mov", ".mkv", ".m4v"})
PDF_DPI = 200
MOST_PIXELS = 120_000_000
"""More than any phone takes; a picture of that size is 360 MB in memory."""

PRINTED_BY_US = frozenset({"worksheets.pdf", "answers.pdf"})
"""What `classbox print` leaves in a folder beside `layout.json`: blank sheets and the key, nobody's homework."""


def files_of(path: Path) -> Iterator[Path]:
    """The file itself, or every picture, scan and video under a folder, in order of their names."""
    if not path.is_dir():
        yield path
        return
    for found in sorted(path.rglob("*")):
        known = found.suffix.lower() in PICTURES | VIDEOS | {".pdf"}
        ours = found.name in PRINTED_BY_US and (found.parent / "layout.json").exists()
        if known and not ours and not found.name.startswith(".") and found.is_file():
            yield found


def captures_in(path: Path) -> Iterator[Capture]:
    """Every page in a file, numbered from 1. Raises `BadFileError` when it is none that can be opened."""
    try:
        data = path.read_bytes() if path.suffix.lower() not in VIDEOS else b""
    except OSError as error:
        raise BadFileError(
            "{name} cannot be read: {reason}.",
            remedy="Check the name of the file.",
            name=path,
            reason=error.strerror or error,
        ) from error
    if path.suffix.lower() in VIDEOS:
        yield from _video(path)
    elif data.startswith(b"%PDF"):
        yield from _scan(path, data)
    else:
        for number, image in enumerate(decode(data, name=path.name), start=1):
            yield Capture(image, str(path), number, data)


def decode(data: bytes, *, name: str) -> list[Image]:
    """The BGR pictures in the bytes of a file (a TIFF may hold several), upright. Raises `BadFileError`."""
    if not data:
        raise BadFileError("{name} is empty.", remedy="Copy the picture again, or take it again.", name=name)
    width, height = _size(data)
    if width * height > MOST_PIXELS:
        raise BadFileError(
            "{name} is too large: {width} × {height} pixels.",
            remedy="Take it again with at most 100 megapixels, or scan at 300 dpi.",
            name=name,
            width=width,
            height=height,
        )
    bits = np.frombuffer(data, np.uint8)
    try:
        if data[:4] in {b"II*\x00", b"MM\x00*"}:
            done, found = cv2.imdecodemulti(bits, cv2.IMREAD_COLOR)
            pictures = list(found) if done else []
        else:
            one = cv2.imdecode(bits, cv2.IMREAD_COLOR)
            pictures = [] if one is None else [one]
    except cv2.error:
        pictures = []
    if not pictures:
        raise BadFileError(
            "{name} is not a picture that can be opened.",
            remedy="Save it as JPEG or PNG, or take it again.",
            name=name,
        )
    return [np.asarray(picture, np.uint8) for picture in pictures]


def _size(data: bytes) -> tuple[int, int]:
    """Width and height as the header has them, (0, 0) when it does not tell."""
    try:
        width, height = imagesize.get(io.BytesIO(data))
    except (ValueError, OSError, IndexError, KeyError, TypeError):  # a damaged header; decoding will tell
        return 0, 0
    return max(int(width), 0), max(int(height), 0)


def _scan(path: Path, data: bytes) -> Iterator[Capture]:
    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        raise BadFileError(
            "{name} is not a PDF that can be opened.", remedy="Scan it again, without a password.", name=path.name
        ) from error
    try:
        for number in range(1, len(document) + 1):
            page = document[number - 1]
            scale = PDF_DPI / 72
            width, height = page.get_size()
            scale = min(scale, (MOST_PIXELS / max(width * height, 1.0)) ** 0.5)
            bitmap = page.render(scale=scale)
            pixels = bitmap.to_numpy()
            image = cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR) if pixels.ndim == 2 else pixels[..., :3].copy()
            bitmap.close()
            page.close()
            yield Capture(np.asarray(image, np.uint8), str(path), number)
    except pypdfium2.PdfiumError as error:
        raise BadFileError(
            "{name} breaks off in the middle.", remedy="Scan the missing pages again.", name=path.name
        ) from error
    finally:
        document.close()


def _video(path: Path) -> Iterator[Capture]:
    """The full frame of every sheet that comes to rest."""
    if not path.is_file():
        raise BadFileError(
            "{name} cannot be read: {reason}.", remedy="Check the name of the file.", name=path, reason="no such file"
        )
    try:
        source = WatchedCamera(VideoFile(path), alarm_ms=None)
    except CameraError as error:
        raise BadFileError(
            "{name} is not a video that can be opened.", remedy="Save it as MP4 or AVI.", name=path.name
        ) from error
    number = 0
    try:
        for number, capture in enumerate(source.captures(), start=1):
            yield replace(capture, source=str(path), page_of_source=number)
    finally:
        source.close()
    if number == 0:
        raise BadFileError(
            "No sheet comes to rest in {name}.", remedy="Let each sheet lie still for half a second.", name=path.name
        )
