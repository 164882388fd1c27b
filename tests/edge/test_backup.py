"""A copy of a box is one whole moment of it, and a box made from it loses nothing and counts nothing twice."""

import asyncio
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from edge.access.book import AccessBook
from edge.backup import BackupError, make_backup, read_list, restore_backup
from edge.database import DatabaseError
from edge.documents import Documents
from edge.frames import Capture
from edge.ledger import Ledger
from edge.pictures import Pictures, digest_of
from homework.roster import Pupil, Roster
from provisioning.identity import Identity, read_identity, write_identity
from sync.box_session import BoxSession
from sync.clock import SystemClock
from sync.gateway_session import GatewaySession, Message
from sync.lanes import Lane
from sync.records import PageResult, decode_record
from sync.simulation import BOX, KEY, SCHOOL, MemoryIngest
from sync.topics import topic
from tests.edge.filing import CLOCK, IMAGE, graded

CLASSBOX = str(Path(sys.executable).parent / "classbox")
ROOT = Path(__file__).resolve().parents[2]
CLOCKS = SystemClock()


def slide(data: Path, ledger: Ledger, *numbers: int, **page: Any) -> None:
    """File sheets with pictures of their own."""
    pictures = Pictures(data / "pictures")
    for number in numbers:
        picture = f"picture {number}".encode() * 200
        pictures.keep(digest_of(picture), picture)
        filed = ledger.file(
            Capture(IMAGE, "test"),
            graded(f"S{number:03}", seed=number, **page),
            pupil=f"S{number:03}",
            digest=digest_of(picture),
            has_picture=True,
            clock=CLOCK,
        )
        assert filed is not None


@pytest.fixture
def box(tmp_path: Path) -> Path:
    """The folder of a box with ten sheets, a class and an identity."""
    data = tmp_path / "box"
    ledger = Ledger(data)
    slide(data, ledger, *range(10))
    ledger.close()
    Documents(data).put_roster(Roster(tuple(Pupil("3-1", n + 1, f"学生{n:02}", f"S{n:03}") for n in range(10))))
    write_identity(
        data,
        Identity(school=SCHOOL, box=BOX, school_key=bytes(32), box_key=KEY, broker_url="mqtt://127.0.0.1:9"),
    )
    return data


def content(data: Path) -> list[tuple[str | None, str, bool]]:
    ledger, pictures = Ledger(data, check=True), Pictures(data / "pictures")
    try:
        return [
            (page.pupil, page.digest, pictures.read(page.digest) is not None) for page in ledger.all_current_pages()
        ]
    finally:
        ledger.close()


def test_a_restored_box_has_every_sheet_picture_and_document(box: Path, tmp_path: Path) -> None:
    made = make_backup(box, tmp_path / "copy", clock=CLOCKS)
    assert (made.captures, made.pictures, made.new_pictures, made.missing) == (10, 10, 10, 0)
    restored = restore_backup(tmp_path / "copy", tmp_path / "new", clock=CLOCKS)
    assert (restored.captures, restored.pictures) == (10, 10)
    assert content(tmp_path / "new") == content(box)
    assert Documents(tmp_path / "new").roster() == Documents(box).roster()


def test_keys_and_pins_go_along_only_when_asked_for(box: Path, tmp_path: Path) -> None:
    people = AccessBook(box, CLOCKS)
    people.add("Teacher 1", "831462")
    people.close()
    make_backup(box, tmp_path / "plain", clock=CLOCKS)
    make_backup(box, tmp_path / "keys", clock=CLOCKS, keys=True)
    assert not list((tmp_path / "plain").rglob("identity*"))
    assert not list((tmp_path / "plain").rglob("access*"))
    assert (tmp_path / "keys" / "access.sqlite").is_file()
    restore_backup(tmp_path / "keys", tmp_path / "new", clock=CLOCKS)
    assert read_identity(tmp_path / "new") == read_identity(box)
    assert (tmp_path / "new" / "identity.json").stat().st_mode & 0o777 == 0o600


