"""What a class answered is summed up field by field, in the transaction that adds a page or takes it out."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, update

from gateway.simulated_school import SimulatedSchool
from gateway.store.rollups import COUNTED, ClassPlace, PagePlace, Totals, pack_counts, unpack_counts
from gateway.store.tables.sheets import page_rollups
from sync.lanes import Lane
from sync.records import VERDICT_CODES, PageResult

ON_BOTH = True
PLACE = ClassPlace("a", "3-1", 1)
PAGE = PagePlace(*PLACE, "sheet", 1)


VERDICTS = st.binary(max_size=8).map(lambda some: bytes(code % len(VERDICT_CODES) for code in some))


@given(st.lists(VERDICTS, max_size=6))
def test_each_field_is_counted_under_its_kind_and_out_again_without_a_rest(pages: list[bytes]) -> None:
    """Whatever the lengths: of two boxes one may know a longer page."""
    totals = Totals()
    for verdicts in pages:
        totals.add_fields(PLACE, "sheet", 1, [verdicts], 1)
    sums = totals.fields().get(PAGE, [])
    kinds = [[VERDICT_CODES[code].value for code in verdicts] for verdicts in pages]
    assert sums == [
        sum(page[at] == kind for page in kinds if at < len(page))
        for at in range(max(map(len, pages), default=0))
        for kind in COUNTED
    ]
    assert unpack_counts(pack_counts(sums)) == tuple(sums)
    for verdicts in pages:
        totals.add_fields(PLACE, "sheet", 1, [verdicts], -1)
    assert not any(totals.fields().get(PAGE, []))


def all_blank(page: PageResult) -> PageResult:
    """The next revision of a page, on which nothing is written."""
    items = tuple(msgspec.structs.replace(item, verdict=3) for item in page.items)
    return msgspec.structs.replace(page, revision=2, items=items)


async def counts(school: SimulatedSchool) -> list[tuple[int, ...]]:
    """Of each field of the class's page."""
    async with school.store.reading() as connection:
        (row,) = await connection.execute(select(page_rollups))
    assert (row.class_name, row.attempt, row.page) == ("3-1", 1, 1)
    sums = unpack_counts(row.counts)
    return [sums[at : at + len(COUNTED)] for at in range(0, len(sums), len(COUNTED))]


async def test_the_sums_of_a_class_are_those_of_its_pages_field_by_field(school: SimulatedSchool) -> None:
    results = school.pupils.results()
    kinds = [[VERDICT_CODES[item.verdict].value for item in page.items] for page in results]
    await school.ingest.take([school.box.envelope(Lane.RESULTS, some) for some in (results[:5], results[5:])])
    right = [tuple(sum(page[at] == kind for page in kinds) for kind in COUNTED) for at in range(len(kinds[0]))]
    assert await counts(school) == right
    await school.ingest.take([school.box.envelope(Lane.RESULTS, [all_blank(results[0])])])
    blank = COUNTED.index(VERDICT_CODES[3].value)
    assert [field[blank] for field in await counts(school)] == [
        field[blank] + (kind != "blank") for field, kind in zip(right, kinds[0], strict=True)
    ]
    assert (await school.check()).faults == ()


async def test_a_sum_that_is_wrong_is_told_and_does_not_keep_a_sheet_from_being_stored(
    school: SimulatedSchool,
) -> None:
    """What went wrong before is no reason to lose what comes now."""
    results = school.pupils.results()
    await school.ingest.take([school.box.envelope(Lane.RESULTS, results)])
    async with school.store.writing() as connection:
        await connection.execute(update(page_rollups).values(counts=b""))
    (fault,) = (await school.check()).faults
    assert fault.startswith("no-1: the page rollup ('g3-mul-2x1', '3-1', 1")
    await school.ingest.take([school.box.envelope(Lane.RESULTS, [all_blank(results[0])])])
    assert (await school.report()).sheets == 12
    assert len((await school.check()).faults) == 1
