"""The pages of a school's office as a browser asks for them: real store, real site, no network beyond this machine."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp.test_utils import TestClient, TestServer

from gateway.store.store import Store
from gateway.web.changes import Changes
from gateway.web.rooms import Status
from gateway.web.site import make_site

HEADERS = {"Accept-Language": "en", "Sec-Fetch-Site": "same-origin"}


class Office:
    """One reader of the pages."""

    def __init__(self, client: TestClient[Any, Any]) -> None:
        self._client = client

    async def get(self, path: str, *, status: int = 200, **headers: str) -> str:
        """A page's text."""
        async with self._client.get(path, headers={**HEADERS, **headers}) as answer:
            assert answer.status == status, await answer.text()
            return await answer.text()

    async def body(self, path: str, **headers: str) -> bytes:
        """A file."""
        async with self._client.get(path, headers={**HEADERS, **headers}) as answer:
            assert answer.status == 200
            return await answer.read()

    async def post(
        self,
        path: str,
        fields: Mapping[str, str],
        *,
        file: tuple[str, bytes] | None = None,
        status: int = 200,
        **headers: str,
    ) -> str:
        """What a form leads to: the page it is answered with, or the one it sends the browser to."""
        data: Any = dict(fields)
        if file is not None:
            data = aiohttp.FormData(list(fields.items()))
            data.add_field("file", file[1], filename=file[0], content_type="application/octet-stream")
        async with self._client.post(path, data=data, headers={**HEADERS, **headers}) as answer:
            assert answer.status == status, await answer.text()
            return await answer.text()

    async def file(self, path: str, fields: Mapping[str, str]) -> bytes:
        """The file that a form leads to."""
        async with self._client.post(path, data=dict(fields), headers=HEADERS) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.read()


@asynccontextmanager
async def open_office(store: Store) -> AsyncIterator[Office]:
    """The pages over a store."""
    site = make_site(store, Changes(), lambda: Status(broker_connected=True, counts={}))
    async with TestClient(TestServer(site)) as client:
        yield Office(client)


def hidden(page: str, name: str) -> str:
    """The value of a hidden field."""
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found is not None, page
    return html.unescape(found[1])


def said(page: str) -> str:
    """A page's words, without its marks."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())
