"""The audit's queue, when whoever waited for it is called off."""

import asyncio

from gateway.access.access import Access
from gateway.access.audit import lines
from gateway.access.deeds import Thing

ON_BOTH = True


async def test_a_line_is_written_once_whenever_its_reader_goes(access: Access) -> None:
    """A browser that goes away cuts its request off at any moment, also between commit and answer."""
    for step in range(60):
        access.audit.note(1, "test", Thing(), str(step))
        reader = asyncio.create_task(access.audit.flush())
        await asyncio.sleep(step * 0.0003)
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)
    await access.audit.flush()
    async with access.store.reading() as connection:
        written = [line.detail for line in await lines(connection, None)]
    assert sorted(written, key=int) == [str(step) for step in range(60)]
