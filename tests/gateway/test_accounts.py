"""The school can name every sheet that a box has and it has not, and says nothing is missing that has come."""

from gateway.reports.export import report_to_json
from gateway.simulated_class import SimulatedBox
from gateway.simulated_school import SimulatedSchool
from gateway.store.schools import enrol_box
from gateway.store.tallies import tallies_of, tallies_of_all
from gateway.web.views import notices
from sync.clock import ClockQuality, ClockReading
from sync.lanes import Lane
from sync.records import Tally

ON_BOTH = True
CLOCK = ClockReading(monotonic_ms=1, wall_ms=1_790_000_000_000, boot=bytes(16), quality=ClockQuality.SYNCED)


def tally(school: SimulatedSchool, *seats: int, asked: int = 0, class_name: str = "3-1") -> Tally:
    return Tally(
        clock=CLOCK,
        assignment=school.pupils.assignment.id,
        class_name=class_name,
        expected=12,
        slid=len(seats) + asked,
        corrections=0,
        twice=0,
        asked=asked,
        not_graded=0,
        withdrawn=0,
        places=tuple((seat, 1) for seat in seats),
    )


async def test_a_sheet_that_is_on_the_box_alone_is_named_by_its_seat(school: SimulatedSchool) -> None:
    results = school.pupils.results()[:4]
    await school.ingest.take(
        [
            school.box.envelope(Lane.RESULTS, results),
            school.box.envelope(Lane.HEALTH, [tally(school, 1, 2, 3, 4, 5, 9, asked=1)]),
        ]
    )
    report = await school.report()

    (account,) = report.accounts
    assert (account.counted, account.here, account.under_way) == (6, 4, ((5, 1), (9, 1)))
    words = [what for what, _ in notices(report, "en")]
    assert "Still under way from box box-1: No. 5, 9." in words
    assert "Sheets that wait in the classroom for somebody's word: 1." in words
    assert report_to_json(report)["boxes"][0]["under_way"] == ((5, 1), (9, 1))
    assert "还在路上（盒子 box-1）：5，9 号。" in [what for what, _ in notices(report, "zh-CN")]


async def test_when_it_has_come_nothing_is_said_of_it_any_more(school: SimulatedSchool) -> None:
    results = school.pupils.results()[:5]
    await school.ingest.take([school.box.envelope(Lane.HEALTH, [tally(school, 1, 2, 3, 4, 5)])])
    assert (await school.report()).accounts[0].here == 0
    await school.ingest.take([school.box.envelope(Lane.RESULTS, results)])
    report = await school.report()

    assert report.accounts[0].under_way == ()
    assert not any("under way" in what for what, _ in notices(report, "en"))


async def test_of_two_tallies_the_later_one_stands_in_whatever_order_they_come(school: SimulatedSchool) -> None:
    first = school.box.envelope(Lane.HEALTH, [tally(school, 1)])
    second = school.box.envelope(Lane.HEALTH, [tally(school, 1, 2)])
    await school.ingest.take([second])
    await school.ingest.take([first, second])

    assert (await school.report()).accounts[0].counted == 2


async def test_open_pages_hear_that_a_tally_has_come(school: SimulatedSchool) -> None:
    await school.ingest.take([school.box.envelope(Lane.HEALTH, [tally(school, 1)])])

    assert [(one.assignment, one.class_name) for one in school.changed] == [(school.pupils.assignment.id, "3-1")]


async def test_a_tally_of_another_class_is_not_this_ones_and_the_store_stays_sound(school: SimulatedSchool) -> None:
    await school.ingest.take([school.box.envelope(Lane.HEALTH, [tally(school, 1, class_name="3-2")])])

    assert (await school.report("3-1")).accounts == ()
    assert (await school.check()).faults == ()


async def test_a_tally_in_another_lane_is_held_and_costs_its_neighbours_nothing(school: SimulatedSchool) -> None:
    results = school.pupils.results()[:2]
    await school.ingest.take([school.box.envelope(Lane.RESULTS, [*results, tally(school, 1)])])
    report = await school.report()

    assert report.sheets == 2
    assert report.accounts == ()
    assert school.ingest.counts["held"] == 1


async def test_what_boxes_have_of_many_classes_is_what_they_have_of_each(school: SimulatedSchool) -> None:
    async with school.store.writing() as connection:
        await enrol_box(connection, school.store.vault, "no-1", "box-2")
    other = SimulatedBox("no-1", "box-2")
    await school.ingest.take(
        [
            school.box.envelope(Lane.HEALTH, [tally(school, 1), tally(school, 2, 3, class_name="3-2")]),
            other.envelope(Lane.HEALTH, [tally(school, 4, 5, 6)]),
        ]
    )
    name = school.pupils.assignment.id
    async with school.store.reading() as connection:
        every = await tallies_of_all(connection, "no-1", {name, "none"})
        each = {place: await tallies_of(connection, "no-1", *place) for place in every}
    assert every == each
    assert {place: [one.name.box for one in told] for place, told in every.items()} == {
        ("3-1", name): ["box-1", "box-2"],
        ("3-2", name): ["box-1"],
    }
