"""The benchmark's term comes into a real store as boxes would bring it, and loading can be stopped and go on."""

from datetime import date

from sqlalchemy import func, select

from benchmarks._district import DAYS, District, Size
from benchmarks._district_load import load_schools, make_term_months, prepare
from gateway.store.check import check
from gateway.store.tables.sheets import RowState, page_records

ON_BOTH = True
SMALL = Size(schools=2, teachers=9, pupils=130, given=12, sheets=400)


async def test_a_term_that_was_stopped_half_way_goes_on_and_counts_every_sheet_once(config, store):
    district = District(SMALL, first_day=date(2026, 8, 31))
    await prepare(store, district)
    await make_term_months(config, district)
    half = await load_schools(store, district, [0, 1], DAYS // 2)
    await prepare(store, district)  # nothing is made twice
    rest = await load_schools(store, district, [0, 1], DAYS)
    again = await load_schools(store, district, [0, 1], DAYS)
    assert half["records"] > 0
    assert rest["records"] > 0
    assert again["records"] == 0
    async with store.reading() as connection:
        result = await check(connection)
        pages = page_records.c.attempt, func.count()
        current = page_records.c.state == int(RowState.CURRENT)
        rows = await connection.execute(select(*pages).where(current).group_by(page_records.c.attempt))
        by_attempt = dict(rows.all())
        months = set((await connection.execute(select(page_records.c.month).distinct())).scalars())
    assert result.faults == ()
    assert result.counted == SMALL.sheets
    assert months <= {202608, 202609, 202610, 202611, 202612}
    assert len(months) > 1
    classes = [one for school in district.schools for one in school.classes]
    assert by_attempt == {1: sum(one.first for one in classes), 2: sum(one.again for one in classes)}
