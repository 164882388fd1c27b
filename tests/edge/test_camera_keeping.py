"""A camera that vanishes, freezes or turns black is told, and comes back by itself: real drivers on a fake device."""

import threading
import time
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from edge.camera.camera import CameraError
from edge.camera.keeping import KeptSource
from edge.camera.picamera import PiCamera
from edge.camera.usb import UsbCamera
from edge.camera.watching import WatchedCamera
from homework.errors import ClassboxError


class Glass:
    """What lies before the lens: print on paper, or nothing; and what has befallen the camera."""

    def __init__(self):
        self.sheet = False
        self.gone = self.frozen = self.black = False
        self.frames = 0
        page = np.full((480, 640), 230, np.uint8)
        for y in range(60, 420, 24):
            cv2.putText(page, "23 x 4 = 92", (150, y), cv2.FONT_HERSHEY_SIMPLEX, 0.8, 20, 2)
        self.page, self.desk = page, np.full((480, 640), 90, np.uint8)
        self.last = self.desk

    def picture(self):
        if self.black:
            return np.zeros((480, 640), np.uint8)
        if not self.frozen:
            self.frames += 1
            noise = np.random.default_rng(self.frames).normal(0, 1.5, (480, 640))
            self.last = np.clip((self.page if self.sheet else self.desk) + noise, 0, 255).astype(np.uint8)
        return self.last


class UsbGlass:
    """Such a device behind OpenCV: BGR, 30 frames a second."""

    def __init__(self, glass):
        self.glass = glass

    def isOpened(self):  # noqa: N802
        return not self.glass.gone

    def set(self, _prop, _value):
        return True

    def get(self, prop):
        return {cv2.CAP_PROP_FRAME_WIDTH: 640, cv2.CAP_PROP_FRAME_HEIGHT: 480}.get(
            prop, cv2.VideoWriter.fourcc(*"MJPG")
        )

    def read(self):
        time.sleep(0.03)
        return (False, None) if self.glass.gone else (True, cv2.cvtColor(self.glass.picture(), cv2.COLOR_GRAY2BGR))

    def release(self):
        pass


class PiGlass:
    """Such a sensor behind picamera2 (its methods are checked in test_camera_picamera.py)."""

    sensor_resolution = (640, 480)
    camera_controls = ()

    def __init__(self, glass):
        if glass.gone:
            raise RuntimeError("no camera number 0 found")
        self.glass, self.stamp_ns = glass, time.monotonic_ns()

    def create_video_configuration(self, main, lores, buffer_count, queue):
        return {"main": main, "lores": lores}

    def configure(self, asked):
        self.asked = asked

    def camera_configuration(self):
        return self.asked

    def start(self):
        pass

    stop = close = cancel_all_and_flush = start

    def captured_request(self, wait=None, flush=None):
        return self

    def __enter__(self):
        time.sleep(0.03)
        if self.glass.gone:
            raise TimeoutError
        return self

    def __exit__(self, *_):
        pass

    def get_metadata(self):
        return {"SensorTimestamp": time.monotonic_ns()}

    def make_array(self, name):
        picture = self.glass.picture()
        return np.vstack([picture, picture[:240]]) if name == "lores" else cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR)


def usb(glass):
    return UsbCamera(0, open_device=lambda _index: UsbGlass(glass), timeout_s=0.4)


def pi(glass):
    return PiCamera(module=SimpleNamespace(Picamera2=lambda _number: PiGlass(glass)), timeout_s=0.4)


class Watch:
    """A kept camera in its thread; what it said, and what it took."""

    def __init__(self, driver, *, gone=False):
        self.glass, self.troubles, self.pages = Glass(), [], []
        self.glass.gone = gone
        self.kept = KeptSource(
            lambda on_alive: WatchedCamera(driver(self.glass), alarm_ms=400, on_alive=on_alive),
            put=lambda capture: self.pages.append(capture) or True,
            on_trouble=self.troubles.append,
            pause_s=0.1,
        )
        self.thread = threading.Thread(target=self.kept.run)
        self.thread.start()

    def until(self, fulfilled, within_s=15.0):
        end_s = time.monotonic() + within_s
        while not fulfilled():
            assert time.monotonic() < end_s, [str(t) for t in self.troubles]
            time.sleep(0.02)

    def well(self):
        return bool(self.troubles) and self.troubles[-1] is None

    def ill(self):
        return bool(self.troubles) and self.troubles[-1] is not None

    def slide(self):
        before = len(self.pages)
        self.glass.sheet = True
        self.until(lambda: len(self.pages) > before)
        self.glass.sheet = False
        time.sleep(0.4)


@pytest.fixture(params=[usb, pi])
def watch(request):
    made = Watch(request.param)
    yield made
    made.kept.stop()
    made.thread.join(10)
    assert not made.thread.is_alive()


@pytest.mark.parametrize(
    ("what", "words"), [("gone", "picture|camera"), ("frozen", "stands still"), ("black", "only black")]
)
def test_a_camera_that_fails_is_told_and_comes_back_by_itself(watch, what, words):
    watch.until(watch.well)
    watch.slide()
    setattr(watch.glass, what, True)
    watch.until(watch.ill)
    told = watch.troubles[-1]
    assert isinstance(told, CameraError)
    assert told.remedy
    assert any(word in str(told) for word in words.split("|"))
    time.sleep(0.5)
    # While it lasts, nothing says that it is well, however often it is opened.
    assert watch.ill()
    setattr(watch.glass, what, False)
    watch.until(watch.well)
    watch.slide()
    assert len(watch.pages) == 2


def test_a_camera_that_is_plugged_in_later_is_found():
    late = Watch(usb, gone=True)
    late.until(late.ill)
    late.glass.gone = False
    late.until(late.well)
    late.kept.stop()
    late.thread.join(10)


def test_a_driver_that_breaks_in_an_unknown_way_is_tried_again():
    opened, troubles = [], []

    class Ends:
        def captures(self):
            return iter(())

        def close(self):
            pass

    def open_it(on_alive):
        opened.append(1)
        if len(opened) == 1:
            raise ZeroDivisionError
        on_alive()
        return Ends()

    KeptSource(open_it, put=lambda _: True, on_trouble=troubles.append, pause_s=0.01).run()
    assert [type(trouble) for trouble in troubles] == [ClassboxError, type(None)]


def test_being_stopped_is_no_trouble(watch):
    watch.until(watch.well)
    watch.kept.stop()
    watch.thread.join(10)
    assert watch.troubles == [None]
