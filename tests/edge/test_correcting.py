"""People's words on many sheets are one deed, lose nobody else's, and outlive whatever becomes of the sheets."""

from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

import msgspec
import pytest

from edge.booking import Standing
from edge.correcting import Change, Corrected
from edge.deeds import By, DeedKind
from edge.frames import Capture
from edge.ledger import FiledPage, Ledger
from edge.pipeline import GradedPage
from homework.assignment import Assignment, parse_assignment
from homework.corrections import Word, field_of
from homework.errors import UsageError
from homework.grading import grade_page, regrade
from homework.layout import Field
from homework.results import (
    Candidate,
    Doubt,
    PageRecord,
    PageStatus,
    Reading,
    Stamp,
    VerdictKind,
    WhoWroteIt,
    points,
)
from sync.lanes import Lane
from sync.records import MAX_READING, PageResult, decode_record, field_names, items_from
from tests.edge.filing import CLOCK, IMAGE, ink, registered

MISS = By("teacher", CLOCK)
OTHER = By("substitute", CLOCK)
KEY = parse_assignment("""
[assignment]
id = "g3"
title = "7 × 8"
[[item]]
kind = "number"
prompt = "7 × 8 ="
answer = "56"
[[item]]
kind = "number"
prompt = "1 + 1 ="
answer = "2"
[[item]]
kind = "open"
prompt = "why?"
points = 5
""")
OTHER_KEY = parse_assignment("""
[assignment]
id = "g3"
title = "7 × 8"
[[item]]
kind = "number"
prompt = "7 × 8 ="
answer = "58"
[[item]]
kind = "number"
prompt = "1 + 1 ="
answer = "2"
[[item]]
kind = "open"
prompt = "why?"
points = 5
""")
FIELDS = [Field(item.id, 1, item.kind, (0.0, 0.0, 9.0, 9.0)) for item in KEY.items]
HARD_56 = Reading("56", 0.7, Doubt.UNSURE, (Candidate("56", 0.7), Candidate("58", 0.2)))
WHY = Reading(None, 0.0, Doubt.FOR_THE_TEACHER)
SHEET = "ABCD1234"


class Shelf:
    """The keys that the box has now."""

    def __init__(self) -> None:
        self.keys: dict[str, Assignment] = {KEY.id: KEY}


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def ledger(tmp_path: Path, shelf: Shelf) -> Iterator[Ledger]:
    opened = Ledger(tmp_path, check=True, key_of=shelf.keys.get)
    yield opened
    opened.close()


def page(pupil: str | None, *, first: Reading = HARD_56, seed: int = 1, key: Assignment | None = KEY) -> GradedPage:
    who = WhoWroteIt("3-1", int(pupil[1:]) if pupil else None, pupil, 1.0)
    fields = list(zip(FIELDS, (first, Reading("2", 0.999), WHY), strict=True))
    record = grade_page(key, SHEET, 1, fields, who)
    return GradedPage(PageStatus.GRADED, registered(), record, record.problems, ink=ink(seed))


def slide(ledger: Ledger, number: int, graded: GradedPage | None = None) -> FiledPage:
    graded = graded or page(f"S{number:03}", seed=number)
    assert graded.record is not None
    filed = ledger.file(
        Capture(IMAGE, "test"), graded, pupil=graded.record.who.pupil, digest=f"{number:032x}", has_picture=True,
        clock=CLOCK,
    )  # fmt: skip
    assert filed is not None
    return filed


def change(filed: FiledPage, word: Word, item: str = "1") -> Change:
    return Change(filed.capture, filed.revision, (item, 1), word)


def now(ledger: Ledger, filed: FiledPage) -> tuple[FiledPage, PageRecord]:
    found = ledger.page(filed.capture)
    assert found is not None
    assert found.record is not None
    return found, found.record


def verdict(ledger: Ledger, filed: FiledPage, item: str = "1") -> VerdictKind:
    field = field_of(now(ledger, filed)[1], (item, 1))
    assert field is not None
    return field.verdict.kind


def last_sent(ledger: Ledger) -> PageResult:
    with ledger.outbox() as outbox:
        payloads = [payload for _, payload in outbox.waiting(Lane.RESULTS, 1000) if isinstance(payload, bytes)]
    record = decode_record(payloads[-1])
    assert isinstance(record, PageResult)
    return record


