"""Reports know what they were made of, and are listed without looking at a single sheet."""

import msgspec
import pytest

from gateway.ingest import StoreIngest
from gateway.simulated_school import SimulatedSchool
from gateway.store.documents import publish_settings
from gateway.store.reading import (
    Cursor,
    ReportLine,
    ReportVersion,
    class_pages,
    class_version,
    pupil_pages,
    report_lines,
)
from gateway.store.rosters import bring_in
from homework.report_settings import ReportSettings
from homework.roster import Pupil
from sync.lanes import Lane
from sync.pseudonym import pseudonym
from sync.records import Tally

ON_BOTH = True


async def version(school: SimulatedSchool, class_name: str = "3-1") -> ReportVersion:
    async with school.store.reading() as connection:
        return await class_version(connection, school.school, class_name, school.pupils.assignment.id)


async def lines(
    school: SimulatedSchool,
    classes: frozenset[str] | None = None,
    *,
    before: Cursor | None = None,
    limit: int | None = None,
) -> list[ReportLine]:
    async with school.store.reading() as connection:
        return await report_lines(connection, school.school, classes, before=before, limit=limit)


async def test_a_report_has_another_version_after_everything_that_changes_it_and_the_same_after_nothing(
    school: SimulatedSchool,
) -> None:
    results = school.pupils.results()
    envelope = school.box.envelope(Lane.RESULTS, results)
    seen = [await version(school)]

    async def has_changed() -> bool:
        seen.append(await version(school))
        return seen[-1] not in seen[:-1]

    await school.ingest.take([envelope])
    assert await has_changed()
    await school.ingest.take([envelope])  # nothing new
    assert not await has_changed()
    twin = msgspec.structs.replace(results[0], capture=bytes(16), duplicate_of=results[0].capture)
    await school.ingest.take([school.box.envelope(Lane.RESULTS, [twin])])  # counts nowhere, but the report tells it
    assert await has_changed()
    regraded = msgspec.structs.replace(results[1], revision=2, score_hundredths=0)
    await school.ingest.take([school.box.envelope(Lane.RESULTS, [regraded])])
    assert await has_changed()
    await school.ingest.take([school.box.envelope(Lane.DOCUMENTS, school.pupils.documents())])
    assert await has_changed()
    async with school.store.writing() as connection:
        await bring_in(connection, school.store.vault, school.school, school.pupils.roster)
    assert await has_changed()
    async with school.store.writing() as connection:
        await publish_settings(connection, school.school, ReportSettings(marks="grades"))
    assert await has_changed()
    tally = Tally(
        clock=results[0].clock,
        assignment=school.pupils.assignment.id,
        class_name="3-1",
        expected=12,
        slid=13,
        corrections=0,
        twice=1,
        asked=0,
        not_graded=0,
        withdrawn=0,
        places=((1, 1),),
    )
    await school.ingest.take([school.box.envelope(Lane.HEALTH, [tally])])
    assert await has_changed()
    assert (await school.check()).faults == ()


async def test_the_version_of_one_class_is_not_moved_by_another(school: SimulatedSchool) -> None:
    other = school.pupils.result(Pupil("3-2", 1, "学生01", "X1"))
    await school.ingest.take([school.box.envelope(Lane.RESULTS, school.pupils.results())])
    before = await version(school)
    await school.ingest.take([school.box.envelope(Lane.RESULTS, [other])])
    assert await version(school) == before


async def test_reports_are_listed_by_their_latest_sheet_and_a_page_of_the_list_goes_on_where_the_last_ended(
    school: SimulatedSchool,
) -> None:
    moments = iter((1_000, 2_000, 2_000, 3_000, 4_000))
    ingest = StoreIngest(school.store, now_ms=lambda: next(moments))
    for name in ("3-1", "3-2", "3-3", "3-4", "3-1"):
        sheet = school.pupils.result(Pupil(name, 1, "学生01", f"{name}/1"), attempt=1)
        await ingest.take([school.box.envelope(Lane.RESULTS, [sheet])])
    every = await lines(school)
    assert [(line.class_name, line.first_ms, line.last_ms) for line in every] == [
        ("3-1", 1_000, 4_000),  # the second sheet of the same seat counts nowhere, but it came
        ("3-4", 3_000, 3_000),
        ("3-3", 2_000, 2_000),
        ("3-2", 2_000, 2_000),
    ]
    first = await lines(school, limit=3)
    assert first + await lines(school, before=first[-1].cursor, limit=3) == every
    assert [line.class_name for line in await lines(school, frozenset({"3-2", "3-4"}))] == ["3-4", "3-2"]
    assert await lines(school, frozenset()) == []


async def test_the_pages_of_a_class_and_of_a_pupil_are_of_every_attempt_where_that_is_asked_for(
    school: SimulatedSchool,
) -> None:
    pupil = school.pupils.roster.pupils[0]
    sheets = [school.pupils.result(pupil, attempt=attempt) for attempt in (1, 2, 1)]
    await school.ingest.take([school.box.envelope(Lane.RESULTS, [sheet]) for sheet in sheets])
    name = school.pupils.assignment.id
    async with school.store.reading() as connection:
        found = {
            attempt: [
                row.attempt for row, _ in await class_pages(connection, school.school, "3-1", name, attempt=attempt)
            ]
            for attempt in (1, 2, None)
        }
        mine = await pupil_pages(connection, school.school, pseudonym(school.school_key, pupil.pupil_id))
        later = await pupil_pages(
            connection,
            school.school,
            pseudonym(school.school_key, pupil.pupil_id),
            since_ms=mine[-1].booked.received_ms + 1,
        )
    assert found == {1: [1, 1], 2: [2], None: [1, 2, 1]}
    assert [page.attempt for page in mine] == [1, 2]  # the second of a seat and an attempt does not count
    assert later == []


@pytest.mark.parametrize("name", ["nobody", ""])
async def test_a_school_that_is_not_here_has_no_versions(school: SimulatedSchool, name: str) -> None:
    async with school.store.reading() as connection:
        assert await class_version(connection, name, "3-1", "g3-mul-2x1") == (0, 0, 0, 0)
