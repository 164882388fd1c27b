"""What comes down finds its place among the box's documents, and is no news for the school (D11)."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import get_args

import cv2
import msgspec
import numpy as np
import pytest

from edge.documents import Documents
from edge.downstream import Downstream, document_takers, shelf_of
from edge.ledger import Ledger
from edge.pictures import Pictures
from edge.upstream import queue_documents
from edge.web.summary import REPORT_SETTING
from homework.assignment import assignment_to_toml, parse_assignment
from homework.layout import Page, SheetLayout, layout_to_json
from homework.print_run import PrintRun
from homework.report_settings import ReportSettings, settings_from_json, settings_to_json
from homework.roster import Pupil, Roster, roster_to_csv
from homework.statistics import Thresholds
from sync.box_session import BoxSession
from sync.down_bodies import Kind, content_of, digest_of_packed, packed, sealed_content_of, sealed_roster
from sync.down_messages import Entry, Offer, encode_downward
from sync.downward import UnusableError
from sync.inbox import Inbox
from sync.lanes import Lane

KEY, SCHOOL_KEY = b"k" * 32, b"s" * 32
ASSIGNMENT = parse_assignment(
    (Path(__file__).resolve().parents[2] / "examples" / "g3-mul-2x1.toml").read_text(encoding="utf-8")
)
CLASS = Roster((Pupil("3-1", 1, "甲", "S1"), Pupil("3-1", 2, "乙", "S2")))


@pytest.fixture
def documents(tmp_path: Path) -> Documents:
    return Documents(tmp_path)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger(tmp_path)
    yield ledger
    ledger.close()


@pytest.fixture
def shelf(documents: Documents) -> Downstream:
    return Downstream(document_takers(documents, SCHOOL_KEY))


class School:
    """Sends one document after another down to a box."""

    def __init__(self, ledger: Ledger, shelf: Downstream) -> None:
        self.ledger, self.shelf = ledger, shelf
        self.box = BoxSession(school="s", box="b", key=KEY, software="1", takes_documents=True)
        self.place = 0

    def offer(self, kind: str, key: str, body: bytes) -> None:
        frame = packed(body)
        entry = Entry(self.place + 1, kind, key, content_of(body), digest_of_packed(frame), len(frame), frame)
        with self.ledger.outbox() as outbox:
            offer = Offer(
                incarnation=b"gateway1", challenge=outbox.challenge, after=self.place, before=bytes(16),
                through=self.place + 1,
                chain=bytes(16), last=self.place + 1, anew=False, entries=(entry,),
            )  # fmt: skip
            self.box.receive(outbox, encode_downward(offer, school="s", box="b", key=KEY))
        self.place += 1

    def send(self, kind: str, key: str, body: bytes) -> None:
        self.offer(kind, key, body)
        self.box.downward.settle(self._inbox, self.shelf, 0.0)

    @contextmanager
    def _inbox(self) -> Iterator[Inbox]:
        with self.ledger.outbox() as outbox:
            yield outbox.inbox


def test_a_box_takes_every_kind_that_its_school_may_send(documents: Documents, ledger: Ledger, tmp_path: Path):
    """Over the line and on a stick alike."""
    shelf = shelf_of(documents, ledger, SCHOOL_KEY, Pictures(tmp_path))
    for kind in set(get_args(Kind)) - {"setting"}:
        assert shelf.content(kind, "00") is None
    assert shelf.content("setting", "report") is None


@pytest.fixture
def school(ledger: Ledger, shelf: Downstream) -> School:
    return School(ledger, shelf)


def toml(title: str) -> bytes:
    return assignment_to_toml(msgspec.structs.replace(ASSIGNMENT, title=title)).encode()


def test_a_class_list_is_opened_with_the_schools_key_and_no_other(shelf: Downstream, documents: Documents):
    csv = roster_to_csv(CLASS).encode()
    with pytest.raises(UnusableError, match="school's key"):
        shelf.take("roster", "3-1", sealed_roster(b"x" * 32, "3-1", csv))
    with pytest.raises(UnusableError):
        shelf.take("roster", "3-2", sealed_roster(SCHOOL_KEY, "3-1", csv))
    assert documents.roster().pupils == ()
    shelf.take("roster", "3-1", sealed_roster(SCHOOL_KEY, "3-1", csv))
    assert documents.roster() == CLASS
    assert shelf.content("roster", "3-1") == sealed_content_of(SCHOOL_KEY, csv)


def test_a_class_that_nobody_is_in_any_more_goes(shelf: Downstream, documents: Documents):
    shelf.take("roster", "3-1", sealed_roster(SCHOOL_KEY, "3-1", roster_to_csv(CLASS).encode()))
    shelf.take("roster", "3-1", sealed_roster(SCHOOL_KEY, "3-1", roster_to_csv(Roster(())).encode()))
    assert documents.roster().pupils == ()


def test_a_roster_names_only_the_class_that_it_is_sent_for(shelf: Downstream, documents: Documents):
    csv = roster_to_csv(Roster((*CLASS.pupils, Pupil("3-2", 1, "丙", "S3")))).encode()
    with pytest.raises(UnusableError, match="under the name"):
        shelf.take("roster", "3-1", sealed_roster(SCHOOL_KEY, "3-1", csv))
    assert documents.roster().pupils == ()


def test_a_learned_layout_comes_with_its_picture(shelf: Downstream, documents: Documents):
    picture = bytes(cv2.imencode(".png", np.full((297, 210), 255, np.uint8))[1])
    layout = SheetLayout("w", None, (210.0, 297.0), (Page(1, ()),), register="print", reference="blank.png")
    run = PrintRun(layout, None, None, picture).by_digest()
    assert run.layout.reference is not None
    shelf.take("layout", "w", layout_to_json(run.layout).encode())
    assert documents.unmarked() == ()
    before = documents.stamp()
    shelf.take("reference", run.layout.reference, picture)
    assert documents.stamp() != before, "sheets that waited are looked at again"
    (sheet,) = documents.unmarked()
    assert len(sheet.references) == 1
    assert shelf.content("reference", run.layout.reference) == content_of(picture)


@pytest.mark.parametrize("name", ["../x.png", "p.png", "p.exe", "x" * 32 + ".png"])
def test_a_picture_that_is_not_what_it_is_called_is_not_kept(name: str, shelf: Downstream, tmp_path: Path):
    """D14."""
    with pytest.raises(UnusableError):
        shelf.take("reference", name, b"\x89PNG\r\n")
    assert not list(tmp_path.rglob("*.png"))


@pytest.mark.parametrize(
    ("kind", "key", "body"),
    [
        ("assignment", "g3", b"\xff"),
        ("assignment", "another", toml("t")),
        ("layout", "s", b"{}"),
        ("setting", "report", b"{}x"),
        ("setting", "of the future", b"1"),
        ("of the future", "x", b"1"),
    ],
)
def test_what_cannot_be_used_is_told(kind: str, key: str, body: bytes, shelf: Downstream):
    with pytest.raises(UnusableError):
        shelf.take(kind, key, body)


def test_the_schools_lines_stand_on_the_box(shelf: Downstream, documents: Documents):
    settings = ReportSettings(thresholds=Thresholds(excellent=85))
    shelf.take("setting", "report", settings_to_json(settings).encode())
    assert settings_from_json(documents.setting(REPORT_SETTING)) == settings


def test_what_came_down_is_no_news_for_the_school_until_a_person_changes_it(
    school: School, documents: Documents, ledger: Ledger
):
    school.send("assignment", ASSIGNMENT.id, toml("the school's"))
    assert queue_documents(documents, ledger) == 0
    documents.put_assignment(msgspec.structs.replace(ASSIGNMENT, title="a person's"))
    assert queue_documents(documents, ledger) == 1
    assert queue_documents(documents, ledger) == 0
    school.send("assignment", ASSIGNMENT.id, toml("the school's new one"))
    assert queue_documents(documents, ledger) == 0
    documents.put_assignment(msgspec.structs.replace(ASSIGNMENT, title="a person's"))
    assert queue_documents(documents, ledger) == 1, "to go back to it is a change as well"
    assert ledger.outbox_counts()[Lane.DOCUMENTS].captured == 2


def test_a_box_killed_while_a_document_takes_the_place_of_its_own_sends_neither(
    school: School, documents: Documents, ledger: Ledger
):
    documents.put_assignment(msgspec.structs.replace(ASSIGNMENT, title="a person's"))
    assert queue_documents(documents, ledger) == 1
    school.offer("assignment", ASSIGNMENT.id, toml("the school's"))
    assert queue_documents(documents, ledger) == 0
    school.shelf.take("assignment", ASSIGNMENT.id, toml("the school's"))  # and the power goes
    assert queue_documents(documents, ledger) == 0


def test_what_is_replaced_while_it_is_read_is_not_sent(
    documents: Documents, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
):
    documents.put_assignment(ASSIGNMENT)
    read = documents.assignments

    def meanwhile() -> tuple[object, ...]:
        found = read()
        monkeypatch.undo()
        documents.put_assignment(msgspec.structs.replace(ASSIGNMENT, title="newer"))
        return found

    monkeypatch.setattr(documents, "assignments", meanwhile)
    assert queue_documents(documents, ledger) == 0
    assert queue_documents(documents, ledger) == 1
