"""请假 and 免做 said at several places: the same word counts everywhere, in whatever order they came (D12)."""

from __future__ import annotations

import random

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from homework.absences import Absence, AbsenceWord, before, standing, timing_of, word_after
from homework.lateness import Timing
from homework.merging import MOST_NAMED, winner

EXCUSED, EXEMPT = Absence.EXCUSED, Absence.EXEMPT


def word(name: int, absence: Absence | None = EXCUSED, **more: object) -> AbsenceWord:
    return msgspec.structs.replace(AbsenceWord(id=bytes([name]) * 16, absence=absence), **more)


def test_nobody_is_away_of_whom_nothing_was_said() -> None:
    assert standing([]) is None


def test_taking_back_is_a_word_too_and_who_saw_the_other_stands() -> None:
    said = word(1, synced=True, wall_ms=9)
    back = word(2, None, replaces=(said.id,))
    assert standing([back, said]) is None
    assert before([back, said], back.id) is EXCUSED


def test_of_words_said_apart_a_true_clock_stands_then_the_schools_order() -> None:
    assert standing([word(1, synced=True, wall_ms=1, order=1), word(2, EXEMPT, wall_ms=4_070_000_000_000)]) is EXCUSED
    assert standing([word(1, order=2), word(2, EXEMPT, order=1)]) is EXCUSED
    assert standing([word(1), word(2, EXEMPT, order=1)]) is EXCUSED, "one that the school has not placed is the last"


def test_a_sheet_that_comes_after_a_leave_is_late_and_of_one_who_was_exempt_it_is_judged_by_its_time() -> None:
    assert timing_of(EXCUSED, Timing.IN_TIME) is Timing.LATE
    assert timing_of(EXEMPT, Timing.IN_TIME) is timing_of(None, Timing.IN_TIME) is Timing.IN_TIME


def test_of_very_many_on_one_pupil_the_last_still_stands() -> None:
    known: list[AbsenceWord] = []
    for number in range(3 * MOST_NAMED):
        said = [EXCUSED, EXEMPT, None][number % 3]
        made = word_after(known, said, name=bytes([number]) * 16, synced=number % 2 == 0, wall_ms=99 - number)
        known.append(made)
        assert standing(known) is said


# --- laws -------------------------------------------------------------------------------------------------

absences = st.sampled_from([None, *Absence])
names = st.integers(0, 5).map(lambda n: bytes([n]) * 16)
any_word = st.builds(
    AbsenceWord,
    id=names,
    absence=absences,
    replaces=st.lists(names, max_size=3).map(tuple),
    synced=st.booleans(),
    wall_ms=st.integers(0, 3),
    order=st.none() | st.integers(1, 3),
)


@given(st.lists(any_word, max_size=6, unique_by=lambda one: one.id), st.randoms())
def test_what_counts_depends_on_the_set_alone_also_where_a_word_is_there_with_its_place_and_without(
    found: list[AbsenceWord], chance: random.Random
) -> None:
    again = chance.choices(found, k=len(found)) if found else []
    mixed = [*found, *(msgspec.structs.replace(one, order=None) for one in again)]
    chance.shuffle(mixed)
    assert winner(mixed) == winner(found)


class Side:
    """A box or the school. The school gives places; what it has goes to every box, also back to whose it is."""

    def __init__(self, name: int) -> None:
        self.name = name
        self.known: dict[bytes, AbsenceWord] = {}

    def say(self, absence: Absence | None, number: int, *, synced: bool, wall_ms: int) -> AbsenceWord:
        made = word_after(
            list(self.known.values()), absence, name=bytes([self.name, number]) * 8, synced=synced, wall_ms=wall_ms
        )
        self.known[made.id] = made
        assert standing(self.known.values()) is absence, "whoever says something sees it done"
        return made


steps = st.lists(
    st.one_of(
        st.tuples(st.just("say"), st.integers(0, 2), absences, st.booleans(), st.integers(0, 3)),
        st.tuples(st.just("up"), st.integers(1, 2), st.integers(0, 9)),
        st.tuples(st.just("down"), st.integers(1, 2), st.integers(0, 9)),
    ),
    max_size=30,
)


@given(steps)
def test_the_school_and_two_boxes_say_the_same_once_each_knows_all(history: list[tuple[object, ...]]) -> None:
    sides = [Side(0), Side(1), Side(2)]  # the school and its boxes
    up: dict[int, list[AbsenceWord]] = {1: [], 2: []}
    down: dict[int, list[AbsenceWord]] = {1: [], 2: []}
    order = 0

    def placed(one: AbsenceWord) -> None:
        nonlocal order
        order += 1
        sides[0].known[one.id] = msgspec.structs.replace(one, order=order)
        for waiting in down.values():
            waiting.append(sides[0].known[one.id])

    def arrive(way: str, box: int, index: int) -> None:
        waiting = up[box] if way == "up" else down[box]
        one = waiting.pop(index)
        if way == "up":
            placed(one)
        else:
            sides[box].known[one.id] = one

    for number, (what, side, *rest) in enumerate(history):
        assert isinstance(side, int)
        if what == "say":
            absence, synced, wall_ms = rest
            made = sides[side].say(absence, number, synced=bool(synced), wall_ms=int(wall_ms))  # type: ignore[arg-type,call-overload]
            if side:
                up[side].append(made)
            else:
                placed(made)
        elif waiting := (up if what == "up" else down)[side]:
            arrive(str(what), side, int(rest[0]) % len(waiting))  # type: ignore[call-overload]
    for way, found in (("up", up), ("down", down)):
        for box, waiting in found.items():
            while waiting:
                arrive(way, box, 0)
    assert sides[0].known == sides[1].known == sides[2].known
    assert len({standing(side.known.values()) for side in sides}) == 1
