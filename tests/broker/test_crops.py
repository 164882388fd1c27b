"""A real box, a real broker, a real gateway: the picture of an answer in doubt comes to the school, no other does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks._box import RunningBox, run_classbox
from benchmarks._scans import make_scans
from edge.correcting import Change
from edge.deeds import By
from edge.documents import Documents
from edge.ledger import Ledger
from edge.school_crops import MARGIN_MM
from gateway.config import load_config
from gateway.ingest import StoreIngest
from gateway.store.crops import KeptCrop, list_crops, open_crop
from gateway.store.schools import add_school, enrol_box, school_key
from gateway.store.store import Store, open_store
from homework.corrections import Word
from homework.layout import Field, SheetLayout, layout_from_json
from homework.results import VerdictKind
from provisioning.identity import Identity, write_identity
from sync.broker_address import BrokerAddress
from sync.clock import ClockQuality, ClockReading
from sync.embedded_broker import Broker
from sync.gateway_link import GatewayLink
from sync.lanes import Lane
from sync.outbox_file import OutboxFile
from tests.broker.patience import running, until

NOW = ClockReading(monotonic_ms=1, wall_ms=1_790_000_000_000, boot=bytes(16), quality=ClockQuality.SYNCED)


@pytest.fixture
def broker() -> Iterator[Broker]:
    with Broker.start() as started:
        yield started


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """Three pupils' sheets; on the first two of them two bubbles of the choice are filled."""
    make_scans(tmp_path / "made", pupils=3)
    for number in (1, 2):
        path = tmp_path / "made" / "scans" / f"{number:02}.jpg"
        scan = cv2.imread(str(path))
        assert scan is not None
        scale = scan.shape[1] / layout(tmp_path / "made").page_mm[0]
        for bubble in choice(layout(tmp_path / "made")).bubbles[:2]:
            x, y, w, h = (side * scale for side in bubble.box_mm)
            cv2.circle(scan, (round(x + w / 2), round(y + h / 2)), round(w / 2), (40, 30, 30), -1)
        cv2.imwrite(str(path), scan)
    return tmp_path / "made"


def layout(made: Path) -> SheetLayout:
    return layout_from_json((made / "sheets" / "layout.json").read_bytes())


def choice(sheet: SheetLayout) -> Field:
    return next(field for field in sheet.pages[0].fields if field.kind == "choice")


async def kept(store: Store) -> list[KeptCrop]:
    async with store.reading() as connection:
        return await list_crops(connection, "no-1")


def settle_all_but_one(data: Path, doubtful: Field) -> str:
    """The teacher says what is on every sheet but the first in doubt; returns that one's digest."""
    ledger = Ledger(data, key_of=Documents(data).assignment)
    try:
        pages = ledger.pages_for_review()
        assert len(pages) >= 2
        places = [
            (page, (item.item, item.blank))
            for page in pages
            for item in page.record.items  # type: ignore[union-attr]
            if item.verdict.kind is VerdictKind.REVIEW
        ]
        assert places[0][1] == (doubtful.item, 1)
        for page, place in places[1:]:
            change = Change(page.capture, page.revision, place, Word(right=False))
            assert ledger.correct([change], by=By("teacher", NOW)).deed is not None
        return pages[0].digest
    finally:
        ledger.close()


def likeness(picture: bytes, made: Path) -> float:
    """How far the crop is from the same place of the scan that was slid, in grey levels a pixel."""
    crop = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_GRAYSCALE)
    scan = cv2.imread(str(made / "scans" / "01.jpg"), cv2.IMREAD_GRAYSCALE)
    assert crop is not None
    assert scan is not None
    scale = scan.shape[1] / layout(made).page_mm[0]
    x, y, w, h = choice(layout(made)).hull_mm()
    left, top, right, bottom = x - MARGIN_MM, y - MARGIN_MM, x + w + MARGIN_MM, y + h + MARGIN_MM
    there = scan[round(top * scale) : round(bottom * scale), round(left * scale) : round(right * scale)]
    return float(np.mean(cv2.absdiff(cv2.resize(there, crop.shape[::-1], interpolation=cv2.INTER_AREA), crop)))


async def test_an_answer_in_doubt_comes_as_a_picture_also_after_a_kill_and_a_settled_one_never(
    tmp_path: Path, made: Path, broker: Broker
):
    """D3, D8: killed with -9 after the sheets were booked and before anything was cut."""
    (tmp_path / "gateway.toml").write_text('data = "gateway"\n')
    async with open_store(load_config(tmp_path / "gateway.toml")) as store:
        async with store.writing() as connection:
            await add_school(connection, store.vault, "no-1")
            box_key = await enrol_box(connection, store.vault, "no-1", "box-1")
            key = await school_key(connection, store.vault, "no-1")
        data = tmp_path / "box" / "data"
        data.mkdir(parents=True)
        who = Identity(school="no-1", box="box-1", school_key=key, box_key=box_key, broker_url=broker.url)
        write_identity(data, who)
        box = await asyncio.to_thread(RunningBox, tmp_path / "box", made, more="[sync]\nmonthly_mb = 20\n")
        outbox = OutboxFile(data / "ledger.sqlite")

        def crops() -> tuple[int, int]:
            with outbox.open() as opened:
                counts = opened.counts()[Lane.CROPS]
            return counts.captured, counts.receipted

        def booked() -> bool:
            return json.loads(run_classbox("status", "--json", "--data", data))["captured"] == 3

        try:
            await asyncio.to_thread(box.slide, 1, 2, 3)
            await until(booked)
            await asyncio.to_thread(box.kill)
            assert crops() == (0, 0), "nobody knows yet whether the school can take any"
            first = settle_all_but_one(data, choice(layout(made)))
            ingest = StoreIngest(store)
            async with running(GatewayLink(ingest=ingest, broker=BrokerAddress(url=broker.url), software="test")):
                await asyncio.to_thread(box.start)
                await until(lambda: crops() == (1, 1))
                await asyncio.sleep(4)  # longer than the box looks for more
        finally:
            await asyncio.to_thread(box.stop)
        said = await asyncio.to_thread(run_classbox, "status", "--json", "--config", box.config)
        assert 0 < json.loads(said)["used_mb"] < 1, "and the line is counted"
        (crop,) = await kept(store)
        assert crops() == (1, 1)
        assert (crop.name.capture.hex(), crop.name.item, crop.class_name) == (first, choice(layout(made)).item, "3-1")
        async with store.reading() as connection:
            picture = await open_crop(connection, store.vault, "no-1", crop.name)
    assert picture is not None
    assert len(picture) < 4000
    assert likeness(picture, made) < 12
