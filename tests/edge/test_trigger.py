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


# At one sheet a second a camera of 15 frames a second is too slow: seed 0 loses three of six. So quick, it takes 25.
@settings(max_examples=6, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000), pace_s=st.floats(1.33, 2.0), frame_ms=st.sampled_from([33, 40, 66]))
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


def test_a_hand_in_view_is_waited_for_but_not_for_ever(scene):
    scene.show(seconds=0.5)
    scene.slide(0, AWAY_RIGHT, REST, hand=True)
    rested_ms = scene.at_ms
    scene.show((0, REST), hands=(Hand(99, 40, 1),), seconds=2)
    assert len(scene.taken()) == 1
    assert 250 <= scene.taken()[0] - rested_ms < 700


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
