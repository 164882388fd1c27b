"""Pictures of captures as files, named by their digest. Written beside, fsynced and renamed: whole or not there."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from pathlib import Path

import cv2
import numpy as np

from edge.frames import Capture, Image
from sync.whole_files import write_whole

JPEG_QUALITY = 88
"""For frames without a file of their own. JPEG: 12 MP cost 30 ms of CPU, WebP 700 ms (one x86-64 core)."""

_JPEG_MAGIC = b"\xff\xd8\xff"


def encoded(capture: Capture) -> bytes:
    """The bytes to keep of a capture: the original JPEG where there is one, else a JPEG of the image."""
    original = capture.original
    if original is not None and original.startswith(_JPEG_MAGIC) and capture.page_of_source == 1:
        return original
    return bytes(cv2.imencode(".jpg", capture.image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1])


def digest_of(picture: bytes) -> str:
    """The name of a picture, here and on the wire: BLAKE2b-128 (RFC 7693) in hexadecimal."""
    return hashlib.blake2b(picture, digest_size=16).hexdigest()


class Pictures:
    """A folder of pictures, two letters of the digest a subfolder."""

    def __init__(self, folder: Path, *, reserve_bytes: int = 0) -> None:
        """`reserve_bytes` of the disk are left free: on a disk that pictures filled, no result could be kept either."""
        self._folder = folder
        self._reserve_bytes = reserve_bytes

    def keep(self, digest: str, picture: bytes) -> None:
        """Have the picture on the disk, durably. Raises `OSError` when the disk does not take it."""
        path = self._path(digest)
        if path.exists():
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        if self._reserve_bytes and self.free_bytes() - len(picture) < self._reserve_bytes:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write_whole(path, picture, beside=path.with_name(f".{secrets.token_hex(8)}"))

    def read(self, digest: str) -> bytes | None:
        """The picture's bytes; None when it is gone or is no longer what its name says."""
        try:
            picture = self._path(digest).read_bytes()
        except OSError:
            return None
        return picture if digest_of(picture) == digest else None

    def image(self, digest: str) -> Image | None:
        """The picture as BGR, turned as its EXIF says (that is how it was graded); None when it is gone."""
        picture = self.read(digest)
        if picture is None:
            return None
        found = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR)
        return None if found is None else np.asarray(found, np.uint8)

    def free_bytes(self) -> int:
        """How much room the disk of the pictures has."""
        found = next((folder for folder in (self._folder, *self._folder.parents) if folder.exists()), self._folder)
        return shutil.disk_usage(found).free

    def size_bytes(self, digest: str) -> int:
        """How much room a picture takes; 0 when it is gone."""
        try:
            return self._path(digest).stat().st_size
        except OSError:
            return 0

    def remove(self, digests: Iterable[str]) -> None:
        """Remove pictures. One that is gone already is no error."""
        for digest in digests:
            self._path(digest).unlink(missing_ok=True)

    def paths(self) -> Iterable[Path]:
        """Every picture's file, by name."""
        return sorted(path for path in self._folder.glob("??/*.jpg") if not path.name.startswith("."))

    def clean(self, known: AbstractSet[str]) -> int:
        """Remove what no capture knows: pictures whose transaction never came, and halves. Returns how many."""
        removed = 0
        for path in self._folder.glob("??/*"):
            if path.stem not in known:
                path.unlink(missing_ok=True)
                removed += 1
        return removed

    def _path(self, digest: str) -> Path:
        return self._folder / digest[:2] / f"{digest}.jpg"
