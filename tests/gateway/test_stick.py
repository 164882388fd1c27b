"""Sheets that travel on a stick are in the report once, whatever else comes over the line, in whatever order (D17)."""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from edge.documents import Documents
from edge.downstream import Downstream, document_takers, shelf_of
from edge.ledger import Ledger
from edge.pictures import Pictures
from edge.stick_exchange import Exchanged, StickWatch, exchange, put_out, take_answers
from edge.web.summary import REPORT_SETTING
from gateway.config import load_config
from gateway.keeping.forgetting import forget
from gateway.simulated_school import BOX, SimulatedSchool, make_school
from gateway.stick import register_stick, schools_of, take_stick
from gateway.store.boxes_told import not_told
from gateway.store.documents import publish_settings
from gateway.store.down_log import append, how_far
from gateway.store.schools import enrol_box
from gateway.store.store import Store, open_store
from homework.assignment import parse_assignment
from homework.print_run import named_by_digest
from homework.report_settings import ReportSettings, settings_from_json
from homework.statistics import Thresholds
from provisioning.identity import Identity, write_identity
from sync.box_session import BoxSession
from sync.down_messages import PART_BYTES
from sync.gateway_session import GatewaySession, Message
from sync.pseudonym import pseudonym
from sync.stick import StickError, answers_file
from sync.topics import topic
from tests.edge.test_backup import slide

BIN = Path(sys.executable).parent
ROOT = Path(__file__).resolve().parents[2]


class Site:
    """A box with a ledger, its school at a real store, a stick, and a line between them that works when asked."""

    def __init__(self, tmp_path: Path, school: SimulatedSchool, store: Store) -> None:
        self.school, self.store = school, store
        self.identity = Identity(
            school=school.school,
            box=BOX,
            school_key=school.school_key,
            box_key=school.box_key,
            broker_url="mqtt://127.0.0.1:9",
        )
        self.data, self.stick = tmp_path / "box", tmp_path / "stick"
        self.stick.mkdir()
        write_identity(self.data, self.identity)
        self.ledger = Ledger(self.data, school_key=school.school_key)

    def slide(self, *numbers: int) -> None:
        slide(self.data, self.ledger, *numbers)

    def waiting(self) -> int:
        return sum(lane.waiting for lane in self.ledger.outbox_counts().values())

    async def at_gateway(self) -> None:
        await take_stick(self.store, self.school.ingest, self.stick)

    async def over_the_line(self) -> None:
        """Everything once, and the answers back."""
        session = BoxSession(school=self.identity.school, box=BOX, key=self.identity.box_key, software="0")
        gateway = GatewaySession(self.school.ingest)
        with self.ledger.outbox() as outbox:
            up = [Message(topic(self.identity.school, BOX, "state"), session.hello(outbox))]
            while (message := session.next_message(outbox, 0)) is not None:
                up.append(Message(topic(self.identity.school, BOX, "up"), message))
        for answer in await gateway.handle(up):
            with self.ledger.outbox() as outbox:
                session.receive(outbox, answer.payload)

    async def counted(self) -> int:
        async with self.store.reading() as connection:
            found = await connection.exec_driver_sql("SELECT count(*), count(DISTINCT capture) FROM page_records")
            rows, captures = found.one()
        assert rows == captures
        return int(rows)


@pytest.fixture
async def site(tmp_path: Path, school: SimulatedSchool, store: Store) -> Site:
    return Site(tmp_path, school, store)


async def test_there_and_back_again_the_school_has_everything_and_the_box_knows(site: Site) -> None:
    site.slide(1, 2, 3)
    assert exchange(site.ledger, site.identity, site.stick).records == 3
    assert site.waiting() == 3, "what lies on a stick is not delivered"
    await site.at_gateway()
    assert await site.counted() == 3
    back = exchange(site.ledger, site.identity, site.stick)

    assert back.receipts
    assert (site.waiting(), back.records) == (0, 0)


