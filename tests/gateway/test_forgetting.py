"""One pupil is erased at the school: nothing is left that says anything of them, and nothing comes back later."""

import asyncio
import secrets
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from sqlalchemy import func, select

from gateway.access.grants import give
from gateway.access.people import add_person
from gateway.access.person import Grant, Role
from gateway.cli import main
from gateway.config import GatewayConfig
from gateway.correcting import Field, Sayer, correct
from gateway.ingest import StoreIngest
from gateway.keeping.forgetting import Forgotten, forget, pupil_called, readmit
from gateway.reports.comments import keep_comment
from gateway.reports.periods import term_of
from gateway.simulated_class import SimulatedBox
from gateway.simulated_school import SimulatedSchool
from gateway.store.class_lists import keep_classes, whole_roster
from gateway.store.down_log import entries_after, standing_body
from gateway.store.past_lists import all_past
from gateway.store.schema import metadata
from gateway.store.store import Store, open_store
from gateway.store.tables.people import audit, people
from gateway.store.tables.sheets import RowState, crops, page_records
from homework.corrections import Word
from homework.roster import Pupil
from sync.clock import SystemClock
from sync.down_bodies import read_erasure
from sync.lanes import Lane
from sync.pseudonym import pseudonym
from sync.records import AbsenceRecord, Record, Tally, encode_record
from tests.gateway.judged import judged
from tests.gateway.office import open_office
from tests.gateway.old_month import a_correction, a_crop, now_ms
from tests.gateway.test_several import second

ON_BOTH = True
SEVEN = 6
"""The place of seat 7 among the pupils."""


async def test_nothing_is_left_of_a_pupil_who_was_erased_and_the_others_count_as_before(
    school: SimulatedSchool,
) -> None:
    """D9."""
    pupil, alias = _seven(school)
    papers = await _a_term(school)
    before = await school.report()
    gone = await _forget(school, alias)
    report = await school.report()
    assert gone.pages == 3
    assert report.figures.handed_in == before.figures.handed_in - 1
    assert (await school.check()).faults == ()
    everything = await _everything(school)
    named = {name for name, rows in everything.items() if _holds(rows, [alias, alias.hex().encode()])}
    assert named == {"erased_pupils", "down_log", "audit"}
    assert not any(_holds(rows, [pupil.name.encode(), pupil.pupil_id.encode()]) for rows in everything.values())
    papers_in = {name for name, rows in everything.items() if _holds(rows, papers)}
    assert papers_in == {"page_records", "capture_months", "corrections", "down_log"}, "as names of what is empty"
    rows = await _rows(school, page_records.c.capture.in_(papers))
    assert {row.state for row in rows} == {RowState.ERASED}
    assert all(bytes(row.items) == b"" and row.pupil is None and row.class_name is None for row in rows)
    async with school.store.reading() as connection:
        roster = await whole_roster(connection, school.store.vault, "no-1")
        past = await all_past(connection, school.store.vault, "no-1")
        log = [one.entry.kind for one in await entries_after(connection, "no-1", 0, at_most=100)]
        assert (await connection.execute(select(func.count()).select_from(people))).scalar_one() == 1
    assert all(one.pupil_id != pupil.pupil_id for one in roster.pupils)
    assert all(one.pupil_id != pupil.pupil_id for kept in past for some in kept.classes.values() for one in some)
    assert log[-1] == "erasure"
    assert not {"correction", "absence"} & set(log)


async def test_whatever_comes_later_of_the_pupil_is_receipted_and_not_kept(school: SimulatedSchool) -> None:
    pupil, alias = _seven(school)
    papers = await _a_term(school)
    await _forget(school, alias)
    again, late = SimulatedBox("no-1", "box-1"), secrets.token_bytes(16)
    unnamed = msgspec.structs.replace(school.pupils.result(pupil, capture=late, revision=2), pseudonym=None, seat=None)
    of_seat = school.pupils.result(pupil, named=False)
    sent: list[Record] = [
        school.pupils.result(pupil, capture=papers[0]),  # the same record under a new epoch
        school.pupils.result(pupil, capture=late),
        unnamed,
        school.pupils.result(pupil, duplicate_of=papers[0], named=False),
        of_seat,
        a_correction(papers[0]),
        _absence(school, alias),
        school.pupils.result(school.pupils.roster.pupils[0], attempt=2),
    ]
    (receipt,) = await school.ingest.take([again.envelope(Lane.RESULTS, sent)])
    assert receipt.mark == len(sent)
    await school.ingest.take([again.envelope(Lane.CROPS, [a_crop(school, late)])])
    rows = await _rows(school, page_records.c.epoch == again.epoch)
    assert sorted(row.state for row in rows) == [RowState.CURRENT] + [RowState.ERASED] * 5
    async with school.store.reading() as connection:
        assert (await connection.execute(select(func.count()).select_from(crops))).scalar_one() == 0
        lines = (await connection.execute(select(audit.c.deed, audit.c.detail))).all()
    assert ("came-erased", "records=7") in [tuple(line) for line in lines]
    assert (await school.check()).faults == ()


