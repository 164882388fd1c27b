"""What a command changes: a running gateway hears of it at once, and the audit says who sat at the terminal."""

import asyncio
import contextlib
import json
import os
import pwd
from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select

from gateway.access.audit import lines
from gateway.access.deeds import Deed
from gateway.app import _tell
from gateway.cli import main
from gateway.config import GatewayConfig
from gateway.reports.worker import SummaryWorker
from gateway.simulated_school import SimulatedSchool
from gateway.store.audit_lines import who_at_terminal
from gateway.store.news import Place
from gateway.store.store import Store
from gateway.store.tables.people import audit
from gateway.store.tables.summaries import class_summaries
from gateway.web.audit_words import deed_words
from gateway.web.changes import Changes
from homework.assignment import assignment_to_toml
from homework.layout import layout_to_json
from sync.lanes import Lane, record_digest
from sync.pseudonym import pseudonym
from sync.records import encode_record
from tests.gateway.judged import judged
from tests.gateway.office import open_office
from tests.gateway.test_crops import crop, told
from tests.gateway.test_held import BROKEN, an_older_version
from tests.gateway.test_several import second
from ui.language import translator

ON_BOTH = True
Classgate = Callable[..., Result]


@pytest.fixture
def classgate(school: SimulatedSchool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Classgate:
    """A command in a thread: it opens the store for itself, as a process of its own would."""
    monkeypatch.setenv("CLASSGATE_CONFIG", str(tmp_path / "gateway.toml"))
    monkeypatch.setenv("CLASSBOX_LANG", "en")
    return partial(_run, school)


def _run(_school: SimulatedSchool, *words: str | Path) -> Result:
    return CliRunner().invoke(main, list(map(str, words)), prog_name="classgate")


async def done(classgate: Classgate, *words: str | Path) -> str:
    result = await asyncio.to_thread(classgate, *words)
    assert result.exit_code == 0, (words, result.output, result.exception)
    return result.output


async def sheets_come(school: SimulatedSchool) -> None:
    results = [judged(one) for one in school.pupils.results()]
    school.store.takes_in = True  # as in `classgate run`
    await school.ingest.take([school.box.envelope(Lane.DOCUMENTS, school.pupils.documents())])
    await school.ingest.take([school.box.envelope(Lane.RESULTS, results)])


def correct(school: SimulatedSchool, seat: int) -> tuple[str, ...]:
    assignment = school.pupils.assignment
    item = assignment.items[0].id
    where = ("--assignment", assignment.id, "--class", "3-1", "--seat", str(seat))
    return ("correct", "no-1", item, *where, "--wrong")


def list_of_two(tmp_path: Path) -> Path:
    (tmp_path / "list.csv").write_text("class,seat,name,pupil_id\n3-2,1,李雷,P1\n3-2,2,韩梅梅,P2\n", encoding="utf-8")
    return tmp_path / "list.csv"


def printed(school: SimulatedSchool, tmp_path: Path) -> Path:
    folder = tmp_path / "sheets"
    folder.mkdir()
    other = msgspec.structs.replace(school.pupils.assignment, title="另一个题目")
    (folder / "assignment.toml").write_text(assignment_to_toml(other), encoding="utf-8")
    (folder / "layout.json").write_text(layout_to_json(school.pupils.layout), encoding="utf-8")
    return folder


async def test_what_commands_change_is_in_the_sums_of_a_running_gateway_within_seconds(
    school: SimulatedSchool, classgate: Classgate
) -> None:
    """It sweeps every ten minutes; nobody has waited for that here."""
    await sheets_come(school)
    changes = Changes()
    worker = SummaryWorker(school.store, quiet_s=0.2)
    changes.pass_on(worker.tell)
    jobs = [
        asyncio.create_task(worker.run()),
        asyncio.create_task(school.store.hear_others(_tell(changes))),
    ]
    try:
        async with asyncio.timeout(60):
            await until(school.store, lambda row: row["handed_in"] == 12 and row["rate_sum_ppm"] == 12_000_000)
            await asyncio.sleep(1)  # what came with its start is over
            await done(classgate, *correct(school, 2))
            async with asyncio.timeout(8):
                await until(school.store, lambda row: row["rate_sum_ppm"] < 12_000_000)
            await done(classgate, "db", "forget", "no-1", "3-1#7", "--yes")
            async with asyncio.timeout(8):
                await until(school.store, lambda row: (row["handed_in"], row["expected"]) == (11, 11))
    finally:
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)
    said = json.loads(await done(classgate, "db", "check", "--summaries", "--json"))
    assert (said["summaries"], said["waiting"], said["faults"]) == (1, 0, [])


