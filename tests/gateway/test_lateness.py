"""D13: the school's report says in time, late, or not known, whatever the clock of the box was."""

import csv
import io
from collections.abc import Sequence

import msgspec
import pytest

from gateway.ingest import Changed, StoreIngest
from gateway.reports.export import report_to_csv, report_to_json
from gateway.simulated_class import SimulatedBox
from gateway.simulated_school import SimulatedSchool
from gateway.store.boots import Made, places
from gateway.store.schools import enrol_box
from gateway.web.views import notices
from sync.clock import ClockQuality, ClockReading
from sync.gateway_session import GatewaySession, Message
from sync.lanes import Lane
from sync.placing import Known
from sync.records import PageResult
from sync.state import BoxState, encode_box_state
from ui.report_view import report_view

ON_BOTH = True

ON_BOTH = True
DUE_MS = 1_796_083_200_000
DUE = "2026-12-01T08:00:00+08:00"
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
UNSET, RESTORED, SYNCED = ClockQuality.UNSET, ClockQuality.RESTORED, ClockQuality.SYNCED
MONDAY, TUESDAY, WEDNESDAY = (bytes([n]) * 16 for n in (1, 2, 3))


class Scene:
    """A school whose clock is right, and its box whose clock is not."""

    def __init__(self, school: SimulatedSchool) -> None:
        self.school, self.now_ms = school, DUE_MS
        self.news: list[Changed] = []
        self.ingest = StoreIngest(school.store, now_ms=lambda: self.now_ms, on_change=self.news.extend)
        school.pupils.assignment = msgspec.structs.replace(school.pupils.assignment, due=DUE)

    async def begin(self) -> None:
        await self.ingest.take([self.school.box.envelope(Lane.DOCUMENTS, self.school.pupils.documents())])

    def page(self, seat: int, clock: ClockReading, *, attempt: int = 1, page: int = 1, revision: int = 1) -> PageResult:
        result = self.school.pupils.result(
            self.school.pupils.roster.pupils[seat - 1], attempt=attempt, revision=revision
        )
        return msgspec.structs.replace(result, clock=clock, page=page)

    async def come(self, *pages: PageResult, at_ms: int, box: SimulatedBox | None = None) -> None:
        self.now_ms = at_ms
        await self.ingest.take([(box or self.school.box).envelope(Lane.RESULTS, pages)])

    async def hello(self, clock: ClockReading | None, *, at_ms: int) -> None:
        """As it comes over the line: bytes that the box signed."""
        self.now_ms = at_ms
        where = {"school": self.school.school, "box": self.school.box.box}
        epochs = (self.school.box.epoch,)
        state = BoxState(**where, online=True, software="1", challenge=b"12345678", epochs=epochs, clock=clock)
        message = Message("classbox/1/no-1/box-1/state", encode_box_state(state, self.school.box_key))
        assert await GatewaySession(self.ingest).handle([message])

    async def timing(self, *seats: int) -> list[str | None]:
        found = {line["seat"]: line for line in report_to_json(await self.school.report())["pupils"]}
        return [found[seat]["timing"] for seat in seats]


@pytest.fixture
async def scene(school: SimulatedSchool) -> Scene:
    scene = Scene(school)
    await scene.begin()
    return scene


def clock(
    monotonic_ms: int, wall_ms: int = 5_000, quality: ClockQuality = UNSET, *, boot: bytes = MONDAY
) -> ClockReading:
    return ClockReading(monotonic_ms=monotonic_ms, wall_ms=wall_ms, boot=boot, quality=quality)


def right(at_ms: int, *, began_ms: int = DUE_MS - 9 * DAY, boot: bytes = MONDAY) -> ClockReading:
    return clock(at_ms - began_ms, at_ms, SYNCED, boot=boot)


async def in_time(scene: Scene, seats: Sequence[int] = range(5, 13)) -> None:
    """Most of the class, some hours before it was due, by a box whose clock was set."""
    pages = [scene.page(seat, right(DUE_MS - 5 * HOUR)) for seat in seats]
    await scene.come(*pages, at_ms=DUE_MS - 5 * HOUR)


