"""The school's corrections and the box's own meet on the box: both are kept, one counts, the list shows both (D12)."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from edge.correcting import Change
from edge.deeds import By, DeedKind
from edge.ledger import Ledger
from edge.school_corrections import CorrectionTaker
from edge.web.deed_words import deed_line, person_line
from homework.assignment import Assignment
from homework.corrections import Word, field_of, said_after
from homework.merging import correction_between, said_after_all
from homework.results import ItemResult, Reading, Stamp, Verdict, VerdictKind
from sync.clock import ClockQuality, ClockReading
from sync.corrections import correction_record, opened
from sync.down_bodies import content_of
from sync.downward import UnusableError
from sync.lanes import Lane
from sync.records import SETTLED_BYTES, CorrectionRecord, PageResult, Record, decode_record, encode_record
from tests.edge.test_correcting import HARD_56, KEY, MISS, OTHER_KEY, change, now, page, slide, verdict

SCHOOL_KEY = bytes(range(32))
DIGEST = f"{1:032x}"
"""Of the sheet that `slide(ledger, 1)` files."""
RIGHT, WRONG = VerdictKind.CORRECT, VerdictKind.WRONG
UNSET = ClockReading(monotonic_ms=1, wall_ms=4_070_000_000_000, boot=bytes(16), quality=ClockQuality.UNSET)
"""A box that believes that it is 2099."""


def at(wall_ms: int, quality: ClockQuality = ClockQuality.SYNCED) -> ClockReading:
    return ClockReading(monotonic_ms=1, wall_ms=wall_ms, boot=bytes(16), quality=quality)


LATER = at(1_790_000_100_000)
EARLIER = at(1_780_000_000_000)


class Shelf:
    def __init__(self) -> None:
        self.keys: dict[str, Assignment] = {KEY.id: KEY}


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def ledger(tmp_path: Path, shelf: Shelf) -> Iterator[Ledger]:
    opened_ledger = Ledger(tmp_path, check=True, key_of=shelf.keys.get, school_key=SCHOOL_KEY)
    yield opened_ledger
    opened_ledger.close()


def from_school(
    word: Word,
    name: int = 9,
    *,
    clock: ClockReading = LATER,
    seen: tuple[CorrectionRecord, ...] = (),
    digest: str = DIGEST,
    item: str = "1",
    who: str = "",
    order: int = 1,
) -> CorrectionRecord:
    """What a person at the school says of a field, who saw `seen`."""
    known = [opened(record, SCHOOL_KEY).correction for record in seen]
    read = ItemResult(item, 1, "number", HARD_56, Verdict(VerdictKind.REVIEW, None))
    before = said_after_all(read, known)
    made = correction_between(
        before, said_after(msgspec.structs.replace(read, said=before), word), known=known,
        name=bytes([name]) * 16, place=(item, 1), read=HARD_56, synced=clock.quality is ClockQuality.SYNCED,
        wall_ms=clock.wall_ms,
    )  # fmt: skip
    record = correction_record(
        made, capture=bytes.fromhex(digest), revision=1, who=who, clock=clock, school_key=SCHOOL_KEY, origin=""
    )
    return msgspec.structs.replace(record, order=order)


def sent(ledger: Ledger) -> list[Record]:
    with ledger.outbox() as outbox:
        return [decode_record(body) for _, body in outbox.waiting(Lane.RESULTS, 1000) if isinstance(body, bytes)]


def corrections_sent(ledger: Ledger) -> tuple[CorrectionRecord, ...]:
    return tuple(record for record in sent(ledger) if isinstance(record, CorrectionRecord))


def last_page(ledger: Ledger) -> PageResult:
    return [record for record in sent(ledger) if isinstance(record, PageResult)][-1]


# --- up ---------------------------------------------------------------------------------------------------


def test_what_a_teacher_says_goes_to_the_school_with_who_said_it_sealed_and_before_the_page_that_it_made(
    ledger: Ledger,
) -> None:
    sheet = slide(ledger, 1)
    ledger.correct([change(sheet, Word(right=True, comment="well done", stamp=Stamp.GOOD))], by=MISS)
    first, correction, page_then = sent(ledger)
    assert isinstance(first, PageResult)
    assert isinstance(correction, CorrectionRecord)
    assert isinstance(page_then, PageResult)
    assert (first.settled, page_then.settled) == ((), (correction.id[:SETTLED_BYTES],))
    assert (correction.capture.hex(), correction.item, correction.blank, correction.revision) == (DIGEST, "1", 1, 1)
    said = opened(correction, SCHOOL_KEY)
    assert (said.who, said.correction.comment, said.correction.stamp) == ("teacher", "well done", Stamp.GOOD)
    assert said.correction.read == Reading("56", round(0.7 * 255) / 255, HARD_56.doubt)
    for secret in (b"teacher", b"well done"):
        assert secret not in encode_record(correction)
    assert opened(correction, bytes(32)).who == ""


def test_taking_back_goes_to_the_school_as_well_and_names_what_it_takes_back(ledger: Ledger) -> None:
    sheet = slide(ledger, 1)
    done = ledger.correct([change(sheet, Word(right=True))], by=MISS)
    assert done.deed is not None
    ledger.undo(done.deed, by=MISS)
    said, taken_back = corrections_sent(ledger)
    assert taken_back.replaces == (said.id,)
    assert last_page(ledger).settled == (taken_back.id[:SETTLED_BYTES], said.id[:SETTLED_BYTES])
    known = [opened(record, SCHOOL_KEY).correction for record in (said, taken_back)]
    field = field_of(now(ledger, sheet)[1], ("1", 1))
    assert field is not None
    assert said_after_all(msgspec.structs.replace(field, said=None), known) is None


def test_a_box_of_no_school_says_neither_who_nor_what_was_remarked(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, key_of={KEY.id: KEY}.get)
    sheet = slide(ledger, 1)
    ledger.correct([change(sheet, Word(right=True, comment="well done"))], by=MISS)
    assert corrections_sent(ledger)[0].sealed is None
    ledger.close()


# --- down -------------------------------------------------------------------------------------------------


def test_the_schools_word_counts_here_and_is_a_deed_that_says_where_it_came_from(ledger: Ledger) -> None:
    sheet = slide(ledger, 1)
    record = from_school(Word(right=False), who="the head")
    assert ledger.take_correction(record)
    assert verdict(ledger, sheet) is WRONG
    deed = ledger.newest_deeds()[0]
    assert (deed.kind, deed.person, deed.clock) == (DeedKind.CORRECTED, "the head", LATER)
    assert (deed.about["origin"], deed.about["counts"], deed.about["after"]) == ("school", 1, "wrong")
    assert person_line(deed, str) == "the head (the school)"
    assert last_page(ledger).settled == (record.id[:SETTLED_BYTES],)
    assert corrections_sent(ledger) == ()


def test_the_same_word_of_the_schools_twice_is_one(ledger: Ledger) -> None:
    sheet = slide(ledger, 1)
    record = from_school(Word(right=False))
    assert ledger.take_correction(record)
    assert not ledger.take_correction(record)
    assert (len(ledger.newest_deeds()), now(ledger, sheet)[0].revision) == (1, 2)


def test_what_was_said_apart_is_kept_and_shown_both_and_the_later_true_time_counts(ledger: Ledger) -> None:
    sheet = slide(ledger, 1)
    ledger.correct([change(sheet, Word(right=True))], by=By("teacher", EARLIER))
    ledger.take_correction(from_school(Word(right=False), clock=LATER))
    assert verdict(ledger, sheet) is WRONG
    assert [deed.about.get("origin") for deed in ledger.deeds_on(sheet.capture)] == ["school", None]


def test_a_word_of_the_schools_that_does_not_count_is_shown_too_and_the_school_hears_that_it_is_known(
    ledger: Ledger,
) -> None:
    sheet = slide(ledger, 1)
    ledger.correct([change(sheet, Word(right=True))], by=By("teacher", LATER))
    record = from_school(Word(right=False), clock=EARLIER)
    ledger.take_correction(record)
    assert verdict(ledger, sheet) is RIGHT
    deed = ledger.newest_deeds()[0]
    assert (deed.about["origin"], deed.about["counts"]) == ("school", 0)
    assert record.id[:SETTLED_BYTES] in last_page(ledger).settled
    assert ledger.undo(deed.number, by=MISS) is None
    assert len(ledger.newest_deeds()) == 2


def test_a_box_that_believes_that_it_is_2099_does_not_win(ledger: Ledger) -> None:
    sheet = slide(ledger, 1)
    ledger.correct([change(sheet, Word(right=True))], by=By("teacher", UNSET))
    ledger.take_correction(from_school(Word(right=False)))
    assert verdict(ledger, sheet) is WRONG


def test_whoever_saw_the_schools_word_may_say_another_whatever_the_clock_shows(ledger: Ledger) -> None:
    sheet = slide(ledger, 1)
    school = from_school(Word(right=False))
    ledger.take_correction(school)
    seen, _ = now(ledger, sheet)
    assert ledger.correct([change(seen, Word(right=True))], by=By("teacher", UNSET)).refused == ()
    assert verdict(ledger, sheet) is RIGHT
    assert corrections_sent(ledger)[0].replaces == (school.id,)
    ledger.take_correction(from_school(Word(comment="a"), name=8, seen=(school,)))
    assert verdict(ledger, sheet) is RIGHT


def test_the_schools_word_is_undone_here_as_any_other_and_an_earlier_one_under_it_is_not(ledger: Ledger) -> None:
    sheet = slide(ledger, 1)
    mine = ledger.correct([change(sheet, Word(right=True))], by=By("teacher", EARLIER))
    ledger.take_correction(from_school(Word(right=False)))
    schools = ledger.newest_deeds()[0]
    assert mine.deed is not None
    assert ledger.undo(mine.deed, by=MISS) is None
    undoing = ledger.undo(schools.number, by=MISS)
    assert undoing is not None
    assert verdict(ledger, sheet) is RIGHT
    assert person_line(undoing, str) == "teacher"
    taken_back = corrections_sent(ledger)[-1]
    assert len(taken_back.replaces) == 2
    assert ledger.undo(mine.deed, by=MISS) is not None
    assert verdict(ledger, sheet) is VerdictKind.REVIEW


def test_a_change_that_a_person_began_before_the_schools_word_came_is_refused(ledger: Ledger) -> None:
    sheet = slide(ledger, 1)
    ledger.take_correction(from_school(Word(right=False)))
    begun = Change(sheet.capture, 1, ("1", 1), Word(right=True))
    assert ledger.correct([begun], by=MISS).refused == (begun,)


# --- what waits -------------------------------------------------------------------------------------------


def test_a_word_on_a_sheet_that_is_not_here_changes_nothing_and_waits_for_it(ledger: Ledger) -> None:
    record = from_school(Word(right=False))
    assert ledger.take_correction(record)
    assert ledger.newest_deeds() == []
    sheet = slide(ledger, 1)
    assert verdict(ledger, sheet) is WRONG
    assert last_page(ledger).settled == (record.id[:SETTLED_BYTES],)


def test_a_word_waits_for_the_key_of_its_sheet(ledger: Ledger, shelf: Shelf) -> None:
    sheet = slide(ledger, 1)
    key = shelf.keys.pop("g3")
    ledger.take_correction(from_school(Word(right=False)))
    assert (ledger.settle_corrections(), now(ledger, sheet)[0].revision) == (0, 1)
    shelf.keys["g3"] = key
    assert ledger.settle_corrections() == 1
    assert verdict(ledger, sheet) is WRONG
    assert ledger.settle_corrections() == 0


def test_a_word_on_a_field_that_the_sheet_does_not_have_stops_nothing(ledger: Ledger) -> None:
    sheet = slide(ledger, 1)
    ledger.take_correction(from_school(Word(right=False), item="nine"))
    ledger.take_correction(from_school(Word(right=False), name=8, item="2"))
    assert (verdict(ledger, sheet, "2"), now(ledger, sheet)[0].revision) == (WRONG, 2)


def test_a_text_from_the_school_is_judged_by_the_key_that_is_here(ledger: Ledger, shelf: Shelf) -> None:
    sheet = slide(ledger, 1)
    ledger.take_correction(from_school(Word(text="58")))
    assert verdict(ledger, sheet) is WRONG
    shelf.keys["g3"] = OTHER_KEY
    ledger.judge_by(OTHER_KEY, {"ABCD1234"})
    assert verdict(ledger, sheet) is RIGHT


def test_what_the_school_says_is_wrong_of_a_first_attempt_is_looked_at_on_the_sheet_that_corrects_it(
    ledger: Ledger,
) -> None:
    first = slide(ledger, 1, page("S001", seed=1))
    again = slide(ledger, 2, page("S001", seed=2))
    ledger.say_again(again.capture, by=MISS)
    filed, record = now(ledger, again)
    assert (filed.standing, record.attempt, len(filed.taken)) == ("counts", 2, 1)
    ledger.take_correction(from_school(Word(right=False), item="2"))
    assert (verdict(ledger, first, "2"), verdict(ledger, again, "2")) == (WRONG, RIGHT)


def test_the_school_may_say_later_where_a_word_stands_and_that_its_time_was_none(ledger: Ledger) -> None:
    """Two boxes with one sheet, and clocks that nobody had set: the school's order decides, on both."""
    sheet = slide(ledger, 1)
    ledger.correct([change(sheet, Word(right=True))], by=By("teacher", UNSET))
    mine = corrections_sent(ledger)[0]
    ledger.take_correction(from_school(Word(right=False), clock=UNSET, order=2))
    assert verdict(ledger, sheet) is RIGHT, "no place of its own yet: it is the last"
    assert ledger.take_correction(msgspec.structs.replace(mine, order=1, origin="box-1"))
    assert verdict(ledger, sheet) is WRONG
    assert not ledger.take_correction(msgspec.structs.replace(mine, order=1, origin="box-1"))


