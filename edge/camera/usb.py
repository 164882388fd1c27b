"""USB cameras through Linux's video4linux2 and OpenCV: document cameras, webcams.

One thread reads all the time, so that no old picture ever waits in the driver's queue, and so that a camera that
hangs inside the driver holds up nobody: whoever waits for a picture stops waiting. JPEGs are kept as the camera made
them; the preview decodes them small (libjpeg's scaling), only a capture in full.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from edge.camera.camera import CameraError
from edge.camera.video import PREVIEW_WIDTH, small_grey
from edge.frames import Frame, Image

log = logging.getLogger(__name__)

USUAL_SIZE = (3840, 2880)
_SIZES = (
    *((4656, 3496), (4208, 3120), (4032, 3024), (3840, 2880), (3840, 2160), (3264, 2448), (2592, 1944), (2048, 1536)),
    *((1920, 1440), (1920, 1080), (1600, 1200), (1280, 960), (1280, 720), (800, 600), (640, 480)),
)
_FORMATS = ("MJPG", "YUYV")
_REDUCED = (
    (8, cv2.IMREAD_REDUCED_GRAYSCALE_8),
    (4, cv2.IMREAD_REDUCED_GRAYSCALE_4),
    (2, cv2.IMREAD_REDUCED_GRAYSCALE_2),
)
_LEAST_FPS = 5.0
"""Frames a second below which a sheet's rest is not seen: a smaller size is better than a slower one."""
_TIMEOUT_S = 3.0
_CLOSE_S = 1.0


class Device(Protocol):
    """What is used of `cv2.VideoCapture`."""

    def isOpened(self) -> bool: ...  # noqa: N802  # OpenCV's name
    def set(self, prop: int, value: float, /) -> bool: ...
    def get(self, prop: int, /) -> float: ...
    def read(self) -> tuple[bool, cv2.typing.MatLike | None]: ...
    def release(self) -> None: ...


@dataclass(frozen=True)
class Mode:
    """What a device gives: its format (four characters), size in pixels and frames a second as measured."""

    fourcc: str
    width_px: int
    height_px: int
    fps: float


class UsbCamera:
    """A `Camera` at `/dev/video{index}`.

    Takes the largest size up to `size` (width, height) at which pictures really come, and often enough; MJPG before
    YUYV. `open_device` replaces OpenCV in tests. Raises `CameraError` when there is none, or it gives nothing.
    """

    def __init__(
        self,
        index: int,
        *,
        size: tuple[int, int] = USUAL_SIZE,
        open_device: Callable[[int], Device] | None = None,
        timeout_s: float = _TIMEOUT_S,
    ) -> None:
        self.name = f"/dev/video{index}"
        self._timeout_s = timeout_s
        self._device = (open_device or _open)(index)
        if not self._device.isOpened():
            raise CameraError(
                "There is no camera at {name}.",
                remedy="Plug it in; `classbox camera list` shows what is there.",
                name=self.name,
            )
        self._news = threading.Condition()
        self._picture: Image | None = None
        self._begun_ns = self._at_ns = 0
        self._shown_ns = 0
        self._failed = False
        self._closing = threading.Event()
        self._mode: Mode | None = None
        # The mode is chosen in the thread too: a device that hangs while it is tried holds up nobody.
        self._thread = threading.Thread(target=self._work, args=(size,), name=self.name, daemon=True)
        self._thread.start()

    @property
    def mode(self) -> Mode:
        """What it gives. Waits for the first picture; raises `CameraError` when none comes."""
        if self._mode is None or self._picture is None:
            self._wait_for(lambda: self._mode is not None and self._picture is not None, 5 * self._timeout_s)
        assert self._mode is not None
        return self._mode

    def preview(self) -> Frame | None:
        width_px = self.mode.width_px
        while True:
            picture, at_ns = self._next(lambda: self._at_ns > self._shown_ns)
            self._shown_ns = at_ns
            small = _small(picture, width_px)
            if small is not None:
                return Frame(small, at_ns // 1_000_000)

    def capture(self) -> Frame:
        """A picture whose reading was begun after the call: what lies there now, not what lay there before."""
        since_ns = time.monotonic_ns()
        while True:
            picture, at_ns = self._begun_since(since_ns)
            whole = _decoded(picture, cv2.IMREAD_COLOR)
            if whole is not None:
                return Frame(whole, at_ns // 1_000_000)
            since_ns = at_ns

    def _begun_since(self, since_ns: int) -> tuple[Image, int]:
        return self._next(lambda: self._begun_ns >= since_ns)

    def _next(self, ready: Callable[[], bool]) -> tuple[Image, int]:
        self._wait_for(ready, self._timeout_s)
        with self._news:
            picture, at_ns = self._picture, self._at_ns
        assert picture is not None
        return picture, at_ns

    def close(self) -> None:
        self._closing.set()
        with self._news:
            self._news.notify_all()
        # A thread that hangs in the driver lets the device go when the driver lets it go.
        if threading.current_thread() is not self._thread:
            self._thread.join(_CLOSE_S)

    def _wait_for(self, ready: Callable[[], bool], timeout_s: float) -> None:
        with self._news:
            came = self._news.wait_for(lambda: ready() or self._failed or self._closing.is_set(), timeout_s)
            if came and ready():
                return
        raise CameraError(
            "No picture comes from {name}.", remedy="Unplug the camera and plug it in again.", name=self.name
        )

    # --- in the thread ---------------------------------------------------------------------------------------

    def _work(self, size: tuple[int, int]) -> None:
        try:
            mode = choose_mode(self._device, size)
            with self._news:
                self._mode = mode
            while mode is not None and not self._closing.is_set():
                begun_ns = time.monotonic_ns()
                fine, image = self._device.read()
                if not fine or image is None:
                    break
                # A copy of our own: OpenCV's may be the driver's memory.
                picture = np.array(image, np.uint8)
                with self._news:
                    self._picture, self._begun_ns, self._at_ns = picture, begun_ns, time.monotonic_ns()
                    self._news.notify_all()
        except cv2.error as error:
            log.warning("%s: %s", self.name, error)
        finally:
            with self._news:
                self._failed = True
                self._news.notify_all()
            self._device.release()


def choose_mode(device: Device, wanted: tuple[int, int]) -> Mode | None:
    """Set the largest size up to `wanted` that comes at least five times a second; the quickest when none does.

    None when no picture comes in any. Drivers answer a size that they do not have with one near it, so that what is
    given is looked at, not what was asked for.
    """
    tried: set[tuple[str, int, int]] = set()
    best: Mode | None = None
    for fourcc in _FORMATS:
        for width, height in _down_from(wanted):
            device.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*fourcc))
            device.set(cv2.CAP_PROP_FRAME_WIDTH, width)
            device.set(cv2.CAP_PROP_FRAME_HEIGHT, height)
            # One frame in the queue, where the driver can: the older ones show the sheet before.
            device.set(cv2.CAP_PROP_BUFFERSIZE, 1)
            given = _given(device)
            if given in tried or given[0] != fourcc:
                continue
            tried.add(given)
            fps = _measured_fps(device, raw=given[0] == "MJPG")
            mode = Mode(*given, fps)
            if fps >= _LEAST_FPS:
                return mode
            if fps > 0 and (best is None or fps > best.fps):
                best = mode
    if best is None:
        # Neither format is admitted to: what it gives by itself is better than nothing.
        given, fps = _given(device), _measured_fps(device, raw=False)
        return Mode(*given, fps) if fps > 0 else None
    device.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*best.fourcc))
    device.set(cv2.CAP_PROP_FRAME_WIDTH, best.width_px)
    device.set(cv2.CAP_PROP_FRAME_HEIGHT, best.height_px)
    return best if _measured_fps(device, raw=best.fourcc == "MJPG") > 0 else None


