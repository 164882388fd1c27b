"""What a school and a district are shown: sums that are right, small groups that nobody can work out, freshness."""

import asyncio
from collections.abc import Sequence
from datetime import date

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert, select, update

from gateway.ingest import StoreIngest
from gateway.reports.cache import Kept, ReportCache
from gateway.reports.check import check_summaries
from gateway.reports.district_report import district_report
from gateway.reports.figures import DistrictFigures, PointLine, SchoolFigures, State
from gateway.reports.periods import term_named, term_of
from gateway.reports.school_report import ClassTerm, ListSizes, class_terms_of, point_line, school_report
from gateway.reports.summaries import Place
from gateway.reports.week import Week, WeekClass, week
from gateway.reports.worker import SummaryWorker
from gateway.simulated_class import SimulatedClass, make_roster, plain_layout
from gateway.simulated_school import SimulatedSchool, make_school
from gateway.store.rosters import bring_in
from gateway.store.store import Store
from gateway.store.tables.schools import boxes, schools
from gateway.store.tables.summaries import class_terms, school_days
from gateway.web.figure_view import school_page
from homework.assignment import Assignment
from homework.knowledge import Count, together
from sync.lanes import Lane
from sync.records import Tally
from tests.gateway.judged import judged

ON_BOTH = True
TERM = term_of(date(2026, 12, 1))
NOW_MS = 1_796_083_200_000
DAY = 86_400_000
MONDAY = date(2026, 11, 30)
POINT = "两位数乘一位数"


class District:
    """Schools with classes of a given size, each of which had one piece of homework."""

    def __init__(self, store: Store, model: Assignment) -> None:
        self.store, self.model = store, model
        self.worker = SummaryWorker(store, now_ms=lambda: NOW_MS)
        self.schools: dict[str, SimulatedSchool] = {}

    async def had(
        self,
        school: str,
        sizes: dict[str, int],
        *,
        subject: str = "math",
        grade: int = 3,
        wrong: int = 4,
        n: int = 1,
        day: int = 1,
        sheets: int | None = None,
    ) -> None:
        """Every class hands in so many sheets (None: completely) for a day of December, with so many items wrong."""
        for class_name, size in sizes.items():
            if school not in self.schools:
                self.schools[school] = await make_school(
                    self.store, self.model, school=school, class_name=class_name, size=size
                )
            here = self.schools[school]
            ingest = StoreIngest(self.store, now_ms=lambda: NOW_MS - DAY, on_change=lambda _: None)
            roster = make_roster(class_name, size)
            async with self.store.writing() as connection:
                await bring_in(connection, self.store.vault, school, roster)
            assignment = msgspec.structs.replace(
                self.model,
                id=f"{subject}-{grade}-{n}",
                subject=subject,
                grade=grade,
                due=f"2026-12-{day:02}T08:00:00+08:00",
            )
            pupils = SimulatedClass(assignment, roster, school_key=here.school_key)
            pupils.layout = plain_layout(assignment, sheet=f"S-{subject}-{grade}-{n}")
            results = [judged(result, wrong=wrong) for result in pupils.results()][:sheets]
            await ingest.take(
                [here.box.envelope(Lane.DOCUMENTS, pupils.documents()), here.box.envelope(Lane.RESULTS, results)]
            )
        await self.worker.catch_up()

    async def school(self, name: str) -> SchoolFigures:
        async with self.store.reading() as connection:
            found = await school_report(connection, name, TERM, now_ms=NOW_MS)
        assert found is not None
        return found

    async def district(self, subject: str | None = None, grade: int | None = None) -> DistrictFigures:
        async with self.store.reading() as connection:
            return await district_report(connection, TERM, subject=subject, grade=grade, now_ms=NOW_MS)

    async def week(self, *classes: WeekClass, monday: date = MONDAY) -> Week:
        async with self.store.reading() as connection:
            return await week(connection, classes, monday)


@pytest.fixture
async def district(store: Store, school: SimulatedSchool) -> District:
    async with store.writing() as connection:  # the school of the other tests has no class here
        await connection.execute(update(schools).where(schools.c.school_id == "no-1").values(title="一小"))
    found = District(store, school.pupils.assignment)
    found.schools["no-1"] = school
    return found


def line(points: Sequence[PointLine], name: str = POINT) -> PointLine:
    (found,) = [one for one in points if one.whole.name == name]
    return found


