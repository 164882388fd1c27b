"""Answers one by one, all that is kept of one pupil, what a school is called: the same on both databases."""

import io
import json
import zipfile
from itertools import zip_longest
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from gateway.cli import main
from gateway.keeping.pupil_export import pupil_file
from gateway.keeping.unpacking import COLUMNS, page_items
from gateway.simulated_school import SimulatedSchool
from gateway.store.pages import pack_items
from gateway.store.store import Store
from sync.lanes import Lane
from sync.pseudonym import pseudonym
from sync.records import DOUBT_CODES, MAX_READING, VERDICT_CODES, CropRecord, PackedItem, crop_place
from sync.sealing import seal
from tests.gateway.databases import on_postgresql
from tests.gateway.judged import judged

ON_BOTH = True


async def test_every_answer_is_a_row_with_its_name(school: SimulatedSchool) -> None:
    await _send(school)
    rows = await _items(school)
    names = [name for name, _ in COLUMNS]
    found = [dict(zip(names, row, strict=True)) for row in rows]
    fields = school.pupils.layout.pages[0].fields
    assert len(found) == 12 * len(fields)
    assert [(row["item"], row["blank"]) for row in found[: len(fields)]] == [(one.item, one.blank) for one in fields]
    assert {row["verdict"] for row in found} == {"correct", "wrong"}
    assert sum(row["score_hundredths"] for row in found) == 12 * 100 * (len(fields) - 2)
    assert len(await _items(school, everything=True)) == 13 * len(fields), "and a twin"


async def test_answers_whose_layout_has_not_come_have_places_and_no_names(school: SimulatedSchool) -> None:
    await _send(school, documents=False)
    rows = await _items(school)
    at = [name for name, _ in COLUMNS].index("place")
    assert {row[at + 1] for row in rows} == {None}
    assert sorted({row[at] for row in rows}) == list(range(1, len(school.pupils.layout.pages[0].fields) + 1))


async def test_a_pupils_file_has_everything_of_that_pupil_and_nothing_of_others(school: SimulatedSchool) -> None:
    await _send(school)
    first, second = school.pupils.roster.pupils[:2]
    alias = pseudonym(school.school_key, first.pupil_id)
    async with school.store.reading() as connection:
        body = await pupil_file(connection, school.store.vault, "no-1", alias)
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        said = json.loads(archive.read("pupil.json"))
        pictures = [archive.read(name) for name in archive.namelist() if name.endswith(".webp")]
    assert said["listed"] == [{"class": "3-1", "seat": 1, "name": first.name, "id": first.pupil_id}]
    assert len(said["pages"]) == 2
    assert len(said["pages"][0]["answers"]) == len(school.pupils.layout.pages[0].fields)
    assert pictures == [b"a picture"]
    assert second.name not in json.dumps(said, ensure_ascii=False)


def test_the_commands_write_files_and_name_schools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLASSGATE_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("LANG", "en")
    (tmp_path / "list.csv").write_text("class,seat,name,pupil_id\n3-1,7,李雷,P7\n", encoding="utf-8")

    def run(*words: str) -> Any:
        return CliRunner().invoke(main, list(words))

    assert run("school", "add", "no-1", "--title", "第一小学").exit_code == 0
    assert run("import-roster", str(tmp_path / "list.csv"), "--school", "no-1").exit_code == 0
    assert "第二小学" in run("school", "rename", "no-1", "--title", "第二小学").output
    assert run("school", "rename", "no-1", "--title", "x" * 200).exit_code != 0
    assert run("school", "rename", "no-2", "--title", "x").exit_code != 0
    for name in ("answers.parquet", "answers.csv"):
        assert run("db", "unpack", "no-1", "--to", str(tmp_path / name)).exit_code == 0
        assert run("db", "unpack", "no-1", "--to", str(tmp_path / name)).exit_code != 0, "it is there already"
    assert run("db", "export-pupil", "no-1", "3-1#7", "--to", str(tmp_path / "pupil.zip")).exit_code == 0
    assert zipfile.is_zipfile(tmp_path / "pupil.zip")
    assert (tmp_path / "pupil.zip").stat().st_mode & 0o077 == 0


ITEM = st.builds(
    PackedItem,
    verdict=st.integers(0, len(VERDICT_CODES) - 1),
    score_hundredths=st.none() | st.integers(0, 2**31 - 1),
    reading=st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=MAX_READING),
    confidence=st.integers(0, 255),
    doubt=st.integers(0, len(DOUBT_CODES) - 1),
)


@on_postgresql
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(items=st.lists(ITEM, max_size=40))
async def test_whatever_a_page_says_the_server_reads_it_as_the_program_does(
    store: Store, items: list[PackedItem]
) -> None:
    query = text("SELECT * FROM unpacked_items(:packed)")
    async with store.reading() as connection:
        rows = (await connection.execute(query, {"packed": pack_items(items)})).all()
    expected = [
        (place, len(items), one.verdict, one.score_hundredths, one.reading, one.confidence, one.doubt)
        for place, one in enumerate(items, start=1)
    ]
    assert [tuple(row) for row in rows] == [
        (*row[:4], row[4] if row[4] is None else row[4].replace("\0", " "), *row[5:]) for row in expected
    ]


@on_postgresql
async def test_the_view_says_what_the_command_says(school: SimulatedSchool) -> None:
    await _send(school)
    codes = zip_longest(range(len(DOUBT_CODES)), range(len(VERDICT_CODES)), fillvalue=0)
    page = school.pupils.result(school.pupils.roster.pupils[0], attempt=2)
    every = tuple(
        msgspec.structs.replace(item, doubt=doubt, verdict=verdict, reading="7 ²")
        for item, (doubt, verdict) in zip(page.items, codes, strict=False)
    )
    assert len(every) == len(DOUBT_CODES)
    other = msgspec.structs.replace(page, items=(*every, *page.items[len(every) :]))
    strange = msgspec.structs.replace(school.pupils.result(school.pupils.roster.pupils[1]), sheet="OTHER")
    await school.ingest.take([school.box.envelope(Lane.RESULTS, [other, strange])])
    names = ", ".join(name for name, _ in COLUMNS)
    ordered = f"SELECT {names} FROM page_items WHERE school_id = 'no-1' ORDER BY month, box_id, epoch, seq, place"
    async with school.store.reading() as connection:
        seen = [tuple(row) for row in await connection.execute(text(ordered))]
    assert seen == await _items(school, everything=True)
    assert None in {row[[name for name, _ in COLUMNS].index("item")] for row in seen}, "of a layout that has not come"


async def _send(school: SimulatedSchool, *, documents: bool = True) -> None:
    pages = [judged(school.pupils.result(one), 2) for one in school.pupils.roster.pupils]
    twin = judged(school.pupils.result(school.pupils.roster.pupils[0], duplicate_of=pages[0].capture), 2)
    name = (pages[0].capture, "q1", 1)
    crop = CropRecord(
        capture=name[0],
        item=name[1],
        blank=name[2],
        revision=1,
        sealed=seal(school.school_key, b"a picture", crop_place(*name)),
    )
    if documents:
        await school.ingest.take([school.box.envelope(Lane.DOCUMENTS, school.pupils.documents())])
    await school.ingest.take(
        [school.box.envelope(Lane.RESULTS, [*pages, twin]), school.box.envelope(Lane.CROPS, [crop])]
    )


async def _items(school: SimulatedSchool, *, everything: bool = False) -> list[tuple[Any, ...]]:
    async with school.store.reading() as connection:
        return [row async for rows in page_items(connection, "no-1", everything=everything) for row in rows]
