"""What is kept of a class says what its report says, whatever changed, in whatever order, and however often."""

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace

import msgspec
import pytest
from sqlalchemy import Table, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.ingest import Changed, StoreIngest
from gateway.reports.check import SummaryCheck, check_summaries
from gateway.reports.periods import day_number, day_numbered, term_of
from gateway.reports.shelf import Shelf, Work
from gateway.reports.summaries import Place, grade_of_class, plain, points_of, summarise
from gateway.reports.sweep import out_of_date
from gateway.reports.worker import CLOSED_AFTER_MS, Finished, SummaryWorker
from gateway.simulated_class import SimulatedClass, make_roster
from gateway.simulated_school import SimulatedSchool, make_school
from gateway.store import past_lists
from gateway.store.class_lists import keep_classes
from gateway.store.dialect import lock_school
from gateway.store.documents import publish_settings
from gateway.store.rosters import bring_in
from gateway.store.store import Store
from gateway.store.tables.summaries import (
    class_days,
    class_knowledge,
    class_summaries,
    class_terms,
    school_days,
    school_freshness,
)
from homework.absences import Absence
from homework.knowledge import Count, of_class
from homework.lateness import due_ms
from homework.report_settings import ReportSettings
from homework.roster import Pupil, Roster
from homework.statistics import Thresholds
from sync.lanes import Lane
from sync.records import PageResult, Tally
from tests.gateway.absent import at_box
from tests.gateway.judged import judged

ON_BOTH = True
DUE_MS = 1_796_083_200_000
DUE = "2026-12-01T08:00:00+08:00"
DAY = 86_400_000


class Scene:
    """A school, the worker, and a clock that both go by."""

    def __init__(self, school: SimulatedSchool) -> None:
        self.school, self.now_ms = school, DUE_MS - DAY
        self.finished: list[Finished] = []
        self.ingest = StoreIngest(school.store, now_ms=lambda: self.now_ms, on_change=lambda _: None)
        school.pupils.assignment = msgspec.structs.replace(school.pupils.assignment, due=DUE)
        self.worker = self.another_worker(school.store)

    def another_worker(self, store: Store, **given: float) -> SummaryWorker:
        return SummaryWorker(store, on_finished=self._keep, now_ms=lambda: self.now_ms, **given)

    async def _keep(self, connection: AsyncConnection, finished: Sequence[Finished]) -> None:
        self.finished += finished

    async def come(self, *results: PageResult, documents: bool = True) -> None:
        envelopes = [self.school.box.envelope(Lane.DOCUMENTS, self.school.pupils.documents())] if documents else []
        await self.ingest.take([*envelopes, self.school.box.envelope(Lane.RESULTS, results)])

    def sheets(self, *seats: int, attempt: int = 1) -> list[PageResult]:
        return [
            self.school.pupils.result(self.school.pupils.roster.pupils[seat - 1], attempt=attempt) for seat in seats
        ]

    async def rows(self, table: object = class_summaries) -> list[dict[str, object]]:
        async with self.school.store.reading() as connection:
            return [dict(row) for row in (await connection.execute(select(table))).mappings()]  # type: ignore[call-overload]

    async def check(self) -> SummaryCheck:
        async with self.school.store.reading() as connection:
            return await check_summaries(connection, self.school.store.vault)

    async def row(self, class_name: str = "3-1") -> dict[str, object]:
        (row,) = [row for row in await self.rows() if row["class_name"] == class_name]
        return row


@pytest.fixture
async def scene(school: SimulatedSchool) -> Scene:
    return Scene(school)