async def test_a_school_is_told_what_its_classes_know_and_how_much_went_through_the_boxes(district: District) -> None:
    await district.had("no-1", {"3-1": 12, "3-2": 20}, wrong=4)
    await district.had("no-1", {"3-1": 12}, subject="chinese", wrong=0)
    figures = await district.school("no-1")
    assert figures.title == "一小"
    (adoption,) = figures.adoption
    assert (adoption.grade, adoption.classes, adoption.active, adoption.assignments) == (3, 2, 2, 3)
    assert (adoption.handed_in, adoption.expected) == (44, 44)
    found = line([one for one in figures.points if one.subject == "math"])
    assert (found.grade, found.whole.pupils, found.whole.n, found.whole.correct) == (3, 32, 32 * 8, 32 * 4)
    assert [(part.name, part.n) for part in found.parts] == [("3-1", 12 * 8), ("3-2", 20 * 8)]
    assert figures.points[0].subject == "chinese"
    maths = [float(one.whole.rate or 0) for one in figures.points if one.subject == "math"]
    assert maths == sorted(maths)
    assert figures.hidden == 0
    day = figures.days[0]
    assert (day.day, day.minutes, day.subjects, day.complete, day.over) == (
        date(2026, 12, 1), 40, ("chinese", "math"), False, None,
    )  # fmt: skip
    assert [(one.day, one.classes, one.handed_in) for one in figures.activity] == [(date(2026, 12, 1), 2, 44)]


async def test_a_day_that_has_all_its_subjects_is_judged(district: District) -> None:
    for subject in ("math", "chinese", "english"):
        await district.had("no-1", {"3-1": 12}, subject=subject)
    await district.had("no-1", {"3-1": 12}, subject="english", n=2)
    (day,) = (await district.school("no-1")).days
    assert (day.minutes, day.cap_min, day.complete, day.over, day.estimated) == (80, 60, True, True, False)
    (load,) = (await district.district()).load
    assert (load.day, load.grade, load.classes, load.judged, load.over, load.minutes) == (
        date(2026, 12, 1), 3, 1, 1, 1, 80.0,
    )  # fmt: skip


async def test_a_class_is_of_its_own_grade_whatever_worksheets_it_is_given(district: District) -> None:
    """4-1 repeats the third grade's; a class whose name says no grade is of that of its worksheets."""
    await district.had("no-1", {"4-1": 12, "火箭班": 14}, grade=3)
    await district.had("no-1", {"4-1": 12}, grade=4, day=2)
    both = await district.district()
    assert [(line.grade, line.active, line.handed_in) for line in both.adoption] == [(3, 1, 14), (4, 1, 24)]
    assert [(load.day.day, load.grade, load.classes) for load in both.load] == [(2, 4, 1), (1, 3, 1), (1, 4, 1)]
    assert {point.grade for point in both.points} == {3, 4}
    async with district.store.reading() as connection:
        columns = school_days.c
        rows = await connection.execute(select(columns.grade, columns.handed_in, columns.load_classes))
        assert sorted(tuple(row) for row in rows) == [(3, 14, 1), (4, 12, 1), (4, 12, 1)]
        assert (await check_summaries(connection, district.store.vault)).faults == ()


async def test_a_class_of_nine_is_not_told_and_a_second_one_hides_it(district: District) -> None:
    await district.had("no-1", {"3-1": 9, "3-2": 20, "3-3": 30})
    found = line((await district.school("no-1")).points)
    assert found.whole.pupils == 59
    assert [part.n is None for part in found.parts] == [True, True, False]
    assert found.parts[0].rate is None


async def test_a_class_of_ten_is_told(district: District) -> None:
    await district.had("no-1", {"3-1": 10, "3-2": 20})
    assert all(part.n for part in line((await district.school("no-1")).points).parts)


async def test_a_small_grade_is_not_told_whatever_is_asked_for(district: District) -> None:
    """Its sheets follow from nothing: the school's page, the district's, that of a grade or a subject."""
    await district.had("no-1", {"3-1": 20})
    await district.had("no-1", {"4-1": 30}, grade=4)
    await district.had("no-1", {"5-1": 6}, grade=5)
    own = {one.grade: one.handed_in for one in (await district.school("no-1")).adoption}
    assert own == {3: None, 4: 30, 5: None}
    for subject, told in ((None, own), ("math", dict.fromkeys(own))):
        whole = await district.district(subject)
        assert {one.grade: one.handed_in for one in whole.adoption} == told
        assert whole.schools[0].handed_in == (56 if subject is None else None)
        for grade in (3, 4, 5):
            part = await district.district(subject, grade)
            assert part.schools[0].handed_in == told[grade]
            assert [one.handed_in for one in part.adoption] == [told[grade]]


