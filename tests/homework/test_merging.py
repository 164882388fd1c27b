"""Two people's words on one field: the same one counts on every side, in whatever order they came (D12)."""

from __future__ import annotations

import random

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from homework.corrections import Word, said_after
from homework.merging import (
    MOST_NAMED,
    Correction,
    Judgement,
    correction_between,
    counting,
    said_after_all,
)
from homework.results import ItemResult, Reading, Said, Stamp, Verdict, VerdictKind

PLACE = ("1", 1)
ITEM = ItemResult("1", 1, "number", Reading("58", 0.7), Verdict(VerdictKind.WRONG, 0))
RIGHT, WRONG = Judgement(right=True), Judgement(right=False)


def word(name: int, judgement: Judgement = RIGHT, **more: object) -> Correction:
    return msgspec.structs.replace(Correction(id=bytes([name]) * 16, place=PLACE, judgement=judgement), **more)


def wins(*words: Correction) -> Correction | None:
    return counting(words).judgement


def test_who_saw_what_another_had_done_stands_whatever_the_clocks_say():
    first = word(1, synced=True, wall_ms=2_000)
    then = word(2, WRONG, replaces=(first.id,))
    assert wins(then, first) == then


def test_of_two_made_apart_the_clock_that_a_time_server_had_set_stands_so_a_box_in_2099_wins_nothing():
    true = word(1, synced=True, wall_ms=1_790_000_000_000, order=1)
    lost_in_time = word(2, WRONG, synced=False, wall_ms=4_070_000_000_000, order=2)
    assert wins(true, lost_in_time) == true


def test_of_two_true_times_the_later_stands():
    earlier, later = word(1, synced=True, wall_ms=1), word(2, WRONG, synced=True, wall_ms=2)
    assert wins(later, earlier) == later


def test_without_times_the_schools_order_decides_and_what_has_no_place_yet_comes_last():
    third, seventh, own = word(3, order=3), word(7, WRONG, order=7), word(1)
    assert wins(seventh, third) == seventh
    assert wins(own, third, seventh) == own


def test_a_comment_and_a_verdict_made_apart_both_stay():
    judged = word(1, order=1)
    remarked = Correction(id=bytes(16), place=PLACE, comment="well done", stamp=Stamp.GOOD, order=2)
    assert said_after_all(ITEM, [remarked, judged]) == Said(
        read=ITEM.reading, right=True, comment="well done", stamp=Stamp.GOOD
    )


def test_taking_back_is_a_word_of_its_own_and_leaves_nothing():
    given_ = word(1, order=1)
    taken_back = word(2, Judgement(), replaces=(given_.id,), order=2)
    assert said_after_all(ITEM, [taken_back, given_]) is None


def test_two_that_name_each_other_do_not_leave_a_field_without_a_word():
    one, other = word(1, replaces=(bytes([2]) * 16,)), word(2, WRONG, replaces=(bytes([1]) * 16,))
    assert wins(one, other) == wins(other, one) is not None


# --- laws -------------------------------------------------------------------------------------------------

judgements = st.builds(
    Judgement, st.none() | st.just("56"), st.none() | st.booleans(), st.none() | st.sampled_from([0, 50, 100])
)
names = st.integers(0, 5).map(lambda n: bytes([n]) * 16)
any_correction = st.builds(
    Correction,
    id=names,
    place=st.just(PLACE),
    judgement=st.just(msgspec.UNSET) | judgements,
    comment=st.just(msgspec.UNSET) | st.sampled_from(["", "a", "b"]),
    stamp=st.just(msgspec.UNSET) | st.none() | st.sampled_from(Stamp),
    replaces=st.lists(names, max_size=3).map(tuple),
    synced=st.booleans(),
    wall_ms=st.integers(0, 3),
    order=st.none() | st.integers(1, 3),
)


@given(st.lists(any_correction, max_size=8), st.randoms())
def test_what_counts_depends_on_the_set_alone(found: list[Correction], chance: random.Random):
    mixed = [*found, *chance.choices(found, k=len(found))] if found else []
    chance.shuffle(mixed)
    assert counting(mixed) == counting(found)
    assert said_after_all(ITEM, mixed) == said_after_all(ITEM, found)


class Side:
    """A box or the school, which knows some corrections and makes others in view of those."""

    def __init__(self, name: int) -> None:
        self.name = name
        self.known: dict[bytes, Correction] = {}

    @property
    def said(self) -> Said | None:
        return said_after_all(ITEM, self.known.values())

    def make(self, given_: Word, number: int, *, synced: bool, wall_ms: int, order: int | None) -> Correction | None:
        before = self.said
        after = said_after(msgspec.structs.replace(ITEM, said=before), given_)
        if after == before:
            return None
        made = correction_between(
            before, after, known=self.known.values(), name=bytes([self.name, number]) * 8, place=PLACE,
            read=ITEM.reading, synced=synced, wall_ms=wall_ms,
        )  # fmt: skip
        self.known[made.id] = msgspec.structs.replace(made, order=order)
        assert self.said == after, "whoever says something sees it done"
        return self.known[made.id]


words_said = st.sampled_from(
    [Word(right=True), Word(right=False), Word(text="56"), Word(text=None), Word(score_hundredths=50),
     Word(comment="a"), Word(comment=""), Word(stamp=Stamp.GOOD), Word(stamp=None), Word(text=None, right=None)]
)  # fmt: skip
steps = st.lists(
    st.one_of(
        st.tuples(st.just("box"), words_said, st.booleans(), st.integers(0, 3)),
        st.tuples(st.just("school"), words_said, st.booleans(), st.integers(0, 3)),
        st.tuples(st.just("up"), st.integers(0, 9)),
        st.tuples(st.just("down"), st.integers(0, 9)),
    ),
    max_size=30,
)


@given(steps)
def test_box_and_school_that_know_all_say_the_same_though_the_box_knows_no_place_of_its_own_words(
    history: list[tuple[object, ...]],
):
    box, school = Side(0), Side(1)
    under_way: dict[str, list[Correction]] = {"up": [], "down": []}
    order = 0

    def arrive(way: str, index: int) -> None:
        nonlocal order
        one = under_way[way].pop(index)
        if way == "up":
            order += 1
            school.known[one.id] = msgspec.structs.replace(one, order=order)
        else:
            box.known[one.id] = one

    for number, (what, *rest) in enumerate(history):
        if what in ("up", "down"):
            if under_way[str(what)]:
                arrive(str(what), int(rest[0]) % len(under_way[str(what)]))  # type: ignore[call-overload]
            continue
        given_, synced, wall_ms = rest
        order += what == "school"
        side, way = (school, "down") if what == "school" else (box, "up")
        made = side.make(
            given_, number, synced=bool(synced), wall_ms=int(wall_ms),  # type: ignore[arg-type,call-overload]
            order=order if what == "school" else None,
        )  # fmt: skip
        if made is not None:
            under_way[way].append(made)
    for way, waiting in under_way.items():
        while waiting:
            arrive(way, 0)
    assert box.said == school.said
    assert {one.id for one in counting(box.known.values()) if one} == {
        one.id for one in counting(school.known.values()) if one
    }


def test_of_very_many_on_one_field_the_last_still_stands():
    side = Side(0)
    for number in range(3 * MOST_NAMED):
        side.make(Word(right=number % 2 == 0), number, synced=number % 3 == 0, wall_ms=1000 - number, order=None)
    assert side.said == Said(read=ITEM.reading, right=False)
