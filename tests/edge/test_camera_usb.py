"""A USB camera gives the largest picture that it really has, never an old one, and is noticed when it goes.

The device is made of code (no virtual camera can be loaded where tests run); it keeps to what OpenCV's V4L2 backend
does: sizes it lacks become near ones, JPEGs come unconverted as one row of bytes, a dead device makes `read` fail or
hang.
"""

import itertools
import threading
import time

import cv2
import numpy as np
import pytest

from edge.camera.camera import CameraError
from edge.camera.usb import UsbCamera
from edge.camera.watching import WatchedCamera

MJPG, YUYV = (cv2.VideoWriter.fourcc(*name) for name in ("MJPG", "YUYV"))


class FakeDevice:
    """`modes`: {fourcc: {(width, height): frames a second}}. `scene` is the grey that lies before the lens now."""

    def __init__(self, modes, *, scene=120):
        self.modes = modes
        self.fourcc = next(iter(modes))
        self.size = next(iter(modes[self.fourcc]))
        self.asked = list(self.size)
        self.convert = True
        self.scene = scene
        self.unplugged = False
        self.hangs = threading.Event()
        self.hangs.set()
        self.broken = 0
        self.open = True
        self.noise = itertools.count()

    def isOpened(self):  # noqa: N802
        return self.open

    def set(self, prop, value):
        if prop == cv2.CAP_PROP_FOURCC and int(value) in self.modes:
            self.fourcc = int(value)
        elif prop == cv2.CAP_PROP_FRAME_WIDTH:
            self.asked[0] = int(value)
        elif prop == cv2.CAP_PROP_FRAME_HEIGHT:
            self.asked[1] = int(value)
            # The driver takes the size nearest in area.
            self.size = min(self.modes[self.fourcc], key=lambda s: abs(s[0] * s[1] - self.asked[0] * self.asked[1]))
        elif prop == cv2.CAP_PROP_CONVERT_RGB:
            self.convert = bool(value)
        return True

    def get(self, prop):
        return {
            cv2.CAP_PROP_FOURCC: self.fourcc,
            cv2.CAP_PROP_FRAME_WIDTH: self.size[0],
            cv2.CAP_PROP_FRAME_HEIGHT: self.size[1],
        }[prop]

    def read(self):
        fps = self.modes[self.fourcc][self.size]
        if fps == 0 or self.unplugged:
            return False, None
        scene = self.scene
        time.sleep(1 / fps)
        self.hangs.wait()
        if self.unplugged:
            return False, None
        image = np.full((self.size[1], self.size[0], 3), scene, np.uint8)
        image[: self.size[1] // 2, :: 1 + next(self.noise) % 3] += 9
        if self.fourcc == MJPG and not self.convert:
            jpeg = cv2.imencode(".jpg", image)[1].reshape(1, -1)
            if self.broken:
                self.broken -= 1
                jpeg = jpeg[:, :7]
            return True, jpeg
        return True, image

    def release(self):
        self.open = False


GOOD = {MJPG: {(1600, 1200): 200, (640, 480): 200}, YUYV: {(1600, 1200): 3, (640, 480): 200}}


@pytest.fixture
def opened():
    cameras = []

    def make(device, **options):
        camera = UsbCamera(0, open_device=lambda _index: device, **{"timeout_s": 0.5, **options})
        cameras.append(camera)
        return camera

    yield make
    for camera in cameras:
        camera.close()


def test_the_largest_size_that_the_device_gives_is_taken_as_jpeg(opened):
    camera = opened(FakeDevice(GOOD))
    assert (camera.mode.fourcc, camera.mode.width_px, camera.mode.height_px) == ("MJPG", 1600, 1200)
    assert camera.capture().image.shape == (1200, 1600, 3)
    assert camera.preview().image.shape == (480, 640)


def test_a_size_that_is_announced_but_never_comes_is_passed_over(opened):
    camera = opened(FakeDevice({MJPG: {(3264, 2448): 0, (1280, 960): 200}}))
    assert camera.capture().image.shape == (960, 1280, 3)


def test_without_jpeg_a_smaller_picture_beats_one_that_comes_too_seldom(opened):
    camera = opened(FakeDevice({YUYV: {(1600, 1200): 3, (640, 480): 200}}))
    assert (camera.mode.fourcc, camera.mode.width_px) == ("YUYV", 640)
    assert camera.capture().image.shape == (480, 640, 3)


def test_no_more_is_taken_than_was_asked_for(opened):
    assert opened(FakeDevice(GOOD), size=(640, 480)).mode.width_px == 640


def test_a_capture_shows_what_lies_there_now(opened):
    device = FakeDevice(GOOD, scene=60)
    camera = opened(device)
    camera.preview()
    time.sleep(0.2)  # a queue in the driver would fill with the old sheet
    device.scene = 200
    assert camera.capture().image.mean() > 190


def test_previews_are_never_twice_the_same_frame(opened):
    camera = opened(FakeDevice(GOOD))
    times = [camera.preview().at_ms for _ in range(5)]
    assert len(set(times)) == 5
    assert times == sorted(times)


def test_a_frame_that_breaks_on_the_wire_is_passed_over(opened):
    device = FakeDevice(GOOD)
    camera = opened(device)
    camera.preview()
    device.broken = 3
    assert camera.preview().image.mean() > 100
    device.broken = 2
    assert camera.capture().image.shape == (1200, 1600, 3)


def test_a_device_that_gives_nothing_at_all_is_an_error(opened):
    with pytest.raises(CameraError, match="No picture comes"):
        opened(FakeDevice({MJPG: {(640, 480): 0}})).preview()


def test_no_device_is_an_error_that_says_what_to_do():
    closed = FakeDevice(GOOD)
    closed.open = False
    with pytest.raises(CameraError) as caught:
        UsbCamera(0, open_device=lambda _index: closed)
    assert "camera list" in caught.value.remedy


def ask_again_and_again(camera, what):
    for _ in range(5):
        getattr(camera, what)()


@pytest.mark.parametrize("what", ["preview", "capture"])
def test_a_camera_that_is_unplugged_is_noticed_at_once(opened, what):
    device = FakeDevice(GOOD)
    camera = opened(device)
    camera.preview()
    device.unplugged = True
    time.sleep(0.1)
    started = time.monotonic()
    with pytest.raises(CameraError, match="No picture comes"):
        ask_again_and_again(camera, what)
    assert time.monotonic() - started < 0.4
    assert not device.open


@pytest.mark.parametrize("what", ["preview", "capture"])
def test_a_driver_that_hangs_holds_up_nobody(opened, what):
    device = FakeDevice(GOOD)
    camera = opened(device)
    camera.preview()
    device.hangs.clear()
    with pytest.raises(CameraError, match="No picture comes"):
        ask_again_and_again(camera, what)
    started = time.monotonic()
    camera.close()
    assert time.monotonic() - started < 2
    device.hangs.set()  # the driver comes to itself: the device is let go after all
    camera._thread.join(2)
    assert not device.open


def test_closing_lets_the_device_go(opened):
    device = FakeDevice(GOOD)
    camera = opened(device)
    camera.preview()
    WatchedCamera(camera).close()
    assert not device.open
