"""The trigger takes each sheet once, when it rests, and is fooled by nothing else that happens on a desk."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.frames import Frame
from edge.trigger import Event, Trigger
from models.simulation.desk import Desk, Sheet
from models.simulation.motion import Hand, Moment, Passing, Pose

A4 = (210.0, 297.0)
FRAME_MS = 40


@pytest.fixture(scope="module")
def desk():
    cv2.setNumThreads(1)
    return Desk(page_mm=A4, seed=3, frame_px=(1280, 960))


@pytest.fixture(scope="module")
def sheets(print_worksheet):
    made = []
    for seed in range(4):
        sheet = print_worksheet(seed=seed)
        for item, text in (("1", "92"), ("2", "48"), ("3", "3/4"), ("4", "8……1")):
            sheet.write(item, text)
        made.append(Sheet.of(sheet.paper(), sheet.px_per_mm))
    return made


class Scene:
    """A desk that time passes on: `show` what lies there for a while, and gather the trigger's events."""

    def __init__(self, desk, sheets):
        self.desk, self.sheets, self.trigger = desk, sheets, Trigger()
        self.at_ms = 0
        self.events = []

    def frame(self, moment, change=None):
        image = self.desk.preview(moment, [self.sheets[k % len(self.sheets)] for k, _ in moment.sheets])
        event = self.trigger.see(Frame(image if change is None else change(image, self.at_ms / 1000), self.at_ms))
        if event is not None:
            self.events.append((self.at_ms, event))
        self.at_ms += FRAME_MS

    def show(self, *sheets, hands=(), seconds=0.6, change=None):
        for _ in range(round(seconds * 1000 / FRAME_MS)):
            self.frame(Moment(tuple(sheets), tuple(hands), 0.0), change)

    def slide(self, index, start, end, *, below=(), hand=False, seconds=0.4):
        steps = round(seconds * 1000 / FRAME_MS)
        for step in range(steps + 1):
            u = step / steps
            u = u * u * (3 - 2 * u)
            a, b = np.array([start.x_mm, start.y_mm, start.turn_deg]), np.array([end.x_mm, end.y_mm, end.turn_deg])
            pose = Pose(*(a + u * (b - a)))
            hands = (Hand(pose.x_mm + 99, 40, 1),) if hand else ()
            self.frame(Moment((*below, (index, pose)), hands, 0.0))

    def taken(self):
        return [at_ms for at_ms, event in self.events if event is Event.RESTED]


@pytest.fixture
def scene(desk, sheets):
    return Scene(desk, sheets)


REST, AWAY_RIGHT, AWAY_LEFT = Pose(0, 0, 1), Pose(380, 0, 4), Pose(-380, 0, -3)


def taken_of(desk, sheets, *, pace_s, count, seed, frame_ms=FRAME_MS, change=None):
    """Which sheets of a stack are resting when the trigger says so."""
    passing = Passing(count, pace_s=pace_s, page_mm=A4, view_mm=desk.view_mm, seed=seed)
    trigger, found = Trigger(), []
    for at_ms in range(0, round(passing.duration_s * 1000), frame_ms):
        moment = passing.at(at_ms / 1000)
        image = desk.preview(moment, [sheets[k % len(sheets)] for k, _ in moment.sheets])
        if trigger.see(Frame(image if change is None else change(image, at_ms / 1000), at_ms)) is Event.RESTED:
            found.append(passing.resting(at_ms / 1000))
    return found


@pytest.mark.parametrize("pace_s", [1.0, 1.33, 2.5])
def test_each_sheet_of_a_stack_is_taken_once_while_it_rests(desk, sheets, pace_s):
    assert taken_of(desk, sheets, pace_s=pace_s, count=15, seed=1) == list(range(15))


@pytest.mark.parametrize("seed", [0, 3, 16])
def test_one_sheet_a_second_is_not_too_quick_for_fifteen_frames_a_second(desk, sheets, seed):
    assert taken_of(desk, sheets, pace_s=1.0, count=6, seed=seed, frame_ms=66) == list(range(6))