def test_a_group_that_is_confirmed_is_one_deed_and_one_undo(ledger: Ledger) -> None:
    sheets = [slide(ledger, number) for number in range(1, 15)]
    before = [now(ledger, sheet)[1] for sheet in sheets]
    done = ledger.correct([change(sheet, Word(text="56")) for sheet in sheets], by=MISS)
    assert done.refused == ()
    assert [verdict(ledger, sheet) for sheet in sheets] == [VerdictKind.CORRECT] * 14
    deed = ledger.newest_deeds()[0]
    assert (deed.number, deed.kind, deed.person, len(deed.pages)) == (done.deed, DeedKind.CORRECTED, "teacher", 14)
    assert (deed.about["fields"], deed.about["sheets"], deed.about["text"]) == (14, 14, "56")
    assert (deed.about["before"], deed.about["after"]) == ("review", "correct")
    assert ledger.undo(deed.number, by=OTHER) is not None
    assert [now(ledger, sheet)[1] for sheet in sheets] == before
    assert ledger.undo(deed.number, by=OTHER) is None


def test_the_school_hears_of_it_as_a_new_revision_within_its_limits(ledger: Ledger) -> None:
    sheet = slide(ledger, 1)
    ledger.correct(
        [
            change(sheet, Word(text="x" * 500, comment="c" * 500, stamp=Stamp.EXCELLENT)),
            change(sheet, Word(right=False), "2"),
            change(sheet, Word(score_hundredths=350), "3"),
        ],
        by=MISS,
    )
    sent = last_sent(ledger)
    items = items_from(sent, field_names(now(ledger, sheet)[1]))
    assert sent.revision == 2
    assert len(items[0].reading.text or "") == MAX_READING
    assert [points(item.verdict.score_hundredths) for item in items] == [0, 0, 3.5]
    assert sent.pending == 0


def test_what_somebody_else_said_meanwhile_is_not_overwritten(ledger: Ledger) -> None:
    first, second = slide(ledger, 1), slide(ledger, 2)
    ledger.correct([change(first, Word(text="58"))], by=OTHER)
    done = ledger.correct([change(sheet, Word(text="56")) for sheet in (first, second)], by=MISS)
    assert [refused.capture for refused in done.refused] == [first.capture]
    assert (verdict(ledger, first), verdict(ledger, second)) == (VerdictKind.WRONG, VerdictKind.CORRECT)


def test_another_field_of_the_same_sheet_is_nobody_elses(ledger: Ledger) -> None:
    sheet = slide(ledger, 1)
    ledger.correct([change(sheet, Word(text="56"))], by=OTHER)
    assert ledger.correct([change(sheet, Word(right=False), "2")], by=MISS).refused == ()
    assert (verdict(ledger, sheet), verdict(ledger, sheet, "2")) == (VerdictKind.CORRECT, VerdictKind.WRONG)


def test_the_same_answer_twice_is_one_deed(ledger: Ledger) -> None:
    sheet = slide(ledger, 1)
    ledger.correct([change(sheet, Word(text="56"))], by=MISS)
    assert ledger.correct([change(sheet, Word(text="56"))], by=MISS) == Corrected(None, ())
    assert len(ledger.newest_deeds()) == 1


def test_what_is_not_there_is_refused(ledger: Ledger) -> None:
    sheet = slide(ledger, 1)
    absent = [
        Change(999, 1, ("1", 1), Word(right=True)),
        Change(sheet.capture, 1, ("nine", 1), Word(right=True)),
        Change(sheet.capture, 7, ("1", 1), Word(right=True)),
    ]
    assert ledger.correct(absent, by=MISS) == Corrected(None, tuple(absent))
    assert now(ledger, sheet)[0].revision == 1


def test_without_its_key_nothing_of_a_sheet_is_changed(ledger: Ledger, shelf: Shelf) -> None:
    first, sheet = slide(ledger, 1), slide(ledger, 2)
    del shelf.keys["g3"]
    with pytest.raises(UsageError, match="not loaded"):
        ledger.correct([change(first, Word(right=True)), change(sheet, Word(right=True))], by=MISS)
    assert (now(ledger, first)[0].revision, now(ledger, sheet)[0].revision) == (1, 1)
    assert ledger.newest_deeds() == []


