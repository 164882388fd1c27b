"""Style sheets and scripts come packed, once, and a changed one at once; nothing else of the disk comes out."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from ui.assets import address_in, asset, served_from


def serving(folder: Path) -> TestClient[web.Request, web.Application]:
    app = web.Application()
    app.router.add_get("/static/{name}", served_from(folder))
    return TestClient(TestServer(app), auto_decompress=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.css").write_text("b { color: red }\n" * 100, encoding="utf-8")
    (tmp_path / ".hidden").write_text("secret", encoding="utf-8")
    (tmp_path.parent / "outside.css").write_text("secret", encoding="utf-8")
    return tmp_path


async def test_a_file_comes_packed_and_is_kept_for_a_year_under_its_digest(folder: Path) -> None:
    address = address_in(folder, "/static", "a.css")
    assert re.fullmatch(r"/static/a\.css\?[0-9a-f]{8}", address)
    async with serving(folder) as client:
        answer = await client.get(address, headers={"Accept-Encoding": "gzip, br"})
        body = await answer.read()
        assert (answer.headers["Content-Encoding"], answer.headers["Vary"]) == ("gzip", "Accept-Encoding")
        assert gzip.decompress(body) == (folder / "a.css").read_bytes()
        assert len(body) < 200
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert answer.headers["Content-Type"] == "text/css; charset=utf-8"
        plain = await client.get(address, headers={"Accept-Encoding": "identity"})
        assert await plain.read() == (folder / "a.css").read_bytes()
        known = await client.get("/static/a.css", headers={"If-None-Match": answer.headers["ETag"]})
        assert (known.status, await known.read()) == (304, b"")


async def test_under_another_digest_it_is_asked_for_again(folder: Path) -> None:
    """A page of before an update must not nail the new file to the old address."""
    async with serving(folder) as client:
        for address in ("/static/a.css", "/static/a.css?00000000"):
            assert (await client.get(address)).headers["Cache-Control"] == "no-cache"


async def test_nothing_but_the_files_of_the_folder_comes_out(folder: Path) -> None:
    async with serving(folder) as client:
        odd = (
            ".hidden",
            "..%2foutside.css",
            "%2e%2e%2foutside.css",
            "a.css%00",
            "%2fetc%2fpasswd",
            "..",
            "b.css",
            "x" * 300,
        )
        for name in (*odd, "..%5coutside.css"):
            assert (await client.get(f"/static/{name}")).status in (403, 404), name
    assert asset(folder, "../outside.css") is None
    with pytest.raises(FileNotFoundError):
        address_in(folder, "/static", "not-there.css")