@settings(max_examples=6, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000), pace_s=st.floats(1.0, 2.0), frame_ms=st.sampled_from([33, 40, 66, 83]))
def test_no_way_of_sliding_loses_a_sheet(desk, sheets, seed, pace_s, frame_ms):
    found = taken_of(desk, sheets, pace_s=pace_s, count=6, seed=seed, frame_ms=frame_ms)
    assert found == list(range(6))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(
            lambda image, t: np.clip(image * (1 + 0.25 * np.sin(0.9 * t)), 0, 255).astype(np.uint8), id="lamp drifts"
        ),
        pytest.param(lambda image, _t: (image * 0.35).astype(np.uint8), id="dim room"),
        pytest.param(
            lambda image, t: np.clip(
                image + np.random.default_rng(int(1000 * t)).normal(0, 9, image.shape), 0, 255
            ).astype(np.uint8),
            id="noisy sensor",
        ),
        pytest.param(lambda image, _t: cv2.GaussianBlur(image, (0, 0), 1.0), id="soft lens"),
    ],
)
def test_bad_pictures_lose_no_sheet(desk, sheets, change):
    assert taken_of(desk, sheets, pace_s=1.33, count=8, seed=4, change=change) == list(range(8))


@pytest.mark.parametrize("grey", [160, 210, 235])
def test_a_light_desk_loses_no_sheet(sheets, grey):
    light = Desk(page_mm=A4, seed=3, frame_px=(1280, 960))
    light._wood_small = np.full_like(light._wood_small, grey)
    assert taken_of(light, sheets, pace_s=1.0, count=6, seed=5, frame_ms=66) == list(range(6))


def test_an_empty_desk_is_never_taken(scene):
    scene.show(seconds=5)
    assert scene.events == []


def test_a_sheet_that_lies_there_at_the_start_is_taken_once(scene):
    scene.show((0, REST), seconds=5)
    assert len(scene.taken()) == 1


def test_it_is_taken_soon_after_it_rests(scene):
    scene.show(seconds=0.5)
    scene.slide(0, AWAY_RIGHT, REST)
    rested_ms = scene.at_ms
    scene.show((0, REST), seconds=1)
    assert scene.taken()[0] - rested_ms < 300


def test_nothing_is_taken_while_it_moves(scene):
    scene.slide(0, AWAY_RIGHT, AWAY_LEFT, seconds=4)
    assert scene.taken() == []


def test_its_leaving_is_told_once(scene):
    scene.show((0, REST))
    scene.slide(0, REST, AWAY_LEFT)
    scene.show(seconds=1)
    assert [event for _, event in scene.events] == [Event.RESTED, Event.LEFT]


def test_the_same_sheet_put_back_is_a_new_rest(scene):
    for _ in range(2):
        scene.slide(0, AWAY_RIGHT, REST)
        scene.show((0, REST))
        scene.slide(0, REST, AWAY_LEFT)
        scene.show(seconds=0.4)
    assert len(scene.taken()) == 2


def test_a_nudge_is_no_new_sheet(scene):
    scene.show((0, REST))
    scene.slide(0, REST, Pose(4, 3, 1.5), seconds=0.2)
    scene.show((0, Pose(4, 3, 1.5)), seconds=1)
    assert len(scene.taken()) == 1


def test_a_sheet_laid_on_the_last_one_is_new(scene):
    scene.show((0, REST))
    scene.slide(1, AWAY_RIGHT, Pose(1, 0, 0), below=((0, REST),))
    scene.show((0, REST), (1, Pose(1, 0, 0)), seconds=1)
    assert len(scene.taken()) == 2


def test_a_hand_that_comes_to_rest_and_goes_is_no_new_sheet(scene):
    scene.show((0, REST))
    for x in (180, 140, 110, 95):
        scene.show((0, REST), hands=(Hand(x, 40, 1),), seconds=0.1)
    scene.show((0, REST), hands=(Hand(95, 40, 1),), seconds=2)
    scene.show((0, REST), seconds=1)
    assert len(scene.taken()) == 1