async def test_the_same_stick_twice_and_an_answer_twice_change_nothing(site: Site) -> None:
    site.slide(1, 2)
    put_out(site.ledger, site.identity, site.stick)
    for _ in range(2):
        await site.at_gateway()
    for _ in range(2):
        take_answers(site.ledger, site.identity, site.stick)

    assert (await site.counted(), site.waiting()) == (2, 0)


async def test_a_stick_that_was_lost_costs_nothing_but_the_way(site: Site, tmp_path: Path) -> None:
    site.slide(1, 2)
    put_out(site.ledger, site.identity, site.stick)
    site.stick.rename(tmp_path / "lost")
    site.stick.mkdir()
    site.slide(3)
    put_out(site.ledger, site.identity, site.stick)
    await site.at_gateway()
    take_answers(site.ledger, site.identity, site.stick)

    assert (await site.counted(), site.waiting()) == (3, 0)


STEPS = st.lists(st.sampled_from(["slide", "out", "gateway", "back", "line", "tear"]), max_size=14)


@given(STEPS)
@settings(
    max_examples=25,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_stick_and_line_in_any_order_end_with_every_sheet_at_the_school_once(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str]
) -> None:
    """D17."""

    async def run() -> None:
        folder = tmp_path_factory.mktemp("any")
        (folder / "gateway.toml").write_text('data = "data"\n')
        async with open_store(load_config(folder / "gateway.toml")) as store:
            text = (ROOT / "examples" / "g3-mul-2x1.toml").read_text(encoding="utf-8")
            site = Site(folder, await make_school(store, parse_assignment(text)), store)
            number = 0
            for step in (*steps, "slide", "line", "out", "gateway", "back"):
                match step:
                    case "slide":
                        number += 1
                        site.slide(number)
                    case "out":
                        put_out(site.ledger, site.identity, site.stick)
                    case "gateway":
                        await site.at_gateway()
                    case "back":
                        with contextlib.suppress(StickError):  # torn: it says so, and what was known stays
                            take_answers(site.ledger, site.identity, site.stick)
                    case "line":
                        await site.over_the_line()
                    case "tear":
                        file = answers_file(site.stick, site.identity.school, BOX)
                        if file.exists():
                            file.write_bytes(file.read_bytes()[:-3])
            assert (await site.counted(), site.waiting()) == (number, 0)
            site.ledger.close()

    asyncio.run(run())


async def test_two_boxes_on_one_stick_and_a_stranger_cost_each_other_nothing(site: Site, tmp_path: Path) -> None:
    async with site.store.writing() as connection:
        key = await enrol_box(connection, site.store.vault, site.school.school, "box-2")
    other = Identity(
        school=site.school.school, box="box-2", school_key=site.school.school_key, box_key=key, broker_url="mqtt://x"
    )
    stranger = Identity(
        school=site.school.school, box="box-3", school_key=bytes(32), box_key=bytes(32), broker_url="mqtt://x"
    )
    second = Ledger(tmp_path / "second", school_key=site.school.school_key)
    slide(tmp_path / "second", second, 7, 8)
    site.slide(1)
    put_out(site.ledger, site.identity, site.stick)
    put_out(second, other, site.stick)
    put_out(second, stranger, site.stick)

    taken = await take_stick(site.store, site.school.ingest, site.stick)
    second.close()

    assert {one.box: one.trouble is None for one in taken} == {"box-1": True, "box-2": True, "box-3": False}
    assert await site.counted() == 3


async def test_answers_of_another_box_are_refused_and_said(site: Site) -> None:
    site.slide(1)
    put_out(site.ledger, site.identity, site.stick)
    await site.at_gateway()
    file = answers_file(site.stick, site.identity.school, BOX)
    file.write_bytes(b"classbox stick 1\n" + bytes(200))

    with pytest.raises(StickError, match="cannot be read"):
        take_answers(site.ledger, site.identity, site.stick)
    assert site.waiting() == 1
    site.slide(2)
    assert exchange(site.ledger, site.identity, site.stick).records == 2, "what goes out does not wait for them"
    await site.at_gateway()
    exchange(site.ledger, site.identity, site.stick)
    assert site.waiting() == 0


