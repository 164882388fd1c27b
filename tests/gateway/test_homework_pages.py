"""Homework on the school's pages: typed, worked out, printed, and given to every box."""

import html
import re
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import select

from gateway.simulated_school import SimulatedSchool
from gateway.store.reading import assignments_named, layouts_named
from gateway.store.store import Store
from gateway.store.tables.schools import down_log
from homework.assignment import parse_assignment
from sync.lanes import Lane
from tests.gateway.office import Office, hidden, open_office, said

HOMEWORK = "/schools/no-1/homework"
TYPED = "一、口算（每题 2 分）\n23×4=\n17÷2=\n3 ○ 5\n"


@pytest.fixture
async def office(school: SimulatedSchool, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Office]:
    # Typesetting in a process of its own is tested where that is made; here it would only take its time.
    monkeypatch.setattr("gateway.web.pages.homework.apart", lambda function, *values: function(*values))
    async with open_office(school.store) as opened:
        yield opened


def form(page: str) -> dict[str, str]:
    """What a browser would send of the draft on a page."""
    fields = {name: hidden(page, name) for name in re.findall(r'<input type="hidden" name="([\w-]+)"', page)}
    for name, value in re.findall(r'<input[^>]* name="([\w-]+)" value="([^"]*)"', page):
        fields.setdefault(name, value)
    fields |= dict(re.findall(r'<textarea name="([\w-]+)"[^>]*>([^<]*)</textarea>', page))
    for name, options in re.findall(r'<select name="([\w-]+)">(.*?)</select>', page, re.DOTALL):
        chosen = re.search(r'<option(?: value="([^"]*)")? selected>([^<]*)', options)
        fields[name] = (chosen[1] or chosen[2]) if chosen else ""
    return {name: html.unescape(value) for name, value in fields.items() if not name.startswith("remove-")}


async def down(store: Store) -> list[tuple[str, str]]:
    async with store.reading() as connection:
        standing = select(down_log.c.kind, down_log.c.key).where(down_log.c.packed.is_not(None))
        return [(row.kind, row.key) for row in await connection.execute(standing.order_by(down_log.c.place))]


async def make(office: Office, text: str = TYPED, **fields: str) -> tuple[str, str]:
    """Type homework and keep it: its id, and the page that it leads to."""
    page = await office.post(HOMEWORK + "/new", {"title": "第三单元 口算", "text": text, "do": "read", **fields})
    page = await office.post(HOMEWORK + "/new", {**form(page), **fields, "do": "keep"})
    (name,) = set(re.findall(HOMEWORK + r"/([\w-]+)/answers\.pdf", page))
    return name, page


async def test_homework_is_typed_worked_out_looked_at_kept_and_goes_to_every_box(
    office: Office, school: SimulatedSchool
) -> None:
    assert "There is no homework at this school yet." in await office.get(HOMEWORK)
    page = await office.post(HOMEWORK + "/new", {"title": "第三单元 口算", "text": TYPED, "do": "read"})
    fields = form(page)
    assert [fields[f"answer-{n}"] for n in (1, 2, 3)] == ["92", "8……1", "<"]
    page = await office.post(HOMEWORK + "/new", {**fields, "do": "preview"})
    assert page.count("data:image/png;base64,") == 1
    assert await down(school.store) == []
    name, page = await make(office)
    assert "Kept. Its sheets are known from now on. The boxes get it" in said(page)
    sheets = await down(school.store)
    assert [kind for kind, _key in sheets] == ["assignment", "layout"]
    assert sheets[0] == ("assignment", name)
    async with school.store.reading() as connection:
        assert (await assignments_named(connection, "no-1", [name]))[name].items[0].rule.accepted == (("92",),)
        layout = (await layouts_named(connection, "no-1", [sheets[1][1]]))[sheets[1][1]]
    assert (layout.assignment, len(layout.pages[0].fields)) == (name, 3)
    assert "第三单元 口算 Mathematics · 3 questions · 6 points" in said(await office.get(HOMEWORK))
    assert parse_assignment((await office.body(f"{HOMEWORK}/{name}/assignment.toml")).decode()).id == name


