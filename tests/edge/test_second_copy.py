"""A second copy on a stick: a box comes back from it whole, nobody reads it, and no stick costs the box anything."""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import subprocess
import threading
from contextlib import closing
from pathlib import Path

import pytest

from edge.database import DatabaseError
from edge.documents import Documents
from edge.ledger import FILE_NAME, Ledger
from edge.restic import Restic, ResticError
from edge.second_copy import FOLDER, KEY_FILE, SecondCopy, is_second_copy, restore_second_copy
from edge.standstill import standing_still
from homework.errors import ClassboxError
from homework.roster import Pupil, Roster
from provisioning.identity import read_identity
from sync.clock import SystemClock
from tests.edge.test_backup import CLASSBOX, box, content, slide

__all__ = ["box"]
CLOCKS = SystemClock()


def never() -> bool:
    return False


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    """A stick in the box."""
    path = tmp_path / "media" / "USB-1"
    path.mkdir(parents=True)
    return path


def copyist(box: Path, stick: Path) -> SecondCopy:
    """One that does not wait for a pause."""
    return SecondCopy(box, (stick.parent,), is_stick=Path.is_dir, quiet_s=0)


@pytest.fixture
def copied(box: Path, stick: Path) -> SecondCopy:
    """A box whose copy was made once."""
    copy = copyist(box, stick)
    copy.begin(stick)
    copy.look(never)
    assert copy.state().trouble is None
    return copy


def key_of(copy: SecondCopy) -> str:
    key = copy.key()
    assert key is not None
    return key.key


def test_a_box_comes_back_from_its_stick_with_every_sheet_picture_and_list(
    box: Path, stick: Path, copied: SecondCopy, tmp_path: Path
) -> None:
    back = tmp_path / "back"
    typed = key_of(copied).lower().replace("-", " ")

    made = restore_second_copy(stick / FOLDER, back, key=typed, clock=CLOCKS)

    assert (made.captures, made.pictures, made.missing) == (10, 10, 0)
    assert content(back) == content(box)
    assert Documents(back).roster().pupils == Documents(box).roster().pupils
    assert read_identity(back) is None, "what makes a box this box stays in it"
    assert not (back / KEY_FILE).exists()


def test_what_came_later_follows_and_what_is_there_is_not_written_again(
    box: Path, stick: Path, copied: SecondCopy, tmp_path: Path
) -> None:
    def size() -> int:
        return sum(path.stat().st_size for path in stick.rglob("*") if path.is_file())

    first = size()
    ledger = Ledger(box)
    slide(box, ledger, 10, 11)
    Documents(box).put_roster(Roster((Pupil("3-2", 1, "学生51", "S051"),)))
    copied.look(never)
    ledger.close()

    assert copied.state().sheets == 12
    assert size() - first < first
    back = tmp_path / "back"
    assert restore_second_copy(stick / FOLDER, back, key=key_of(copied), clock=CLOCKS).captures == 12
    assert "S051" in {pupil.pupil_id for pupil in Documents(back).roster().pupils}


def test_nothing_happens_while_nothing_is_new(stick: Path, copied: SecondCopy) -> None:
    before = sorted((stick / FOLDER).rglob("snapshots/*"))

    copied.look(never)

    assert sorted((stick / FOLDER).rglob("snapshots/*")) == before


def test_a_class_list_alone_is_news_too(box: Path, stick: Path, copied: SecondCopy, tmp_path: Path) -> None:
    Documents(box).put_roster(Roster((Pupil("3-2", 1, "学生51", "S051"),)))

    copied.look(never)

    back = tmp_path / "back"
    restore_second_copy(stick / FOLDER, back, key=key_of(copied), clock=CLOCKS)
    assert "S051" in {pupil.pupil_id for pupil in Documents(back).roster().pupils}


def test_a_stack_that_is_being_slid_is_left_alone_until_it_rests(box: Path, stick: Path) -> None:
    copy = SecondCopy(box, (stick.parent,), is_stick=Path.is_dir, quiet_s=3600)
    copy.begin(stick)
    copy.look(never)
    ledger = Ledger(box)
    slide(box, ledger, 10)
    ledger.close()
    copy.look(never)

    assert copy.state().sheets == 10


