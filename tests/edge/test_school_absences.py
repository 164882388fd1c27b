"""请假 and 免做 of the box and of the school meet on the box: all are kept, one counts, nothing is lost (D1, D12)."""

import itertools
import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.database import DatabaseError
from edge.deeds import By, Deed, DeedKind
from edge.documents import Documents
from edge.ledger import Ledger
from edge.school_absences import Absences, AbsenceTaker, Pseudonyms
from edge.web.deed_words import deed_line, person_line
from homework.absences import Absence, AbsenceWord, standing
from homework.roster import Pupil, Roster
from sync.absences import absence_record, who_said, word_of
from sync.clock import ClockQuality, ClockReading
from sync.down_bodies import content_of
from sync.downward import UnusableError
from sync.greeting import own_greeting
from sync.inbox import Inbox
from sync.lanes import Lane
from sync.outbox import Outbox
from sync.pseudonym import pseudonym
from sync.records import ABSENCE_KIND, NEWEST, AbsenceRecord, decode_record, encode_record

KEY = bytes(range(32))
EXCUSED, EXEMPT = Absence.EXCUSED, Absence.EXEMPT
PUPIL = "S001"
CLASS = Roster((Pupil("3-1", 1, "甲", PUPIL), Pupil("3-1", 2, "乙", "S002")))


def at(wall_ms: int, quality: ClockQuality = ClockQuality.SYNCED) -> ClockReading:
    return ClockReading(monotonic_ms=1, wall_ms=wall_ms, boot=bytes(16), quality=quality)


EARLIER, LATER = at(1_780_000_000_000), at(1_790_000_100_000)
UNSET = at(4_070_000_000_000, ClockQuality.UNSET)
MISS = By("王老师", at(1_790_000_000_000))


def pupil_of(alias: bytes) -> str | None:
    return next((one.pupil_id for one in CLASS.pupils if pseudonym(KEY, one.pupil_id) == alias), None)


def greet(ledger: Ledger, newest_kind: int = max(NEWEST)) -> None:
    """The gateway says which kinds of records it reads."""
    with ledger.outbox() as outbox:
        said = msgspec.structs.replace(
            own_greeting(outbox.challenge, "test"), records=tuple(NEWEST[kind] for kind in range(1, newest_kind + 1))
        )
        outbox.note("greeting", msgspec.msgpack.encode(said))


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger(tmp_path, check=True, school_key=KEY)
    greet(opened)
    yield opened
    opened.close()


def sent(ledger: Ledger) -> list[AbsenceRecord]:
    with ledger.outbox() as outbox:
        records = [decode_record(entry) for _, entry in outbox.waiting(Lane.RESULTS, 1000) if isinstance(entry, bytes)]
    return [record for record in records if isinstance(record, AbsenceRecord)]


def from_school(
    absence: Absence | None,
    name: int = 9,
    *,
    clock: ClockReading = LATER,
    seen: tuple[AbsenceRecord, ...] = (),
    pupil: str = PUPIL,
    order: int = 1,
    who: str = "校长",
    origin: str = "",
) -> AbsenceRecord:
    word = AbsenceWord(
        id=bytes([name]) * 16, absence=absence, replaces=tuple(one.id for one in seen),
        synced=clock.quality is ClockQuality.SYNCED, wall_ms=clock.wall_ms, order=order,
    )  # fmt: skip
    record = absence_record(
        word, assignment="g3", pseudonym=pseudonym(KEY, pupil), who=who, clock=clock, school_key=KEY
    )
    return msgspec.structs.replace(record, origin=origin)


def told_by(ledger: Ledger, incarnation: bytes) -> None:
    """The box was told something by the gateway of that incarnation."""
    with ledger._file.writing() as db:
        Inbox(db)._set(incarnation=incarnation)


def newest(ledger: Ledger) -> Deed:
    return ledger.newest_deeds()[0]


# --- up ---------------------------------------------------------------------------------------------------