def _down_from(wanted: tuple[int, int]) -> Iterable[tuple[int, int]]:
    yield wanted
    yield from (size for size in _SIZES if size != wanted and size[0] * size[1] <= wanted[0] * wanted[1])


def _given(device: Device) -> tuple[str, int, int]:
    code = int(device.get(cv2.CAP_PROP_FOURCC))
    fourcc = "".join(chr((code >> shift) & 0xFF) for shift in (0, 8, 16, 24))
    return fourcc, int(device.get(cv2.CAP_PROP_FRAME_WIDTH)), int(device.get(cv2.CAP_PROP_FRAME_HEIGHT))


def _measured_fps(device: Device, *, raw: bool) -> float:
    """Frames a second of three, after two to warm up; 0 when they do not come or cannot be opened."""
    # Unconverted, OpenCV hands over the JPEG as it came: one row of bytes.
    device.set(cv2.CAP_PROP_CONVERT_RGB, 0 if raw else 1)
    started = 0.0
    for count in range(5):
        fine, image = device.read()
        if not fine or image is None:
            return 0.0
        if count == 0 and _decoded(np.asarray(image, np.uint8), cv2.IMREAD_REDUCED_GRAYSCALE_8) is None:
            return 0.0
        if count == 1:
            started = time.monotonic()
    return 3 / max(time.monotonic() - started, 1e-3)


def _is_jpeg(picture: Image) -> bool:
    return picture.ndim == 1 or 1 in picture.shape[:2]


def _decoded(picture: Image, flags: int) -> Image | None:
    if not _is_jpeg(picture):
        return picture
    try:
        found = cv2.imdecode(picture.reshape(-1), flags)
    except cv2.error:
        return None
    return None if found is None else np.asarray(found, np.uint8)


def _small(picture: Image, width_px: int) -> Image | None:
    """The preview: a JPEG is decoded no larger than it needs. None for a frame that broke on the wire."""
    flag = next((flag for factor, flag in _REDUCED if width_px // factor >= PREVIEW_WIDTH), cv2.IMREAD_GRAYSCALE)
    found = _decoded(picture, flag)
    return small_grey(found) if found is not None else None


def _open(index: int) -> Device:
    # OpenCV would wait ten seconds for a frame of a camera that has stopped; it looks here at its first use.
    os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", str(round(_TIMEOUT_S)))
    # Asked first: OpenCV writes warnings of its own to the terminal.
    there = Path(f"/dev/video{index}").exists()
    return cv2.VideoCapture(index, cv2.CAP_V4L2) if there else cv2.VideoCapture()