def test_nobody_reads_a_name_or_an_answer_on_the_stick(stick: Path, copied: SecondCopy) -> None:
    everything = b"".join(path.read_bytes() for path in stick.rglob("*") if path.is_file())

    assert key_of(copied).encode() not in everything
    for words in ("学生01", "3-1", "S001", "SQLite format"):
        assert words.encode() not in everything
    with pytest.raises(ResticError, match="does not open"):
        restore_second_copy(stick / FOLDER, stick / "back", key="AAAA-BBBB", clock=CLOCKS)
    assert not (stick / "back").exists()


def test_the_key_is_readable_for_its_owner_alone_and_the_same_for_every_stick(
    box: Path, stick: Path, copied: SecondCopy
) -> None:
    another = stick.with_name("USB-2")
    another.mkdir()
    first = key_of(copied)

    assert copied.begin(another).key == first
    assert (box / KEY_FILE).stat().st_mode & 0o077 == 0
    shutil.rmtree(stick)
    copied.look(never)
    assert copied.state().stick == "USB-2"
    assert copied.state().sheets == 10


def test_a_stick_with_another_boxs_copy_is_not_touched(stick: Path, copied: SecondCopy, tmp_path: Path) -> None:
    other = tmp_path / "other"
    Ledger(other).close()

    with pytest.raises(ResticError, match="another box"):
        copyist(other, stick).begin(stick)
    assert not (other / KEY_FILE).exists()
    restore_second_copy(stick / FOLDER, tmp_path / "back", key=key_of(copied), clock=CLOCKS)


def test_a_folder_that_is_no_mounted_stick_is_none(box: Path, stick: Path) -> None:
    """Else the copy would land on the card of the box itself when the stick is out."""
    copy = SecondCopy(box, (stick.parent,))

    assert copy.sticks() == []
    with pytest.raises(ResticError, match="no longer in the box"):
        copy.begin(stick)


def test_a_stick_that_was_pulled_out_is_said_and_comes_back_without_a_word(
    stick: Path, copied: SecondCopy, tmp_path: Path
) -> None:
    pocket = tmp_path / "pocket"
    stick.rename(pocket)
    copied.look(never)
    assert copied.state().stick is None

    pocket.rename(stick)
    copied.look(never)
    assert copied.state().stick == "USB-1"
    assert copied.state().trouble is None


def test_of_two_sticks_the_one_chosen_last_keeps_the_copy(stick: Path, copied: SecondCopy) -> None:
    another = stick.with_name("USB-2")
    another.mkdir()
    copied.begin(another)
    copied.look(never)

    assert copied.state().stick == "USB-2"
    assert len(list((another / FOLDER / "copies" / "snapshots").iterdir())) == 1


def test_a_damaged_copy_is_said_with_what_to_do_and_the_box_goes_on(box: Path, stick: Path, copied: SecondCopy) -> None:
    for path in (stick / FOLDER / "copies" / "index").iterdir():
        path.write_bytes(b"nonsense")
    ledger = Ledger(box)
    slide(box, ledger, 10)
    ledger.close()

    copied.look(never)

    trouble = copied.state().trouble
    assert trouble is not None
    assert trouble.remedy


