"""Every source of pages is named in one line; what cannot be opened says why in one."""

import shutil
import threading
import time

import cv2
import numpy as np
import pytest

from edge.camera.camera import CameraError
from edge.camera.folder import WatchedFolder
from edge.camera.sources import open_camera, open_source
from edge.camera.video import VideoFile, small_grey
from homework.errors import UsageError
from models.simulation.desk import Desk, Sheet
from models.simulation.motion import Passing


@pytest.mark.parametrize(
    "spec",
    [
        "",
        "webcam",
        "v4l2:front",
        "v4l2:0?size=big",
        "v4l2:0?pace=2",
        "picamera2?zoom=3",
        "simulated:here?pace=fast",
        "simulated:here?pace=0",
        "simulated:here?seed=-1",
        "simulated:here?seed",
        "simulated:here?colour=red",
    ],
)
def test_a_source_that_is_put_wrongly_is_refused(spec):
    with pytest.raises(UsageError):
        open_source(spec)


@pytest.mark.parametrize("spec", ["v4l2:93", "video:/nowhere/film.avi", "folder:/nowhere", "picamera2"])
def test_a_source_that_is_not_there_is_a_camera_error(spec):
    with pytest.raises(CameraError) as caught:
        open_source(spec)
    assert caught.value.remedy


def test_a_folder_is_no_camera(tmp_path):
    with pytest.raises(UsageError):
        open_camera(f"folder:{tmp_path}")


@pytest.fixture
def picture():
    return cv2.imencode(".jpg", np.full((60, 80, 3), 200, np.uint8))[1].tobytes()


def gather(source, count, *, within_s=20.0):
    """The first `count` captures, or those that came in time."""
    captures = []
    timer = threading.Timer(within_s, source.close)
    timer.start()
    for capture in source.captures():
        captures.append(capture)
        if len(captures) == count:
            source.close()
    timer.cancel()
    return captures


def test_a_folder_gives_what_lies_there_and_what_comes_later(tmp_path, picture):
    (tmp_path / "a.jpg").write_bytes(picture)
    source = WatchedFolder(tmp_path, poll_s=0.05)
    threading.Timer(0.4, lambda: (tmp_path / "b.jpg").write_bytes(picture)).start()
    captures = gather(source, 2)
    assert [c.source.rpartition("/")[2] for c in captures] == ["a.jpg", "b.jpg"]
    assert captures[0].original == picture


def test_a_file_that_is_still_being_written_is_waited_for(tmp_path, picture):
    def slowly():
        with (tmp_path / "scan.jpg").open("wb") as file:
            for start in range(0, len(picture), 1 + len(picture) // 12):
                file.write(picture[start : start + 1 + len(picture) // 12])
                file.flush()
                time.sleep(0.06)

    writer = threading.Thread(target=slowly)
    source = WatchedFolder(tmp_path, poll_s=0.25)
    writer.start()
    captures = gather(source, 1)
    writer.join()
    assert captures[0].original == picture


def test_a_bad_file_costs_none_of_the_others(tmp_path, caplog):
    (tmp_path / "a.jpg").write_bytes(b"")
    (tmp_path / "b.jpg").write_bytes(b"no picture at all")
    (tmp_path / "notes.txt").write_text("no page")
    (tmp_path / "later").mkdir()
    (tmp_path / "later" / "c.png").write_bytes(cv2.imencode(".png", np.full((60, 80), 200, np.uint8))[1].tobytes())
    captures = gather(WatchedFolder(tmp_path, poll_s=0.05), 1)
    assert captures[0].source.endswith("c.png")
    assert "a.jpg" in caplog.text
    assert "b.jpg" in caplog.text


def test_a_file_is_given_once_until_it_changes(tmp_path, picture):
    (tmp_path / "a.jpg").write_bytes(picture)
    source = WatchedFolder(tmp_path, poll_s=0.05)
    threading.Timer(0.5, lambda: (tmp_path / "a.jpg").write_bytes(picture + b" ")).start()
    captures = gather(source, 3, within_s=1.5)
    assert [c.original for c in captures] == [picture, picture + b" "]


@pytest.fixture(scope="module")
def film(tmp_path_factory, print_worksheet):
    """Three sheets passing under a camera, as a document camera would record them."""
    cv2.setNumThreads(1)
    worksheet = print_worksheet()
    worksheet.write("1", "92")
    sheet = Sheet.of(worksheet.paper(), worksheet.px_per_mm)
    desk = Desk(page_mm=(210.0, 297.0), seed=2, frame_px=(1280, 960))
    passing = Passing(3, pace_s=1.3, page_mm=(210.0, 297.0), view_mm=desk.view_mm, seed=5)
    path = tmp_path_factory.mktemp("film") / "stack.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 15, (1280, 960))
    for at_s in np.arange(0, passing.duration_s, 1 / 15):
        moment = passing.at(at_s)
        writer.write(desk.photograph(moment, [sheet] * len(moment.sheets)))
    writer.release()
    return path


def test_each_sheet_of_a_film_is_taken_once(film):
    captures = list(open_source(f"video:{film}").captures())
    assert len(captures) == 3
    assert captures[0].image.shape == (960, 1280, 3)


def test_a_film_tells_its_own_time(film):
    camera = VideoFile(film)
    first, second = camera.preview(), camera.preview()
    camera.close()
    assert second.at_ms - first.at_ms == pytest.approx(1000 / 15, abs=1)
    assert first.image.shape == (480, 640)


def test_a_film_may_have_any_name(film, tmp_path):
    odd = tmp_path / "第一 节+50%.avi"
    shutil.copy(film, odd)
    camera = open_camera(f"video:{str(odd).replace('%', '%25')}")
    assert camera.preview() is not None
    camera.close()


def test_a_small_picture_is_not_enlarged():
    assert small_grey(np.zeros((120, 160, 3), np.uint8)).shape == (120, 160)
    assert small_grey(np.zeros((3040, 4056, 3), np.uint8)).shape == (480, 640)
