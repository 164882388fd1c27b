"""D13: when a record was made is told afterwards: an interval in which it surely was, whatever its box's clock said."""

import random
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from sync import placing
from sync.clock import BUILT_AT_MS, ClockQuality, ClockReading
from sync.placing import (
    ANCHOR_ERROR_MS,
    DRIFT_PPM,
    RECEIVER_ERROR_MS,
    Boot,
    BoxTimes,
    Known,
    Numbered,
    Placed,
    Seen,
    decode_boot,
    encode_boot,
    with_readings,
)

NOON = 1_796_083_200_000
SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000
EPOCH = b"e" * 8
UNSET, RESTORED, SYNCED = ClockQuality.UNSET, ClockQuality.RESTORED, ClockQuality.SYNCED
MONDAY, TUESDAY, WEDNESDAY = (bytes([n]) * 16 for n in (1, 2, 3))


def reading(
    monotonic_ms: int, wall_ms: int = 0, *, boot: bytes = MONDAY, quality: ClockQuality = UNSET
) -> ClockReading:
    return ClockReading(monotonic_ms=monotonic_ms, wall_ms=wall_ms, boot=boot, quality=quality)


def known(*seen: Seen) -> BoxTimes:
    boots: dict[bytes, Boot] = {}
    for one in seen:
        boot = one.reading.boot
        boots[boot] = decode_boot(encode_boot(with_readings(boots.get(boot, Boot(boot)), [one])))
    return BoxTimes(boots.values())


def numbered(seq: int, *, epoch: bytes = EPOCH) -> Numbered:
    return Numbered(epoch, 1, seq)


def holds(placed: Placed, true_ms: float) -> bool:
    return placed.earliest_ms <= true_ms <= placed.latest_ms


# --- one by one ---------------------------------------------------------------------------------------------


def test_a_clock_that_a_time_server_set_is_believed_to_a_quarter_of_a_minute() -> None:
    page = reading(HOUR, NOON, quality=SYNCED)
    placed = known(Seen(page, NOON + DAY)).place(page, NOON + DAY)
    assert placed == (NOON - ANCHOR_ERROR_MS, NOON + ANCHOR_ERROR_MS, NOON, Known.SYNCED)


def test_sheets_of_1970_are_placed_by_an_anchor_of_the_same_boot_that_came_three_weeks_later() -> None:
    page = reading(10 * MINUTE, 600_000)
    hello = reading(21 * DAY, NOON, quality=SYNCED)
    before = known(Seen(page, NOON)).place(page, NOON)
    assert before.latest_ms - before.earliest_ms > 300 * DAY
    placed = known(Seen(page, NOON), Seen(hello, NOON)).place(page, NOON)
    true_ms = NOON - 21 * DAY + 10 * MINUTE
    assert placed.known is Known.FITTED
    assert placed.guess_ms == true_ms
    assert placed.latest_ms - placed.earliest_ms < 2 * (ANCHOR_ERROR_MS + 21 * 44 * SECOND)


def test_what_was_received_cannot_have_been_made_later() -> None:
    page = reading(10 * MINUTE)
    assert known(Seen(page, NOON)).place(page).latest_ms == NOON + RECEIVER_ERROR_MS
    hello = reading(11 * MINUTE)
    assert (
        known(Seen(page, NOON + DAY), Seen(hello, NOON)).place(page).latest_ms < NOON + RECEIVER_ERROR_MS - MINUTE / 2
    )


def test_a_reading_that_claims_to_be_set_and_lies_in_2099_is_not_believed() -> None:
    year_2099 = 4_070_908_800_000
    page = reading(HOUR, year_2099, quality=SYNCED)
    placed = known(Seen(page, NOON)).place(page, NOON)
    assert placed.known is Known.BETWEEN
    assert placed.latest_ms == NOON + RECEIVER_ERROR_MS
    right = reading(2 * HOUR, NOON, quality=SYNCED)
    placed = known(Seen(page, NOON), Seen(right, NOON)).place(page, NOON)
    assert placed.known is Known.FITTED
    assert placed.guess_ms == NOON - HOUR