async def test_a_registered_stick_is_served_once_and_again_when_it_comes_back(site: Site) -> None:
    done: list[Exchanged] = []
    there = [site.stick]
    said: list[bool] = []
    watch = StickWatch(
        site.ledger,
        site.identity,
        lambda: there,
        on_done=done.append,
        on_change=lambda: said.append(watch.may_be_pulled),
        quiet_s=0,
    )
    site.slide(1, 2)
    watch.look(lambda: False)
    assert done == [], "a stick that is not the school's own is left alone"
    await register_stick(site.store, site.stick, site.school.school)
    assert await schools_of(site.store, site.stick) == [site.school.school]
    watch.look(lambda: False)
    watch.look(lambda: False)
    assert [one.records for one in done] == [2]
    site.slide(3)
    watch.look(lambda: False)
    assert [one.records for one in done] == [2, 3]
    assert said == [True], "the page says that it may be pulled out"
    there.clear()
    watch.look(lambda: False)
    assert said == [True, False], "and no longer when it was"
    await site.at_gateway()
    there.append(site.stick)
    watch.look(lambda: False)

    assert done[-1].receipts
    assert (await site.counted(), site.waiting()) == (3, 0)


async def test_a_stick_that_cannot_be_written_is_a_trouble_and_the_box_goes_on(site: Site) -> None:
    await register_stick(site.store, site.stick, site.school.school)
    (site.stick / "classbox-sync" / site.school.school / BOX).write_text("in the way")
    site.slide(1)
    watch = StickWatch(site.ledger, site.identity, lambda: [site.stick], quiet_s=0)
    trouble = watch.look(lambda: False)

    assert trouble is not None
    assert trouble.remedy
    (site.stick / "classbox-sync" / site.school.school / BOX).unlink()
    assert watch.look(lambda: False) is trouble, "it is said until it is tried again, and not tried every moment"
    assert not answers_file(site.stick, site.school.school, BOX).parent.exists()


async def test_the_commands_carry_a_class_there_and_back(site: Site, tmp_path: Path) -> None:
    site.slide(1, 2, 3)
    site.ledger.close()
    env = {**os.environ, "CLASSBOX_LANG": "en", "LANG": "en", "CLASSGATE_CONFIG": str(tmp_path / "gateway.toml")}

    def run(*words: str | Path) -> str:
        done = subprocess.run(list(map(str, words)), capture_output=True, text=True, check=False, env=env)
        assert done.returncode == 0, done.stderr
        return done.stdout

    said = run(BIN / "classgate", "stick", "register", site.stick, "--school", site.school.school)
    assert site.school.school in said
    assert "3 records" in run(BIN / "classbox", "stick", "export", site.stick, "--data", site.data)
    assert f"{site.school.school}/box-1" in run(BIN / "classgate", "stick", "import", site.stick)
    assert "wait for the school: 0" in run(BIN / "classbox", "stick", "import", site.stick, "--data", site.data)
    assert await site.counted() == 3


@pytest.mark.usefixtures("config")
def test_an_empty_stick_and_a_box_of_no_school_end_in_one_line_with_a_remedy(tmp_path: Path) -> None:
    for words in (
        (BIN / "classgate", "stick", "import", tmp_path),
        (BIN / "classbox", "stick", "export", tmp_path, "--data", tmp_path / "none"),
    ):
        env = {**os.environ, "CLASSBOX_LANG": "en", "CLASSGATE_CONFIG": str(tmp_path / "gateway.toml")}
        done = subprocess.run(list(map(str, words)), capture_output=True, text=True, check=False, env=env)
        assert done.returncode in (1, 2)
        assert "Traceback" not in done.stderr
        assert len(done.stderr.strip().splitlines()) <= 2