async def test_what_is_printed_is_known_to_the_boxes(office: Office, school: SimulatedSchool) -> None:
    name, _page = await make(office)
    sent = {"copies": "2", "class": "3-1"}
    assert (await office.file(f"{HOMEWORK}/{name}/worksheets.pdf", sent))[:5] == b"%PDF-"
    assert (await office.file(f"{HOMEWORK}/{name}/answers.pdf", {}))[:5] == b"%PDF-"
    assert {kind for kind, _key in await down(school.store)} == {"assignment", "layout"}
    for copies in ("0", "101", "x", "-1", "9" * 5000):
        refused = await office.post(f"{HOMEWORK}/{name}/worksheets.pdf", {"copies": copies}, status=400)
        assert "copies cannot be made at once" in refused


async def test_other_answers_are_the_same_homework_other_questions_are_another(
    office: Office, school: SimulatedSchool
) -> None:
    name, _page = await make(office)
    fields = form(await office.get(f"{HOMEWORK}/{name}/edit"))
    page = await office.post(f"{HOMEWORK}/{name}/edit", {**fields, "answer-1": "93", "do": "keep"})
    assert "those that were marked are marked anew" in page
    assert [key for kind, key in await down(school.store) if kind == "assignment"] == [name]
    page = await office.post(f"{HOMEWORK}/{name}/edit", {**fields, "prompt-1": "24×4=", "answer-1": "96", "do": "keep"})
    assert f"{HOMEWORK}/{name}/" not in page
    assert len([key for kind, key in await down(school.store) if kind == "assignment"]) == 2
    again, _page = await make(office)  # typed anew, while its answers were changed since: that one stays as it is
    assert again == f"{name}-2"


async def test_what_a_box_made_stands_in_the_list_and_is_printed_here(office: Office, school: SimulatedSchool) -> None:
    await school.ingest.take([school.box.envelope(Lane.DOCUMENTS, school.pupils.documents())])
    await school.ingest.take([school.box.envelope(Lane.RESULTS, school.pupils.results())])
    assignment = school.pupils.assignment
    page = said(await office.get(HOMEWORK))
    assert assignment.title in page
    assert "12 sheets" in page
    assert "Questions and answers" in await office.get(f"{HOMEWORK}/{assignment.id}")
    assert "There is nothing older." in await office.get(HOMEWORK + "?before=1")


async def test_sheets_with_names_need_a_class_list(office: Office) -> None:
    name, _page = await make(office, pupil_id="printed")
    assert (await office.file(f"{HOMEWORK}/{name}/worksheets.pdf", {"class": "3-1"}))[:5] == b"%PDF-"
    refused = await office.post(f"{HOMEWORK}/{name}/worksheets.pdf", {"class": "9-9"}, status=400)
    assert "need a class list" in refused


async def test_what_cannot_be_homework_is_said_and_stays_on_the_page(office: Office, school: SimulatedSchool) -> None:
    for fields, word in (
        ({"do": "keep", "title": "x"}, "no question yet"),
        ({"do": "keep", "text": "1+1="}, "has no name"),
        ({"do": "keep", "title": "x", "text": "1+1=", "due": "soon"}, "no day and time"),
        ({"prompt-1": "1+1=", "kind-1": "nothing"}, "another form"),
        ({"prompt-1": "1+1=", "kind-1": "number", "more-1": "[" * 3000}, "another form"),
    ):
        page = await office.post(HOMEWORK + "/new", fields, status=400)
        assert word in said(page), fields
    page = await office.post(HOMEWORK + "/new", {"title": "x"}, file=("a.xlsx", b"PK\x03\x04"), status=400)
    assert "a.xlsx cannot be opened" in page
    page = await office.post(HOMEWORK + "/new", {"title": '"><script>x', "text": "<img src=x> 1+1="})
    assert "<script>x" not in page
    assert "<img src=x>" not in page
    await office.post(HOMEWORK + "/new", {"do": "keep"}, status=403, **{"Sec-Fetch-Site": "cross-site"})
    await office.get(HOMEWORK + "/nothing", status=404)
    assert await down(school.store) == []
    assert (await office.body(HOMEWORK + "/table.xlsx"))[:2] == b"PK"
