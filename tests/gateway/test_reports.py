import csv
import io

import msgspec

from gateway.reports.export import report_to_csv, report_to_json
from gateway.simulated_school import SimulatedSchool
from gateway.store.rosters import bring_in
from homework.results import VerdictKind
from homework.roster import Pupil, Roster
from homework.wording import headline, report_text
from sync.lanes import Lane
from sync.records import VERDICT_CODES
from ui.language import translator

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
    assert headline(report, translator("zh-CN").gettext) == "12 人，交 12，平均 22，优秀率 100 %，没有要再讲的题"
    assert headline(report, translator("en").gettext) == (
        "12 pupils, 12 handed in, mean 22, 100 % excellent, nothing to teach again"
    )


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
