"""`classbox load`, `status` and `export`, as a person and a spreadsheet see them."""

import csv
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edge.commands.export import CSV_COLUMNS, to_csv
from edge.config import load_config
from edge.ledger import Ledger
from homework.errors import ClassboxError
from sync.allowance import Allowance
from sync.clock import SystemClock
from sync.known_time import KnownTime

CLASSBOX = str(Path(sys.executable).parent / "classbox")


def classbox(*words: object, language: str = "en") -> subprocess.CompletedProcess[bytes]:
    environment = {"CLASSBOX_LANG": language, "PATH": "/usr/bin:/bin", "HOME": "/nonexistent"}
    return subprocess.run([CLASSBOX, *map(str, words)], capture_output=True, check=False, env=environment)


def test_loading_queues_the_assignment_and_the_layout_once(scanned_class: Path, tmp_path: Path) -> None:
    words = ("load", scanned_class / "sheets", "--roster", scanned_class / "roster.csv", "--data", tmp_path)
    assert classbox(*words).returncode == 0
    assert classbox(*words).returncode == 0
    status = json.loads(classbox("status", "--data", tmp_path, "--json").stdout)
    assert (status["assignments"], status["pupils"], status["waiting"]) == (1, 6, 2)


@pytest.mark.parametrize("broken", ["assignment.toml", "layout.json"])
def test_a_broken_folder_is_loaded_not_at_all(scanned_class: Path, tmp_path: Path, broken: str) -> None:
    folder = tmp_path / "sheets"
    shutil.copytree(scanned_class / "sheets", folder)
    (folder / broken).write_bytes(b"\xff\xfe nonsense {")
    done = classbox("load", folder, "--data", tmp_path / "data")
    assert done.returncode == 1
    assert len(done.stderr.decode().splitlines()) == 1
    status = json.loads(classbox("status", "--data", tmp_path / "data", "--json").stdout)
    assert (status["assignments"], status["waiting"]) == (0, 0)


def test_a_folder_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    done = classbox("load", tmp_path / "nowhere", "--data", tmp_path / "data")
    assert done.returncode == 1
    assert b"classbox print" in done.stderr
    assert b"Traceback" not in done.stderr


def test_status_of_an_empty_box_is_zeros_in_both_languages(tmp_path: Path) -> None:
    status = json.loads(classbox("status", "--data", tmp_path / "new", "--json").stdout)
    assert {status[name] for name in ("captured", "graded", "waiting", "receipted", "review")} == {0}
    assert "拍到 0" in classbox("status", "--data", tmp_path / "new", language="zh-CN").stdout.decode()


def test_an_export_needs_one_form(tmp_path: Path) -> None:
    assert classbox("export", "--data", tmp_path).returncode == 2
    assert classbox("export", "--csv", "--json", "--data", tmp_path).returncode == 2


def test_an_export_to_a_file_begins_with_the_mark_that_spreadsheets_know(tmp_path: Path) -> None:
    file = tmp_path / "results.csv"
    assert classbox("export", "--csv", "-o", file, "--data", tmp_path / "new").returncode == 0
    assert file.read_bytes() == b"\xef\xbb\xbf" + ",".join(CSV_COLUMNS).encode() + b"\r\n"


def test_a_name_that_is_a_formula_reaches_the_spreadsheet_as_text() -> None:
    page = dict.fromkeys(CSV_COLUMNS, None) | {
        "name": '=HYPERLINK("http://x")',
        "items": [{"reading": "-3", "score": 1}],
    }
    page["items"] = [dict.fromkeys(("item", "blank", "kind", "verdict", "confidence"), "") | page["items"][0]]
    rows = list(csv.DictReader(io.StringIO(to_csv([page]))))
    assert rows[0]["name"].startswith("'=")
    assert rows[0]["reading"] == "-3"


def test_a_configuration_takes_paths_from_its_own_folder(tmp_path: Path) -> None:
    (tmp_path / "box.toml").write_text('data = "d"\nclass = "3-1"\n[broker]\nca = "ca.pem"\n', encoding="utf-8")
    config = load_config(tmp_path / "box.toml")
    assert (config.data_dir, config.broker.ca) == (tmp_path / "d", str(tmp_path / "ca.pem"))
    assert config.class_name == "3-1"
    assert load_config(tmp_path / "box.toml", data=tmp_path / "e").data_dir == tmp_path / "e"


@pytest.mark.parametrize(
    "text",
    ["data = 5", "colour = 1", "[web]\nlisten = 'nowhere'", "[web]\nlisten = '127.0.0.1:99999'", "= ="],
)
def test_a_wrong_configuration_is_an_error_with_a_remedy(tmp_path: Path, text: str) -> None:
    (tmp_path / "box.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ClassboxError) as error:
        load_config(tmp_path / "box.toml")
    assert error.value.remedy


def test_status_tells_how_much_of_a_metered_month_is_used(tmp_path: Path) -> None:
    (tmp_path / "box.toml").write_text('data = "data"\n[sync]\nmonthly_mb = 20\n')
    ledger = Ledger(tmp_path / "data")
    with ledger.outbox() as outbox:
        surely_ms = KnownTime(tmp_path / "data", SystemClock()).surely_ms
        used = Allowance(20_000_000, surely_ms=surely_ms, is_set=lambda: False)
        used.count(14_500_000)
        used.save(outbox)
    ledger.close()
    said = json.loads(classbox("status", "--config", tmp_path / "box.toml", "--json").stdout)
    assert (said["used_mb"], said["monthly_mb"], said["restraint"]) == (14.5, 20.0, "no-crops")
    assert b"14.5 of 20" in classbox("status", "--config", tmp_path / "box.toml").stdout
    assert "monthly_mb" not in json.loads(classbox("status", "--data", tmp_path / "data", "--json").stdout)
