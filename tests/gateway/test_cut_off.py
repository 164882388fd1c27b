"""Whoever is cut off in the middle of writing (a browser that goes, a program that ends) keeps nobody else waiting."""

import asyncio

from sqlalchemy import func, insert, select

from gateway.store.store import Store
from gateway.store.tables.schools import leases

ON_BOTH = True
TIMES = 60


async def test_a_writer_that_is_cut_off_lets_the_next_one_write(store: Store) -> None:
    """At whatever moment, and also while its error, and with it its cursor, is still being looked at."""

    async def write(name: str) -> None:
        async with store.writing() as connection:
            await connection.execute(select(func.count()).select_from(leases))
            rows = [{"name": f"{name}.{n}", "holder": "x", "until_ms": 0} for n in range(3)]
            await connection.execute(insert(leases), rows)

    ends = []
    for time in range(TIMES):
        writer = asyncio.create_task(write(f"cut {time}"))
        await asyncio.sleep(time * 0.0002)
        writer.cancel()
        ends += await asyncio.gather(writer, return_exceptions=True)
        async with asyncio.timeout(10):
            await write(f"whole {time}")
    assert any(isinstance(end, asyncio.CancelledError) for end in ends)
    async with store.reading() as connection:
        names = [row.name for row in await connection.execute(select(leases.c.name))]
    assert len([name for name in names if name.startswith("whole")]) == 3 * TIMES
    assert len([name for name in names if name.startswith("cut")]) % 3 == 0
