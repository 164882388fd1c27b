"""Every source of pages is named in one line; what cannot be opened says why in one."""

import shutil
import threading
import time

import cv2
import numpy as np
import pypdfium2
import pytest

from edge.camera.camera import CameraError
from edge.camera.folder import WatchedFolder
from edge.camera.sources import open_camera, open_source
from edge.camera.video import VideoFile, small_grey
from edge.picture_files import captures_in
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


def written_in_two(path, data, *, pause_s):
    with path.open("wb") as file:
        file.write(data[: len(data) // 2])
        file.flush()
        time.sleep(pause_s)
        file.write(data[len(data) // 2 :])


@pytest.mark.parametrize("kind", ["jpg", "png", "pdf"])
def test_a_scanner_that_pauses_in_the_middle_of_a_file_is_waited_for(tmp_path, picture, kind):
    if kind == "pdf":
        document = pypdfium2.PdfDocument.new()
        document.new_page(200, 280)
        document.save(tmp_path / "hidden")
        data = (tmp_path / "hidden").read_bytes()
    else:
        data = cv2.imencode(f".{kind}", cv2.imdecode(np.frombuffer(picture, np.uint8), 1))[1].tobytes()
    writer = threading.Thread(target=written_in_two, args=(tmp_path / f"scan.{kind}", data), kwargs={"pause_s": 0.6})
    source = WatchedFolder(tmp_path, poll_s=0.05)
    writer.start()
    captures = gather(source, 2, within_s=1.5)
    writer.join()
    assert len(captures) == 1
    assert round(captures[0].image.mean()) == (255 if kind == "pdf" else 200)


def test_a_file_that_never_gets_its_end_is_taken_in_the_end(tmp_path, picture):
    (tmp_path / "with a film behind it.jpg").write_bytes(picture + bytes(4000))
    assert len(gather(WatchedFolder(tmp_path, poll_s=0.05, patience_s=0.3), 1)) == 1


def test_a_file_that_gets_another_name_is_not_given_again(tmp_path, picture):
    (tmp_path / "a.jpg").write_bytes(picture)
    source = WatchedFolder(tmp_path, poll_s=0.05)
    threading.Timer(0.4, lambda: (tmp_path / "a.jpg").rename(tmp_path / "class 3.jpg")).start()
    assert len(gather(source, 2, within_s=1.2)) == 1


def test_a_file_that_is_renamed_into_place_is_taken(tmp_path, picture):
    (tmp_path / "scan.part").write_bytes(picture)
    source = WatchedFolder(tmp_path, poll_s=0.05)
    threading.Timer(0.3, lambda: (tmp_path / "scan.part").rename(tmp_path / "scan.jpg")).start()
    assert [c.source.rpartition("/")[2] for c in gather(source, 1)] == ["scan.jpg"]


def test_a_file_that_changes_while_it_is_read_is_read_again(tmp_path, picture, monkeypatch):
    path = tmp_path / "a.jpg"
    path.write_bytes(picture)
    other = cv2.imencode(".jpg", np.full((60, 80, 3), 90, np.uint8))[1].tobytes()
    read = []

    def reads(found):
        captures = list(captures_in(found))
        if not read:
            path.write_bytes(other)
        read.append(found)
        return iter(captures)

    monkeypatch.setattr("edge.camera.folder.captures_in", reads)
    captures = gather(WatchedFolder(tmp_path, poll_s=0.05), 2, within_s=1.0)
    assert [round(c.image.mean()) for c in captures] == [90]


def test_scans_of_many_pages_and_films_are_handed_on_page_by_page(tmp_path, film):
    document = pypdfium2.PdfDocument.new()
    for _ in range(3):
        document.new_page(200, 280)
    document.save(tmp_path / "a.pdf")
    shutil.copy(film, tmp_path / "b.avi")
    captures = gather(WatchedFolder(tmp_path, poll_s=0.05), 6)
    assert [(c.source.rpartition("/")[2], c.page_of_source) for c in captures] == [
        *[("a.pdf", page) for page in (1, 2, 3)],
        *[("b.avi", page) for page in (1, 2, 3)],
    ]


def test_a_stick_that_is_pulled_out_is_a_camera_error(tmp_path, picture):
    folder = tmp_path / "stick"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(picture)
    captures = WatchedFolder(folder, poll_s=0.05).captures()
    next(captures)
    shutil.rmtree(folder)
    with pytest.raises(CameraError, match="no folder"):
        next(captures)


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
