"""The pages of a school, of the district and of a teacher's week, as they are served."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date

import msgspec
import pytest
import pytest_asyncio
from aiohttp.test_utils import TestClient, TestServer

from gateway.config import load_config
from gateway.reports.figures import DistrictFigures, Freshness, PointCell, PointLine, SchoolLine, State
from gateway.reports.periods import term_of
from gateway.reports.week import WEEK_COLUMNS, week_line
from gateway.reports.worker import SummaryWorker
from gateway.simulated_class import SimulatedClass, make_roster
from gateway.simulated_school import make_school
from gateway.store.rosters import bring_in
from gateway.store.schools import add_school
from gateway.store.store import open_store
from gateway.web.changes import Changes
from gateway.web.figure_view import district_page
from gateway.web.rooms import Status
from gateway.web.site import make_site
from homework.roster import Roster
from sync.lanes import Lane
from sync.records import Tally
from tests.gateway.test_report_pages import ASSIGNMENT

pytestmark = pytest.mark.asyncio(loop_scope="module")

LARGE, SMALL = 12, 5
KNOWLEDGE = "进位乘法"


@dataclass
class Served:
    client: TestClient

    async def get(self, address: str, **params: str) -> str:
        answer = await self.client.get(address, params={"language": "zh-CN", **params})
        assert answer.status == 200, address
        return await answer.text()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def served(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """A school with a class of twelve and one of five that did the same homework, and a school without anything."""
    folder = tmp_path_factory.mktemp("served")
    file = folder / "gateway.toml"
    file.write_text('data = "data"\n')
    items = tuple(msgspec.structs.replace(item, knowledge=(KNOWLEDGE,)) for item in ASSIGNMENT.items)
    assignment = msgspec.structs.replace(ASSIGNMENT, items=items, minutes=90)
    async with open_store(load_config(file)) as store:
        school = await make_school(store, assignment, class_name="3-1", size=LARGE)
        small = SimulatedClass(assignment, make_roster("3-2", SMALL), school_key=school.school_key, seed=2)
        async with store.writing() as connection:
            both = Roster((*school.pupils.roster.pupils, *small.roster.pupils))
            await bring_in(connection, store.vault, "no-1", both)
            await add_school(connection, store.vault, "no-2")
        documents = school.box.envelope(Lane.DOCUMENTS, school.pupils.documents())
        results = [*school.pupils.results()[:-1], *small.results()]
        rest = dict.fromkeys(("corrections", "twice", "asked", "not_graded", "withdrawn"), 0)
        has = Tally(
            clock=results[0].clock, assignment=assignment.id, class_name="3-1", expected=LARGE, slid=LARGE - 1,
            places=tuple((seat, 1) for seat in range(1, LARGE)), **rest,
        )  # fmt: skip
        await school.ingest.take(
            [documents, school.box.envelope(Lane.RESULTS, results), school.box.envelope(Lane.HEALTH, [has])]
        )
        await SummaryWorker(store).catch_up()
        site = make_site(store, Changes(), lambda: Status(broker_connected=True, counts={}))
        async with TestClient(TestServer(site)) as client:
            yield Served(client)


async def test_a_line_of_a_week_has_everything_in_its_place() -> None:
    row = {column.name: place for place, column in enumerate(WEEK_COLUMNS, 1)} | {"day": 20261201, "title": ""}
    line = week_line([row[column.name] for column in WEEK_COLUMNS])
    named = ("assignment", "subject", "expected", "handed_in", "late", "pending", "again_owes", "again_done", "minutes")
    assert {name: getattr(line, name) for name in named} == {name: row[name] for name in named}
    assert (line.school, line.class_name, line.title) == (row["school_id"], row["class_name"], row["assignment"])
    assert (line.day, line.finished_ms, line.minutes_estimated) == (date(2026, 12, 1), row["finished_ms"], True)
    assert (line.missing, line.reteach) == (row["expected"] - row["handed_in"], row["reteach_n"])
    assert line.mean_rate == row["rate_sum_ppm"] / row["settled"] / 1_000_000


async def test_the_district_leads_to_the_school_and_the_school_to_class_homework_and_item(served: Served) -> None:
    """One click each, from the district down to who wrote what."""
    address = "/district"
    for link in (
        r'href="(/schools/no-1)"',
        r'href="(/schools/no-1/classes/3-1)"',
        r'href="(/schools/no-1/classes/3-1/assignments/[^"/.]+)"',
        r'href="(/schools/no-1/classes/3-1/assignments/[^"]+/items/1)"',
    ):
        found = re.search(link, await served.get(address))
        assert found is not None, (address, link)
        address = found[1]
    assert "写成什么样" in await served.get(address)


async def test_the_district_says_how_many_schools_are_in_a_figure_and_greys_those_that_lag(served: Served) -> None:
    page = await served.get("/district")
    assert "2 所学校中 1 所数据齐全" in page
    assert "1 所还没有数据" in page
    rows = re.findall(r"<tr( class=\"late-data nothing\")?><th scope=\"row\"><a href=\"/schools/(no-\d)\"", page)
    assert rows == [("", "no-1"), (' class="late-data nothing"', "no-2")]
    assert "截至" in page


@pytest.mark.parametrize(
    ("address", "parts"),
    [("/schools/no-1", ("adoption", "knowledge", "load")), ("/district", ("adoption", "knowledge", "load"))],
)
async def test_each_question_has_a_headline_and_a_title_of_its_own(
    served: Served, address: str, parts: tuple[str, ...]
) -> None:
    pages = [await served.get(address), *[await served.get(f"{address}/{part}") for part in parts]]
    for pattern in (r"<h1>(.*?)</h1>", r"<title>(.*?)</title>"):
        said = [re.findall(pattern, page)[0] for page in pages]
        assert len(set(said)) == len(pages), said
    for page in pages[1:]:
        assert page.count(re.findall(r"<h1>(.*?)</h1>", page)[0]) == 1, "said twice"


async def test_the_head_reads_that_all_has_come_and_not_that_anybody_was_let_off(served: Served) -> None:
    page = await served.get("/schools/no-1")
    assert "已拍的作业都传到了。" in page
    assert "放过" not in page


async def test_each_figure_of_a_school_has_its_word_where_the_heading_is_left_out(served: Served) -> None:
    row = (await served.get("/district")).partition('href="/schools/no-1"')[2].partition("</tr>")[0]
    assert re.findall(r'data-label="([^"]+)">2/2<', row) == ["班级"]
    assert 'data-label="份数"' in row


async def test_no_name_of_a_pupil_stands_on_the_pages_of_school_and_district(served: Served) -> None:
    for part in ("", "/adoption", "/knowledge", "/load"):
        assert "学生0" not in await served.get(f"/schools/no-1{part}")
    for part in ("", "/adoption", "/knowledge", "/load", "/freshness"):
        assert "学生0" not in await served.get(f"/district{part}")


async def test_figures_of_five_pupils_are_said_to_be_too_few_and_nowhere_told(served: Served) -> None:
    page = await served.get("/schools/no-1/knowledge")
    row = page.partition(f"<b>{KNOWLEDGE}</b>")[2].partition("</details>")[0]
    cells = re.findall(r'<th scope="row"><a href="[^"]*">(3-\d)</a></th>.*?<td class="number[^"]*">([^<]*)<', row)
    told = dict(cells)
    assert told["3-2"] == "不显示"
    assert "个数字不显示：不足十人，或能让人推算出不足十人的数字" in page


async def test_the_schools_of_a_point_are_one_click_from_the_district(served: Served) -> None:
    page = await served.get("/district")
    link = re.search(r'class="point-row" href="([^"]*knowledge[^"]*)"', page)
    assert link is not None
    opened = await served.get(link[1].replace("&amp;", "&"))
    assert 'id="opened"' in opened
    assert 'href="/schools/no-1"' in opened.partition('id="opened"')[2]


async def test_minutes_are_not_judged_while_a_subject_is_missing(served: Served) -> None:
    page = await served.get("/schools/no-1/load")
    assert "90 分钟" in page
    assert "学科不全，所以不与时长上限比较" in page
    assert "▲" not in page
    assert "没有测量学生实际用时" in page


async def test_a_week_tells_what_waits_and_goes_back_and_forth(served: Served) -> None:
    page = await served.get("/week")
    assert "2 份作业" in page
    assert "11/12" in page
    assert "未交 1" in page
    before = re.search(r'href="(/week\?of=[\d-]+)"', page)
    assert before is not None
    assert "这一周没有作业" in await served.get(before[1])
    for odd in ("0001-01-01", "9999-12-31", "nonsense"):
        assert (await served.client.get("/week", params={"of": odd})).status == 200


async def test_the_start_page_has_a_door_to_each_of_them(served: Served) -> None:
    page = await served.get("/")
    for address in ("/week", "/district", "/schools/no-1", "/schools/no-2"):
        assert f'href="{address}"' in page


@pytest.mark.parametrize("address", ["/schools/nobody", "/schools/no-1/nonsense", "/district/nonsense"])
async def test_what_is_not_here_is_said_so(served: Served, address: str) -> None:
    assert (await served.client.get(address)).status == 404


@pytest.mark.parametrize("query", [{"term": "x"}, {"grade": "0"}, {"grade": "99"}, {"grade": "三"}])
async def test_what_is_no_term_and_no_grade_is_refused_in_words(served: Served, query: dict[str, str]) -> None:
    answer = await served.client.get("/district", params={"language": "zh-CN", **query})
    assert answer.status == 400
    assert "Write" not in await answer.text()


async def test_an_empty_term_and_an_empty_school_are_pages_too(served: Served) -> None:
    for address in ("/district", "/schools/no-1", "/schools/no-2"):
        assert "0/0" not in await served.get(address, term="2020-spring")


def made_up(schools: int) -> DistrictFigures:
    fresh = Freshness(state=State.SILENT, boxes=1, heard=0, behind=0, under_way=0, as_of_ms=None, told_ms=None)
    line = SchoolLine(
        school="", title="", classes=9, active=8, assignments=70, handed_in=None, expected=None, freshness=fresh
    )
    hidden = PointCell(name="x", correct=None, n=None, pupils=None)
    names = [f"s{number:03}" for number in range(schools)]
    return DistrictFigures(
        term=term_of(date(2026, 11, 30)), subject=None, grade=None,
        schools=tuple(msgspec.structs.replace(line, school=name, title=f"第{name}小学") for name in names),
        adoption=(), points=(PointLine(subject="math", grade=3, whole=hidden, parts=()),), load=(), activity=(),
        left_out=7, as_of_ms=None, complete=0, behind=0, untold=0, silent=schools, nothing=0,
    )  # fmt: skip


async def test_without_homework_nothing_is_hidden_there_is_nothing() -> None:
    figures = made_up(1)
    (line,) = figures.schools
    idle = msgspec.structs.replace(figures, schools=(msgspec.structs.replace(line, active=0, assignments=0),))
    (row,) = district_page(idle, "zh-CN", today=date(2026, 11, 30), go=lambda _: "").schools
    assert (row.counts.homework, row.counts.sheets) == ("0", "–")


async def test_a_figure_that_is_hidden_is_in_no_sentence_and_no_order() -> None:
    page = district_page(made_up(3), "zh-CN", today=date(2026, 11, 30), go=lambda _: "")
    assert page.points == ()
    assert page.points_say == "数据还太少，说不出什么。"
    assert {row.counts.sheets for row in page.schools} == {"不显示"}
    assert [row.name for row in page.schools] == sorted(row.name for row in page.schools)
    assert page.hidden == "有 7 个数字不显示：不足十人，或能让人推算出不足十人的数字。"