def test_the_margin_within_which_a_later_reading_is_believed_is_that_of_both_clocks() -> None:
    margin = ANCHOR_ERROR_MS + RECEIVER_ERROR_MS
    for over, expected in ((0, Known.SYNCED), (1, Known.BETWEEN)):
        page = reading(HOUR, NOON + margin + over, quality=SYNCED)
        assert known(Seen(page, NOON)).place(page, NOON).known is expected


def test_readings_of_one_boot_that_contradict_each_other_widen_the_interval_to_both() -> None:
    false = reading(HOUR, NOON - 3 * DAY, quality=SYNCED)
    right = reading(2 * HOUR, NOON, quality=SYNCED)
    times = known(Seen(false, NOON), Seen(right, NOON))
    for page, true_ms in ((false, NOON - HOUR), (right, NOON), (reading(90 * MINUTE), NOON - 30 * MINUTE)):
        placed = times.place(page, NOON)
        assert holds(placed, true_ms)
        assert placed.latest_ms - placed.earliest_ms > 2.9 * DAY


def test_a_boot_that_was_never_set_lies_between_its_neighbours() -> None:
    times = known(
        Seen(reading(HOUR, NOON, quality=SYNCED), NOON + 9 * DAY, numbered(1)),
        Seen(reading(MINUTE, boot=TUESDAY), NOON + 9 * DAY, numbered(2)),
        Seen(reading(3 * MINUTE, boot=TUESDAY), NOON + 9 * DAY, numbered(3)),
        Seen(reading(HOUR, NOON + DAY, boot=WEDNESDAY, quality=SYNCED), NOON + 9 * DAY, numbered(4)),
    )
    placed = times.place(reading(MINUTE, boot=TUESDAY), NOON + 9 * DAY)
    assert placed.known is Known.BETWEEN
    assert NOON <= placed.earliest_ms <= NOON + MINUTE
    slack = ANCHOR_ERROR_MS + 2 * SECOND
    assert NOON + DAY - HOUR - 2 * MINUTE <= placed.latest_ms <= NOON + DAY - HOUR - 2 * MINUTE + slack


def test_a_restored_clock_runs_behind_so_what_it_says_has_passed() -> None:
    page = reading(MINUTE, NOON, quality=RESTORED)
    placed = known(Seen(page, NOON + DAY)).place(page, NOON + DAY)
    assert placed.known is Known.RESTORED
    assert (placed.earliest_ms, placed.guess_ms) == (NOON - ANCHOR_ERROR_MS - 31, NOON)
    assert placed.latest_ms == NOON + DAY + RECEIVER_ERROR_MS


def test_a_restored_clock_that_is_ahead_of_its_reception_says_nothing() -> None:
    page = reading(MINUTE, NOON + 30 * DAY, quality=RESTORED)
    placed = known(Seen(page, NOON)).place(page, NOON)
    assert placed.known is Known.BETWEEN
    assert holds(placed, NOON)


def test_two_boots_whose_clocks_contradict_their_order_are_both_doubted_and_the_others_stand() -> None:
    times = known(
        Seen(reading(HOUR, NOON, quality=SYNCED), NOON + 9 * DAY, numbered(1)),
        Seen(reading(HOUR, NOON + 5 * DAY, boot=TUESDAY, quality=SYNCED), NOON + 9 * DAY, numbered(2)),
        Seen(reading(HOUR, NOON + 2 * DAY, boot=WEDNESDAY, quality=SYNCED), NOON + 9 * DAY, numbered(3)),
    )
    assert times.place(reading(HOUR, NOON, quality=SYNCED)).known is Known.SYNCED
    for boot in (TUESDAY, WEDNESDAY):
        placed = times.place(reading(HOUR, NOON + 5 * DAY, boot=boot, quality=SYNCED), NOON + 9 * DAY)
        assert placed.known is Known.BETWEEN
        assert holds(placed, NOON + 2 * DAY)
        assert holds(placed, NOON + 5 * DAY)


def test_a_page_that_is_graded_again_boots_later_says_nothing_of_the_order() -> None:
    """Its clock is that of its capture; only who numbers a record when it is made says that what follows is later."""
    again = Seen(reading(HOUR, NOON, quality=SYNCED), NOON + 9 * DAY)
    times = known(
        Seen(reading(HOUR, boot=TUESDAY), NOON + 9 * DAY, numbered(1)),
        again,
        Seen(reading(HOUR, NOON + DAY, boot=WEDNESDAY, quality=SYNCED), NOON + 9 * DAY, numbered(3)),
    )
    assert holds(times.place(reading(HOUR, boot=TUESDAY)), NOON - DAY)


