import csv
import io

import msgspec
import pytest

from gateway.reports.class_report import AnswerKey
from gateway.reports.export import report_to_csv, report_to_json
from gateway.simulated_school import SimulatedSchool
from gateway.store.crops import CropName
from gateway.store.documents import publish_settings
from gateway.store.rosters import bring_in
from homework.absences import Absence
from homework.report_settings import ReportSettings
from homework.results import VerdictKind
from homework.roster import Pupil, Roster
from homework.sp_chart import item_rest, sp_chart
from homework.statistics import Thresholds
from homework.wording import headline, report_text
from sync.clock import ClockQuality, ClockReading
from sync.lanes import Lane
from sync.records import VERDICT_CODES, CropRecord, PageResult, crop_place
from sync.sealing import seal
from tests.gateway.absent import at_box
from tests.gateway.judged import judged
from ui.language import translator
from ui.report_files import summary_csv
from ui.report_view import report_view

ON_BOTH = True


async def test_the_report_says_what_the_sheets_say(school: SimulatedSchool):
    results = school.pupils.results()[:10]
    await school.ingest.take(
        [school.box.envelope(Lane.DOCUMENTS, school.pupils.documents()), school.box.envelope(Lane.RESULTS, results)]
    )
    report = report_to_json(await school.report())
    assert (report["sheets"], report["expected"], report["handed_in"]) == (10, 12, 10)
    assert report["title"] == "第三单元 两位数乘一位数"
    assert report["missing"] == ["3-1-S011", "3-1-S012"]
    by_pupil = {p["pupil"]: p for p in report["pupils"]}
    for pupil, result in zip(school.pupils.roster.pupils, results, strict=False):
        line = by_pupil[pupil.pupil_id]
        assert line["name"] == pupil.name
        assert line["score"] * 100 == result.score_hundredths
        assert line["pending"] == result.pending
    first = report["items"][0]
    verdicts = [VERDICT_CODES[result.items[0].verdict] for result in results]
    assert (first["correct"], first["wrong"], first["blank"], first["review"]) == tuple(
        verdicts.count(kind) for kind in (VerdictKind.CORRECT, VerdictKind.WRONG, VerdictKind.BLANK, VerdictKind.REVIEW)
    )
    assert [item["item"] for item in report["items"]] == [str(n) for n in range(1, 21)]


async def test_before_its_document_has_come_an_assignment_shows_by_place(school: SimulatedSchool):
    await school.ingest.take([school.box.envelope(Lane.RESULTS, school.pupils.results())])
    before = report_to_json(await school.report())
    assert before["title"] is None
    assert before["sheets"] == 12
    assert before["items"][0]["item"] == "1-1"
    await school.ingest.take([school.box.envelope(Lane.DOCUMENTS, school.pupils.documents())])
    after = report_to_json(await school.report())
    assert after["items"][0]["item"] == "1"
    assert after["items"][0]["correct"] == before["items"][0]["correct"]


async def test_a_report_before_the_first_sheet_is_empty_and_everybody_is_missing(school: SimulatedSchool):
    report = await school.report()
    assert report_to_json(report)["sheets"] == 0
    assert len(report.figures.missing) == 12
    assert headline(report, translator("zh-CN").gettext) == "12 人，还没有人交"


async def test_the_sentence_on_top_reads_as_a_teacher_would_say_it(school: SimulatedSchool):
    pupils = school.pupils.roster.pupils
    good = school.pupils.result(pupils[0])
    full = [msgspec.structs.replace(item, verdict=1, reading="0") for item in good.items]
    perfect = [
        msgspec.structs.replace(
            school.pupils.result(pupil), items=tuple(full), score_hundredths=2200, max_score_hundredths=2200, pending=0
        )
        for pupil in pupils
    ]
    await school.ingest.take(
        [school.box.envelope(Lane.DOCUMENTS, school.pupils.documents()), school.box.envelope(Lane.RESULTS, perfect)]
    )
    report = await school.report()
    assert headline(report, translator("zh-CN").gettext) == "12 人，交 12，平均 22，优秀率 100\u00a0%，没有要再讲的题"
    assert headline(report, translator("en").gettext) == (
        "12 pupils, 12 handed in, mean 22, 100\u00a0% excellent, nothing to teach again"
    )


async def test_the_sentence_says_expected_where_some_need_not_hand_in(school: SimulatedSchool):
    await school.ingest.take([school.box.envelope(Lane.RESULTS, school.pupils.results()[:9])])
    await school.ingest.take([school.box.envelope(Lane.RESULTS, [at_box(school, 12, Absence.EXCUSED)])])
    report = await school.report()
    assert headline(report, translator("zh-CN").gettext).startswith("应交 11 人，交 9，")
    assert headline(report, translator("en").gettext).startswith("11 pupils expected, 9 handed in, ")
    assert "应交 11 人，交 9" in report_text(report, translator("zh-CN").gettext)
    assert report_view(report, "zh-CN").headline == headline(report, translator("zh-CN").gettext)


