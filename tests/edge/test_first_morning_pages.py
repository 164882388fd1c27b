"""Class lists, homework and loading as a browser asks for them, and what a browser should not be able to do."""

import io
import re
import zipfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from html import unescape
from pathlib import Path

import msgspec
import pytest
from aiohttp import FormData
from aiohttp.test_utils import TestClient, TestServer
from openpyxl import load_workbook

from edge.documents import FILE_NAME, Documents
from edge.ledger import Ledger
from edge.web.site import make_site
from homework.assignment import Assignment, parse_assignment
from homework.layout import layout_from_json
from homework.roster import Pupil, Roster, roster_to_csv
from homework.sheets import make_sheets
from homework.sheets.printing import files_of
from tests.edge.filing import file, graded
from tests.edge.test_summary_pages import site_of

NATIONAL = "110101199001011239"
CLASS = Roster((Pupil("3-1", 1, "王小明", "a"), Pupil("3-1", 2, "李华", "b"), Pupil("3-2", 1, "张三", "c")))
HEAD = {"title": "口算", "grade": "3", "paper": "A4", "pupil_id": "digits"}


class Desk:
    """A box's pages, with its documents and its ledger at hand."""

    def __init__(self, client: TestClient, documents: Documents, ledger: Ledger, folder: Path) -> None:
        self.client, self.documents, self.ledger, self.folder = client, documents, ledger, folder

    async def get(self, address: str, *, status: int = 200) -> str:
        answer = await self.client.get(address, headers={"Accept-Language": "en"})
        assert answer.status == status
        return unescape(await answer.text())

    async def post(self, address: str, given: Mapping[str, str] | FormData, *, status: int = 200) -> str:
        """The answer's text, or where it leads to (status 303)."""
        answer = await self.client.post(
            address, data=given, headers={"Accept-Language": "en"}, allow_redirects=status != 303
        )
        assert answer.status == status, await answer.text()
        return answer.headers["Location"] if status == 303 else unescape(await answer.text())

    async def keep_list(self, text: str, class_name: str = "") -> None:
        shown = await self.post("/classes", {"list": text, "class": class_name})
        body = re.search(r'name="body" value="([^\n]*)">', shown)
        assert body is not None
        await self.post("/classes/keep", {"body": body[1]}, status=303)

    async def make(self, text: str, **head: str) -> Assignment:
        place = await self.post("/homework/new", {**HEAD, **head, "text": text, "do": "keep"}, status=303)
        found = self.documents.assignment(place.removeprefix("/homework/").partition("?")[0])
        assert found is not None
        return found

    def hand_in(self, assignment: Assignment) -> None:
        sheet = next(layout.sheet for layout in self.documents.layouts() if layout.assignment == assignment.id)
        page = graded("a")
        assert page.record is not None
        record = msgspec.structs.replace(page.record, sheet=sheet, assignment=assignment.id)
        file(self.ledger, replace(page, record=record), 1)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    documents, ledger = Documents(tmp_path), Ledger(tmp_path)
    site = replace(site_of(ledger, documents, tmp_path), sticks=(tmp_path / "media",))
    async with TestClient(TestServer(make_site(site))) as client:
        yield Desk(client, documents, ledger, tmp_path)
    ledger.close()


def rows(items: list[dict[str, str]]) -> dict[str, str]:
    """The form's fields of questions."""
    usual = {"kind": "number", "answer": "", "points": "1", "layer": "A", "options": ""}
    return {f"{key}-{n}": value for n, item in enumerate(items, 1) for key, value in {**usual, **item}.items()}


def person(number: int, pupil: str, seat: str, name: str) -> dict[str, str]:
    """The form's fields of one pupil."""
    return {f"pupil-{number}": pupil, f"seat-{number}": seat, f"name-{number}": name, f"class-{number}": "3-1"}


# --- class lists ---------------------------------------------------------------------------------------------


async def test_nothing_of_a_pasted_list_is_kept_before_it_was_looked_at(desk: Desk) -> None:
    shown = await desk.post("/classes", {"list": "1\t王小明\n2\t李华", "class": "3-1"})
    assert "3-1 · 2 pupils" in shown
    assert desk.documents.roster().pupils == ()
    await desk.keep_list("1\t王小明\n2\t李华", "3-1")
    assert [(p.seat, p.name) for p in desk.documents.roster().of_class("3-1")] == [(1, "王小明"), (2, "李华")]


