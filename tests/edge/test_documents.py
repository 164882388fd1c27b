"""Documents survive kills and two writers, and a running reader sees what another process wrote."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edge.documents import FILE_NAME, Documents, DocumentsError
from homework.assignment import parse_assignment
from homework.layout import Page, SheetLayout
from homework.roster import Pupil, Roster

ASSIGNMENT = parse_assignment(
    '[assignment]\nid = "a1"\ntitle = "口算"\n[[item]]\nkind = "number"\nprompt = "2 × 3 ="\nanswer = 6\n'
)
LAYOUT = SheetLayout(sheet="ABCD1234", assignment="a1", page_mm=(210.0, 297.0), pages=(Page(page=1, markers=()),))


def roster(class_name: str, count: int) -> Roster:
    return Roster(tuple(Pupil(class_name, n, f"学生{n:02}", f"{class_name}-{n}") for n in range(1, count + 1)))


def test_what_was_put_is_there_in_another_process(tmp_path: Path) -> None:
    documents = Documents(tmp_path)
    documents.put_assignment(ASSIGNMENT)
    documents.put_layout(LAYOUT)
    documents.put_roster(roster("3-1", 3))
    documents.put_setting("class", "3-1")
    other = Documents(tmp_path)
    assert other.assignment("a1") == ASSIGNMENT
    assert other.layout("ABCD1234") == LAYOUT
    assert other.roster() == roster("3-1", 3)
    assert other.setting("class") == "3-1"


def test_a_reader_sees_a_change_and_knows_that_there_was_one(tmp_path: Path) -> None:
    reader, writer = Documents(tmp_path), Documents(tmp_path)
    before = reader.stamp()
    assert reader.assignment("a1") is None
    writer.put_assignment(ASSIGNMENT)
    assert reader.stamp() != before
    assert reader.assignment("a1") == ASSIGNMENT
    assert reader.stamp() == reader.stamp()


def test_a_class_list_replaces_its_own_class_only(tmp_path: Path) -> None:
    documents = Documents(tmp_path)
    documents.put_roster(roster("3-1", 3))
    documents.put_roster(roster("3-2", 2))
    documents.put_roster(roster("3-1", 1))
    assert len(documents.roster().of_class("3-1")) == 1
    assert len(documents.roster().of_class("3-2")) == 2


def test_putting_the_same_twice_keeps_one(tmp_path: Path) -> None:
    documents = Documents(tmp_path)
    documents.put_layout(LAYOUT)
    documents.put_layout(LAYOUT)
    assert documents.layouts() == (LAYOUT,)


def test_two_processes_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from edge.documents import Documents\n"
        "d = Documents(Path(sys.argv[1]))\n"
        "for n in range(15): d.put_setting(f'{sys.argv[2]}-{n}', 'x')\n"
    )
    writers = [subprocess.Popen([sys.executable, "-c", script, str(tmp_path), name]) for name in ("one", "two")]
    assert [writer.wait(timeout=60) for writer in writers] == [0, 0]
    documents = Documents(tmp_path)
    missing = [f"{name}-{n}" for name in ("one", "two") for n in range(15) if documents.setting(f"{name}-{n}") is None]
    assert missing == []


def test_a_kill_while_writing_leaves_the_old_or_the_new(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from edge.documents import Documents\n"
        "d = Documents(Path(sys.argv[1])); n = 0\n"
        "while True:\n    d.put_setting('big', str(n) * 20000); n += 1\n    print(n, flush=True)\n"
    )
    for rounds in range(4):
        writer = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        assert writer.stdout is not None
        for _ in range(3 + 2 * rounds):
            writer.stdout.readline()
        time.sleep(0.003 * rounds)
        writer.kill()
        writer.wait()
        writer.stdout.close()
        assert json.loads((tmp_path / FILE_NAME).read_text(encoding="utf-8"))
        assert Documents(tmp_path).setting("big")


DAMAGED = [b'{"assignments": {"1"', b"", b"\0" * 512, b"[1, 2]", b'{"assignments": [1]}', b'{"a": {"1": {"body": 2}}}']


@pytest.mark.parametrize("rubbish", DAMAGED)
def test_a_damaged_file_is_set_aside_and_the_copy_before_its_last_change_is_taken(
    tmp_path: Path, rubbish: bytes
) -> None:
    writer = Documents(tmp_path)
    writer.put_assignment(ASSIGNMENT)
    writer.put_roster(roster("3-1", 3))
    writer.put_layout(LAYOUT)
    (tmp_path / FILE_NAME).write_bytes(rubbish)
    documents = Documents(tmp_path)
    assert documents.assignment("a1") == ASSIGNMENT
    assert documents.roster() == roster("3-1", 3)
    assert documents.layouts() == ()
    damage = documents.damage()
    assert damage is not None
    assert damage.restored
    assert (tmp_path / damage.aside).read_bytes() == rubbish
    assert "copy" in str(documents.trouble())
    documents.put_layout(LAYOUT)
    assert Documents(tmp_path).layouts() == (LAYOUT,)


def test_a_damaged_file_without_an_older_copy_costs_what_was_in_it_and_nothing_more(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text('{"assignments": {"1"', encoding="utf-8")
    documents = Documents(tmp_path)
    documents.put_assignment(ASSIGNMENT)
    assert [found.id for found in documents.assignments()] == ["a1"]
    damage = documents.damage()
    assert damage is not None
    assert not damage.restored
    assert (tmp_path / damage.aside).read_text(encoding="utf-8") == '{"assignments": {"1"'


def test_a_second_damage_does_not_overwrite_what_was_set_aside_before(tmp_path: Path) -> None:
    for rubbish in (b"one", b"two"):
        (tmp_path / FILE_NAME).write_bytes(rubbish)
        assert Documents(tmp_path).assignments() == ()
    assert sorted(path.read_bytes() for path in tmp_path.glob("documents.damaged-*.json")) == [b"one", b"two"]


def test_damage_is_told_by_every_start_until_a_person_has_seen_to_it(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"?")
    assert Documents(tmp_path).trouble() is not None
    assert Documents(tmp_path).trouble() is not None
    Documents(tmp_path).damage_seen()
    assert Documents(tmp_path).trouble() is None


def test_a_file_that_has_gone_is_replaced_by_the_copy_before_it(tmp_path: Path) -> None:
    writer = Documents(tmp_path)
    writer.put_assignment(ASSIGNMENT)
    writer.put_layout(LAYOUT)
    (tmp_path / FILE_NAME).unlink()
    assert Documents(tmp_path).assignment("a1") == ASSIGNMENT


def test_a_running_reader_goes_on_when_the_file_is_damaged_under_it(tmp_path: Path) -> None:
    documents = Documents(tmp_path)
    documents.put_assignment(ASSIGNMENT)
    documents.put_layout(LAYOUT)
    (tmp_path / FILE_NAME).write_bytes(b"?")
    assert documents.assignment("a1") == ASSIGNMENT


def test_damage_on_a_disk_that_takes_nothing_still_serves_the_older_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = Documents(tmp_path)
    writer.put_assignment(ASSIGNMENT)
    writer.put_layout(LAYOUT)
    (tmp_path / FILE_NAME).write_bytes(b"?")

    def read_only(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", read_only)
        patch.setattr(Path, "replace", read_only)
        documents = Documents(tmp_path)
        assert documents.assignment("a1") == ASSIGNMENT
        assert documents.trouble() is not None
    assert (tmp_path / FILE_NAME).read_bytes() == b"?"


def test_what_does_not_change_is_not_written(tmp_path: Path) -> None:
    documents = Documents(tmp_path)
    documents.put_setting("class", "3-1")
    documents.put_setting("other", "x")
    before = documents.stamp()
    documents.put_setting("class", "3-1")
    assert documents.stamp() == before


def test_a_class_without_pupils_is_gone_and_the_others_stay(tmp_path: Path) -> None:
    documents = Documents(tmp_path)
    documents.put_roster(roster("3-1", 3))
    documents.put_roster(roster("3-2", 2))
    documents.put_class("3-1", ())
    assert documents.roster() == roster("3-2", 2)


def test_a_full_disk_keeps_the_old_documents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    documents = Documents(tmp_path)
    documents.put_assignment(ASSIGNMENT)

    def no_room(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", no_room)
        with pytest.raises(DocumentsError, match="No space left"):
            documents.put_layout(LAYOUT)
    assert Documents(tmp_path).assignment("a1") == ASSIGNMENT
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(str(os.getpid()))] == []


def test_a_document_of_an_older_shape_does_not_cost_the_others(tmp_path: Path) -> None:
    documents = Documents(tmp_path)
    documents.put_assignment(ASSIGNMENT)
    tables = json.loads((tmp_path / FILE_NAME).read_text(encoding="utf-8"))
    tables["assignments"]["99"] = {"id": "old", "body": {"title": 5}}
    (tmp_path / FILE_NAME).write_text(json.dumps(tables), encoding="utf-8")
    assert [a.id for a in Documents(tmp_path).assignments()] == ["a1"]


FIRST_LOOK = """
import sys, threading
from pathlib import Path
from edge.documents import Documents
sys.setswitchinterval(1e-6)
documents = Documents(Path(sys.argv[1]))
start = threading.Barrier(4)
def look():
    start.wait()
    assert documents.assignments()
threads = [threading.Thread(target=look) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def test_threads_that_look_for_the_first_time_at_once_do_not_crash(tmp_path: Path) -> None:
    """One process in four did: msgspec works out a type at its first use, and not twice at a time."""
    Documents(tmp_path).put_assignment(ASSIGNMENT)
    for _ in range(12):
        done = subprocess.run([sys.executable, "-c", FIRST_LOOK, str(tmp_path)], check=False, capture_output=True)
        assert done.returncode == 0, done.stderr.decode()
