"""A camera and a trigger make a source of pages: watch, wait for rest, take the sharpest of a few frames."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator

import cv2
import numpy as np

from edge.camera.camera import Camera, CameraError
from edge.frames import Capture, Frame, Image
from edge.trigger import Event, Trigger


class WatchedCamera:
    """A `CaptureSource`: each sheet that comes to rest under `camera`, once.

    A picture that is much less sharp than the last ones is taken again, `tries` times in all, and the sharpest of
    the same sheet is kept. A picture that stays frozen or black for `alarm_ms` (None: never) raises `CameraError`.
    `on_event` hears of every event of the trigger, from the thread that runs `captures`.
    """

    def __init__(
        self,
        camera: Camera,
        trigger: Trigger | None = None,
        *,
        tries: int = 3,
        alarm_ms: int | None = 3000,
        on_event: Callable[[Event], None] | None = None,
    ) -> None:
        self._camera = camera
        self._trigger = trigger or Trigger()
        self._tries = tries
        self._alarm_ms = alarm_ms
        self._on_event = on_event
        self._usual: deque[float] = deque(maxlen=9)
        self._closed = threading.Event()
        self._last: Frame | None = None
        self._good_ms = 0

    def captures(self) -> Iterator[Capture]:
        while not self._closed.is_set():
            frame = self._camera.preview()
            if frame is None:
                return
            self._check(frame)
            event = self._trigger.see(frame)
            if event is None:
                continue
            if self._on_event is not None:
                self._on_event(event)
            if event is Event.RESTED and not self._closed.is_set():
                yield Capture(image=self._sharpest().image, source=self._camera.name)

    def close(self) -> None:
        self._closed.set()
        self._camera.close()

    def _sharpest(self) -> Frame:
        first = best = self._camera.capture()
        best_sharpness = sharpness(first.image)
        for _ in range(self._tries - 1):
            if not self._usual or best_sharpness >= 0.6 * float(np.median(self._usual)):
                break
            again = self._camera.capture()
            if not _same_scene(first.image, again.image):
                break
            if (sharp := sharpness(again.image)) > best_sharpness:
                best, best_sharpness = again, sharp
        self._usual.append(best_sharpness)
        return best

    def _check(self, frame: Frame) -> None:
        if self._alarm_ms is None:
            return
        # A living sensor is never quite the same twice.
        frozen = self._last is not None and np.array_equal(self._last.image, frame.image)
        black = int(frame.image.max()) < 12
        if self._last is None or not (frozen or black):
            self._good_ms = frame.at_ms
        self._last = frame
        if frame.at_ms - self._good_ms > self._alarm_ms:
            if black:
                raise CameraError(
                    "The camera sees only black.", remedy="Take the cap off the lens, or switch a light on."
                )
            raise CameraError("The camera's picture stands still.", remedy="Unplug the camera and plug it in again.")


def sharpness(image: Image) -> float:
    """How sharp the middle of a picture is: the variance of its Laplacian over its brightness squared, times 1e4.

    Comparable between pictures of the same camera and kind of page only. Source: Pech-Pacheco et al., 2000.
    """
    h, w = image.shape[:2]
    ch, cw = min(h, 1200) // 2, min(w, 1200) // 2
    middle = image[h // 2 - ch : h // 2 + ch, w // 2 - cw : w // 2 + cw]
    grey = cv2.cvtColor(middle, cv2.COLOR_BGR2GRAY) if middle.ndim == 3 else middle
    bright = max(float(grey.mean()), 1.0)
    return float(cv2.Laplacian(grey, cv2.CV_16S).astype(np.float32).var()) / bright**2 * 1e4


def _same_scene(a: Image, b: Image) -> bool:
    small = [cv2.resize(image, (80, 60), interpolation=cv2.INTER_AREA).astype(np.float32) for image in (a, b)]
    return float(np.abs(small[0] - small[1]).mean()) < 6.0