async def test_what_is_kept_says_what_the_report_says(scene: Scene) -> None:
    await scene.come(*scene.sheets(*range(1, 11)))
    assert await scene.worker.catch_up() == 1
    row, report = await scene.row(), await scene.school.report()
    figures, document = report.figures, report.assignment
    assert document is not None
    assert (row["expected"], row["handed_in"], row["size"]) == (12, 10, 12)
    assert (row["excellent_n"], row["passing_n"], row["low_n"]) == (
        figures.excellent_n, figures.passing_n, figures.low_n,
    )  # fmt: skip
    assert row["rate_sum_ppm"] == pytest.approx(sum(p.rate or 0 for p in figures.pupils) * 1e6, abs=1)
    assert (row["reteach_n"], row["items_n"]) == (len(report.reteach), 20)
    assert row["pending"] == sum(p.pending for p in figures.pupils)
    assert (row["title"], row["subject"], row["grade"]) == (document.title, "math", 3)
    assert row["day"] == 20261201
    assert points_of(row["knowledge"]) == of_class(document.items, figures)  # type: ignore[arg-type]
    assert await scene.worker.catch_up() == 0


async def test_sums_over_a_class_its_days_and_the_school_follow_from_the_summaries(scene: Scene) -> None:
    await scene.come(*scene.sheets(*range(1, 11)))
    await scene.worker.catch_up()
    (term,) = await scene.rows(class_terms)
    assert (term["term"], term["assignments"], term["handed_in"], term["expected"]) == ("2026-autumn", 1, 10, 12)
    points = {row["knowledge"]: Count(row["correct"], row["n"]) for row in await scene.rows(class_knowledge)}  # type: ignore[arg-type]
    assert points == points_of((await scene.row())["knowledge"])  # type: ignore[arg-type]
    (day,) = await scene.rows(class_days)
    assert (day["day"], day["subjects"], day["complete"]) == (20261201, "math", False)
    (school_day,) = await scene.rows(school_days)
    assert (school_day["grade"], school_day["classes"], school_day["handed_in"]) == (3, 1, 10)
    assert (school_day["load_classes"], school_day["load_judged"]) == (1, 0)


async def test_who_is_excused_or_exempt_is_in_no_sum_of_those_expected_and_keeps_no_class_from_being_finished(
    scene: Scene,
) -> None:
    await scene.come(*map(judged, scene.sheets(*range(1, 11))))
    await scene.worker.catch_up()
    assert ((await scene.row())["excused"], scene.finished) == (0, [])
    words = [at_box(scene.school, 11, Absence.EXCUSED), at_box(scene.school, 12, Absence.EXEMPT)]
    await scene.ingest.take([scene.school.box.envelope(Lane.RESULTS, words)])
    assert (await scene.check()).waiting == 1
    assert await scene.worker.catch_up() == 1
    row = await scene.row()
    assert (row["size"], row["expected"], row["handed_in"], row["excused"]) == (12, 10, 10, 2)
    assert [one.place.class_name for one in scene.finished] == ["3-1"]
    (term,) = await scene.rows(class_terms)
    assert (term["handed_in"], term["expected"]) == (10, 10)
    assert await scene.check() == SummaryCheck(summaries=1, waiting=0, faults=())


async def test_what_changes_afterwards_changes_what_is_kept(scene: Scene) -> None:
    """The class list, the lines, the worksheet, the sheets: each is noticed by the versions alone."""
    await scene.come(*(judged(sheet, wrong=3) for sheet in scene.sheets(1, 2, 3)), documents=False)
    await scene.worker.catch_up()
    row = await scene.row()
    assert (row["title"], row["grade"], row["excellent_n"]) == (scene.school.pupils.assignment.id, 3, 0)
    await scene.ingest.take([scene.school.box.envelope(Lane.DOCUMENTS, scene.school.pupils.documents())])
    assert await scene.worker.catch_up() == 1
    assert (await scene.row())["title"] == "第三单元 两位数乘一位数"
    async with scene.school.store.writing() as connection:
        await lock_school(connection, scene.school.school)
        await publish_settings(connection, scene.school.school, ReportSettings(thresholds=Thresholds(excellent=80)))
    assert await scene.worker.catch_up() == 1
    assert (await scene.row())["excellent_n"] == 3
    async with scene.school.store.writing() as connection:
        pupils = scene.school.pupils.roster.pupils[:5]
        await bring_in(connection, scene.school.store.vault, scene.school.school, Roster(pupils))
    assert await scene.worker.catch_up() == 1
    assert (await scene.row())["expected"] == 5
    await scene.come(*scene.sheets(4), documents=False)
    assert await scene.worker.catch_up() == 1
    assert (await scene.row())["handed_in"] == 4


