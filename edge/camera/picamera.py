"""The Raspberry Pi's camera, through picamera2 and libcamera."""

from __future__ import annotations

import importlib
import time
from typing import Any

import numpy as np

from edge.camera.camera import CameraError
from edge.frames import Frame

_PREVIEW = (640, 480)


class PiCamera:
    """A `Camera` on the Pi's CSI connector: one stream of full pictures, one small one to watch.

    `picamera2` and `libcamera` come with Raspberry Pi OS (`apt install python3-picamera2`) and are imported here,
    when they are wanted. `modules` replaces them in tests: (picamera2, libcamera.controls).
    """

    name = "picamera2"

    def __init__(self, *, size: tuple[int, int] = (4056, 3040), modules: tuple[Any, Any] | None = None) -> None:
        picamera2, controls = modules or _modules()
        try:
            self._device = picamera2.Picamera2()
        except (IndexError, RuntimeError) as error:
            raise CameraError(
                "The Raspberry Pi sees no camera.", remedy="Check the flat cable, then `rpicam-hello --list-cameras`."
            ) from error
        # RGB888 is libcamera's name for bytes in the order blue, green, red: OpenCV's.
        self._device.configure(
            self._device.create_video_configuration(
                main={"size": size, "format": "RGB888"},
                lores={"size": _PREVIEW, "format": "YUV420"},
                buffer_count=3,
            )
        )
        if "AfMode" in self._device.camera_controls:
            self._device.set_controls({"AfMode": controls.AfModeEnum.Continuous})
        self._device.start()

    def preview(self) -> Frame | None:
        # The Y plane comes first; rows may be padded to the stride.
        plane = self._device.capture_array("lores")
        return Frame(np.ascontiguousarray(plane[: _PREVIEW[1], : _PREVIEW[0]]), round(time.monotonic() * 1000))

    def capture(self) -> Frame:
        image = self._device.capture_array("main")
        return Frame(np.asarray(image, np.uint8), round(time.monotonic() * 1000))

    def close(self) -> None:
        self._device.stop()
        self._device.close()


def _modules() -> tuple[Any, Any]:
    try:
        return importlib.import_module("picamera2"), importlib.import_module("libcamera").controls
    except ImportError as error:
        raise CameraError(
            "picamera2 is not installed.", remedy="On Raspberry Pi OS: sudo apt install python3-picamera2"
        ) from error