def test_words_stay_when_the_sheet_is_taken_back_restored_and_given_to_somebody_else(ledger: Ledger) -> None:
    sheet = slide(ledger, 1)
    ledger.correct([change(sheet, Word(text="56", comment="neat"))], by=MISS)
    ledger.withdraw(sheet.capture, by=MISS)
    ledger.restore(sheet.capture, by=MISS)
    ledger.say_whose(sheet.capture, WhoWroteIt("3-1", 7, "S007", 1.0), pupil="S007", by=MISS)
    filed, record = now(ledger, sheet)
    assert (filed.standing, filed.pupil, verdict(ledger, sheet)) == (Standing.COUNTS, "S007", VerdictKind.CORRECT)
    said = record.items[0].said
    assert said is not None
    assert said.comment == "neat"


def test_words_can_be_taken_back_after_the_sheet_was_given_to_somebody_else(ledger: Ledger) -> None:
    sheet = slide(ledger, 1)
    done = ledger.correct([change(sheet, Word(right=True))], by=MISS)
    ledger.say_whose(sheet.capture, WhoWroteIt("3-1", 7, "S007", 1.0), pupil="S007", by=MISS)
    assert done.deed is not None
    assert ledger.undo(done.deed, by=MISS) is not None
    filed, _ = now(ledger, sheet)
    assert (filed.pupil, verdict(ledger, sheet)) == ("S007", VerdictKind.REVIEW)


def test_words_are_not_taken_back_over_later_ones_on_the_same_field(ledger: Ledger) -> None:
    sheet = slide(ledger, 1)
    first = ledger.correct([change(sheet, Word(right=True))], by=MISS)
    later, _ = now(ledger, sheet)
    second = ledger.correct([change(later, Word(right=False))], by=OTHER)
    assert first.deed is not None
    assert second.deed is not None
    assert ledger.undo(first.deed, by=MISS) is None
    assert ledger.undo(second.deed, by=MISS) is not None
    assert verdict(ledger, sheet) is VerdictKind.CORRECT
    assert ledger.undo(first.deed, by=MISS) is not None
    assert verdict(ledger, sheet) is VerdictKind.REVIEW


def test_words_stay_when_the_sheet_is_read_anew(ledger: Ledger) -> None:
    asked = slide(ledger, 1, page(None))
    ledger.correct([change(asked, Word(text="56"))], by=MISS)
    ledger.regrade(asked.capture, page("S003", first=Reading(None, 0.0, Doubt.UNSURE)), pupil="S003")
    assert verdict(ledger, asked) is VerdictKind.CORRECT


def test_saying_whose_sheet_it_is_reads_nothing_anew(ledger: Ledger) -> None:
    asked = slide(ledger, 1, page(None))
    before = now(ledger, asked)[1]
    ledger.say_whose(asked.capture, WhoWroteIt("3-1", 3, "S003", 1.0), pupil="S003", by=MISS)
    after = now(ledger, asked)[1]
    assert (after.items, after.score_hundredths, after.pending) == (
        before.items,
        before.score_hundredths,
        before.pending,
    )


def test_a_sheet_that_is_asked_keeps_its_question_when_an_answer_on_it_is_corrected(ledger: Ledger) -> None:
    asked = slide(ledger, 1, page(None))
    ledger.correct([change(asked, Word(text="56"))], by=MISS)
    filed, _ = now(ledger, asked)
    assert (filed.standing, filed.pupil) == (Standing.ASK, None)
    ledger.say_whose(asked.capture, WhoWroteIt("3-1", 1, "S001", 1.0), pupil="S001", by=MISS)
    assert verdict(ledger, asked) is VerdictKind.CORRECT


def test_a_changed_key_judges_every_sheet_anew_and_the_old_one_brings_everything_back(
    ledger: Ledger, shelf: Shelf
) -> None:
    plain = [slide(ledger, n, page(f"S{n:03}", first=Reading("58", 0.999), seed=n)) for n in range(1, 6)]
    told, ruled = slide(ledger, 6), slide(ledger, 7)
    asked, taken_back = slide(ledger, 8, page(None, seed=8)), slide(ledger, 9)
    ledger.correct([change(told, Word(text="58")), change(ruled, Word(right=False))], by=MISS)
    ledger.withdraw(taken_back.capture, by=MISS)
    every = [*plain, told, ruled, asked, taken_back]
    assert ledger.judge_by(KEY, {SHEET}) == 0
    before = [now(ledger, sheet) for sheet in every]
    shelf.keys["g3"] = OTHER_KEY
    assert ledger.judge_by(OTHER_KEY, {SHEET}) == 6
    assert [verdict(ledger, sheet) for sheet in plain] == [VerdictKind.CORRECT] * 5
    assert (verdict(ledger, told), verdict(ledger, ruled)) == (VerdictKind.CORRECT, VerdictKind.WRONG)
    assert [now(ledger, sheet)[0].standing for sheet in every] == [filed.standing for filed, _ in before]
    assert ledger.judge_by(OTHER_KEY, {SHEET}) == 0
    shelf.keys["g3"] = KEY
    assert ledger.judge_by(KEY, {SHEET}) == 6
    assert [now(ledger, sheet)[1] for sheet in every] == [record for _, record in before]


