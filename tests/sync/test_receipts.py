"""The arithmetic of both sides, case by case; `test_delivery.py` plays it whole."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.envelope import Envelope, chain_after
from sync.errors import BadSignature, MalformedEnvelope
from sync.lanes import Lane, first_link
from sync.receipts import (
    MAX_BEYOND,
    MAX_HELD,
    Accept,
    AskAfresh,
    Ignore,
    LaneState,
    LaneView,
    NewEpoch,
    Receipt,
    ResendFrom,
    advance,
    decode_state,
    encode_receipts,
    encode_state,
    judge,
    new_lane_state,
    open_down,
    receipt_of,
    with_held,
)

EPOCH, LANE = b"epoch-01", Lane.RESULTS
GATE, OTHER_GATE = b"gateway1", b"gateway2"
START = first_link(EPOCH, LANE)
RECORDS = [b"record %d" % n for n in range(1, 31)]


def envelope(first: int, last: int, records: list[bytes] = RECORDS, challenge: bytes = b"c" * 8) -> Envelope:
    return Envelope(
        school="s", box="b", epoch=EPOCH, lane=LANE, first_seq=first,
        before=chain_after(START, records[: first - 1]), challenge=challenge,
        entries=tuple(records[first - 1 : last]),
    )  # fmt: skip


def after(*envelopes: Envelope, held: tuple[int, ...] = ()) -> tuple[LaneState, list[int], Receipt]:
    state, taken = new_lane_state(EPOCH, LANE), []
    receipt = None
    for one in envelopes:
        result = advance(state, one, incarnation=GATE, held=held)
        state, receipt = result.state, result.receipt
        taken += [seq for seq, _ in result.new]
    assert receipt is not None
    return state, taken, receipt


pieces = st.lists(
    st.tuples(st.integers(1, 30), st.integers(1, 30)).map(lambda p: (min(p), max(p))), min_size=1, max_size=12
)


@given(pieces)
def test_any_pieces_in_any_order_are_taken_once_and_the_mark_is_where_the_first_gap_is(parts: list[tuple[int, int]]):
    """D3, D4."""
    state, taken, receipt = after(*(envelope(*part) for part in parts))
    present = {n for first, last in parts for n in range(first, last + 1)}
    assert sorted(taken) == sorted(present)
    mark = next(n for n in range(31) if n + 1 not in present)
    assert (state.mark, receipt.mark) == (mark, mark)
    assert receipt.chain == chain_after(START, RECORDS[:mark])
    assert {n for first, last in receipt.beyond for n in range(first, last + 1)} == {n for n in present if n > mark}
    assert decode_state(encode_state(state)) == state


def test_the_same_envelope_again_changes_nothing_but_is_receipted_again():
    """D4."""
    first = advance(new_lane_state(EPOCH, LANE), envelope(1, 9), incarnation=GATE)
    again = advance(first.state, envelope(1, 9, challenge=b"d" * 8), incarnation=GATE)
    assert again.new == ()
    assert again.state == first.state
    assert (again.receipt.mark, again.receipt.challenge) == (9, b"d" * 8)


def test_a_held_record_is_told_and_stops_nothing_behind_it():
    """D5."""
    state, _, receipt = after(envelope(1, 4), envelope(5, 9), held=(3, 6, 7))
    assert (receipt.mark, receipt.held) == (9, ((3, 3), (6, 7)))
    assert receipt_of(with_held(state, [7]), envelope(1, 1), GATE).held == ((7, 7),)


def test_a_held_record_beyond_a_gap_is_told_once_the_mark_passes_it():
    """D5."""
    state, _, receipt = after(envelope(3, 4), held=(3,))
    assert receipt.held == ()
    assert advance(state, envelope(1, 2), incarnation=GATE).receipt.held == ((3, 3),)


def test_the_clone_of_a_card_is_not_mixed_in():
    """D10."""
    other = RECORDS[:5] + [b"clone %d" % n for n in range(6, 31)]
    state, _, _ = after(envelope(1, 8))
    for first, last in [(6, 9), (9, 12), (1, 20)]:
        result = advance(state, envelope(first, last, other), incarnation=GATE)
        assert result.new == ()
        assert result.state == state
        assert result.conflicting


def test_a_clones_record_beyond_a_gap_does_not_block_the_lane():
    """D10: the mark reaches the conflict, so that the box sees another chain than its own."""
    other = [b"clone %d" % n for n in range(1, 31)]
    state, _, _ = after(envelope(3, 3, other))
    result = advance(state, envelope(1, 5), incarnation=GATE)
    assert [seq for seq, _ in result.new] == [1, 2]
    assert [seq for seq, _ in result.conflicting] == [3, 4, 5]
    assert result.receipt.mark == 3
    assert result.receipt.chain != chain_after(START, RECORDS[:3])


@given(st.lists(st.sets(st.integers(1, 60)), max_size=6))
def test_what_is_held_is_told_in_ranges_whatever_came_when(some: list[set[int]]):
    """D5."""
    records = [b"%d" % n for n in range(1, 61)]
    held = tuple(set().union(*some))
    state, _, told = after(*(envelope(n, n, records) for n in range(60, 0, -1)), held=held)
    assert {n for first, last in told.held for n in range(first, last + 1)} == set(held)
    assert state.held == with_held(state, held).held
    assert all(later[0] > earlier[1] + 1 for earlier, later in pairwise(told.held))


def test_more_ranges_than_a_receipt_can_hold_keep_too_much_and_never_too_little():
    """D5, D14: nor does the state of the lane grow with them."""
    beyond = tuple((n, bytes(16)) for n in range(20_000, 20_000 + 4 * MAX_BEYOND, 2))
    held = range(1, 3 * MAX_HELD, 2)
    state = with_held(LaneState(3 * MAX_HELD, bytes(16), beyond), held)
    told = receipt_of(state, envelope(1, 1), GATE)
    assert len(told.beyond) == MAX_BEYOND
    assert len(told.held) == MAX_HELD
    assert all(any(first <= n <= last for first, last in told.held) for n in held)
    coarse = LaneState(0, START, (), ((1, 9),))
    assert advance(coarse, envelope(1, 9), incarnation=GATE, held=[5]).state.held == ((1, 9),)


def test_a_box_that_sends_ever_more_that_cannot_be_read_does_not_grow_the_lane():
    """D14."""
    records = [b"%d" % n for n in range(1, 20_001)]
    state = new_lane_state(EPOCH, LANE)
    before = START
    for first in range(1, 20_001, 1000):
        one = Envelope(
            school="s", box="b", epoch=EPOCH, lane=LANE, first_seq=first, before=before, challenge=bytes(8),
            entries=tuple(records[first - 1 : first + 999]),
        )  # fmt: skip
        state = advance(state, one, incarnation=GATE, held=range(first, first + 1000, 2)).state
        before = state.chain
    assert state.mark == 20_000
    assert len(state.held) == MAX_HELD
    assert (state.held[0], state.held[-1]) == ((1, 1), (2 * MAX_HELD - 1, 19_999))


def view(**changes: object) -> LaneView:
    facts: dict[str, object] = {
        "closed": False, "last_seq": 9, "proven": 5, "chain_at_mark": b"x" * 16, "incarnation": GATE,
        "answers": 2, "proven_under": 1, "believed_from": 0,
    } | changes  # fmt: skip
    return LaneView(**facts)  # type: ignore[arg-type]


def receipt(mark: int = 7, **changes: object) -> Receipt:
    facts: dict[str, object] = {
        "epoch": EPOCH, "lane": LANE, "incarnation": GATE, "challenge": b"fresh..1", "mark": mark, "chain": b"x" * 16,
    } | changes  # fmt: skip
    return Receipt(**facts)  # type: ignore[arg-type]


def test_a_mark_whose_chain_is_the_boxs_own_is_accepted():
    assert judge(receipt(7, held=((6, 6),)), view()) == Accept(7, (), ((6, 6),))


def test_the_first_receipt_of_a_lane_is_accepted_from_any_gateway():
    assert judge(receipt(0), view(proven=0, incarnation=None, proven_under=0)) == Accept(0, (), ())


def test_another_chain_opens_a_new_epoch_from_what_is_proven():
    """D10."""
    assert judge(receipt(7, chain=b"y" * 16), view()) == NewEpoch(5)
    assert judge(receipt(12), view(chain_at_mark=None)) == NewEpoch(5)


def test_another_chain_at_a_restored_gateway_proves_nothing():
    assert judge(receipt(7, chain=b"y" * 16, incarnation=OTHER_GATE), view()) == NewEpoch(0)


def test_a_closed_epoch_with_nothing_unproven_is_left_in_peace():
    assert isinstance(judge(receipt(12), view(closed=True, last_seq=5, chain_at_mark=None)), Ignore)


def test_an_epoch_of_somebody_elses_is_ignored():
    assert isinstance(judge(receipt(), None), Ignore)


@pytest.mark.parametrize("incarnation", [GATE, OTHER_GATE])
def test_a_gateway_that_has_less_than_it_had_is_asked_afresh_and_then_believed(incarnation: bytes):
    """D6."""
    less = receipt(3, incarnation=incarnation)
    assert judge(less, view(proven_under=2)) == AskAfresh()
    assert judge(less, view()) == ResendFrom(3, ())


@pytest.mark.parametrize("incarnation", [GATE, OTHER_GATE])
def test_a_late_or_replayed_receipt_turns_nothing_back(incarnation: bytes):
    """D7."""
    late = receipt(3, incarnation=incarnation)
    assert judge(late, view(answers=1)) == AskAfresh()
    assert judge(late, view(answers=0, proven_under=0)) == AskAfresh()


@pytest.mark.parametrize("chain", [b"x" * 16, b"y" * 16])
@pytest.mark.parametrize("mark", [3, 5, 7])
def test_what_was_said_before_a_lane_was_turned_back_counts_for_nothing(mark: int, chain: bytes):
    """D7."""
    said_before = receipt(mark, chain=chain)
    assert isinstance(judge(said_before, view(believed_from=3)), Ignore)
    assert isinstance(judge(said_before, view(believed_from=3, answers=0)), Ignore)
    assert not isinstance(judge(said_before, view(believed_from=3, answers=3)), Ignore)


def test_receipts_travel_signed():
    message = encode_receipts([receipt(), receipt(8)], school="s", box="b", key=bytes(32))
    assert open_down(message, school="s", box="b", key=bytes(32)) == (receipt(), receipt(8))
    with pytest.raises(BadSignature):
        open_down(message, school="s", box="b", key=b"k" * 32)
    with pytest.raises(BadSignature):
        open_down(message, school="s", box="c", key=bytes(32))


def test_receipts_that_break_a_limit_are_malformed():
    message = encode_receipts([receipt(chain=b"short")], school="s", box="b", key=bytes(32))
    with pytest.raises(MalformedEnvelope):
        open_down(message, school="s", box="b", key=bytes(32))
