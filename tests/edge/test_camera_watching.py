"""A watched camera gives each sheet once, sharp, and says when the camera itself is in trouble."""

import cv2
import numpy as np
import pytest

from edge.camera.camera import CameraError
from edge.camera.watching import WatchedCamera, sharpness
from edge.frames import Frame
from edge.trigger import Event
from models.simulation.desk import Desk, Sheet
from models.simulation.motion import Hand, Moment, Pose


@pytest.fixture(scope="module")
def desk():
    cv2.setNumThreads(1)
    return Desk(page_mm=(210.0, 297.0), seed=3, frame_px=(2016, 1512))


@pytest.fixture(scope="module")
def sheet(print_worksheet):
    worksheet = print_worksheet()
    worksheet.write("1", "92")
    return Sheet.of(worksheet.paper(), worksheet.px_per_mm)


EMPTY, RESTING = Moment((), (), 0.0), Moment(((0, Pose(0, 0, 1)),), (), 0.0)


class ScriptedCamera:
    """Glass made of paper: it shows the moments of a script, one a preview."""

    name = "scripted"

    def __init__(self, desk, sheet, script, *, spoil=None):
        self.desk, self.sheet, self.script = desk, sheet, script
        self.spoil = spoil or (lambda image, _shot: image)
        self.shown = self.shots = 0
        self.closed = False

    def moment(self):
        return self.script[min(self.shown, len(self.script)) - 1]

    def preview(self):
        if self.shown == len(self.script):
            return None
        self.shown += 1
        moment = self.moment()
        return Frame(self.desk.preview(moment, [self.sheet] * len(moment.sheets)), 40 * self.shown)

    def capture(self):
        self.shots += 1
        moment = self.moment()
        image = self.desk.photograph(moment, [self.sheet] * len(moment.sheets))
        return Frame(self.spoil(image, self.shots), 40 * self.shown)

    def close(self):
        self.closed = True


TWICE = ([EMPTY] * 8 + [RESTING] * 12) * 2 + [EMPTY] * 8


def test_each_rest_gives_one_capture_at_full_size(desk, sheet):
    captures = list(WatchedCamera(ScriptedCamera(desk, sheet, TWICE)).captures())
    assert [c.image.shape for c in captures] == [(1512, 2016, 3)] * 2
    assert {c.source for c in captures} == {"scripted"}


def test_a_sharp_picture_is_taken_once(desk, sheet):
    camera = ScriptedCamera(desk, sheet, TWICE)
    assert len(list(WatchedCamera(camera).captures())) == 2
    assert camera.shots == 2


def test_of_a_shaken_picture_and_a_sharp_one_the_sharp_one_is_kept(desk, sheet):
    camera = ScriptedCamera(
        desk, sheet, TWICE, spoil=lambda image, shot: cv2.blur(image, (9, 1)) if shot == 2 else image
    )
    first, second = WatchedCamera(camera).captures()
    assert camera.shots == 3
    assert sharpness(second.image) == pytest.approx(sharpness(first.image), rel=0.1)


def test_a_picture_of_the_next_scene_is_never_taken_for_this_one(desk, sheet):
    def gone(image, shot):
        return cv2.blur(image, (9, 1)) if shot == 2 else image if shot == 1 else np.full_like(image, 90)

    camera = ScriptedCamera(desk, sheet, TWICE, spoil=gone)
    _, second = WatchedCamera(camera).captures()
    assert second.image.std() > 30


def test_who_watches_hears_of_rest_and_leaving(desk, sheet):
    heard = []
    list(WatchedCamera(ScriptedCamera(desk, sheet, TWICE), on_event=heard.append).captures())
    assert heard == [Event.RESTED, Event.LEFT] * 2


def held(x_mm):
    return Moment(RESTING.sheets, (Hand(x_mm, 40, 1),), 0.0)


def unlike(image, other):
    """Mean difference, in grey levels; two photographs of one scene differ by their noise."""
    return float(np.abs(image.astype(np.float32) - other).mean())


def test_when_the_hand_goes_the_picture_without_it_is_kept(desk, sheet):
    script = [EMPTY] * 8 + [held(95)] * 8 + [held(160), held(260), held(380)] + [RESTING] * 8 + [EMPTY] * 8
    camera = ScriptedCamera(desk, sheet, script)
    (capture,) = WatchedCamera(camera).captures()
    assert camera.shots == 2
    assert unlike(capture.image, desk.photograph(RESTING, [sheet])) < 4
    assert unlike(capture.image, desk.photograph(held(95), [sheet])) > 6


