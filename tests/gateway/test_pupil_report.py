"""One pupil's term: what is weak and where it showed, progress, punctuality, item by item; and the comment on it."""

import re
from collections.abc import Sequence
from datetime import date

import msgspec
import pytest
from sqlalchemy import select

from gateway.ingest import StoreIngest
from gateway.reports.comments import MAX_COMMENT, keep_comment, stored_comment
from gateway.reports.periods import term_of
from gateway.reports.pupil_report import EVERYTHING, FAMILY, PupilReport, Sees, Where, pupil_report
from gateway.reports.worker import SummaryWorker
from gateway.simulated_class import plain_layout
from gateway.simulated_school import SimulatedSchool, make_school
from gateway.store.releases import release
from gateway.store.rosters import bring_in
from gateway.store.tables.summaries import comments
from gateway.web.pupil_view import parents_slip, pupil_page
from homework.absences import Absence
from homework.again import AgainState
from homework.comments import proposed
from homework.errors import ClassboxError, UsageError
from homework.knowledge import Level, of_states
from homework.lateness import Timing
from homework.report_settings import ReportSettings
from homework.results import VerdictKind
from homework.roster import Pupil, Roster
from sync.clock import ClockQuality, ClockReading
from sync.lanes import Lane
from sync.pseudonym import pseudonym
from sync.records import VERDICT_CODES, PageResult
from tests.gateway.absent import at_box
from tests.gateway.judged import judged
from ui.language import translator

ON_BOTH = True
TERM = term_of(date(2026, 11, 30))
DUE_MS = 1_796_083_200_000
HOUR, DAY = 3_600_000, 86_400_000


class Scene:
    """A class that has homework day after day; the pupil at seat 1 is looked at."""

    def __init__(self, school: SimulatedSchool) -> None:
        self.school = school
        self.model = school.pupils.assignment
        self.worker = SummaryWorker(school.store)
        self.pupils = school.pupils.roster.pupils
        self.me = pseudonym(school.school_key, self.pupils[0].pupil_id)
        self.days = 0
        self.due_ms = DUE_MS
        self.ingest = StoreIngest(school.store, now_ms=lambda: self.due_ms + 2 * DAY, on_change=lambda _: None)

    async def homework(self, wrong: dict[int, set[int]], *, late: Sequence[int] = (), **changes: object) -> str:
        """A day's homework with who had what wrong (seat: items from 0); due on the 1st of December and after."""
        self.days += 1
        name, due = f"hw-{self.days}", f"2026-12-{self.days:02}T08:00:00+08:00"
        pupils = self.school.pupils
        pupils.assignment = msgspec.structs.replace(self.model, **{"id": name, "due": due} | changes)
        pupils.layout = plain_layout(pupils.assignment, sheet=f"S-{self.days}")
        self.due_ms = DUE_MS + (self.days - 1) * DAY
        sheets = [
            self.sheet(seat, places, at_ms=self.due_ms + (5 * HOUR if seat in late else -HOUR))
            for seat, places in wrong.items()
        ]
        await self.ingest.take(
            [
                self.school.box.envelope(Lane.DOCUMENTS, pupils.documents()),
                self.school.box.envelope(Lane.RESULTS, sheets),
            ]
        )
        return name

    def sheet(self, seat: int, wrong: set[int], *, at_ms: int, attempt: int = 1) -> PageResult:
        result = judged(self.school.pupils.result(self.pupils[seat - 1], attempt=attempt), wrong)
        ticks = at_ms - DUE_MS + 10 * DAY
        return msgspec.structs.replace(
            result,
            clock=ClockReading(monotonic_ms=ticks, wall_ms=at_ms, boot=bytes(16), quality=ClockQuality.SYNCED),
        )

    async def again(self, seat: int, wrong: set[int]) -> None:
        sheet = self.sheet(seat, wrong, at_ms=self.due_ms + DAY, attempt=2)
        await self.ingest.take([self.school.box.envelope(Lane.RESULTS, [sheet])])

    async def report(
        self,
        *,
        subject: str | None = None,
        sees: Sees = EVERYTHING,
    ) -> PupilReport:
        await self.worker.catch_up()
        async with self.school.store.reading() as connection:
            found = await pupil_report(
                connection, self.school.store.vault, self.school.school, self.me, term=TERM, subject=subject,
                sees=sees,
            )  # fmt: skip
        assert found is not None
        return found


