"""`classbox camera lens`, as whoever sets the camera up sees it."""

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks._perturbations import Scene, photograph
from edge.documents import Documents
from edge.lenses import camera_name, lens_of
from homework.assignment import parse_assignment
from homework.errors import UsageError
from homework.sheets import make_sheets
from models.simulation.paper import PrintedPages

CLASSBOX = str(Path(sys.executable).parent / "classbox")
ITEMS = "".join(f'[[item]]\nkind = "number"\nprompt = "{n} + 8 ="\nanswer = {n + 8}\n' for n in range(20))


def classbox(*words: object) -> subprocess.CompletedProcess[bytes]:
    environment = {"CLASSBOX_LANG": "en", "PATH": "/usr/bin:/bin", "HOME": "/nonexistent"}
    return subprocess.run([CLASSBOX, *map(str, words)], capture_output=True, check=False, env=environment)


@pytest.fixture(scope="module")
def box_with_sheets(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Path]]:
    """A box that knows a worksheet, and two pictures of it through a barrel lens."""
    folder = tmp_path_factory.mktemp("lens")
    sheets = make_sheets(parse_assignment(f'[assignment]\nid = "lens"\ntitle = "二十题"\n{ITEMS}'))
    Documents(folder / "data").put_layout(sheets.layout)
    printed = PrintedPages(sheets.worksheets_pdf, dpi=200)
    paper = printed.page(1)
    printed.close()
    pictures = []
    for seed in (1, 2):
        rng = np.random.default_rng(seed)
        pictures.append(folder / f"{seed}.png")
        cv2.imwrite(str(pictures[-1]), photograph(paper, sheets.layout.page_mm, Scene(wide_px=1000, barrel=-0.04), rng))
    return folder / "data", pictures


def test_a_lens_is_learned_kept_and_forgotten(box_with_sheets: tuple[Path, list[Path]]) -> None:
    data, pictures = box_with_sheets
    done = classbox("camera", "lens", "v4l2:0", *pictures, "--data", data, "--json")
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert figures["pages"] == 2
    assert figures["after_mm"] < 0.1 < figures["before_mm"]
    kept = lens_of(Documents(data), camera_name("v4l2:0?size=3840x2880"))
    assert kept is not None
    assert kept.k1 == pytest.approx(-0.04, abs=0.02)
    assert classbox("camera", "lens", "v4l2:0", "--forget", "--data", data).returncode == 0
    assert lens_of(Documents(data), "/dev/video0") is None


def test_pictures_without_a_sheet_are_one_line_and_keep_nothing(
    box_with_sheets: tuple[Path, list[Path]], tmp_path: Path
) -> None:
    data, _ = box_with_sheets
    cv2.imwrite(str(tmp_path / "desk.png"), np.full((900, 1200, 3), 180, np.uint8))
    done = classbox("camera", "lens", "picamera2", tmp_path / "desk.png", "--data", data)
    assert done.returncode == 1
    assert len(done.stderr.decode().splitlines()) == 1
    assert lens_of(Documents(data), "picamera2") is None


def test_a_folder_has_no_lens() -> None:
    with pytest.raises(UsageError):
        camera_name("folder:scans")