def test_a_second_copy_brings_only_what_is_new_and_mends_what_is_damaged(box: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    make_backup(box, copy, clock=CLOCKS)
    some = sorted((copy / "pictures").glob("??/*.jpg"))[3]
    some.write_bytes(b"rot")
    ledger = Ledger(box)
    slide(box, ledger, 10, 11)
    ledger.close()
    assert make_backup(box, copy, clock=CLOCKS).new_pictures == 3
    restore_backup(copy, tmp_path / "new", clock=CLOCKS)
    assert content(tmp_path / "new") == content(box)


def test_a_copy_that_was_cut_short_goes_on_and_the_one_before_stays_good(
    box: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "copy"
    make_backup(box, copy, clock=CLOCKS)
    ledger = Ledger(box)
    slide(box, ledger, *range(10, 16))
    ledger.close()
    kept: list[str] = []
    keep = Pictures.keep

    def until_pulled(self: Pictures, digest: str, picture: bytes) -> None:
        if len(kept) == 3:
            raise OSError(5, "Input/output error")
        kept.append(digest)
        keep(self, digest, picture)

    with monkeypatch.context() as patch:
        patch.setattr(Pictures, "keep", until_pulled)
        with pytest.raises(BackupError, match="Input/output error"):
            make_backup(box, copy, clock=CLOCKS)
    assert restore_backup(copy, tmp_path / "older", clock=CLOCKS).captures == 10
    assert make_backup(box, copy, clock=CLOCKS).new_pictures == 3
    assert restore_backup(copy, tmp_path / "newer", clock=CLOCKS).captures == 16


def test_a_copy_taken_while_sheets_come_is_one_moment_of_the_box(box: Path, tmp_path: Path) -> None:
    ledger = Ledger(box)
    ending = threading.Event()

    def keep_sliding() -> None:
        for number in range(100, 1000):
            if ending.is_set():
                return
            slide(box, ledger, number)

    slider = threading.Thread(target=keep_sliding)
    slider.start()
    try:
        for number in range(4):
            time.sleep(0.1)
            made = make_backup(box, tmp_path / f"copy-{number}", clock=CLOCKS)
            assert made.missing == 0
            restored = restore_backup(tmp_path / f"copy-{number}", tmp_path / f"new-{number}", clock=CLOCKS)
            pages = content(tmp_path / f"new-{number}")
            assert len(pages) == restored.captures == made.captures
            assert all(picture for _, _, picture in pages)
    finally:
        ending.set()
        slider.join()
        ledger.close()


def test_nothing_is_overwritten(box: Path, tmp_path: Path) -> None:
    make_backup(box, tmp_path / "copy", clock=CLOCKS)
    before = content(box)
    with pytest.raises(BackupError, match="not empty"):
        restore_backup(tmp_path / "copy", box, clock=CLOCKS)
    assert content(box) == before
    (tmp_path / "empty").mkdir()
    restore_backup(tmp_path / "copy", tmp_path / "empty", clock=CLOCKS)
    assert content(tmp_path / "empty") == before


@pytest.mark.parametrize("what", ["ledger.sqlite", "documents.json", "a picture", "backup.json", "a picture gone"])
def test_a_copy_that_is_not_what_it_says_is_refused_and_nothing_appears(what: str, box: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    make_backup(box, copy, clock=CLOCKS)
    path = min((copy / "pictures").glob("??/*.jpg")) if "picture" in what else copy / what
    if what == "a picture gone":
        path.unlink()
    else:
        body = bytearray(path.read_bytes())
        body[len(body) // 2] ^= 0x40
        path.write_bytes(bytes(body))
    if what == "backup.json":
        path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(BackupError):
        restore_backup(copy, tmp_path / "new", clock=CLOCKS)
    assert not (tmp_path / "new").exists()


def test_a_list_that_names_files_elsewhere_writes_nothing_there(box: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    make_backup(box, copy, clock=CLOCKS)
    listed = json.loads((copy / "backup.json").read_text())
    (tmp_path / "evil").write_text("evil")
    listed["files"].append(["../evil", "0" * 32])
    listed["files"] = [
        file if isinstance(file, dict) else {"name": file[0], "digest": file[1]} for file in listed["files"]
    ]
    (copy / "backup.json").write_text(json.dumps(listed))
    with pytest.raises(BackupError, match="damaged"):
        restore_backup(copy, tmp_path / "deep" / "new", clock=CLOCKS)


def test_a_damaged_box_is_not_copied_over_a_good_copy(box: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    make_backup(box, copy, clock=CLOCKS)
    path = box / "ledger.sqlite"
    whole = path.read_bytes()
    path.write_bytes(whole[:8192] + b"\xee" * 8192 + whole[16384:])
    with pytest.raises((BackupError, DatabaseError)):
        make_backup(box, copy, clock=CLOCKS)
    assert restore_backup(copy, tmp_path / "new", clock=CLOCKS).captures == 10


# --- the school and a restored box -------------------------------------------------------------------------


class Line:
    """The real sessions of box and gateway, with nothing but memory between them."""

    def __init__(self) -> None:
        self.ingest = MemoryIngest(random.Random(1))
        self.gateway = GatewaySession(self.ingest)

    def talk(self, ledger: Ledger) -> None:
        """Until the box has nothing more to say and knows what the gateway has."""
        session = BoxSession(school=SCHOOL, box=BOX, key=KEY, software="0")
        hello = True
        for now_ms in range(0, 400_000, 1000):
            with ledger.outbox() as outbox:
                up = [Message(topic(SCHOOL, BOX, "state"), session.hello(outbox))] if hello else []
                while (message := session.next_message(outbox, now_ms)) is not None:
                    up.append(Message(topic(SCHOOL, BOX, "up"), message))
            answers = asyncio.run(self.handle(up))
            with ledger.outbox() as outbox:
                received = [session.receive(outbox, answer.payload) for answer in answers]
            hello = any(each.say_hello for each in received)
            if not hello and not sum(lane.waiting for lane in ledger.outbox_counts().values()):
                return
        raise AssertionError("it never came to rest")

    async def handle(self, up: list[Message]) -> Any:
        return await self.gateway.handle(up)

    def results(self) -> list[PageResult]:
        found = [decode_record(entry) for entry in self.ingest.store.rows.values() if isinstance(entry, bytes)]
        return [record for record in found if isinstance(record, PageResult)]

    def counted(self) -> set[str]:
        return {capture.hex() for capture in self.ingest.store.counted}


def test_a_restored_box_goes_on_with_the_school_under_a_new_epoch_and_nothing_counts_twice(
    box: Path, tmp_path: Path
) -> None:
    """D-B8."""
    line, ledger = Line(), Ledger(box)
    slide(box, ledger, 10, 11)
    line.talk(ledger)
    slide(box, ledger, 12)  # in the copy, not at the school yet
    make_backup(box, tmp_path / "copy", clock=CLOCKS)
    slide(box, ledger, 13, 14)  # after the copy, at the school
    line.talk(ledger)
    ledger.close()
    shutil.rmtree(box)

    restore_backup(tmp_path / "copy", tmp_path / "new", clock=CLOCKS)
    restored = Ledger(tmp_path / "new", check=True)
    with restored.outbox() as outbox:
        assert len(outbox.epochs) == 2
    slide(tmp_path / "new", restored, 15, 16)
    line.talk(restored)
    digests = set(restored.digests())
    assert len(digests) == 15
    assert digests <= line.counted()
    assert len(line.counted()) == 17
    assert line.ingest.store.again == 0
    assert restored.outbox_counts()[Lane.RESULTS].waiting == 0
    restored.close()


def test_a_teacher_s_word_after_a_restore_outranks_every_word_before_it(box: Path, tmp_path: Path) -> None:
    """D-B8. Of two equal revisions the school takes the first: a restored box must give out none a second time."""
    line, ledger = Line(), Ledger(box)
    make_backup(box, tmp_path / "copy", clock=CLOCKS)
    for _ in range(3):
        ledger.withdraw(1)
        ledger.restore(1)
    line.talk(ledger)
    ledger.close()
    restore_backup(tmp_path / "copy", tmp_path / "new", clock=CLOCKS)
    restored = Ledger(tmp_path / "new")
    page = restored.withdraw(1)
    assert page is not None
    line.talk(restored)
    of_it = [record for record in line.results() if record.capture.hex() == page.digest]
    # What was not proven came again, the same; no revision says two things.
    assert len({repr(record) for record in of_it}) == len({record.revision for record in of_it}) == 8
    assert max(record.revision for record in of_it) == page.revision
    restored.close()


# --- as commands, with a box that runs ---------------------------------------------------------------------


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {"CLASSBOX_LANG": "en", "PATH": "/usr/bin:/bin", "HOME": "/nonexistent"}
    return subprocess.run([CLASSBOX, *map(str, words)], capture_output=True, text=True, check=False, env=environment)


def test_the_commands_copy_a_running_box_and_restore_it(box: Path, tmp_path: Path) -> None:
    config = tmp_path / "box.toml"
    config.write_text(f'data = "{box}"\n[web]\nlisten = "127.0.0.1:0"\n')
    running = subprocess.Popen([CLASSBOX, "run", "--config", str(config)], stdout=subprocess.PIPE, text=True)
    try:
        assert running.stdout is not None
        assert running.stdout.readline().startswith("ready ")
        done = run("backup", tmp_path / "copy", "--data", box)
        assert (done.returncode, done.stdout) == (0, "Copied: 10 sheets, 10 pictures (10 new).\n"), done.stderr
    finally:
        running.send_signal(signal.SIGTERM)
        assert running.wait(timeout=30) == 0
    done = run("restore", tmp_path / "copy", "--data", tmp_path / "new")
    assert done.returncode == 0, done.stderr
    assert "Restored: 10 sheets, 10 pictures." in done.stdout
    assert "enrol it again" in done.stdout
    assert json.loads(run("status", "--json", "--data", tmp_path / "new").stdout)["graded"] == 10
    again = run("restore", tmp_path / "copy", "--data", tmp_path / "new")
    assert (again.returncode, "not empty" in again.stderr) == (1, True)
    assert run("backup", box / "inside", "--data", box).returncode == 1
    assert run("backup", tmp_path / "x", "--data", tmp_path / "nothing").returncode == 1


def test_a_restore_that_was_killed_leaves_no_half_box(box: Path, tmp_path: Path) -> None:
    make_backup(box, tmp_path / "copy", clock=CLOCKS)
    script = (
        "import os, signal, sys; from pathlib import Path; from edge.pictures import Pictures; import edge.backup\n"
        "keep, seen = Pictures.keep, []\n"
        "def dying(self, *words):\n"
        "    seen.append(1); keep(self, *words)\n"
        "    if len(seen) == 5: os.kill(os.getpid(), signal.SIGKILL)\n"
        "Pictures.keep = dying\n"
        "from sync.clock import SystemClock\n"
        "edge.backup.restore_backup(Path(sys.argv[1]), Path(sys.argv[2]), clock=SystemClock())\n"
    )
    words = [sys.executable, "-c", script, str(tmp_path / "copy"), str(tmp_path / "new")]
    done = subprocess.run(words, cwd=ROOT, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert done.returncode == -signal.SIGKILL
    assert not (tmp_path / "new").exists()
    restore_backup(tmp_path / "copy", tmp_path / "new", clock=CLOCKS)
    assert content(tmp_path / "new") == content(box)
    assert read_list(tmp_path / "copy").captures == 10
