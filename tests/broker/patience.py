"""Waiting in tests, with a limit that says what everybody was doing when it was reached."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from sync.box_link import BoxLink
from sync.gateway_link import GatewayLink

END_S = 10.0
"""How long a link may take to end: a farewell and a DISCONNECT have two seconds each."""
Link = BoxLink | GatewayLink


@asynccontextmanager
async def running(link: Link) -> AsyncIterator[asyncio.Task[None]]:
    """The link runs as long as the block does, and must end soon after it."""
    task = asyncio.create_task(link.run())
    try:
        yield task
    finally:
        task.cancel()
        await ended(task)


async def ended(task: asyncio.Task[None]) -> None:
    """Wait for the end of a task that was told to end."""
    done, _ = await asyncio.wait([task], timeout=END_S)
    assert done, f"it was told to end, and goes on\n{everybody()}"
    assert task.cancelled(), task.exception()


async def until(what: Callable[[], bool], limit_s: float = 90.0) -> None:
    """Wait for what must become true. The limit only makes sure that a stall says where it is."""
    try:
        async with asyncio.timeout(limit_s):
            while not what():  # noqa: ASYNC110 - what is waited for lies in databases and threads, without events
                await asyncio.sleep(0.02)
    except TimeoutError as error:
        raise AssertionError(f"it did not come\n{everybody()}") from error


def everybody() -> str:
    """Where every task stands."""
    text = io.StringIO()
    for task in asyncio.all_tasks():
        task.print_stack(file=text)
    return text.getvalue()
