"""A pupil's page, its comment, the slips, and the class's page: as they are served."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

import msgspec
import pytest
import pytest_asyncio
from aiohttp.test_utils import TestClient, TestServer

from gateway.config import load_config
from gateway.reports.worker import SummaryWorker
from gateway.simulated_class import plain_layout
from gateway.simulated_school import SimulatedSchool, make_school
from gateway.store.rosters import bring_in
from gateway.store.store import open_store
from gateway.web.changes import Changes
from gateway.web.found import class_address, pupil_address
from gateway.web.rooms import Status
from gateway.web.site import make_site
from homework.roster import Pupil, Roster
from sync.lanes import Lane
from sync.pseudonym import pseudonym
from tests.gateway.judged import judged
from tests.gateway.test_report_pages import ASSIGNMENT, opened, words_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

CLASS_NAME, SIZE = "三年级/2班", 4
EVIL = "<script>x</script>"


@dataclass
class Served:
    client: TestClient
    school: SimulatedSchool
    worker: SummaryWorker

    def address(self, seat: int) -> str:
        pupil = self.school.pupils.roster.pupils[seat - 1]
        return pupil_address("no-1", pseudonym(self.school.school_key, pupil.pupil_id))

    async def get(self, address: str, *, language: str = "zh-CN") -> str:
        answer = await self.client.get(address, params={"language": language})
        assert answer.status == 200, address
        return await answer.text()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def served(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """Eight homeworks of a class of four. The first has the same items wrong each time, the last hands in none."""
    folder = tmp_path_factory.mktemp("served")
    file = folder / "gateway.toml"
    file.write_text('data = "data"\n')
    async with open_store(load_config(file)) as store:
        school = await make_school(store, ASSIGNMENT, class_name=CLASS_NAME, size=SIZE)
        pupils = school.pupils.roster.pupils
        async with store.writing() as connection:
            named = Roster((pupils[0], Pupil(CLASS_NAME, 2, EVIL, pupils[1].pupil_id), *pupils[2:]))
            await bring_in(connection, store.vault, "no-1", named)
        for number in range(1, 9):
            subject = "math" if number % 2 else "chinese"
            items = tuple(
                msgspec.structs.replace(item, knowledge=("进位乘法",) if place < 3 else ("笔算",))
                for place, item in enumerate(ASSIGNMENT.items)
            )
            school.pupils.assignment = msgspec.structs.replace(
                ASSIGNMENT, id=f"hw-{number}", title=f"练习 {number}", items=items, subject=subject
            )
            school.pupils.layout = plain_layout(school.pupils.assignment, sheet=f"S-{number}")
            wrong = ({0, 1, 2}, {5}, set())
            sheets = [
                judged(school.pupils.result(pupils[place]), places, reading="83") for place, places in enumerate(wrong)
            ]
            documents = school.box.envelope(Lane.DOCUMENTS, school.pupils.documents())
            await school.ingest.take([documents, school.box.envelope(Lane.RESULTS, sheets)])
        worker = SummaryWorker(store)
        await worker.catch_up()
        site = make_site(store, Changes(), lambda: Status(broker_connected=True, counts={}))
        async with TestClient(TestServer(site)) as client:
            yield Served(client, school, worker)


async def test_a_weak_point_leads_to_the_sheets_on_which_it_showed(served: Served) -> None:
    page = await served.get(served.address(1))
    card = page.partition("<h2>薄弱点</h2>")[2].partition("</section>")[0]
    assert "进位乘法" in card
    assert card.partition("全部知识点")[0].count("0/12 题对") == 2, "one of each subject"
    assert "笔算" not in card.partition("全部知识点")[0]
    keys = re.findall(r'href="#(sheet-\d+)"', card)
    assert len(keys) == 8
    assert all(f'id="{key}"' in page for key in keys)


async def test_each_sheet_tells_what_was_asked_written_and_right(served: Served) -> None:
    page = await served.get(served.address(1))
    sheet = page.partition('id="sheet-1"')[2].partition("</details>")[0]
    assert "✗ 83" in sheet
    assert ASSIGNMENT.items[0].prompt in sheet
    assert "92" in sheet
    older = page.partition('id="sheet-8"')[2].partition("</details>")[0]
    assert "✗ 83" not in older, "the page holds every item of a whole term"
    address = re.search(r'href="([^"#]*sheet=[^"]*)#sheet-8"', older)
    assert address is not None
    opened_page = await served.get(address[1])
    assert "✗ 83" in opened_page.partition('id="sheet-8" open')[2].partition("</details>")[0]


async def test_nobody_is_compared_with_anybody(served: Served) -> None:
    page = await served.get(served.address(1))
    for words in ("名次", "排名", "第1名", "平均", EVIL, "学生03"):
        assert words not in page


async def test_of_a_pupil_who_handed_in_nothing_it_is_not_said_that_no_point_is_weak(served: Served) -> None:
    page = await served.get(served.address(SIZE))
    assert "没有薄弱点" not in page
    assert "没有明显的薄弱点" not in page
    pdf = await (await served.client.get(f"{served.address(SIZE)}/slip.pdf", params={"language": "zh-CN"})).read()
    with opened(pdf) as document:
        (said,) = words_of(document)
    assert "薄弱" not in said


async def test_a_comment_is_proposed_kept_and_shown_on_the_slip(served: Served) -> None:
    address = served.address(2)
    assert "这是建议，还没有保存" in await served.get(address)
    own = {"Sec-Fetch-Site": "same-origin"}
    text = "字写得很端正。\n继续加油 </textarea><b>"
    answer = await served.client.post(f"{address}/comment", data={"comment": text}, headers=own, allow_redirects=False)
    assert (answer.status, answer.headers["Location"]) == (303, f"{address}#comment")
    page = await served.get(address)
    assert "字写得很端正。\n继续加油 &lt;/textarea&gt;&lt;b&gt;" in page
    assert "已保存" in page
    pdf = await (await served.client.get(f"{address}/slip.pdf", params={"language": "zh-CN"})).read()
    with opened(pdf) as document:
        (said,) = words_of(document)
    assert "字写得很端正" in said.replace(" ", "")
    assert EVIL in said
    await served.client.post(f"{address}/comment", data={"comment": ""}, headers=own)
    assert "这是建议，还没有保存" in await served.get(address)


async def test_another_website_cannot_write_a_comment(served: Served) -> None:
    foreign = {"Sec-Fetch-Site": "cross-site"}
    answer = await served.client.post(f"{served.address(1)}/comment", data={"comment": "x"}, headers=foreign)
    assert answer.status == 403
    whole = {"Sec-Fetch-Site": "same-origin"}
    answer = await served.client.post(f"{served.address(1)}/comment", data={"comment": "长" * 3000}, headers=whole)
    assert answer.status == 413
    assert "8 kB" in await answer.text()


async def test_the_slips_of_a_class_are_one_file_by_seat(served: Served) -> None:
    answer = await served.client.get(f"{class_address('no-1', CLASS_NAME)}/slips.pdf", params={"language": "zh-CN"})
    assert answer.headers["Content-Type"] == "application/pdf"
    with opened(await answer.read()) as document:
        pages = [words.replace(" ", "") for words in words_of(document)]
    assert len(pages) == SIZE
    assert [f"{seat}号" in page for seat, page in enumerate(pages, 1)] == [True] * SIZE
    assert "进位乘法·数学" in pages[0]
    assert "0/12题对" in pages[0]
    assert "没有明显的薄弱点" in pages[1]
    assert "0/8" in pages[3], "who handed in nothing has a slip that says so"


async def test_a_subject_can_be_looked_at_alone(served: Served) -> None:
    both = await served.get(served.address(1))
    assert "数学" in both
    assert "语文" in both
    alone = await served.client.get(served.address(1), params={"subject": "chinese", "language": "zh-CN"})
    page = await alone.text()
    assert page.count('class="sheet"') == 4
    assert "练习 2" in page
    assert "练习 1<" not in page


async def test_the_class_page_leads_to_each_homework_and_each_pupil(served: Served) -> None:
    page = await served.get(class_address("no-1", CLASS_NAME))
    assert "8 份作业" in page
    assert page.count('<a class="line"') == 8
    assert "3/4" in page
    assert all(served.address(seat) in page for seat in range(1, SIZE + 1))
    assert 'class="chart"' in page
    assert EVIL not in page


async def test_what_is_not_here_is_said_so(served: Served) -> None:
    for address in (
        "/schools/no-1/pupils/" + "00" * 16,
        "/schools/no-1/pupils/nonsense",
        "/schools/nobody/classes/3-1",
        "/schools/no-1/classes/9-9",
        "/schools/no-1/classes/9-9/slips.pdf",
    ):
        assert (await served.client.get(address)).status == 404, address
    assert (await served.client.get(served.address(1), params={"term": "never"})).status == 400


async def test_pages_in_english_hold_no_chinese_words_of_ours(served: Served) -> None:
    page = await served.get(served.address(1), language="en")
    assert "Weak points" in page
    assert "薄弱" not in page


@pytest.mark.parametrize("ending", ["", "/slip.pdf"])
async def test_a_pupil_without_any_sheet_has_a_page(served: Served, ending: str) -> None:
    answer = await served.client.get(served.address(4) + ending)
    assert answer.status == 200