def sheets_by_day(figures: SchoolFigures | DistrictFigures) -> dict[int, int | None]:
    """By the day of December."""
    return {one.day.day: one.handed_in for one in figures.activity}


async def test_a_day_of_a_class_of_nine_is_not_told_however_many_sheets_it_handed_in(district: District) -> None:
    """Nor does it follow from the term's sheets less those of the other days, in the school and in the district."""
    for day in (1, 3, 4):
        await district.had("no-1", {"3-1": 9, "3-2": 20}, n=day, day=day)
    for n in (21, 22):
        await district.had("no-1", {"3-1": 9}, n=n, day=2, sheets=8)
    await district.had("no-2", {"3-1": 15}, n=2, day=2)
    await district.had("no-2", {"3-1": 15}, n=3, day=3)
    own, both = await district.school("no-1"), await district.district()
    assert sheets_by_day(own) == {1: None, 2: None, 3: 29, 4: 29}
    assert own.adoption[0].handed_in == 3 * 29 + 16
    assert sheets_by_day(both) == {1: None, 2: 15, 3: 44, 4: 29}
    assert both.adoption[0].handed_in == 3 * 29 + 16 + 30
    assert (own.hidden, both.left_out) == (2 + 2 * len(own.points), 2)


async def test_a_grade_of_which_only_a_small_class_has_homework_is_not_told(district: District) -> None:
    """The class list has twenty more in it, who are in no sheet."""
    async with district.store.writing() as connection:
        await bring_in(connection, district.store.vault, "no-1", make_roster("3-2", 20))
    await district.had("no-1", {"3-1": 9})
    (line,) = (await district.school("no-1")).adoption
    assert (line.classes, line.active, line.handed_in) == (2, 1, None)
    assert (await district.district()).schools[0].handed_in is None
    assert sheets_by_day(await district.school("no-1")) == {1: None}