async def test_two_gateways_that_erase_a_pupil_at_once_erase_the_pupil_once_and_tell_boxes_of_every_paper(
    school: SimulatedSchool, config: GatewayConfig, tmp_path: Path
) -> None:
    _pupil, alias = _seven(school)
    papers = await _a_term(school)

    async def at(store: Store) -> Forgotten:
        async with store.writing() as connection:
            return await forget(connection, store.vault, "no-1", alias, now_ms=now_ms())

    async with second(config, tmp_path) as other, asyncio.timeout(30):
        gone = await asyncio.gather(at(school.store), at(other), at(school.store), at(other))
    assert sorted(one.pages for one in gone) == [0, 0, 0, 3]
    async with school.store.reading() as connection:
        body = await standing_body(connection, "no-1", "erasure", alias.hex())
        lines = (await connection.execute(select(audit.c.detail).where(audit.c.deed == "forget"))).scalars().all()
    assert body is not None
    assert set(read_erasure(body).captures) == set(papers), "also those that the first erasure found"
    assert sorted(lines) == ["pages=0", "pages=0", "pages=0", "pages=3"]
    assert (await school.check()).faults == ()


async def test_a_sheet_that_waited_for_its_name_goes_when_it_turns_out_to_be_theirs(school: SimulatedSchool) -> None:
    pupil, alias = _seven(school)
    await _a_term(school)
    paper = secrets.token_bytes(16)
    asked = msgspec.structs.replace(school.pupils.result(pupil, capture=paper), pseudonym=None, seat=None)
    await school.ingest.take([school.box.envelope(Lane.RESULTS, [asked])])
    await _forget(school, alias)
    (row,) = await _rows(school, page_records.c.capture == paper)
    assert row.state == RowState.UNBOOKED, "nobody knew whose it was"
    named = school.pupils.result(pupil, capture=paper, revision=2)
    await school.ingest.take([school.box.envelope(Lane.RESULTS, [named])])
    assert {row.state for row in await _rows(school, page_records.c.capture == paper)} == {RowState.ERASED}
    assert (await school.check()).faults == ()


async def test_a_paper_that_was_taken_for_theirs_and_is_anothers_stays_that_others(school: SimulatedSchool) -> None:
    pupil, alias = _seven(school)
    other, paper = school.pupils.roster.pupils[7], secrets.token_bytes(16)
    both = [school.pupils.result(pupil, capture=paper), school.pupils.result(other, capture=paper, revision=2)]
    await school.ingest.take([school.box.envelope(Lane.RESULTS, both)])
    await _forget(school, alias)
    states = {row.revision: row.state for row in await _rows(school, page_records.c.capture == paper)}
    assert states == {1: RowState.ERASED, 2: RowState.CURRENT}
    assert (await school.check()).faults == ()


async def test_an_erased_paper_that_turns_out_to_be_anothers_counts_for_that_other(school: SimulatedSchool) -> None:
    """Nothing hangs on an empty row."""
    _, alias = _seven(school)
    other = school.pupils.roster.pupils[7]
    papers = await _a_term(school)
    await _forget(school, alias)
    corrected = school.pupils.result(other, capture=papers[0], revision=7, attempt=3)
    await school.ingest.take([SimulatedBox("no-1", "box-1").envelope(Lane.RESULTS, [corrected])])
    states = {row.revision: row.state for row in await _rows(school, page_records.c.capture == papers[0])}
    assert states == {1: RowState.ERASED, 7: RowState.CURRENT}
    assert (await school.check()).faults == ()


