"""Keys are given to a statement as a table, and found whatever stands in them."""

import itertools
import time
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from gateway.arrivals import Arrived
from gateway.booking import RowName
from gateway.intake import take_in
from gateway.simulated_school import SimulatedSchool
from gateway.store.asking import Asked, array_text
from gateway.store.dialect import lock_schools
from gateway.store.months import known_months
from gateway.store.pages import COLUMNS
from gateway.store.schools import add_school
from gateway.store.store import Store
from gateway.store.tables.sheets import RowState, assignment_months
from sync.records import encode_record
from tests.gateway.databases import on_postgresql

ON_BOTH = True
ODD = ('"', "\\", '\\"}{', "NULL", "", " ", "a,b", "{}", "'", "%(x)s", ":name", "作业-1", "\N{SNOWMAN}\n\t", "x" * 64)


async def test_whatever_a_worksheet_is_called_it_is_found_under_its_name_and_its_school(store: Store) -> None:
    async with store.writing() as connection:
        for school in ("no-1", "no-2"):
            await add_school(connection, store.vault, school)
        rows = [{"school_id": "no-1", "assignment": name, "month": place} for place, name in enumerate(ODD)]
        await connection.execute(assignment_months.insert(), rows)
        assert await known_months(connection, "no-1", [*ODD, "another"]) == {name: n for n, name in enumerate(ODD)}
        assert await known_months(connection, "no-1", ODD[:1]) == {ODD[0]: 0}
        assert await known_months(connection, "no-2", ODD) == {}
        assert await known_months(connection, "no-1", []) == {}


_name = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=8)


@given(st.lists(_name))
def test_an_array_of_texts_is_written_so_that_each_can_be_read_again(names: list[str]) -> None:
    assert _read(array_text("TEXT", names)) == names


def test_bytes_and_numbers_are_written_as_postgresql_reads_them() -> None:
    assert array_text("BYTEA", [b"\x00a", b""]) == '{"\\\\x0061","\\\\x"}'
    assert array_text("INTEGER", [3, -1]) == "{3,-1}"


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_keys_that_differ_in_their_last_value_alone_are_one_row_for_postgresql(dialect: str) -> None:
    asked = Asked("asked", school_id="TEXT", capture="BYTEA")
    keys = [("no-1", b"a"), ("no-2", b"b"), ("no-1", b"c")]
    values = asked.values(dialect, keys)
    if dialect == "sqlite":
        assert values == {"asked": '[["no-1", "61"], ["no-2", "62"], ["no-1", "63"]]'}
    else:
        assert values == {
            "asked_school_id": ["no-1", "no-2"],
            "asked_capture": ['{"\\\\x61","\\\\x63"}', '{"\\\\x62"}'],
        }


def _read(text: str) -> Sequence[str]:
    """An array of texts, by the rules of PostgreSQL's manual (8.15.2)."""
    found: list[str] = []
    place = 1
    while text[place] != "}":
        place += text[place] == ","
        assert text[place] == '"'
        place, value = place + 1, ""
        while text[place] != '"':
            place += text[place] == "\\"
            value += text[place]
            place += 1
        found.append(value)
        place += 1
    return found


@on_postgresql
async def test_a_plan_from_when_there_was_little_does_not_read_what_has_come_since(school: SimulatedSchool) -> None:
    """Its server keeps plans; what is looked for by keys stays a look into an index also before it has counted anew."""
    names = (RowName("box-1", bytes(8), n) for n in itertools.count(1))

    def arrived(first: int) -> list[Arrived]:
        attempts = range(first, first + 12)
        results = [school.pupils.result(pupil, attempt=n) for pupil in school.pupils.roster.pupils for n in attempts]
        return [Arrived(next(names), one, encode_record(one), time.time_ns() // 1_000_000) for one in results]

    async with school.store.writing() as connection:

        async def read() -> int:
            read = "SELECT sum(idx_tup_fetch + seq_tup_read) FROM pg_stat_xact_user_tables WHERE relname LIKE :name"
            return int(await connection.scalar(text(read), {"name": "page_records%"}) or 0)

        await lock_schools(connection, [school.school])
        for turn in range(8):  # the fifth plan is kept
            await take_in(connection, school.school, arrived(1 + 12 * turn))
        other = {"seq": "100000 + n", "capture": "decode(md5(n::text), 'hex')", "state": str(int(RowState.SECOND))}
        values = ", ".join(other.get(name, name) for name in COLUMNS)
        more = f"SELECT {values} FROM page_records, generate_series(1, 20000) n WHERE seq = 1"
        await connection.execute(text(f"INSERT INTO page_records ({', '.join(COLUMNS)}) {more}"))
        before = await read()
        await take_in(connection, school.school, arrived(120))
        assert await read() - before < 1000
