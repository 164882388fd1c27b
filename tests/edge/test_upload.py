"""Pictures from a phone: several at once, to the same worker as a camera's; what is wrong is said, file by file."""

import asyncio
from types import SimpleNamespace
from typing import Any

import aiohttp
import cv2
import numpy as np
import pypdfium2
import pytest
from aiohttp.test_utils import TestClient, TestServer
from aiohttp.web import HTTPForbidden

from edge.frames import Capture
from edge.web import upload
from edge.web.desk import HERE as TEMPLATES_OF_THE_BOX
from edge.web.desk import refuse_strangers
from ui import forms
from ui.pages import page_application


def jpeg(grey: int = 200) -> bytes:
    return cv2.imencode(".jpg", np.full((60, 80, 3), grey, np.uint8))[1].tobytes()


def pdf(pages: int, path: Any) -> bytes:
    document = pypdfium2.PdfDocument.new()
    for _ in range(pages):
        document.new_page(200, 280)
    document.save(path)
    return path.read_bytes()


class Phone:
    def __init__(self, client: TestClient, taken: list[Capture]) -> None:
        self.client, self.taken = client, taken

    async def send(self, *files: tuple[str, bytes], language: str = "en", **headers: str) -> tuple[int, str]:
        form = aiohttp.FormData(default_to_multipart=True)
        form.add_field("taken", b"", filename="", content_type="application/octet-stream")  # an input left empty
        for name, data in files:
            form.add_field("chosen", data, filename=name, content_type="application/octet-stream")
        async with self.client.post(f"/upload?language={language}", data=form, headers=headers) as answer:
            return answer.status, await answer.text()


@pytest.fixture
async def phone():
    taken: list[Capture] = []
    state = SimpleNamespace(open=True)

    def take(capture: Capture) -> bool:
        if state.open:
            taken.append(capture)
        return state.open

    app = page_application(TEMPLATES_OF_THE_BOX / "templates")
    upload.add_upload(app, take=take, guard=refuse_strangers)
    async with TestClient(TestServer(app)) as client:
        made = Phone(client, taken)
        made.state = state  # type: ignore[attr-defined]
        yield made


async def test_the_page_takes_and_chooses_pictures_without_any_script(phone):
    async with phone.client.get("/upload?language=en") as answer:
        page = await answer.text()
    assert 'capture="environment"' in page
    assert "multiple" in page
    assert "<script" not in page


async def test_several_pictures_at_once_reach_the_worker_in_their_order(phone):
    status, page = await phone.send(*((f"IMG_{k}.jpg", jpeg(90 + k)) for k in range(5)))
    assert status == 200
    assert [c.source for c in phone.taken] == [f"IMG_{k}.jpg" for k in range(5)]
    assert [round(c.image.mean()) for c in phone.taken] == [90, 91, 92, 93, 94]
    assert phone.taken[0].original == jpeg(90)
    assert "5 pages were handed over" in page


async def test_every_page_of_a_scan_is_taken(phone, tmp_path):
    _, page = await phone.send(("scan.pdf", pdf(3, tmp_path / "a.pdf")))
    assert [c.page_of_source for c in phone.taken] == [1, 2, 3]
    assert "3 pages" in page


async def test_a_bad_file_is_named_and_costs_none_of_the_others(phone):
    status, page = await phone.send(("a.jpg", b"no picture at all"), ("b.jpg", jpeg()), ("c.docx", b"PK"))
    assert status == 200
    assert [c.source for c in phone.taken] == ["b.jpg"]
    assert "a.jpg is not a picture that can be opened." in page
    assert "c.docx is neither a picture nor a PDF." in page


@pytest.mark.parametrize(("language", "words"), [("en", "larger than"), ("zh-CN", "大于")])
async def test_a_file_that_is_too_large_is_refused_in_both_languages(phone, monkeypatch, language, words):
    monkeypatch.setattr(upload, "MOST_BYTES", 40_000)
    status, page = await phone.send(("big.jpg", bytes(1_000_000)), ("b.jpg", jpeg()), language=language)
    assert status == 200
    assert words in page
    assert [c.source for c in phone.taken] == ["b.jpg"]


