"""Boxes and held records on the school's pages."""

import copy
import re
from collections.abc import AsyncIterator
from typing import NoReturn

import pytest

from gateway.held import held_of_school
from gateway.simulated_class import SimulatedBox
from gateway.simulated_school import SimulatedSchool, make_school
from gateway.store.archived import InArchiveError
from gateway.store.schools import box_key
from gateway.store.store import Store
from gateway.store.trouble import trouble_of
from provisioning.keys import parse_enrolment_code
from sync.clock import ClockQuality, ClockReading
from sync.lanes import Lane
from sync.records import HealthRecord, encode_record
from tests.gateway.office import Office, open_office, said
from tests.gateway.test_held import BROKEN, FUTURE, an_older_version, sent

BOXES, HELD = "/schools/no-1/boxes", "/schools/no-1/held"


@pytest.fixture
async def office(school: SimulatedSchool) -> AsyncIterator[Office]:
    async with open_office(school.store) as opened:
        yield opened


def health(quality: ClockQuality = ClockQuality.SYNCED, *, free_mb: int = 20_000, waiting: int = 0) -> bytes:
    clock = ClockReading(monotonic_ms=1, wall_ms=1, boot=bytes(16), quality=quality)
    return encode_record(
        HealthRecord(clock=clock, software="0.9.1", free_mb=free_mb, temperature_c=51, waiting=waiting)
    )


async def test_a_box_says_how_it_is(office: Office, school: SimulatedSchool) -> None:
    page = said(await office.get(BOXES))
    assert "box-1 – never heard Its code was made" in page
    await school.ingest.take([school.box.envelope(Lane.HEALTH, [health(waiting=3)])])
    page = said(await office.get(BOXES))
    for words in ("✓ heard just now", "3 records wait on it", "its clock is right", "19.5 GB free", "51 °C", "0.9.1"):
        assert words in page
    await school.ingest.take([school.box.envelope(Lane.HEALTH, [health(ClockQuality.UNSET, free_mb=100)])])
    page = said(await office.get(BOXES))
    assert "? its clock was not set" in page
    assert "? 0.1 GB free" in page
    await sent(school, [FUTURE, BROKEN])
    assert "2 records wait for a decision" in said(await office.get(BOXES))


async def test_a_school_sees_its_own_boxes_and_records_only(office: Office, school: SimulatedSchool) -> None:
    other = await make_school(school.store, school.pupils.assignment, school="no-2")
    await other.ingest.take([SimulatedBox("no-2", "box-1").envelope(Lane.RESULTS, [BROKEN])])
    assert "wait for a decision" not in said(await office.get(BOXES)).replace("Records that wait", "")
    assert "Nothing waits." in await office.get(HELD)
    (name,) = re.findall(r'value="([0-9a-f]{32})"', await office.get("/schools/no-2/held"))
    assert "No held record" in await office.post(HELD, {"record": name, "do": "accept"}, status=400)
    await office.post(HELD, {"record": name, "do": "refuse", "sure": "1"}, status=400)
    async with school.store.reading() as connection:
        assert len(await held_of_school(connection, "no-2", "waiting", limit=5)) == 1


