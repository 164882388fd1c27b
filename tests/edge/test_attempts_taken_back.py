"""Sheets of one pupil that are taken back, given away and put back: the attempts stand as they stood, also where the
sheets have answers in question, so that their looks no longer prove which of them came first.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import msgspec
import numpy as np
import pytest

from edge.booking import Standing
from edge.correcting import Change
from edge.deeds import By
from edge.filed import FiledPage
from edge.ledger import Ledger
from edge.pipeline import GradedPage
from edge.reading.signature import GRID
from homework.assignment import parse_assignment
from homework.corrections import Word
from homework.results import Doubt, Reading, Verdict, VerdictKind, WhoWroteIt
from tests.edge.filing import CLOCK, file, graded

BY = By("teacher", CLOCK)
KEY = parse_assignment(
    '[assignment]\nid = "g3"\ntitle = "练习"\n' + 4 * '[[item]]\nkind = "number"\nprompt = "23 × 4 ="\nanswer = "92"\n'
)
RIGHT, WRONG, ASKED = VerdictKind.CORRECT, VerdictKind.WRONG, VerdictKind.REVIEW
FIRST, SECOND, THIRD = (
    ((WRONG, 0), (ASKED, 0), (RIGHT, 0), (RIGHT, 0)),
    ((RIGHT, 1), (ASKED, 0), (RIGHT, 0), (RIGHT, 0)),
    ((RIGHT, 1), (RIGHT, 1), (RIGHT, 0), (RIGHT, 0)),
)
"""The three looks of one paper: what each of its answers is, and which ink stands there."""


def sheet(answers: Sequence[tuple[VerdictKind, int]]) -> GradedPage:
    """A page with these answers, all of one hand."""
    made = graded("S001")
    assert made.record is not None
    cells, ink, items = GRID[0] * GRID[1], bytearray(made.ink), []
    for place, (kind, version) in enumerate(answers):
        doubt = Doubt.UNSURE if kind is ASKED else None
        score = None if kind is ASKED else 100 * (kind is RIGHT)
        items.append(
            msgspec.structs.replace(
                made.record.items[0],
                item=str(place + 1),
                reading=Reading("92" if kind is RIGHT else "91", 0.99, doubt),
                verdict=Verdict(kind, score),
            )
        )
        if version:
            other = np.random.default_rng(900 + 10 * place + version).integers(0, 255, cells)
            ink[place * cells : (place + 1) * cells] = other.astype(np.uint8).tobytes()
    record = msgspec.structs.replace(
        made.record,
        items=tuple(items),
        score_hundredths=sum(item.verdict.score_hundredths or 0 for item in items),
        max_score_hundredths=100 * len(items),
        pending=sum(item.verdict.kind is ASKED for item in items),
    )
    return replace(made, record=record, ink=bytes(ink))


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger(tmp_path, key_of=lambda _: KEY)
    yield opened
    opened.close()


def attempts(ledger: Ledger) -> list[FiledPage]:
    return ledger.pages_of_attempts("g3")


def booked(ledger: Ledger) -> list[tuple[int, int]]:
    """Each attempt that counts, and its capture."""
    return [(page.record.attempt, page.capture) for page in attempts(ledger) if page.record is not None]


def test_a_first_sheet_with_an_answer_in_question_is_the_first_again_when_it_is_restored(ledger: Ledger) -> None:
    first, second = (file(ledger, sheet(answers), n) for n, answers in enumerate((FIRST, THIRD), 1))
    before = [page.record for page in attempts(ledger)]
    ledger.withdraw(first.capture)
    assert booked(ledger) == [(1, second.capture)]
    ledger.restore(first.capture)
    assert booked(ledger) == [(1, first.capture), (2, second.capture)]
    assert [page.record for page in attempts(ledger)] == before


def test_so_it_is_when_it_was_given_to_somebody_else_and_back(ledger: Ledger) -> None:
    first, second = (file(ledger, sheet(answers), n) for n, answers in enumerate((FIRST, THIRD), 1))
    ledger.say_whose(first.capture, WhoWroteIt("3-1", 2, "S002", 1.0), pupil="S002", by=BY)
    ledger.say_whose(first.capture, WhoWroteIt("3-1", 1, "S001", 1.0), pupil="S001", by=BY)
    assert booked(ledger) == [(1, first.capture), (2, second.capture)]


def test_in_whatever_order_attempts_are_withdrawn_and_restored_they_stand_as_they_stood(tmp_path: Path) -> None:
    for number, (away, back) in enumerate(
        (away, back) for away in permutations((1, 2, 3)) for back in permutations((1, 2, 3))
    ):
        ledger = Ledger(tmp_path / str(number), key_of=lambda _: KEY)
        for digest, answers in enumerate((FIRST, SECOND, THIRD), 1):
            file(ledger, sheet(answers), digest)
        before = [page.record for page in attempts(ledger)]
        assert booked(ledger) == [(1, 1), (2, 2), (3, 3)]
        for capture in away:
            ledger.withdraw(capture)
        assert booked(ledger) == []
        for capture in back:
            ledger.restore(capture)
        assert booked(ledger) == [(1, 1), (2, 2), (3, 3)], (away, back)
        assert [page.record for page in attempts(ledger)] == before, (away, back)
        ledger.close()


def test_a_corrected_sheet_is_the_second_again_though_what_was_in_question_was_settled_meanwhile(
    ledger: Ledger,
) -> None:
    first, second = (file(ledger, sheet(answers), n) for n, answers in enumerate((FIRST, THIRD), 1))
    ledger.withdraw(second.capture)
    done = ledger.correct([Change(first.capture, first.revision, ("2", 1), Word(right=True))], by=BY)
    assert done.refused == ()
    ledger.restore(second.capture)
    assert booked(ledger) == [(1, first.capture), (2, second.capture)]


def test_a_correction_that_a_person_took_back_is_asked_again_also_when_the_sheet_was_withdrawn_since(
    ledger: Ledger,
) -> None:
    first = file(ledger, sheet(FIRST), 1)
    other = file(ledger, sheet(((RIGHT, 1), (RIGHT, 1), (RIGHT, 1), (RIGHT, 1))), 2)
    assert (other.standing, other.linked) == (Standing.ASK, first.capture)
    ledger.say_again(other.capture, by=BY)
    assert booked(ledger) == [(1, first.capture), (2, other.capture)]
    ledger.undo(ledger.newest_deeds()[0].number, by=BY)
    ledger.withdraw(other.capture)
    ledger.restore(other.capture)
    again = ledger.page(other.capture)
    assert again is not None
    assert again.standing is Standing.ASK
