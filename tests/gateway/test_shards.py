"""Everything of a school can lie on one shard: every key and every join carries `school_id`."""

import re
from pathlib import Path

import pytest
from sqlalchemy import Table, UniqueConstraint, func, insert, select, text, update

from gateway.store.schema import metadata
from gateway.store.store import Store
from gateway.store.tables.schools import boxes, schools
from gateway.store.tables.sheets import corrections, lanes, page_records
from tests.gateway.joins import KEY, SHARDED, WIDE, strangers

SCALE = Path(__file__).resolve().parents[2] / "docs" / "scale.md"


@pytest.mark.parametrize("table", metadata.sorted_tables, ids=lambda table: table.name)
def test_every_key_leads_with_the_school(table: Table) -> None:
    if table.name in WIDE:
        assert not any(key.referred_table.name not in WIDE for key in table.foreign_key_constraints)
        return
    unique = [list(index.columns) for index in table.indexes if index.unique]
    unique += [list(c.columns) for c in table.constraints if isinstance(c, UniqueConstraint)]
    for key in [list(table.primary_key.columns), *unique]:
        assert key[0].name == KEY, f"{table.name}: {[column.name for column in key]}"
    for foreign in table.foreign_key_constraints:
        assert next((one.parent.name, one.column.name) for one in foreign.elements) == (KEY, KEY), table.name
    assert table.foreign_key_constraints or table.name == "schools"


HERE = page_records.c.school_id == "no-1"


@pytest.mark.parametrize(
    "statement",
    [
        select(page_records),
        select(func.count()).select_from(schools),
        select(page_records).join(boxes, boxes.c.school_id == page_records.c.school_id),
        select(page_records, boxes).where(HERE, boxes.c.school_id == "no-1"),
        select(page_records).where(
            HERE, page_records.c.seq == select(lanes.c.mark).where(lanes.c.school_id == "no-1").scalar_subquery()
        ),
        select(boxes.c.box_id).where(
            select(lanes.c.mark).where(lanes.c.school_id == boxes.c.school_id).exists(), boxes.c.box_id == "b"
        ),
        update(boxes).where(boxes.c.school_id == "no-1").values(heard_ms=1),
        insert(boxes),
        text("SELECT 1"),
    ],
    ids=lambda statement: str(statement)[:60],
)
def test_what_stays_within_a_school_is_no_stranger(statement: object) -> None:
    assert strangers(statement) == []


pages_of_all = select(page_records).subquery()


@pytest.mark.parametrize(
    "statement",
    [
        select(page_records).join(boxes, boxes.c.box_id == page_records.c.box_id),
        select(page_records, corrections).where(HERE, corrections.c.capture == page_records.c.capture),
        select(page_records, boxes).where(HERE, boxes.c.school_id == "no-2"),
        select(page_records, boxes).where(HERE | (boxes.c.school_id == page_records.c.school_id)),
        select(corrections).join(pages_of_all, pages_of_all.c.capture == corrections.c.capture),
        select(page_records).where(HERE, page_records.c.seq.in_(select(lanes.c.mark))),
        update(boxes).where(
            boxes.c.school_id == "no-1", boxes.c.heard_ms < select(func.max(lanes.c.mark)).scalar_subquery()
        ),
        text("SELECT * FROM page_records JOIN boxes ON page_records.box_id = boxes.box_id"),
    ],
    ids=lambda statement: str(statement)[:60],
)
def test_what_joins_schools_is_one(statement: object) -> None:
    assert strangers(statement) != []


async def test_a_join_across_schools_anywhere_in_the_gateway_is_seen(store: Store, joined: list[str]) -> None:
    """All tests of the gateway look on; see `conftest.py`."""
    async with store.reading() as connection:
        await connection.execute(select(boxes).join(lanes, lanes.c.box_id == boxes.c.box_id))
    assert len(joined) == 1
    joined.clear()


def test_the_script_for_shards_distributes_each_table_of_a_school_after_those_that_it_points_to() -> None:
    said = re.findall(r"create_distributed_table\('(\w+)', 'school_id'", SCALE.read_text(encoding="utf-8"))
    assert sorted(said) == sorted(SHARDED)
    for table in metadata.sorted_tables:
        for key in table.foreign_key_constraints if table.name in SHARDED else ():
            assert said.index(key.referred_table.name) < said.index(table.name)
