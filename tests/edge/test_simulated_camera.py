"""A virtual class passes under the virtual lens, and what it wrote is known."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from edge.camera.camera import CameraError
from edge.camera.simulated import TurnedClock, simulated_camera
from edge.camera.sources import open_camera
from edge.camera.watching import WatchedCamera
from edge.cli import main
from edge.registration.code import find_codes
from edge.registration.markers import Pyramid
from homework.assignment import assignment_to_toml, parse_assignment
from homework.errors import BadFileError
from homework.layout import layout_to_json
from homework.roster import roster_to_csv
from homework.sheets import make_sheets
from models.simulation.classroom import made_up_roster

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "g3-mul-2x1.toml"
SMALL = (2028, 1520)


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    """What `classbox print` writes, and a class list."""
    cv2.setNumThreads(1)
    folder = tmp_path_factory.mktemp("printed")
    sheets = make_sheets(parse_assignment(EXAMPLE.read_text(encoding="utf-8")), class_name="3-1")
    (folder / "worksheets.pdf").write_bytes(sheets.worksheets_pdf)
    (folder / "layout.json").write_text(layout_to_json(sheets.layout), encoding="utf-8")
    (folder / "assignment.toml").write_text(assignment_to_toml(sheets.assignment), encoding="utf-8")
    (folder / "roster.csv").write_text(roster_to_csv(made_up_roster(9)), encoding="utf-8")
    return folder


def class_of(printed, **options):
    options = {"pupils": 3, "roster": printed / "roster.csv", "frame_px": SMALL, "timer": TurnedClock()} | options
    return simulated_camera(printed, **options)


def truths_of(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_every_sheet_is_taken_once_in_the_order_of_the_stack(printed, tmp_path):
    camera = class_of(printed, truth=tmp_path / "truth.jsonl")
    source = WatchedCamera(camera)
    pages = []
    for capture in source.captures():
        codes = find_codes(Pyramid(capture.image))
        pages.append((codes[0].code.sheet, codes[0].code.page))
    source.close()
    truths = truths_of(tmp_path / "truth.jsonl")
    assert [(t["sheet"], t["page"]) for t in truths] == pages
    assert [t["place"] for t in truths] == list(range(1, len(pages) + 1))


def test_the_truth_names_everybody_and_every_field(printed, tmp_path):
    camera = class_of(printed, truth=tmp_path / "truth.jsonl")
    while camera.preview() is not None:
        pass
    camera.close()
    truths = truths_of(tmp_path / "truth.jsonl")
    layout = json.loads((printed / "layout.json").read_text(encoding="utf-8"))
    assert {t["seat"] for t in truths} == {1, 2, 3}
    for truth in truths:
        fields = layout["pages"][truth["page"] - 1]["fields"]
        assert [(f["item"], f["blank"]) for f in truth["fields"]] == [(f["item"], f["blank"]) for f in fields]


def test_a_sheet_that_nobody_takes_passes_all_the_same(printed):
    camera = class_of(printed, pace_s=1.0)
    started = camera._timer.now_s()
    while camera.preview() is not None:
        pass
    camera.close()
    assert camera._timer.now_s() - started == pytest.approx(camera.passing.duration_s, abs=0.2)


def test_a_patient_hand_waits_for_the_picture(printed):
    camera = class_of(printed, pace_s=1.0, patient=True)
    while camera.passing.resting(camera._time_s() if camera._started_s is not None else 0.0) is None:
        camera.preview()
    before = camera._timer.now_s()
    while camera._timer.now_s() < before + 3:
        camera.preview()
    assert camera.passing.resting(camera._time_s()) == 0
    camera.capture()
    while camera._timer.now_s() < before + 3.3:
        camera.preview()
    assert camera.passing.resting(camera._time_s()) is None
    camera.close()


def test_even_a_patient_hand_gives_up(printed):
    camera = class_of(printed, pace_s=1.0, patient=True)
    started = camera._timer.now_s()
    while camera.preview() is not None:
        pass
    waited = camera._timer.now_s() - started - camera.passing.duration_s
    assert waited == pytest.approx(len(camera.classroom) * camera.PATIENCE_S, rel=0.1)
    camera.close()


def test_the_full_picture_has_the_size_that_was_asked_for(printed):
    camera = class_of(printed)
    camera.preview()
    assert camera.capture().image.shape == (SMALL[1], SMALL[0], 3)
    camera.close()


def test_the_same_seed_makes_the_same_stack(printed, tmp_path):
    for name in ("one", "two"):
        camera = class_of(printed, truth=tmp_path / name)
        while camera.preview() is not None:
            pass
        camera.close()
    assert (tmp_path / "one").read_text() == (tmp_path / "two").read_text()


def test_closing_ends_a_class_that_is_under_way(printed):
    camera = class_of(printed)
    assert camera.preview() is not None
    camera.close()
    assert camera.preview() is None
    with pytest.raises(CameraError):
        camera.capture()


def test_a_class_can_be_named_in_one_line(printed):
    camera = open_camera(f"simulated:{printed}?roster={printed}/roster.csv&pace=2&seed=3&class=2&size=1014x760")
    assert len(camera.classroom) == 2 * len(camera.classroom.layout.pages)
    assert camera.preview() is not None
    assert camera.capture().image.shape == (760, 1014, 3)
    camera.close()


def test_without_a_class_list_pupils_are_made_up(printed):
    camera = open_camera(f"simulated:{printed}?class=4&size=1014x760")
    assert camera.classroom.truth(0).pupil.startswith("S0")
    camera.close()


@pytest.mark.parametrize("missing", ["worksheets.pdf", "layout.json", "assignment.toml"])
def test_a_folder_that_lacks_a_file_is_refused(printed, tmp_path, missing):
    for file in printed.iterdir():
        if file.name != missing:
            (tmp_path / file.name).write_bytes(file.read_bytes())
    with pytest.raises(BadFileError, match=missing):
        simulated_camera(tmp_path)


def run(*words):
    return CliRunner().invoke(main, ["camera", *words])


def test_the_command_says_what_a_camera_sees(printed, tmp_path):
    result = run("test", f"simulated:{printed}?class=1&size=2028x1520", "--json", "--save", str(tmp_path / "seen.png"))
    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout)
    assert (figures["width_px"], figures["height_px"]) == SMALL
    assert figures["rested"]
    assert figures["markers"] == 4
    assert figures["sheet"] == json.loads((printed / "layout.json").read_text())["sheet"]
    assert figures["px_per_mm"] == pytest.approx(SMALL[1] / 297 / 1.09, rel=0.05)
    assert figures["slant"] < 1.1
    assert cv2.imread(str(tmp_path / "seen.png")).shape == (SMALL[1], SMALL[0], 3)


def test_the_command_says_when_there_is_no_sheet(printed, monkeypatch):
    monkeypatch.setenv("CLASSBOX_LANG", "en")
    result = run("test", f"simulated:{printed}?class=1&size=1014x760", "--wait", "0.1")
    assert result.exit_code == 0, result.output
    assert "No sheet is found" in result.stdout


def test_the_command_helps_with_the_focus(printed, monkeypatch):
    monkeypatch.setenv("CLASSBOX_LANG", "en")
    result = run("focus", f"simulated:{printed}?class=1&size=1014x760", "--times", "3")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert len([float(line.split()[0]) for line in lines]) == 3
    assert all("best" in line and "light" in line for line in lines)
    assert "No sheet is found" in lines[0]


def test_the_focus_is_told_to_machines_too(printed):
    result = run("focus", f"simulated:{printed}?class=1&size=1014x760", "--times", "2", "--json")
    found = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["best"] >= line["sharpness"] for line in found] == [True, True]


def test_the_command_lists_what_is_connected(tmp_path, monkeypatch):
    for number, (name, index) in enumerate([("Document camera", 0), ("Document camera", 1), ("bcm2835-isp", 0)]):
        device = tmp_path / f"video{number}"
        device.mkdir()
        (device / "name").write_text(f"{name}\n")
        (device / "index").write_text(f"{index}\n")
    monkeypatch.setattr("edge.commands.camera._DEVICES", tmp_path)
    found = json.loads(run("list", "--json").stdout)
    assert {"source": "v4l2:0", "name": "Document camera"} in found
    assert not any(camera["source"] in {"v4l2:1", "v4l2:2"} for camera in found)


def test_a_picture_that_cannot_be_written_is_an_error_with_a_remedy(printed):
    result = run("test", f"simulated:{printed}?class=1&size=1014x760", "--wait", "0.1", "--save", "/nowhere/x.jpg")
    assert result.exit_code == 1
    assert "Traceback" not in result.output
    assert np.all([part in result.stderr for part in ("/nowhere/x.jpg",)])