@pytest.fixture
async def scene(school: SimulatedSchool) -> Scene:
    return Scene(school)


EVERYBODY = dict.fromkeys(range(1, 13), frozenset[int]())


def but(mine: set[int]) -> dict[int, set[int]]:
    return {seat: set(mine) if seat == 1 else set() for seat in EVERYBODY}


async def test_what_is_weak_is_told_with_the_sheets_on_which_it_showed(scene: Scene) -> None:
    first = await scene.homework(but({0, 1, 2, 3, 7}))
    second = await scene.homework(but({0, 1, 2, 3, 4, 7}))
    report = await scene.report()
    weak = report.weak
    assert [point.knowledge for point in weak] == ["两位数乘一位数"]
    assert set(weak[0].wrong) >= {Where(first, "1"), Where(second, "1")}
    assert weak[0].wrong[0].assignment == second  # the latest first
    assert weak[0].mastery.n == 2 * sum("两位数乘一位数" in item.knowledge for item in scene.model.items)
    assert all(point.mastery.level is Level.TOO_FEW for point in report.points if point.mastery.n < 4)
    assert "多练练“两位数乘一位数”" in proposed(report.facts, translator("zh-CN").gettext)


async def test_what_waits_for_a_look_is_no_answer_and_the_others_are_counted_as_everywhere(scene: Scene) -> None:
    await scene.homework({})
    first, *others = [scene.sheet(seat, {0, 7}, at_ms=scene.due_ms) for seat in EVERYBODY]
    waits = msgspec.structs.replace(
        first.items[3], verdict=VERDICT_CODES.index(VerdictKind.REVIEW), score_hundredths=None
    )
    mine = msgspec.structs.replace(first, items=(*first.items[:3], waits, *first.items[4:]), pending=1)
    await scene.ingest.take([scene.school.box.envelope(Lane.RESULTS, [mine, *others])])
    report = await scene.report()
    states = [(item.knowledge, item.state) for item in report.sheets[0].items]
    assert VerdictKind.REVIEW in [state for _, state in states]
    counted = {point.knowledge: (point.mastery.correct, point.mastery.n) for point in report.points}
    assert counted == {point: (count.correct, count.n) for point, count in of_states(states).items() if count.n}


async def test_a_sheet_is_told_item_by_item(scene: Scene) -> None:
    await scene.homework(but({0}))
    await scene.again(1, set())
    (sheet,) = (await scene.report()).sheets
    assert (sheet.score_hundredths, sheet.max_score_hundredths, sheet.attempts) == (2000, 2100, 2)
    assert sheet.rate == pytest.approx(20 / 21)
    one, other = sheet.items[:2]
    assert (one.state, one.now, one.answers, one.accepted) == (
        VerdictKind.WRONG, VerdictKind.CORRECT, ("0",), ("92",),
    )  # fmt: skip
    assert (one.prompt, one.knowledge, one.score_hundredths) == ("23 × 4 =", ("两位数乘一位数",), 0)
    assert (other.state, other.now) == (VerdictKind.CORRECT, None)
    assert sheet.again is AgainState.DONE


async def test_nobody_owes_a_correction_before_the_class_has_begun_with_them(scene: Scene) -> None:
    await scene.homework(but({0}))
    assert (await scene.report()).sheets[0].again is None
    await scene.again(2, set())
    report = await scene.report()
    assert report.sheets[0].again is AgainState.OWES
    assert (report.facts.again_owes, report.facts.again_done) == (1, 0)


async def test_what_came_late_what_is_missing_and_what_was_excused_are_told_apart(scene: Scene) -> None:
    await scene.homework(but(set()))
    late = await scene.homework(but(set()), late=[1])
    missing = await scene.homework({seat: set() for seat in range(2, 13)})
    away = await scene.homework({seat: set() for seat in range(2, 13)})
    words = [at_box(scene.school, 1, Absence.EXCUSED, assignment=name) for name in (away, late)]
    await scene.ingest.take([scene.school.box.envelope(Lane.RESULTS, words)])
    report = await scene.report()
    by_name = {sheet.assignment: (sheet.status, sheet.timing) for sheet in report.sheets}
    assert by_name == {
        "hw-1": ("handed-in", Timing.IN_TIME),
        late: ("late", Timing.LATE),  # a sheet that is there counts
        missing: ("missing", None),
        away: ("excused", None),
    }
    timely = report.punctuality
    assert (timely.expected, timely.in_time, timely.late, timely.missing, timely.excused) == (3, 1, 1, 1, 1)
    assert report.sheets[0].title == scene.model.title


