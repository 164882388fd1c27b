"""The box takes a OneRoster zip wherever it takes a class list."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from edge.class_lists import class_list, sent_class_list
from edge.cli import main
from edge.loading import loadables_of_files, loadables_of_sticks
from homework.errors import BadFileError
from homework.roster import Pupil, Roster
from tests.homework.oneroster_zips import small_school, zipped

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
ZIP = zipped(small_school())
NAMES = ["王小明", "李华", "Anna Berg", "张伟", "刘芳"]


def names(roster: Roster | None) -> list[str]:
    assert roster is not None
    return [pupil.name for pupil in roster.pupils]


def test_from_a_browser_and_from_a_stick(tmp_path: Path) -> None:
    (found,) = loadables_of_files({"名单.zip": ZIP})
    assert (names(found.roster), found.layout) == (NAMES, None)
    (tmp_path / "stick" / "classbox").mkdir(parents=True)
    (tmp_path / "stick" / "classbox" / "oneroster.zip").write_bytes(ZIP)
    (found,) = loadables_of_sticks([tmp_path])
    assert names(found.roster) == NAMES


def test_on_the_page_pupils_keep_their_seats() -> None:
    known = Roster((Pupil("3-1", 30, "李华", "B"),))
    found = sent_class_list(ZIP, name="o.zip", class_name="", known=known)
    assert found.numbered
    assert found.roster.by_id("B") == Pupil("3-1", 30, "李华", "B")


def test_a_damaged_zip_says_so() -> None:
    with pytest.raises(BadFileError, match="damaged"):
        class_list(ZIP[:500] + bytes([ZIP[500] ^ 1]) + ZIP[501:])


def test_worksheets_are_printed_for_a_class_of_a_register(tmp_path: Path) -> None:
    (tmp_path / "o.zip").write_bytes(ZIP)
    text = (EXAMPLES / "g3-mul-2x1.toml").read_text(encoding="utf-8")
    (tmp_path / "a.toml").write_text(text.replace('pupil_id = "digits"', 'pupil_id = "printed"'), encoding="utf-8")
    words = ["print", tmp_path / "a.toml", "--roster", tmp_path / "o.zip", "--class", "3-2", "-o", tmp_path / "out"]
    said = CliRunner().invoke(main, [*map(str, words), "--json"])
    assert said.exit_code == 0, said.output
    assert json.loads(said.output)["copies"] == 2
