import itertools
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks._postgresql import PostgreSQL
from gateway.booking import BookedRow, RowName, Slot, decide
from gateway.config import load_config
from gateway.simulated_school import make_school
from gateway.store.store import open_store
from gateway.store.tables.sheets import RowState
from homework.assignment import Assignment, parse_assignment
from sync.lanes import Lane
from sync.records import PageResult
from tests.gateway.databases import store_lines

CAPTURES = [bytes([n]) * 16 for n in range(1, 6)]
SLOTS = [Slot("a", bytes([n]) * 8, 1, 1) for n in range(1, 4)]


@st.composite
def some_rows(draw: st.DrawFn) -> list[BookedRow]:
    seqs = range(1, draw(st.integers(1, 12)) + 1)
    return [
        BookedRow(
            name=RowName("box", b"\0" * 8, seq),
            capture=draw(st.sampled_from(CAPTURES)),
            revision=draw(st.integers(1, 3)),
            duplicate_of=draw(st.none() | st.sampled_from(CAPTURES)),
            slot=draw(st.none() | st.sampled_from(SLOTS)),
            received_ms=draw(st.integers(0, 3)),
        )
        for seq in seqs
    ]


@given(some_rows())
def test_at_most_one_row_of_a_slot_and_one_of_a_capture_counts(rows: list[BookedRow]):
    states = decide(rows)
    counting = [row for row in rows if states[row.name] is RowState.CURRENT]
    assert len({row.slot for row in counting}) == len(counting)
    assert len({row.capture for row in counting}) == len(counting)
    assert all(row.slot is not None for row in counting)


@given(some_rows())
def test_a_pupil_who_handed_in_a_sheet_that_is_no_duplicate_is_never_missing(rows: list[BookedRow]):
    states = decide(rows)
    counted = {row.slot for row in rows if states[row.name] is RowState.CURRENT}
    for row in rows:
        best = max(r.revision for r in rows if r.capture == row.capture)
        peers = [r for r in rows if r.capture == row.capture and r.revision == best]
        if row is min(peers, key=lambda r: r.arrival) and row.duplicate_of in (None, row.capture) and row.slot:
            assert row.slot in counted


@given(some_rows(), st.randoms())
def test_the_outcome_depends_on_the_rows_and_not_on_their_order(rows: list[BookedRow], random):
    mixed = list(rows)
    random.shuffle(mixed)
    assert decide(mixed) == decide(rows)


ASSIGNMENT: Assignment = parse_assignment(
    '[assignment]\nid = "tiny"\ntitle = "tiny"\n[[item]]\nkind = "number"\nprompt = "1 + 1 ="\nanswer = 2\n'
)


SHEETS = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from(CAPTURES), st.integers(1, 3), st.none() | st.sampled_from(CAPTURES)),
    min_size=1,
    max_size=14,
)
CUTS = st.lists(st.integers(1, 4), min_size=14, max_size=14)
Sheet = tuple[int, bytes, int, bytes | None]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(SHEETS, CUTS)
async def test_whatever_comes_in_whatever_batches_the_sums_in_the_store_are_those_of_its_rows(
    sheets: list[Sheet], cuts: list[int]
):
    await _sums_are_those_of_the_rows(sheets, cuts, None)


@pytest.mark.long
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(SHEETS, CUTS)
async def test_so_they_are_on_a_server(postgresql: PostgreSQL, sheets: list[Sheet], cuts: list[int]):
    name = postgresql.database(template="ready")
    await _sums_are_those_of_the_rows(sheets, cuts, postgresql.url(name))
    postgresql.drop(name)


async def _sums_are_those_of_the_rows(sheets: list[Sheet], cuts: list[int], database: str | None) -> None:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "gateway.toml"
        file.write_text('data = "data"\n' + store_lines(database))
        async with open_store(load_config(file)) as store:
            school = await make_school(store, ASSIGNMENT, size=3)
            pupils = school.pupils.roster.pupils
            records = [_record(school.pupils.result(pupils[who % 3]), who, *rest) for who, *rest in sheets]
            waiting = iter(records)
            for size in cuts:
                batch = list(itertools.islice(waiting, size))
                if batch:
                    await school.ingest.take([school.box.envelope(Lane.RESULTS, batch)])
            assert (await school.check()).faults == ()


def _record(result: PageResult, who: int, capture: bytes, revision: int, duplicate_of: bytes | None) -> PageResult:
    """One of three pupils, or with 3 of nobody."""
    nobody = {"pseudonym": None, "seat": None} if who == 3 else {}
    return msgspec.structs.replace(result, capture=capture, revision=revision, duplicate_of=duplicate_of, **nobody)