async def test_a_mistake_is_named_by_its_line_and_the_list_is_still_there(desk: Desk) -> None:
    shown = await desk.post("/classes", {"list": "座号\t姓名\n1\t王小明\n1\t李华", "class": "3-1"}, status=400)
    assert "Line 3 of the roster: seat 1 of class 3-1 was taken on line 2." in shown
    assert "王小明" in shown


async def test_a_national_number_is_never_sent_back(desk: Desk) -> None:
    for text, status in (
        (f"座号\t姓名\t学号\n1\t王小明\t{NATIONAL}", 200),
        (f"座号\t姓名\n1\t王小明\n2\t{NATIONAL}", 400),
        (f"座号\t姓名\t备注\nx\t王小明\t{NATIONAL}", 400),
    ):
        assert NATIONAL not in await desk.post("/classes", {"list": text, "class": "3-1"}, status=status)


async def test_a_newer_list_says_what_changes_and_keeps_whose_results_are_whose(desk: Desk) -> None:
    desk.documents.put_roster(CLASS)
    shown = await desk.post("/classes", {"list": "1\t李华\n2\t赵六", "class": "3-1"})
    assert "another seat" in shown
    assert re.search(r"No longer in the list:</strong> 3-1 01 王小明", shown)
    await desk.keep_list("1\t李华\n2\t赵六", "3-1")
    assert desk.documents.roster().by_id("b") == Pupil("3-1", 1, "李华", "b")
    assert desk.documents.roster().by_id("a") is None
    assert desk.documents.roster().by_id("c") == Pupil("3-2", 1, "张三", "c")


async def test_two_pupils_change_seats_one_is_moved_one_added_and_one_taken_out(desk: Desk) -> None:
    desk.documents.put_roster(CLASS)
    edited = {
        **person(1, "a", "2", "王小明"),
        **person(2, "b", "1", "李 华"),
        **person(3, "", "3", "新来的"),
        **person(4, "", "", ""),
    }
    await desk.post("/classes/one?class=3-1", edited, status=303)
    found = desk.documents.roster()
    assert [(p.seat, p.name) for p in found.of_class("3-1")] == [(1, "李 华"), (2, "王小明"), (3, "新来的")]
    assert [p.pupil_id for p in found.of_class("3-1")[:2]] == ["b", "a"]
    taken = {**edited, "class-1": "3-2", "seat-1": "1"}
    shown = await desk.post("/classes/one?class=3-1", taken, status=400)
    assert "Seat 1 of class 3-2 is taken." in shown
    await desk.post("/classes/one?class=3-1", {**taken, "seat-1": "7", "remove-2": "on"}, status=303)
    found = desk.documents.roster()
    assert [(p.seat, p.pupil_id) for p in found.of_class("3-2")] == [(1, "c"), (7, "a")]
    assert found.by_id("b") is None


async def test_the_list_that_is_saved_is_read_again_by_excel_and_by_the_box(desk: Desk) -> None:
    desk.documents.put_roster(CLASS)
    answer = await desk.client.get("/classes/list.csv?class=3-1")
    body = await answer.read()
    assert body.startswith(b"\xef\xbb\xbf")
    shown = await desk.post("/classes", {"list": body.decode("utf-8")})
    assert "3-1 · 2 pupils" in shown
    assert "new</span>" not in shown
    await desk.get("/classes/list.csv?class=9-9", status=404)


async def test_a_class_name_cannot_become_markup(desk: Desk) -> None:
    evil = '"><script>x'
    await desk.keep_list("1\t王小明", evil)
    answer = await desk.client.get("/classes")
    assert evil not in await answer.text()


# --- homework ------------------------------------------------------------------------------------------------


async def test_typed_lines_are_shown_with_their_answers_before_anything_is_kept(desk: Desk) -> None:
    shown = await desk.post("/homework/new", {**HEAD, "text": "一、口算（每题 2 分）\n23×4=\n17÷2=", "do": "read"})
    assert re.search(r'name="answer-1" value="92"', shown)
    assert re.search(r'name="answer-2" value="8……1"', shown)
    assert "It could also be: 8.5, 17/2" in shown
    assert re.search(r'name="points-2" value="2"', shown)
    assert desk.documents.assignments() == ()


