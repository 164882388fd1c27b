"""What waits for a look is put into groups that one answer settles; forms become changes, deeds become words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest

from edge.correcting import Change
from edge.deeds import By
from edge.documents import Documents
from edge.filed import FiledPage
from edge.frames import Capture
from edge.ledger import Ledger
from edge.pipeline import GradedPage
from edge.reading.signature import GRID
from edge.web.deed_words import deed_line, time_line
from edge.web.items import change_of, item_rows
from edge.web.review import alike, changes_of, ink_of, review_list
from homework.corrections import Word
from homework.errors import UsageError
from homework.results import (
    PageStatus,
    Reading,
    Stamp,
    VerdictKind,
    WhoWroteIt,
)
from homework.review_groups import OpenPage
from sync.clock import ClockQuality
from tests.edge.filing import CLOCK, IMAGE, registered
from tests.homework.reviewing import KEY, doubt, opened

MISS = By("teacher", CLOCK)


def test_only_ink_that_looks_alike_is_put_together() -> None:
    rng = np.random.default_rng(1)
    cells, size = 6 * GRID[0] * GRID[1], GRID[0] * GRID[1]
    one = (rng.random(cells) * 255 * (rng.random(cells) > 0.7)).astype(np.uint8)
    like = np.clip(one.astype(int) + rng.integers(-20, 20, cells), 0, 255).astype(np.uint8)
    other = one.copy()
    other[5 * size :] = np.roll(one[5 * size :].reshape(GRID), 7, axis=1).ravel()
    first, second, third = (ink_of(ink.tobytes(), 5) for ink in (one, like, other))
    assert alike(first, second)
    assert not alike(first, third)
    assert not alike(bytes(size), bytes(size)), "two empty fields show nothing"
    assert ink_of(one.tobytes(), 6) == ink_of(one.tobytes()[:-1], 5) == b""


# --- on a ledger -------------------------------------------------------------------------------------------


@pytest.fixture
def documents(tmp_path: Path) -> Documents:
    found = Documents(tmp_path)
    found.put_assignment(KEY)
    return found


@pytest.fixture
def ledger(tmp_path: Path, documents: Documents) -> Iterator[Ledger]:
    opened_ledger = Ledger(tmp_path, key_of=documents.assignment)
    yield opened_ledger
    opened_ledger.close()


def slide(ledger: Ledger, number: int, page: OpenPage, *, pupil: str | None = "") -> FiledPage:
    pupil = f"S{number:03}" if pupil == "" else pupil
    record = msgspec.structs.replace(page.record, who=WhoWroteIt("3-1", number, pupil, 1.0))
    rng = np.random.default_rng(number)
    ink = (rng.integers(0, 255, 960) * (rng.random(960) > 0.6)).astype(np.uint8).tobytes()
    graded = GradedPage(PageStatus.GRADED, registered(), record, (), ink=ink)
    filed = ledger.file(
        Capture(IMAGE, "t"), graded, pupil=pupil, digest=f"{number:032x}", has_picture=True, clock=CLOCK
    )
    assert filed is not None
    return filed


def test_the_review_of_a_ledger_counts_groups_and_leaves_asked_sheets_answers_for_later(
    ledger: Ledger, documents: Documents
) -> None:
    slide(ledger, 1, opened(1, i1=doubt("56", 0.6)))
    slide(ledger, 2, opened(2, i1=doubt("56", 0.6)), pupil=None)
    before = ledger.review_mark()
    waiting = review_list(ledger, documents, class_name="3-1")
    assert (len(waiting.groups), waiting.fields, len(waiting.unowned)) == (1, 1, 1)
    assert waiting.titles == {"g3": "7 × 8"}
    ledger.correct([Change(1, 1, ("1", 1), Word(text="56"))], by=MISS)
    assert review_list(ledger, documents, class_name="3-1").groups == ()
    assert ledger.review_mark() != before


def test_a_form_becomes_changes_of_those_ticked_and_those_typed(ledger: Ledger) -> None:
    for number in (1, 2, 3):
        slide(ledger, number, opened(number, i1=doubt("56", 0.6)))
    form = {"do": ["say"], "as": ["56"], "in": ["1-1-0", "2-1-0"], "text:2-1-0": [" 58 "], "text:3-1-0": ["50"]}
    assert {change.capture: change.word.text for change in changes_of(form, ledger)} == {1: "56", 2: "58", 3: "50"}
    assert changes_of({"one": ["3-1-0/text/1/2"]}, ledger) == [Change(3, 1, ("1", 1), Word(text="1/2"))]
    assert changes_of({"one": ["3-1-0/right/no"]}, ledger) == [Change(3, 1, ("1", 1), Word(right=False))]
    assert changes_of({"do": ["wrong"], "in": ["1-1-1"]}, ledger) == [Change(1, 1, ("2", 1), Word(right=False))]
    rated = {"do": ["keep"], "in": ["1-1-4"], "points:1-1-4": ["1.5"], "stamp:1-1-4": ["good"], "comment:1-1-4": ["ok"]}
    assert changes_of(rated, ledger) == [
        Change(1, 1, ("5", 1), Word(score_hundredths=150, stamp=Stamp.GOOD, comment="ok"))
    ]
    assert changes_of({"do": ["keep"], "in": ["1-1-4"], "points:1-1-4": [""]}, ledger) == []
    assert changes_of({"do": ["say"], "as": ["56"], "in": ["9-1-0", "1-1-99"]}, ledger) == []


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"do": ["drop table"]},
        {"do": ["say"], "as": ["1"], "in": ["x"]},
        {"do": ["say"], "as": ["1"], "in": ["1-1"]},
        {"do": ["say"], "as": ["1"], "in": ["a1-1-0"]},
        {"do": ["say"], "as": ["1"], "in": ["1234567890123-1-0"]},
        {"one": ["1-1-0/colour/red"]},
        {"one": ["1-1-0/points/many"]},
        {"do": ["keep"], "points:1-1-4": ["-1"]},
        {"do": ["say"], "as": ["1"], "in": [f"{n}-1-0" for n in range(2100)]},
    ],
)
def test_what_no_form_of_ours_sends_is_refused(ledger: Ledger, form: dict[str, list[str]]) -> None:
    with pytest.raises(UsageError):
        changes_of(form, ledger)


def test_the_items_of_a_sheet_are_listed_with_what_they_are_worth(ledger: Ledger, documents: Documents) -> None:
    filed = slide(ledger, 1, opened(1, i1=Reading("58", 0.999)))
    rows = item_rows(filed, documents)
    assert [(row.label, row.reading, row.verdict, row.score, row.worth) for row in rows][:2] == [
        ("1", "58", VerdictKind.WRONG, 0, 1),
        ("2", "54", VerdictKind.CORRECT, 1, 1),
    ]


def test_the_items_of_a_test_that_is_held_back_are_not_listed(ledger: Ledger, documents: Documents) -> None:
    filed = slide(ledger, 1, opened(1))
    documents.put_assignment(msgspec.structs.replace(KEY, mode="test"))
    assert item_rows(filed, documents) == ()


def test_the_long_form_says_only_what_is_not_as_it_was(ledger: Ledger, documents: Documents) -> None:
    filed = slide(ledger, 1, opened(1, i1=Reading("58", 0.999), i2=doubt("54", 0.5)))
    left_alone = {"place": "0", "do": "more", "text": "58", "points": "0", "stamp": "", "comment": "", "revision": "1"}
    assert change_of(filed, left_alone, documents).word == Word()
    assert change_of(filed, {**left_alone, "comment": "hm"}, documents).word == Word(comment="hm")
    assert change_of(filed, {**left_alone, "points": "0.5"}, documents).word == Word(score_hundredths=50)
    asked_one = {**left_alone, "place": "1", "text": "54", "points": ""}
    assert change_of(filed, asked_one, documents).word == Word(text="54"), "keeping a doubtful reading confirms it"
    for wrong in ({"place": "99"}, {"place": "x"}, {"do": "burn"}):
        with pytest.raises(UsageError):
            change_of(filed, {**left_alone, **wrong}, documents)


def test_deeds_are_told_in_words_and_their_times_as_well_as_the_clock_was(ledger: Ledger, documents: Documents) -> None:
    for number in (1, 2):
        slide(ledger, number, opened(number, i1=doubt("56", 0.6)))

    def line(number: int) -> str:
        deed = ledger.deed(number)
        assert deed is not None
        return deed_line(deed, str, documents, ledger.deed)

    ledger.correct([Change(n, 1, ("1", 1), Word(text="56")) for n in (1, 2)], by=MISS)
    ledger.correct([Change(1, 2, ("2", 1), Word(right=False))], by=MISS)
    ledger.correct([Change(1, 3, ("5", 1), Word(score_hundredths=150))], by=MISS)
    ledger.correct([Change(1, 4, ("1", 1), Word(comment="a private word", stamp=Stamp.SEEN))], by=MISS)
    ledger.undo(2, by=MISS)
    ledger.withdraw(2, by=MISS)
    assert [line(number) for number in range(1, 7)] == [
        "Item 1: 2 read as 56",
        "Item 2: ✓ → ✗",
        "Item 5: 1 × ✗, 1.5 points",
        "Item 1: a comment or stamp",
        "Undone: Item 2: ✓ → ✗",
        "Took a sheet back",
    ]
    assert "private" not in str([deed.about for deed in ledger.newest_deeds()])
    assert time_line(CLOCK, str).startswith("2026-")
    restored = msgspec.structs.replace(CLOCK, quality=ClockQuality.RESTORED)
    assert time_line(restored, str).startswith("about 2026-")
    assert time_line(msgspec.structs.replace(CLOCK, quality=ClockQuality.UNSET), str) == "time not known"