async def test_sheets_of_1970_are_judged_once_the_box_learns_the_time_also_without_another_sheet(scene: Scene) -> None:
    await in_time(scene)
    began_ms = DUE_MS - 2 * HOUR
    before, after = clock(HOUR, 3_600_000, boot=TUESDAY), clock(3 * HOUR, 10_800_000, boot=TUESDAY)
    await scene.come(scene.page(1, before), scene.page(2, after), at_ms=DUE_MS + 20 * DAY)
    assert await scene.timing(1, 2, 3, 5) == ["unknown", "unknown", None, "in-time"]
    scene.news.clear()
    await scene.hello(right(DUE_MS + 20 * DAY, began_ms=began_ms, boot=TUESDAY), at_ms=DUE_MS + 20 * DAY)
    assert await scene.timing(1, 2, 3, 5) == ["in-time", "late", None, "in-time"]
    assert scene.news == [Changed("no-1", None, None)]  # open pages look again


async def test_a_hello_that_only_says_what_is_known_disturbs_no_open_page(scene: Scene) -> None:
    await in_time(scene)
    scene.news.clear()
    await scene.hello(right(DUE_MS), at_ms=DUE_MS)
    await scene.hello(clock(HOUR, boot=TUESDAY), at_ms=DUE_MS)
    assert scene.news == []


async def test_a_box_in_2099_is_not_believed_even_if_it_says_that_a_server_told_it(scene: Scene) -> None:
    await in_time(scene)
    far = clock(HOUR, 4_070_908_800_000, SYNCED, boot=TUESDAY)
    await scene.come(scene.page(1, far), at_ms=DUE_MS - 10 * MINUTE)
    await scene.come(scene.page(2, msgspec.structs.replace(far, monotonic_ms=2 * HOUR)), at_ms=DUE_MS + HOUR)
    assert await scene.timing(1, 2) == ["in-time", "unknown"]
    began_ms = DUE_MS - 70 * MINUTE
    await scene.hello(right(DUE_MS + HOUR, began_ms=began_ms, boot=TUESDAY), at_ms=DUE_MS + HOUR)
    assert await scene.timing(1, 2) == ["in-time", "late"]


async def test_what_came_before_it_was_due_is_in_time_whatever_its_clock_says(scene: Scene) -> None:
    await in_time(scene)
    await scene.come(scene.page(1, clock(HOUR, boot=TUESDAY)), at_ms=DUE_MS - HOUR)
    assert await scene.timing(1) == ["in-time"]


async def test_a_boot_that_was_never_set_is_late_when_the_one_before_it_ended_after_it_was_due(scene: Scene) -> None:
    await in_time(scene)
    late = right(DUE_MS + DAY)
    await scene.come(
        scene.page(1, late), scene.page(2, clock(MINUTE, boot=TUESDAY)), scene.page(3, clock(HOUR, boot=TUESDAY)),
        at_ms=DUE_MS + 9 * DAY,
    )  # fmt: skip
    assert await scene.timing(1, 2, 3) == ["late", "late", "late"]


async def test_a_page_that_is_graded_anew_boots_later_does_not_make_others_late(scene: Scene) -> None:
    await in_time(scene)
    await scene.come(scene.page(1, right(DUE_MS + DAY, boot=WEDNESDAY), revision=2), at_ms=DUE_MS + 9 * DAY)
    await scene.come(scene.page(2, clock(MINUTE, boot=TUESDAY)), at_ms=DUE_MS + 9 * DAY)
    assert await scene.timing(1, 2) == ["late", "unknown"]


async def test_a_restored_clock_that_came_at_once_tells_enough(scene: Scene) -> None:
    await in_time(scene)
    pages = [(1, DUE_MS - 20 * MINUTE), (2, DUE_MS + 20 * MINUTE)]
    for seat, at_ms in pages:
        behind = clock(at_ms - DUE_MS + HOUR, at_ms - MINUTE, RESTORED, boot=TUESDAY)
        await scene.come(scene.page(seat, behind), at_ms=at_ms)
    assert await scene.timing(1, 2) == ["in-time", "late"]