async def test_days_that_an_older_gateway_summed_up_are_counted_once_and_told_with_care_before(
    district: District,
) -> None:
    await district.had("no-1", {"3-1": 9, "3-2": 20}, n=1, day=1)
    for n in (21, 22):
        await district.had("no-1", {"3-1": 9}, n=n, day=2)
    await district.had("no-1", {"3-1": 9, "3-2": 20}, n=3, day=3)
    told = sheets_by_day(await district.school("no-1"))
    assert told == {1: None, 2: None, 3: 58 // 2}
    async with district.store.writing() as connection:
        await connection.execute(update(school_days).values(pupils=0))
    assert sheets_by_day(await district.school("no-1")) == told
    async with district.store.reading() as connection:
        assert (await check_summaries(connection, district.store.vault)).faults == ()
    assert await SummaryWorker(district.store, now_ms=lambda: NOW_MS).catch_up() == 0
    async with district.store.reading() as connection:
        rows = await connection.execute(select(school_days.c.day, school_days.c.pupils))
        counted = {row.day: row.pupils for row in rows}
    assert counted == {20261201: 29, 20261202: 9, 20261203: 29}


async def test_a_school_with_a_few_pupils_is_in_no_total_of_the_district(district: District) -> None:
    await district.had("no-1", {"3-1": 20}, wrong=4)
    await district.had("no-2", {"3-1": 15, "3-2": 25}, wrong=2)
    await district.had("tiny", {"3-1": 7}, wrong=8)
    both = await district.district("math", 3)
    found = line(both.points)
    own = [line((await district.school(name)).points).whole for name in ("no-1", "no-2")]
    together_n = together({POINT: Count(one.correct or 0, one.n or 0)} for one in own)[POINT]
    assert (found.whole.correct, found.whole.n, found.whole.pupils) == (together_n.correct, together_n.n, 60)
    assert [(part.name, part.pupils) for part in found.parts] == [("no-1", 20), ("no-2", 40), ("tiny", None)]
    assert both.left_out > 0
    assert line((await district.district()).points).whole == found.whole
    assert line((await district.school("tiny")).points).whole.n is None
    assert [one.handed_in for one in both.activity] == [60]
    assert {one.school: one.handed_in for one in both.schools} == {"no-1": 20, "no-2": 40, "tiny": None}


async def test_nothing_that_a_district_is_told_names_a_class_a_teacher_or_a_pupil(district: District) -> None:
    await district.had("no-1", {"3-1": 20})
    told = msgspec.json.encode(await district.district("math", 3)).decode()
    assert "3-1" not in told
    assert "学生" not in told
    assert "学生" not in msgspec.json.encode(await district.school("no-1")).decode()


async def test_how_fresh_data_is_hangs_on_when_boxes_were_heard_and_what_is_under_way(district: District) -> None:
    async def heard(school: str, at_ms: int | None) -> None:
        async with district.store.writing() as connection:
            await connection.execute(update(boxes).where(boxes.c.school_id == school).values(heard_ms=at_ms))

    await district.had("no-1", {"3-1": 12})
    await district.had("no-2", {"3-1": 12})
    await make_school(district.store, district.model, school="new")
    await heard("no-1", NOW_MS - DAY)
    await heard("no-2", NOW_MS - 5 * DAY)
    figures = await district.district()
    states = {one.school: one.freshness.state for one in figures.schools}
    assert states == {"no-1": State.UNTOLD, "no-2": State.SILENT, "new": State.NOTHING}
    assert (figures.complete, figures.behind, figures.untold, figures.silent, figures.nothing) == (0, 0, 1, 1, 1)
    assert figures.as_of_ms == NOW_MS - DAY
    page = school_page(await district.school("no-1"), "zh-CN", today=MONDAY, go=lambda _: "")
    assert page.headline == "还没有盒子报过收了多少份，到没到齐还不知道。"
    await heard("no-1", NOW_MS - 6 * DAY)
    assert (await district.district()).as_of_ms == NOW_MS - 5 * DAY, "holidays: what is here is not nothing"
    here = district.schools["no-1"]
    rest = dict.fromkeys(("corrections", "twice", "asked", "not_graded", "withdrawn"), 0)

    async def says_it_has(seats: tuple[int, ...]) -> None:
        tally = Tally(
            clock=here.pupils.result(here.pupils.roster.pupils[0]).clock, assignment="math-3-1", class_name="3-1",
            expected=12, slid=len(seats), places=tuple((seat, 1) for seat in seats), **rest,
        )  # fmt: skip
        await here.ingest.take([here.box.envelope(Lane.HEALTH, [tally])])
        await heard("no-1", NOW_MS - DAY)
        await district.worker.catch_up()

    await says_it_has(tuple(range(1, 13)))
    assert (await district.school("no-1")).freshness.state is State.COMPLETE
    assert (await district.district()).complete == 1
    await says_it_has((13,))
    fresh = (await district.school("no-1")).freshness
    assert (fresh.state, fresh.under_way, fresh.behind, fresh.boxes, fresh.heard) == (State.BEHIND, 1, 1, 1, 1)


async def test_another_term_and_a_school_that_is_not_here(district: District) -> None:
    await district.had("no-1", {"3-1": 12})
    async with district.store.reading() as connection:
        assert await school_report(connection, "nowhere", TERM, now_ms=NOW_MS) is None
        later = await school_report(connection, "no-1", term_of(date(2027, 3, 1)), now_ms=NOW_MS)
    assert later is not None
    assert (later.points, later.days, later.activity) == ((), (), ())
    assert [(one.classes, one.active, one.handed_in) for one in later.adoption] == [(1, 0, 0)]


@given(
    st.dictionaries(
        st.sampled_from("abcdef"),
        st.tuples(st.integers(0, 40), st.integers(0, 40), st.integers(0, 30)),
        min_size=1,
    )
)
def test_what_a_point_tells_of_its_parts_leaves_no_small_rest(parts: dict[str, tuple[int, int, int]]) -> None:
    told, hidden_n = point_line(
        "math", 3, POINT, {name: (Count(min(c, n), n), pupils) for name, (c, n, pupils) in parts.items()}
    )
    cells = [told.whole, *told.parts]
    assert all((cell.n is None) == (cell.pupils is None) == (cell.correct is None) for cell in cells)
    assert all(cell.pupils is None or cell.pupils == 0 or cell.pupils >= 10 for cell in cells)
    assert sum(cell.n is None for cell in cells) == hidden_n
    if told.whole.pupils is not None:
        rest = told.whole.pupils - sum(part.pupils or 0 for part in told.parts)
        assert rest == 0 or rest >= 10


# --- a teacher's week ---------------------------------------------------------------------------------------


async def test_a_week_has_what_a_persons_classes_had_of_their_subjects(district: District) -> None:
    await district.had("no-1", {"3-1": 12, "3-2": 12}, wrong=12)
    await district.had("no-1", {"3-1": 12}, subject="chinese", wrong=0)
    mine = await district.week(WeekClass("no-1", "3-1", "数学"))
    (found,) = mine.lines
    assert (found.class_name, found.subject, found.day, found.handed_in, found.missing) == (
        "3-1", "math", date(2026, 12, 1), 12, 0,
    )  # fmt: skip
    assert (found.reteach, found.again_owes, found.pending) == (11, None, 0)
    assert found.mean_rate == pytest.approx(9 / 21)
    assert {one.subject for one in (await district.week(WeekClass("no-1", "3-1", None))).lines} == {"math", "chinese"}
    assert len((await district.week(WeekClass("no-1", None, None))).lines) == 3
    assert (await district.week(WeekClass("no-2", None, None))).days == ()
    assert (await district.week()).days == ()
    assert (await district.week(WeekClass("no-1", None, None), monday=date(2026, 12, 7))).days == ()


# --- what is kept in memory -----------------------------------------------------------------------------------


async def test_a_report_is_made_again_when_its_version_is_another(district: District) -> None:
    await district.had("no-1", {"3-1": 12})
    cache = ReportCache(district.store.vault)
    place = Place("no-1", "3-1", "math-3-1")

    async def report() -> object:
        async with district.store.reading() as connection:
            return await cache.class_report(connection, place)

    first = await report()
    assert await report() is first
    await district.had("no-1", {"3-1": 12})
    assert await report() is not first
    async with district.store.reading() as connection:
        whole = await cache.district_report(connection, TERM, None, None, now_ms=NOW_MS)
        assert await cache.district_report(connection, TERM, None, None, now_ms=NOW_MS) is whole
        assert await cache.school_report(connection, "no-1", TERM, now_ms=NOW_MS) == await district.school("no-1")


async def test_the_district_hears_of_a_class_list_that_has_changed_and_counts_pupils_for_no_other_reason(
    district: District,
) -> None:
    await district.had("no-1", {"3-1": 12})
    sizes = ListSizes()
    async with district.store.reading() as connection:
        first = await sizes.read(connection)
        assert await sizes.read(connection) is first
    assert first["no-1", "3-1"] == 12
    async with district.store.writing() as connection:
        await bring_in(connection, district.store.vault, "no-1", make_roster("3-1", 15))
    async with district.store.reading() as connection:
        assert (await sizes.read(connection))["no-1", "3-1"] == 15


async def test_what_is_kept_is_bounded_ends_in_time_and_is_made_once_for_all_who_ask() -> None:
    now, made = 0.0, []
    kept: Kept[str, int] = Kept(most=2, lasts_s=10, now_s=lambda: now)

    async def make() -> int:
        await asyncio.sleep(0)
        made.append(1)
        return len(made)

    assert await asyncio.gather(*(kept.of("a", 1, make) for _ in range(5))) == [1] * 5
    assert await kept.of("a", 2, make) == 2
    now = 10.0
    assert await kept.of("a", 2, make) == 3
    await kept.of("b", 1, make)
    await kept.of("a", 2, make)
    await kept.of("c", 1, make)  # b goes
    assert await kept.of("a", 2, make) == 3
    assert await kept.of("b", 1, make) == 6

    async def fails() -> int:
        raise LookupError

    with pytest.raises(LookupError):
        await kept.of("d", 1, fails)
    assert await kept.of("d", 1, make) == 7


async def test_a_class_is_as_large_as_in_any_subject_and_its_homework_is_that_of_the_one_asked_for(
    school: SimulatedSchool,
) -> None:
    same = {"school_id": "no-1", "class_name": "4-9", "term": "2026-autumn", "late": 0}
    async with school.store.writing() as connection:
        math = {"subject": "math", "grade": None, "pupils": 31, "assignments": 2, "handed_in": 60, "expected": 62}
        chinese = {"subject": "chinese", "grade": 4, "pupils": 38, "assignments": 1, "handed_in": 37, "expected": 38}
        await connection.execute(insert(class_terms), [same | math, same | chinese])
    term = term_named("2026-autumn")
    async with school.store.reading() as connection:
        every, of_math, of_none = [
            {one.name: one for one in (await class_terms_of(connection, term, subject=subject))["no-1"]}["4-9"]
            for subject in (None, "math", "music")
        ]
    assert every == ClassTerm("4-9", 4, 38, active=True, assignments=3, handed_in=97, expected=100)
    assert of_math == ClassTerm("4-9", 4, 38, active=True, assignments=2, handed_in=60, expected=62)
    assert of_none == ClassTerm("4-9", 4, 38, active=False, assignments=0, handed_in=0, expected=0)
