"""What waits for a look is asked and answered at the school; the boxes hear of it, and it can be taken back."""

from __future__ import annotations

import asyncio
import html
import io
import re
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from PIL import Image
from sqlalchemy import func, select

from gateway.correcting import THE_SCHOOL, Sayer, SeenPage, correct, counting_page
from gateway.ingest import Changed
from gateway.reviewing import NotYoursError, answer, take_back, waiting
from gateway.simulated_school import SimulatedSchool, make_school
from gateway.store.crops import CropName
from gateway.store.tables.schools import down_log
from gateway.store.tables.sheets import class_rollups
from gateway.web.changes import Changes
from gateway.web.rooms import Status, report_address
from gateway.web.site import make_site
from gateway.web.words import answer_text
from homework.assignment import Assignment
from homework.corrections import Word
from homework.results import VerdictKind
from homework.review_answers import SeenField
from homework.review_groups import Crop
from sync.clock import SystemClock
from sync.lanes import Lane
from sync.records import CropRecord, crop_place
from sync.sealing import seal
from ui.language import translator

Client = TestClient[web.Request, web.Application]
REVIEW = "/schools/no-1/review"


def everybody(_class_name: str, _assignment: Assignment | None) -> bool:
    return True


@pytest.fixture
async def full(school: SimulatedSchool) -> SimulatedSchool:
    """A class whose sheets have come, some of it in review."""
    await school.ingest.take([school.box.envelope(Lane.DOCUMENTS, school.pupils.documents())])
    await school.ingest.take([school.box.envelope(Lane.RESULTS, school.pupils.results() + school.pupils.results())])
    assert await pending(school) > 0
    return school


@pytest.fixture
async def client(full: SimulatedSchool) -> AsyncIterator[Client]:
    site = make_site(full.store, Changes(), lambda: Status(broker_connected=True, counts={}))
    async with TestClient(TestServer(site)) as opened:
        yield opened


async def pending(school: SimulatedSchool) -> int:
    async with school.store.reading() as connection:
        return int((await connection.execute(select(func.sum(class_rollups.c.pending)))).scalar_one())


async def asked(school: SimulatedSchool) -> list[Crop]:
    async with school.store.reading() as connection:
        found = await waiting(connection, school.school, everybody)
    return [crop for group in found.groups for crop in group.crops]


async def told_down(school: SimulatedSchool) -> int:
    async with school.store.reading() as connection:
        query = select(func.count()).select_from(down_log).where(down_log.c.kind == "correction")
        return int((await connection.execute(query)).scalar_one())


async def test_every_answer_in_review_is_asked_once_and_a_group_is_settled_by_one_word(
    full: SimulatedSchool, client: Client
) -> None:
    crops = await asked(full)
    assert len(crops) == await pending(full) == len({crop.ident for crop in crops})
    page = await (await client.get(REVIEW, headers={"Accept-Language": "en"})).text()
    assert page.count(f'value="{crops[0].ident}"') == 1
    links = re.findall(r"/schools/no-1/review\?group=[0-9a-f]+", page)
    pages = [page, *[await (await client.get(link)).text() for link in links]]
    assert all(sum(f'name="in" value="{crop.ident}"' in page for page in pages) == 1 for crop in crops)
    form = [("do", "say"), *(("in", crop.ident) for crop in crops), *((f"text:{crop.ident}", "92") for crop in crops)]
    done = await client.post(REVIEW, data=form, headers={"Accept-Language": "en"})
    text = await done.text()
    assert await pending(full) == 0
    assert "Nothing waits for you" in text
    assert f"{len(crops)} answer" in text
    assert await told_down(full) == len(crops)
    assert (await full.check()).faults == ()


async def test_what_was_said_a_moment_ago_is_taken_back_whole(full: SimulatedSchool, client: Client) -> None:
    before = await pending(full)
    crops = await asked(full)
    form = [("do", "say"), *(("in", crop.ident) for crop in crops), *((f"text:{crop.ident}", "92") for crop in crops)]
    page = await (await client.post(REVIEW, data=form)).text()
    did = re.search(r'name="did" value="(\d+-\d+)"', page)
    assert did is not None
    await client.post(f"{REVIEW}/undo", data={"did": did[1]})
    assert await pending(full) == before
    assert (await full.check()).faults == ()