def test_a_tap_is_a_word_for_the_school_that_names_the_pupil_by_pseudonym_alone(ledger: Ledger) -> None:
    ledger.set_absence("g3", PUPIL, EXCUSED, by=MISS)
    (record,) = sent(ledger)
    assert (record.assignment, record.pseudonym, word_of(record).absence) == ("g3", pseudonym(KEY, PUPIL), EXCUSED)
    assert (who_said(record, KEY), record.clock, record.replaces) == ("王老师", MISS.clock, ())
    for secret in (PUPIL.encode(), "王老师".encode()):
        assert secret not in encode_record(record)


def test_another_tap_replaces_it_and_undo_is_a_word_too(ledger: Ledger) -> None:
    ledger.set_absence("g3", PUPIL, EXCUSED, by=MISS)
    ledger.set_absence("g3", PUPIL, EXEMPT, by=MISS)
    assert ledger.undo(newest(ledger).number, by=MISS) is not None
    first, second, third = sent(ledger)
    assert [word_of(one).absence for one in (first, second, third)] == [EXCUSED, EXEMPT, EXCUSED]
    assert second.replaces == (first.id,)
    assert set(third.replaces) == {first.id, second.id}
    assert ledger.absences("g3") == {PUPIL: EXCUSED}


def test_an_older_gateway_gets_no_record_of_it_and_a_newer_one_gets_all_in_their_order(ledger: Ledger) -> None:
    greet(ledger, ABSENCE_KIND - 1)
    ledger.set_absence("g3", PUPIL, EXCUSED, by=MISS)
    ledger.set_absence("g3", PUPIL, None, by=MISS)
    assert (ledger.queue_absences(), sent(ledger)) == (0, [])
    assert ledger.absences("g3") == {}
    greet(ledger)
    assert ledger.queue_absences() == 2
    assert [word_of(record).absence for record in sent(ledger)] == [EXCUSED, None]
    assert ledger.queue_absences() == 0


def test_a_box_of_no_school_says_it_to_its_school_once_it_has_one(tmp_path: Path) -> None:
    """So does one whose program was older when it was said."""
    alone = Ledger(tmp_path)
    alone.set_absence("g3", PUPIL, EXEMPT, by=MISS)
    alone.set_absence("g3", PUPIL, EXCUSED, by=MISS)
    alone.set_absence("g3", "S002", EXCUSED, by=MISS)
    alone.set_absence("g3", "S002", None, by=MISS)
    alone.set_absence("sheet:ABCD1234", PUPIL, EXCUSED, by=MISS)  # its key is not loaded: no school knows it
    alone.close()
    enrolled = Ledger(tmp_path, school_key=KEY)
    greet(enrolled)
    assert enrolled.queue_absences() == 1
    assert [(word_of(one).absence, one.assignment, one.clock) for one in sent(enrolled)] == [
        (EXCUSED, "g3", MISS.clock)
    ]
    assert enrolled.queue_absences() == 0
    enrolled.close()


def test_what_was_said_before_there_were_records_meets_the_schools_word_as_any_other(tmp_path: Path) -> None:
    alone = Ledger(tmp_path)
    alone.set_absence("g3", PUPIL, EXCUSED, by=By("teacher", LATER))
    alone.close()
    enrolled = Ledger(tmp_path, school_key=KEY)
    assert enrolled.take_absence(from_school(EXEMPT, clock=EARLIER), pupil_of)
    assert enrolled.absences("g3") == {PUPIL: EXCUSED}
    enrolled.close()