async def test_a_preview_is_a_picture_of_the_real_sheet_and_keeps_nothing(desk: Desk) -> None:
    shown = await desk.post("/homework/new", {**HEAD, "text": "23×4=", "do": "preview"})
    assert "data:image/png;base64," in shown
    assert desk.documents.layouts() == ()


async def test_what_is_kept_is_known_with_its_layout_at_once(desk: Desk) -> None:
    made = await desk.make("23×4=\n3 ○ 5")
    (layout,) = desk.documents.layouts()
    assert layout.assignment == made.id
    assert [field.kind for field in layout.pages[0].fields] == ["number", "compare"]
    assert "口算" in await desk.get("/homework")


async def test_the_worksheets_that_are_printed_carry_the_sheet_that_is_known(desk: Desk) -> None:
    made = await desk.make("23×4=")
    answer = await desk.client.post(f"/homework/{made.id}/worksheets.pdf", data={"copies": "3"})
    assert answer.content_type == "application/pdf"
    direct = make_sheets(made, copies=3)
    assert [layout.sheet for layout in desk.documents.layouts()] == [direct.layout.sheet]
    assert "3 copies made" in await desk.get("/homework")
    assert (await (await desk.client.post(f"/homework/{made.id}/answers.pdf")).read()).startswith(b"%PDF")


@pytest.mark.parametrize("copies", ["0", "101", "-1", "x", "", "9" * 30])
async def test_an_impossible_number_of_copies_is_refused(desk: Desk, copies: str) -> None:
    made = await desk.make("23×4=")
    assert "copies cannot be made" in await desk.post(
        f"/homework/{made.id}/worksheets.pdf", {"copies": copies}, status=400
    )


async def test_sheets_with_names_need_a_class_list_and_then_have_one_for_each(desk: Desk) -> None:
    given = {**HEAD, "pupil_id": "printed", "text": "23×4=", "do": "keep"}
    assert "need a class list" in await desk.post("/homework/new", given, status=400)
    desk.documents.put_roster(CLASS)
    made = await desk.make("23×4=", pupil_id="printed")
    await desk.client.post(f"/homework/{made.id}/worksheets.pdf", data={"class": "3-1"})
    assert "2 copies made" in await desk.get("/homework")


async def test_another_answer_changes_the_key_of_printed_sheets_and_another_question_makes_new_homework(
    desk: Desk,
) -> None:
    made = await desk.make("23×4=")
    edit = {**HEAD, "do": "keep"}
    item = {"prompt": "23×4=", "answer": "92|九十二", "kind": "text", "more": '{"id": "1"}'}
    place = await desk.post(f"/homework/{made.id}/edit", {**edit, **rows([{**item, "kind": "number"}])}, status=400)
    assert "does not go with kind" in place
    good = {**item, "kind": "number", "answer": "92|0092.0", "explanation": "20×4+3×4"}
    place = await desk.post(f"/homework/{made.id}/edit", {**edit, **rows([good])}, status=303)
    assert place == f"/homework/{made.id}?kept=answers"
    changed = desk.documents.assignment(made.id)
    assert changed is not None
    assert changed.items[0].rule.accepted == (("92", "92.0"),)
    assert changed.items[0].explanation == "20×4+3×4"
    desk.hand_in(made)
    other = {**good, "prompt": "24×4=", "answer": "96"}
    place = await desk.post(f"/homework/{made.id}/edit", {**edit, **rows([other])}, status=303)
    assert not place.startswith(f"/homework/{made.id}?")
    assert desk.documents.assignment(made.id) == changed
    assert [a.items[0].prompt for a in desk.documents.assignments()] == ["23×4=", "24×4="]


async def test_an_answer_that_no_longer_fits_its_sum_is_remarked_on(desk: Desk) -> None:
    shown = await desk.post(
        "/homework/new", {**HEAD, **rows([{"prompt": "24×4=", "answer": "92"}]), "text": "", "do": "read"}
    )
    assert "Worked out: 96" in shown


async def test_homework_is_taken_off_the_list_only_while_nobody_handed_it_in(desk: Desk) -> None:
    made = await desk.make("23×4=")
    await desk.post(f"/homework/{made.id}/hide", {}, status=303)
    assert "no homework on this box" in await desk.get("/homework")
    desk.hand_in(made)
    assert "1 handed in" in await desk.get("/homework")
    assert "Somebody has handed this in" in await desk.post(f"/homework/{made.id}/hide", {}, status=400)