async def test_two_people_called_alike_do_not_take_back_each_others_word(full: SimulatedSchool) -> None:
    one, other = Sayer("王老师", 11), Sayer("王老师", 12)
    before, crops = await pending(full), await asked(full)
    words = {SeenField(crop.key, crop.revision, crop.place): Word(right=True) for crop in crops}
    clock, vault = SystemClock().read(), full.store.vault
    async with full.store.writing() as connection:
        said = await answer(connection, vault, "no-1", words, everybody, who=one, clock=clock)
        assert said.orders is not None
        assert await take_back(connection, vault, "no-1", said.orders, everybody, who=other, clock=clock) == 0
    assert await pending(full) == 0
    async with full.store.writing() as connection:
        row = await counting_page(connection, "no-1", bytes.fromhex(crops[0].key))
        assert row is not None
        field = SeenPage(bytes.fromhex(crops[0].key), row.booked.revision, crops[0].place)
        await correct(connection, vault, "no-1", field, Word(right=False), who=other, clock=clock)
        count = await take_back(connection, vault, "no-1", said.orders, everybody, who=one, clock=clock)
    assert count == len(crops) - 1, "of the first field somebody else has had the last word"
    assert await pending(full) == before - 1
    assert (await full.check()).faults == ()


async def test_a_sheet_that_was_looked_at_anew_is_not_answered_by_what_was_seen_before(full: SimulatedSchool) -> None:
    crop = (await asked(full))[0]
    seen = {SeenField(crop.key, crop.revision + 1, crop.place): Word(right=True)}
    async with full.store.writing() as connection:
        done = await answer(
            connection, full.store.vault, "no-1", seen, everybody, who=THE_SCHOOL, clock=SystemClock().read()
        )
    assert (done.done, done.refused) == ((), 1)


async def test_who_may_not_correct_a_class_is_asked_nothing_and_changes_nothing(full: SimulatedSchool) -> None:
    def nobody(_class_name: str, _assignment: Assignment | None) -> bool:
        return False

    crop = (await asked(full))[0]
    async with full.store.reading() as connection:
        assert (await waiting(connection, "no-1", nobody)).groups == ()
    with pytest.raises(NotYoursError):
        async with full.store.writing() as connection:
            await answer(
                connection,
                full.store.vault,
                "no-1",
                {SeenField(crop.key, crop.revision, crop.place): Word(right=True)},
                nobody,
                who=THE_SCHOOL,
                clock=SystemClock().read(),
            )
    assert await told_down(full) == 0


async def test_a_picture_is_shown_where_one_came_and_the_text_where_none_did(
    full: SimulatedSchool, client: Client
) -> None:
    crop = next(crop for crop in await asked(full))
    name = CropName(bytes.fromhex(crop.key), crop.item, crop.blank)
    drawn = io.BytesIO()
    Image.new("L", (60, 20), 255).save(drawn, "WEBP")
    sealed = seal(full.school_key, drawn.getvalue(), crop_place(*name))
    record = CropRecord(capture=name.capture, revision=1, item=name.item, blank=name.blank, sealed=sealed)
    await full.ingest.take([full.box.envelope(Lane.CROPS, [record])])
    page = await (await client.get(REVIEW, headers={"Accept-Language": "en"})).text()
    address = re.search(r'src="(/schools/no-1/crops/[^"?]+)', page)
    assert address is not None
    shown = await client.get(address[1])
    assert shown.content_type == "image/webp"
    assert Image.open(io.BytesIO(await shown.read())).size == (60, 20)
    assert (await client.get(address[1].replace(crop.key, "00" * 16))).status in (403, 404)
    assert "No picture came" in page or len(await asked(full)) == 1


@pytest.mark.parametrize(
    "form",
    [
        {"do": "say", "in": "zz-1-0"},
        {"do": "nothing"},
        {"one": "' OR 1=1--/right/yes"},
        {"one": f"{'00' * 16}-1-9/right/perhaps/x"},
        {"do": "keep", f"points:{'00' * 16}-1-0": "many"},
    ],
)
async def test_an_answer_that_no_page_of_ours_sends_changes_nothing(
    full: SimulatedSchool, client: Client, form: dict[str, str]
) -> None:
    before = await pending(full)
    assert (await client.post(REVIEW, data=form)).status in (200, 400)
    assert await pending(full) == before
    assert await told_down(full) == 0


async def test_after_an_answer_nobody_is_led_out_of_the_school(full: SimulatedSchool, client: Client) -> None:
    crop = (await asked(full))[0]
    for to in ("https://elsewhere.example/", "//elsewhere.example", "/schools/no-1/../../x//y", "/schools/no-2/review"):
        form = {"one": f"{crop.ident}/right/yes", "to": to}
        answered = await client.post(REVIEW, data=form, allow_redirects=False)
        assert answered.status == 303
        assert answered.headers["Location"].startswith(REVIEW)