def test_a_tap_whose_record_does_not_get_into_the_ledger_has_not_happened(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """D1: deed, seat, word and record are one transaction."""

    def full(*_: object, **__: object) -> int:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(Outbox, "append", full)
    with pytest.raises(DatabaseError):
        ledger.set_absence("g3", PUPIL, EXCUSED, by=MISS)
    assert (ledger.absences("g3"), ledger.newest_deeds()) == ({}, [])
    monkeypatch.undo()
    ledger.set_absence("g3", PUPIL, EXCUSED, by=MISS)
    assert len(sent(ledger)) == 1


def test_a_school_that_was_put_back_is_told_its_own_words_again_once(ledger: Ledger) -> None:
    told_by(ledger, b"school-1")
    assert ledger.queue_absences() == 0
    old, new = from_school(EXCUSED, 1, clock=at(1_770_000_000_000)), from_school(EXEMPT, 2, order=7)
    for record in (old, new, from_school(EXCUSED, 3, order=8, origin="box-2")):
        ledger.take_absence(record, pupil_of)
    ledger.set_absence("g3", "S002", EXCUSED, by=MISS)
    (own,) = sent(ledger)
    assert ledger.queue_absences() == 0
    told_by(ledger, b"school-2")
    assert ledger.queue_absences() == 1
    assert sent(ledger) == [own, new], "not what another box tells again by itself, nor what every copy has"
    assert ledger.queue_absences() == 0
    greet(ledger, ABSENCE_KIND - 1)
    told_by(ledger, b"school-3")
    assert ledger.queue_absences() == 0, "an older gateway would only hold them"
    greet(ledger)
    assert ledger.queue_absences() == 1


# --- down -------------------------------------------------------------------------------------------------


def test_what_the_school_says_shows_at_the_seat_and_in_the_list_of_changes(ledger: Ledger, tmp_path: Path) -> None:
    record = from_school(EXCUSED)
    assert [ledger.take_absence(record, pupil_of) for _ in range(2)] == [True, False]
    assert ledger.absences("g3") == {PUPIL: EXCUSED}
    deed = newest(ledger)
    assert (deed.kind, deed.about["before"], deed.about["after"]) == (DeedKind.ABSENCE, None, EXCUSED)
    documents = Documents(tmp_path)
    documents.put_roster(CLASS)
    assert (person_line(deed, str), deed_line(deed, str, documents, ledger.deed)) == (
        "校长 (the school)", "1 甲: on leave",
    )  # fmt: skip
    assert sent(ledger) == []


def test_the_schools_word_is_undone_here_and_what_somebody_said_before_it_no_more(ledger: Ledger) -> None:
    ledger.set_absence("g3", PUPIL, EXEMPT, by=MISS)
    mine = newest(ledger)
    ledger.take_absence(from_school(EXCUSED, seen=(*sent(ledger),)), pupil_of)
    schools = newest(ledger)
    assert (ledger.is_newest(mine), ledger.is_newest(schools)) == (False, True)
    assert ledger.undo(mine.number, by=MISS) is None
    assert ledger.undo(schools.number, by=MISS) is not None
    assert ledger.absences("g3") == {PUPIL: EXEMPT}
    assert set(sent(ledger)[-1].replaces) == {sent(ledger)[0].id, from_school(EXCUSED).id}


@pytest.mark.parametrize(
    ("here", "there", "stands"),
    [(EARLIER, LATER, EXCUSED), (LATER, EARLIER, EXEMPT), (UNSET, EARLIER, EXCUSED), (UNSET, UNSET, EXEMPT)],
    ids=["school later", "box later", "box in 2099", "nobody has a time"],
)
def test_of_what_both_say_apart_one_counts_and_the_list_shows_both(
    ledger: Ledger, here: ClockReading, there: ClockReading, stands: Absence
) -> None:
    ledger.set_absence("g3", PUPIL, EXEMPT, by=By("teacher", here))
    ledger.take_absence(from_school(EXCUSED, clock=there), pupil_of)
    assert ledger.absences("g3") == {PUPIL: stands}
    assert (len(ledger.newest_deeds()), newest(ledger).about["counts"]) == (2, int(stands is EXCUSED))


def test_the_school_may_say_later_where_a_word_stands_and_that_its_time_was_none(ledger: Ledger) -> None:
    ledger.set_absence("g3", PUPIL, EXEMPT, by=By("teacher", UNSET))
    (mine,) = sent(ledger)
    ledger.take_absence(from_school(EXCUSED, clock=UNSET, order=2, origin="box-2"), pupil_of)
    assert ledger.absences("g3") == {PUPIL: EXEMPT}, "no place of its own yet: it is the last"
    assert ledger.take_absence(msgspec.structs.replace(mine, order=1, origin="box-1"), pupil_of)
    assert ledger.absences("g3") == {PUPIL: EXCUSED}
    assert person_line(newest(ledger), str) == "校长 (box box-2)"
    assert not ledger.take_absence(msgspec.structs.replace(mine, order=1, origin="box-1"), pupil_of)


def test_nobody_changes_what_a_word_says_under_its_name(ledger: Ledger) -> None:
    """A hostile box of the school learns the ids of others."""
    ledger.take_absence(from_school(EXCUSED), pupil_of)
    for forged in (from_school(EXEMPT, order=2), from_school(EXCUSED, pupil="S002", order=2)):
        assert not ledger.take_absence(forged, pupil_of)
    assert ledger.absences("g3") == {PUPIL: EXCUSED}


def test_a_word_on_a_pupil_who_is_on_no_list_here_waits_for_the_list(tmp_path: Path, ledger: Ledger) -> None:
    documents = Documents(tmp_path / "documents")
    changes: list[str] = []
    pseudonyms = Pseudonyms(documents, KEY)
    job = Absences(
        ledger, documents, pseudonyms, on_news=lambda: changes.append("news"), on_change=lambda: changes.append("seat")
    )
    ledger.take_absence(from_school(EXCUSED, pupil="S002"), pseudonyms.pupil)
    job.look(lambda: False)
    assert (ledger.absences("g3"), ledger.newest_deeds(), changes) == ({}, [], [])
    documents.put_roster(CLASS)
    job.look(lambda: False)
    job.look(lambda: False)
    assert (ledger.absences("g3"), changes) == ({"S002": EXCUSED}, ["seat"])


def test_the_taker_knows_what_the_box_has_and_refuses_what_is_no_such_word(tmp_path: Path, ledger: Ledger) -> None:
    documents = Documents(tmp_path / "documents")
    documents.put_roster(CLASS)
    changes: list[int] = []
    taker = AbsenceTaker(ledger, Pseudonyms(documents, KEY), lambda: changes.append(1))
    record = from_school(EXCUSED)
    name, body = record.id.hex(), encode_record(record)
    assert taker.content(name) is None
    taker.take(name, body)
    taker.take(name, body)
    assert (taker.content(name), len(changes), ledger.absences("g3")) == (content_of(body), 1, {PUPIL: EXCUSED})
    for key, other in ((name, b"\xc1"), (name, b"\x92\x07\x02"), ("00" * 16, body), ("not hex", body)):
        with pytest.raises(UnusableError):
            taker.take(key, other)
    assert taker.content("not hex") is None


# --- laws -------------------------------------------------------------------------------------------------

words = st.lists(
    st.builds(
        from_school,
        st.sampled_from([None, *Absence]),
        st.integers(1, 5),
        clock=st.sampled_from([EARLIER, LATER, UNSET]),
        order=st.integers(1, 4),
        origin=st.sampled_from(["", "box-1", "box-2"]),
    ),
    max_size=5,
    unique_by=lambda one: one.id,
)
_NAMES = itertools.count()


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words, st.randoms(), st.integers(0, 5))
def test_in_whatever_order_words_come_down_the_seat_says_what_follows_from_all_of_them(
    ledger: Ledger, found: list[AbsenceRecord], chance: random.Random, before: int
) -> None:
    name = f"hw-{next(_NAMES)}"
    named = [
        msgspec.structs.replace(one, assignment=name, id=one.id[:8] + name.encode().ljust(8, b"-")) for one in found
    ]
    chance.shuffle(named)
    for number, record in enumerate([*named, *named]):
        if number == before:
            ledger.set_absence(name, PUPIL, EXEMPT, by=By("teacher", UNSET))
        ledger.take_absence(record, pupil_of)
    mine = [word_of(one) for one in sent(ledger) if one.assignment == name]
    assert ledger.absences(name).get(PUPIL) == standing([*(word_of(one) for one in named), *mine])
