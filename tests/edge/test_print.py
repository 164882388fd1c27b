"""`classbox print` writes four files, says so, and refuses in one line."""

import json
import stat
import subprocess
import sys
from pathlib import Path

import pypdfium2
import pytest

from homework.assignment import parse_assignment
from homework.layout import layout_from_json

CLASSBOX = Path(sys.executable).parent / "classbox"
FOUR = ["answers.pdf", "assignment.toml", "layout.json", "worksheets.pdf"]
ONE_ITEM = '[[item]]\nkind = "number"\nprompt = "2 × 3 ="\nanswer = 6\n'


def classbox(*words: object, language: str = "en") -> subprocess.CompletedProcess[str]:
    environment = {"CLASSBOX_LANG": language, "PATH": "/usr/bin:/bin", "HOME": "/nonexistent"}
    return subprocess.run(
        [str(CLASSBOX), "print", *map(str, words)], capture_output=True, text=True, check=False, env=environment
    )


@pytest.fixture
def homework(tmp_path: Path) -> Path:
    """An assignment without an id, and one printed for each pupil beside it."""
    (tmp_path / "master.toml").write_text('[assignment]\ntitle = "口算"\n' + ONE_ITEM, encoding="utf-8")
    (tmp_path / "personal.toml").write_text(
        '[assignment]\ntitle = "口算"\npupil_id = "printed"\n' + ONE_ITEM, encoding="utf-8"
    )
    rows = [f"{name},{seat},学生{seat:02d}" for name in ("3-1", "3-2") for seat in (2, 1, 3)]
    (tmp_path / "two.csv").write_text("class,seat,name\n" + "\n".join(rows), encoding="utf-8")
    (tmp_path / "one.csv").write_text("class,seat,name\n" + "\n".join(rows[:3]), encoding="utf-8")
    return tmp_path


def test_it_writes_exactly_four_files_and_a_line_for_each(homework: Path) -> None:
    out = homework / "deep" / "out"
    done = classbox(homework / "master.toml", "-o", out)
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(path.name for path in out.iterdir()) == FOUR
    lines = done.stdout.splitlines()
    assert sorted(Path(line.split("  ")[0]).name for line in lines) == FOUR
    layout = layout_from_json((out / "layout.json").read_bytes())
    final = parse_assignment((out / "assignment.toml").read_text(encoding="utf-8"))
    assert final.id == layout.assignment
    assert final.id
    assert layout.sheet in done.stdout


def test_printing_the_final_assignment_again_gives_the_same_sheet(homework: Path) -> None:
    classbox(homework / "master.toml", "-o", homework / "a")
    classbox(homework / "a" / "assignment.toml", "-o", homework / "b")
    for name in FOUR:
        assert (homework / "a" / name).read_bytes() == (homework / "b" / name).read_bytes()


def test_copies_and_pupils_are_counted(homework: Path) -> None:
    done = classbox(homework / "master.toml", "--copies", 3, "--json", "-o", homework / "out")
    said = json.loads(done.stdout)
    assert (said["copies"], said["pages"]) == (3, 1)
    assert len(pypdfium2.PdfDocument(homework / "out" / "worksheets.pdf")) == 3
    done = classbox(
        homework / "personal.toml", "--roster", homework / "two.csv", "--class", "3-2", "--json", "-o", homework / "o2"
    )
    said = json.loads(done.stdout)
    assert said["copies"] == 3
    pages = list(pypdfium2.PdfDocument(homework / "o2" / "worksheets.pdf"))
    names = [page.get_textpage().get_text_range().replace(" ", "") for page in pages]
    assert ["学生01" in names[0], "学生02" in names[1], "学生03" in names[2]] == [True] * 3
    assert "3-2" in names[0]


def test_one_class_in_the_roster_needs_no_choosing(homework: Path) -> None:
    done = classbox(homework / "personal.toml", "--roster", homework / "one.csv", "-o", homework / "out")
    assert done.returncode == 0
    assert "pupils: 3" in done.stdout


def test_it_speaks_chinese(homework: Path) -> None:
    done = classbox(homework / "master.toml", "-o", homework / "out", language="zh-CN")
    assert "填好的答案" in done.stdout
    done = classbox(homework / "personal.toml", "-o", homework / "out", language="zh-CN")
    assert "需要班级名单" in done.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["personal.toml"], "need the class list"),
        (["personal.toml", "--roster", "two.csv"], "Choose one with --class"),
        (["personal.toml", "--roster", "two.csv", "--class", "9-9"], "Class 9-9 is not in the roster"),
        (["master.toml", "--roster", "two.csv", "--class", "9-9"], "Class 9-9 is not in the roster"),
        (["personal.toml", "--roster", "one.csv", "--copies", "2"], "--copies is for masters"),
        (["master.toml", "--copies", "0"], "0"),
        (["missing.toml"], "cannot be read"),
        (["."], "cannot be read"),
        (["master.toml", "--roster", "missing.csv"], "cannot be read"),
        (["broken.toml"], "UTF-8"),
        (["unknown.toml"], "kind"),
    ],
)
def test_it_refuses_in_words_and_writes_nothing(homework: Path, words: list[str], says: str) -> None:
    (homework / "broken.toml").write_bytes(b'[assignment]\ntitle = "\xff\xfe"')
    (homework / "unknown.toml").write_text(
        '[assignment]\ntitle = "x"\n[[item]]\nkind = "essay"\nprompt = "x"\nanswer = "y"\n', encoding="utf-8"
    )
    paths = [str(homework / word) if word.endswith((".toml", ".csv", ".")) else word for word in words]
    done = classbox(*paths, "-o", homework / "out")
    assert done.returncode in (1, 2)
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert not (homework / "out").exists()


def test_a_folder_that_cannot_be_written_to_is_named(homework: Path) -> None:
    (homework / "file").write_text("in the way", encoding="utf-8")
    done = classbox(homework / "master.toml", "-o", homework / "file" / "out")
    assert done.returncode == 1
    assert "cannot be written to" in done.stderr
    assert done.stderr.count("\n") == 1


def test_an_existing_folder_keeps_its_other_files(homework: Path) -> None:
    out = homework / "out"
    out.mkdir()
    (out / "notes.txt").write_text("mine", encoding="utf-8")
    assert classbox(homework / "master.toml", "-o", out).returncode == 0
    assert (out / "notes.txt").read_text(encoding="utf-8") == "mine"
    assert stat.S_ISREG((out / "worksheets.pdf").stat().st_mode)