async def test_twice_does_no_harm_and_who_comes_back_counts_again(school: SimulatedSchool) -> None:
    pupil, alias = _seven(school)
    await _a_term(school)
    everybody = {"3-1": school.pupils.roster.pupils}
    await _forget(school, alias)
    assert (await _forget(school, alias)).pages == 0
    async with school.store.writing() as connection:
        kept = await keep_classes(connection, school.store.vault, "no-1", everybody, person=0)
        assert kept.left_out == 1
        await readmit(connection, "no-1", alias, now_ms=now_ms())
        kept = await keep_classes(connection, school.store.vault, "no-1", everybody, person=0)
        assert kept.left_out == 0
    await school.ingest.take([school.box.envelope(Lane.RESULTS, [school.pupils.result(pupil)])])
    assert (await school.report()).figures.handed_in == 12
    async with school.store.reading() as connection:
        assert all(one.entry.kind != "erasure" for one in await entries_after(connection, "no-1", 0, at_most=100))
    assert (await school.check()).faults == ()


async def test_what_is_held_of_them_is_emptied_and_its_box_need_not_wait(school: SimulatedSchool) -> None:
    pupil, alias = _seven(school)
    future = encode_record(school.pupils.result(pupil)).replace(b"\x01\x01", b"\x01\x63", 1)
    (receipt,) = await school.ingest.take([school.box.envelope(Lane.RESULTS, [future])])
    assert receipt.held == ((1, 1),)
    await _forget(school, alias)
    (receipt,) = await school.ingest.take(
        [school.box.envelope(Lane.RESULTS, [school.pupils.result(school.pupils.roster.pupils[0])])]
    )
    assert receipt.held == ()
    everything = await _everything(school)
    assert not _holds(everything["held_records"], [alias])


async def test_a_second_gateway_that_takes_in_at_the_same_time_keeps_nothing(
    school: SimulatedSchool, config: GatewayConfig
) -> None:
    pupil, alias = _seven(school)
    async with open_store(config) as other:
        second = StoreIngest(other)
        await _forget(school, alias)
        await second.take([school.box.envelope(Lane.RESULTS, [school.pupils.result(pupil)])])
    assert {row.state for row in await _rows(school)} == {RowState.ERASED}


async def test_what_is_killed_in_the_middle_has_not_happened(school: SimulatedSchool) -> None:
    _, alias = _seven(school)
    await _a_term(school)
    before = await _everything(school)
    with pytest.raises(ArithmeticError):
        await _forget_and_die(school, alias)
    assert await _everything(school) == before


def test_the_command_asks_for_a_yes_and_names_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLASSGATE_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("LANG", "en")
    (tmp_path / "list.csv").write_text("class,seat,name,pupil_id\n3-1,7,李雷,P7\n", encoding="utf-8")

    def run(*words: str) -> Any:
        return CliRunner().invoke(main, list(words))

    for words in (("school", "add", "no-1"), ("import-roster", str(tmp_path / "list.csv"), "--school", "no-1")):
        assert run(*words).exit_code == 0
    assert run("db", "forget", "no-1", "3-1#7").exit_code != 0
    assert run("db", "forget", "no-1", "3-1#8", "--yes").exit_code != 0
    told = run("db", "forget", "no-1", "3-1#7", "--yes")
    assert told.exit_code == 0
    assert "李雷" not in told.output
    assert run("db", "check").exit_code == 0
    listed = run("import-roster", str(tmp_path / "list.csv"), "--school", "no-1")
    assert "readmit" in listed.output


async def test_the_page_asks_first_and_says_then_which_boxes_are_still_to_do_it(school: SimulatedSchool) -> None:
    pupil, alias = _seven(school)
    await _a_term(school)
    where = f"/schools/no-1/pupils/{alias.hex()}"
    async with open_office(school.store) as office:
        assert f"{where}/forget" in await office.get(where)
        assert pupil.name in await office.get(f"{where}/forget")
        await office.post(f"{where}/forget", {"typed": "3-1#8"}, status=400)
        assert (await school.report()).figures.handed_in == 12
        done = await office.post(f"{where}/forget", {"typed": "3-1 # 7"})
        assert "box-1" in done
        assert pupil.name not in done
        await office.get(where, status=404)
        await office.get(f"/schools/no-1/pupils/{'ab' * 8}/forget", status=400)
    assert (await school.report()).figures.handed_in == 11


# --- what is asked and done -----------------------------------------------------------------------------------


def _seven(school: SimulatedSchool) -> tuple[Pupil, bytes]:
    pupil = school.pupils.roster.pupils[SEVEN]
    return pupil, pseudonym(school.school_key, pupil.pupil_id)