def test_clones_of_a_card_that_run_at_the_same_time_have_no_order() -> None:
    times = known(
        *(Seen(reading(seq * HOUR, boot=TUESDAY), NOON + DAY, numbered(seq)) for seq in (1, 3, 5)),
        *(
            Seen(reading(seq * HOUR, NOON + seq * HOUR, boot=MONDAY, quality=SYNCED), NOON + DAY, numbered(seq))
            for seq in (2, 4)
        ),
    )
    assert holds(times.place(reading(HOUR, boot=TUESDAY)), NOON - 3 * DAY)
    assert holds(times.place(reading(5 * HOUR, boot=TUESDAY)), NOON + 20 * HOUR)


def test_a_receiver_whose_own_clock_was_never_set_bounds_nothing() -> None:
    page = reading(HOUR, NOON, quality=SYNCED)
    assert known(Seen(page, 5 * HOUR)).place(page, 5 * HOUR).known is Known.SYNCED


@given(st.lists(st.tuples(st.integers(0, 90 * DAY), st.integers(-HOUR, HOUR)), max_size=60))
def test_what_is_kept_of_a_boot_stays_small_and_keeps_what_says_most(found: list[tuple[int, int]]) -> None:
    boot = Boot(MONDAY)
    for monotonic_ms, off_ms in found:
        page = reading(monotonic_ms, NOON + monotonic_ms + off_ms, quality=SYNCED)
        boot = with_readings(boot, [Seen(page, NOON + monotonic_ms + abs(off_ms))])
    assert len(encode_boot(boot)) < 800
    offsets = [wall - monotonic - NOON for monotonic, wall in boot.anchors]
    assert {*offsets[:0], *([min(offsets), max(offsets)] if offsets else [])} == (
        {min(off for _, off in found), max(off for _, off in found)} if found else set()
    )


# --- the law ------------------------------------------------------------------------------------------------


@dataclass
class Machine:
    """A box in a made-up world: true time, a crystal that drifts, and a wall clock that anything may happen to."""

    rng: random.Random
    now_ms: float = NOON
    boot: bytes = b""
    begun_ms: float = 0.0
    rate: float = 1.0
    off_ms: float = 0.0
    quality: ClockQuality = UNSET
    seq: int = 0
    on_card_ms: float = BUILT_AT_MS - 30 * DAY
    made: list[tuple[ClockReading, float]] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)

    def start(self) -> None:
        """Power comes: 1970, the image's time, or the time that the card remembers."""
        self.boot, self.begun_ms = self.rng.randbytes(16), self.now_ms
        self.rate = 1 + self.rng.uniform(-DRIFT_PPM, DRIFT_PPM) / 1e6
        self.off_ms = self.rng.choice([0.0, BUILT_AT_MS - 30.0 * DAY, self.on_card_ms]) - self.begun_ms
        self.quality = UNSET if self.wall_ms < BUILT_AT_MS else RESTORED

    @property
    def monotonic_ms(self) -> int:
        return int((self.now_ms - self.begun_ms) * self.rate)

    @property
    def wall_ms(self) -> int:
        return max(0, int(self.now_ms + self.off_ms))

    def sync(self) -> None:
        """A time server sets the clock, as well as Linux wants it."""
        self.off_ms, self.quality = self.rng.uniform(-ANCHOR_ERROR_MS + 1, ANCHOR_ERROR_MS - 1), SYNCED

    def jump(self, to_ms: float) -> None:
        """A false time server sets it to years to come."""
        self.off_ms, self.quality = to_ms - self.now_ms, SYNCED

    def read(self) -> ClockReading:
        return ClockReading(monotonic_ms=self.monotonic_ms, wall_ms=self.wall_ms, boot=self.boot, quality=self.quality)

    def make(self) -> None:
        """A record: what the school sees of it, if it is not lost, is a reading and when it came."""
        self.seq += 1
        self.made.append((self.read(), self.now_ms))

    def end(self) -> None:
        """Power goes. The card remembers the wall time, unless it ran ahead: that a restored clock runs behind is taken
        for granted."""
        if BUILT_AT_MS <= self.wall_ms <= self.now_ms:
            self.on_card_ms = self.wall_ms


