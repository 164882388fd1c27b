"""A record that cannot be read when it comes is not lost: a newer version or a person takes it in (D5)."""

import asyncio
import errno
import json
import logging
import re
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from asyncpg.exceptions import InternalClientError
from sqlalchemy import select, text
from sqlalchemy.exc import OperationalError

from gateway import intake
from gateway.config import load_config
from gateway.held import accept, held, look_again, refuse
from gateway.simulated_class import SimulatedBox
from gateway.simulated_school import SimulatedSchool, make_school
from gateway.store.store import open_store
from gateway.store.tables.sheets import crops, raw_records
from homework.errors import ClassboxError
from sync.box_session import BoxSession
from sync.envelope import encode_envelope
from sync.errors import FutureVersion, StoreTrouble
from sync.gateway_session import GatewaySession, Message
from sync.lanes import Lane, first_link, record_digest
from sync.outbox import LaneCounts, Outbox, create_tables
from sync.receipts import Receipt, open_down
from sync.records import (
    DocumentRecord,
    HealthRecord,
    PackedMark,
    PageResult,
    Record,
    decode_record,
    encode_record,
)
from sync.state import BoxState
from sync.topics import topic
from tests.gateway.old_month import a_crop
from tests.gateway.test_program import ASSIGNMENT, classgate, running, write_config

ON_BOTH = True


def sqlite3_full() -> OperationalError:
    return OperationalError("INSERT", {}, sqlite3.OperationalError("database or disk is full"))


FUTURE = b"\x92\x01\x63"  # kind 1, version 99
BROKEN = b"\x92\x01\x01"  # a page without its fields


@contextmanager
def an_older_version(monkeypatch: pytest.MonkeyPatch, cannot_read: Callable[[bytes], bool]) -> Iterator[None]:
    """A gateway to which some records are of a version to come."""

    def reading(payload: bytes) -> Record:
        if cannot_read(payload):
            raise FutureVersion("record", 1)
        return decode_record(payload)

    with monkeypatch.context() as patched:
        patched.setattr(intake, "decode_record", reading)
        yield


async def told(school: SimulatedSchool, box: SimulatedBox | None = None) -> dict[Lane, Receipt]:
    """Where the gateway says that a box stands."""
    box = box or school.box
    hello = BoxState(
        school=box.school, box=box.box, online=True, software="t", challenge=bytes(8), epochs=(box.epoch,)
    )  # fmt: skip
    (receipts,) = await school.ingest.standing([hello])
    return {receipt.lane: receipt for receipt in receipts}


async def names(school: SimulatedSchool, *, everything: bool = False) -> list[str]:
    async with school.store.reading() as connection:
        return [one.digest.hex() for one in await held(connection, everything=everything)]


async def raws(school: SimulatedSchool) -> set[bytes]:
    async with school.store.reading() as connection:
        return set((await connection.execute(select(raw_records.c.payload))).scalars())


async def sent(school: SimulatedSchool, records: Sequence[PageResult] | Sequence[bytes]) -> Receipt:
    (receipt,) = await school.ingest.take([school.box.envelope(Lane.RESULTS, records)])
    return receipt


