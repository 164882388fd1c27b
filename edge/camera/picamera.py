"""The Raspberry Pi's camera, through picamera2 and libcamera."""

from __future__ import annotations

import importlib
import logging
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from edge.camera.camera import CameraError
from edge.frames import Frame, Image

log = logging.getLogger(__name__)

_PREVIEW_WIDTH = 640
_TIMEOUT_S = 3.0
_FOCUS_S = 2.0
_CLOSE_S = 2.0
_SETTLED_FRAMES = 8
_SETTLED_SHARE = 0.03
"""Exposure that changes by less, over so many frames, has settled."""
_TOO_BRIGHT, _TOO_BRIGHT_FRAMES = 250, 4
_TOO_DARK, _TOO_DARK_FRAMES = 60, 25
"""Grey of the brightest twentieth of the picture, and for how many frames, at which locked exposure no longer fits:
white paper on what was a dark desk, a lamp switched off. A desk that is empty for a moment is neither."""
_FREED_S = 10.0
"""It is not set free again sooner: a lamp in the picture would keep it hunting for ever."""


class PiCamera:
    """A `Camera` on the Pi's CSI connector: one stream of full pictures, one small one to watch, from the same frames.

    Focus: one cycle at the start, where the lens has a motor, another on the first sheet if that one found nothing;
    then it stays, for the desk stays too. `refocus` does one more. Exposure and white balance are locked once they
    have settled, so that a white sheet that slides in does not start them hunting; they are set free when the light
    has changed. A sensor that gives no more frames is noticed within `timeout_s`.

    `picamera2` and `libcamera` come with Raspberry Pi OS (`apt install python3-picamera2`) and are imported here,
    when they are wanted. `module` replaces picamera2 in tests. Raises `CameraError`.
    """

    name = "picamera2"

    def __init__(
        self,
        number: int = 0,
        *,
        size: tuple[int, int] | None = None,
        module: Any = None,
        timeout_s: float = _TIMEOUT_S,
    ) -> None:
        self._timeout_s = timeout_s
        picamera2 = module or _module()
        try:
            self._device = picamera2.Picamera2(number)
        except (IndexError, RuntimeError) as error:
            raise CameraError(
                "The Raspberry Pi sees no camera.", remedy="Check the flat cable, then `rpicam-hello --list-cameras`."
            ) from error
        try:
            self._start(size)
        except (RuntimeError, ValueError) as error:
            self.close()
            raise CameraError(
                "The Raspberry Pi's camera does not start: {reason}.",
                remedy="Close other programs that use it, or ask for a smaller size.",
                reason=error,
            ) from error

    def _start(self, size: tuple[int, int] | None) -> None:
        device = self._device
        width, height = device.sensor_resolution
        if size is not None:
            width, height = min(width, size[0]), min(height, size[1])
        # Both streams in one mode: switching to a still mode would stop the stream for a fifth of a second and more.
        # Nothing is queued, so that what is asked for is the next frame, not one that waited.
        configuration = device.create_video_configuration(
            # RGB888 is libcamera's name for bytes in the order blue, green, red: OpenCV's.
            main={"size": (width, height), "format": "RGB888"},
            lores={"size": (_PREVIEW_WIDTH, _even(_PREVIEW_WIDTH * height / width)), "format": "YUV420"},
            buffer_count=3,
            queue=False,
        )
        device.configure(configuration)
        self._preview_px: tuple[int, int] = device.camera_configuration()["lores"]["size"]
        self._controls = frozenset(device.camera_controls)
        self._focused = "AfMode" not in self._controls
        self._light = _Light()
        device.start()
        if not self._focused:
            # The desk lies as far away as the sheets will. If it is too plain to focus on, the first sheet is not.
            self.refocus()

    def preview(self) -> Frame | None:
        with self._request(fresh=False) as (request, metadata):
            plane = request.make_array("lores")
        # The Y plane comes first; rows may be padded to the stride.
        width, height = self._preview_px
        image = np.ascontiguousarray(plane[:height, :width])
        for change in self._light.look(image, metadata):
            self._set({name: value for name, value in change.items() if name in self._controls})
        return Frame(image, _at_ms(metadata))

    def capture(self) -> Frame:
        if not self._focused:
            self.refocus()
        with self._request(fresh=True) as (request, metadata):
            image = request.make_array("main")
        return Frame(np.asarray(image, np.uint8), _at_ms(metadata))

    def refocus(self) -> None:
        """One cycle of the autofocus, two seconds at most; nothing where the lens has no motor."""
        if "AfMode" not in self._controls:
            return
        try:
            self._focused = bool(self._device.autofocus_cycle(wait=_FOCUS_S))
        except TimeoutError:
            # Frames may still come, only the lens does not move; if they do not, the next capture says so.
            log.warning("the lens does not come to rest")
            self._device.cancel_all_and_flush()
            self._focused = True

    def close(self) -> None:
        def let_go() -> None:
            try:
                self._device.cancel_all_and_flush()
                self._device.stop()
                self._device.close()
            except Exception:
                log.exception("the camera could not be closed")

        # With its cable loose, libcamera may never come back from stopping.
        closing = threading.Thread(target=let_go, name="picamera2-close", daemon=True)
        closing.start()
        closing.join(_CLOSE_S)

    @contextmanager
    def _request(self, *, fresh: bool) -> Iterator[tuple[Any, Mapping[str, Any]]]:
        """A frame's buffers and metadata; `fresh`: its exposure began after the call."""
        try:
            with self._device.captured_request(wait=self._timeout_s, flush=True if fresh else None) as request:
                yield request, request.get_metadata()
        except TimeoutError as error:
            self._device.cancel_all_and_flush()
            raise CameraError(
                "No picture comes from {name}.", remedy="Check the flat cable of the camera.", name=self.name
            ) from error

    def _set(self, controls: Mapping[str, Any]) -> None:
        if controls:
            self._device.set_controls(dict(controls))


