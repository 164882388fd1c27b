"""The documentation keeps its word: what the README shows runs, and every command and page is told of."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
READMES = ("README.md", "README.zh-CN.md")


def shell_lines(readme: str) -> list[str]:
    text = (ROOT / readme).read_text(encoding="utf-8")
    blocks = re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL)
    return [line.split(" #")[0].strip() for block in blocks for line in block.splitlines() if line.strip()]


@pytest.mark.parametrize("readme", READMES)
def test_every_make_target_that_a_readme_shows_exists(readme: str) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    shown = re.findall(r"make ([a-z-]+)", (ROOT / readme).read_text(encoding="utf-8"))
    assert shown
    for target in shown:
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target


@pytest.mark.parametrize("readme", READMES)
def test_the_commands_of_the_readme_do_what_it_says(readme: str, tmp_path: Path) -> None:
    """Every `classbox` line is run as it stands; `photos/` holds a scan of what was printed."""
    import cv2
    import pypdfium2

    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    ours = [line for line in shell_lines(readme) if line.startswith(".venv/bin/")]
    assert [shlex.split(line)[1] for line in ours] == ["print", "grade"]
    for line in ours:
        words = shlex.split(line)
        if words[1] == "grade":
            (tmp_path / "photos").mkdir()
            page = pypdfium2.PdfDocument(tmp_path / "out" / "worksheets.pdf")[0]
            cv2.imwrite(str(tmp_path / "photos" / "empty.png"), page.render(scale=200 / 72).to_numpy())
        done = subprocess.run(
            [str(BIN / Path(words[0]).name), *words[1:]], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        if words[1] == "grade":
            assert json.loads(done.stdout)["status"] == "graded"


@pytest.mark.parametrize("program", ["classbox", "classgate"])
def test_every_command_has_help_with_an_example(program: str) -> None:
    listed = subprocess.run([str(BIN / program), "--help"], capture_output=True, text=True, check=True).stdout
    commands = re.findall(r"^  ([a-z-]+)  ", listed.split("Commands:")[1], flags=re.MULTILINE)
    assert commands
    for command in commands:
        shown = subprocess.run([str(BIN / program), command, "--help"], capture_output=True, text=True, check=True)
        assert "Example" in shown.stdout, f"{program} {command}"


@pytest.mark.parametrize(
    "page", sorted((ROOT / "docs").glob("*.md")) + [ROOT / name for name in READMES], ids=lambda p: p.name
)
def test_no_link_of_the_documentation_leads_nowhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_every_message_on_a_page_has_a_chinese_translation() -> None:
    """Message ids that templates show must stand in the catalogue, translated."""
    from babel.messages.extract import extract_from_dir

    from ui.language import catalogue

    translated = catalogue("zh-CN")
    missing = []
    for package in ("ui", "edge", "gateway"):
        found = extract_from_dir(
            str(ROOT / package),
            method_map=[("**.html", "jinja2")],
            options_map={"**.html": {"newstyle_gettext": "true"}},
        )
        for file, line, message, _comments, _context in found:
            text = message[0] if isinstance(message, tuple) else message
            entry = translated.get(text)
            if entry is None or not entry.string:
                missing.append(f"{package}/{file}:{line} {text!r}")
    assert not missing


def test_no_message_is_translated_in_two_ways() -> None:
    """Each part of the house has its own catalogue; together they are one."""
    from babel.messages.pofile import read_po

    from ui.language import catalogue_files

    seen: dict[object, tuple[str, object]] = {}
    twice = []
    for file in catalogue_files("zh-CN"):
        with file.open("rb") as lines:
            for message in read_po(lines, locale="zh_CN"):
                if not message.id:
                    continue
                place, before = seen.setdefault(message.id, (file.name, message.string))
                if before != message.string:
                    twice.append(f"{message.id!r}: {place} says {before!r}, {file.name} says {message.string!r}")
    assert not twice
