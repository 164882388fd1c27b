"""Files that a person names, as captures: pictures turned as their EXIF says, scans, videos, folders."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from edge.camera.camera import CameraError
from edge.camera.video import VideoFile
from edge.camera.watching import WatchedCamera
from edge.decoding import Pictures, decode
from edge.frames import Capture
from edge.scans import PDF_DPI, Scan
from homework.errors import BadFileError

__all__ = ["PDF_DPI", "PICTURES", "VIDEOS", "PageFile", "Stamp", "captures_in", "decode", "files_of", "sheets_in_film"]

PICTURES = frozenset(
    {".jpg", ".jpeg", ".png", ".apng", ".gif", ".webp", ".bmp", ".tif", ".tiff", ".heic", ".heif", ".avif"}
)
VIDEOS = frozenset({".avi", ".mp4", ".mov", ".mkv", ".m4v"})

PRINTED_BY_US = frozenset({"worksheets.pdf", "answers.pdf"})
"""What `classbox print` leaves in a folder beside `layout.json`: blank sheets and the key, nobody's homework."""

_PDF_HEAD_BYTES = 1024  # where a reader looks for %PDF (ISO 32000-1, annex H.3, note 13)


@dataclass(frozen=True)
class Stamp:
    """Which bytes a file had: another size, time of change or inode is another file under the same name."""

    size_bytes: int
    changed_at_ns: int
    inode: int

    @classmethod
    def of(cls, path: Path) -> Stamp:
        """Raises `BadFileError` when it cannot be reached, or is a folder, a device or a pipe."""
        try:
            found = path.stat()
        except OSError as error:
            if path.is_symlink() and isinstance(error, FileNotFoundError):
                raise BadFileError(
                    "{name} is a link to a file that is not there.",
                    remedy="Copy the file itself to where the link is.",
                    name=path,
                ) from error
            raise _cannot_read(path, error) from error
        if not stat.S_ISREG(found.st_mode):
            if stat.S_ISDIR(found.st_mode):
                raise BadFileError(
                    "The folder {name} cannot be looked into.", remedy="Ask its owner to let you read it.", name=path
                )
            raise BadFileError("{name} is no file.", remedy="Name pictures, PDF scans or videos.", name=path)
        return cls(found.st_size, found.st_mtime_ns, found.st_ino)


class PageFile:
    """An open picture, TIFF or PDF scan, whose pages are read one at a time."""

    def __init__(self, path: Path, stamp: Stamp | None = None) -> None:
        """Raises `BadFileError` when it cannot be opened, or is no longer what it was when `stamp` was taken."""
        self.path = path
        self._stamp = stamp or Stamp.of(path)
        self._check()
        try:
            self._file = path.open("rb")  # a TIFF is read from it as long as it is open
            try:
                self._opened = self._open()
                self._check()
            except BaseException:
                self._file.close()
                raise
        except OSError as error:
            raise _cannot_read(path, error) from error
        self.pages = self._opened.pages

    def _open(self) -> Scan | Pictures:
        head = self._file.read(_PDF_HEAD_BYTES)
        self._file.seek(0)
        if head.startswith(b"%PDF") or (self.path.suffix.lower() == ".pdf" and b"%PDF" in head):
            return Scan(self.path, name=self.path.name)
        return Pictures(self._file, name=self.path.name)

    def capture(self, number: int) -> Capture:
        """A page, counted from 1. Raises `BadFileError` when it is damaged, too large, or the file has changed."""
        source = shown_name(self.path)
        self._check()
        try:
            if isinstance(self._opened, Scan):
                return self._opened.capture(number, source=source)
            image = self._opened.image(number)
            return Capture(image, source, number, self._opened.plain_jpeg)
        finally:
            self._check()

    def close(self) -> None:
        if isinstance(self._opened, Scan):
            self._opened.close()
        self._file.close()

    def _check(self) -> None:
        if Stamp.of(self.path) != self._stamp:
            raise BadFileError(
                "{name} changed while it was read.",
                remedy="Wait until it has been copied or scanned, and try again.",
                name=self.path.name,
            )


def shown_name(path: Path) -> str:
    """The name of a file as text that can be printed: bytes that are not UTF-8 become "�"."""
    return os.fsencode(path).decode("utf-8", "replace")


def is_film(path: Path) -> bool:
    """Whether a file is a video, by its name."""
    return path.suffix.lower() in VIDEOS


def files_of(path: Path) -> Iterator[Path]:
    """The file itself, or every picture, scan and video under a folder, in order of their names.

    Links to files are followed, links to folders inside it are not: they may lead round in a circle. A folder that
    cannot be looked into comes itself, so that whoever opens it learns why; so does a link that leads nowhere.
    """
    if not path.is_dir():
        yield path
        return
    found: list[Path] = []
    unreadable: list[Path] = []
    for folder, _, names in os.walk(path, onerror=lambda error: unreadable.append(Path(error.filename))):
        ours = PRINTED_BY_US if (Path(folder) / "layout.json").exists() else frozenset()
        for name in names:
            file = Path(folder) / name
            known = file.suffix.lower() in PICTURES | VIDEOS | {".pdf"}
            if known and name not in ours and not name.startswith(".") and (file.is_file() or file.is_symlink()):
                found.append(file)
    yield from sorted(found + unreadable)


def captures_in(path: Path) -> Iterator[Capture]:
    """Every page in a file, numbered from 1.

    Raises `BadFileError` when it is none that can be opened; when some pages cannot be, after the others.
    """
    if is_film(path):
        yield from sheets_in_film(path)
        return
    file = PageFile(path)
    first: BadFileError | None = None
    try:
        for number in range(1, file.pages + 1):
            try:
                capture = file.capture(number)
            except BadFileError as error:
                first = first or error
            else:
                yield capture
    finally:
        file.close()
    if first is not None:
        raise first


def sheets_in_film(path: Path) -> Iterator[Capture]:
    """The full frame of every sheet that comes to rest in a video. Raises `BadFileError`."""
    Stamp.of(path)
    try:
        source = WatchedCamera(VideoFile(path), alarm_ms=None)
    except (CameraError, UnicodeError) as error:
        raise BadFileError(
            "{name} is not a video that can be opened.", remedy="Save it as MP4 or AVI.", name=path.name
        ) from error
    number = 0
    try:
        for number, capture in enumerate(source.captures(), start=1):
            yield replace(capture, source=shown_name(path), page_of_source=number)
    finally:
        source.close()
    if number == 0:
        raise BadFileError(
            "No sheet comes to rest in {name}.", remedy="Let each sheet lie still for half a second.", name=path.name
        )


def _cannot_read(path: Path, error: OSError) -> BadFileError:
    return BadFileError(
        "{name} cannot be read: {reason}.",
        remedy="Check the name of the file.",
        name=path,
        reason=error.strerror or error,
    )