async def test_questions_come_from_excel_and_from_an_assignment_file(desk: Desk) -> None:
    template = await (await desk.client.get("/homework/template.xlsx")).read()
    book = load_workbook(io.BytesIO(template))
    sheet = book.active
    assert sheet is not None
    sheet.append(("", "7×8=", "", "1"))
    filled = io.BytesIO()
    book.save(filled)
    toml = '[assignment]\ntitle = "从文件来"\n[[item]]\nkind = "number"\nprompt = "0.1 + x ="\nanswer = "1/2"\n'
    for name, body, words in (
        ("题目.xlsx", filled.getvalue(), 'name="answer-4" value="56"'),
        ("a.toml", toml.encode(), 'value="从文件来"'),
        ("t.csv", "题目,答案\n23×4=,92\n".encode("gb18030"), 'name="answer-1" value="92"'),
    ):
        form = FormData({"do": "read"})
        form.add_field("file", body, filename=name)
        assert words in await desk.post("/homework/new", form)
    bad = FormData({**HEAD, "do": "read", "text": "1+1="})
    bad.add_field("file", b"PK\x03\x04 nonsense", filename="x.xlsx")
    shown = await desk.post("/homework/new", bad, status=400)
    assert "x.xlsx cannot be opened" in shown
    assert "1+1=" in shown


async def test_what_an_assignment_file_says_beyond_the_form_is_kept(desk: Desk) -> None:
    toml = (
        '[assignment]\nid = "own-id"\ntitle = "x"\n[[item]]\nid = "q"\nkind = "number"\nprompt = "一半"\n'
        'answer = "1/2"\n'
        'form = "proper"\nunit = "cm"\nvideo = "https://example.org/v"\n'
    )
    desk.documents.put_assignment(parse_assignment(toml))
    shown = await desk.get("/homework/own-id/edit")
    more = re.search(r'name="more-1" value="([^\n]*)">', shown)
    assert more is not None
    edit = {"title": "x", "paper": "A4", "pupil_id": "digits", "subject": "math", "do": "keep"}
    item = {"prompt": "一半", "answer": "2/4", "more": more[1]}
    await desk.post("/homework/own-id/edit", {**edit, **rows([item])}, status=303)
    found = desk.documents.assignment("own-id")
    assert found is not None
    rule = found.items[0].rule
    assert (rule.accepted, rule.form, rule.unit, found.items[0].video) == (
        (("2/4",),),
        "proper",
        "cm",
        "https://example.org/v",
    )


@pytest.mark.parametrize(
    "more",
    ["[1]", "{", '"x"', '{"id": {}}', '{"answer": "93", "kind": "open"}', '{"blanks": 1e9}', '{"evil": 1}', "[" * 9999],
)
async def test_a_form_that_no_page_of_ours_made_is_refused_or_harmless(desk: Desk, more: str) -> None:
    given = {**HEAD, **rows([{"prompt": "23×4=", "answer": "92", "more": more}]), "do": "keep"}
    answer = await desk.client.post("/homework/new", data=given, allow_redirects=False)
    assert answer.status in (303, 400)
    for made in desk.documents.assignments():
        assert made.items[0].rule.accepted == (("92",),)


async def test_strangers_change_nothing(desk: Desk) -> None:
    made = await desk.make("23×4=")
    for address in (
        "/classes",
        "/classes/keep",
        "/classes/one?class=3-1",
        "/homework/new",
        f"/homework/{made.id}/edit",
        f"/homework/{made.id}/hide",
        f"/homework/{made.id}/worksheets.pdf",
        "/start/load",
        "/start/stick",
        "/start/damage",
    ):
        answer = await desk.client.post(address, data={"x": "y"}, headers={"Sec-Fetch-Site": "cross-site"})
        assert answer.status == 403, address


async def test_homework_that_is_not_there_is_not_found(desk: Desk) -> None:
    for address in ("/homework/none", "/homework/none/edit", "/homework/..%2f..%2fx", "/classes/one?class=9-9"):
        await desk.get(address, status=404)


# --- first steps and loading ---------------------------------------------------------------------------------


async def test_each_step_says_whether_it_is_done(desk: Desk) -> None:
    assert (await desk.get("/start")).count('class="card done"') == 0
    desk.documents.put_roster(CLASS)
    assert (await desk.get("/start")).count('class="card done"') == 1
    made = await desk.make("23×4=")
    assert (await desk.get("/start")).count('class="card done"') == 2
    desk.hand_in(made)
    assert (await desk.get("/start")).count('class="card done"') == 3


