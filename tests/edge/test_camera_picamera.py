"""The Raspberry Pi's camera, with a sensor made of code whose methods are those of the real picamera2."""

import ast
import importlib.util
import inspect
import itertools
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from edge.camera.camera import CameraError
from edge.camera.picamera import PiCamera, pi_cameras
from edge.camera.sources import open_camera
from edge.camera.watching import WatchedCamera

# Names of the parameters, in their order, read from the source of picamera2 0.3.38.
SIGNATURES = {
    "Picamera2": {
        "__init__": ["self", "camera_num", "verbose_console", "tuning", "allocator"],
        "create_video_configuration": [
            *("self", "main", "lores", "raw", "transform", "colour_space", "buffer_count", "controls", "display"),
            *("encode", "queue", "sensor", "use_case"),
        ],
        "configure": ["self", "camera_config"],
        "camera_configuration": ["self"],
        "start": ["self", "config", "show_preview"],
        "stop": ["self"],
        "close": ["self"],
        "set_controls": ["self", "controls"],
        "captured_request": ["self", "wait", "flush"],
        "autofocus_cycle": ["self", "wait", "signal_function"],
        "cancel_all_and_flush": ["self"],
        "camera_controls": ["self"],
        "global_camera_info": [],
    },
    "CompletedRequest": {
        "make_array": ["self", "name"],
        "get_metadata": ["self"],
        "release": ["self"],
    },
}