async def test_the_text_to_copy_names_no_pupil_and_no_pupils_score(school: SimulatedSchool):
    await school.ingest.take([school.box.envelope(Lane.RESULTS, school.pupils.results()[:9])])
    text = report_text(await school.report(), translator("zh-CN").gettext)
    assert "未交：10，11，12 号" in text
    assert "学生" not in text


async def test_the_table_is_safe_in_a_spreadsheet_and_opens_in_chinese(school: SimulatedSchool):
    evil = Roster((Pupil("3-1", 1, '=HYPERLINK("http://x","y")', "E1"), Pupil("3-1", 2, "@SUM(A1)", "-2")))
    async with school.store.writing() as connection:
        await bring_in(connection, school.store.vault, school.school, evil)
    table = report_to_csv(await school.report())
    assert table.startswith("\ufeff")
    rows = list(csv.reader(io.StringIO(table[1:])))
    assert [row[2] for row in rows[1:]] == ['\'=HYPERLINK("http://x","y")', "'@SUM(A1)"]
    assert rows[2][3] == "'-2"
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows[1:] for cell in row)


async def test_where_a_school_speaks_in_grades_the_table_has_grades_and_no_points(school: SimulatedSchool):
    documents = school.box.envelope(Lane.DOCUMENTS, school.pupils.documents())
    perfect = [judged(result) for result in school.pupils.results()]
    await school.ingest.take([documents, school.box.envelope(Lane.RESULTS, perfect)])
    async with school.store.writing() as connection:
        await publish_settings(connection, school.school, ReportSettings(marks="grades"))
    table = summary_csv(await school.report(), translator("zh-CN").gettext).decode("utf-8-sig")
    rows = list(csv.reader(io.StringIO(table, newline="")))
    assert rows[0][:4] == ["座号", "姓名", "状态", "等第"]
    assert {row[3] for row in rows[1:]} == {"优"}


async def test_sheets_that_came_before_the_roster_find_their_pupils_with_it(school: SimulatedSchool):
    newcomer = Pupil("3-9", 5, "学生05", "N5")
    away = msgspec.structs.replace(school.pupils.result(newcomer), class_name=None)
    by_seat = school.pupils.result(Pupil("3-9", 6, "学生06", "N6"), named=False)
    await school.ingest.take([school.box.envelope(Lane.RESULTS, [away, by_seat])])
    assert [p.name for p in (await school.report("3-9")).figures.pupils] == ["#6"]
    roster = Roster((newcomer, Pupil("3-9", 6, "学生06", "N6")))
    async with school.store.writing() as connection:
        assert await bring_in(connection, school.store.vault, school.school, roster) == 2
    report = await school.report("3-9")
    assert [(p.name, p.status) for p in report.figures.pupils] == [("学生05", "handed-in"), ("学生06", "handed-in")]
    assert report.sheets == 2
    assert (await school.check()).faults == ()


async def test_a_seat_and_a_pseudonym_that_turn_out_to_be_one_pupil_count_once(school: SimulatedSchool):
    pupil = Pupil("3-9", 5, "学生05", "N5")
    sheets = [school.pupils.result(pupil, named=False), school.pupils.result(pupil)]
    await school.ingest.take([school.box.envelope(Lane.RESULTS, sheets)])
    assert (await school.report("3-9")).sheets == 2
    async with school.store.writing() as connection:
        await bring_in(connection, school.store.vault, school.school, Roster((pupil,)))
    report = await school.report("3-9")
    assert (report.sheets, report.second) == (1, ("学生05",))
    assert (await school.check()).faults == ()


async def test_a_sheet_that_misses_its_second_page_has_no_score_yet(school: SimulatedSchool):
    page = school.pupils.layout.pages[0]
    school.pupils.layout = msgspec.structs.replace(
        school.pupils.layout, pages=(page, msgspec.structs.replace(page, page=2))
    )
    await school.ingest.take(
        [
            school.box.envelope(Lane.DOCUMENTS, school.pupils.documents()),
            school.box.envelope(Lane.RESULTS, school.pupils.results()[:1]),
        ]
    )
    line = report_to_json(await school.report())["pupils"][0]
    assert (line["status"], line["score"], line["missing_pages"]) == ("handed-in", None, [2])


async def come(school: SimulatedSchool, *results: PageResult) -> None:
    documents = school.box.envelope(Lane.DOCUMENTS, school.pupils.documents())
    await school.ingest.take([documents, school.box.envelope(Lane.RESULTS, results)])


def at(result: PageResult, wall_ms: int) -> PageResult:
    clock = ClockReading(
        monotonic_ms=wall_ms % 100_000_000, wall_ms=wall_ms, boot=bytes(16), quality=ClockQuality.SYNCED
    )
    return msgspec.structs.replace(result, clock=clock)