def test_what_a_person_said_after_the_key_changed_and_before_it_judged_is_kept(ledger: Ledger, shelf: Shelf) -> None:
    sheet = slide(ledger, 1, page("S001", first=Reading("58", 0.999)))
    shelf.keys["g3"] = OTHER_KEY
    ledger.correct([change(sheet, Word(right=False))], by=MISS)
    ledger.judge_by(OTHER_KEY, {SHEET})
    assert verdict(ledger, sheet) is VerdictKind.WRONG


def test_a_word_is_taken_back_under_another_key_than_it_was_said_under(ledger: Ledger, shelf: Shelf) -> None:
    sheet = slide(ledger, 1, page("S001", first=Reading("58", 0.999)))
    done = ledger.correct([change(sheet, Word(right=False, comment="?"))], by=MISS)
    shelf.keys["g3"] = OTHER_KEY
    ledger.judge_by(OTHER_KEY, {SHEET})
    assert done.deed is not None
    assert ledger.undo(done.deed, by=MISS) is not None
    assert verdict(ledger, sheet) is VerdictKind.CORRECT
    assert now(ledger, sheet)[1].items[0].said is None


def test_sheets_that_were_read_before_their_key_came_are_booked_under_it(ledger: Ledger) -> None:
    waiting = [slide(ledger, n, page(f"S{n:03}", seed=n, key=None)) for n in (1, 2)]
    twice = slide(ledger, 3, page("S001", seed=1, key=None))
    assert twice.standing is Standing.DUPLICATE
    assert ledger.judge_by(KEY, {SHEET}) == 3
    assert [filed.capture for filed in ledger.current_pages("g3")] == [filed.capture for filed in waiting]
    found, _ = now(ledger, twice)
    assert (found.standing, found.linked) == (Standing.DUPLICATE, waiting[0].capture)


def test_a_key_that_fits_the_sheets_no_more_scores_nothing_until_one_fits_again(ledger: Ledger, shelf: Shelf) -> None:
    sheet = slide(ledger, 1)
    ledger.correct([change(sheet, Word(text="56"))], by=MISS)
    other = msgspec.structs.replace(KEY, items=KEY.items[:1])
    shelf.keys["g3"] = other
    assert ledger.judge_by(other, {SHEET}) == 1
    filed, record = now(ledger, sheet)
    assert (filed.status, filed.standing) == (PageStatus.WRONG_ASSIGNMENT, Standing.NOT_GRADED)
    assert record.score_hundredths is None
    shelf.keys["g3"] = KEY
    assert ledger.judge_by(KEY, {SHEET}) == 1
    filed, _ = now(ledger, sheet)
    assert (filed.standing, filed.pupil, verdict(ledger, sheet)) == (Standing.COUNTS, "S001", VerdictKind.CORRECT)


def test_which_key_judged_is_remembered_over_a_restart(ledger: Ledger, tmp_path: Path) -> None:
    slide(ledger, 1)
    ledger.judge_by(OTHER_KEY, {SHEET})
    ledger.close()
    again = Ledger(tmp_path, check=True)
    assert again.judge_by(OTHER_KEY, {SHEET}) == 0
    assert again.judge_by(KEY, {SHEET}) == 0, "the reading is in doubt under either key"
    again.close()


def test_a_year_group_is_judged_anew_in_a_few_seconds(ledger: Ledger) -> None:
    for number in range(1, 201):
        slide(ledger, number, page(f"S{number:03}", first=Reading("58", 0.999), seed=number))
    start = perf_counter()
    assert ledger.judge_by(OTHER_KEY, {SHEET}) == 200
    assert perf_counter() - start < 3


def test_judging_anew_gives_what_regrading_each_page_gives(ledger: Ledger) -> None:
    sheet = slide(ledger, 1, page("S001", first=Reading("58", 0.999)))
    before = now(ledger, sheet)[1]
    ledger.judge_by(OTHER_KEY, {SHEET})
    assert now(ledger, sheet)[1] == regrade(before, OTHER_KEY)