async def test_a_tap_on_an_answer_turns_its_mark_and_is_taken_back(full: SimulatedSchool, client: Client) -> None:
    item = f"/schools/no-1/classes/3-1/assignments/{full.pupils.assignment.id}/items/1"

    async def right() -> int:
        report = await full.report()
        return next(one.correct for one in report.figures.items if one.item == "1")

    before = await right()
    page = await (await client.get(item)).text()
    tap = re.search(r'name="mark" value="(\d+:1:no)"', page)
    assert tap is not None
    turned = await (await client.post(f"{item}/marks", data={"mark": tap[1]})).text()
    assert await right() == before - 1
    assert f'value="{tap[1].replace("no", "yes")}"' in turned
    await client.post(f"{item}/marks", data={"mark": tap[1]})  # what it shall be, not what is to change
    assert await right() == before - 1
    did = re.search(r'name="did" value="(\d+-\d+)"', turned)
    assert did is not None
    back = await client.post(f"{REVIEW}/undo", data={"did": did[1], "to": item}, allow_redirects=False)
    assert back.headers["Location"].startswith(item)
    assert await right() == before
    for hostile in ("1:1:perhaps", "0:1:yes", "1:1:yes' OR 1=1", "９:1:yes", ""):
        assert (await client.post(f"{item}/marks", data={"mark": hostile})).status == 400
    assert (await full.check()).faults == ()


async def test_a_class_may_be_called_what_an_address_cannot_hold_as_it_is(
    full: SimulatedSchool, client: Client
) -> None:
    """#, ? and / end a part of an address where they are not written in its own way."""
    name = "三#2?/甲 100%"
    odd = await make_school(full.store, full.pupils.assignment, school="no-2", class_name=name)
    await odd.ingest.take([odd.box.envelope(Lane.DOCUMENTS, odd.pupils.documents())])
    await odd.ingest.take([odd.box.envelope(Lane.RESULTS, odd.pupils.results())])
    report = report_address("no-2", name, full.pupils.assignment.id)
    review = await (await client.get(f"{report}/review")).text()
    links = re.findall(r'href="([^"]*[?]group=[^"]*)"', review)
    assert links
    assert (await client.get(html.unescape(links[0]))).status == 200
    page = await (await client.get(f"{report}/items/1")).text()
    (action,) = re.findall(r'action="([^"]*/marks)"', page)
    (tap, *_) = re.findall(r'name="mark" value="(\d+:1:no)"', page)
    turned = await client.post(html.unescape(action), data={"mark": tap})
    assert turned.status == 200
    assert str(turned.url.raw_path) == f"{report}/items/1"
    people = await (await client.get("/schools/no-2/people")).text()
    (link,) = re.findall(r'href="(/schools/no-2/people/classes/[^"]*)"', people)
    assert (await client.get(html.unescape(link))).status == 200
    form = {"one": f"{(await asked(odd))[0].ident}/right/yes", "to": f"{report}/review"}
    back = await client.post("/schools/no-2/review", data=form, allow_redirects=False)
    assert back.headers["Location"].startswith(f"{report}/review?did=")


async def test_a_blank_that_a_teacher_lets_count_is_still_said_to_be_blank(
    full: SimulatedSchool, client: Client
) -> None:
    address = f"/schools/no-1/classes/3-1/assignments/{full.pupils.assignment.id}/items/"
    blanks = [
        (item.id, found[1])
        for item in full.pupils.assignment.items
        for page in [await (await client.get(f"{address}{item.id}")).text()]
        for found in [re.search(r'name="mark" value="(\d+:1:yes)"[^>]*>– ', page)]
        if found is not None
    ]
    assert blanks
    item, tap = blanks[0]
    turned = await (await client.post(f"{address}{item}/marks", data={"mark": tap})).text()
    ((said),) = re.findall(rf'value="{tap.replace("yes", "no")}"[^>]*>([^<]*)<', turned)
    assert said == "✓ 空着"


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        ("56", VerdictKind.CORRECT, "56"),
        ("", VerdictKind.CORRECT, "空着"),
        ("", VerdictKind.WRONG, "空着"),
        (None, VerdictKind.BLANK, "空着"),
        (None, VerdictKind.CORRECT, "老师判对"),
        (None, VerdictKind.WRONG, "老师判错"),
        (None, VerdictKind.REVIEW, "没认出"),
        (None, None, "没认出"),
    ],
)
async def test_what_no_machine_read_and_yet_counts_a_teacher_judged(
    text: str | None, kind: VerdictKind | None, said: str
) -> None:
    assert answer_text(text, kind, translator("zh-CN").gettext) == said


async def test_an_open_review_hears_of_a_sheet_that_comes_in_of_whatever_class(full: SimulatedSchool) -> None:
    changes = Changes()
    with (
        changes.watching(Changed("no-1", None, None)) as review,
        changes.watching(Changed("no-2", None, None)) as other,
    ):
        changes.tell([Changed("no-1", full.pupils.assignment.id, "3-1")])
        assert await asyncio.wait_for(review.wait(), 1)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(other.wait(), 0.05)