async def _a_term(school: SimulatedSchool) -> list[bytes]:
    """Of all a sheet; of the seventh also its twin, a corrected one, and all that people and programs keep of it."""
    pupil, alias = _seven(school)
    store, first, second, twin = school.store, *(secrets.token_bytes(16) for _ in range(3))
    sheets = [judged(school.pupils.result(one), 2) for one in school.pupils.roster.pupils if one is not pupil]
    own = [
        judged(school.pupils.result(pupil, capture=first), 3),
        school.pupils.result(pupil, capture=twin, duplicate_of=first),
        school.pupils.result(pupil, capture=second, attempt=2),
    ]
    places = tuple((one.seat, 1) for one in school.pupils.roster.pupils)
    clock = own[0].clock
    tally = Tally(
        clock=clock,
        assignment=school.pupils.assignment.id,
        class_name="3-1",
        expected=12,
        slid=12,
        corrections=0,
        twice=1,
        asked=0,
        not_graded=0,
        withdrawn=0,
        places=places,
    )
    await school.ingest.take(
        [
            school.box.envelope(Lane.DOCUMENTS, school.pupils.documents()),
            school.box.envelope(Lane.RESULTS, [*sheets, *own, _absence(school, alias)]),
            school.box.envelope(Lane.CROPS, [a_crop(school, first)]),
            school.box.envelope(Lane.HEALTH, [tally]),
        ]
    )
    at_ms = now_ms()
    async with store.writing() as connection:
        await keep_classes(connection, store.vault, "no-1", {"3-1": school.pupils.roster.pupils[:-1]}, person=0)
        await keep_classes(connection, store.vault, "no-1", {"3-1": school.pupils.roster.pupils}, person=0)
        item = school.pupils.assignment.items[0]
        field = Field(school.pupils.assignment.id, "3-1", 7, (item.id, 1))
        word = Word(right=True, comment=f"{pupil.name} 有进步")
        await correct(connection, store.vault, "no-1", field, word, who=Sayer("王老师", 7), clock=SystemClock().read())
        await keep_comment(
            connection,
            store.vault,
            "no-1",
            alias,
            term=term_of(datetime.now().astimezone().date()),
            text=pupil.name,
            person_id=1,
            at_ms=at_ms,
        )
        parent = await add_person(connection, store.vault, login="parent", name="家长", now_ms=at_ms)
        both = await add_person(connection, store.vault, login="both", name="老师", now_ms=at_ms)
        await give(connection, parent, Grant(Role.PARENT, "no-1", "3-1", None, alias, at_ms, None), by=0)
        await give(connection, both, Grant(Role.PARENT, "no-1", "3-1", None, alias, at_ms, None), by=0)
        await give(connection, both, Grant(Role.HEAD, "no-1", None, None, None, at_ms, None), by=0)
    return [first, second, twin]


async def _forget(school: SimulatedSchool, alias: bytes) -> Forgotten:
    async with school.store.writing() as connection:
        assert await pupil_called(connection, school.store.vault, "no-1", alias.hex()) == alias
        return await forget(connection, school.store.vault, "no-1", alias, now_ms=now_ms())


async def _forget_and_die(school: SimulatedSchool, alias: bytes) -> None:
    async with school.store.writing() as connection:
        await forget(connection, school.store.vault, "no-1", alias, now_ms=now_ms())
        raise ArithmeticError


def _absence(school: SimulatedSchool, alias: bytes) -> AbsenceRecord:
    return AbsenceRecord(
        id=secrets.token_bytes(16),
        assignment=school.pupils.assignment.id,
        pseudonym=alias,
        absence=1,
        sealed=None,
        replaces=(),
        clock=SystemClock().read(),
    )


async def _rows(school: SimulatedSchool, *where: Any) -> Sequence[Any]:
    async with school.store.reading() as connection:
        query = select(page_records).where(page_records.c.school_id == "no-1", *where)
        return (await connection.execute(query)).all()


async def _everything(school: SimulatedSchool) -> dict[str, list[tuple[Any, ...]]]:
    async with school.store.reading() as connection:
        return {
            table.name: sorted((tuple(row) for row in await connection.execute(select(table))), key=repr)
            for table in metadata.sorted_tables
            if table.name not in ("gateway_identity", "leases")
        }


def _holds(rows: Sequence[tuple[Any, ...]], needles: Sequence[bytes]) -> bool:
    values = [value for row in rows for value in row]
    said = b"\xff".join(value if isinstance(value, bytes) else str(value).encode() for value in values)
    return any(needle in said for needle in needles)