async def test_a_pupil_with_one_late_page_is_late_and_a_corrected_sheet_makes_nobody_late(scene: Scene) -> None:
    await in_time(scene)
    await scene.come(
        scene.page(1, right(DUE_MS - HOUR)), scene.page(1, right(DUE_MS + DAY), page=2),
        scene.page(2, right(DUE_MS - HOUR)), scene.page(2, right(DUE_MS + DAY), attempt=2),
        at_ms=DUE_MS + DAY,
    )  # fmt: skip
    assert await scene.timing(1, 2) == ["late", "in-time"]


async def test_without_a_due_time_nothing_is_said_of_it(school: SimulatedSchool) -> None:
    scene = Scene(school)
    school.pupils.assignment = msgspec.structs.replace(school.pupils.assignment, due=None)
    await scene.begin()
    await in_time(scene)
    assert await scene.timing(5) == [None]
    assert report_to_json(await school.report())["late"] == 0


async def test_an_older_box_says_hello_without_a_clock_and_its_sheets_are_placed_by_their_own(scene: Scene) -> None:
    await in_time(scene)
    await scene.hello(None, at_ms=DUE_MS + DAY)
    await scene.come(scene.page(1, right(DUE_MS + DAY)), at_ms=DUE_MS + DAY)
    assert await scene.timing(1, 5) == ["late", "in-time"]


async def test_a_pile_that_is_slid_when_it_has_been_collected_is_in_time_at_the_school_too(scene: Scene) -> None:
    pages = [scene.page(seat, right(DUE_MS + 20 * MINUTE + seat * 1000)) for seat in range(1, 11)]
    await scene.come(*pages, scene.page(11, right(DUE_MS + DAY)), at_ms=DUE_MS + 2 * DAY)
    assert await scene.timing(1, 10, 11, 12) == ["in-time", "in-time", "late", None]


async def test_the_page_the_table_and_the_file_say_it_in_the_teachers_words(scene: Scene) -> None:
    await in_time(scene)
    await scene.come(
        scene.page(1, right(DUE_MS + DAY)), scene.page(2, clock(MINUTE, boot=WEDNESDAY)), at_ms=DUE_MS + 2 * DAY
    )
    # The second is after the first, of a boot that ended after it was due; only a box of its own is not told.
    async with scene.school.store.writing() as connection:
        await enrol_box(connection, scene.school.store.vault, "no-1", "box-2")
    other = SimulatedBox("no-1", "box-2")
    await scene.come(scene.page(3, clock(MINUTE, boot=TUESDAY)), at_ms=DUE_MS + 2 * DAY, box=other)
    report = await scene.school.report()
    found = report_to_json(report)
    assert (found["late"], found["time_unknown"], found["handed_in"]) == (2, 1, 11)
    rows = list(csv.DictReader(io.StringIO(report_to_csv(report)[1:])))
    assert [row["timing"] for row in rows[:5]] == ["late", "late", "unknown", "", "in-time"]
    assert [row["status"] for row in rows[:5]] == ["late", "late", "handed-in", "missing", "handed-in"]
    view = report_view(report, "zh-CN")
    assert [line.late for line in view.pupils[:5]] == ["补交", "补交", "时间不详", "", ""]
    assert view.late == (("01", "学生01"), ("02", "学生02"))
    assert any("1 人的作业不知道是什么时候放的" in what for what, _ in notices(report, "zh-CN"))


async def test_many_records_are_placed_at_once_in_the_order_given(scene: Scene) -> None:
    await in_time(scene)
    made = [
        Made("box-1", msgspec.msgpack.encode(right(DUE_MS + n * MINUTE)), DUE_MS + DAY) for n in reversed(range(300))
    ]
    async with scene.school.store.reading() as connection:
        placed = await places(connection, "no-1", made)
    assert [at.guess_ms for at in placed] == [DUE_MS + n * MINUTE for n in reversed(range(300))]
    assert {at.known for at in placed} == {Known.SYNCED}
