"""The stack makes clear whose a doubtful page is, and only what is clear."""

import math
import random

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from edge.owners import MARGIN, Booked, Clear, Doubtful, StackPage, make_clear, named_by_stack, with_owner
from edge.reading.seats import SURE_SEAT, Seat, sure_seat
from edge.reading.signature import GRID
from homework.results import PageRecord, Problem, WhoWroteIt
from homework.roster import Pupil, Roster

CLASS = range(1, 46)


def ink(seed: int) -> bytes:
    """An ink signature; different seeds are different papers."""
    rng = np.random.default_rng(seed)
    cells = 10 * GRID[0] * GRID[1]
    return (rng.integers(0, 255, cells) * (rng.random(cells) > 0.6)).astype(np.uint8).tobytes()


INKS = [ink(seed) for seed in range(40)]


def says(*shares: tuple[int, float]) -> Seat:
    return Seat(tuple(sorted(shares, key=lambda each: -each[1])), agreed=True)


def in_doubt(page: int, *shares: tuple[int, float], paper: int | None = None) -> Doubtful:
    return Doubtful(page, says(*shares), INKS[page if paper is None else paper])


def at(seat: int, paper: int) -> Booked:
    return Booked(seat, INKS[paper])


def seats_of(found: dict[int, Clear]) -> dict[int, int]:
    return {page: clear.seat for page, clear in found.items()}


def test_fourteen_or_nineteen_is_nineteen_once_fourteen_has_handed_in() -> None:
    page = in_doubt(1, (19, 0.8), (14, 0.199))
    assert make_clear([page], [], CLASS) == {}
    found = make_clear([page], [at(14, 20)], CLASS)
    assert seats_of(found) == {1: 19}
    assert found[1].confidence > SURE_SEAT


def test_the_only_seat_that_is_left_is_no_proof() -> None:
    everybody_else = [at(seat, 39) for seat in CLASS if seat != 31]
    strangers = [Seat(), says((31, 0.01)), says((31, 0.2), (5, 0.05)), says((31, 0.25), (81, 0.7))]
    for seat in strangers:
        assert make_clear([Doubtful(1, seat, INKS[1])], everybody_else, CLASS) == {}


def test_a_number_that_nobody_has_is_not_forced_onto_a_pupil() -> None:
    assert make_clear([in_doubt(1, (77, 0.99), (17, 0.009))], [], CLASS) == {}


def test_a_page_of_a_taken_number_is_not_pushed_aside_when_its_ink_says_that_number() -> None:
    assert make_clear([in_doubt(1, (14, 0.9), (19, 0.09))], [at(14, 20)], CLASS) == {}


def test_two_pages_that_may_be_either_of_two_pupils_stay_in_doubt() -> None:
    one, other = in_doubt(1, (14, 0.5), (19, 0.5)), in_doubt(2, (14, 0.5), (19, 0.5))
    assert make_clear([one, other], [], CLASS) == {}


def test_two_doubtful_pages_can_make_each_other_clear() -> None:
    one, other = in_doubt(1, (14, 0.975), (19, 0.024)), in_doubt(2, (14, 0.024), (19, 0.975))
    assert make_clear([one], [], CLASS) == {}
    assert seats_of(make_clear([one, other], [], CLASS)) == {1: 14, 2: 19}


def test_the_same_paper_seen_again_goes_to_its_own_pupil_and_never_to_a_free_seat() -> None:
    again = in_doubt(1, (14, 0.6), (19, 0.399), paper=20)
    assert seats_of(make_clear([again], [at(14, 20)], CLASS)) == {1: 14}
    smudged = in_doubt(1, (19, 0.99), (14, 0.009), paper=20)
    assert make_clear([smudged], [at(14, 20)], CLASS) == {}


def test_two_photos_of_one_doubtful_paper_get_one_answer() -> None:
    photos = [in_doubt(1, (19, 0.8), (14, 0.199), paper=9), in_doubt(2, (19, 0.7), (14, 0.299), paper=9)]
    assert make_clear(photos, [], CLASS) == {}
    assert seats_of(make_clear(photos, [at(14, 20)], CLASS)) == {1: 19, 2: 19}


def test_a_margin_is_what_it_says() -> None:
    free = math.exp(MARGIN) / (1 + math.exp(MARGIN))
    clear = in_doubt(1, (14, free + 1e-4), (19, 1 - free - 1e-4))
    unclear = in_doubt(1, (14, free - 1e-3), (19, 1 - free + 1e-3))
    assert seats_of(make_clear([clear], [], CLASS)) == {1: 14}
    assert make_clear([unclear], [], CLASS) == {}


@st.composite
def seats(draw: st.DrawFn) -> Seat:
    """What cells may say: up to four numbers, near each other so that pages compete, and some of it no number."""
    numbers = draw(st.lists(st.integers(1, 8), max_size=4, unique=True))
    parts = [draw(st.floats(0.001, 1)) ** 3 for _ in numbers]
    total = sum(parts) + draw(st.sampled_from([0.0, 1e-4, 0.01, 1.0]))
    return Seat(
        tuple(sorted(((n, part / total) for n, part in zip(numbers, parts, strict=True)), key=lambda e: -e[1])),
        agreed=draw(st.booleans()),
    )


