"""A camera and a trigger make a source of pages: watch, wait for rest, take the sharpest of a few frames."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.camera.camera import Camera, CameraError, Focusing
from edge.frames import Capture, Frame, Image
from edge.trigger import Event, Trigger

_MUCH_LESS = 0.8
"""Of the usual sharpness: a picture that falls below is taken again."""
_BLACK = 16
"""Grey below which a picture holds nothing: a cap on the lens, a dark room."""


class WatchedCamera:
    """A `CaptureSource`: each sheet that comes to rest under `camera`, once.

    A picture that is much less sharp than the last ones is taken again, `tries` times in all, and the sharpest of
    the same sheet is kept. A picture with a hand in view is kept back for `hand_ms`: if the hand goes in that time,
    the one without it is given. A picture that stays frozen or black for `alarm_ms` (None: never) raises
    `CameraError`. `on_event` hears of every event of the trigger, `on_alive` once of the first picture that is
    neither black nor the same as the one before it, `on_look` of every small picture; all from the thread that runs
    `captures`.
    """

    def __init__(
        self,
        camera: Camera,
        trigger: Trigger | None = None,
        *,
        tries: int = 3,
        hand_ms: int = 350,
        alarm_ms: int | None = 3000,
        on_event: Callable[[Event], None] | None = None,
        on_alive: Callable[[], None] | None = None,
        on_look: Callable[[Image | None], None] = lambda _image: None,
    ) -> None:
        self._camera = camera
        self._trigger = trigger or Trigger()
        self._tries = tries
        self._hand_ms = hand_ms
        self._alarm_ms = alarm_ms
        self._on_event = on_event
        self._on_alive = on_alive
        self._on_look = on_look
        self._usual: deque[float] = deque(maxlen=9)
        self._closed = threading.Event()
        self._last: Frame | None = None
        self._good_ms = 0
        self._held: tuple[Frame, int] | None = None
        """A picture with a hand in view, and until when a better one is waited for."""

    def captures(self) -> Iterator[Capture]:
        try:
            while not self._closed.is_set():
                frame = self._camera.preview()
                if frame is None:
                    break
                self._on_look(frame.image)
                self._check(frame)
                picture = self._picture_at(frame)
                if picture is not None and not self._closed.is_set():
                    yield Capture(image=picture.image, source=self._camera.name)
        except CameraError:
            # The camera has died over a sheet that it had seen: that one is not lost.
            if self._held is not None:
                yield Capture(image=self._held[0].image, source=self._camera.name)
            raise
        if self._held is not None and not self._closed.is_set():
            yield Capture(image=self._held[0].image, source=self._camera.name)

    def _picture_at(self, frame: Frame) -> Frame | None:
        """The picture of a sheet that is complete now, if one is."""
        event = self._trigger.see(frame)
        if event is not None and self._on_event is not None:
            self._on_event(event)
        held = self._held
        if event is Event.RESTED:
            picture = self._sharpest()
            if not self._trigger.hand:
                return picture
            self._held = (picture, frame.at_ms + self._hand_ms)
        elif held is not None and (event is not None or frame.at_ms >= held[1]):
            self._held = None
            if event is not Event.CLEARED:
                return held[0]
            del held  # 37 MB of a 12 megapixel camera, while the next picture is taken
            return self._sharpest()
        return None

    def close(self) -> None:
        self._closed.set()
        self._camera.close()

    def _sharpest(self) -> Frame:
        first = best = self._camera.capture()
        best_sharpness = sharpness(first.image)
        for again in range(1, self._tries):
            if not self._usual or best_sharpness >= _MUCH_LESS * float(np.median(self._usual)):
                break
            if again == self._tries - 1 and isinstance(self._camera, Focusing):
                # It does not get sharper by itself: something has moved the lens, or the desk.
                self._camera.refocus()
            other = self._camera.capture()
            if not _same_scene(first.image, other.image):
                break
            if (sharp := sharpness(other.image)) > best_sharpness:
                best, best_sharpness = other, sharp
        self._usual.append(best_sharpness)
        return best

    def _check(self, frame: Frame) -> None:
        if self._alarm_ms is None:
            self._tell_alive()
            return
        # A living sensor is never quite the same twice. Some hot pixels shine through any cap.
        frozen = self._last is not None and np.array_equal(self._last.image, frame.image)
        black = float(np.percentile(frame.image[::4, ::4], 99)) < _BLACK
        if self._last is None or not (frozen or black):
            self._good_ms = frame.at_ms
        if self._last is not None and not (frozen or black):
            self._tell_alive()
        self._last = frame
        if frame.at_ms - self._good_ms > self._alarm_ms:
            if black:
                raise CameraError(
                    "The camera sees only black.", remedy="Take the cap off the lens, or switch a light on."
                )
            raise CameraError("The camera's picture stands still.", remedy="Unplug the camera and plug it in again.")

    def _tell_alive(self) -> None:
        if self._on_alive is not None:
            self._on_alive()
            self._on_alive = None


def sharpness(image: Image) -> float:
    """How sharp a picture is where it holds most: second differences at full size over those at half size.

    The ratio hardly depends on how much is printed, as either energy alone does. Across and down are taken apart
    and the lesser counts, because a sheet that moves blurs in one direction only. Comparable between pictures of
    the same camera; 0 when nothing is printed there. After Pech-Pacheco et al., 2000 (variance of the Laplacian).
    """
    grey = image[..., 1] if image.ndim == 3 else image
    thumb = cv2.resize(grey, None, fx=1 / 8, fy=1 / 8, interpolation=cv2.INTER_NEAREST)
    rows, columns = thumb.shape[0] // 32, thumb.shape[1] // 32
    if rows == 0 or columns == 0:
        return 0.0
    tiles = thumb[: rows * 32, : columns * 32].reshape(rows, 32, columns, 32)
    order = [divmod(int(k), columns) for k in np.argsort(tiles.std(axis=(1, 3)).ravel())]
    # What the quietest places hold is the sensor's noise; without taking it off, an empty desk would look sharp.
    noise, print_ = _energy(grey, order[:4]), _energy(grey, order[-6:])
    fine, coarse = print_ - noise
    return float((np.maximum(fine, 0) / coarse).min()) if coarse.min() > 3 * noise[1].max() + 1 else 0.0


def _energy(grey: Image, places: Sequence[tuple[int, int]]) -> NDArray[np.float64]:
    """(2, 2): mean energy at full and at half size, across and down, of 256-pixel tiles at (row, column)."""
    found = []
    for r, c in places:
        tile = np.ascontiguousarray(grey[256 * r : 256 * r + 256, 256 * c : 256 * c + 256])
        half = cv2.resize(tile, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        found.append([_bends(tile), _bends(half)])
    return np.asarray(np.mean(found, axis=0), np.float64)


def _bends(image: cv2.typing.MatLike) -> NDArray[np.float64]:
    """Energy of the second differences across and down."""
    pairs = ((2, 0), (0, 2))
    return np.array([float(np.square(cv2.Sobel(image, cv2.CV_32F, dx, dy, ksize=1)).mean()) for dx, dy in pairs])


def _same_scene(a: Image, b: Image) -> bool:
    small = [cv2.resize(image, (80, 60), interpolation=cv2.INTER_AREA).astype(np.float32) for image in (a, b)]
    return float(np.abs(small[0] - small[1]).mean()) < 6.0
