"""The log of what goes down to a school's boxes (D11)."""

import random
import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner
from msgspec.structs import replace
from sqlalchemy import delete, select

from gateway.cli import main
from gateway.downlink import StoreDownLog
from gateway.simulated_school import SimulatedSchool
from gateway.store.down_log import New, append, append_all, how_far
from gateway.store.tables.schools import down_heads, down_log
from homework.errors import ClassboxError
from homework.roster import parse_roster
from sync.down_bodies import FIRST_CHAIN, MAX_BODY_BYTES, Kind, content_of, next_chain, unpacked
from sync.down_messages import PART_BYTES, Having, Want
from sync.lanes import Lane
from sync.offers import offer_of
from sync.records import DocumentRecord
from sync.state import BoxState

ON_BOTH = True
"""SQLite and PostgreSQL."""


async def added(school: SimulatedSchool, kind: Kind, key: str, body: bytes) -> int | None:
    async with school.store.writing() as connection:
        return await append(connection, school.school, kind, key, body)


async def log(school: SimulatedSchool) -> list[tuple[int, str, bytes | None]]:
    async with school.store.reading() as connection:
        rows = await connection.execute(select(down_log).order_by(down_log.c.place))
        return [(row.place, row.key, None if row.packed is None else unpacked(row.packed)) for row in rows]


async def test_the_newest_of_a_kind_and_key_stands_and_places_have_no_gaps(school: SimulatedSchool) -> None:
    assert [await added(school, "setting", "report", body) for body in (b"1", b"1", b"2")] == [1, None, 2]
    assert await added(school, "setting", "other", b"1") == 3
    assert await added(school, "setting", "report", b"1") == 4
    assert await log(school) == [(1, "report", None), (2, "report", None), (3, "other", b"1"), (4, "report", b"1")]


async def test_of_corrections_each_one_counts(school: SimulatedSchool) -> None:
    assert [await added(school, "correction", "a", body) for body in (b"1", b"2", b"2")] == [1, 2, None]
    assert await log(school) == [(1, "a", b"1"), (2, "a", b"2")]


async def test_many_entries_at_once_are_as_one_after_another(school: SimulatedSchool) -> None:
    entries = [
        New("setting", "report", b"1"),
        New("setting", "report", b"1"),
        New("correction", "a", b"1"),
        New("setting", "other", b"1", origin="box-1"),
        New("setting", "report", b"2"),
        New("correction", "a", b"2"),
        New("setting", "report", b"1"),
    ]
    columns = [column for column in down_log.c if column.name not in ("added_ms", "school_id")]

    async def rows_after(*batches: list[New]) -> tuple[list[int | None], list[tuple[object, ...]]]:
        async with school.store.writing() as connection:
            await connection.execute(delete(down_log))
            await connection.execute(delete(down_heads))
            places = [place for batch in batches for place in await append_all(connection, school.school, batch)]
            rows = await connection.execute(select(*columns).order_by(down_log.c.place))
            return places, [tuple(row) for row in rows]

    one_by_one = await rows_after(*([entry] for entry in entries))
    assert one_by_one[0] == [1, None, 2, 3, 4, 5, 6]
    for cut in range(len(entries) + 1):
        assert await rows_after(entries[:cut], entries[cut:]) == one_by_one


async def test_the_chain_says_what_was_told_and_in_which_order(school: SimulatedSchool) -> None:
    await added(school, "setting", "a", b"1")
    await added(school, "setting", "b", b"2")
    async with school.store.reading() as connection:
        rows = list(await connection.execute(select(down_log).order_by(down_log.c.place)))
    chain = FIRST_CHAIN
    for row in rows:
        chain = next_chain(chain, row.kind, row.key, row.content)
        assert row.chain == chain


async def test_what_is_too_large_is_refused_and_costs_nothing(school: SimulatedSchool) -> None:
    with pytest.raises(ClassboxError, match="too large"):
        await added(school, "layout", "s", bytes(MAX_BODY_BYTES + 1))
    assert await log(school) == []


