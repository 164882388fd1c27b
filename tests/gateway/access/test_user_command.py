"""`classgate user`: the first admin, and whoever cannot reach a page."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gateway.cli import main


class Office:
    """A folder with a gateway's configuration and a school in it."""

    def __init__(self, folder: Path) -> None:
        self.toml = folder / "gateway.toml"
        self.toml.write_text('data = "data"\n')
        assert self("school", "add", "no-1").exit_code == 0

    def __call__(self, *words: object) -> Result:
        return CliRunner().invoke(main, [*map(str, words), "--config", str(self.toml)], env={"CLASSBOX_LANG": "en"})

    def user(self, *words: object) -> str:
        result = self("user", *words)
        assert result.exit_code == 0, result.output
        return result.output


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def test_the_first_admin_is_let_in_by_a_link(office: Office) -> None:
    said = office.user("add", "王老师", "--login", "Wang", "--role", "admin")
    assert re.search(r"^http://127\.0\.0\.1:8700/invite/[\w-]{43}$", said, re.MULTILINE)
    assert re.fullmatch(r"wang  王老师  invited\n    \d+  admin\n", office.user("list"))


def test_roles_are_granted_and_ended_and_accounts_closed(office: Office) -> None:
    office.user("add", "李老师", "--login", "li", "--role", "teacher", "--school", "no-1", "--class", "3-1")
    granted = office.user(
        "grant", "li", "--role", "teacher", "--school", "no-1", "--class", "3-2", "--subject", "数学", "--today"
    )
    assert "teacher no-1 3-2 math …" in granted
    number = granted.split()[0]
    assert "3-2" in office.user("revoke", "li", number)
    assert "3-2" not in office.user("list")
    office.user("disable", "li")
    assert "closed" in office.user("list")
    office.user("disable", "li", "--undo")
    assert "/reset/" in office.user("reset", "li")


def test_what_a_role_lacks_is_said_and_nothing_is_made(office: Office) -> None:
    for words in (
        ("--role", "teacher", "--school", "no-1"),
        ("--role", "head"),
        ("--role", "district", "--school", "no-1"),
        ("--role", "parent", "--school", "no-1", "--pupil", "nobody"),
        ("--role", "head", "--school", "no-such"),
    ):
        result = office("user", "add", "李老师", *words)
        assert result.exit_code == 2, words
    assert office.user("list") == ""
    for words in (("reset", "nobody"), ("revoke", "nobody", 1), ("grant", "nobody", "--role", "admin")):
        assert office("user", *words).exit_code == 2
