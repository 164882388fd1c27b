"""The school erases a pupil: nothing of them is left on the box, and the others' sheets and numbers stay (D9)."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from edge.deeds import Absence
from edge.documents import Documents
from edge.downstream import Downstream, shelf_of
from edge.ledger import Ledger
from edge.pictures import Pictures
from homework.assignment import Assignment
from homework.corrections import Word
from homework.roster import Pupil, Roster
from sync.down_bodies import Erasure, content_of, erasure_body
from sync.downward import UnusableError
from sync.envelope import Erased
from sync.lanes import Lane
from sync.pseudonym import pseudonym
from tests.edge.test_correcting import KEY, MISS, change, page, slide

SCHOOL_KEY = bytes(range(32))
ALIAS = pseudonym(SCHOOL_KEY, "S002")
NAMES = (b"S002", "韩梅梅".encode())


@pytest.fixture
def documents(tmp_path: Path) -> Documents:
    documents = Documents(tmp_path)
    documents.put_roster(Roster((Pupil("3-1", 1, "李雷", "S001"), Pupil("3-1", 2, "韩梅梅", "S002"))))
    return documents


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    keys: dict[str, Assignment] = {KEY.id: KEY}
    opened = Ledger(tmp_path, check=True, key_of=keys.get, school_key=SCHOOL_KEY)
    yield opened
    opened.close()


@pytest.fixture
def pictures(tmp_path: Path) -> Pictures:
    return Pictures(tmp_path / "pictures")


@pytest.fixture
def shelf(documents: Documents, ledger: Ledger, pictures: Pictures) -> Downstream:
    return shelf_of(documents, ledger, SCHOOL_KEY, pictures)


def erase(shelf: Downstream, *captures: str, alias: bytes = ALIAS, erased_ms: int = 5) -> bytes:
    body = erasure_body(Erasure(alias, erased_ms, tuple(map(bytes.fromhex, captures))))
    if shelf.content("erasure", alias.hex()) != content_of(body):
        shelf.take("erasure", alias.hex(), body)
    return body


def test_nothing_of_the_pupil_is_left_in_any_file_of_the_box(
    shelf: Downstream, ledger: Ledger, documents: Documents, pictures: Pictures, tmp_path: Path
) -> None:
    sheets = [slide(ledger, number) for number in (1, 2)]
    for sheet in sheets:
        pictures.keep(sheet.digest, b"picture")
    ledger.correct([change(sheet, Word(text="56", comment="韩梅梅 有进步")) for sheet in sheets[1:]], by=MISS)
    ledger.set_absence("other", "S002", Absence.EXCUSED, by=MISS)
    ledger.withdraw(sheets[0].capture, by=MISS)
    ledger.restore(sheets[0].capture, by=MISS)
    with ledger.outbox() as outbox:
        chain = [outbox.chain_at(Lane.RESULTS, number) for number in range(6)]
    body = erase(shelf)
    assert shelf.content("erasure", ALIAS.hex()) == content_of(body)
    assert [pupil.name for pupil in documents.roster().pupils] == ["李雷"]
    assert [path.stem for path in pictures.paths()] == [sheets[0].digest]
    assert [one.pupil for one in ledger.current_pages(KEY.id)] == ["S001"]
    assert {deed.kind.value for deed in ledger.newest_deeds()} == {"withdrawn", "restored"}
    with ledger.outbox() as outbox:
        assert [outbox.chain_at(Lane.RESULTS, number) for number in range(6)] == chain
        waiting = [entry for _, entry in outbox.waiting(Lane.RESULTS, 100)]
    assert sum(isinstance(entry, Erased) for entry in waiting) == 3, "both revisions of the sheet, and the word on it"
    ledger.close()
    for file in tmp_path.rglob("*"):
        if file.is_file():
            assert not any(name in file.read_bytes() for name in NAMES), file.name


def test_it_is_done_once_for_each_time_that_the_school_says_so(shelf: Downstream, ledger: Ledger) -> None:
    slide(ledger, 2)
    erase(shelf)
    later = slide(ledger, 3, page("S002", seed=9))
    erase(shelf)
    assert [one.capture for one in ledger.current_pages(KEY.id)] == [later.capture], "it was done already"
    erase(shelf, erased_ms=6)
    assert ledger.current_pages(KEY.id) == []


def test_a_sheet_of_which_nobody_knows_whose_it_is_loses_the_name_and_waits_for_a_person(
    shelf: Downstream, ledger: Ledger
) -> None:
    slide(ledger, 2)
    asked = slide(ledger, 3, page("S002", seed=9))  # other ink under the same name
    erase(shelf)
    found = ledger.page(asked.capture)
    assert found is not None
    assert (found.pupil, found.standing.value) == (None, "ask")
    assert found.record is not None
    assert found.record.who.pupil is None


def test_papers_that_the_school_names_go_where_the_box_has_no_class_list(shelf: Downstream, ledger: Ledger) -> None:
    first = slide(ledger, 1)
    seated = slide(ledger, 4, page(None))
    erase(shelf, first.digest, seated.digest)
    kept, gone = ledger.page(first.capture), ledger.page(seated.capture)
    assert kept is not None
    assert kept.pupil == "S001", "it is another's by now"
    assert gone is not None
    assert gone.record is None


def test_killed_before_the_files_go_the_start_removes_them(
    shelf: Downstream, ledger: Ledger, pictures: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    sheet = slide(ledger, 2)
    pictures.keep(sheet.digest, b"picture")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(pictures, "remove", killed)
    with pytest.raises(KeyboardInterrupt):
        erase(shelf)
    assert list(pictures.paths())
    assert pictures.clean(ledger.digests_of_pictures()) == 1


def test_what_is_no_erasure_is_told(shelf: Downstream, ledger: Ledger) -> None:
    slide(ledger, 2)
    for body in (b"", b"\x00", erasure_body(Erasure(b"x" * 8, 5))):
        with pytest.raises(UnusableError):
            shelf.take("erasure", ALIAS.hex(), body)
    assert len(ledger.current_pages(KEY.id)) == 1


def test_a_picture_that_is_slid_again_is_known_and_a_late_correction_is_not_kept(
    shelf: Downstream, ledger: Ledger, tmp_path: Path
) -> None:
    sheet = slide(ledger, 2)
    erase(shelf)
    assert ledger.knows(sheet.digest)
    with sqlite3.connect(tmp_path / "ledger.sqlite") as db:
        (count,) = cast("tuple[int]", db.execute("SELECT count(*) FROM correction").fetchone())
    assert count == 0
