"""Nobody who is slow, or many, keeps others from the pages and the interface."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

import gateway.app
from gateway.config import load_config
from ui.supervisor import Supervisor

PATIENCE_S, MOST = 0.3, 20


async def _answer(_request: web.Request) -> web.Response:
    return web.Response(text="inside")


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[str]:
    config = folder / "gateway.toml"
    config.write_text('data = "data"\n[web]\nlisten = "127.0.0.1:0"\n')
    app = web.Application()
    app.router.add_get("/", _answer)
    async with gateway.app._serving(load_config(config), app, Supervisor({})) as url:
        yield url


@pytest.fixture(autouse=True)
def limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway.app, "_FIRST_REQUEST_S", PATIENCE_S)
    monkeypatch.setattr(gateway.app, "_MOST_OF_AN_ADDRESS", MOST)


async def connected(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, port = url.removeprefix("http://").rstrip("/").split(":")
    return await asyncio.open_connection(host, int(port))


async def ended(reader: asyncio.StreamReader) -> bool:
    with contextlib.suppress(ConnectionError):
        return await asyncio.wait_for(reader.read(1), 15) == b""
    return True


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert (await reader.readuntil(b"inside")).startswith(b"HTTP/1.1 200")


async def answered(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection that has asked once. On a busy machine its request may have come too late: then another."""
    loop = asyncio.get_running_loop()
    while True:
        began_s = loop.time()
        connection = await connected(url)
        try:
            await ask(*connection)
        except (ConnectionError, asyncio.IncompleteReadError):
            assert loop.time() - began_s > PATIENCE_S
        else:
            return connection


async def test_whoever_says_nothing_or_trickles_a_request_is_let_go_and_others_are_answered(tmp_path: Path) -> None:
    async with serving(tmp_path) as url:
        silent, _ = await connected(url)
        slow, writer = await connected(url)

        async def trickle() -> None:
            with contextlib.suppress(ConnectionError):
                for sign in b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 1_000:
                    writer.write(bytes([sign]))
                    await writer.drain()
                    await asyncio.sleep(0.02)

        trickling = asyncio.create_task(trickle())
        _, other = await answered(url)
        other.close()
        assert await ended(silent)
        assert await ended(slow)
        trickling.cancel()


async def test_whoever_has_asked_once_may_wait_before_asking_again(tmp_path: Path) -> None:
    async with serving(tmp_path) as url:
        reader, writer = await answered(url)
        for _ in range(2):
            await asyncio.sleep(2 * PATIENCE_S)
            await ask(reader, writer)
        writer.close()


async def test_one_address_has_only_so_many_connections(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway.app, "_FIRST_REQUEST_S", 60.0)  # nobody is let go because of silence
    async with serving(tmp_path) as url:
        held = [await connected(url) for _ in range(MOST)]
        await asyncio.sleep(0.1)
        reader, _ = await connected(url)
        assert await ended(reader)
        for _, writer in held:
            writer.close()
        async with asyncio.timeout(30):  # the gateway hears a little later that they are closed
            while True:
                connection = await connected(url)
                with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                    await ask(*connection)
                    break
                await asyncio.sleep(0.02)
        connection[1].close()