async def test_what_a_box_was_given_goes_into_the_log_for_the_others(school: SimulatedSchool) -> None:
    body = b"[assignment]"
    record = DocumentRecord(document="assignment", id="g3", digest=content_of(body), body=body)
    await school.ingest.take([school.box.envelope(Lane.DOCUMENTS, [record])])
    async with school.store.reading() as connection:
        rows = list(await connection.execute(select(down_log).where(down_log.c.key == "g3")))
    assert [(row.kind, row.content, row.origin) for row in rows] == [("assignment", record.digest, school.box.box)]


async def test_a_box_is_offered_what_is_new_and_its_place_is_remembered(school: SimulatedSchool) -> None:
    """D11."""
    for key in ("a", "b"):
        await added(school, "setting", key, b"1")
    await added(school, "reference", "p.png", random.Random(1).randbytes(20_000))
    log = StoreDownLog(school.store)
    state = BoxState(
        school=school.school, box=school.box.box, online=True, software="", challenge=bytes(8), epochs=(),
        having=Having(None, 0, FIRST_CHAIN, 0, 0),
    )  # fmt: skip
    look = await log.look(state)
    assert look is not None
    offer = offer_of(look, state)
    assert offer is not None
    assert [(one.key, one.inline is not None) for one in offer.entries] == [("a", True), ("b", True), ("p.png", False)]
    assert (offer.through, offer.last, offer.anew) == (3, 3, False)
    want = Want(3, offer.entries[2].digest, 2 * PART_BYTES)
    part = await log.part(school.school, want)
    assert part is not None
    assert len(part) == offer.entries[2].size - 2 * PART_BYTES
    assert await log.part(school.school, Want(3, bytes(16), 0)) is None

    async with school.store.reading() as connection:
        assert (await how_far(connection))[school.school, school.box.box] == (3, 0)
    told = replace(state, having=Having(school.store.incarnation, 2, look.entries[1].chain, 1, 1))
    look = await log.look(told)
    assert look is not None
    assert [one.entry.place for one in look.entries] == [3]
    async with school.store.reading() as connection:
        assert (await how_far(connection))[school.school, school.box.box] == (2, 1)

    other = replace(state, having=Having(b"another!", 2, look.head.chain, 0, 0))
    look = await log.look(other)
    assert look is not None
    offer = offer_of(look, other)
    assert offer is not None
    assert (offer.anew, offer.after, len(offer.entries)) == (True, 0, 3)


def test_loading_at_the_school_says_what_is_new(tmp_path: Path, scanned_class: Path) -> None:
    """D11."""
    config = tmp_path / "gateway.toml"
    config.write_text('data = "data"\n')

    def classgate(*words: object) -> str:
        done = CliRunner().invoke(main, [*map(str, words), "--config", str(config)], env={"CLASSBOX_LANG": "en"})
        return done.output if done.exit_code == 0 else f"{done.exit_code}: {done.output}{done.exception}"

    classgate("school", "add", "no-1")
    assert "2 documents" in classgate("load", "no-1", scanned_class / "sheets")
    assert "already" in classgate("load", "no-1", scanned_class / "sheets")
    assert "pupils" in classgate("import-roster", scanned_class / "roster.csv", "--school", "no-1")
    assert "Goes to the boxes" in classgate("setting", "report", "no-1", "--excellent", "85")
    assert "already" in classgate("setting", "report", "no-1", "--excellent", "85")
    assert "no school nobody" in classgate("load", "nobody", scanned_class / "sheets")
    assert "layout.json" in classgate("load", "no-1", tmp_path)
    db = sqlite3.connect(tmp_path / "data" / "classgate.sqlite")
    rows = db.execute("SELECT kind, place FROM down_log ORDER BY place").fetchall()
    assert [kind for kind, _ in rows] == ["assignment", "layout", "roster", "setting"]
    (sealed,) = db.execute("SELECT packed FROM down_log WHERE kind = 'roster'").fetchone()
    names = [pupil.name for pupil in parse_roster((scanned_class / "roster.csv").read_bytes()).pupils]
    assert not any(name.encode() in unpacked(sealed) for name in names), "a class list travels sealed"
    db.close()