class CompletedRequest:
    def __init__(self, device):
        self.device, self.released = device, False

    def make_array(self, name):
        assert not self.released
        width, height = self.device.asked[name]["size"]
        if name == "lores":  # YUV420: rows padded, U and V below Y
            frame = np.full((height * 3 // 2, width + 64), 99, np.uint8)
            frame[:height, :width] = self.device.scene
            frame[:height, : width : 2 + next(self.device.noise) % 3] ^= 1
            return frame
        return np.full((height, width, 3), self.device.scene, np.uint8)

    def get_metadata(self):
        return {"SensorTimestamp": self.device.stamp_ns, **self.device.light}

    def release(self):
        self.released = True


class FakePicamera2:
    """A grey card for a sensor: `scene` is its brightness, `light` what the automatic exposure says of each frame."""

    sensor_resolution = (2028, 1520)

    def __init__(self, camera_num=0, verbose_console=None, tuning=None, allocator=None):
        self.camera_num = camera_num
        self.scene, self.stamp_ns, self.noise = 150, 10**9, itertools.count()
        self.light = {"ExposureTime": 9000, "AnalogueGain": 1.5, "ColourGains": (1.9, 1.4)}
        self.asked, self.set, self.cycles, self.requests = {}, [], [], []
        self.running = self.dead = False
        self.focuses = iter([True])
        self.flushed = 0
        self.stuck = threading.Event()
        self.stuck.set()
        self.autofocus = True

    @staticmethod
    def global_camera_info():
        return [
            {"Model": "imx477", "Location": 2, "Rotation": 180, "Id": "/base/soc/i2c0mux/i2c@1/imx477@1a", "Num": 0},
            {"Model": "Document camera", "Location": 2, "Id": "/base/soc/usb@7e980000-1.2:1.0-1234", "Num": 1},
            {"Model": "imx708", "Location": 2, "Rotation": 180, "Id": "/base/soc/i2c0mux/i2c@0/imx708@1a", "Num": 2},
        ]

    @property
    def camera_controls(self):
        names = ["ExposureTime", "AnalogueGain", "AeEnable", "AwbEnable", "ColourGains"]
        return dict.fromkeys([*names, *(["AfMode"] if self.autofocus else [])], (0, 2, 0))

    def create_video_configuration(  # noqa: PLR0917  # the real one's
        self,
        main=None,
        lores=None,
        raw=None,
        transform=None,
        colour_space=None,
        buffer_count=6,
        controls=None,
        display="main",
        encode="main",
        queue=True,
        sensor=None,
        use_case="video",
    ):
        assert not queue, "a queued frame is an old one"
        return {"main": main, "lores": lores, "buffer_count": buffer_count}

    def configure(self, camera_config=None):
        self.asked = camera_config

    def camera_configuration(self):
        return self.asked

    def start(self, config=None, show_preview=False):
        self.running = True

    def stop(self):
        self.stuck.wait()
        self.running = False

    def close(self):
        self.closed = True

    def set_controls(self, controls):
        unknown = controls.keys() - self.camera_controls.keys()
        if unknown:
            raise RuntimeError(f"Control {unknown} is not advertised by libcamera")
        self.set.append(controls)

    @contextmanager
    def captured_request(self, wait=None, flush=None):
        assert self.running
        if self.dead:
            time.sleep(wait)
            raise TimeoutError
        self.flushed += flush is True
        self.stamp_ns += 70_000_000
        request = CompletedRequest(self)
        self.requests.append(request)
        try:
            yield request
        finally:
            request.release()

    def autofocus_cycle(self, wait=None, signal_function=None):
        assert wait
        self.cycles.append(self.stamp_ns)
        found = next(self.focuses, True)
        if found is None:
            raise TimeoutError
        return found

    def cancel_all_and_flush(self):
        pass


def pi_camera(device, **options):
    return PiCamera(module=SimpleNamespace(Picamera2=lambda _number: device), timeout_s=0.2, **options)


def parameters(function):
    return list(inspect.signature(function).parameters)


@pytest.mark.parametrize("fake", [FakePicamera2, CompletedRequest])
def test_the_stand_in_has_the_methods_of_the_real_one(fake):
    name = fake.__name__.removeprefix("Fake")
    for method, expected in SIGNATURES[name].items():
        real = inspect.getattr_static(fake, method)
        function = real.fget if isinstance(real, property) else inspect.unwrap(getattr(fake, method))
        assert parameters(function) == expected, f"{name}.{method}"


def test_the_real_package_still_has_these_methods():
    """Where picamera2 is installed. Its source is read, not imported: that would want libcamera."""
    spec = importlib.util.find_spec("picamera2")
    if spec is None or spec.origin is None:
        pytest.skip("picamera2 is not installed here")
    folder = Path(spec.origin).parent
    found = {}
    for file in ("picamera2.py", "request.py"):
        for node in ast.parse((folder / file).read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and node.name in SIGNATURES:
                # The last definition of a name counts; those before it are overloads.
                found[node.name] = {
                    part.name: [a.arg for a in part.args.args]
                    for part in node.body
                    if isinstance(part, ast.FunctionDef)
                }
    for name, methods in SIGNATURES.items():
        assert {method: found[name].get(method) for method in methods} == methods


def test_the_small_picture_is_grey_without_padding_or_colour():
    frame = pi_camera(FakePicamera2()).preview()
    assert frame.image.shape == (480, 640)
    assert abs(frame.image.astype(int) - 150).max() <= 1


def test_the_large_picture_is_the_whole_sensor_or_what_was_asked_for():
    assert pi_camera(FakePicamera2()).capture().image.shape == (1520, 2028, 3)
    assert pi_camera(FakePicamera2(), size=(1014, 760)).capture().image.shape == (760, 1014, 3)
    assert pi_camera(FakePicamera2(), size=(9999, 9999)).capture().image.shape == (1520, 2028, 3)


def test_a_wide_sensor_keeps_its_shape_in_the_preview():
    device = FakePicamera2()
    device.sensor_resolution = (4608, 2592)
    assert pi_camera(device).preview().image.shape == (360, 640)


def test_a_capture_is_a_frame_that_began_after_it_was_asked_for():
    device = FakePicamera2()
    camera = pi_camera(device)
    camera.preview()
    assert device.flushed == 0
    camera.capture()
    assert device.flushed == 1


def test_every_frame_goes_back_to_the_camera():
    device = FakePicamera2()
    camera = pi_camera(device)
    camera.preview()
    camera.capture()
    assert [request.released for request in device.requests] == [True, True]


def test_time_is_the_sensors_own():
    camera = pi_camera(FakePicamera2())
    first, second = camera.preview(), camera.preview()
    assert second.at_ms - first.at_ms == 70


def test_it_focuses_once_where_the_lens_has_a_motor():
    device = FakePicamera2()
    camera = pi_camera(device)
    camera.capture()
    camera.capture()
    assert len(device.cycles) == 1


def test_a_desk_too_plain_to_focus_on_is_followed_by_the_first_sheet():
    device = FakePicamera2()
    device.focuses = iter([False, True])
    camera = pi_camera(device)
    camera.capture()
    camera.capture()
    assert len(device.cycles) == 2


def test_a_lens_that_never_comes_to_rest_costs_no_picture():
    device = FakePicamera2()
    device.focuses = iter([None])
    assert pi_camera(device).capture().image.shape == (1520, 2028, 3)


def test_a_lens_without_a_motor_is_never_told_to_focus():
    device = FakePicamera2()
    device.autofocus = False
    pi_camera(device).capture()
    assert device.cycles == []


def watch(camera, frames):
    for _ in range(frames):
        camera.preview()


def test_exposure_and_white_balance_are_locked_once_they_have_settled():
    device = FakePicamera2()
    camera = pi_camera(device)
    for step in range(12):
        device.light["ExposureTime"] = 20_000 - 1000 * step
        camera.preview()
    assert device.set == []
    watch(camera, 8)
    assert device.set == [
        {"ExposureTime": 9000, "AnalogueGain": 1.5},
        {"AwbEnable": False, "ColourGains": (1.9, 1.4)},
    ]
    watch(camera, 50)
    assert len(device.set) == 2


@pytest.mark.parametrize("scene", [20, 255])
def test_they_are_set_free_when_the_light_has_changed(scene):
    device = FakePicamera2()
    camera = pi_camera(device)
    watch(camera, 10)
    device.set.clear()
    device.scene = scene
    watch(camera, 30)
    assert device.set[0] == {"AeEnable": True, "ExposureTime": 0, "AnalogueGain": 0.0}
    assert device.set[1] == {"AwbEnable": True}


def test_an_empty_desk_for_a_moment_sets_nothing_free():
    device = FakePicamera2()
    camera = pi_camera(device)
    watch(camera, 10)
    device.set.clear()
    device.scene = 40
    watch(camera, 12)
    device.scene = 150
    watch(camera, 30)
    assert device.set == []


def test_a_lamp_in_the_picture_does_not_keep_it_hunting():
    device = FakePicamera2()
    device.scene = 255
    camera = pi_camera(device)
    watch(camera, 130)  # nine seconds
    assert sum("AeEnable" in change for change in device.set) == 1


@pytest.mark.parametrize("what", ["preview", "capture"])
def test_a_sensor_that_gives_no_more_frames_is_noticed(what):
    device = FakePicamera2()
    camera = pi_camera(device)
    camera.preview()
    device.dead = True
    with pytest.raises(CameraError, match="No picture comes"):
        getattr(camera, what)()


def test_it_is_let_go():
    device = FakePicamera2()
    WatchedCamera(pi_camera(device)).close()
    assert not device.running
    assert device.closed


def test_a_camera_that_cannot_be_stopped_holds_up_nobody():
    device = FakePicamera2()
    camera = pi_camera(device)
    device.stuck.clear()
    started = time.monotonic()
    camera.close()
    assert time.monotonic() - started < 4
    device.stuck.set()


@pytest.mark.parametrize("error", [IndexError, RuntimeError])
def test_a_pi_without_a_camera_says_so(error):
    def none(_number):
        raise error

    with pytest.raises(CameraError, match="sees no camera"):
        PiCamera(module=SimpleNamespace(Picamera2=none))


def test_a_camera_that_does_not_start_is_let_go():
    class Busy(FakePicamera2):
        def start(self, config=None, show_preview=False):
            raise RuntimeError("Failed to start camera")

    device = Busy()
    with pytest.raises(CameraError, match="does not start"):
        pi_camera(device)
    assert device.closed


def test_the_second_camera_can_be_named(monkeypatch):
    devices = []

    def opened(number):
        devices.append(FakePicamera2(number))
        return devices[-1]

    monkeypatch.setattr("edge.camera.picamera._module", lambda: SimpleNamespace(Picamera2=opened))
    open_camera("picamera2:1?size=1014x760").close()
    assert devices[0].camera_num == 1
    assert devices[0].asked["main"]["size"] == (1014, 760)


def test_usb_cameras_are_not_taken_for_the_pi_s_own():
    assert pi_cameras(SimpleNamespace(Picamera2=FakePicamera2)) == [(0, "imx477"), (2, "imx708")]
