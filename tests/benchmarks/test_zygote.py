"""What is forked is as good as what is started: its words, its statuses, its environment, its end."""

import signal
import subprocess
from pathlib import Path

import pytest

from benchmarks._box import ENVIRONMENT, start_fresh
from tests.forked import start_forked


@pytest.mark.parametrize("words", [["--help"], ["nonsense"], ["run", "--config", "not-there.toml"]])
def test_a_forked_command_says_and_ends_as_the_command_does(words: list[str], tmp_path: Path) -> None:
    said = []
    for name, start in (("fresh", start_fresh), ("forked", start_forked)):
        program = start(words, errors=tmp_path / name, environment=ENVIRONMENT | {"CLASSBOX_LANG": "zh"})
        assert program.stdout is not None
        said.append((program.stdout.read(), program.wait(timeout=60), (tmp_path / name).read_text(encoding="utf-8")))
    assert said[0] == said[1]
    assert any(said[0])


def configured(folder: Path) -> Path:
    """The box.toml of a box that watches a folder."""
    (folder / "scans").mkdir(parents=True)
    written = folder / "box.toml"
    written.write_text(
        f'data = "{folder}/data"\n[web]\nlisten = "127.0.0.1:0"\n[camera]\nsource = "folder:{folder}/scans"\n'
    )
    return written


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGTERM, 0), (signal.SIGINT, 0), (signal.SIGKILL, -signal.SIGKILL)]
)
def test_a_forked_box_ends_by_each_signal_as_a_box_does(tmp_path: Path, number: signal.Signals, status: int) -> None:
    words = ["run", "--config", str(configured(tmp_path / "box"))]
    box = start_forked(words, errors=tmp_path / "errors", environment=ENVIRONMENT)
    assert box.stdout.readline().startswith("ready ")
    assert box.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        box.wait(timeout=0.05)
    box.send_signal(number)
    assert box.wait(timeout=30) == box.poll() == status
    box.send_signal(number)  # to nobody


def test_forked_boxes_share_no_open_file_and_are_in_the_folder_of_who_started_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    boxes = []
    for name in ("one", "two"):
        configured(Path(name).resolve())
        words = ["run", "--config", f"{name}/box.toml"]
        boxes.append(start_forked(words, errors=tmp_path / name / "errors", environment=ENVIRONMENT))
    try:
        assert all(box.stdout.readline().startswith("ready ") for box in boxes)
        assert [Path(f"/proc/{box.pid}/cwd").readlink() for box in boxes] == [tmp_path] * 2
        one, other = ({str(file.readlink()) for file in Path(f"/proc/{box.pid}/fd").iterdir()} for box in boxes)
        assert {file for file in one & other if file.startswith(("pipe:", "socket:"))} == set()
    finally:
        for box in boxes:
            box.kill()
            box.close()