# --- the taker, and what is shown ------------------------------------------------------------------------


def test_the_taker_knows_what_the_box_has_and_refuses_what_is_no_correction(ledger: Ledger) -> None:
    sheet = slide(ledger, 1)
    changes: list[int] = []
    taker = CorrectionTaker(ledger, lambda: changes.append(1))
    record = from_school(Word(right=False))
    body = encode_record(record)
    assert taker.content(record.id.hex()) is None
    taker.take(record.id.hex(), body)
    taker.take(record.id.hex(), body)
    assert (taker.content(record.id.hex()), len(changes)) == (content_of(body), 1)
    assert verdict(ledger, sheet) is WRONG
    for key, other in (
        (record.id.hex(), b"\xc1"),
        (record.id.hex(), b"\x92\x05\x02"),
        ("00" * 16, body),
        ("not hex", body),
    ):
        with pytest.raises(UnusableError):
            taker.take(key, other)
    assert taker.content("not hex") is None


def test_the_list_of_changes_says_that_a_word_of_the_schools_does_not_count(ledger: Ledger) -> None:
    sheet = slide(ledger, 1)
    ledger.correct([change(sheet, Word(right=True))], by=By("teacher", LATER))
    ledger.take_correction(from_school(Word(right=False), clock=EARLIER))
    deed = ledger.newest_deeds()[0]

    class NoDocuments:
        def assignment(self, name: str) -> None:
            return None

    assert deed_line(deed, str, NoDocuments(), ledger.deed).endswith("(does not count)")  # type: ignore[arg-type]
    assert person_line(deed, str) == "the school"
