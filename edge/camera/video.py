"""Films, through OpenCV."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from edge.camera.camera import CameraError
from edge.frames import Frame, Image

PREVIEW_WIDTH = 640


class VideoFile:
    """A `Camera` that is a film: frames come as fast as they are asked for, their times are the film's."""

    def __init__(self, path: Path) -> None:
        self.name = path.name
        self._film = cv2.VideoCapture(str(path))
        if not self._film.isOpened():
            raise CameraError(
                "{name} is not a film that can be read.", remedy="Give an AVI or MP4 file.", name=path.name
            )
        self._frame_ms = 1000.0 / (self._film.get(cv2.CAP_PROP_FPS) or 25.0)
        self._count = 0
        self._current: Image | None = None

    def preview(self) -> Frame | None:
        if not self._advance():
            return None
        assert self._current is not None
        return Frame(small_grey(self._current), self._at_ms())

    def capture(self) -> Frame:
        """The frame that `preview` showed last."""
        if self._current is None:
            raise CameraError("The film has not begun.", remedy="Watch it before taking a picture.")
        return Frame(self._current, self._at_ms())

    def close(self) -> None:
        self._film.release()

    def _advance(self) -> bool:
        fine, image = self._film.read()
        if not fine:
            return False
        self._current = np.asarray(image, np.uint8)
        self._count += 1
        return True

    def _at_ms(self) -> int:
        return round((self._count - 1) * self._frame_ms)


def small_grey(image: Image) -> Image:
    """A grey copy at most 640 pixels wide."""
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) if image.ndim == 3 else image
    if grey.shape[1] > PREVIEW_WIDTH:
        height = round(grey.shape[0] * PREVIEW_WIDTH / grey.shape[1])
        grey = cv2.resize(grey, (PREVIEW_WIDTH, height), interpolation=cv2.INTER_AREA)
    return np.asarray(grey, np.uint8)
