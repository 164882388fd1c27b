"""The class summary: from the ledger's pages to figures, words and files; and what the school says of the same."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from openpyxl import load_workbook

from edge.deeds import By
from edge.documents import Documents
from edge.frames import Capture, RegisteredPage
from edge.ledger import Ledger
from edge.pipeline import GradedPage
from edge.web.summary import REPORT_SETTING, Summary, summary_of
from gateway.config import load_config
from gateway.simulated_class import SimulatedClass, make_roster
from gateway.simulated_school import make_school
from gateway.store.store import open_store
from homework.absences import Absence
from homework.again import AgainState
from homework.assignment import parse_assignment
from homework.grading import grade_page
from homework.layout import Field, FieldKind
from homework.report_settings import ReportSettings, settings_to_json
from homework.results import PageRecord, PageStatus, Reading, VerdictKind, WhoWroteIt
from homework.roster import Pupil, Roster
from homework.wording import details, headline, report_text, report_text_by_name
from sync.clock import ClockQuality, ClockReading
from sync.lanes import Lane
from sync.records import page_result_from
from tests.edge.filing import IMAGE, ink
from ui.language import translator
from ui.report_files import item_rows, mistake_rows, pupil_rows, summary_csv, summary_xlsx

ROOT = Path(__file__).resolve().parents[2]
ASSIGNMENT = parse_assignment((ROOT / "examples" / "g3-mul-2x1.toml").read_text(encoding="utf-8"))
DUE = "2026-12-01T08:00:00+08:00"
DUE_MS = 1_796_083_200_000
ZH, EN = translator("zh-CN").gettext, translator("en").gettext
BY = By("teacher", ClockReading(monotonic_ms=5, wall_ms=DUE_MS, boot=bytes(16), quality=ClockQuality.SYNCED))


def at(wall_ms: int) -> ClockReading:
    """A look at a clock that a time server keeps, in one long boot."""
    began_ms = DUE_MS - 30 * 86_400_000
    return ClockReading(monotonic_ms=wall_ms - began_ms, wall_ms=wall_ms, boot=bytes(16), quality=ClockQuality.SYNCED)


def unset(monotonic_ms: int) -> ClockReading:
    """A look at the clock of a box that woke in 1970."""
    return ClockReading(monotonic_ms=monotonic_ms, wall_ms=monotonic_ms, boot=b"u" * 16, quality=ClockQuality.UNSET)


class Box:
    """A ledger and documents with a class of eight whose sheets the simulation fills in."""

    def __init__(self, folder: Path, roster: Roster, *, seed: int = 3) -> None:
        self.ledger, self.documents = Ledger(folder), Documents(folder)
        self.pupils = SimulatedClass(ASSIGNMENT, roster, school_key=bytes(32), seed=seed)
        self.documents.put_assignment(ASSIGNMENT)
        self.documents.put_layout(self.pupils.layout)
        self.documents.put_roster(roster)
        self.count = 0

    def slide(
        self,
        record: PageRecord,
        *,
        pupil: str | None = "",
        wall_ms: int = DUE_MS - 1,
        clock: ClockReading | None = None,
        again: bool = False,
    ) -> Any:
        self.count += 1
        page = RegisteredPage(Capture(IMAGE, "test"), None, None, None, np.eye(3), 8.0, 0.1)
        return self.ledger.file(
            Capture(IMAGE, "test"),
            GradedPage(PageStatus.GRADED, page, record, (), ink=ink(self.count)),
            pupil=record.who.pupil if pupil == "" else pupil,
            digest=f"{self.count:032x}",
            has_picture=True,
            clock=clock or at(wall_ms),
            again=again,
        )

    def slide_class(self, last: int = 8) -> list[PageRecord]:
        records = [self.pupils.graded(pupil) for pupil in self.pupils.roster.pupils[:last]]
        for record in records:
            self.slide(record)
        return records

    def summary(self, class_name: str | None = "3-1") -> Summary:
        return summary_of(self.ledger, self.documents, ASSIGNMENT.id, class_name)

    def status_of(self, seat: int) -> str:
        return next(p.status for p in self.summary().report.figures.pupils if p.seat == seat)


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    made = Box(tmp_path, make_roster("3-1", 8))
    yield made
    made.ledger.close()


def test_the_first_line_says_how_many_handed_in_and_how_it_went(box: Box) -> None:
    records = box.slide_class(6)
    figures = box.summary().report.figures
    done = [r for r in records if not r.pending]
    mean = sum(r.score_hundredths or 0 for r in done) / len(done) / 100
    assert headline(box.summary().report, ZH).startswith(f"8 人，交 6，平均 {mean:.1f}".removesuffix(".0"))
    assert (figures.settled, figures.unsettled) == (len(done), 6 - len(done))
    assert figures.missing == ("3-1-S007", "3-1-S008")
    assert box.summary().review == sum(r.pending for r in records)


async def test_box_and_school_say_the_same_of_the_same_sheets(box: Box, tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text('data = "school"\n')
    records = box.slide_class(7)
    async with open_store(load_config(file)) as store:
        school = await make_school(store, ASSIGNMENT, class_name="3-1", size=8)
        results = [
            page_result_from(
                record, capture=number.to_bytes(16, "big"), clock=BY.clock, school_key=school.school_key, revision=1
            )
            for number, record in enumerate(records, start=1)
        ]
        await school.ingest.take(
            [
                school.box.envelope(Lane.DOCUMENTS, school.pupils.documents()),
                school.box.envelope(Lane.RESULTS, results),
            ]
        )
        there = await school.report()
    here = box.summary().report
    assert here.figures == there.figures
    assert here.notes == there.notes
    for words in (headline, details, report_text):
        assert words(here, ZH) == words(there, ZH)
    assert any(item.wrong for item in here.figures.items)


def corrected(record: PageRecord) -> PageRecord:
    """The same sheet with everything right."""
    right = [[item.rule.accepted[n][0] for n in range(item.blanks)] for item in ASSIGNMENT.items if item.rule.accepted]
    texts = [text for blanks in right for text in blanks]
    fields = [
        (Field(i.item, i.blank, msgspec.convert(i.kind, FieldKind)), Reading(text, 1.0))
        for i, text in zip(record.items, texts, strict=True)
    ]
    return grade_page(ASSIGNMENT, record.sheet, record.page, fields, record.who)


def test_only_the_first_attempt_is_in_the_score(box: Box) -> None:
    records = box.slide_class()
    before = box.summary().report.figures
    filed = box.slide(corrected(records[0]), again=True)
    assert filed.record.attempt == 2
    assert filed.record.score_hundredths != records[0].score_hundredths
    assert box.summary().report.figures == before


def test_a_sheet_of_another_class_is_in_that_class_summary(tmp_path: Path) -> None:
    both = Roster((*make_roster("3-1", 3).pupils, *make_roster("3-2", 3).pupils))
    box = Box(tmp_path, both)
    for pupil in both.pupils[:4]:
        box.slide(box.pupils.graded(pupil))
    assert (box.summary("3-1").report.figures.handed_in, box.summary("3-2").report.figures.handed_in) == (3, 1)
    assert box.summary(None).report.class_name == "3-1"  # most of the sheets are of it
    box.ledger.close()


def test_half_a_sheet_has_no_score(tmp_path: Path) -> None:
    box = Box(tmp_path, make_roster("3-1", 2))
    layout = box.pupils.layout
    second = msgspec.structs.replace(layout.pages[0], page=2)
    box.documents.put_layout(msgspec.structs.replace(layout, pages=(layout.pages[0], second)))
    box.slide_class(2)
    report = box.summary().report
    assert report.figures.settled == 0
    assert report.notes["3-1-S001"].missing_pages == (2,)
    box.ledger.close()


def test_whose_sheet_is_asked_is_counted_and_in_no_figure(box: Box) -> None:
    box.slide_class(3)
    nobody = msgspec.structs.replace(
        box.pupils.graded(box.pupils.roster.pupils[4]), who=WhoWroteIt(class_name="3-1"), pending=0
    )
    box.slide(nobody, pupil=None)
    found = box.summary()
    assert (found.asked, found.report.unnamed, found.report.figures.handed_in) == (1, 1, 3)


def test_excused_and_exempt_pupils_are_not_missing_and_not_expected(box: Box) -> None:
    box.slide_class(5)
    box.ledger.set_absence(ASSIGNMENT.id, "3-1-S006", Absence.EXCUSED, by=BY)
    box.ledger.set_absence(ASSIGNMENT.id, "3-1-S007", Absence.EXEMPT, by=BY)
    figures = box.summary().report.figures
    assert (figures.excused, figures.exempt, figures.missing) == (("3-1-S006",), ("3-1-S007",), ("3-1-S008",))
    assert figures.expected == 6
    box.slide(box.pupils.graded(box.pupils.roster.pupils[6]))
    assert box.status_of(7) == "handed-in"  # a sheet that is there counts


def test_a_sheet_after_the_due_time_is_late_and_an_unset_clock_makes_nobody_late(box: Box) -> None:
    """D13: until the clock is set, in the same boot; then the sheets before it have their time too."""
    box.documents.put_assignment(msgspec.structs.replace(ASSIGNMENT, due=DUE))
    pupils = box.pupils.roster.pupils
    minute, day = 60_000, 86_400_000
    next_day = ClockReading(monotonic_ms=minute, wall_ms=DUE_MS + day, boot=b"n" * 16, quality=ClockQuality.SYNCED)
    box.slide(box.pupils.graded(pupils[0]), wall_ms=DUE_MS - minute)
    box.slide(box.pupils.graded(pupils[4]), wall_ms=DUE_MS - minute)
    box.slide(box.pupils.graded(pupils[2]), clock=unset(minute))
    box.slide(box.pupils.graded(pupils[1]), clock=next_day)
    assert [box.status_of(seat) for seat in (1, 2, 3, 4)] == ["handed-in", "late", "handed-in", "missing"]
    report = box.summary().report
    assert report.untimed == ("3-1-S003",)
    assert report.updated_ms == DUE_MS + day
    (row,) = [row for row in pupil_rows(report, ZH)[1:] if row[0] == 3]
    assert row[2] == "已交，时间不详"
    after = ClockReading(
        monotonic_ms=61 * minute, wall_ms=DUE_MS + 2 * 60 * minute, boot=b"u" * 16, quality=ClockQuality.SYNCED
    )
    box.ledger.note_clock(after)
    assert box.status_of(3) == "late"
    assert box.summary().report.untimed == ()


def test_wrong_answers_lead_to_the_pictures_of_those_who_wrote_them(box: Box) -> None:
    records = box.slide_class()
    found = box.summary()
    listed = {(item.item, w.blank, w.text): w for item in found.report.figures.items for w in item.common_wrong}
    assert listed
    for key, wrong in listed.items():
        crops = found.crops[key]
        assert 1 <= len(crops) <= 3
        for crop in crops:
            capture, place = crop.picture.removeprefix("/sheets/").split(".jpg")[0].split("/fields/")
            item = records[int(capture) - 1].items[int(place)]
            assert (item.item, item.reading.text) == (key[0], key[2])
            assert records[int(capture) - 1].who.pupil in wrong.pupils


def test_a_box_without_a_class_list_sums_up_by_seat(tmp_path: Path) -> None:
    ledger, documents = Ledger(tmp_path), Documents(tmp_path)
    pupils = SimulatedClass(ASSIGNMENT, make_roster("3-1", 2), school_key=bytes(32))
    documents.put_assignment(ASSIGNMENT)
    documents.put_layout(pupils.layout)
    for number, pupil in enumerate(pupils.roster.pupils):
        record = msgspec.structs.replace(pupils.graded(pupil), who=WhoWroteIt(seat=pupil.seat, confidence=0.9))
        page = RegisteredPage(Capture(IMAGE, "test"), None, None, None, np.eye(3), 8.0, 0.1)
        graded = GradedPage(PageStatus.GRADED, page, record, (), ink=ink(number + 1))
        ledger.file(
            Capture(IMAGE, "t"),
            graded,
            pupil=f"#{pupil.seat}",
            digest=f"{number:032x}",
            has_picture=True,
            clock=BY.clock,
        )
    report = summary_of(ledger, documents, ASSIGNMENT.id, None).report
    assert [(p.seat, p.status) for p in report.figures.pupils] == [(1, "handed-in"), (2, "handed-in")]
    assert "1 号" in report_text_by_name(report, ZH)
    ledger.close()


def test_with_grades_words_stand_where_points_stood(box: Box) -> None:
    box.documents.put_setting(REPORT_SETTING, settings_to_json(ReportSettings(marks="grades")))
    box.slide_class()
    report = box.summary().report
    assert "平均" not in headline(report, ZH)
    assert "，优 " in headline(report, ZH)
    rows = list(csv.reader(io.StringIO(summary_csv(report, ZH).decode("utf-8-sig"))))
    assert rows[0][3] == "等第"
    assert "成绩" not in rows[0]
    assert {row[3] for row in rows[1:]} <= {"优", "良", "合格", "待合格", ""}


def test_the_text_for_the_parents_has_no_name_and_the_other_has_every_name(box: Box) -> None:
    box.slide_class(6)
    report = box.summary().report
    open_text, own_text = report_text(report, ZH), report_text_by_name(report, ZH)
    assert "未交：07，08 号" in open_text
    assert not any(pupil.name in open_text for pupil in box.pupils.roster.pupils)
    assert all(pupil.name in own_text for pupil in box.pupils.roster.pupils)
    assert own_text.splitlines()[-1] == "08 学生08  未交"


def test_the_csv_opens_in_excel_and_runs_nothing(tmp_path: Path) -> None:
    evil = Roster(
        (Pupil("3-1", 1, "=1+1", "E1"), Pupil("3-1", 2, '学生,"02"', "E2"), Pupil("3-1", 3, "@SUM(A1)", "E3"))
    )
    box = Box(tmp_path, evil)
    box.slide_class(2)
    data = summary_csv(box.summary().report, EN)
    assert data.startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig"))))
    assert [row[1] for row in rows[1:]] == ["'=1+1", '学生,"02"', "'@SUM(A1)"]
    assert [row[2] for row in rows[1:]] == ["handed in", "handed in", "not handed in"]
    box.ledger.close()


def test_the_workbook_holds_what_the_page_shows_and_text_stays_text(tmp_path: Path) -> None:
    evil = Roster((Pupil("3-1", 1, "=1+1", "E1"), *make_roster("3-1", 8).pupils[1:]))
    box = Box(tmp_path, evil)
    records = box.slide_class()
    report = box.summary().report
    book = load_workbook(io.BytesIO(summary_xlsx(report, ZH)))
    assert book.sheetnames == ["班级小结", "每人情况", "各题情况", "错误答案"]
    assert book["班级小结"]["A2"].value == headline(report, ZH)
    pupils = book["每人情况"]
    assert (pupils["B2"].value, pupils["B2"].data_type) == ("=1+1", "s")
    assert pupils["D2"].value == pytest.approx((records[0].score_hundredths or 0) / 100)
    assert [row[2] for row in book["各题情况"].iter_rows(min_row=2, values_only=True)] == [
        item.correct for item in report.figures.items
    ]
    assert book["错误答案"].max_row == len(mistake_rows(report, ZH))
    assert len(item_rows(report, ZH)) == 1 + len(ASSIGNMENT.items)
    box.ledger.close()


def test_no_question_of_the_summary_reads_the_whole_ledger(box: Box) -> None:
    box.slide_class(2)
    with box.ledger._file.reading() as db:
        asked: list[str] = []
        db.set_trace_callback(asked.append)
        box.summary()
        db.set_trace_callback(None)
        assert len(asked) >= 3
        for text in asked:
            plan = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {text}")]
            assert not [step for step in plan if step.startswith("SCAN") and "json_each" not in step], (text, plan)


def test_corrections_show_for_each_pupil_once_the_first_corrected_sheet_came(box: Box) -> None:
    records = box.slide_class(3)
    assert box.summary().again == {}
    first = next(r for r in records if any(i.verdict.kind is VerdictKind.WRONG for i in r.items))
    box.slide(corrected(first), again=True)
    states = box.summary().again
    assert states[first.who.pupil or ""] is AgainState.DONE
    assert len(states) == 3


def test_a_mean_of_some_of_the_sheets_says_of_how_many(box: Box) -> None:
    box.slide_class()
    report = box.summary().report
    assert report.figures.unsettled
    assert f"批完的 {report.figures.settled} 份" in headline(report, ZH)