@st.composite
def stacks(draw: st.DrawFn) -> tuple[list[Doubtful], list[Booked]]:
    papers = draw(st.lists(seats(), max_size=7))
    doubtful = [Doubtful(n, seat, INKS[draw(st.sampled_from([n, n, n, 3, 20]))]) for n, seat in enumerate(papers)]
    taken = draw(st.lists(st.integers(1, 6), max_size=5, unique=True))
    return doubtful, [Booked(seat, INKS[20 + place]) for place, seat in enumerate(taken)]


@settings(deadline=None)
@given(stacks())
def test_no_two_papers_get_one_seat_and_no_seat_is_given_twice(stack: tuple[list[Doubtful], list[Booked]]) -> None:
    doubtful, booked = stack
    found = make_clear(doubtful, booked, range(1, 9))
    papers: dict[int, set[bytes]] = {}
    for page, clear in found.items():
        papers.setdefault(clear.seat, set()).add(doubtful[page].ink)
    for one in booked:
        papers.setdefault(one.seat, set()).add(one.ink)
    assert all(len(inks) == 1 for inks in papers.values())


@settings(deadline=None)
@given(stacks(), st.randoms(use_true_random=False))
def test_the_order_of_the_pages_does_not_matter(
    stack: tuple[list[Doubtful], list[Booked]], shuffled: random.Random
) -> None:
    doubtful, booked = stack
    before = make_clear(doubtful, booked, range(1, 9))
    doubtful, booked = shuffled.sample(doubtful, len(doubtful)), shuffled.sample(booked, len(booked))
    assert make_clear(doubtful, booked, range(1, 9)) == before


@settings(deadline=None)
@given(stacks())
def test_a_page_never_goes_where_its_own_ink_speaks_against_it(stack: tuple[list[Doubtful], list[Booked]]) -> None:
    doubtful, booked = stack
    again = {one.ink for one in booked}
    for page, clear in make_clear(doubtful, booked, range(1, 9)).items():
        photos = [other.seat for other in doubtful if other.ink == doubtful[page].ink]
        share = sum(seat.share_of(clear.seat) for seat in photos) / len(photos)
        assert share >= (0.1 if doubtful[page].ink in again else 0.3)


@settings(deadline=None)
@given(stacks())
def test_what_a_page_says_for_certain_by_itself_the_stack_never_turns_round(
    stack: tuple[list[Doubtful], list[Booked]],
) -> None:
    doubtful, booked = stack
    assume(len({page.ink for page in doubtful}) == len(doubtful))
    found = make_clear(doubtful, booked, range(1, 9))
    for page, clear in found.items():
        alone, _ = sure_seat(doubtful[page].seat, range(1, 9))
        assert alone in (None, clear.seat)


ROSTER = Roster(tuple(Pupil("3-1", seat, f"学生{seat:02}", f"S{seat:03}") for seat in CLASS))


def test_a_person_and_a_sure_reading_hold_their_seats_and_classes_are_apart() -> None:
    other_class = Roster((*ROSTER.pupils, Pupil("3-2", 14, "学生64", "S064")))
    waiting = StackPage(1, WhoWroteIt("3-1"), INKS[1], says((19, 0.8), (14, 0.199)))
    holder = WhoWroteIt("3-1", 14, "S014", 1.0)
    elsewhere = WhoWroteIt("3-2", 14, "S064", 1.0)
    assert named_by_stack([waiting, StackPage(2, elsewhere, INKS[2])], other_class) == {}
    found = named_by_stack([waiting, StackPage(2, holder, INKS[2])], other_class)
    assert {page: (who.class_name, who.seat, who.pupil) for page, who in found.items()} == {1: ("3-1", 19, "S019")}


@pytest.mark.parametrize("roster", [Roster(()), Roster((Pupil("3-2", 14, "学生64", "S064"),))])
def test_without_the_class_nothing_is_clear(roster: Roster) -> None:
    waiting = StackPage(1, WhoWroteIt("3-1"), INKS[1], says((19, 0.999)))
    assert named_by_stack([waiting], roster) == {}


def test_a_name_takes_the_question_away_and_no_name_brings_it_back() -> None:
    record = PageRecord(
        sheet="ABCD1234", assignment="g3", page=1, who=WhoWroteIt("3-1"), items=(), score_hundredths=0,
        max_score_hundredths=0, pending=0, problems=(Problem("blurred", "…"), Problem("who-unknown", "…")),
    )  # fmt: skip
    named = with_owner(record, WhoWroteIt("3-1", 19, "S019", 0.999))
    assert (named.who.pupil, [problem.code for problem in named.problems]) == ("S019", ["blurred"])
    nameless = with_owner(named, WhoWroteIt("3-1"))
    assert (nameless.who.pupil, [problem.code for problem in nameless.problems]) == (None, ["blurred", "who-unknown"])