def a_life(rng: random.Random) -> tuple[list[tuple[ClockReading, float]], list[Seen]]:
    """Records with their true times, and what the gateway has of them."""
    box = Machine(rng)
    seen: list[Seen] = []
    for _boot in range(rng.randint(1, 6)):
        box.start()
        for _step in range(rng.randint(1, 8)):
            box.now_ms += rng.choice([1.0, SECOND, 10.0 * MINUTE, 5.0 * HOUR, 20.0 * DAY]) * rng.uniform(0.5, 1.5)
            match rng.choice(["make", "make", "make", "hello", "sync", "jump"]):
                case "make":
                    box.make()
                    # It may wait for weeks, and its number may never come.
                    came_ms = box.now_ms + rng.choice([0.0, SECOND, DAY, 40.0 * DAY]) + rng.uniform(-1, 1) * 4 * MINUTE
                    if rng.random() < 0.8:
                        seen.append(Seen(box.read(), int(max(came_ms, box.now_ms - 4 * MINUTE)), numbered(box.seq)))
                case "hello":
                    seen.append(Seen(box.read(), int(box.now_ms + rng.uniform(-4, 4) * MINUTE)))
                case "sync":
                    box.sync()
                case "jump":
                    box.jump(box.now_ms + rng.uniform(100, 30_000) * DAY)
        box.end()
        box.now_ms += rng.choice([0.0, MINUTE, 3.0 * DAY])
    return box.made, seen


@given(st.integers(0, 2**32), st.randoms(use_true_random=False))
def test_the_true_time_is_always_inside_the_interval_and_more_knowledge_never_makes_it_wrong(
    seed: int, order: random.Random
) -> None:
    made, seen = a_life(random.Random(seed))
    order.shuffle(seen)
    for count in range(len(seen) + 1):
        times = known(*seen[:count])
        for page, true_ms in made:
            placed = times.place(page)
            # What a page itself claims can only be weighed where something of its boot was received.
            if page.quality is not SYNCED or any(one.reading.boot == page.boot for one in seen[:count]):
                assert holds(placed, true_ms)
            assert placed.earliest_ms <= placed.guess_ms <= placed.latest_ms


@given(st.integers(0, 2**32))
def test_a_boot_in_which_the_clock_was_set_once_is_placed_to_the_minute_and_the_drift(seed: int) -> None:
    made, seen = a_life(random.Random(seed))
    far = [one for one in seen if one.reading.wall_ms > one.received_ms + 90 * DAY]  # type: ignore[operator]
    strange = {one.reading.boot for one in far}
    times = known(*seen)
    anchors: dict[bytes, list[int]] = {}
    for one in seen:
        if one.reading.quality is SYNCED and one.reading.boot not in strange:
            anchors.setdefault(one.reading.boot, []).append(one.reading.monotonic_ms)
    for page, _true_ms in made:
        if page.boot in anchors and page.quality is not SYNCED:
            distance = min(abs(page.monotonic_ms - then) for then in anchors[page.boot])
            placed = times.place(page)
            assert placed.known is Known.FITTED
            assert placed.latest_ms - placed.earliest_ms <= 2 * (ANCHOR_ERROR_MS + distance * DRIFT_PPM / 999_000 + 1)


def test_a_clock_that_jumps_to_the_past_within_a_boot_is_right_once_in_the_interval() -> None:
    rng = random.Random(1)
    for _ in range(200):
        box = Machine(rng)
        box.start()
        seen: list[Seen] = []
        made: list[tuple[ClockReading, float]] = []
        right = rng.randrange(6)
        for step in range(6):
            box.now_ms += rng.uniform(0, 3) * HOUR
            if step == right:
                box.sync()
            else:
                box.jump(box.now_ms - rng.uniform(0.1, 300) * DAY)
            made.append((box.read(), box.now_ms))
            seen.append(Seen(box.read(), int(box.now_ms) + 1))
        assert all(holds(known(*seen).place(page), true_ms) for page, true_ms in made)


# --- what is worked out only where it is needed ---------------------------------------------------------------