async def test_too_many_files_are_told_and_the_first_are_taken(phone, monkeypatch):
    monkeypatch.setattr(upload, "MOST_FILES", 2)
    _, page = await phone.send(*((f"{k}.jpg", jpeg()) for k in range(5)))
    assert len(phone.taken) == 2
    assert page.count("more than 2 files") == 1


async def test_nothing_chosen_is_said(phone):
    status, page = await phone.send()
    assert status == 400
    assert "No picture came." in page


async def test_a_form_of_another_kind_is_refused(phone):
    async with phone.client.post("/upload", data={"chosen": "text"}) as answer:
        assert answer.status == 400


async def test_a_form_that_breaks_off_is_refused_and_the_next_one_is_taken(phone):
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    body = b'--x\r\nContent-Disposition: form-data; name="chosen"; filename="a.jpg"\r\n\r\nhalf a'
    async with phone.client.post("/upload", data=body, headers=headers) as answer:
        assert answer.status == 400
    assert phone.taken == []
    assert (await phone.send(("b.jpg", jpeg())))[0] == 200


HEAD = b'--x\r\nContent-Disposition: form-data; name="chosen"; filename="a.jpg"\r\n\r\n'


async def trickle(head: bytes, *, every_s: float = 0.02) -> Any:
    yield head
    while True:
        await asyncio.sleep(every_s)
        yield b"x"


@pytest.mark.parametrize("head", [HEAD, HEAD.replace(b"a.jpg", b"a.docx"), b"--x\r\nContent-", b"-"])
async def test_a_form_that_never_ends_is_let_go_of_and_the_phone_that_waits_is_served(phone, monkeypatch, head):
    monkeypatch.setattr(forms, "LONG_PATIENCE_S", 0.3)
    headers = {"Content-Type": "multipart/form-data; boundary=x", "Accept-Language": "zh-CN"}
    async with asyncio.timeout(20):
        slow = asyncio.create_task(phone.client.post("/upload", data=trickle(head), headers=headers))
        await asyncio.sleep(0.05)
        assert (await phone.send(("b.jpg", jpeg())))[0] == 200
        answer = await slow
    assert answer.status == 408
    assert "请求传得太慢" in await answer.text()
    assert [c.source for c in phone.taken] == ["b.jpg"]


async def test_a_slow_phone_that_goes_on_sending_is_waited_for(phone, monkeypatch):
    monkeypatch.setattr(forms, "LONG_PATIENCE_S", 0.3)

    async def slowly() -> Any:
        yield HEAD
        picture = jpeg() + bytes(20_000)  # a viewer reads past the end of a JPEG
        for start in range(0, len(picture), 2_000):
            await asyncio.sleep(0.08)
            yield picture[start : start + 2_000]
        yield b"\r\n--x--\r\n"

    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    async with phone.client.post("/upload", data=slowly(), headers=headers) as answer:
        assert answer.status == 200
    assert [c.source for c in phone.taken] == ["a.jpg"]


async def test_a_stranger_s_page_can_send_nothing(phone):
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "http://evil.example"}):
        status, _ = await phone.send(("a.jpg", jpeg()), **headers)
        assert status == HTTPForbidden.status_code
    assert phone.taken == []


@pytest.mark.parametrize(
    "name", ["../../etc/cron.d/x.jpg", "C:\\Users\\x.jpg", "a\u200bb.jpg", "长" * 300 + ".jpg", "..jpg"]
)
async def test_a_wicked_name_is_only_a_name(phone, name):
    status, _ = await phone.send((name, jpeg()))
    assert status == 200
    assert "/" not in phone.taken[0].source
    assert len(phone.taken[0].source) < 90


async def test_a_name_is_shown_as_text(phone):
    _, page = await phone.send(("<b>x.jpg", b"none"))
    assert "<b>x" not in page


async def test_a_box_that_is_being_switched_off_says_so(phone):
    phone.state.open = False
    status, page = await phone.send(("a.jpg", jpeg()))
    assert status == 400
    assert "being switched off" in page


async def test_two_phones_at_once_are_both_served(phone):
    answers = await asyncio.gather(*(phone.send((f"{k}.jpg", jpeg())) for k in range(3)))
    assert [status for status, _ in answers] == [200] * 3
    assert len(phone.taken) == 3