def test_a_hand_that_stays_is_not_waited_for_for_ever(desk, sheet):
    camera = ScriptedCamera(desk, sheet, [EMPTY] * 8 + [held(95)] * 40)
    (capture,) = WatchedCamera(camera).captures()
    assert capture.image.std() > 30
    assert camera.shots == 1


def test_a_sheet_that_goes_with_the_hand_on_it_is_kept_all_the_same(desk, sheet):
    camera = ScriptedCamera(desk, sheet, [EMPTY] * 8 + [held(95)] * 7 + [EMPTY] * 8)
    assert len(list(WatchedCamera(camera).captures())) == 1


class ShiftingLens(ScriptedCamera):
    """One whose lens slips out of focus before its second picture, until it is told to focus."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.blurred = self.cycles = 0

    def capture(self):
        frame = super().capture()
        self.blurred = self.shots >= 2 and not self.cycles
        return Frame(cv2.GaussianBlur(frame.image, (0, 0), 2.0), frame.at_ms) if self.blurred else frame

    def refocus(self):
        self.cycles += 1


def test_a_lens_that_has_slipped_is_focused_when_no_picture_is_sharp(desk, sheet):
    camera = ShiftingLens(desk, sheet, TWICE)
    first, second = WatchedCamera(camera).captures()
    assert camera.cycles == 1
    assert sharpness(second.image) == pytest.approx(sharpness(first.image), rel=0.1)


class DyingCamera(ScriptedCamera):
    """One whose cable comes loose at the end of its script."""

    def preview(self):
        frame = super().preview()
        if frame is None:
            raise CameraError("No picture comes from it.", remedy="Plug it in again.")
        return frame


def test_a_camera_that_dies_over_a_sheet_loses_no_picture_that_it_took(desk, sheet):
    captures = WatchedCamera(DyingCamera(desk, sheet, [EMPTY] * 8 + [held(95)] * 7)).captures()
    assert next(captures).image.shape == (1512, 2016, 3)
    with pytest.raises(CameraError, match="No picture"):
        next(captures)


def test_a_live_picture_is_told_once_a_dead_one_never(desk, sheet):
    heard = []
    list(WatchedCamera(ScriptedCamera(desk, sheet, TWICE), on_alive=lambda: heard.append("alive")).captures())
    assert heard == ["alive"]
    for dead in (np.zeros((480, 640), np.uint8), np.full((480, 640), 120, np.uint8)):
        with pytest.raises(CameraError):
            list(WatchedCamera(StillCamera(dead), on_alive=lambda: heard.append("dead")).captures())
    assert heard == ["alive"]


def test_closing_ends_it_and_lets_the_camera_go(desk, sheet):
    camera = ScriptedCamera(desk, sheet, TWICE)
    watched = WatchedCamera(camera)
    for _ in watched.captures():
        watched.close()
    assert camera.closed
    assert camera.shots == 1


class StillCamera:
    name = "still"

    def __init__(self, image):
        self.image, self.count = image, 0

    def preview(self):
        self.count += 1
        return Frame(self.image, 100 * self.count)

    def capture(self):
        raise AssertionError

    def close(self):
        pass


def test_a_frozen_picture_is_reported():
    frozen = np.random.default_rng(0).integers(90, 110, (480, 640)).astype(np.uint8)
    with pytest.raises(CameraError, match="stands still"):
        list(WatchedCamera(StillCamera(frozen)).captures())


def test_a_cap_on_the_lens_is_reported():
    with pytest.raises(CameraError, match="black"):
        list(WatchedCamera(StillCamera(np.zeros((480, 640), np.uint8))).captures())


class DarkCamera(StillCamera):
    """A cap on the lens of a sensor with its gain turned up: never twice the same, with hot pixels."""

    def preview(self):
        self.image = np.random.default_rng(self.count).integers(0, 9, (480, 640)).astype(np.uint8)
        self.image[::97, ::61] = 210
        return super().preview()


def test_a_cap_is_known_through_noise_and_hot_pixels():
    with pytest.raises(CameraError, match="black"):
        list(WatchedCamera(DarkCamera(None)).captures())


@pytest.mark.parametrize("spoil", [lambda i: cv2.GaussianBlur(i, (0, 0), 1.5), lambda i: cv2.blur(i, (6, 1))])
def test_blur_of_any_kind_lowers_the_sharpness(desk, sheet, spoil):
    picture = desk.photograph(RESTING, [sheet])
    assert sharpness(spoil(picture)) < 0.75 * sharpness(picture)


def test_an_empty_desk_is_not_called_sharp(desk, sheet):
    assert sharpness(desk.photograph(EMPTY, [])) < 0.3 * sharpness(desk.photograph(RESTING, [sheet]))
