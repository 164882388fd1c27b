"""The pages and files of a class report as they are served: what stands on them, and what must not."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pypdfium2
import pytest
import pytest_asyncio
from aiohttp.test_utils import TestClient, TestServer
from openpyxl import load_workbook

from gateway.config import load_config
from gateway.reports.class_report import SchoolReport
from gateway.simulated_class import SimulatedClass, make_roster
from gateway.simulated_school import SimulatedSchool, make_school
from gateway.store.crops import CropName
from gateway.store.rosters import bring_in
from gateway.store.store import open_store
from gateway.web.changes import Changes
from gateway.web.rooms import Status, report_address
from gateway.web.site import make_site
from homework.assignment import Assignment, parse_assignment
from homework.results import VerdictKind
from homework.roster import Pupil, Roster
from homework.sheets.printing import font_folders
from homework.sheets.report import ReportBar, ReportList, ReportSheet, ReportTable, make_report
from sync.lanes import Lane
from sync.records import CropRecord, crop_place
from sync.sealing import seal
from tests.gateway.judged import judged

pytestmark = pytest.mark.asyncio(loop_scope="module")  # one gateway for all

CLASS_NAME = "三年级/2班"
PUPILS, SLID = 24, 22
FORMULA = "=1+1|x"
ASSIGNMENT = parse_assignment(
    (Path(__file__).resolve().parents[2] / "examples" / "g3-mul-2x1.toml").read_text(encoding="utf-8")
)


@dataclass
class Served:
    """A gateway with one class, of which all but two have handed in."""

    client: TestClient
    school: SimulatedSchool
    report: SchoolReport

    async def get(self, ending: str = "", *, language: str = "zh-CN") -> str:
        answer = await self.client.get(self.address(ending), params={"language": language})
        assert answer.status == 200, ending
        return await answer.text()

    async def body(self, ending: str, **params: object) -> bytes:
        answer = await self.client.get(self.address(ending), params={"language": "zh-CN", **params})
        assert answer.status == 200, ending
        return await answer.read()

    def address(self, ending: str) -> str:
        return report_address(self.school.school, CLASS_NAME, self.school.pupils.assignment.id) + ending


async def serve(folder: Path, assignment: Assignment, *, sheets: bool = True) -> AsyncIterator[Served]:
    file = folder / "gateway.toml"
    file.write_text('data = "data"\n')
    async with open_store(load_config(file)) as store:
        school = await make_school(store, assignment, class_name=CLASS_NAME, size=PUPILS)
        pupils = school.pupils.roster.pupils
        named = Roster((Pupil(CLASS_NAME, 1, FORMULA, pupils[0].pupil_id), *pupils[1:]))
        async with store.writing() as connection:
            await bring_in(connection, store.vault, school.school, named)
        await school.ingest.take([school.box.envelope(Lane.DOCUMENTS, school.pupils.documents())])
        if sheets:
            results = [school.pupils.result(pupil) for pupil in pupils[:SLID]]
            await school.ingest.take([school.box.envelope(Lane.RESULTS, results)])
        site = make_site(store, Changes(), lambda: Status(broker_connected=True, counts={}))
        async with TestClient(TestServer(site)) as client:
            yield Served(client, school, await school.report(CLASS_NAME))


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def served(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    async for each in serve(tmp_path_factory.mktemp("served"), ASSIGNMENT):
        yield each


@contextmanager
def opened(pdf: bytes) -> Iterator[pypdfium2.PdfDocument]:
    document = pypdfium2.PdfDocument(pdf)
    yield document
    document.close()


def words_of(document: pypdfium2.PdfDocument) -> list[str]:
    return [page.get_textpage().get_text_range() for page in document]


async def test_the_report_leads_one_click_deeper_and_to_each_item(served: Served) -> None:
    page = await served.get()
    for ending in ("/more", "/screen", ".pdf", ".csv", ".xlsx", "/items/1", "/items/20"):
        assert served.address(ending) in page, ending
    assert "同错小组" in page


async def test_what_a_school_that_is_not_here_had_is_nowhere(served: Served) -> None:
    for ending in ("", "/more", ".csv", "/items/1"):
        address = served.address(ending)
        there = address.replace(f"/schools/{served.report.school}/", "/schools/nobody/")
        assert there != address
        assert (await served.client.get(there)).status == 404, ending
    assert (await served.client.get("/schools/nobody/classes/3-1")).status == 404


async def test_behind_more_stand_intervals_and_the_whole_matrix_of_the_class(served: Served) -> None:
    page = await served.get("/more")
    item = served.report.figures.items[0]
    assert item.interval is not None
    assert f"{100 * item.interval.low:.0f}–{100 * item.interval.high:.0f} %" in page
    handed_in = [result for result in served.report.results if result.items]
    states = [state for result in handed_in for state in {r.item: r.verdict.kind for r in result.items}.values()]
    table = page.partition('<table class="sp">')[2].partition("</table>")[0]
    assert table.count("data-key") == len(handed_in) == SLID
    assert table.count("✗") >= states.count(VerdictKind.WRONG) > 0
    assert table.count("✓") + table.count("✗") + table.count("<td></") <= SLID * len(ASSIGNMENT.items)


async def test_a_class_whose_first_sheet_has_not_come_says_so_on_every_page(served: Served) -> None:
    for ending in ("", "/more", ".csv"):
        answer = await served.client.get(report_address("no-1", CLASS_NAME, "nothing-yet") + ending)
        assert answer.status == 404, "neither its worksheet nor a sheet of it ever came"
    others = SimulatedClass(
        msgspec.structs.replace(ASSIGNMENT, id="nothing-yet"), make_roster("四年级/1班", 1),
        school_key=served.school.school_key,
    )  # fmt: skip
    await served.school.ingest.take([served.school.box.envelope(Lane.RESULTS, others.results())])
    for ending in ("", "/more", "/screen"):
        answer = await served.client.get(report_address("no-1", CLASS_NAME, "nothing-yet") + ending)
        assert answer.status == 200
        assert "第一张作业到了会自动显示在这里" in await answer.text()
    assert (await served.client.get(report_address("no-1", CLASS_NAME, "nothing-yet") + "/items/1")).status == 404


@pytest.mark.parametrize(("language", "heading"), [("zh-CN", "座号,姓名,状态,"), ("en", "Seat,Name,State,")])
async def test_the_table_is_in_the_readers_words_and_no_cell_of_it_is_run(
    served: Served, language: str, heading: str
) -> None:
    table = await served.body(".csv", language=language)
    assert table.startswith(b"\xef\xbb\xbf"), "without it Excel takes Chinese for something else"
    rows = list(csv.reader(io.StringIO(table[3:].decode(), newline="")))
    assert ",".join(rows[0]).startswith(heading)
    assert len(rows) == 1 + PUPILS
    assert rows[1][1] == "'" + FORMULA
    if language == "zh-CN":
        assert {row[2] for row in rows[1:]} == {"已交", "未交"}


async def test_the_page_of_an_item_names_who_wrote_what(served: Served) -> None:
    plain = {item.id for item in ASSIGNMENT.items if item.kind == "number" and item.blanks == 1}
    item = max((each for each in served.report.figures.items if each.item in plain), key=lambda each: each.wrong)
    page = await served.get(f"/items/{item.item}")
    commonest = item.common_wrong[0]
    group = page.partition(f"✗ {commonest.text}<")[2].partition("</li>")[0]
    assert f"{commonest.n} 人" in group
    assert all(served.report.names[pupil] in group for pupil in commonest.pupils)
    lines = page.partition('class="answers"')[2]
    assert lines.count('data-key="line-') == SLID
    assert (await served.client.get(served.address("/items/nonsense"))).status == 404


async def test_on_the_screen_for_the_class_stands_no_name_no_score_and_no_seat(served: Served) -> None:
    page = await served.get("/screen")
    assert "学生" not in page
    assert FORMULA not in page
    assert "平均" not in page
    assert f"已交 {SLID} 份" in page
    assert served.report.figures.items[0].common_wrong[0].text in page


async def test_the_text_to_paste_holds_no_name_and_no_score(served: Served) -> None:
    text = await served.get(".txt")
    assert text.startswith(f"{CLASS_NAME} · 第三单元 两位数乘一位数\n{PUPILS} 人，交 {SLID}")
    assert "学生" not in text


async def test_a_workbook_has_the_chosen_columns_and_nothing_that_runs(served: Served) -> None:
    whole = load_workbook(io.BytesIO(await served.body(".xlsx")))
    head = [cell.value for cell in whole["每人情况"][1]]
    assert head[:3] == ["座号", "姓名", "状态"]
    assert head[-20:] == [item.item for item in served.report.figures.items]
    first = whole["每人情况"][2]
    assert (first[1].value, first[1].data_type) == (FORMULA, "s")
    rows = list(whole["每人情况"].iter_rows(min_row=2, values_only=True))
    states = {item: [row[place - 20] for row in rows] for place, item in enumerate(head[-20:])}
    for item in served.report.figures.items:
        assert states[item.item].count("✓") == item.correct
        assert states[item.item].count("✗") == item.wrong
    chosen = load_workbook(io.BytesIO(await served.body(".xlsx", column="seat")))
    assert [cell.value for cell in chosen["每人情况"][1]] == ["座号"]
    text = " ".join(str(c.value) for sheet in chosen for row in sheet.iter_rows() for c in row)
    assert "学生" not in text, "names are in the workbook though nobody asked for them"


async def test_the_paper_says_what_the_page_says_in_letters_that_can_be_read(served: Served) -> None:
    with opened(await served.body(".pdf")) as document:
        first, *rest = words_of(document)
        flat = first.replace(" ", "")
        assert f"{PUPILS}人，交{SLID}" in flat
        assert "再讲清单" in flat
        assert "每人情况" not in first, "the first page is for everybody's desk, scores are not"
        assert "每人情况" in rest[0]
        assert FORMULA in rest[0]
        assert all(page.get_size() == pytest.approx((595, 842), abs=1) for page in document)
        sizes = {
            round(pypdfium2.raw.FPDFText_GetFontSize(text, place), 1)
            for page in document
            for text in [page.get_textpage()]
            for place in range(text.count_chars())
            if pypdfium2.raw.FPDFText_GetUnicode(text, place) > 32
        }
    assert min(sizes) >= 9


@pytest.mark.parametrize("alike", [0, 3, 8, 14, 40])
async def test_no_page_of_the_paper_stands_nearly_empty_and_the_first_has_no_scores(alike: int) -> None:
    """A class of 45: `alike` groups of pupils who made the same mistake."""
    names = tuple("，".join(f"学生{seat:02d}" for seat in range(6 + 3 * (n % 4))) for n in range(alike))
    lists = (
        ReportList(heading="再讲清单", lines=tuple((f"{n} 84 ÷ 4 =", "24/42 人对") for n in range(7))),
        ReportList(heading="同错小组", lines=tuple((f"{n} 8 × 49", one) for n, one in enumerate(names))),
        ReportList(heading="未交 3", lines=(("", "43 学生43，44 学生44，45 学生45"),)),
        ReportList(heading="分数段", lines=tuple((f"{n}0–{n + 1}0 %", "5") for n in range(5))),
    )
    bar = ReportBar(
        section="", label="1", prompt="一盒彩笔有 12 支，4 盒一共有多少支？还剩下 9 支", right_percent=60,
        blank_percent=10, wrong_percent=30, right="25/42 人对", flag="", wrong=(("58", 2), ("49", 1)),
    )  # fmt: skip
    pupils = tuple((str(seat), f"学生{seat:02d}", "16 / 22", "✗ 1 2 3", "已交") for seat in range(1, 46))
    table = ReportTable(
        heading="每人情况", columns=("座号", "姓名", "得分", "错题", "状态"), numbers=(0, 2), rows=pupils
    )
    sheet = ReportSheet(
        language="zh-CN", title="三年级2班", headline="45 人，交 42", details=(), notices=(), items_heading="各题情况",
        line_percent=60, items=(bar,) * 20, lists=lists, tables=(table,), foot="",
    )  # fmt: skip
    with opened(make_report(sheet, fonts=font_folders())) as document:
        first, *rest = [words.replace(" ", "") for words in words_of(document)]
    assert "每人情况" not in first
    assert "16/22" not in first
    assert "每人情况" in rest[0], "the scores begin on the second page, whatever of the lists has come there"
    whole = "".join((first, *rest))
    assert whole.count("16/22") == 45
    assert whole.count("8×49") == alike


async def test_english_is_english_on_every_page(served: Served) -> None:
    for ending in ("", "/more", "/items/1", "/screen"):
        page = await served.get(ending, language="en")
        assert "人对" not in page, ending


async def test_pages_are_packed_for_a_thin_line(served: Served) -> None:
    for ending in ("", "/more", "/items/1"):
        answer = await served.client.get(served.address(ending), headers={"Accept-Encoding": "gzip"})
        assert answer.headers["Content-Encoding"] == "gzip"


async def test_sixty_pupils_and_forty_items_of_long_foreign_and_hostile_words_are_a_page(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>"
    long = "مرحبا " * 30 + "长" * 200
    items = tuple(
        msgspec.structs.replace(ASSIGNMENT.items[n % 20], id=f"{n + 1}", label=None, prompt=(evil, long)[n % 2])
        for n in range(40)
    )
    async for each in serve(tmp_path, msgspec.structs.replace(ASSIGNMENT, items=items, title=evil)):
        for ending in ("", "/more", "/items/2", "/screen"):
            answer = await each.client.get(each.address(ending))
            text = await answer.text()
            assert evil not in text
            assert long in text or ending == "/more"
        assert (await each.body(".pdf")).startswith(b"%PDF")


async def test_what_became_of_mistakes_and_pictures_of_them_stand_on_the_page(tmp_path: Path) -> None:
    async for each in serve(tmp_path, ASSIGNMENT, sheets=False):
        school = each.school
        first = [judged(school.pupils.result(pupil), {0, 1}, reading="83") for pupil in school.pupils.roster.pupils[:4]]
        await school.ingest.take([school.box.envelope(Lane.RESULTS, first)])
        assert "已订正" not in await each.get()
        again = [
            judged(school.pupils.result(school.pupils.roster.pupils[1], attempt=2), {1}),
            judged(school.pupils.result(school.pupils.roster.pupils[2], attempt=2), set()),
        ]
        name = CropName(first[0].capture, "1", 1)
        picture = CropRecord(**name._asdict(), revision=1, sealed=seal(school.school_key, b"RIFF", crop_place(*name)))
        await school.ingest.take([school.box.envelope(Lane.RESULTS, again), school.box.envelope(Lane.CROPS, [picture])])
        page = await each.get()
        card = page.partition('data-key="corrections"')[2].partition("</section>")[0]
        assert "未订正 2</span> 学生01，学生04" in card.replace(FORMULA, "学生01")
        assert "仍错 1</span> 学生02" in card
        assert "已订正 1" in card
        address = f"/schools/no-1/crops/{name.capture.hex()}/1/1"
        assert f'src="{address}"' in page
        item = await each.get("/items/1")
        assert item.count(f'src="{address}"') == 2, "in the group, and beside the pupil"
        assert address not in await each.get("/items/2")
        assert address not in await each.get("/screen")