async def test_progress_is_told_beside_the_pupils_own_work_before(scene: Scene) -> None:
    for wrong in (set(range(8)), {0}):
        for _ in range(3):
            await scene.homework(but(wrong))
    report = await scene.report()
    assert report.trend == "up"
    assert "进步" in proposed(report.facts, translator("zh-CN").gettext)


async def test_slip_and_page_have_a_line_for_each_subject_by_its_name(scene: Scene) -> None:
    for subject in ("math", "chinese", "math", "chinese"):
        await scene.homework(but({0} if subject == "math" else set()), subject=subject)
    report = await scene.report()
    lines = {
        line.subject: [round(point.percent) for point in line.points]
        for line in parents_slip(report, "zh-CN", summary=False).trend
    }
    assert lines == {"语文": [100, 100], "数学": [95, 95]}
    page = pupil_page(report, ReportSettings(), "zh-CN", proposes=False, sheet_address=lambda _: "")
    assert re.findall("<h3>(.*?)</h3>", page.chart) == ["语文", "数学"]
    assert page.chart.count("<svg") == 2
    one = pupil_page(
        await scene.report(subject="math"), ReportSettings(), "zh-CN", proposes=False, sheet_address=lambda _: ""
    )
    assert ("<h3>" in one.chart, one.chart.count("<svg")) == (False, 1)


async def test_a_hard_sheet_on_which_everybody_had_less_is_no_step_back(scene: Scene) -> None:
    for wrong in (set(), set(range(9))):
        for _ in range(3):
            await scene.homework({seat: set(wrong) for seat in (1, 2, 3)})
    assert (await scene.report()).trend == "steady"


async def test_of_a_test_that_was_not_released_a_family_sees_that_it_was_handed_in(scene: Scene) -> None:
    """A test counts neither in what is weak nor in the comment, as long as nobody may know of it."""
    test = await scene.homework(but({0, 1, 2, 3, 7}), mode="test")
    teacher = await scene.report()
    assert teacher.sheets[0].items
    assert teacher.weak
    family = await scene.report(sees=FAMILY)
    (sheet,) = family.sheets
    assert (sheet.status, sheet.items, sheet.rate, sheet.score_hundredths) == ("handed-in", (), None, None)
    assert family.points == ()
    assert family.facts.weak == ()
    assert "0" not in [answer for one in family.sheets for item in one.items for answer in item.answers]
    async with scene.school.store.writing() as connection:
        await release(connection, scene.school.school, "another class", test, person_id=1, at_ms=1)
    assert not (await scene.report(sees=FAMILY)).sheets[0].items, "each class has its own word"
    async with scene.school.store.writing() as connection:
        await release(connection, scene.school.school, sheet.class_name, test, person_id=1, at_ms=1)
    assert (await scene.report(sees=FAMILY)).sheets[0].items == teacher.sheets[0].items


async def test_who_teaches_one_subject_sees_the_tests_of_another_as_the_family_does(scene: Scene) -> None:
    """A parent who teaches the own child mathematics."""
    await scene.homework(but({0}), mode="test")
    await scene.homework(but({0}), mode="test", subject="语文")
    both = await scene.report(sees=Sees(subjects=None, unreleased=frozenset({"math"})))
    assert {sheet.subject: bool(sheet.items) for sheet in both.sheets} == {"math": True, "chinese": False}
    taught = await scene.report(sees=Sees(subjects=frozenset({"math"}), unreleased=frozenset({"math"})))
    assert [sheet.subject for sheet in taught.sheets] == ["math"]


async def test_a_subject_can_be_looked_at_alone(scene: Scene) -> None:
    await scene.homework(but({0}))
    await scene.homework(but({0}), subject="语文")
    assert {sheet.subject for sheet in (await scene.report()).sheets} == {"math", "chinese"}
    for name in ("语文", "chinese"):
        assert {sheet.subject for sheet in (await scene.report(subject=name)).sheets} == {"chinese"}