class _Light:
    """When to lock exposure and white balance, and when to set them free."""

    def __init__(self) -> None:
        self._recent: deque[float] = deque(maxlen=_SETTLED_FRAMES)
        self._locked = False
        self._wrong_frames = 0
        self._freed_at_ms: int | None = None

    def look(self, image: Image, metadata: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The controls to set now, in order, after this preview."""
        if not {"ExposureTime", "AnalogueGain", "ColourGains"} <= metadata.keys():
            return []
        bright = float(np.percentile(image[::8, ::8], 95))
        if self._locked:
            return self._watch(bright, _at_ms(metadata))
        self._recent.append(float(metadata["ExposureTime"]) * float(metadata["AnalogueGain"]))
        settled = len(self._recent) == _SETTLED_FRAMES and (
            max(self._recent) - min(self._recent) <= _SETTLED_SHARE * max(self._recent)
        )
        if not settled or bright < _TOO_DARK:
            return []
        self._locked, self._wrong_frames = True, 0
        # An exposure time and a gain that are given outrank the automatic ones.
        return [
            {"ExposureTime": int(metadata["ExposureTime"]), "AnalogueGain": float(metadata["AnalogueGain"])},
            {"AwbEnable": False, "ColourGains": tuple(metadata["ColourGains"])},
        ]

    def _watch(self, bright: float, at_ms: int) -> list[dict[str, Any]]:
        dark = bright < _TOO_DARK
        self._wrong_frames = self._wrong_frames + 1 if dark or bright > _TOO_BRIGHT else 0
        patience = _TOO_DARK_FRAMES if dark else _TOO_BRIGHT_FRAMES
        lately = self._freed_at_ms is not None and at_ms - self._freed_at_ms < _FREED_S * 1000
        if self._wrong_frames < patience or lately:
            return []
        self._locked, self._freed_at_ms = False, at_ms
        self._recent.clear()
        # Zero gives exposure time and gain back to the automatic.
        return [{"AeEnable": True, "ExposureTime": 0, "AnalogueGain": 0.0}, {"AwbEnable": True}]


def pi_cameras(module: Any = None) -> list[tuple[int, str]]:
    """Number and model of every camera on a CSI connector; none where picamera2 is not installed."""
    try:
        infos = (module or importlib.import_module("picamera2")).Picamera2.global_camera_info()
    except (ImportError, RuntimeError):
        return []
    # libcamera lists USB cameras too; those are read through V4L2.
    return [
        (number, str(info.get("Model", "")))
        for number, info in enumerate(infos)
        if "usb" not in str(info.get("Id", "")).lower()
    ]


def _at_ms(metadata: Mapping[str, Any]) -> int:
    """When the sensor took it, on the monotonic clock."""
    return int(metadata.get("SensorTimestamp", time.monotonic_ns())) // 1_000_000


def _even(value: float) -> int:
    return 2 * round(value / 2)


def _module() -> Any:
    try:
        return importlib.import_module("picamera2")
    except ImportError as error:
        raise CameraError(
            "picamera2 is not installed.", remedy="On Raspberry Pi OS: sudo apt install python3-picamera2"
        ) from error
