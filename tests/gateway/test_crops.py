"""Pictures of fields that wait for a look: kept sealed, the newest of each, opened for their own school alone."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway.cli import main
from gateway.config import GatewayConfig
from gateway.simulated_school import SimulatedSchool, make_school
from gateway.store.crops import CropName, open_crop
from gateway.store.store import open_store
from gateway.store.tables.sheets import crops
from homework.assignment import parse_assignment
from sync.lanes import Lane
from sync.records import CropRecord, PageResult, crop_place
from sync.sealing import SealError, seal

ON_BOTH = True

CAPTURE = b"c" * 16
FIELD = CropName(CAPTURE, "7", 1)


def crop(school: SimulatedSchool, picture: bytes, *, revision: int = 1, name: CropName = FIELD) -> CropRecord:
    sealed = seal(school.school_key, picture, crop_place(*name))
    return CropRecord(capture=name.capture, item=name.item, blank=name.blank, revision=revision, sealed=sealed)


async def told(school: SimulatedSchool, *records: CropRecord) -> None:
    await school.ingest.take([school.box.envelope(Lane.CROPS, records)])


async def seen(school: SimulatedSchool, name: CropName = FIELD) -> bytes | None:
    async with school.store.reading() as connection:
        return await open_crop(connection, school.store.vault, school.school, name)


async def test_the_newest_picture_of_a_field_is_opened_whatever_the_order(school: SimulatedSchool) -> None:
    other = CropName(CAPTURE, "7", 2)
    await told(school, crop(school, b"first"), crop(school, b"of the second field", name=other))
    await told(school, crop(school, b"third", revision=3))
    await told(school, crop(school, b"late", revision=2))
    assert (await seen(school), await seen(school, other)) == (b"third", b"of the second field")
    assert await seen(school, CropName(CAPTURE, "8", 1)) is None


async def test_nothing_of_a_picture_lies_in_the_clear(school: SimulatedSchool) -> None:
    """D8: neither on the wire nor in the database."""
    await told(school, crop(school, b"RIFF handwriting"))
    async with school.store.reading() as connection:
        (row,) = (await connection.execute(crops.select())).all()
    assert b"handwriting" not in bytes(row.sealed)


async def test_a_picture_moved_to_another_field_or_school_does_not_open(school: SimulatedSchool) -> None:
    """D7, D8."""
    elsewhere = CropName(b"d" * 16, "7", 1)
    record = crop(school, b"x")
    await told(school, CropRecord(capture=elsewhere.capture, item="7", blank=1, revision=1, sealed=record.sealed))
    with pytest.raises(SealError):
        await seen(school, elsewhere)
    neighbours = await make_school(school.store, school.pupils.assignment, school="no-2")
    await told(neighbours, record)
    with pytest.raises(SealError):
        await seen(neighbours)
    assert await seen(school) is None, "what one school has is not looked for in another"


def test_a_person_lists_and_opens_them(config: GatewayConfig, tmp_path: Path) -> None:
    example = Path(__file__).resolve().parents[2] / "examples" / "g3-mul-2x1.toml"
    assignment = parse_assignment(example.read_text(encoding="utf-8"))

    async def prepared() -> PageResult:
        async with open_store(config) as store:
            school = await make_school(store, assignment)
            page = school.pupils.results()[0]
            await school.ingest.take([school.box.envelope(Lane.RESULTS, [page])])
            await told(school, crop(school, b"RIFFx", name=CropName(page.capture, "7", 1)))
            return page

    page = asyncio.run(prepared())
    run = CliRunner(env={"CLASSBOX_LANG": "en"}).invoke
    file = str(tmp_path / "gateway.toml")
    listed = run(main, ["crop", "list", "no-1", "--config", file]).output
    assert page.capture.hex() in listed
    assert "3-1" in listed
    out = tmp_path / "out.webp"
    opened = run(main, ["crop", "open", "no-1", page.capture.hex()[:10], "7", "-o", str(out), "--config", file])
    assert opened.exit_code == 0, opened.output
    assert out.read_bytes() == b"RIFFx"
    missing = run(main, ["crop", "open", "no-1", page.capture.hex()[:10], "8", "-o", str(out), "--config", file])
    assert missing.exit_code == 1
    assert "classgate crop list" in missing.output