async def test_the_report_says_who_owes_corrections_who_is_still_wrong_and_who_is_done(school: SimulatedSchool):
    pupils = school.pupils.roster.pupils
    first = [judged(school.pupils.result(pupils[place]), {0, 1} if place < 4 else set()) for place in range(5)]
    await come(school, *first)
    before = report_to_json(await school.report())
    assert not before["corrected"]["begun"]
    assert {line["corrected"] for line in before["pupils"]} == {None}
    again = [
        judged(school.pupils.result(pupils[1], attempt=2), {1}),
        judged(school.pupils.result(pupils[2], attempt=2), set()),
        judged(school.pupils.result(pupils[3], attempt=2), {0}),
        judged(school.pupils.result(pupils[3], attempt=3), set()),
    ]
    await school.ingest.take([school.box.envelope(Lane.RESULTS, again)])
    report = report_to_json(await school.report())
    assert [line["corrected"] for line in report["pupils"][:6]] == [
        "owes", "still-wrong", "done", "done", "nothing", None,
    ]  # fmt: skip
    assert (report["corrected"]["owes"], report["corrected"]["done"]) == (1, 2)
    # The first score stands, and what was corrected is in no figure of the first attempt.
    assert [line["score"] for line in report["pupils"][:3]] == [line["score"] for line in before["pupils"][:3]]
    assert report["items"][0]["wrong"] == 4
    assert (report["sheets"], report["handed_in"]) == (5, 5)


async def test_how_long_corrections_took_is_told_where_the_clocks_tell(school: SimulatedSchool):
    pupil, other = school.pupils.roster.pupils[:2]
    day = 1_790_000_000_000
    unset = ClockReading(monotonic_ms=5, wall_ms=5, boot=b"u" * 16, quality=ClockQuality.UNSET)
    await come(
        school,
        at(judged(school.pupils.result(pupil), {3}), day),
        msgspec.structs.replace(judged(school.pupils.result(other), {3}), clock=unset),
        at(judged(school.pupils.result(pupil, attempt=2), set()), day + 7_200_000),
        at(judged(school.pupils.result(other, attempt=2), set()), day + 7_200_000),
    )
    report = await school.report()
    assert dict(report.turnaround_ms) == {pupil.pupil_id: pytest.approx(7_200_000, abs=60_000)}
    assert report_to_json(report)["corrected"]["turnaround_ms"] == report.turnaround_ms[pupil.pupil_id]


async def test_lines_are_drawn_where_the_school_says_and_move_when_it_says_otherwise(school: SimulatedSchool):
    pupils = school.pupils.roster.pupils
    await come(school, *(judged(school.pupils.result(pupil), {0, 1, 2}) for pupil in pupils))  # 18 of 21
    assert (await school.report()).figures.excellent_n == 0
    async with school.store.writing() as connection:
        settings = ReportSettings(thresholds=Thresholds(excellent=80, reteach=1), marks="grades")
        await publish_settings(connection, school.school, settings)
    report = await school.report()
    assert report.figures.excellent_n == 12
    assert report.settings.marks == "grades"
    assert report.reteach == ("1", "2", "3")  # nobody had them right


async def test_the_pictures_of_a_common_wrong_answer_are_named_where_there_are_any(school: SimulatedSchool):
    pupils = school.pupils.roster.pupils[:3]
    sheets = [judged(school.pupils.result(pupil), {0}, reading="83") for pupil in pupils]
    await come(school, *sheets)
    assert (await school.report()).crops == {}
    names = [
        CropName(sheets[0].capture, "1", 1),
        CropName(sheets[1].capture, "1", 1),
        CropName(sheets[2].capture, "2", 1),
    ]
    crops = [
        CropRecord(
            capture=n.capture,
            item=n.item,
            blank=n.blank,
            revision=1,
            sealed=seal(school.school_key, b"x", crop_place(*n)),
        )
        for n in names
    ]
    await school.ingest.take([school.box.envelope(Lane.CROPS, crops)])
    report = await school.report()
    assert {key: set(found) for key, found in report.crops.items()} == {AnswerKey("1", 1, "83"): set(names[:2])}
    (listed,) = report.figures.items[0].common_wrong
    assert (listed.text, listed.n) == ("83", 3)


async def test_one_click_deeper_stands_the_class_as_a_matrix(school: SimulatedSchool):
    await come(school, *school.pupils.results())
    report = await school.report()
    assert report.assignment is not None
    chart = sp_chart(report.results, report.assignment.items)
    right = {line.pupil: 20 - len(line.wrong_items) - len(line.blank_items) for line in report.figures.pupils}
    assert len(chart.pupils) == 12
    assert all(fit.correct <= right[fit.name] for fit in chart.pupils)
    assert {fit.name for fit in chart.items} == {item.item for item in report.figures.items}
    assert {item_rest(chart, fit.name) for fit in chart.items} == {None}  # twelve pupils say nothing of an item's fit


async def test_a_corrected_sheet_of_another_classs_pupil_makes_nobody_missing(school: SimulatedSchool):
    guest = Pupil("3-2", 7, "客人", "G7")
    async with school.store.writing() as connection:
        await bring_in(connection, school.store.vault, school.school, Roster((guest,)))
    sheet = msgspec.structs.replace(school.pupils.result(guest, attempt=2), class_name="3-1")
    await come(school, sheet)
    assert len((await school.report()).figures.pupils) == 12
