"""What nobody has thought of: a page that fails says so in words, and a form that never ends is let go of."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientPayloadError, web
from aiohttp.test_utils import TestClient, TestServer

from ui import forms
from ui.forms import sent_form
from ui.pages import SECURITY_HEADERS, page_application

ROOT = Path(__file__).resolve().parents[2]
SECRET = "a name in the trace"


@asynccontextmanager
async def site(templates: Path) -> AsyncIterator[TestClient[Any, Any]]:
    """Pages that fail in several ways. `templates` may spoil what all pages share."""
    app = page_application(templates)

    async def fails(_request: web.Request) -> web.Response:
        raise KeyError(SECRET)

    async def begins(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"first,")
        raise KeyError(SECRET)

    async def takes(request: web.Request) -> web.Response:
        return web.Response(text=str((await sent_form(request)).get("a")))

    app.router.add_get("/pupils/{pupil}", fails)
    app.router.add_get("/begins", begins)
    app.router.add_post("/takes", takes)
    async with TestClient(TestServer(app)) as client:
        yield client


@pytest.mark.parametrize(("language", "words"), [("zh-CN", "是程序的问题"), ("en", "our mistake, not yours")])
async def test_a_page_that_fails_says_so_and_what_to_do_with_a_number_that_is_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, language: str, words: str
) -> None:
    async with site(tmp_path) as client:
        answer = await client.get("/pupils/8f3a5c00", headers={"Accept-Language": language})
        text = await answer.text()
    assert answer.status == 500
    assert words in text
    assert SECRET not in text
    assert {name: answer.headers[name] for name in SECURITY_HEADERS} == SECURITY_HEADERS
    (number,) = re.findall(r"(?:编号|number) ([0-9a-f]{6})", text)
    said = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    assert said == [f"page failed, number {number}: GET /pupils/{{pupil}}"]


async def test_where_the_pages_themselves_are_broken_the_words_come_without_one(tmp_path: Path) -> None:
    (tmp_path / "problem.html").write_text("{{ nothing.of.that }}")
    async with site(tmp_path) as client:
        answer = await client.get("/pupils/1", headers={"Accept-Language": "zh-CN"})
        assert (answer.status, answer.content_type) == (500, "text/plain")
        assert "这一页出错了" in await answer.text()
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_nothing_is_put_behind_an_answer_that_has_begun(tmp_path: Path) -> None:
    async with site(tmp_path) as client:
        answer = await client.get("/begins")
        with pytest.raises(ClientPayloadError):
            assert await answer.read() == b"first,"
        assert answer.status == 200


async def test_a_form_that_never_ends_is_let_go_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forms, "LONG_PATIENCE_S", 0.3)

    async def trickle() -> AsyncIterator[bytes]:
        yield b"a="
        while True:
            yield b"x"
            await asyncio.sleep(0.05)

    async with site(tmp_path) as client, asyncio.timeout(10):
        assert await (await client.post("/takes", data={"a": "7"})).text() == "7"
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept-Language": "zh-CN"}
        answer = await client.post("/takes", data=trickle(), headers=headers)
        assert answer.status == 408
        assert "请求传得太慢" in await answer.text()


def test_every_page_reads_its_form_so() -> None:
    reads = re.compile(r"request\.post\(\)")
    pages = [*ROOT.glob("gateway/**/*.py"), *ROOT.glob("edge/**/*.py")]
    assert [str(page) for page in pages if reads.search(page.read_text(encoding="utf-8"))] == []