async def test_both_programs_serve_a_registered_stick_by_themselves(site: Site, tmp_path: Path) -> None:
    """Plug in, tone, done: here and there, with no line between them."""
    site.slide(1, 2, 3)
    site.ledger.close()
    await register_stick(site.store, site.stick, site.school.school)
    media = tmp_path / "media"
    media.mkdir()
    stick = f'[stick]\nroots = ["{media}"]\nmounted = false\n'
    (tmp_path / "box.toml").write_text(f'data = "{site.data}"\n[web]\nlisten = "127.0.0.1:0"\n{stick}')
    gateway_toml = tmp_path / "gateway.toml"
    gateway_toml.write_text(gateway_toml.read_text() + f'[broker]\nurl = "mqtt://127.0.0.1:9"\n{stick}')
    programs = [
        await asyncio.create_subprocess_exec(
            str(BIN / name),
            "run",
            "--config",
            str(tmp_path / file),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for name, file in (("classbox", "box.toml"), ("classgate", "gateway.toml"))
    ]
    try:
        site.stick.rename(media / "STICK")
        done = await asyncio.to_thread(_rests, site.data)
    finally:
        for program in programs:
            program.terminate()
            await program.wait()

    assert await site.counted() == 3
    assert done["waiting"] == 0


def _rests(data: Path) -> dict[str, int]:
    """What the box says once nothing waits any more, or after a minute."""
    words = [str(BIN / "classbox"), "status", "--json", "--data", str(data)]
    deadline_s = time.monotonic() + 60
    while True:
        done: dict[str, int] = json.loads(subprocess.run(words, capture_output=True, text=True, check=True).stdout)
        if (done["receipted"] and not done["waiting"]) or time.monotonic() > deadline_s:
            return done
        time.sleep(0.5)


async def test_what_the_school_gives_its_boxes_comes_on_the_stick_too(site: Site) -> None:
    """D11, D17: whole, because a box can ask for nothing on the way."""
    documents = Documents(site.data)
    shelf = Downstream(document_takers(documents, site.school.school_key))
    settings = ReportSettings(thresholds=Thresholds(excellent=85))
    picture = bytes(cv2.imencode(".png", np.random.default_rng(1).integers(0, 255, (297, 210), np.uint8))[1])
    name = named_by_digest(picture, "blank.png")
    assert len(picture) > 3 * PART_BYTES
    async with site.store.writing() as connection:
        await publish_settings(connection, site.school.school, settings)
        await append(connection, site.school.school, "reference", name, picture)
    exchange(site.ledger, site.identity, site.stick, shelf)
    await site.at_gateway()
    exchange(site.ledger, site.identity, site.stick, shelf)
    assert settings_from_json(documents.setting(REPORT_SETTING)) == settings
    assert documents.picture(name) == picture
    await site.at_gateway()
    size = answers_file(site.stick, site.school.school, BOX).stat().st_size
    assert size < 2_000, "what it was told does not come again"
    async with site.store.reading() as connection:
        assert (await how_far(connection))[site.school.school, BOX] == (0, 0)


async def test_an_erasure_reaches_a_box_that_was_away_and_what_it_sends_from_before_is_not_kept(site: Site) -> None:
    """D9, on a stick: some sheets were at the school, some still on the box when the pupil was erased there."""
    pictures = Pictures(site.data / "pictures")
    shelf = shelf_of(Documents(site.data), site.ledger, site.school.school_key, pictures)
    site.slide(1, 2)
    exchange(site.ledger, site.identity, site.stick, shelf)
    await site.at_gateway()
    alias = pseudonym(site.school.school_key, "S002")
    async with site.store.writing() as connection:
        gone = await forget(connection, site.store.vault, site.school.school, alias, now_ms=1)
    assert gone.pages == 1
    await site.at_gateway()
    exchange(site.ledger, site.identity, site.stick, shelf)
    assert len(list(pictures.paths())) == 1
    await site.at_gateway()
    exchange(site.ledger, site.identity, site.stick, shelf)
    assert site.waiting() == 0
    assert (await site.school.check()).faults == ()
    async with site.store.reading() as connection:
        assert await not_told(connection, site.school.school, alias.hex()) == []