async def test_what_an_older_version_held_a_newer_one_takes_in(
    school: SimulatedSchool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """D5: pages and documents, each once; the box is told, and what neither can read stays held."""
    results = [encode_record(result) for result in school.pupils.results()]
    with an_older_version(monkeypatch, lambda payload: payload != results[0]):
        assert (await sent(school, [FUTURE, *results])).held == ((1, 1), (3, 13))
        await school.ingest.take([school.box.envelope(Lane.DOCUMENTS, school.pupils.documents())])
        health = encode_record(HealthRecord(clock=decode_page(results[0]).clock, software="9", free_mb=1,
                                            temperature_c=None, waiting=0))  # fmt: skip
        await school.ingest.take([school.box.envelope(Lane.HEALTH, [health])])
        assert await look_again(school.store, software="0") == (0, 15)
        assert (await school.report()).sheets == 1
    assert await look_again(school.store, software="1") == (14, 1)
    report = await school.report()
    assert (report.sheets, report.title) == (12, school.pupils.assignment.title)
    assert (await school.check()).faults == ()
    standing = await told(school)
    assert standing[Lane.RESULTS].held == ((1, 1),)
    assert standing[Lane.DOCUMENTS].held == standing[Lane.HEALTH].held == ()
    assert await look_again(school.store, software="2") == (0, 1)


def decode_page(payload: bytes) -> PageResult:
    record = decode_record(payload)
    assert isinstance(record, PageResult)
    return record


async def test_a_version_looks_at_a_record_once(school: SimulatedSchool, monkeypatch: pytest.MonkeyPatch) -> None:
    await sent(school, [FUTURE, BROKEN])
    looks: list[bytes] = []

    def counting(payload: bytes, lane: Lane) -> Record:
        looks.append(payload)
        return intake.read_record(payload, lane)

    monkeypatch.setattr("gateway.held.read_record", counting)
    for software, together in (("1", 2), ("1", 2), ("2", 4)):
        assert await look_again(school.store, software=software) == (0, 2)
        assert len(looks) == together


async def test_many_are_taken_in_by_and_by(school: SimulatedSchool, monkeypatch: pytest.MonkeyPatch) -> None:
    results = [encode_record(school.pupils.result(pupil)) for pupil in school.pupils.roster.pupils for _ in range(9)]
    with an_older_version(monkeypatch, lambda _: True):
        await sent(school, results)
    assert await look_again(school.store, software="1") == (108, 0)
    assert (await school.check()).faults == ()


async def test_what_the_store_refuses_of_one_school_keeps_no_other_from_being_looked_at(
    school: SimulatedSchool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """D14."""
    other = await make_school(school.store, school.pupils.assignment, school="no-2")
    with an_older_version(monkeypatch, lambda _: True):
        for one in (school, other):
            await sent(one, one.pupils.results())

    async def refusing(connection: object, name: str, arrived: object) -> object:
        if name == "no-1":
            raise sqlite3_full()
        return await intake.take_in(connection, name, arrived)  # type: ignore[arg-type]

    with monkeypatch.context() as patched, caplog.at_level(logging.CRITICAL):
        patched.setattr("gateway.poison.take_in", refusing)
        assert await look_again(school.store, software="1") == (12, 12)
    assert [(await one.report()).sheets for one in (school, other)] == [0, 12]
    assert await look_again(school.store, software="1") == (12, 0)


def of_each(take_in: Callable[[Any, str, Any], Awaitable[Any]]) -> Callable[[Any, Any], Awaitable[Any]]:
    """What takes in of all schools of a batch, by what takes in of one."""

    async def take_in_all(connection: Any, arrived: Mapping[str, Any]) -> Any:
        return {school: await take_in(connection, school, mine) for school, mine in arrived.items()}

    return take_in_all


class Card:
    """A box's outbox, and its conversation with the gateway over nothing at all."""

    def __init__(self, school: SimulatedSchool) -> None:
        db = sqlite3.connect(":memory:")
        create_tables(db)
        self.outbox = Outbox(db)
        self._session = BoxSession(school="no-1", box="box-1", key=school.box_key, software="t")
        self._gateway = GatewaySession(school.ingest)

    def forget_what_is_on_the_way(self) -> None:
        """As after so long a silence that everything goes again."""
        self._session.reconnected(-1e9)

    async def talk(self) -> LaneCounts:
        """Hello, all that is to be sent, all answers; how the results stand then."""
        messages = [Message(topic("no-1", "box-1", "state"), self._session.hello(self.outbox))]
        while (envelope := self._session.next_message(self.outbox, 0.0)) is not None:
            messages.append(Message(topic("no-1", "box-1", "up"), envelope))
        for answer in await self._gateway.handle(messages):
            assert self._session.receive(self.outbox, answer.payload).refused is None
        return self.outbox.counts()[Lane.RESULTS]


@pytest.mark.parametrize(("decide", "sheets"), [(accept, 1), (refuse, 0)])
async def test_the_box_keeps_what_is_held_until_somebody_decides(
    school: SimulatedSchool, monkeypatch: pytest.MonkeyPatch, decide: Callable[..., object], sheets: int
) -> None:
    """D5."""
    card = Card(school)
    payload = encode_record(school.pupils.results()[0])
    card.outbox.append(Lane.RESULTS, payload, subject=b"s" * 16)
    with an_older_version(monkeypatch, lambda _: True):
        await card.talk()
        assert await card.talk() == LaneCounts(captured=1, waiting=0, receipted=0, held=1)
    assert card.outbox.receipted_subjects() == []
    (name,) = await names(school)
    assert len(await decide(school.store, [name[:12]])) == 1  # type: ignore[misc, arg-type]
    assert await card.talk() == LaneCounts(captured=1, waiting=0, receipted=1, held=0)
    assert card.outbox.receipted_subjects() == [b"s" * 16]
    assert (await school.report()).sheets == sheets
    assert await names(school) == []
    assert await names(school, everything=True) == [record_digest(payload).hex()]
    with pytest.raises(ClassboxError):  # it was decided
        await accept(school.store, [name])


async def test_of_several_all_are_taken_in_or_none(school: SimulatedSchool, monkeypatch: pytest.MonkeyPatch) -> None:
    good = encode_record(school.pupils.results()[0])
    with an_older_version(monkeypatch, lambda payload: payload == good):
        await sent(school, [good, BROKEN])
    with pytest.raises(ClassboxError) as refused:
        await accept(school.store, [record_digest(good).hex(), record_digest(BROKEN).hex()])
    assert record_digest(BROKEN).hex()[:12] in refused.value.message
    assert (await school.report()).sheets == 0
    assert len(await names(school)) == 2
    assert (await told(school))[Lane.RESULTS].held == ((1, 2),)


async def test_a_name_that_is_nobodys_or_too_short_decides_nothing(school: SimulatedSchool) -> None:
    await sent(school, [FUTURE])
    (name,) = await names(school)
    for wrong in ("", name[:7], f"{name[:-1]}g", "ffffffff"):
        with pytest.raises(ClassboxError):
            await refuse(school.store, [wrong])
    assert await names(school) == [name]
    await refuse(school.store, [name[:8].upper()])
    assert await names(school) == []


async def test_a_name_that_is_several_records_decides_nothing(
    school: SimulatedSchool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.held._SHORTEST", 1)
    payloads = [FUTURE + bytes([n]) for n in range(17)]  # two of them begin with the same of 16 digits
    await sent(school, payloads)
    digits = [name[0] for name in await names(school)]
    twice = next(digit for digit in digits if digits.count(digit) > 1)
    with pytest.raises(ClassboxError, match="Several"):
        await refuse(school.store, [twice])


async def test_the_sheets_of_a_clone_that_is_gone_are_taken_in_by_hand_and_count_once(school: SimulatedSchool) -> None:
    """D10: a cloned card sends its records again under a new epoch, unless it is lost before it can."""
    first, lost, *_ = school.pupils.results()
    await sent(school, [first])
    clone = SimulatedBox("no-1", "box-1")
    clone.epoch, clone._last = school.box.epoch, {Lane.RESULTS: (0, first_link(school.box.epoch, Lane.RESULTS))}
    await school.ingest.take([clone.envelope(Lane.RESULTS, [lost])])
    assert await names(school) == []
    name = record_digest(encode_record(lost)).hex()
    assert await names(school, everything=True) == [name]
    await accept(school.store, [name])
    assert (await school.report()).sheets == 2
    assert (await school.check()).faults == ()
    await school.ingest.take([SimulatedBox("no-1", "box-1").envelope(Lane.RESULTS, [lost])])
    assert (await school.report()).sheets == 2
    assert (await school.check()).faults == ()


def with_a_further_field(record: Record) -> bytes:
    """As a newer box of the same version writes it."""
    return msgspec.msgpack.encode([*msgspec.msgpack.decode(encode_record(record)), "news"])


async def test_what_the_columns_cannot_hold_of_a_record_is_kept_as_it_came(school: SimulatedSchool) -> None:
    """D2: a receipt calls all of it committed."""
    plain, marked, newer, inner = school.pupils.results()[:4]
    marked = msgspec.structs.replace(marked, marks=(PackedMark(0, 1, True, 50, 3, None),))
    fields = msgspec.msgpack.decode(encode_record(inner))
    places = [at for at, field in enumerate(fields) if isinstance(field, list) and field and isinstance(field[0], list)]
    fields[places[0]][0].append("news")  # an item with a field more
    records = [encode_record(plain), encode_record(marked), with_a_further_field(newer), msgspec.msgpack.encode(fields)]
    assert (await sent(school, records)).held == ()
    document = DocumentRecord(document="layout", id="x", digest=bytes(16), body=b"{}")
    documents = [encode_record(document), with_a_further_field(msgspec.structs.replace(document, id="y"))]
    await school.ingest.take([school.box.envelope(Lane.DOCUMENTS, documents)])
    assert await raws(school) == {*records[1:], documents[1]}
    assert (await school.report()).sheets == 4


def test_the_command_lists_takes_in_and_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = write_config(tmp_path, "mqtt://127.0.0.1:1")
    assert "Nothing is held." in classgate("held", "list", "--config", config).output
    hold_some(config, monkeypatch)
    shown = [json.loads(line) for line in classgate("held", "list", "--json", "--config", config).output.splitlines()]
    assert [(one["box"], one["lane"], one["seq"]) for one in shown] == [("box-1", "results", n) for n in (1, 2)]
    line = classgate("held", "list", "--config", config).output.splitlines()[0]
    assert line.startswith(shown[0]["name"][:12])
    assert line.endswith(
        "A newer version of the box sent it (1).  Update Classbox here; then it is taken in by itself."
    )
    lines = classgate("held", "list", "--config", config, language="zh-CN").output.splitlines()
    assert not re.search(r"[A-Za-z]{3}", re.sub(r"[0-9a-f]{12}|no-1/box-1|Classbox", "", "".join(lines))), lines
    page, broken = (one["name"][:12] for one in shown)
    refused = classgate("held", "accept", broken, "--config", config, language="zh-CN")
    assert refused.exit_code == 1
    assert f"记录 {broken} 无法收入：盒子的版本较新（99）。 请升级这里的 Classbox，升级后会自动收下。" in refused.output
    assert "Taken in: 1." in classgate("held", "accept", page, "--config", config).output
    assert "Refused: 1." in classgate("held", "refuse", broken, "--config", config).output
    assert "Nothing is held." in classgate("held", "list", "--config", config).output
    decided = classgate("held", "list", "--all", "--json", "--config", config).output.splitlines()
    assert [json.loads(line)["decision"] for line in decided] == ["taken", "refused"]


def hold_some(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that this version can read and a record that it cannot, held by an older version."""

    async def work() -> None:
        async with open_store(load_config(config)) as store:
            school = await make_school(store, ASSIGNMENT)
            with an_older_version(monkeypatch, lambda _: True):
                await sent(school, [encode_record(school.pupils.results()[0]), FUTURE])

    asyncio.run(work())


def test_a_gateway_that_starts_looks_again_at_what_was_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """D5."""
    config = write_config(tmp_path, "mqtt://127.0.0.1:1")
    hold_some(config, monkeypatch)
    with running(config):
        pass
    shown = classgate("held", "list", "--all", "--json", "--config", config).output.splitlines()
    assert [json.loads(line)["decision"] for line in shown] == ["taken", None]


@asynccontextmanager
async def a_store_that_refuses(school: SimulatedSchool, sheet: str) -> AsyncIterator[None]:
    """The database itself refuses pages of that sheet."""
    async with school.store.writing() as connection:
        if connection.dialect.name == "sqlite":
            refuse = ("TRIGGER refuses BEFORE INSERT ON page_records WHEN", "BEGIN SELECT RAISE(ABORT, 'no'); END")
            await connection.execute(text(f"CREATE {refuse[0]} NEW.sheet = '{sheet}' {refuse[1]}"))
        else:
            await connection.execute(
                text(f"ALTER TABLE page_records ADD CONSTRAINT refuses CHECK (sheet <> '{sheet}') NOT VALID")
            )
    yield
    async with school.store.writing() as connection:
        sqlite = connection.dialect.name == "sqlite"
        await connection.execute(
            text("DROP TRIGGER refuses" if sqlite else "ALTER TABLE page_records DROP CONSTRAINT refuses")
        )


async def test_a_record_that_the_store_always_refuses_is_held_and_keeps_nothing_back(
    school: SimulatedSchool, caplog: pytest.LogCaptureFixture
) -> None:
    """D5, D14: its envelope goes in at the third attempt, its neighbours' at once."""
    pages = list(school.pupils.results())
    pages[3] = msgspec.structs.replace(pages[3], sheet="POISON")
    neighbour = SimulatedBox("no-1", "box-1")
    envelopes = [neighbour.envelope(Lane.RESULTS, pages[:2]), school.box.envelope(Lane.RESULTS, pages[2:])]
    messages = [Message(topic("no-1", "box-1", "up"), encode_envelope(one, school.box_key)) for one in envelopes]
    session = GatewaySession(school.ingest)
    marks = []
    with caplog.at_level(logging.CRITICAL):
        async with a_store_that_refuses(school, "POISON"):
            for _ in range(3):
                answers = await session.handle(messages)
                opened = [open_down(a.payload, school="no-1", box="box-1", key=school.box_key) or () for a in answers]
                marks.append([(receipt.mark, receipt.held) for receipts in opened for receipt in receipts])
            assert marks == [[(2, ())], [(2, ())], [(2, ()), (10, ((2, 2),))]]
            assert (await school.report()).sheets == 11
            assert await look_again(school.store, software="1") == (0, 1)
    assert await look_again(school.store, software="1") == (0, 1)
    assert await look_again(school.store, software="2") == (1, 0)
    assert (await school.report()).sheets == 12
    assert (await school.check()).faults == ()


@pytest.mark.parametrize(
    "trouble",
    [
        sqlite3_full(),
        OSError("no space"),
        InternalClientError("cannot switch to state 12"),
        ClassboxError("the folder", remedy=""),
    ],
)
async def test_a_store_in_trouble_holds_nothing_however_long_it_lasts(
    school: SimulatedSchool, monkeypatch: pytest.MonkeyPatch, trouble: Exception
) -> None:
    """D3: a full disk is no record's fault."""
    envelope = school.box.envelope(Lane.RESULTS, school.pupils.results())

    async def failing(connection: object, name: str, arrived: Sequence[object]) -> object:
        if arrived:
            raise trouble
        return await intake.take_in(connection, name, ())  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr("gateway.ingest.take_in_all", of_each(failing))
        patched.setattr("gateway.poison.take_in", failing)
        for _ in range(5):
            with pytest.raises(ClassboxError):
                await school.ingest.take([envelope])
    (receipt,) = await school.ingest.take([envelope])
    assert (receipt.mark, receipt.held) == (12, ())


async def test_a_data_folder_without_room_is_told_in_one_line_and_then_all_comes_in(
    school: SimulatedSchool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """D3: and the log does not take what room there is."""
    card = Card(school)
    for record in school.pupils.results():
        card.outbox.append(Lane.RESULTS, encode_record(record))
    told: list[StoreTrouble | None] = []
    school.store.on_trouble = told.append

    def no_room(*_: object, **_more: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("gateway.store.generation.write_whole", no_room)
        school.store._moved_s = None
        for _ in range(3):
            assert (await card.talk()).receipted == 0
    assert [one.exc_info for one in caplog.records] == [None]
    assert {one.remedy != "" for one in told if one is not None} == {True}
    card.forget_what_is_on_the_way()
    assert (await card.talk()).receipted == 12
    assert told[-1] is None


async def test_a_fault_that_no_record_alone_is_to_blame_for_stays_a_fault(
    school: SimulatedSchool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """D2: nothing is receipted, nothing held, and once the fault is gone all goes in."""
    envelope = school.box.envelope(Lane.RESULTS, school.pupils.results())

    async def failing(connection: object, name: str, arrived: Sequence[object]) -> object:
        if len(arrived) > 1:
            raise ZeroDivisionError
        return await intake.take_in(connection, name, arrived)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr("gateway.ingest.take_in_all", of_each(failing))
        patched.setattr("gateway.poison.take_in", failing)
        for _ in range(5):
            with pytest.raises(ZeroDivisionError):
                await school.ingest.take([envelope])
    assert (await school.report()).sheets == 0
    (receipt,) = await school.ingest.take([envelope])
    assert (receipt.mark, receipt.held) == (12, ())


async def test_what_was_told_too_coarsely_becomes_exact_with_the_next_decision(
    school: SimulatedSchool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """D5: more ranges than a lane remembers cover what lies between, for a while."""
    monkeypatch.setattr("sync.receipts.MAX_HELD", 2)
    future = [FUTURE + bytes([n]) for n in range(4)]
    pages = [encode_record(page) for page in school.pupils.results()[:4]]
    mixed = [record for pair in zip(future, pages, strict=True) for record in pair]
    assert (await sent(school, mixed)).held == ((1, 1), (3, 7))
    await refuse(school.store, [record_digest(future[n]).hex() for n in (0, 2)])
    assert (await told(school))[Lane.RESULTS].held == ((3, 3), (7, 7))


async def test_the_pictures_of_a_refused_page_go_and_no_others(
    school: SimulatedSchool, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = school.pupils.results()[:4]
    again = msgspec.structs.replace(pages[2], revision=2)
    await sent(school, [encode_record(pages[3])])
    older = [encode_record(page) for page in (*pages, again)]
    older[3] += b"\x00"  # of a paper that is here
    with an_older_version(monkeypatch, lambda payload: payload in older):
        await sent(school, older)
    short = encode_record(pages[1])[:30]
    await sent(school, [short])
    await school.ingest.take([school.box.envelope(Lane.CROPS, [a_crop(school, page.capture) for page in pages])])

    async def pictured() -> list[int]:
        async with school.store.reading() as connection:
            found = set((await connection.execute(select(crops.c.capture))).scalars())
        return [n for n, page in enumerate(pages) if page.capture in found]

    async def say_no(payload: bytes) -> list[int]:
        await refuse(school.store, [record_digest(payload).hex()])
        return await pictured()

    assert await pictured() == [0, 1, 2, 3]
    assert await say_no(older[0]) == [1, 2, 3]
    assert await say_no(older[2]) == [1, 2, 3], "its second revision is held still"
    assert await say_no(older[4]) == [1, 3]
    assert await say_no(older[3]) == [1, 3], "the paper itself is here"
    assert await say_no(older[1]) == [1, 3], "half of the record is held still"
    assert await say_no(short) == [3], "that half says which paper it is of"