def print_run() -> dict[str, bytes]:
    assignment = parse_assignment(
        '[assignment]\ntitle = "装入"\n[[item]]\nkind = "number"\nprompt = "1+1="\nanswer = 2\n'
    )
    return files_of(make_sheets(assignment))


def upload(files: Mapping[str, bytes]) -> FormData:
    form = FormData()
    for name, body in files.items():
        form.add_field("files", body, filename=name)
    return form


def zipped(files: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as parts:
        for name, body in files.items():
            parts.writestr(name, body)
    return out.getvalue()


async def test_what_was_printed_elsewhere_is_loaded_from_files_from_a_zip_and_from_a_stick(desk: Desk) -> None:
    made = {**print_run(), "roster.csv": roster_to_csv(CLASS).encode("utf-8-sig")}
    sheet = layout_from_json(made["layout.json"]).sheet
    stick = desk.folder / "media" / "user" / "STICK" / "classbox" / "monday"
    stick.mkdir(parents=True)
    for name, body in made.items():
        (stick / name).write_bytes(body)
    ways = {
        "/start/load": upload({name: made[name] for name in ("layout.json", "assignment.toml", "roster.csv")}),
        "/start/load?": upload({"out.zip": zipped({f"out/{name}": body for name, body in made.items()})}),
        "/start/stick": FormData({"x": "y"}),
    }
    for address, form in ways.items():
        (desk.folder / FILE_NAME).unlink(missing_ok=True)
        for other in desk.folder.glob("documents.*"):
            other.unlink()
        assert desk.documents.layouts() == ()
        shown = await desk.post(address, form)
        assert "Loaded: 装入, 1 pages, 1 items. Pupils: 3." in shown
        assert [layout.sheet for layout in desk.documents.layouts()] == [sheet]
        assert len(desk.documents.roster().pupils) == 3


async def test_a_zip_for_another_box_is_loaded_there(desk: Desk) -> None:
    desk.documents.put_roster(CLASS)
    made = await desk.make("23×4=")
    packed = await (await desk.client.post(f"/homework/{made.id}/classbox.zip")).read()
    for old in desk.folder.glob("documents*"):
        old.unlink()
    await desk.post("/start/load", upload({"x.zip": packed}))
    assert desk.documents.assignment(made.id) == made
    assert desk.documents.roster() == CLASS


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({}, "No file came"),
        ({"a.txt": b"x"}, "nothing to load"),
        ({"layout.json": b"{"}, ""),
        ({"x.zip": b"PK\x03\x04 nonsense"}, "x.zip is damaged"),
        ({"x.zip": zipped({f"{n}": b"" for n in range(700)})}, "more in x.zip"),
        ({"roster.csv": b"class,seat,name\n3-1,1,\n"}, "Line 2"),
    ],
)
async def test_what_cannot_be_loaded_is_said_and_changes_nothing(
    desk: Desk, files: dict[str, bytes], words: str
) -> None:
    form = upload(files) if files else FormData({"x": "y"})
    shown = await desk.post("/start/load", form, status=400)
    assert 'role="alert"' in shown
    assert words in shown
    assert desk.documents.layouts() == ()
    assert desk.documents.roster().pupils == ()


async def test_one_bad_print_run_among_good_ones_keeps_none(desk: Desk) -> None:
    made = print_run()
    files = {f"a/{name}": body for name, body in made.items()} | {"b/layout.json": b"{}"}
    await desk.post("/start/load", upload({"x.zip": zipped(files)}), status=400)
    assert desk.documents.layouts() == ()


async def test_no_stick_is_said_with_what_to_do(desk: Desk) -> None:
    assert "No stick with a folder" in await desk.post("/start/stick", {"x": "y"}, status=400)


async def test_damage_is_told_on_the_page_until_a_person_has_looked(desk: Desk) -> None:
    desk.documents.put_roster(CLASS)
    desk.documents.put_setting("x", "y")
    (desk.folder / FILE_NAME).write_bytes(b"?")
    assert "was damaged; the copy before its last change is in use" in await desk.get("/start")
    await desk.post("/start/damage", {}, status=303)
    assert "damaged" not in await desk.get("/start")
    assert desk.documents.roster() == CLASS