async def test_who_came_from_another_class_owes_nothing_of_what_this_one_had_before(scene: Scene) -> None:
    await scene.homework({seat: set() for seat in range(2, 13)})
    await scene.homework({seat: set() for seat in range(2, 13)})
    newcomer = Pupil("3-1", 1, "新来的", scene.pupils[0].pupil_id)
    before = msgspec.structs.replace(scene.sheet(1, set(), at_ms=scene.due_ms), class_name="3-7", assignment="old")
    await scene.ingest.take([scene.school.box.envelope(Lane.RESULTS, [before])])
    await scene.homework(but(set()))
    assert [sheet.assignment for sheet in (await scene.report()).sheets if sheet.class_name == "3-1"] == ["hw-3"]
    assert newcomer.class_name == (await scene.report()).class_name


async def test_there_is_a_report_for_pupils_of_the_list_alone(scene: Scene) -> None:
    await scene.homework(but(set()))
    async with scene.school.store.reading() as connection:
        for stranger in (b"\0" * 16, b"seat\0003-1\0001", b""):
            found = await pupil_report(connection, scene.school.store.vault, "no-1", stranger, term=TERM)
            assert found is None


async def test_a_term_without_homework_is_empty_and_says_so_by_saying_nothing(scene: Scene) -> None:
    report = await scene.report()
    assert (report.sheets, report.points, report.trend, report.as_of_ms) == ((), (), None, None)
    assert proposed(report.facts, translator("zh-CN").gettext) == ""


async def test_items_without_layout_and_worksheet_are_named_by_place(scene: Scene) -> None:
    lone = msgspec.structs.replace(scene.sheet(1, {0}, at_ms=DUE_MS), assignment="unknown", sheet="nowhere")
    await scene.ingest.take([scene.school.box.envelope(Lane.RESULTS, [lone])])
    (sheet,) = (await scene.report()).sheets
    assert (sheet.title, sheet.items[0].label, sheet.items[0].state) == ("unknown", "1-1", VerdictKind.WRONG)


# --- comments -----------------------------------------------------------------------------------------------


async def keep(school: SimulatedSchool, pupil: bytes, text: str) -> None:
    async with school.store.writing() as connection:
        await keep_comment(
            connection, school.store.vault, school.school, pupil, term=TERM, text=text, person_id=7, at_ms=5
        )


async def test_a_comment_is_kept_sealed_changed_and_taken_away(scene: Scene) -> None:
    await keep(scene.school, scene.me, "  作业很认真。\r\n继续加油\u202e！\0 ")
    comment = (await scene.report()).comment
    assert comment is not None
    assert (comment.text, comment.person_id, comment.changed_ms) == ("作业很认真。\n继续加油！", 7, 5)
    async with scene.school.store.reading() as connection:
        (row,) = (await connection.execute(select(comments))).all()
    assert "认真".encode() not in bytes(row.text_sealed)
    await keep(scene.school, scene.me, "另一句")
    assert (await scene.report()).comment.text == "另一句"  # type: ignore[union-attr]
    await keep(scene.school, scene.me, " \n ")
    assert (await scene.report()).comment is None


async def test_a_comment_that_is_too_long_is_refused_in_words(scene: Scene) -> None:
    await keep(scene.school, scene.me, "好" * MAX_COMMENT)
    with pytest.raises(UsageError, match="1001 characters"):
        await keep(scene.school, scene.me, "好" * (MAX_COMMENT + 1))


async def test_a_comment_opens_for_its_own_pupil_school_and_term_alone(scene: Scene) -> None:
    await keep(scene.school, scene.me, "很好")
    other = await make_school(scene.school.store, scene.model, school="no-2")
    async with scene.school.store.writing() as connection:
        row = dict((await connection.execute(select(comments))).mappings().one())
        await connection.execute(comments.insert(), row | {"school_id": "no-2"})
        await connection.execute(comments.insert(), row | {"pupil": b"x" * 16})
    for school, pupil in ((other.school, scene.me), ("no-1", b"x" * 16)):
        async with scene.school.store.reading() as connection:
            with pytest.raises(ClassboxError):
                await stored_comment(connection, scene.school.store.vault, school, pupil, TERM)


async def test_a_pupil_who_is_not_in_any_class_list_any_more_has_no_page(scene: Scene) -> None:
    await scene.homework(but(set()))
    async with scene.school.store.writing() as connection:
        await bring_in(connection, scene.school.store.vault, "no-1", Roster(scene.pupils[1:]))
    async with scene.school.store.reading() as connection:
        assert await pupil_report(connection, scene.school.store.vault, "no-1", scene.me, term=TERM) is None