async def test_what_is_held_is_taken_in(
    office: Office, school: SimulatedSchool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """D5."""
    with an_older_version(monkeypatch, lambda _: True):
        await sent(school, school.pupils.results()[:2])
    page = await office.get(HELD)
    assert "box-1 · a graded sheet, No. 1," in said(page)
    assert "A newer version of the box sent it (1)." in page
    names = re.findall(r'name="record" value="([0-9a-f]{32})"', page)
    assert len(names) == 2
    page = await office.post(HELD, {"record": names[0], "do": "accept"})
    assert "Taken in: 1." in page
    assert (await school.report()).sheets == 1
    assert "taken in" in said(page)[-40:]
    assert "No held record" in await office.post(HELD, {"record": names[0], "do": "accept"}, status=400)


async def test_one_that_still_cannot_be_read_stays_and_refusing_is_asked_about(
    office: Office, school: SimulatedSchool
) -> None:
    await sent(school, [BROKEN])
    page = await office.get(HELD)
    (name,) = re.findall(r'name="record" value="([0-9a-f]{32})"', page)
    chinese = await office.get(HELD, **{"Accept-Language": "zh-CN"})
    line = chinese.partition(name)[2].partition("</li>")[0]
    assert "Expected" not in line.partition("<details")[0], "the reader's own words first"
    assert "记录不完整，缺少内容。" in line
    assert "Expected `array`" in line.partition("详情")[2], "and for a technician what the program said"
    assert "Nothing was taken in. It is cut short" in await office.post(
        HELD, {"record": name, "do": "accept"}, status=400
    )
    question = await office.post(HELD, {"record": name, "do": "refuse"})
    assert "Refuse this record?" in question
    assert name in await office.get(HELD)
    assert "Refused: 1." in await office.post(HELD, {"record": name, "do": "refuse", "sure": "1"})
    assert "Nothing waits." in await office.get(HELD)
    await office.post(HELD, {"do": "accept"})  # nothing ticked
    await office.post(HELD, {"record": name, "do": "accept"}, status=403, **{"Sec-Fetch-Site": "cross-site"})


async def test_a_copied_card_is_shown_apart(office: Office, school: SimulatedSchool) -> None:
    first, second, third = school.pupils.results()[:3]
    await sent(school, [first])
    clone = copy.deepcopy(school.box)
    await sent(school, [second])
    await school.ingest.take([clone.envelope(Lane.RESULTS, [third])])
    assert "1 records are others than here: its card was copied or put back" in said(await office.get(BOXES))
    page = await office.get(HELD)
    assert "Others than what is here: a copied card" in page
    (name,) = re.findall(r'name="record" value="([0-9a-f]{32})"', page)
    assert "Taken in: 1." in await office.post(HELD, {"record": name, "do": "accept"})
    assert (await school.report()).sheets == 3


async def test_a_new_box_gets_a_code_that_is_shown_once(office: Office, school: SimulatedSchool) -> None:
    page = await office.post(BOXES + "/enrol", {"box": "box-2", "broker": "mqtts://10.0.0.1"})
    (code,) = re.findall(r"CB1-[A-Z0-9-]+", page)
    identity = parse_enrolment_code(code)
    assert (identity.school, identity.box, identity.broker_url) == ("no-1", "box-2", "mqtts://10.0.0.1")
    assert identity.box_key == await key_of(school.store, "box-2")
    page = await office.post(BOXES + "/enrol", {"box": "box-2", "broker": "mqtts://10.0.0.1"}, status=400)
    assert "has a code already" in page
    assert code not in await office.get(BOXES)
    assert identity.box_key == await key_of(school.store, "box-2")
    again = {"box": "box-2", "broker": "mqtts://10.0.0.1", "anew": "on"}
    assert code not in await office.post(BOXES + "/enrol", again)
    assert identity.box_key != await key_of(school.store, "box-2")


async def test_a_name_or_an_address_that_is_none_voids_nothing(office: Office, school: SimulatedSchool) -> None:
    before = await key_of(school.store, "box-1")
    for box, broker in (("a/b", "mqtt://h"), ("", "mqtt://h"), ("box-1", "http://h"), ("<b>", "x")):
        page = await office.post(BOXES + "/enrol", {"box": box, "broker": broker, "anew": "1"}, status=400)
        assert "<b>" not in page
    assert await key_of(school.store, "box-1") == before


async def test_a_lost_box_is_locked_out_after_a_question(office: Office, school: SimulatedSchool) -> None:
    before = await key_of(school.store, "box-1")
    assert "Lock box-1 out?" in await office.post(BOXES + "/lock-out", {"box": "box-1"})
    assert await key_of(school.store, "box-1") == before
    await office.post(BOXES + "/lock-out", {"box": "box-1", "sure": "1"})
    assert await key_of(school.store, "box-1") != before
    assert "not enrolled" in await office.post(BOXES + "/lock-out", {"box": "box-9", "sure": "1"}, status=400)


async def key_of(store: Store, box: str) -> bytes | None:
    async with store.reading() as connection:
        return await box_key(connection, store.vault, "no-1", box)


async def test_a_database_that_is_away_is_called_that_on_a_page(
    office: Office, school: SimulatedSchool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> NoReturn:
        raise trouble_of(OSError("gone"))

    monkeypatch.setattr(school.store, "reading", away)
    page = await office.get(HELD, status=503)
    assert "Nothing is lost" in page
    assert "The database cannot be used" in page
    assert "Too many pages" not in page
    monkeypatch.setattr(school.store, "writing", away)
    refused = await office.post(HELD, {"record": "00" * 32, "do": "refuse", "sure": "1"}, status=503)
    assert "The database cannot be used" in refused
    assert "Nothing is lost" not in refused, "of what was typed into a form nobody can promise that"


async def test_a_report_whose_sheets_lie_in_an_archive_is_gone_and_not_a_mistake(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object) -> None:
        raise InArchiveError("The sheets of this homework went into the archive of {month}.", remedy="", month=202608)

    monkeypatch.setattr("gateway.reports.cache.refuse_archived", refuse)
    page = await office.get("/schools/no-1/classes/3-1/assignments/of-august", status=410)
    assert "archive of 202608" in page