def test_a_run_that_was_killed_costs_nothing_and_the_next_one_goes_on(box: Path, stick: Path, tmp_path: Path) -> None:
    copy = copyist(box, stick)
    key = copy.begin(stick)
    copies = stick / FOLDER / "copies"
    (copies / "locks").mkdir(exist_ok=True)
    process = subprocess.Popen(
        ["restic", "--no-cache", "-r", str(copies), "backup", "--stdin"],
        env={**os.environ, "RESTIC_PASSWORD": key.key},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    while not list((copies / "locks").iterdir()):
        assert process.poll() is None
    process.kill()
    process.communicate()

    copy.look(never)

    assert copy.state().trouble is None
    assert restore_second_copy(stick / FOLDER, tmp_path / "back", key=key.key, clock=CLOCKS).captures == 10


def test_a_box_that_ends_does_not_wait_for_its_copy(box: Path, stick: Path) -> None:
    copy = copyist(box, stick)
    copy.begin(stick)

    copy.look(lambda: True)
    assert copy.state() == copyist(box, stick).state() or copy.state().sheets is None

    copy.look(never)
    assert copy.state().sheets == 10


def test_a_clock_that_jumps_back_does_not_make_the_newest_copy_an_old_one(
    box: Path, stick: Path, copied: SecondCopy, tmp_path: Path
) -> None:
    """A snapshot from 2099 is there; what is copied today must still be what comes back."""
    restic = Restic(stick / FOLDER / "copies", key_of(copied))
    subprocess.run(
        ["restic", "--no-cache", "-r", str(stick / FOLDER / "copies"), "backup", "--time", "2099-01-01 00:00:00", "."],
        cwd=box,
        env={**os.environ, "RESTIC_PASSWORD": key_of(copied)},
        check=True,
        capture_output=True,
    )
    ledger = Ledger(box)
    slide(box, ledger, 10, 11, 12)
    ledger.close()
    copied.look(never)
    restic.tidy()

    assert restore_second_copy(stick / FOLDER, tmp_path / "back", key=key_of(copied), clock=CLOCKS).captures == 13


def test_the_command_restores_from_a_stick_with_a_typed_key(stick: Path, copied: SecondCopy, tmp_path: Path) -> None:
    assert is_second_copy(stick / FOLDER)
    done = subprocess.run(
        [CLASSBOX, "restore", str(stick / FOLDER), "--data", str(tmp_path / "back")],
        input=key_of(copied) + "\n",
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "LANG": "en"},
    )

    assert done.returncode == 0, done.stderr
    assert "10 sheets, 10 pictures" in done.stdout


def test_without_restic_the_box_says_what_to_install(box: Path, stick: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")

    with pytest.raises(ResticError, match="apt-get install restic"):
        copyist(box, stick).begin(stick)


def test_a_key_file_that_is_damaged_is_said(box: Path, copied: SecondCopy) -> None:
    (box / KEY_FILE).write_bytes(b"\xff{")

    copied.look(never)

    with pytest.raises(ClassboxError, match="cannot be read"):
        copied.state()


def test_the_ledgers_file_stands_still_while_others_write_and_tidy(box: Path) -> None:
    ledger = Ledger(box)
    path = box / FILE_NAME
    with standing_still(path) as moment:
        sheets = moment.db.execute("SELECT count(*) FROM capture").fetchone()[0]
        before = hashlib.sha256(path.read_bytes()).digest()
        slide(box, ledger, *range(100, 140))
        with closing(sqlite3.connect(path)) as other:
            other.execute("PRAGMA wal_checkpoint(PASSIVE)")
            other.execute("PRAGMA busy_timeout = 100")
            other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        alone = box.with_name("alone.sqlite")
        shutil.copy(path, alone)
        assert hashlib.sha256(path.read_bytes()).digest() == before
    ledger.close()

    with closing(sqlite3.connect(alone)) as copy:
        assert copy.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        assert copy.execute("SELECT count(*) FROM capture").fetchone()[0] == sheets == 10
    assert len(content(box)) == 50


def test_one_who_reads_without_end_costs_a_copy_and_nothing_else(box: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.standstill._TRIES", 3)
    ledger = Ledger(box)
    with closing(sqlite3.connect(box / FILE_NAME, isolation_level=None)) as reader:
        slide(box, ledger, 20)
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM capture").fetchone()
        slide(box, ledger, 21)
        with pytest.raises(DatabaseError, match="busy"), standing_still(box / FILE_NAME):
            pass
    ledger.close()


def test_sheets_that_come_while_the_stick_is_written_are_all_kept(box: Path, stick: Path, tmp_path: Path) -> None:
    copy = copyist(box, stick)
    key = copy.begin(stick)
    ledger = Ledger(box)
    stopping = threading.Event()
    number = 100

    def keep_sliding() -> None:
        nonlocal number
        while not stopping.is_set():
            slide(box, ledger, number)
            number += 1

    writer = threading.Thread(target=keep_sliding)
    writer.start()
    copy.look(never)
    stopping.set()
    writer.join()
    ledger.close()
    assert copy.state().trouble is None
    sheets = copy.state().sheets
    back = restore_second_copy(stick / FOLDER, tmp_path / "back", key=key.key, clock=CLOCKS)

    assert back.captures == sheets
    assert back.missing == 0
    assert len(content(box)) == number - 100 + 10
