"""What a worksheet says is kept ready to be read, and never says anything else than its text."""

import hashlib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import select, update

from gateway.reports.worker import SummaryWorker
from gateway.simulated_school import SimulatedSchool
from gateway.store import parsed
from gateway.store.parsed import PARSED_FORMAT, assignment_in, pack_assignment, unpack_assignment
from gateway.store.reading import assignments_named
from gateway.store.tables.schools import documents
from homework.assignment import Assignment, parse_assignment
from sync.lanes import Lane
from sync.records import DocumentRecord

ON_BOTH = True
EXAMPLES = sorted((Path(__file__).resolve().parents[2] / "examples").glob("*.toml"))


def text(title: str, name: str = "w1") -> bytes:
    return (
        f'[assignment]\nid = "{name}"\ntitle = "{title}"\n[[item]]\nkind = "number"\nprompt = "1 + 1 ="\nanswer = 2\n'
    ).encode()


async def tell(school: SimulatedSchool, body: bytes, *, name: str = "w1", digest: bytes | None = None) -> None:
    own = digest or hashlib.blake2b(body, digest_size=16).digest()
    record = DocumentRecord(document="assignment", id=name, digest=own, body=body)
    await school.ingest.take([school.box.envelope(Lane.DOCUMENTS, [record])])


async def forms(school: SimulatedSchool) -> list[tuple[bytes | None, int]]:
    async with school.store.reading() as connection:
        columns = documents.c.parsed, documents.c.parsed_format
        query = select(*columns).where(documents.c.kind == "assignment", documents.c.document_id == "w1")
        return [tuple(row) for row in await connection.execute(query.order_by(documents.c.received_ms))]


async def title(school: SimulatedSchool) -> str | None:
    async with school.store.reading() as connection:
        found = await assignments_named(connection, school.school, {"w1"})
    return found["w1"].title if found else None


async def pack(school: SimulatedSchool) -> None:
    await SummaryWorker(school.store).catch_up()


def test_a_form_says_what_the_text_says() -> None:
    for file in EXAMPLES:
        assignment = parse_assignment(file.read_text(encoding="utf-8"))
        assert unpack_assignment(pack_assignment(assignment)) == assignment, file.name


def test_whoever_changes_what_an_assignment_is_raises_the_number_of_the_form() -> None:
    """Or forms of the program before would be read as if they were of this one."""
    shape = hashlib.sha256(msgspec.json.encode(msgspec.json.schema(Assignment))).hexdigest()[:16]
    assert (PARSED_FORMAT, shape) == (1, "5b00a00c3f19be6c"), "raise PARSED_FORMAT, and write the new shape here"


async def test_the_worker_makes_the_form_and_reports_read_it(
    school: SimulatedSchool, monkeypatch: pytest.MonkeyPatch
) -> None:
    await tell(school, text("A"))
    assert await forms(school) == [(None, 0)]
    assert await title(school) == "A"
    await pack(school)
    assert [form for _, form in await forms(school)] == [PARSED_FORMAT]
    assignment_in.cache_clear()
    monkeypatch.setattr(parsed, "parse_assignment", _never)
    assert await title(school) == "A"


async def test_a_text_that_takes_the_place_of_another_under_its_digest_has_no_form_of_that(
    school: SimulatedSchool,
) -> None:
    await tell(school, text("A"), digest=b"d" * 16)
    await pack(school)
    await tell(school, text("B"), digest=b"d" * 16)
    assert await title(school) == "B"
    await pack(school)
    assert await title(school) == "B"


async def test_a_text_that_comes_again_while_its_form_is_made_waits_for_the_next_turn(
    school: SimulatedSchool,
) -> None:
    await tell(school, text("A"), digest=b"d" * 16)
    async with school.store.reading() as connection:
        made = await parsed.forms_of(await parsed.texts_to_pack(connection, school.school))
    async with school.store.writing() as connection:
        later = update(documents).where(documents.c.document_id == "w1")
        await connection.execute(later.values(body=text("B"), received_ms=documents.c.received_ms + 1))
        await parsed.keep_forms(connection, school.school, made)
    assert await title(school) == "B"
    await pack(school)
    assert await title(school) == "B"


async def test_a_text_that_cannot_be_read_is_not_tried_again_and_the_version_before_counts(
    school: SimulatedSchool,
) -> None:
    await tell(school, text("A"))
    await tell(school, b"no worksheet \xff")
    await pack(school)
    assert await title(school) == "A"
    assert sorted((form is None, number) for form, number in await forms(school)) == [
        (False, PARSED_FORMAT),
        (True, PARSED_FORMAT),
    ]
    async with school.store.reading() as connection:
        assert await parsed.texts_to_pack(connection, school.school) == []


async def test_an_older_program_reads_the_text_beside_a_newer_form_and_leaves_the_form_alone(
    school: SimulatedSchool,
) -> None:
    of_the_future = pack_assignment(parse_assignment(text("B").decode()))
    await tell(school, text("A"))
    async with school.store.writing() as connection:
        newer: Any = update(documents).where(documents.c.document_id == "w1")
        await connection.execute(newer.values(parsed=of_the_future, parsed_format=PARSED_FORMAT + 1))
    await pack(school)
    assert await title(school) == "A"
    assert await forms(school) == [(of_the_future, PARSED_FORMAT + 1)]


async def test_a_form_that_is_damaged_costs_time_and_nothing_else(school: SimulatedSchool) -> None:
    await tell(school, text("A"))
    async with school.store.writing() as connection:
        damaged = update(documents).where(documents.c.document_id == "w1")
        await connection.execute(damaged.values(parsed=b"\xc1", parsed_format=PARSED_FORMAT))
    assert await title(school) == "A"


def _never(_text: str) -> Assignment:
    raise AssertionError("the text was read")