def test_a_hand_in_view_is_told_and_its_going_too(scene):
    scene.show(seconds=0.5)
    scene.slide(0, AWAY_RIGHT, REST, hand=True)
    scene.show((0, REST), hands=(Hand(99, 40, 1),), seconds=0.4)
    assert scene.trigger.hand
    for x in (140, 220, 320, 420):
        scene.show((0, REST), hands=(Hand(x, 60, 1),), seconds=0.04)
    scene.show((0, REST), seconds=0.4)
    assert [event for _, event in scene.events] == [Event.RESTED, Event.CLEARED]
    assert not scene.trigger.hand


def test_a_sheet_that_sticks_out_of_the_picture_is_taken_once(scene):
    low = Pose(0, 60, 1)
    scene.show(seconds=0.4)
    scene.slide(0, Pose(380, 60, 1), low)
    scene.show((0, low), seconds=4)
    assert len(scene.taken()) == 1


def test_a_light_switched_on_does_not_take_the_sheet_again(scene):
    scene.show((0, REST), seconds=1, change=lambda image, _t: (image * 0.6).astype(np.uint8))
    scene.show((0, REST), seconds=2)
    assert len(scene.taken()) == 1


def test_a_room_that_is_lit_while_it_lies_there_is_no_new_sheet(scene):
    scene.show((0, REST), seconds=1, change=lambda image, _t: (image * 0.3).astype(np.uint8))
    scene.show((0, REST), seconds=1)
    scene.show((0, REST), seconds=1, change=lambda image, _t: (image * 0.25).astype(np.uint8))
    assert len(scene.taken()) == 1


def test_lights_switched_while_a_stack_slides_lose_no_sheet_and_double_none(desk, sheets):
    def switched(image, t):
        return (image * (0.45 if int(t / 1.9) % 2 else 1.0)).astype(np.uint8)

    assert taken_of(desk, sheets, pace_s=1.33, count=8, seed=6, change=switched) == list(range(8))


def shadow(image, t, *, depth=0.45, soft_px=60, wide_px=220, px_per_s=260):
    """Somebody walks past the lamp, from left to right and back again: a band that is darker, its edges soft."""
    way = image.shape[1] + 2 * wide_px
    place = (px_per_s * t) % (2 * way)
    centre = min(place, 2 * way - place) - wide_px
    x = np.arange(image.shape[1])
    dark = 1 / (1 + np.exp(-(wide_px / 2 - np.abs(x - centre)) / (soft_px / 4)))
    return (image * (1 - depth * dark)).astype(np.uint8)


def test_a_shadow_that_walks_by_is_no_sheet(scene):
    scene.show(seconds=6, change=shadow)
    assert scene.events == []


def test_a_shadow_over_a_sheet_that_lies_there_is_no_new_sheet(scene):
    scene.show((0, REST), seconds=9, change=shadow)
    assert len(scene.taken()) == 1
    assert [event for _, event in scene.events] == [Event.RESTED]


@pytest.mark.parametrize("seed", [2, 9])
def test_a_shadow_that_walks_by_while_a_stack_slides_loses_no_sheet(desk, sheets, seed):
    assert taken_of(desk, sheets, pace_s=1.33, count=8, seed=seed, change=shadow) == list(range(8))


def knocked(dx, dy, *, at_s, shake_s=0.2):
    """The camera's arm is knocked at `at_s`: it shakes and stays where it was pushed to (pixels)."""

    def change(image, t):
        if t < at_s:
            return image
        swing = np.exp(-(t - at_s) / 0.06) if t < at_s + shake_s else 0.0
        move = np.array([[1, 0, dx + 14 * swing * np.sin(60 * t)], [0, 1, dy - 9 * swing * np.cos(60 * t)]], np.float32)
        return cv2.warpAffine(image, move, (image.shape[1], image.shape[0]), borderMode=cv2.BORDER_REPLICATE)

    return change


@pytest.mark.parametrize(("dx", "dy"), [(0, 0), (12, -6), (26, 10), (-38, 4)])
def test_a_camera_that_is_knocked_takes_the_sheet_no_second_time(scene, dx, dy):
    scene.show((0, REST), seconds=3, change=knocked(dx, dy, at_s=1.0))
    assert len(scene.taken()) == 1