async def test_a_new_class_list_says_nothing_of_homework_of_last_year(scene: Scene) -> None:
    await scene.come(*scene.sheets(1, 2))
    await scene.worker.catch_up()
    scene.now_ms += 300 * DAY
    await scene.worker.catch_up()  # it was due meanwhile
    async with scene.school.store.writing() as connection:
        children = make_roster("3-1", 40).pupils
        others = tuple(Pupil("3-1", pupil.seat, "新生", f"new-{pupil.seat}") for pupil in children)
        await bring_in(connection, scene.school.store.vault, scene.school.school, Roster(others))
    assert await scene.worker.catch_up() == 0
    await scene.come(*scene.sheets(3), documents=False)  # it lay in a drawer
    assert await scene.worker.catch_up() == 1
    row = await scene.row()
    assert (row["size"], row["expected"], row["handed_in"]) == (12, 12, 3)
    assert await scene.worker.catch_up() == 0
    checked = await scene.check()
    assert (checked.faults, checked.waiting) == ((), 1)  # made of another list than today's, and meant to be


async def test_who_was_away_may_be_said_of_old_homework_though_the_class_list_has_changed(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    school = scene.school
    monkeypatch.setattr(past_lists, "unix_ms", lambda: scene.now_ms)
    await scene.come(*scene.sheets(*range(1, 10)))
    await scene.ingest.take(
        [school.box.envelope(Lane.RESULTS, [at_box(school, seat, Absence.EXCUSED) for seat in (10, 11)])]
    )
    await scene.worker.catch_up()
    scene.now_ms += 60 * DAY
    await scene.worker.catch_up()
    left, stay = school.pupils.roster.pupils[9], [p for p in school.pupils.roster.pupils if p.seat != 10]
    async with school.store.writing() as connection:
        await lock_school(connection, school.school)
        lists = {
            "3-1": (*stay, Pupil("3-1", 13, "新生", "new-13")),
            "3-2": (Pupil("3-2", 1, left.name, left.pupil_id),),
        }
        await keep_classes(connection, school.store.vault, school.school, lists, person=0)
    assert await scene.worker.catch_up() == 0
    await scene.ingest.take([school.box.envelope(Lane.RESULTS, [at_box(school, 12, Absence.EXEMPT)])])
    assert await scene.worker.catch_up() == 1
    row = await scene.row()
    assert (row["size"], row["expected"], row["handed_in"], row["excused"]) == (12, 9, 9, 3)
    assert await scene.worker.catch_up() == 0


@pytest.mark.parametrize("size", [1, 60])
async def test_a_class_of_one_and_a_class_of_sixty(store: Store, school: SimulatedSchool, size: int) -> None:
    roster = make_roster("4-2", size)
    async with store.writing() as connection:
        await bring_in(connection, store.vault, school.school, roster)
    school.pupils = SimulatedClass(school.pupils.assignment, roster, school_key=school.school_key)
    scene = Scene(school)
    await scene.come(*school.pupils.results())
    await scene.worker.catch_up()
    row = await scene.row("4-2")
    assert (row["size"], row["expected"], row["handed_in"]) == (size, size, size)


async def test_a_class_of_which_everything_waits_for_a_look_has_no_rate_and_is_not_finished(scene: Scene) -> None:
    waiting = [
        msgspec.structs.replace(
            sheet,
            items=tuple(msgspec.structs.replace(item, verdict=4, score_hundredths=None) for item in sheet.items),
            score_hundredths=0,
            pending=len(sheet.items),
        )
        for sheet in scene.sheets(*range(1, 13))
    ]
    await scene.come(*waiting)
    await scene.worker.catch_up()
    row = await scene.row()
    assert (row["settled"], row["rate_sum_ppm"], row["pending"]) == (0, 0, 12 * len(waiting[0].items))
    assert points_of(row["knowledge"]) == {}  # type: ignore[arg-type]
    assert scene.finished == []


async def test_without_class_list_and_layout_there_are_counts_and_no_knowledge(scene: Scene) -> None:
    strangers = [scene.school.pupils.result(Pupil("5-5", seat, "", f"X{seat}")) for seat in (1, 2, 3)]
    await scene.come(*strangers, documents=False)
    await scene.worker.catch_up()
    row = await scene.row("5-5")
    assert (row["size"], row["expected"], row["handed_in"], row["grade"], row["subject"]) == (0, 3, 3, 5, "")
    assert points_of(row["knowledge"]) == {}  # type: ignore[arg-type]
    assert scene.finished == []


async def test_corrected_sheets_are_counted_once_the_class_has_begun_with_them(scene: Scene) -> None:
    await scene.come(*(judged(sheet, wrong=2) for sheet in scene.sheets(1, 2)))
    await scene.worker.catch_up()
    assert (await scene.row())["again_owes"] is None
    await scene.come(*(judged(sheet) for sheet in scene.sheets(1, attempt=2)), documents=False)
    await scene.worker.catch_up()
    row = await scene.row()
    assert (row["again_owes"], row["again_done"]) == (1, 1)


async def test_when_all_is_in_and_nothing_waits_a_class_is_finished_and_that_is_said_once(scene: Scene) -> None:
    await scene.come(*(judged(sheet) for sheet in scene.sheets(*range(1, 12))))
    await scene.worker.catch_up()
    assert scene.finished == []
    await scene.come(*(judged(sheet) for sheet in scene.sheets(12)), documents=False)
    await scene.worker.catch_up()
    (said,) = scene.finished
    assert said.place == Place("no-1", "3-1", scene.school.pupils.assignment.id)
    assert (said.at_ms, said.summary.handed_in) == (scene.now_ms, 12)
    await scene.come(*scene.sheets(1, attempt=2), documents=False)
    await scene.worker.catch_up()
    assert len(scene.finished) == 1
    assert (await scene.row())["finished_ms"] == said.at_ms


async def test_a_class_is_not_finished_while_a_page_lies_somewhere(scene: Scene) -> None:
    page = scene.school.pupils.layout.pages[0]
    two = (page, msgspec.structs.replace(page, page=2))
    scene.school.pupils.layout = msgspec.structs.replace(scene.school.pupils.layout, pages=two)
    first = [judged(sheet) for sheet in scene.sheets(*range(1, 13))]
    second = [msgspec.structs.replace(judged(sheet), page=2) for sheet in scene.sheets(*range(1, 13))]
    await scene.come(*first, *second[:11])
    await scene.worker.catch_up()
    assert scene.finished == []
    await scene.come(second[11], documents=False)
    await scene.worker.catch_up()
    assert len(scene.finished) == 1


async def test_an_hour_after_it_was_due_a_class_is_finished_whoever_is_missing(scene: Scene) -> None:
    await scene.come(*scene.sheets(1, 2))
    await scene.worker.catch_up()
    assert due_ms(DUE) == DUE_MS
    scene.now_ms = DUE_MS + CLOSED_AFTER_MS - 1
    assert await scene.worker.catch_up() == 0
    scene.now_ms += 1
    assert await scene.worker.catch_up() == 1
    assert [one.summary.handed_in for one in scene.finished] == [2]
    assert await scene.worker.catch_up() == 0


async def test_of_homework_that_was_over_long_ago_nobody_is_told(scene: Scene) -> None:
    await scene.come(*(judged(sheet) for sheet in scene.sheets(*range(1, 13))))
    scene.now_ms += 30 * DAY
    await scene.worker.catch_up()
    assert scene.finished == []
    assert (await scene.row())["finished_ms"] == scene.now_ms


async def test_what_a_hook_writes_is_there_exactly_when_the_summary_is(scene: Scene) -> None:
    async def fails(_connection: AsyncConnection, _finished: Sequence[Finished]) -> None:
        raise LookupError("no room")

    await scene.come(*(judged(sheet) for sheet in scene.sheets(*range(1, 13))))
    broken = SummaryWorker(scene.school.store, on_finished=fails, now_ms=lambda: scene.now_ms)
    with pytest.raises(LookupError, match="no room"):
        await broken.catch_up()
    assert await scene.rows() == []
    await scene.worker.catch_up()
    assert len(scene.finished) == 1


async def test_sheets_that_turn_out_to_be_of_another_class_leave_no_trace_in_the_sums(scene: Scene) -> None:
    pupil = Pupil("3-2", 4, "学生", "P4")
    wrong_class = msgspec.structs.replace(scene.school.pupils.result(pupil, named=False), class_name="3-2")
    await scene.come(wrong_class)
    await scene.worker.catch_up()
    assert {row["class_name"] for row in await scene.rows(class_terms)} == {"3-2"}
    async with scene.school.store.writing() as connection:
        await bring_in(connection, scene.school.store.vault, scene.school.school, Roster((pupil,)))
    await scene.worker.catch_up()
    (term,) = await scene.rows(class_terms)
    assert (term["class_name"], term["handed_in"], term["expected"]) == ("3-2", 1, 1)


async def test_pages_that_a_box_has_and_the_school_has_not_are_under_way(scene: Scene) -> None:
    sheets = scene.sheets(1, 2, 3)
    rest = dict.fromkeys(("corrections", "twice", "asked", "not_graded", "withdrawn"), 0)
    name, places = scene.school.pupils.assignment.id, ((1, 1), (2, 1), (3, 1))
    tally = Tally(clock=sheets[0].clock, assignment=name, class_name="3-1", expected=12, slid=3, places=places, **rest)
    await scene.ingest.take([scene.school.box.envelope(Lane.HEALTH, [tally])])
    await scene.worker.catch_up()
    (fresh,) = await scene.rows(school_freshness)
    assert (fresh["under_way"], fresh["behind"], fresh["told_ms"]) == (3, 1, scene.now_ms)
    assert await scene.rows(class_terms) == []
    await scene.come(*sheets)
    await scene.worker.catch_up()
    (fresh,) = await scene.rows(school_freshness)
    assert (fresh["under_way"], fresh["behind"]) == (0, 0)


async def test_a_class_is_looked_at_when_it_has_been_quiet_and_at_last_when_it_never_is(scene: Scene) -> None:
    place = Changed("no-1", scene.school.pupils.assignment.id, "3-1")
    worker = scene.another_worker(scene.school.store, quiet_s=0.3, longest_s=1.2)
    await scene.come(*scene.sheets(1))
    running = asyncio.create_task(worker.run())
    try:
        async with asyncio.timeout(20):
            while worker.made == 0:  # noqa: ASYNC110 - found without a word, by its version
                await asyncio.sleep(0.02)
        began = asyncio.get_running_loop().time()
        while worker.made == 1:
            worker.tell([place])
            await asyncio.sleep(0.05)
            assert asyncio.get_running_loop().time() - began < 20
        assert asyncio.get_running_loop().time() - began > 1.0
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_classes_of_a_school_that_are_done_soon_after_one_another_are_summed_up_together(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the hour before lessons one is done every few seconds; the first waits for nobody."""
    now_s = 1000.0
    monkeypatch.setattr("gateway.reports.worker.time", SimpleNamespace(monotonic=lambda: now_s))
    names = ("3-1", "5-5", "5-6")
    await scene.come(*(scene.school.pupils.result(Pupil(name, 1, "", f"X{name}")) for name in names))
    worker = scene.another_worker(scene.school.store, quiet_s=5.0)
    assert await worker.catch_up() == 3
    first, second, third = (Changed(scene.school.school, scene.school.pupils.assignment.id, name) for name in names)
    made = []
    for later_s, changed in ((60.0, first), (5.0, second), (3.0, third), (2.0, None), (4.9, None), (0.2, None)):
        now_s += later_s
        await worker._turn()
        made.append(worker.made)
        if changed is not None:
            worker.tell([changed])
    assert made == [3, 4, 4, 4, 4, 6]


async def test_worksheets_that_come_all_the_time_let_a_school_be_looked_through_once_in_a_while(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[str] = []

    async def counted(connection: AsyncConnection, school: str, *more: object) -> object:
        looks.append(school)
        return await out_of_date(connection, school, *more)  # type: ignore[arg-type]

    monkeypatch.setattr("gateway.reports.worker.out_of_date", counted)
    worker = scene.another_worker(scene.school.store, look_s=0.4, quiet_s=0.01)
    began_s = asyncio.get_running_loop().time()
    task = asyncio.create_task(worker.run())
    for _ in range(50):
        worker.tell([Changed(scene.school.school, None, None)])
        await asyncio.sleep(0.02)
    task.cancel()
    # On a busy machine fifty words take longer than a second, and there may be as many looks more.
    assert 2 <= len(looks) <= 2 + (asyncio.get_running_loop().time() - began_s) / 0.4


async def test_a_day_that_homework_leaves_is_empty_again(scene: Scene) -> None:
    """Before its worksheet came it was counted on the day of its first sheet, then on the day on which it is due."""
    scene.now_ms -= 2 * DAY
    await scene.come(*scene.sheets(1, 2), documents=False)
    await scene.worker.catch_up()
    assert len(await scene.rows(school_days)) == 1
    before = (await scene.row())["day"]
    await scene.ingest.take([scene.school.box.envelope(Lane.DOCUMENTS, scene.school.pupils.documents())])
    await scene.worker.catch_up()
    assert before != (await scene.row())["day"] == 20261201
    assert [row["day"] for row in await scene.rows(school_days)] == [20261201]
    assert [row["day"] for row in await scene.rows(class_days)] == [20261201]


async def test_a_worksheet_that_turns_out_to_be_of_another_subject_leaves_nothing_with_the_one_that_it_had(
    scene: Scene,
) -> None:
    await scene.come(*scene.sheets(1, 2))
    pupils, other = scene.school.pupils, {"id": "hw-other", "subject": "english"}
    pupils.assignment = msgspec.structs.replace(pupils.assignment, **other)
    pupils.layout = msgspec.structs.replace(pupils.layout, assignment="hw-other")
    await scene.come(*scene.sheets(1, 2, 3))
    await scene.worker.catch_up()
    assert {row["subject"]: row["handed_in"] for row in await scene.rows(class_terms)} == {"math": 2, "english": 3}
    scene.now_ms += 1
    pupils.assignment = msgspec.structs.replace(pupils.assignment, subject="math")
    await scene.ingest.take([scene.school.box.envelope(Lane.DOCUMENTS, pupils.documents())])
    await scene.worker.catch_up()
    assert {row["subject"]: row["handed_in"] for row in await scene.rows(class_terms)} == {"math": 5}
    assert {row["subject"] for row in await scene.rows(class_knowledge)} == {"math"}
    assert (await scene.check()).faults == ()


async def test_one_class_that_cannot_be_told_keeps_no_other_from_it(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = [scene.school.pupils.result(Pupil("5-5", 1, "", "X1"))]
    await scene.come(*scene.sheets(1), *other)

    async def sometimes(shelf: Shelf, work: Work, **rest: object) -> object:
        if work.class_name == "5-5":
            raise ValueError("broken")
        return await summarise(shelf, work, **rest)  # type: ignore[arg-type]

    monkeypatch.setattr("gateway.reports.worker.summarise", sometimes)
    assert await scene.worker.catch_up() == 1
    assert (await scene.row())["handed_in"] == 1
    monkeypatch.undo()
    assert await scene.worker.catch_up() == 1


async def test_a_lighter_day_becomes_whole_when_its_last_subject_comes(scene: Scene) -> None:
    """English was given the week before: a day without it is not judged, until it comes."""
    await scene.come(*scene.sheets(1))
    assignment = scene.school.pupils.assignment
    for subject in ("语文", "english"):
        scene.school.pupils.assignment = msgspec.structs.replace(
            assignment, id=f"hw-{subject[0] == 'e'}", subject=subject
        )
        scene.school.pupils.layout = msgspec.structs.replace(
            scene.school.pupils.layout, assignment=scene.school.pupils.assignment.id
        )
        before = (await scene.rows(class_days))[:1]
        assert not before or not before[0]["complete"]
        await scene.come(*scene.sheets(1))
        await scene.worker.catch_up()
    (day,) = await scene.rows(class_days)
    assert (day["subjects"], day["complete"], day["minutes"]) == ("chinese\nenglish\nmath", True, 3 * 20)
    (school_day,) = await scene.rows(school_days)
    assert (school_day["load_judged"], school_day["load_over"], school_day["load_estimated"]) == (1, 0, 0)
    # Science of a week before comes to light: so a day without it may not have been all.
    other = {"id": "hw-science", "subject": "science", "due": "2026-11-24T08:00:00+08:00"}
    scene.school.pupils.assignment = msgspec.structs.replace(assignment, **other)
    scene.school.pupils.layout = msgspec.structs.replace(scene.school.pupils.layout, assignment="hw-science")
    await scene.come(*scene.sheets(1))
    await scene.worker.catch_up()
    assert {row["day"]: row["complete"] for row in await scene.rows(class_days)} == {20261124: False, 20261201: False}
    assert {row["day"]: row["load_judged"] for row in await scene.rows(school_days)} == {20261124: 0, 20261201: 0}


async def test_a_class_is_told_for_every_school_apart(scene: Scene, store: Store) -> None:
    other = await make_school(store, scene.school.pupils.assignment, school="no-2")
    await scene.come(*scene.sheets(1))
    await other.ingest.take([other.box.envelope(Lane.RESULTS, other.pupils.results())])
    assert await scene.worker.catch_up() == 2
    assert {row["school_id"]: row["handed_in"] for row in await scene.rows()} == {"no-1": 1, "no-2": 12}


@pytest.mark.parametrize(
    ("name", "grade"),
    [
        ("3-1", 3),
        ("三年级2班", 3),
        ("九(1)班", 9),
        ("10-1", None),
        ("十一班", None),
        ("", None),
        ("A", None),
        ("0-1", None),
    ],
)
def test_the_grade_is_read_from_what_a_class_is_called(name: str, grade: int | None) -> None:
    assert grade_of_class(name) == grade


def test_what_a_column_cannot_hold_is_left_out() -> None:
    assert plain("a\0b\nc\u202e" + "x" * 300, 5) == "abcxx"
    assert day_number(term_of(day_numbered(20261130)).first) == 20260801


# --- the check ----------------------------------------------------------------------------------------------


async def test_the_check_finds_nothing_where_nothing_is_wrong(scene: Scene) -> None:
    await scene.come(*scene.sheets(*range(1, 11)))
    await scene.worker.catch_up()
    found = await scene.check()
    assert (found.summaries, found.waiting, found.faults) == (1, 0, ())
    await scene.come(*scene.sheets(11), documents=False)
    assert ((await scene.check()).waiting, (await scene.check()).faults) == (1, ())


@pytest.mark.parametrize(
    ("table", "column"),
    [(class_summaries, "handed_in"), (class_terms, "late"), (class_knowledge, "correct"), (class_days, "minutes"),
     (school_days, "expected")],
    ids=str,
)  # fmt: skip
async def test_the_check_finds_a_number_that_is_wrong(scene: Scene, table: Table, column: str) -> None:
    await scene.come(*scene.sheets(*range(1, 11)))
    await scene.worker.catch_up()
    async with scene.school.store.writing() as connection:
        await connection.execute(update(table).values({column: table.c[column] + 1}))
    assert any(table.name in fault or "another handed_in" in fault for fault in (await scene.check()).faults)


async def test_the_check_finds_a_sum_of_nothing(scene: Scene) -> None:
    await scene.come(*scene.sheets(*range(1, 11)))
    await scene.worker.catch_up()
    async with scene.school.store.writing() as connection:
        one = class_knowledge.c.knowledge == "估算"
        await connection.execute(update(class_knowledge).where(one).values(knowledge="x"))
        await connection.execute(update(class_terms).values(subject="y"))
    faults = (await scene.check()).faults
    assert all(any(f"'{sum_of_nothing}'" in fault for fault in faults) for sum_of_nothing in "xy")