async def until(store: Store, as_it_should: Callable[[dict[str, int]], bool]) -> None:
    while True:
        async with store.reading() as connection:
            rows = [dict(row) for row in (await connection.execute(select(class_summaries))).mappings()]
        if rows and as_it_should(rows[0]):
            return
        await asyncio.sleep(0.05)


async def test_a_check_says_how_many_summaries_wait(school: SimulatedSchool, classgate: Classgate) -> None:
    await sheets_come(school)
    await SummaryWorker(school.store).catch_up()
    await done(classgate, *correct(school, 2))
    said = await done(classgate, "db", "check", "--summaries")
    assert "0 faults" in said
    assert "1 summaries, 1 of them older" in said


async def test_every_command_that_changes_reports_is_heard(
    school: SimulatedSchool, classgate: Classgate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await sheets_come(school)
    late = encode_record(msgspec.structs.replace(school.pupils.results()[0], capture=b"held".ljust(16)))
    with an_older_version(monkeypatch, lambda payload: payload == late):
        await school.ingest.take([school.box.envelope(Lane.RESULTS, [late])])
    heard: list[list[Place] | None] = []
    listening = asyncio.create_task(school.store.hear_others(heard.append))
    commands = {
        correct(school, 2): [("no-1", school.pupils.assignment.id, "3-1")],
        ("held", "accept", record_digest(late).hex()): [("no-1", None, None)],
        ("setting", "report", "no-1", "--excellent", "95"): None,
        ("import-roster", str(list_of_two(tmp_path)), "--school", "no-1"): None,
        ("load", "no-1", str(printed(school, tmp_path))): None,
        ("db", "forget", "no-1", "3-1#7", "--yes"): None,
    }
    try:
        async with asyncio.timeout(60):
            while not heard:  # noqa: ASYNC110 - a list has no events
                await asyncio.sleep(0.02)
            for words, what in commands.items():
                heard.clear()
                await done(classgate, *words)
                while not heard:  # noqa: ASYNC110 - as above
                    await asyncio.sleep(0.02)
                assert heard == [what], words
    finally:
        listening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await listening


async def test_what_was_done_at_the_terminal_is_in_the_audit_with_who_sat_there(
    school: SimulatedSchool, classgate: Classgate, tmp_path: Path
) -> None:
    await sheets_come(school)
    await told(school, crop(school, b"RIFF"))
    capture = crop(school, b"").capture.hex()
    await school.ingest.take([school.box.envelope(Lane.RESULTS, [BROKEN, BROKEN + b"\x00"])])
    (tmp_path / "stick").mkdir()
    one, _other = [line.split()[0] for line in (await done(classgate, "held", "list")).splitlines()]
    assert (await asyncio.to_thread(classgate, "held", "accept", one)).exit_code != 0
    expected = {
        correct(school, 2): (Deed.CORRECT, "answer"),
        ("setting", "report", "no-1", "--excellent", "95"): ("setting", "report"),
        ("import-roster", str(list_of_two(tmp_path)), "--school", "no-1"): (Deed.EDIT_ROSTER, "keep"),
        ("load", "no-1", str(printed(school, tmp_path))): (Deed.ASSIGN, "load"),
        ("report", "3-1"): (Deed.SEE_CLASS, ""),
        ("report", "3-1", "--csv"): (Deed.EXPORT, ".csv"),
        ("report", "3-1", "--json"): (Deed.EXPORT, ".json"),
        ("report", "3-1", "--xlsx", str(tmp_path / "a.xlsx")): (Deed.EXPORT, ".xlsx"),
        ("crop", "open", "no-1", capture, "7", "-o", str(tmp_path / "a.webp")): (Deed.SEE_CROP, "open"),
        ("corrections", "no-1"): (Deed.EXPORT, "corrections"),
        ("held", "refuse", one): (Deed.DECIDE_HELD, "refuse"),
        ("school", "add", "no-9"): ("school", "add"),
        ("stick", "register", str(tmp_path / "stick"), "--school", "no-1"): (Deed.MANAGE_BOXES, "stick"),
        ("school", "rename", "no-1", "--title", "一小"): ("school", "rename"),
        ("school", "enrol", "no-1", "box-9", "--broker", "mqtt://h"): (Deed.MANAGE_BOXES, "enrol"),
        ("box", "certificate", "no-1", "box-9", str(tmp_path / "cert")): (Deed.MANAGE_BOXES, "certificate"),
        ("box", "revoke", "no-1", "box-9"): (Deed.MANAGE_BOXES, "lock-out"),
        ("db", "unpack", "no-1", "--to", str(tmp_path / "a.csv")): (Deed.EXPORT, "answers.csv"),
        ("db", "export-pupil", "no-1", "3-1#7", "--to", str(tmp_path / "p.zip")): (Deed.EXPORT, "all of one pupil"),
        ("db", "forget", "no-1", "3-1#7", "--yes"): (Deed.FORGET, "pages=1"),
    }
    for words, line in expected.items():
        before = await told_of(school.store)
        await done(classgate, *words)
        new = [one for one in await told_of(school.store) if one not in before]
        user, detail = who_at_terminal(new[0][2])
        assert [(new[0][1], detail)] == [line], words
        assert len(new) == 1, words
        assert user == (os.environ.get("SUDO_USER") or pwd.getpwuid(os.getuid()).pw_name)
        for language in ("zh-CN", "en"):
            assert deed_words(new[0][1], new[0][2], translator(language).gettext) not in (new[0][1], new[0][2])
    async with open_office(school.store) as office:
        page = await office.get("/audit?school=no-1&language=zh-CN")
    assert "在终端：" in page
    assert "改判一处答案" in page
    assert f"题号 {school.pupils.assignment.items[0].id}" in page


async def told_of(store: Store) -> list[tuple[int, str, str]]:
    async with store.reading() as connection:
        rows = await connection.execute(select(audit.c.audit_id, audit.c.deed, audit.c.detail))
        return [(row.audit_id, row.deed, row.detail) for row in rows]


async def test_a_process_that_only_shows_pages_tells_the_one_that_takes_in(
    school: SimulatedSchool, config: GatewayConfig, tmp_path: Path
) -> None:
    """请假 is said at the one, the sums are made at the other."""
    await sheets_come(school)
    heard: list[list[Place] | None] = []
    listening = asyncio.create_task(school.store.hear_others(heard.append))
    async with asyncio.timeout(20), second(config, tmp_path) as pages, open_office(pages) as office:
        while not heard:  # noqa: ASYNC110 - a list has no events
            await asyncio.sleep(0.02)
        where = f"/schools/no-1/classes/3-1/assignments/{school.pupils.assignment.id}"
        alias = pseudonym(school.school_key, school.pupils.roster.pupils[0].pupil_id)
        await office.post(f"{where}/absences", {"say": f"{alias.hex()}:excused"})
        while len(heard) < 2:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.02)
    listening.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await listening
    assert heard == [None, [("no-1", school.pupils.assignment.id, "3-1")]]


async def test_every_deed_fits_where_the_audit_keeps_it(store: Store) -> None:
    """A server refuses what is longer, and with it every line that was to be written."""
    width = audit.c.deed.type.length  # type: ignore[attr-defined]
    assert [deed for deed in Deed if len(deed) > width] == []
    async with store.reading() as connection:
        assert await lines(connection, None) == []
