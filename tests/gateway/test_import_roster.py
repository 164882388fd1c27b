"""`classgate import-roster`: what it takes, what it says, what it changes here and on the boxes."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from openpyxl import Workbook

from gateway.cli import main
from gateway.commands.options import with_store
from gateway.store.class_lists import whole_roster
from gateway.store.store import Store
from homework.roster import Pupil, Roster, parse_roster
from tests.homework.oneroster_zips import Files, small_school, zipped

CSV = "class,seat,name,pupil_id\n3-1,1,王小明,A\n3-1,2,李华,B\n3-2,1,张伟,C\n"


@pytest.fixture
def classgate(tmp_path: Path) -> Callable[..., Result]:
    config = tmp_path / "gateway.toml"
    config.write_text('data = "data"\n')
    env = {"CLASSBOX_LANG": "en", "CLASSGATE_CONFIG": str(config)}

    def run(*words: str | Path) -> Result:
        return CliRunner().invoke(main, list(map(str, words)), prog_name="classgate", env=env)

    assert run("school", "add", "no-1").exit_code == 0
    return run


@pytest.fixture
def pupils(tmp_path: Path) -> Callable[[], Roster]:
    async def read(store: Store) -> Roster:
        async with store.reading() as connection:
            return await whole_roster(connection, store.vault, "no-1")

    return lambda: with_store(tmp_path / "gateway.toml", read)


def file(tmp_path: Path, name: str, data: str | bytes) -> Path:
    path = tmp_path / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def workbook(tmp_path: Path, *rows: tuple[object, ...]) -> Path:
    book = Workbook()
    assert book.active is not None
    for row in rows:
        book.active.append(row)
    book.save(tmp_path / "list.xlsx")
    return tmp_path / "list.xlsx"


Classgate = Callable[..., Result]
Pupils = Callable[[], Roster]


def test_csv_excel_and_oneroster_come_in(classgate: Classgate, pupils: Pupils, tmp_path: Path) -> None:
    said = classgate("import-roster", file(tmp_path, "a.csv", CSV), "--school", "no-1").output
    assert said == "3-1: 2 new\n3-2: 1 new\n3 pupils in 2 classes.\n"
    assert pupils() == parse_roster(CSV.encode())

    table = workbook(tmp_path, ("班级", "座号", "姓名"), ("3-1", 2, "王小明"), ("", 1, "李华"), ("", 3, "新来"))
    said = classgate("import-roster", table, "--school", "no-1").output
    assert said == "3-1: 1 new, 2 on another seat or from another class\n3 pupils in 1 classes.\n"
    assert pupils().of_class("3-1")[:2] == (Pupil("3-1", 1, "李华", "B"), Pupil("3-1", 2, "王小明", "A"))

    said = classgate("import-roster", file(tmp_path, "o.zip", zipped(small_school())), "--school", "no-1").output
    assert "classes.csv: 1 left out (line 5): its term is over.\n" in said
    assert "Seats were counted in the order of the file in: 3-1, 3-2." in said
    assert "3-1: 1 new, 1 gone\n3-2: 1 new\n5 pupils in 2 classes.\n" in said
    assert pupils().of_class("3-1") == (
        Pupil("3-1", 1, "李华", "B"),
        Pupil("3-1", 2, "王小明", "A"),
        Pupil("3-1", 3, "Anna Berg", "20243"),
    )


def test_a_dry_run_says_the_same_and_changes_nothing(classgate: Classgate, pupils: Pupils, tmp_path: Path) -> None:
    classgate("import-roster", file(tmp_path, "a.csv", CSV), "--school", "no-1")
    said = classgate(
        "import-roster", file(tmp_path, "b.csv", CSV.replace("李华", "李花")), "--school", "no-1", "--dry-run"
    )
    assert said.output == "3-1: 1 renamed\n3-2: as before\n3 pupils in 2 classes.\nNothing was changed.\n"
    assert pupils() == parse_roster(CSV.encode())


def test_a_class_that_all_have_left_goes(classgate: Classgate, pupils: Pupils, tmp_path: Path) -> None:
    classgate("import-roster", file(tmp_path, "a.csv", CSV), "--school", "no-1")
    moved = "class,seat,name,pupil_id\n4-2,1,张伟,C\n"
    said = classgate("import-roster", file(tmp_path, "b.csv", moved), "--school", "no-1").output
    assert said.startswith("4-2: 1 on another seat or from another class\n3-2: 1 to another class\n")
    assert pupils().classes() == ("3-1", "4-2")


def test_a_list_without_a_class_takes_none_away(classgate: Classgate, pupils: Pupils, tmp_path: Path) -> None:
    classgate("import-roster", file(tmp_path, "a.csv", CSV), "--school", "no-1")
    for data in ("class,seat,name\n", "", "seat,name\n1,王小明\n", "class,seat,name\n,1,王小明\n"):
        refused = classgate("import-roster", file(tmp_path, "b.csv", data), "--school", "no-1")
        assert refused.exit_code == 1, data
    assert pupils() == parse_roster(CSV.encode())


def test_one_school_of_several_is_chosen_by_name(classgate: Classgate, tmp_path: Path) -> None:
    files: Files = small_school()
    files["orgs.csv"] += "S2,,,第二小学,school,3102,D\r\n"
    files["classes.csv"] += "c91,,,3-1,03,K,C91,homeroom,,S2,T1,,,\r\n"
    both = file(tmp_path, "o.zip", zipped(files))
    refused = classgate("import-roster", both, "--school", "no-1")
    assert refused.exit_code == 1
    assert "第一小学, 第二小学" in refused.output
    assert classgate("import-roster", both, "--school", "no-1", "--from-school", "3101").exit_code == 0


@pytest.mark.parametrize(
    ("given", "word"),
    [
        (("a.csv", CSV.replace(",A", ",110101201501011234")), "national"),
        (("a.csv", CSV.replace("王小明", "=1+1")), "begins with"),
        (("a.csv", CSV.replace(",B", ",A")), "stands on line"),
        (("a.csv", "class,seat,name\n" + "".join(f"{n // 40},{n % 40 + 1},生{n}\n" for n in range(100_000))), "20000"),
        (("a.xlsx", b"PK\x03\x04 no zip"), "opened as a table"),
        (("a.xls", b"\xd0\xcf\x11\xe0"), "old kind"),
        (("o.zip", zipped({"manifest.csv": "propertyName,value\n", "../users.csv": ""})), "outside"),
    ],
)
def test_what_cannot_be_used_is_said_and_changes_nothing(
    classgate: Classgate, pupils: Pupils, tmp_path: Path, given: tuple[str, str | bytes], word: str
) -> None:
    refused = classgate("import-roster", file(tmp_path, *given), "--school", "no-1")
    assert refused.exit_code == 1
    assert word in refused.output
    assert "110101" not in refused.output
    assert pupils().pupils == ()


def test_a_school_that_is_not_there_is_named(classgate: Classgate, tmp_path: Path) -> None:
    refused = classgate("import-roster", file(tmp_path, "a.csv", CSV), "--school", "no-2")
    assert (refused.exit_code, "no school no-2" in refused.output) == (1, True)