def worked_out_in_full(boots: list[Boot]) -> BoxTimes:
    """Every boot beside all the others of its box, whatever is asked afterwards."""
    times = BoxTimes(boots)
    chains = times._chains
    for chain in chains:
        for one in chain:
            one.doubted = False
    for chain in chains:
        placing._doubt(chain)
    times._bound()
    return times


_hours = st.integers(0, 60).map(lambda hour: hour * HOUR // 2)
_walls = st.one_of(_hours.map(lambda ms: NOON + ms), st.sampled_from([0, BUILT_AT_MS - DAY, NOON + 900 * DAY]))
_stretches = st.builds(
    lambda lane, first, more: placing.Stretch(EPOCH, lane, first, first + more),
    st.integers(1, 2),
    st.integers(1, 12),
    st.integers(0, 2),
)


@st.composite
def any_boots(draw: st.DrawFn) -> list[Boot]:
    """Boots that may contradict each other in every way, or stand in order."""
    boots = []
    for number in range(draw(st.integers(1, 7))):
        steady = draw(st.booleans())
        anchors = [(0, NOON + number * 9 * HOUR)] if steady else draw(st.lists(st.tuples(_hours, _walls), max_size=3))
        received = draw(st.lists(st.tuples(_hours, _walls), max_size=2))
        stretches = [placing.Stretch(EPOCH, 1, 9 * number + 1, 9 * number + 5)] if steady else draw(
            st.lists(_stretches, max_size=2)
        )  # fmt: skip
        until_ms = max((then for then, _ in [*anchors, *received]), default=0)
        points = tuple(sorted(set(anchors))), tuple(sorted(set(received)))
        boots.append(Boot(bytes([number]) * 16, until_ms, *points, tuple(stretches)))
    return boots


@given(any_boots(), _hours, _walls, st.sampled_from([UNSET, RESTORED, SYNCED]), st.none() | _walls)
def test_what_is_left_out_until_it_is_needed_changes_no_place(
    boots: list[Boot], monotonic_ms: int, wall_ms: int, quality: ClockQuality, received_ms: int | None
) -> None:
    full = worked_out_in_full(boots)
    for boot in boots:
        page = reading(monotonic_ms, wall_ms, boot=boot.boot, quality=quality)
        assert BoxTimes(boots).place(page, received_ms) == full.place(page, received_ms)


@given(st.integers(0, 2**32))
def test_nor_does_it_in_any_life_of_a_box(seed: int) -> None:
    made, seen = a_life(random.Random(seed))
    lazy, full = known(*seen), worked_out_in_full([one.boot for one in known(*seen)._boots.values()])
    assert [lazy.place(page) for page, _ in made] == [full.place(page) for page, _ in made]


def test_a_box_in_order_is_not_looked_at_boot_by_boot() -> None:
    boots = [
        Boot(bytes([n]) * 16, HOUR, ((0, NOON + n * DAY),), (), (placing.Stretch(EPOCH, 1, n, n),)) for n in range(1, 9)
    ]
    times = BoxTimes(boots)
    assert times.place(reading(HOUR, boot=boots[3].boot)).guess_ms == NOON + 4 * DAY + HOUR
    assert [n for n, one in enumerate(times._boots.values(), 1) if "facts" in vars(one)] == [4]


def test_a_boot_that_another_lane_doubts_hides_no_contradiction_between_its_neighbours() -> None:
    """B stands between A and C in time, because its clock jumped; without it they contradict each other."""
    lane_1, lane_2 = (lambda n: placing.Stretch(EPOCH, 1, n, n)), (lambda n: placing.Stretch(EPOCH, 2, n, n))
    boots = [
        Boot(b"D" * 16, HOUR, ((0, NOON + 9 * DAY),), (), (lane_2(1),)),
        Boot(b"B" * 16, HOUR, ((0, NOON + 4 * DAY), (HOUR, NOON + 2 * DAY)), (), (lane_2(2), lane_1(2))),
        Boot(b"A" * 16, HOUR, ((0, NOON + 3 * DAY + 20 * HOUR),), (), (lane_1(1),)),
        Boot(b"C" * 16, HOUR, ((0, NOON + 3 * DAY),), (), (lane_1(3),)),
    ]
    page = reading(0, boot=b"C" * 16)
    assert BoxTimes(boots).place(page) == worked_out_in_full(boots).place(page)
    assert BoxTimes(boots).place(page).known is Known.BETWEEN