def test_after_a_knock_the_next_sheet_is_taken(scene):
    change = knocked(22, 8, at_s=0.8)
    scene.show((0, REST), seconds=2, change=change)
    assert len(scene.taken()) == 1
    for x in np.linspace(0, -400, 10):
        scene.show((0, Pose(x, 0, 1)), seconds=FRAME_MS / 1000, change=change)
    scene.show(seconds=0.3, change=change)
    for x in np.linspace(400, 0, 10):
        scene.show((1, Pose(x, 0, 1)), seconds=FRAME_MS / 1000, change=change)
    scene.show((1, REST), seconds=1, change=change)
    assert len(scene.taken()) == 2


def test_a_sheet_that_hesitates_half_way_in_is_taken_where_it_rests(scene):
    half = Pose(190, 5, 3)
    scene.show(seconds=0.4)
    scene.slide(0, AWAY_RIGHT, half, hand=True)
    scene.show((0, half), hands=(Hand(half.x_mm + 99, 40, 1),), seconds=0.4)
    scene.slide(0, half, REST, hand=True)
    rested_ms = scene.at_ms
    scene.show((0, REST), hands=(Hand(99, 40, 1),), seconds=1)
    assert len(scene.taken()) == 1
    assert scene.taken()[0] >= rested_ms


def test_a_sheet_that_stops_and_goes_on_is_taken_again_where_it_rests(scene):
    stop = Pose(60, 5, 3)
    scene.show(seconds=0.4)
    scene.slide(0, AWAY_RIGHT, stop, hand=True)
    scene.show((0, stop), hands=(Hand(stop.x_mm + 99, 40, 1),), seconds=0.3)
    scene.slide(0, stop, REST, hand=True, seconds=0.5)
    rested_ms = scene.at_ms
    scene.show((0, REST), hands=(Hand(99, 40, 1),), seconds=1)
    assert scene.taken()[-1] >= rested_ms


def test_a_sheet_that_is_swapped_under_the_hand_is_new(scene):
    """Out and in again while the arm lies across the picture, the new sheet exactly where the old one was."""
    scene.show((0, REST))
    arm = (Hand(60, 20, 1),)
    for x in (200, 150, 100, 60):
        scene.show((0, REST), hands=(Hand(x, 20, 1),), seconds=0.04)
    for x in np.linspace(0, -380, 9):
        scene.show((0, Pose(x, 0, 1)), hands=arm, seconds=FRAME_MS / 1000)
    for x in np.linspace(380, 0, 9):
        scene.show((1, Pose(x, 0, 1)), hands=arm, seconds=FRAME_MS / 1000)
    scene.show((1, REST), hands=arm, seconds=1)
    assert len(scene.taken()) == 2


def test_the_top_sheet_of_a_pile_pulled_away_shows_a_new_one(scene):
    below = (1, Pose(0.5, 0, 1))
    scene.show(below, (0, REST))
    for x in np.linspace(0, -380, 7):
        scene.show(below, (0, Pose(x, 0, 1)), seconds=FRAME_MS / 1000)
    scene.show(below, seconds=1)
    assert len(scene.taken()) == 2


def test_sheets_that_are_laid_on_each_other_are_each_taken_once(scene):
    pile = []
    for k, x in enumerate((0, 4, -3, 2)):
        rest = Pose(x, x / 2, 1)
        scene.slide(k, AWAY_RIGHT, rest, below=tuple(pile), hand=True)
        pile.append((k, rest))
        scene.show(*pile, hands=(Hand(99 + x, 40, 1),), seconds=0.2)
        scene.show(*pile, seconds=0.5)
    assert len(scene.taken()) == 4


def test_hands_that_stay_on_every_sheet_lose_none(desk, sheets):
    passing = Passing(8, pace_s=1.0, page_mm=A4, view_mm=desk.view_mm, seed=12)
    passing._hand_stays[:] = True
    trigger, found = Trigger(), []
    for at_ms in range(0, round(passing.duration_s * 1000), 66):
        moment = passing.at(at_ms / 1000)
        image = desk.preview(moment, [sheets[k % len(sheets)] for k, _ in moment.sheets])
        if trigger.see(Frame(image, at_ms)) is Event.RESTED:
            found.append(passing.resting(at_ms / 1000))
    assert found == list(range(8))
