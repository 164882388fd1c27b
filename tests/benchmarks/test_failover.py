"""The benchmark of deaths: its clocks tell how long one was felt, and its look at the store outlives the database's."""

import time
from collections import Counter
from pathlib import Path

import pytest

from benchmarks._postgresql import PostgreSQL, programs
from benchmarks._several import until
from benchmarks.failover import Beside, Reader, Rows, Seen, _middle


def test_the_longest_time_without_is_one_that_ended_after_the_death():
    seen = Seen()
    seen._at_s = [10.0, 14.0, 14.5, 16.0, 16.2]
    assert seen.longest_s(14.2) == 1.5
    assert seen.longest_s(13.0) == 4.0, "it may have begun before"
    assert seen.longest_s(16.2) == 0.0, "nothing has come since"


def test_what_is_done_beside_the_rest_keeps_its_pace_and_ends():
    done: list[float] = []
    with Beside(lambda: done.append(time.monotonic()), 0.02):
        time.sleep(0.3)
    had = len(done)
    assert 3 <= had <= 16
    time.sleep(0.06)
    assert len(done) == had


def test_a_reader_is_sent_to_a_gateway_that_lives_and_counts_when_none_does():
    class NobodyThere:
        def url(self, number: int) -> str:
            raise KeyError(number)

    reader = Reader(NobodyThere())  # type: ignore[arg-type]
    reader.look()
    assert reader.statuses == Counter({"nobody answered": 1})


def test_the_middle_is_of_each_kind_of_death():
    rows = [
        {"death": death, "sheets_wait_s": wait_s, "all_in_s": 2 * wait_s}
        for death, waits_s in (("gateway", (1.0, 5.0, 3.0)), ("postgresql", (2.0, 2.5, 9.0)))
        for wait_s in waits_s
    ]
    found = _middle(rows)
    assert (found["gateway_killed_sheets_wait_s_p50"], found["gateway_killed_sheets_wait_s_max"]) == (3.0, 5.0)
    assert (found["postgresql_killed_all_in_s_p50"], found["postgresql_killed_all_in_s_max"]) == (5.0, 18.0)


@pytest.mark.skipif(programs() is None, reason="PostgreSQL is not installed")
def test_the_look_at_the_store_outlives_the_database():
    with PostgreSQL() as server:
        database = server.database()
        server.sql("CREATE TABLE page_records (state int)", database=database)
        with Rows(Path(server.folder), database) as store:
            server.sql("INSERT INTO page_records VALUES (0), (4)", database=database)
            until(lambda: store.came.longest_s(0) > 0)
            killed_s = time.monotonic()
            server.kill()
            server.start()
            until(lambda: store.answered.last_s > killed_s)
            away_s = store.answered.longest_s(killed_s)
            server.sql("INSERT INTO page_records VALUES (0)", database=database)
            until(lambda: store.came.last_s > killed_s)
        assert 0 < away_s <= time.monotonic() - killed_s
        assert store.came.longest_s(killed_s) >= away_s - 0.1
